"""Which new files stay.

Lives here: `KEPT`. Must not live here: how a file is made (`recovery.new_file`), and what is said
of it.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

KEPT: Final[ContextVar["list[Path]"]] = ContextVar("KEPT")
"""Where whoever has to say what is there, also in the middle of a command, finds the files that it
has finished. Each is noted before it stays, so that none is there without a note; one that is noted
may be gone again.
"""
