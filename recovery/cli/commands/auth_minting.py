"""The command that makes an operator token.

Lives here: `auth create-operator`. Must not live here: the order of its steps
(`recovery.services.changes.sequence`) and its decisions
(`recovery.services.authorizations.minting`).
"""

import argparse

from recovery.cli.changing import run_planner, token_destination
from recovery.cli.commands.auth_creation import form_choice, run_creation
from recovery.cli.context import Context
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
from recovery.services.authorizations.minting import OPERATION, MintOperator
from recovery.services.authorizations.permission_request import PermissionRequest


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
    if arguments.token_value_file is not None or arguments.ensure:
        return run_creation(
            arguments,
            context,
            operation=OPERATION,
            description=arguments.description,
            request=PermissionRequest(is_operator=True),
        )
    destination = token_destination(arguments, context)
    return run_planner(
        arguments,
        context,
        lambda found: MintOperator(
            username=arguments.username,
            organization=arguments.org,
            description=arguments.description,
            form=form_choice(arguments),
            server_hashes=found.files.use_hashed_tokens,
            clock=SystemClock(),
            rng=SystemRng(),
        ),
        destination=destination,
    )
