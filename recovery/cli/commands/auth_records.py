"""The commands on authorizations that are named by their ID.

Lives here: `auth show`, `set-active`, `set-inactive`, `delete`, `complete` and `hash`. Must not
live here: what they write (`recovery.services.authorizations.changes`).
"""

import argparse

from recovery.cli.changing import run_planner
from recovery.cli.context import Context
from recovery.cli.record_view import details_document, details_lines
from recovery.cli.store import find_store, show_header, store_document
from recovery.cli.usage import UsageError
from recovery.cli.words import shown
from recovery.errors import ExitCode
from recovery.model.ids import Id, parse_id
from recovery.ports import SystemClock
from recovery.services.authorizations.changes import (
    CompleteOperator,
    DeleteAuthorization,
    SetStatus,
)
from recovery.services.authorizations.details import AuthorizationReader, open_reader
from recovery.services.authorizations.hashing import HashTokens


def run_show(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Show one authorization.

    Args:
        arguments: The options of `auth show`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: The ID is none.
        RecoveryError: There is no such authorization, or the store cannot be read.
    """
    wanted = id_argument(arguments.id)
    found = find_store(arguments, context)
    with open_reader(found.path) as reader:
        if arguments.show_tokens:
            _record(arguments, context, reader, wanted)
        details = reader.details(wanted, show_token=arguments.show_tokens)
        if arguments.json:
            document = store_document(found, reader.facts)
            context.output.document({**document, "authorization": details_document(details)})
        else:
            show_header(found, reader.facts, context.output)
            for line in details_lines(details):
                context.output.prose(line)
    return ExitCode.DONE


def run_set_active(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Set an authorization active.

    Args:
        arguments: The options of `auth set-active`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: The ID is none.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    return _set_status(arguments, context, is_active=True)


def run_set_inactive(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Set an authorization inactive. Takes, returns and raises as `run_set_active`."""
    return _set_status(arguments, context, is_active=False)


def run_delete(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Delete an authorization.

    Args:
        arguments: The options of `auth delete`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: The ID is none.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    planner = DeleteAuthorization(
        authorization_id=id_argument(arguments.id), is_ensured=arguments.ensure
    )
    return run_planner(arguments, context, lambda _: planner)


def run_complete(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Give an older operator token what it lacks.

    Args:
        arguments: The options of `auth complete`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: The ID is none.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    planner = CompleteOperator(authorization_id=id_argument(arguments.id), clock=SystemClock())
    return run_planner(arguments, context, lambda _: planner)


def run_hash(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Replace raw tokens by hashes.

    Args:
        arguments: The options of `auth hash`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: The ID is none.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    planner = HashTokens(authorization_id=None if arguments.all else id_argument(arguments.id))
    return run_planner(arguments, context, lambda _: planner)


def id_argument(text: str) -> Id:
    """Read an ID that was typed.

    Args:
        text: What was typed.

    Returns:
        The ID.

    Raises:
        UsageError: It is none.
    """
    found = parse_id(text)
    if found is None:
        raise UsageError(
            problem=f"{shown(text)} is no ID, which has 16 hex digits",
            hint="type influx-recovery auth list to see the IDs",
        )
    return found


def _set_status(arguments: argparse.Namespace, context: Context, *, is_active: bool) -> ExitCode:
    planner = SetStatus(
        authorization_id=id_argument(arguments.id), is_active=is_active, clock=SystemClock()
    )
    return run_planner(arguments, context, lambda _: planner)


def _record(
    arguments: argparse.Namespace, context: Context, reader: AuthorizationReader, wanted: Id
) -> None:
    """Write down that a token is going to be shown, before it is."""
    from recovery.cli.recording import open_ledger  # noqa: PLC0415 # only this needs the ledger
    from recovery.services.changes.sequence import Intent  # noqa: PLC0415 # as above

    open_ledger(arguments, context).note(
        Intent(
            operation="auth show --show-tokens",
            store_path=reader.facts.path,
            device=reader.facts.device,
            inode=reader.facts.inode,
            record_ids=(wanted,),
            backup_path=None,
            reason=arguments.reason,
        )
    )
