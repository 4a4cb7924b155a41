"""The ledger, as the command line sets it up.

Lives here: which ledger, and who writes in it. Must not live here: its rows (`recovery.ledger`).
"""

import argparse
import os
from pathlib import Path

from recovery import __version__
from recovery.cli.context import Context
from recovery.ledger import Actor, Ledger, default_path
from recovery.ports import SystemClock


def open_ledger(arguments: argparse.Namespace, context: Context) -> Ledger:
    """Choose the ledger. Nothing is made before something is recorded.

    Args:
        arguments: Its `--ledger`, if given.
        context: The environment.

    Returns:
        The ledger.
    """
    return Ledger(
        path=ledger_path(arguments, context),
        actor=Actor.here(context.environ, tool_version=__version__),
        clock=SystemClock(),
    )


def ledger_path(arguments: argparse.Namespace, context: Context) -> Path:
    """Say where the ledger is.

    Args:
        arguments: Its `--ledger`, if given.
        context: The environment.

    Returns:
        The path.
    """
    if arguments.ledger is not None:
        return Path(arguments.ledger)
    home = Path(context.environ.get("HOME") or "/")
    return default_path(context.environ, home=home, is_root=os.geteuid() == 0)
