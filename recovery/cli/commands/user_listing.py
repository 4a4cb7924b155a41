"""The command that lists users.

Lives here: `user list`. Must not live here: what a user record means.
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
from recovery.services.authorizations.listing import Inventory, UserRow
from recovery.services.tenancy.user_details import Membership

COLUMNS = (
    Column("ID"),
    Column("User", 8),
    Column("Status", 8),
    Column("Password"),
    Column("Organizations", 13),
)


class UserList(ListDocument, frozen=True, kw_only=True):
    """What --json prints."""

    users: tuple[UserRow, ...] = ()


def _list(options: Reading, context: Context) -> ExitCode:
    found = find_store(options, context)
    output = context.output
    with read_session(found, options, context.output) as session, session.view() as view:
        inventory = Inventory(view)
        listing = inventory.users()
        if options.json:
            items = map(msgspec.json.encode, listing.rows)
            document = UserList(store=store_of(found, inventory.facts))
            output.stream(document, "users", items, listing.problems)
        else:
            show_aside(found, inventory.facts, output)
            rows = [_cells(row) for row in listing.rows]
            output.table(COLUMNS, rows)
            output.aside()
            output.aside(f"{plural(len(rows), 'user')}.")
    return report_problems(listing.problems, context)


LIST: Final = Command(
    description="List every user of the store with its status and the organizations that it "
    "belongs to. The file is opened for reading only and nothing is changed. It cannot show a "
    "password: the store holds only hashes of them, and those are never printed.",
    example="user list",
    options=Reading,
    run=_list,
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
    """Say what role a user has where.

    Args:
        membership: The role.

    Returns:
        It, escaped: "acme (owner)".
    """
    name = membership.organization
    shown = f"missing {membership.organization_id}" if name is None else displayed(name)
    return f"{shown} ({membership.role})"
