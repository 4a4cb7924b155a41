"""Time and randomness, as the rest of the program sees them.

Lives here: the `Clock` and `Rng` protocols and the real ones. Must not live here: anything that
uses them. Tests pass their own; nothing else in `recovery` asks the system for either.

Invariants: `now` is aware and in UTC. Random bits come from the kernel's cryptographic generator,
never from a seed, because tokens and IDs are made of them.
"""

import os
from datetime import UTC, datetime
from typing import Protocol

_BITS_PER_BYTE = 8


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Tell the current time, aware, in UTC."""
        ...


class Rng(Protocol):
    """Draws random numbers that nobody can predict."""

    def token_bytes(self, size_bytes: int) -> bytes:
        """Draw so many random bytes."""
        ...

    def randbits(self, count: int) -> int:
        """Draw a number from 0 to 2 ** count - 1, each equally likely; `count` is at least 1."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Tell the current time, aware, in UTC."""
        return datetime.now(UTC)


class SystemRng:
    """The kernel's cryptographic generator.

    The standard `secrets` module draws from the same place; it is not used because importing it
    takes several milliseconds of the start of each command.
    """

    def token_bytes(self, size_bytes: int) -> bytes:
        """Draw so many random bytes."""
        return os.urandom(size_bytes)

    def randbits(self, count: int) -> int:
        """Draw a number from 0 to 2 ** count - 1, each equally likely; `count` is at least 1."""
        byte_count = (count + _BITS_PER_BYTE - 1) // _BITS_PER_BYTE
        excess_bits = byte_count * _BITS_PER_BYTE - count
        return int.from_bytes(os.urandom(byte_count)) >> excess_bits
