"""The command that says what a server would do with a token.

Lives here: `auth verify`. Must not live here: finding the record
(`recovery.services.authorizations.verification`).

Invariants: the token is never printed, not even in part.
"""

from typing import Final

from recovery.cli.context import Context
from recovery.cli.documents import StoreDocument, shaped
from recovery.cli.options import Command, Reading
from recovery.cli.record_view import ShownAuthorization, details_lines
from recovery.cli.secret_input import ask_secret, read_secret
from recovery.cli.store import find_store, read_session, show_header, store_of
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.secret import Secret
from recovery.services.authorizations.verification import TokenReport, TokenVerdict, verify_token
from recovery.services.session import Session

VERDICTS = {
    TokenVerdict.ACCEPTED: "A server would accept this token.",
    TokenVerdict.REFUSED: "A server would refuse this token, although a record has it.",
    TokenVerdict.UNKNOWN: "A server would not know this token (401).",
}


class _Verify(Reading, frozen=True):
    token_file: str | None


def _add_verify(command: Parser) -> None:
    command.add_argument(
        "--token-file",
        metavar="FILE",
        help="the token is in this file, or on standard input for - (default: type it at the "
        "terminal, where it does not show)",
    )


class Verdict(StoreDocument, frozen=True, kw_only=True):
    """What --json prints; `TokenReport` says what the fields are."""

    answer: TokenVerdict
    because: tuple[str, ...]
    warnings: tuple[str, ...]
    authorization: ShownAuthorization | None


def _verify(options: _Verify, context: Context) -> ExitCode:
    found = find_store(options, context)
    if options.token_file is None:  # a person is asked only for a store that can be read
        Session.open(found.path, is_live=options.live).close()
    token = _token(options, context)  # for as long as somebody types, the store is not held
    with read_session(found, options, context.output) as session, session.view() as view:
        report = verify_token(view.tx, token)
        if options.json:
            details = report.details
            shown = None if details is None else ShownAuthorization.of(details)
            store = store_of(found, view.facts)
            context.output.document(shaped(report, Verdict, store=store, authorization=shown))
        else:
            show_header(found, view.facts, context.output)
            _show(report, context)
    return ExitCode.DONE if report.answer is TokenVerdict.ACCEPTED else ExitCode.REFUSED


def _token(options: _Verify, context: Context) -> Secret:
    if options.token_file is not None:
        return read_secret(options.token_file, what="token", output=context.output)
    question = "Type the token (it does not show): "
    return ask_secret(question, what="token", output=context.output)


VERIFY: Final = Command(
    description="Take a token and say which authorization it belongs to, in which form it is "
    "stored, whether a server would accept it and what it may do; or that nothing matches, and "
    "the nearest reason why. The exit code is 0 when a server would accept it and 7 when it would "
    "not. The file is opened for reading only, nothing is changed, and the token is never printed. "
    "It does not ask a running server and cannot see one.",
    example="auth verify --token-file /root/deployed.token",
    options=_Verify,
    run=_verify,
    add_options=_add_verify,
    document=Verdict,
)


def _show(report: TokenReport, context: Context) -> None:
    output = context.output
    output.prose(VERDICTS[report.answer])
    for reason in report.because:
        output.prose(f"  because {displayed(reason)}")
    for warning in report.warnings:
        output.prose(f"  but {displayed(warning)}")
    if report.details is not None:
        output.line()
        for line in details_lines(report.details):
            output.prose(line)
