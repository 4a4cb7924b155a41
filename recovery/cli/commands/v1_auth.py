"""The commands on 1.x-compatible authorizations.

Lives here: `v1-auth list`, `set-password`, `set-active`, `set-inactive` and `delete`. Must not live
here: what they write (`recovery.services.authorizations.legacy`).
"""

import argparse
from typing import TYPE_CHECKING

import msgspec

from recovery.cli.changing import run_planner
from recovery.cli.context import Context
from recovery.cli.listing import plural, report_problems
from recovery.cli.secret_input import ask_new_secret, read_secret
from recovery.cli.store import find_store, show_header, store_document
from recovery.cli.table import Column
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.ports import SystemClock
from recovery.services.authorizations.details import open_reader
from recovery.services.authorizations.legacy import (
    DeleteLegacy,
    LegacyRow,
    SetLegacyPassword,
    SetLegacyStatus,
    legacy_rows,
)

if TYPE_CHECKING:
    from recovery.services.authorizations.listing import Problem

COLUMNS = (
    Column("ID"),
    Column("User name", 9),
    Column("Status", 8),
    Column("Password"),
    Column("Organization", 12),
    Column("Permissions", 12),
    Column("Description", 12),
)


def run_list(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """List the 1.x-compatible authorizations.

    Args:
        arguments: The options of `v1-auth list`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: The store cannot be read.
    """
    found = find_store(arguments, context)
    output = context.output
    problems: list[Problem] = []
    with open_reader(found.path) as reader:
        rows = legacy_rows(reader.tx, problems)
        if arguments.json:
            items = map(msgspec.json.encode, rows)
            document = store_document(found, reader.facts)
            output.stream(document, "legacy_authorizations", items, problems)
        else:
            cells = [_cells(row) for row in rows]
            show_header(found, reader.facts, output)
            output.table(COLUMNS, cells)
            output.line()
            output.prose(f"{plural(len(cells), '1.x-compatible authorization')}.")
    return report_problems(problems, context)


def run_set_password(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Set a 1.x password.

    Args:
        arguments: The options of `v1-auth set-password`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    if arguments.password_file is None:
        password = ask_new_secret("password")
    else:
        password = read_secret(arguments.password_file, what="password")
    planner = SetLegacyPassword(
        which=arguments.which, password=password, is_ensured=arguments.ensure
    )
    return run_planner(arguments, context, lambda _: planner)


def run_set_active(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Set a 1.x-compatible authorization active.

    Args:
        arguments: The options of `v1-auth set-active`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    return _set_status(arguments, context, is_active=True)


def run_set_inactive(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Set one inactive. Takes, returns and raises as `run_set_active`."""
    return _set_status(arguments, context, is_active=False)


def run_delete(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Delete a 1.x-compatible authorization.

    Args:
        arguments: The options of `v1-auth delete`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    planner = DeleteLegacy(which=arguments.which, is_ensured=arguments.ensure)
    return run_planner(arguments, context, lambda _: planner)


def _set_status(arguments: argparse.Namespace, context: Context, *, is_active: bool) -> ExitCode:
    planner = SetLegacyStatus(which=arguments.which, is_active=is_active, clock=SystemClock())
    return run_planner(arguments, context, lambda _: planner)


def _cells(row: LegacyRow) -> tuple[str, ...]:
    organization = row.organization
    return (
        row.id,
        displayed(row.username) + ("" if row.has_entry else ", not in the index"),
        displayed(row.status),
        "set" if row.has_password else "none",
        f"missing {row.organization_id}" if organization is None else displayed(organization),
        displayed(", ".join(row.permissions)),
        displayed(row.description),
    )
