"""Time and randomness, as they come in from outside.

Lives here: the `Clock` and `Rng` protocols and the real ones. Must not live here: anything that
uses them.
"""

import secrets
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...


class Rng(Protocol):
    """Gives random numbers that nobody can guess."""

    def token_bytes(self, size_bytes: int) -> bytes:
        """Return `size_bytes` random bytes."""
        ...

    def randbits(self, count: int) -> int:
        """Return a random number of `count` bits."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.now(tz=UTC)


class SystemRng:
    """The random generator of the operating system."""

    def token_bytes(self, size_bytes: int) -> bytes:
        """Return `size_bytes` random bytes."""
        return secrets.token_bytes(size_bytes)

    def randbits(self, count: int) -> int:
        """Return a random number of `count` bits."""
        return secrets.randbits(count)
