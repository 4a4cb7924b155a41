"""The command `store repair`.

Lives here: the step from its options to its planner. Must not live here: what is mended
(`recovery.services.doctor`).
"""

from typing import Final

from msgspec.structs import replace

from recovery.cli.changing import run_planner
from recovery.cli.context import Context
from recovery.cli.options import Change, Command
from recovery.cli.usage import UsageError
from recovery.cli.words import Parser, shown
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
from recovery.services.doctor.check import NUMBERS
from recovery.services.doctor.repair import RepairStore


class _Repair(Change, frozen=True):
    only: list[str]
    accept: list[str]


def _add_repair(command: Parser) -> None:
    command.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NUMBERS",
        help="mend only these, such as I16,I25; what is mended on request only has to be named "
        "here; may be repeated (default: all that is safe)",
    )
    command.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="NUMBERS",
        help="accept that the records are lost which store check reports by these numbers, such as "
        "I3,I21: what is left of them is removed, and they are no finding any more; may be "
        "repeated (default: losses stay findings)",
    )


def _repair(options: _Repair, context: Context) -> ExitCode:
    only, accepted = options.only, options.accept
    planner = RepairStore(
        only=_numbers("--only", ",".join(only)) if only else None,
        accepted=_numbers("--accept", ",".join(accepted)) if accepted else frozenset(),
        clock=SystemClock(),
        rng=SystemRng(),
    )
    return run_planner(
        options,
        context,
        lambda found: replace(planner, engine_path=found.files.engine_path),
        needs_schema=False,
    )


REPAIR: Final = Command(
    description="Mend what store check found, as far as that is safe: missing bolt buckets, "
    "indexes, catalogue entries, system buckets, debris. All of it in one transaction, after the "
    "plan was shown, and checked again, so that nothing is wrong afterwards that was right before. "
    "It never guesses: what is ambiguous is left and named. It takes nothing away that works, and "
    "all that it removes is in the plan. It cannot bring back records that are gone, or mend a "
    "damaged bolt file. Lost records stay a finding until a person accepts the loss with --accept. "
    "Exit code 0 when influxd will start on what it leaves, 1 when it will not.",
    example="store repair --dry-run",
    options=_Repair,
    run=_repair,
    add_options=_add_repair,
)


def _numbers(option: str, text: str) -> frozenset[str]:
    numbers = frozenset(word.strip().upper() for word in text.split(",") if word.strip())
    unknown = sorted(numbers.difference(NUMBERS))
    if unknown or not numbers:
        found = shown(unknown[0] if unknown else text, is_stray=True)
        raise UsageError(
            problem=f"{option} {found}: there is no such invariant",
            hint=f"name them as store check shows them, such as {option} I16,I25",
        )
    return numbers
