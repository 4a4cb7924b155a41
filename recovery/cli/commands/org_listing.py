"""The command that lists organizations.

Lives here: `org list`. Must not live here: what an organization's record means.
"""

from typing import Final

import msgspec

from recovery.cli.context import Context
from recovery.cli.documents import ListDocument
from recovery.cli.listing import plural, report_problems
from recovery.cli.options import Command, Reading
from recovery.cli.store import find_store, read_session, show_aside, store_of
from recovery.cli.table import Column
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.services.authorizations.listing import Inventory, Member, OrganizationRow

COLUMNS = (
    Column("ID"),
    Column("Organization", 12),
    Column("Owners", 8),
    Column("Members", 8),
    Column("Description", 12),
)


class OrganizationList(ListDocument, frozen=True, kw_only=True):
    """What --json prints."""

    organizations: tuple[OrganizationRow, ...] = ()


def _list(options: Reading, context: Context) -> ExitCode:
    found = find_store(options, context)
    output = context.output
    with read_session(found, options, context.output) as session, session.view() as view:
        inventory = Inventory(view)
        listing = inventory.organizations()
        if options.json:
            items = map(msgspec.json.encode, listing.rows)
            document = OrganizationList(store=store_of(found, inventory.facts))
            output.stream(document, "organizations", items, listing.problems)
        else:
            show_aside(found, inventory.facts, output)
            rows = [_cells(row) for row in listing.rows]
            output.table(COLUMNS, rows)
            output.aside()
            output.aside(f"{plural(len(rows), 'organization')}.")
    return report_problems(listing.problems, context)


LIST: Final = Command(
    description="List every organization of the store with its owners and members. The file is "
    "opened for reading only and nothing is changed.",
    example="org list",
    options=Reading,
    run=_list,
    document=OrganizationList,
)


def _cells(row: OrganizationRow) -> tuple[str, ...]:
    return (
        row.id,
        displayed(row.name),
        ", ".join(map(_name, row.owners)) or "none",
        ", ".join(map(_name, row.members)),
        displayed(row.description),
    )


def _name(member: Member) -> str:
    return displayed(member.user_id if member.user is None else member.user)
