"""The ledger, as the command line sets it up.

Lives here: which ledger, and who writes in it. Must not live here: its rows (`recovery.ledger`).
"""

import os
from pathlib import Path

from recovery import __version__
from recovery.cli.context import Context
from recovery.cli.options import Options
from recovery.ledger import Ledger, default_path
from recovery.ledger_rows import Actor
from recovery.ports import SystemClock


def open_ledger(options: Options, context: Context) -> Ledger:
    """Choose the ledger. Nothing is made before something is recorded.

    Args:
        options: Its `--ledger`, if given.
        context: The environment.

    Returns:
        The ledger.
    """
    return Ledger(
        path=ledger_path(options, context),
        actor=Actor.here(context.environ, tool_version=__version__),
        clock=SystemClock(),
        warn=lambda problem: context.output.message(f"warning: {problem}"),
    )


def ledger_path(options: Options, context: Context) -> Path:
    """Say where the ledger is.

    Args:
        options: Its `--ledger`, if given.
        context: The environment.

    Returns:
        The path.
    """
    if options.ledger is not None:
        return Path(options.ledger)
    home = Path(context.environ.get("HOME") or "/")
    return default_path(context.environ, home=home, is_root=os.geteuid() == 0)
