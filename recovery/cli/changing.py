"""How every command that changes a store is run.

Lives here: `run_planner`, between the options of a command and `run_change`. Must not live here:
the order of the steps (`recovery.services.changes.sequence`), and what a command writes (its
planner).
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from recovery.cli.audience import PlanAudience, require_a_way_to_confirm
from recovery.cli.context import Context
from recovery.cli.deliver import choose_destination
from recovery.cli.outcome import show_outcome
from recovery.cli.recording import open_ledger
from recovery.cli.store import find_store
from recovery.cli.usage import UsageError
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode, RefusedError
from recovery.model.display import displayed
from recovery.ports import SystemClock
from recovery.services.changes.sequence import Manner, Planner, Ports, TokenDestination, run_change


def run_planner(
    arguments: argparse.Namespace,
    context: Context,
    make_planner: Callable[[FoundStore], Planner],
    *,
    destination: TokenDestination | None = None,
) -> ExitCode:
    """Find the store, show the plan, ask, change the store, and say how it ended.

    Args:
        arguments: The options that every change has.
        context: The world around the command.
        make_planner: Makes the command, once it is known which store it is for.
        destination: Where a new token goes; None for a command that makes none.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    if not arguments.dry_run:
        require_a_way_to_confirm(is_confirmed=arguments.yes)
    found = find_store(arguments, context)
    if found.is_backup:
        raise RefusedError(
            reason=f"{displayed(str(found.path))} is a backup, and backups are only read",
            hint="make a copy of it (unpack it with gunzip), and name that with --bolt-path",
        )
    outcome = run_change(
        found.path,
        make_planner(found),
        manner=Manner(
            is_dry_run=arguments.dry_run,
            output_path=None if arguments.output is None else Path(arguments.output),
            reason=arguments.reason,
        ),
        ports=Ports(
            audience=PlanAudience(
                context.output,
                found=found,
                is_confirmed=arguments.yes,
                is_result=arguments.dry_run and not arguments.json,
            ),
            recorder=open_ledger(arguments, context),
            clock=SystemClock(),
            destination=destination,
            shield=context.progress.shield,
        ),
    )
    show_outcome(outcome, found, arguments, context)
    return ExitCode.DONE


def token_destination(arguments: argparse.Namespace, context: Context) -> TokenDestination | None:
    """Choose the one place of a new token; none is needed for a dry run.

    Args:
        arguments: Their `--token-file`, `--token-stdout`, `--json` and `--dry-run`.
        context: The world around the command.

    Returns:
        The place, not opened yet.

    Raises:
        UsageError: The token and the JSON document would share standard output.
        RefusedError: There is no place.
    """
    if arguments.json and arguments.token_stdout:
        raise UsageError(
            problem="--json and --token-stdout both claim standard output",
            hint="use --token-file PATH with --json",
        )
    if arguments.dry_run:
        return None
    require_a_way_to_confirm(is_confirmed=arguments.yes)
    return choose_destination(
        token_file=arguments.token_file,
        is_stdout=arguments.token_stdout,
        stdout=context.stdout,
    )
