"""How far a command has come, and what an interruption means there.

Lives here: `Progress`. Must not live here: the steps of a change, which call `shield` around the
part that must not be cut short (`recovery.services.changes.sequence`).

Invariants: a signal outside of the shield stops the command at once, as `KeyboardInterrupt`, so
that every `with` and `finally` on the way cleans up; within the shield it waits, because a token
that is in force and not delivered yet would be lost. A signal that the caller had ignored, as
`nohup` does, stays ignored.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from enum import Enum, unique
from types import FrameType
from typing import TYPE_CHECKING

from recovery.kept import KEPT, LEFT, SIGNALS, UNFINISHED, uninterrupted

if TYPE_CHECKING:
    from pathlib import Path


@unique
class Stage(Enum):
    """Whether the store has been changed."""

    BEFORE = "nothing was changed"
    WITHIN = "it is not known whether the store was changed"
    AFTER = "the change had been made and is in force"
    PRUNED = "the store was not changed, and copies that were to go may be removed"


class Progress:
    """The present stage, and whether somebody wants the command to stop.

    Attributes:
        stage: What can be said about the store now.
        is_interrupted: Whether a signal came, also one that had to wait.
    """

    def __init__(self) -> None:
        self.stage = Stage.BEFORE
        self.is_interrupted = False
        self._made: list[Path] = []
        KEPT.set(self._made)
        LEFT.set([])
        self._unfinished: set[Callable[[], None]] = set()
        UNFINISHED.set(self._unfinished)

    @property
    def sentence(self) -> str:
        """What is true now: of the store, and of the files that were finished."""
        from recovery.model.display import displayed  # noqa: PLC0415 # only where something failed

        there = [displayed(str(path)) for path in self._made if os.path.lexists(path)]
        if not there or self.stage not in {Stage.BEFORE, Stage.WITHIN}:
            return self.stage.value
        are = "are there and are" if there[1:] else "is there and is"
        where = " in the store" if self.stage is Stage.BEFORE else ""
        return f"{self.stage.value}{where}; {' and '.join(there)} {are} complete"

    @property
    def is_changed(self) -> bool | None:
        """Whether the store was changed; None where that is not known."""
        return {Stage.WITHIN: None, Stage.AFTER: True}.get(self.stage, False)

    @contextlib.contextmanager
    def watching_signals(self) -> Iterator[None]:
        """Turn the usual signals to stop into `KeyboardInterrupt`, except within the shield.

        At the end what was made and not finished is gone.

        Yields:
            Nothing; the former handlers come back at the end.
        """
        former = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            for number, handler in former.items():
                if handler is not signal.SIG_IGN:
                    signal.signal(number, self._interrupt)
            yield
        finally:
            with uninterrupted():
                for withdraw in tuple(self._unfinished):
                    withdraw()
                for number, handler in former.items():
                    signal.signal(number, handler)

    @contextlib.contextmanager
    def shield(self) -> Iterator[None]:
        """Make signals wait until the end of the block.

        The signal is not raised at the end: what was begun is reported first, see `is_interrupted`.
        """
        self.stage = Stage.WITHIN
        yield
        self.stage = Stage.AFTER

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.is_interrupted = True
        if self.stage is not Stage.WITHIN:
            raise KeyboardInterrupt
