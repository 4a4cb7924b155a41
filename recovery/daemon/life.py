"""How long the daemon lives.

Lives here: `Life`: the reasons to end, the checks of the file in between, the one command that it
may be there for. Must not live here: what is done at the end (`recovery.daemon.start`).

Invariants: it ends by itself, so that no forgotten daemon keeps a store from its server. A command
that it was started for is never left behind, and never outlives it.

Source: spec admin-daemon 0 (4, 9) and 2.7.
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

QUIET_BEFORE_CHECK_S: Final = 300.0
KILLED: Final = 128
"""What a shell adds to the number of the signal that ended a command."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When to end without being told.

    Attributes:
        idle_s: After so many seconds without a request; None for never.
        max_s: After so many seconds at the latest; None for never.
    """

    idle_s: float | None
    max_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A command to run once the daemon answers.

    Attributes:
        command: Its words; the first is the path of a program.
        environment: All of its environment, with a token in it.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)


class Life:
    """Decides when to end.

    Attributes:
        ended_by: Why it ended, as a clause; None while it goes on.
        child_code: What the command ended with, as a shell says it; None without one.
    """

    def __init__(self, limits: Limits, child: Child | None) -> None:
        """Begin; the clock starts with `begin`."""
        self._limits = limits
        self._child = child
        self._process: asyncio.subprocess.Process | None = None
        self._began_s = 0.0
        self.ended_by: str | None = None
        self.child_code: int | None = None

    async def begin(self, now_s: float) -> None:
        """Start the clock, and the command; `OSError` when it cannot be started."""
        self._began_s = now_s
        if self._child is not None:
            self._process = await asyncio.create_subprocess_exec(
                *self._child.command, env=self._child.environment
            )

    def note_signal(self, number: int) -> None:
        """Take note that somebody wants it to end.

        Ctrl-C reaches the command as well, which may go on all the same; it decides. Any other
        signal is passed on to it.
        """
        if self._process is None:
            self.ended_by = f"signal {signal.Signals(number).name}"
        elif number != signal.SIGINT and self._process.returncode is None:
            self._process.send_signal(number)

    def end(self, cause: str) -> None:
        """End it, because somebody wants that; the cause is a clause."""
        self.ended_by = cause

    def remaining_s(self, now_s: float) -> float | None:
        """Say how many seconds are left on `begin`'s clock if nobody asks; None for ever."""
        if self._process is not None:
            return None
        left = (self._limits.idle_s, self.longest_s(now_s))
        return min((one for one in left if one is not None), default=None)

    def longest_s(self, now_s: float) -> float | None:
        """Say how many are left, as `remaining_s`, however much is asked for."""
        if self._process is not None or self._limits.max_s is None:
            return None
        return max(self._limits.max_s - (now_s - self._began_s), 0.0)

    def is_over(self, now_s: float, last_asked_s: float | None) -> bool:
        """Tell whether it is time to end.

        Args:
            now_s: The time, on the clock of `begin`.
            last_asked_s: When the last request was answered; None before the first.
        """
        if self.ended_by is not None:
            return True
        if self._process is not None:
            if self._process.returncode is None:
                return False  # the command needs it, however long it takes
            code = self._process.returncode
            self.child_code = code if code >= 0 else KILLED - code
            self.ended_by = "the command has ended"
            return True
        quiet_s = now_s - max(self._began_s, last_asked_s or 0.0)
        if self._limits.idle_s is not None and quiet_s >= self._limits.idle_s:
            self.ended_by = f"there was no request for {spoken(self._limits.idle_s)}"
        elif self._limits.max_s is not None and now_s - self._began_s >= self._limits.max_s:
            self.ended_by = f"it has run for {spoken(self._limits.max_s)}"
        return self.ended_by is not None


def spoken(seconds: float) -> str:
    """Name a time for a person."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"
