"""The ledger, as the command line sets it up.

Lives here: which ledger, and who writes in it. Must not live here: its rows (`recovery.ledger`).
"""

import os
from pathlib import Path

from recovery import __version__
from recovery.cli.context import Context
from recovery.cli.options import Options
from recovery.ledger import Ledger, can_be_written, default_path, path_beside
from recovery.ledger_rows import Actor
from recovery.model.display import displayed
from recovery.ports import SystemClock


def open_ledger(
    options: Options, context: Context, store_path: Path | None, *, is_reading: bool = False
) -> Ledger:
    """Choose the ledger. Nothing is made before something is recorded.

    Args:
        is_reading: Whether nothing will be recorded.

    Raises:
        LedgerError: This is a dry run, and what is there cannot be the ledger of a real one.
    """
    ledger = Ledger(
        path=ledger_path(options, context, store_path, is_reading=is_reading),
        actor=Actor.here(context.environ, tool_version=__version__),
        clock=SystemClock(),
        warn=lambda problem: context.output.message(f"warning: {problem}"),
    )
    if getattr(options, "dry_run", False):
        ledger.entries()  # refuses what is no ledger, as recording would
    return ledger


def ledger_path(
    options: Options, context: Context, store_path: Path | None, *, is_reading: bool = False
) -> Path:
    """Say where the ledger is.

    The one beside the store is used where there is one, and is made where the usual place cannot
    be written: in a container without a home, or on a system that is mounted for reading.

    Args:
        is_reading: Whether nothing will be recorded.
    """
    if options.ledger is not None:
        return Path(options.ledger)
    home = Path(context.environ.get("HOME") or "/")
    usual = default_path(context.environ, home=home, is_root=os.geteuid() == 0)
    if store_path is None:
        return usual
    beside = path_beside(store_path.resolve())
    if os.path.isfile(beside):  # noqa: PTH113 # never raises
        return beside
    if is_reading or can_be_written(usual) or not can_be_written(beside):
        return usual
    context.output.message(
        f"note: the ledger is {displayed(str(beside))}, because {displayed(str(usual))} cannot be "
        "written"
    )
    return beside
