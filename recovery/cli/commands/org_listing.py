"""The command that lists organizations.

Lives here: `org list`. Must not live here: what an organization's record means.
"""

from typing import TYPE_CHECKING, Final

from recovery.cli.context import Context
from recovery.cli.documents import ListDocument
from recovery.cli.listing import Listed, created, run_listing
from recovery.cli.options import Command, Listing, add_listing
from recovery.cli.table import Column
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.remedy import Run
from recovery.services.tenancy.organization_listing import (
    Member,
    OrganizationRow,
    list_organizations,
)

if TYPE_CHECKING:
    from recovery.cli.words import Parser

COLUMNS = (
    Column("ID"),
    Column("Organization", 12),
    Column("Owners", 8),
    Column("Members", 8),
    Column("Created", is_spare=True),
    Column("Description", 12),
)
SORTS: Final = {"name": "name", "created": "created_at"}


class OrganizationList(ListDocument, frozen=True, kw_only=True):
    """What --json prints."""

    organizations: tuple[OrganizationRow, ...] = ()


class _List(Listing, frozen=True):
    name: str | None


def _add_list(command: "Parser") -> None:
    command.add_argument(
        *("--name", "--org"),
        metavar="NAME",
        help="only the organization with this name (default: all)",
    )
    add_listing(command, what="the organization", sorts=tuple(SORTS))


def _list(options: _List, context: Context) -> ExitCode:
    listed = Listed(
        kind="organization",
        listing=Run("org list", "to see what there is"),
        sorts=SORTS,
        columns=COLUMNS,
        cells=_cells,
        field="organizations",
        document=lambda store: OrganizationList(store=store),
        rows_of=lambda view: list_organizations(view.tx),
    )
    return run_listing(listed, options, context, name=options.name)


LIST: Final = Command(
    description="List every organization of the store with its owners and members. The file is "
    "opened for reading only and nothing is changed.",
    example="org list",
    options=_List,
    run=_list,
    add_options=_add_list,
    document=OrganizationList,
)


def _cells(row: OrganizationRow) -> tuple[str, ...]:
    return (
        row.id,
        displayed(row.name),
        ", ".join(map(_name, row.owners)) or "none",
        ", ".join(map(_name, row.members)),
        created(row.created_at),
        displayed(row.description),
    )


def _name(member: Member) -> str:
    return displayed(member.user_id if member.user is None else member.user)
