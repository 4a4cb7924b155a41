"""The command that says what a server would do with a token.

Lives here: `auth verify`. Must not live here: finding the record
(`recovery.services.authorizations.verification`).

Invariants: the token is never printed, not even in part.
"""

import argparse

from recovery.cli.context import Context
from recovery.cli.record_view import details_document, details_lines
from recovery.cli.secret_input import ask_secret, read_secret
from recovery.cli.store import find_store, show_header, store_document
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.services.authorizations.details import open_reader
from recovery.services.authorizations.verification import Answer, TokenReport, verify_token

VERDICTS = {
    Answer.ACCEPTED: "A server would accept this token.",
    Answer.REFUSED: "A server would refuse this token, although a record has it.",
    Answer.UNKNOWN: "A server would not know this token (401).",
}


def run_verify(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Say which authorization a token belongs to.

    Args:
        arguments: The options of `auth verify`.
        context: The world around it.

    Returns:
        `DONE` when a server would accept the token, else `REFUSED`.

    Raises:
        RecoveryError: The token or the store cannot be read.
    """
    if arguments.token_file is None:
        token = ask_secret("Type the token (it does not show): ", what="token")
    else:
        token = read_secret(arguments.token_file, what="token")
    found = find_store(arguments, context)
    with open_reader(found.path) as reader:
        report = verify_token(reader.tx, token)
        if arguments.json:
            context.output.document({**store_document(found, reader.facts), **_document(report)})
        else:
            show_header(found, reader.facts, context.output)
            _show(report, context)
    return ExitCode.DONE if report.answer is Answer.ACCEPTED else ExitCode.REFUSED


def _document(report: TokenReport) -> dict[str, object]:
    details = report.details
    return {
        "answer": report.answer.value,
        "because": list(report.because),
        "warnings": list(report.warnings),
        "authorization": None if details is None else details_document(details),
    }


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
