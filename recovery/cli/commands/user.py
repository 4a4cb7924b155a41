"""The commands on users.

Lives here: `user list`. Must not live here: what a user record means.
"""

import argparse

import msgspec

from recovery.cli.context import Context
from recovery.cli.listing import plural, report_problems
from recovery.cli.store import find_store, show_header, store_document
from recovery.cli.table import Column
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.services.inventory import Membership, UserRow, open_inventory

COLUMNS = (
    Column("ID"),
    Column("User", 8),
    Column("Status", 8),
    Column("Password"),
    Column("Organizations", 13),
)


def run_list(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """List the users.

    Args:
        arguments: The options of `user list`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: The store cannot be read.
    """
    found = find_store(arguments, context)
    output = context.output
    with open_inventory(found.path) as inventory:
        listing = inventory.users()
        if arguments.json:
            items = map(msgspec.json.encode, listing.rows)
            output.stream(store_document(found, inventory.facts), "users", items, listing.problems)
        else:
            show_header(found, inventory.facts, output)
            rows = [_cells(row) for row in listing.rows]
            output.table(COLUMNS, rows)
            output.line()
            output.prose(f"{plural(len(rows), 'user')}.")
    return report_problems(listing.problems, context)


def _cells(row: UserRow) -> tuple[str, ...]:
    roles = [_role(membership) for membership in row.memberships]
    if row.is_instance_owner:
        roles.append("the instance (owner)")
    return (
        row.id,
        displayed(row.name),
        displayed(row.status) or "not set",
        "set" if row.has_password else "none",
        ", ".join(roles) or "none",
    )


def _role(membership: Membership) -> str:
    name = membership.organization
    shown = f"missing {membership.organization_id}" if name is None else displayed(name)
    return f"{shown} ({membership.role})"
