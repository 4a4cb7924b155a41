"""The commands on organizations.

Lives here: `org list`. Must not live here: what an organization's record means.
"""

import argparse

import msgspec

from recovery.cli.context import Context
from recovery.cli.listing import plural, report_problems
from recovery.cli.store import find_store, show_header, store_document
from recovery.cli.table import Column
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.services.authorizations.listing import OrganizationRow, open_inventory

COLUMNS = (
    Column("ID"),
    Column("Organization", 12),
    Column("Owners", 8),
    Column("Members", 8),
    Column("Description", 12),
)


def run_list(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """List the organizations.

    Args:
        arguments: The options of `org list`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: The store cannot be read.
    """
    found = find_store(arguments, context)
    output = context.output
    with open_inventory(found.path) as inventory:
        listing = inventory.organizations()
        if arguments.json:
            items = map(msgspec.json.encode, listing.rows)
            document = store_document(found, inventory.facts)
            output.stream(document, "organizations", items, listing.problems)
        else:
            show_header(found, inventory.facts, output)
            rows = [_cells(row) for row in listing.rows]
            output.table(COLUMNS, rows)
            output.line()
            output.prose(f"{plural(len(rows), 'organization')}.")
    return report_problems(listing.problems, context)


def _cells(row: OrganizationRow) -> tuple[str, ...]:
    return (
        row.id,
        displayed(row.name),
        ", ".join(map(displayed, row.owner_names)) or "none",
        ", ".join(map(displayed, row.member_names)),
        displayed(row.description),
    )
