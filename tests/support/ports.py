"""A clock and random numbers that a test decides."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class FixedClock:
    """Shows what it was set to.

    Attributes:
        moment: The time; a test may move it.
    """

    moment: datetime

    def now(self) -> datetime:
        return self.moment


@dataclass
class ScriptedRng:
    """Gives what a test wrote down, in order, and fails when that is used up.

    Attributes:
        bits: Numbers for `randbits`, cut to the bits asked for.
        bytes_: Texts for `token_bytes`; their length must be the one asked for.
    """

    bits: Iterable[int] = ()
    bytes_: Iterable[bytes] = ()
    _bits: list[int] = field(init=False)
    _bytes: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Turn the script around, to take from its end."""
        self._bits = list(self.bits)[::-1]
        self._bytes = list(self.bytes_)[::-1]

    def token_bytes(self, size_bytes: int) -> bytes:
        drawn = self._bytes.pop()
        assert size_bytes == len(drawn)
        return drawn

    def randbits(self, count: int) -> int:
        return self._bits.pop() & (1 << count) - 1
