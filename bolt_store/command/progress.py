"""A progress bar on a terminal.

Lives here: `Bar`. Must not live here: what takes so long.

It is drawn on stderr, and on a terminal only, so that neither a result nor a log holds a byte of
it. It is drawn again when its percentage changes, and erased at the end.
"""

import contextlib
from collections.abc import Mapping
from typing import Final, Self, TextIO

WIDTH: Final = 30


class Bar:
    """One bar. As a context manager it is erased at the end, also after an error."""

    def __init__(self, label: str, *, stream: TextIO, environ: Mapping[str, str]) -> None:
        """Prepare a bar, drawn from the first call on if TERM lets a line be drawn over."""
        self._label = label
        self._stream = stream
        self._is_shown = stream.isatty() and environ.get("TERM") != "dumb"
        self._percent = -1
        self._length = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.erase()

    def erase(self) -> None:
        """Remove the bar, so that a line can be printed; the next call draws it again."""
        if self._length:
            self._draw("\r" + " " * self._length + "\r")
            self._length = 0
            self._percent = -1

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is."""
        percent = min(100 * done // total, 100) if total else 100
        if self._is_shown and percent != self._percent:
            self._percent = percent
            filled = WIDTH * percent // 100
            text = f"{self._label} [{'#' * filled}{'.' * (WIDTH - filled)}] {percent:3d}%"
            self._length = len(text)
            self._draw("\r" + text)

    def _draw(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
