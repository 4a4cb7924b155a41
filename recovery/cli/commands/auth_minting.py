"""The command that makes an operator token.

Lives here: `auth create-operator`. Must not live here: the order of its steps
(`recovery.services.change`) and its decisions (`recovery.services.minting`).
"""

import argparse

from recovery.cli.changing import run_planner, token_destination
from recovery.cli.context import Context
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
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
    destination = token_destination(arguments, context)
    return run_planner(
        arguments,
        context,
        lambda found: MintOperator(
            username=arguments.username,
            organization=arguments.org,
            description=arguments.description,
            form=_form(arguments),
            server_hashes=found.files.use_hashed_tokens,
            clock=SystemClock(),
            rng=SystemRng(),
        ),
        destination=destination,
    )


def _form(arguments: argparse.Namespace) -> FormChoice:
    if arguments.hashed:
        return FormChoice.HASHED
    return FormChoice.RAW if arguments.raw else FormChoice.BY_STORE
