"""The command that brings a deleted 1.x-compatible authorization back.

Lives here: `v1-auth undelete`. Must not live here: where it is looked for and what is written
(`recovery.services.undeletion`).
"""

from typing import Final

from recovery.cli.context import Context
from recovery.cli.options import Command
from recovery.cli.outcome import ChangeDocument
from recovery.cli.table import Column
from recovery.cli.traces import Listed, Undeletion, add_undeletion, run_undeletion
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.remedy import Input
from recovery.services.undeletion.logins import DeletedLogin, UndeleteLogin, list_deleted_logins


class _Undelete(Undeletion, frozen=True):
    which: str | None


def _add_undelete(command: Parser) -> None:
    command.add_argument(
        "which",
        nargs="?",
        metavar="ID|NAME",
        help="the authorization to bring back, by its ID or its 1.x user name (default: list what "
        "can be brought back)",
    )
    add_undeletion(command, wanted="the authorization is there")


class DeletedLogins(ChangeDocument, frozen=True, kw_only=True):
    """What --json prints: without an authorization a list, with one a change."""

    deleted: tuple[DeletedLogin, ...] = ()


def _undelete(options: _Undelete, context: Context) -> ExitCode:
    which = options.which
    if which is None:
        return run_undeletion(LISTED, options, context, None)
    return run_undeletion(
        LISTED,
        options,
        context,
        lambda traces, _: UndeleteLogin(which=which, traces=traces, is_ensured=options.ensure),
    )


UNDELETE: Final = Command(
    description="List the 1.x-compatible authorizations that were deleted and can be brought back, "
    "or bring one back: under its ID and its user name, with its password as far as it is found, "
    "so that clients of InfluxDB 1.x can log in again. They are looked for in the state before the "
    "last one, on freed pages, and in the copies beside the store. influxd must be stopped. No "
    "password is shown. It is refused when another one has the user name. What has been written "
    "over is gone.",
    example="v1-auth undelete old-grafana",
    options=_Undelete,
    run=_undelete,
    add_options=_add_undelete,
    document=DeletedLogins,
)


def _cells(row: DeletedLogin, origin: str, can_return: str) -> tuple[str, ...]:
    return (
        row.id,
        displayed(row.username),
        displayed(row.organization) if row.organization is not None else "missing",
        "yes" if row.has_password else "no",
        origin,
        can_return,
        displayed(row.description),
    )


LISTED: Final = Listed(
    operation="v1-auth undelete",
    document=DeletedLogins,
    kind="deleted 1.x authorization",
    input=Input.ID,
    name=lambda row: row.username,
    rows=list_deleted_logins,
    columns=(
        Column("ID"),
        Column("User name", 9),
        Column("Org", 6),
        Column("Password"),
        Column("Found in", 14),
        Column("Can return", 10),
        Column("Description", 11),
    ),
    cells=_cells,
)
