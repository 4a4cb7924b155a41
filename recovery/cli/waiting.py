"""What a person sees while something takes its time.

Lives here: `Waiting`, one line on stderr that says what is being done and for how long. Must not
live here: what is done, and everything that stays on the screen (`recovery.cli.output`).

Invariants: only at a terminal, only after a second, and gone before anything else is written, so
that neither a script nor a copied screen has it. It is drawn by a thread that gets no signal: one
that the main thread holds back for a moment must not come in by another door.
"""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

if TYPE_CHECKING:
    from threading import Event

DELAY_S: Final = 1.0
PERIOD_S: Final = 0.25
_CLEAR: Final = "\r\x1b[K"

Tell: TypeAlias = Callable[[str, int], None]
"""Takes what is counted and how many there are so far: "pages of 4096" and 1024."""


class Waiting:
    """The line, or nothing where nobody looks."""

    def __init__(self, stream: TextIO, *, is_shown: bool, width: Callable[[], int]) -> None:
        """Get ready.

        Args:
            is_shown: Whether a person looks at it.
            width: Tells how long a line may be.
        """
        self._stream = stream
        self._is_shown = is_shown
        self._width = width
        self._is_drawn = False
        self._is_busy = False
        self._detail = ""

    @contextlib.contextmanager
    def __call__(self, what: str) -> Iterator[Tell]:
        """Say what is being done, for as long as the block lasts.

        Args:
            what: Such as "checking the store".

        Yields:
            What can be told how far it is.
        """
        if not self._is_shown or self._is_busy:
            yield self._tell
            return
        from threading import Event, Thread  # noqa: PLC0415 # only at a terminal

        is_over = Event()
        thread = Thread(target=self._draw_until, args=(is_over, what), daemon=True)
        self._is_busy, self._detail = True, ""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            yield self._tell
        finally:
            is_over.set()
            thread.join()
            self._is_busy = False
            self.clear()

    def clear(self) -> None:
        """Take the line away, because something else is written."""
        if self._is_drawn:
            self._is_drawn = False
            self._write(_CLEAR)

    def _tell(self, what: str, count: int) -> None:
        self._detail = f": {count:,} {what}"

    def _draw_until(self, is_over: "Event", what: str) -> None:
        began_s = time.monotonic()
        pause_s = DELAY_S
        while not is_over.wait(pause_s):
            pause_s = PERIOD_S
            text = f"{what}{self._detail}, {time.monotonic() - began_s:.0f} s"
            self._is_drawn = True
            self._write(_CLEAR + text[: self._width() - 1])

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
