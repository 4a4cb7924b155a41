"""Which new files stay, which go when a command ends, and the moments in which neither may change.

Lives here: `KEPT`, `UNFINISHED`, `LEFT`, `remove`, `is_staged` and `uninterrupted`. Must not live
here: how a file is made (`recovery.new_file`), and what is said of it.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Those that ask a program to stop. SIGQUIT, which Ctrl-\\ sends, would leave the terminal without
echo where a password is asked for, and a core file with secrets.
"""
STAGE_PREFIX: Final = ".influx-recovery-"
"""How the name of a private folder begins, in which a file is until it is complete."""
KEPT: Final[ContextVar["list[Path]"]] = ContextVar("KEPT")
"""Where whoever has to say what is there, also in the middle of a command, finds the files that it
has finished. Each is noted before it stays, so that none is there without a note; one that is noted
may be gone again.
"""
UNFINISHED: Final[ContextVar[set[Callable[[], None]]]] = ContextVar("UNFINISHED")
"""What removes what a command has made and not finished, for whoever ends it: a signal can come
where no `with` holds the new thing yet, or where its `with` has begun to end.
"""
LEFT: Final[ContextVar["list[Path]"]] = ContextVar("LEFT")
"""What was made, was to go again and could not be removed: it may hold every token of a store."""


def remove(path: "Path") -> None:
    """Remove a file that was made here. Does not raise; what stays is noted."""
    with contextlib.suppress(OSError):
        path.unlink()
    note_left(path)


def note_left(path: "Path") -> None:
    """Take note of what is still there although it was to go."""
    if os.path.lexists(path):
        LEFT.get([]).append(path)


def is_staged(path: "Path") -> bool:
    """Tell whether a file is in a private folder: nobody else can open it, with a lock or without.

    So it needs none, and can be on a file system that has none.
    """
    return path.parent.name.startswith(STAGE_PREFIX)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold signals back for a moment, so that what is made and what is known of it agree."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
