"""The command `store repair`.

Lives here: the step from its options to its planner. Must not live here: what is mended
(`recovery.services.doctor`).
"""

import argparse

from recovery.cli.changing import run_planner
from recovery.cli.context import Context
from recovery.cli.usage import UsageError
from recovery.cli.words import shown
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
from recovery.services.doctor.examination import NUMBERS
from recovery.services.doctor.repair import RepairStore


def run_repair(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Mend what can be mended safely.

    Args:
        arguments: The options of `store repair`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
        UsageError: A number is none of an invariant.
    """
    planner = RepairStore(only=_only(arguments.only), clock=SystemClock(), rng=SystemRng())
    return run_planner(arguments, context, lambda _: planner)


def _only(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    numbers = frozenset(word.strip().upper() for word in text.split(",") if word.strip())
    unknown = sorted(numbers.difference(NUMBERS))
    if unknown or not numbers:
        problem = f"--only {shown(unknown[0] if unknown else text)}: there is no such invariant"
        raise UsageError(
            problem=problem,
            hint="name them as store check shows them, such as --only I16,I25",
        )
    return numbers
