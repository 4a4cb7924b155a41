"""The command that shows one authorization.

Lives here: `auth show`. Must not live here: what is said of it
(`recovery.services.authorizations.details`).
"""

from typing import Final

from recovery.cli.choices import add_id, authorization_id
from recovery.cli.context import Context
from recovery.cli.disclosing import disclose
from recovery.cli.documents import StoreDocument
from recovery.cli.options import Command, Reading
from recovery.cli.record_view import ShownAuthorization, details_lines
from recovery.cli.store import find_store, read_session, show_header, store_of
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.services.authorizations.choice import choose_authorization
from recovery.services.authorizations.details import details_of


class _Show(Reading, frozen=True):
    id: str
    show_tokens: bool


def _add_show(command: Parser) -> None:
    add_id(command)
    command.add_argument(
        "--show-tokens",
        action="store_true",
        help="print the token or hash as it is stored; this is recorded in the ledger (default: "
        "REDACTED)",
    )


class AuthorizationDocument(StoreDocument, frozen=True, kw_only=True):
    """What --json prints."""

    authorization: ShownAuthorization


def _show(options: _Show, context: Context) -> ExitCode:
    wanted = authorization_id(options.id)
    found = find_store(options, context)
    with read_session(found, options, context.output) as session, session.view() as view:
        disclosure = None
        if options.show_tokens:
            disclosure = disclose(
                view.facts, "auth show --show-tokens", options, context, record_ids=(wanted,)
            )
        details = details_of(view.tx, choose_authorization(view.tx, wanted), disclosure)
        if options.json:
            shown = ShownAuthorization.of(details)
            store = store_of(found, view.facts)
            context.output.document(AuthorizationDocument(store=store, authorization=shown))
        else:
            show_header(found, view.facts, context.output)
            for line in details_lines(details):
                context.output.prose(line)
    return ExitCode.DONE


SHOW: Final = Command(
    description="Show one authorization with its user, organization, permissions, and whether a "
    "server would accept its token. The file is opened for reading only and nothing is changed. "
    "The token is not shown unless asked for with --show-tokens.",
    example="auth show 08371deae98c8000",
    options=_Show,
    run=_show,
    add_options=_add_show,
    document=AuthorizationDocument,
)
