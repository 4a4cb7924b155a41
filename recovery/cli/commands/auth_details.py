"""The command that shows one authorization.

Lives here: `auth show`. Must not live here: what is said of it
(`recovery.services.authorizations.details`).
"""

from typing import Final

from recovery.cli.choices import add_id, authorization_id
from recovery.cli.context import Context
from recovery.cli.options import Command, Options
from recovery.cli.record_view import details_document, details_lines
from recovery.cli.store import find_store, open_session, show_header, store_document
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.ids import Id
from recovery.services.authorizations.choice import choose_authorization
from recovery.services.authorizations.details import details_of
from recovery.services.session import View


class _Show(Options, frozen=True):
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


def _show(options: _Show, context: Context) -> ExitCode:
    wanted = authorization_id(options.id)
    found = find_store(options, context)
    with open_session(found) as session, session.view() as view:
        if options.show_tokens:
            _record(options, context, view, wanted)
        details = details_of(
            view.tx, choose_authorization(view.tx, wanted), show_token=options.show_tokens
        )
        if options.json:
            document = store_document(found, view.facts)
            context.output.document({**document, "authorization": details_document(details)})
        else:
            show_header(found, view.facts, context.output)
            for line in details_lines(details):
                context.output.prose(line)
    return ExitCode.DONE


SHOW: Final = Command(
    description="Show one authorization with its user, organization, permissions, and whether a "
    "server would accept its token. The file is opened for reading only and nothing is changed. "
    "The token is not shown unless asked for with --show-tokens.",
    options=_Show,
    run=_show,
    add_options=_add_show,
)


def _record(options: _Show, context: Context, view: View, wanted: Id) -> None:
    """Write down that a token is going to be shown, before it is."""
    from recovery.cli.recording import open_ledger  # noqa: PLC0415 # only this needs the ledger
    from recovery.services.changes.ports import Intent  # noqa: PLC0415 # as above

    open_ledger(options, context).note(
        Intent(
            operation="auth show --show-tokens",
            store_path=view.facts.path,
            device=view.facts.device,
            inode=view.facts.inode,
            record_ids=(wanted,),
            backup_path=None,
            reason=options.reason,
        )
    )
