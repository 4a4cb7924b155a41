"""The command that lists users.

Lives here: `user list`. Must not live here: what a user record means.
"""

from typing import TYPE_CHECKING, Final

from recovery.cli.context import Context
from recovery.cli.documents import ListDocument
from recovery.cli.listing import Listed, run_listing
from recovery.cli.options import Command, Listing, add_listing, add_status
from recovery.cli.table import Column
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.remedy import Run
from recovery.services.tenancy.user_listing import Membership, UserRow, list_users

if TYPE_CHECKING:
    from recovery.cli.words import Parser

COLUMNS = (
    Column("ID"),
    Column("User", 8),
    Column("Status", 8),
    Column("Password"),
    Column("Organizations", 13),
)
SORTS: Final = {"name": "name", "status": "status"}


class UserList(ListDocument, frozen=True, kw_only=True):
    """What --json prints."""

    users: tuple[UserRow, ...] = ()


class _List(Listing, frozen=True):
    name: str | None
    status: str | None


def _add_list(command: "Parser") -> None:
    command.add_argument(
        "--name", "--username", metavar="NAME", help="only the user with this name (default: all)"
    )
    add_status(command)
    add_listing(command, what="the user", sorts=tuple(SORTS))


def _list(options: _List, context: Context) -> ExitCode:
    listed = Listed(
        kind="user",
        listing=Run("user list", "to see what there is"),
        sorts=SORTS,
        columns=COLUMNS,
        cells=_cells,
        field="users",
        document=lambda store: UserList(store=store),
        rows_of=lambda view: list_users(view.tx),
    )
    return run_listing(listed, options, context, name=options.name, status=options.status)


LIST: Final = Command(
    description="List every user of the store with its status and the organizations that it "
    "belongs to. The file is opened for reading only and nothing is changed. It cannot show a "
    "password: the store holds only hashes of them, and those are never printed.",
    example="user list",
    options=_List,
    run=_list,
    add_options=_add_list,
    document=UserList,
)


def _cells(row: UserRow) -> tuple[str, ...]:
    roles = [role_text(membership) for membership in row.memberships]
    if row.is_instance_owner:
        roles.append("the instance (owner)")
    return (
        row.id,
        displayed(row.name),
        displayed(row.status) or "not set",
        "set" if row.has_password else "none",
        ", ".join(roles) or "none",
    )


def role_text(membership: Membership) -> str:
    """Say what role a user has where, escaped: "acme (owner)"."""
    name = membership.organization
    shown = f"missing {membership.organization_id}" if name is None else displayed(name)
    return f"{shown} ({membership.role})"
