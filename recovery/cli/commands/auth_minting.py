"""The commands that make authorizations.

Lives here: `auth create-operator`. Must not live here: the order of its steps
(`recovery.services.change`) and its decisions (`recovery.services.minting`).
"""

import argparse
from pathlib import Path

from recovery.cli.audience import PlanAudience, require_a_way_to_confirm
from recovery.cli.context import Context
from recovery.cli.deliver import choose_destination
from recovery.cli.outcome import show_outcome
from recovery.cli.recording import open_ledger
from recovery.cli.store import find_store
from recovery.cli.usage import UsageError
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
from recovery.services.change import Manner, Ports, run_change
from recovery.services.minting import FormChoice, MintOperator


def run_create_operator(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Make an operator token.

    Args:
        arguments: The options of `auth create-operator`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: Options clash.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    if arguments.json and arguments.token_stdout:
        raise UsageError(
            problem="--json and --token-stdout both claim standard output",
            hint="use --token-file PATH with --json",
        )
    destination = None
    if not arguments.dry_run:
        require_a_way_to_confirm(is_confirmed=arguments.yes)
        destination = choose_destination(
            token_file=arguments.token_file,
            is_stdout=arguments.token_stdout,
            stdout=context.stdout,
        )
    found = find_store(arguments, context)
    clock = SystemClock()
    outcome = run_change(
        found.path,
        MintOperator(
            username=arguments.username,
            organization=arguments.org,
            description=arguments.description,
            form=_form(arguments),
            server_hashes=found.files.use_hashed_tokens,
            clock=clock,
            rng=SystemRng(),
        ),
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
            clock=clock,
            destination=destination,
            shield=context.progress.shield,
        ),
    )
    show_outcome(outcome, found, arguments, context)
    return ExitCode.DONE


def _form(arguments: argparse.Namespace) -> FormChoice:
    if arguments.hashed:
        return FormChoice.HASHED
    return FormChoice.RAW if arguments.raw else FormChoice.BY_STORE
