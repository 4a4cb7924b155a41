"""Running code as a user who may do little, since root may do anything."""

import subprocess
import sys
from pathlib import Path
from typing import Final

NOBODY_UID = 65534

_LATE: Final = "recovery.metastore.migrations, shlex"
"""What is imported when a store is opened, or refused, which is too late for another user."""
_PROLOGUE = f"""
import os, sys
from pathlib import Path
os.setgroups([])
os.setuid({NOBODY_UID})
"""


def run_as_nobody(code: str, *arguments: object, imports: str) -> str:
    """Run code as an ordinary user; needs root.

    Args:
        code: Python; `sys`, `os` and `Path` are there.
        arguments: What it finds in `sys.argv` from 1 on.
        imports: Modules to import while they can surely be read: the project may be in a closed
            folder. Those that are imported late count, too.

    Returns:
        What it printed, without the last line end.
    """
    return subprocess.run(
        [sys.executable, "-c", f"import {_LATE}, {imports}{_PROLOGUE}{code}", *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    ).stdout.rstrip("\n")
