"""The command that brings a deleted user back.

Lives here: `user undelete`. Must not live here: where users are looked for and what is written
(`recovery.services.undeletion`).
"""

from typing import Final

from recovery.cli.choices import add_user_choice, user_choice
from recovery.cli.context import Context
from recovery.cli.options import Command
from recovery.cli.outcome import ChangeDocument
from recovery.cli.table import Column
from recovery.cli.traces import Listed, Undeletion, add_undeletion, run_undeletion
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.remedy import Input
from recovery.services.undeletion.traces import Traces
from recovery.services.undeletion.users import DeletedUser, UndeleteUser, list_deleted_users


class _Undelete(Undeletion, frozen=True):
    username: str | None
    id: str | None
    with_tokens: bool


def _add_undelete(command: Parser) -> None:
    add_user_choice(command, note="default: list those that can be brought back")
    command.add_argument(
        "--with-tokens",
        action="store_true",
        help="bring back its deleted authorizations, too (default: the user alone)",
    )
    add_undeletion(command, wanted="the user is there")


class DeletedUsers(ChangeDocument, frozen=True, kw_only=True):
    """What --json prints: without a user a list, with one a change."""

    deleted: tuple[DeletedUser, ...] = ()


def _undelete(options: _Undelete, context: Context) -> ExitCode:
    def planner(traces: Traces, _: dict[str, str]) -> UndeleteUser:
        return UndeleteUser(
            user=user_choice(options.username, options.id, "user undelete"),
            traces=traces,
            with_tokens=options.with_tokens,
            is_ensured=options.ensure,
        )

    is_listing = options.username is None and options.id is None
    return run_undeletion(LISTED, options, context, None if is_listing else planner)


UNDELETE: Final = Command(
    description="List the users that were deleted and can be brought back, or bring one back: "
    "under its ID and its name, with its password and its roles as far as they are found, so that "
    "it can sign in again and its tokens work. Users are looked for in the state before the last "
    "one, on freed pages, and in the copies beside the store. influxd must be stopped. Nothing "
    "secret is shown. It is refused when another user has the name. v1-auth undelete brings its "
    "logins of InfluxDB 1.x back. What has been written over is gone.",
    example="user undelete --username grafana --with-tokens",
    options=_Undelete,
    run=_undelete,
    add_options=_add_undelete,
    document=DeletedUsers,
)


def _cells(row: DeletedUser, origin: str, can_return: str) -> tuple[str, ...]:
    return (
        row.id,
        displayed(row.name),
        displayed(row.status) or "none",
        "yes" if row.has_password else "no",
        displayed(", ".join(row.roles)) or "none",
        str(len(row.token_ids)),
        origin,
        can_return,
    )


LISTED: Final = Listed(
    operation="user undelete",
    document=DeletedUsers,
    kind="deleted user",
    input=Input.USER,
    name=lambda row: row.name,
    rows=list_deleted_users,
    columns=(
        Column("ID"),
        Column("Name", 8),
        Column("Status"),
        Column("Password"),
        Column("Roles", 10),
        Column("Tokens"),
        Column("Found in", 14),
        Column("Can return", 10),
    ),
    cells=_cells,
)
