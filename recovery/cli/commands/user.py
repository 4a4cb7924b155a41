"""The commands that look at users.

Lives here: `user list`, `user show`, `user verify-password`, and which user a command means. Must
not live here: what a user record means, and changes (`user_changes`).
"""

import argparse
from collections.abc import Iterator

import msgspec

from recovery.cli.context import Context
from recovery.cli.listing import plural, report_problems
from recovery.cli.secret_input import ask_secret, read_secret
from recovery.cli.store import find_store, show_header, store_document
from recovery.cli.table import Column
from recovery.cli.usage import UsageError, required
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.model.ids import parse_id
from recovery.services.authorizations.listing import UserRow, open_inventory
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_details import Membership, UserDetails

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


def user_choice(arguments: argparse.Namespace, command: str) -> UserChoice:
    """Say which user a command means; one is never guessed.

    Args:
        arguments: Its `--username` and `--id`.
        command: The command.

    Returns:
        The choice.

    Raises:
        UsageError: Neither was given, or the ID is none.
    """
    if arguments.id is not None:
        user_id = parse_id(arguments.id)
        if user_id is None:
            raise UsageError(
                problem=f"--id {displayed(arguments.id)} is no ID, which has 16 hex digits",
                hint="type influx-recovery user list to see the IDs",
            )
        return UserChoice(name=None, user_id=user_id)
    name = required(arguments.username, "--username NAME or --id ID", command)
    return UserChoice(name=name, user_id=None)


def run_show(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Show one user.

    Args:
        arguments: The options of `user show`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No user was named.
        RecoveryError: There is no such user, or the store cannot be read.
    """
    choice = user_choice(arguments, "user show")
    found = find_store(arguments, context)
    with open_inventory(found.path) as inventory:
        details = inventory.user_details(choice)
        if arguments.json:
            document = store_document(found, inventory.facts)
            context.output.document({**document, "user": msgspec.to_builtins(details)})
            return ExitCode.DONE
        show_header(found, inventory.facts, context.output)
    for line in _details_lines(details):
        context.output.prose(line)
    return ExitCode.DONE


def _details_lines(details: UserDetails) -> Iterator[str]:
    yield f"User {displayed(details.name)}, {details.id}"
    yield f"Status: {displayed(details.status) or 'not set'}"
    if details.can_sign_in:
        yield "Sign-in: possible, with the password"
    else:
        yield f"Sign-in: not possible: {'; '.join(details.cannot_because)}"
    roles = [_role(membership) for membership in details.memberships]
    if details.is_instance_owner:
        roles.append("the instance (owner)")
    yield f"Roles: {', '.join(roles) or 'none'}"
    for token in details.tokens:
        yield f"Token: {token.id} ({displayed(token.status)}) {displayed(token.description)}"
    if not details.tokens:
        yield "Tokens: none"


def run_verify_password(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Try a password.

    Args:
        arguments: The options of `user verify-password`.
        context: The world around it.

    Returns:
        `DONE` when the user can sign in with it, else `FINDINGS`.

    Raises:
        UsageError: No user was named.
        RecoveryError: There is no such user, or the store or the password cannot be read.
    """
    choice = user_choice(arguments, "user verify-password")
    if arguments.password_file is not None:
        password = read_secret(arguments.password_file, what="password")
    else:
        password = ask_secret("Password: ", what="password")
    found = find_store(arguments, context)
    output = context.output
    with open_inventory(found.path) as inventory:
        report = inventory.try_password(choice, password)
        if arguments.json:
            document = store_document(found, inventory.facts)
            output.document({**document, "password": msgspec.to_builtins(report)})
        else:
            show_header(found, inventory.facts, output)
            word = "is" if report.matches else "is not"
            output.prose(f"This {word} the password of user {displayed(report.user)}.")
            if report.can_sign_in:
                output.prose("The user can sign in with it.")
            else:
                output.prose(f"The user cannot sign in with it: {'; '.join(report.because)}.")
    return ExitCode.DONE if report.can_sign_in else ExitCode.FINDINGS
