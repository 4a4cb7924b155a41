"""Which new files stay, and which go when a command ends.

Lives here: `KEPT` and `UNFINISHED`. Must not live here: how a file is made (`recovery.new_file`),
and what is said of it.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

KEPT: Final[ContextVar["list[Path]"]] = ContextVar("KEPT")
"""Where whoever has to say what is there, also in the middle of a command, finds the files that it
has finished. Each is noted before it stays, so that none is there without a note; one that is noted
may be gone again.
"""
UNFINISHED: Final[ContextVar[set[Callable[[], None]]]] = ContextVar("UNFINISHED")
"""What removes what a command has made and not finished, for whoever ends it: a signal can come
where no `with` holds the new thing yet, or where its `with` has begun to end.
"""
