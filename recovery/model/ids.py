"""IDs: 64 bits, written everywhere as 16 lower-case hexadecimal digits.

Lives here: reading and making IDs. Must not live here: which record has which.

Source: InfluxDB v2.9.1 kit/platform/id.go, snowflake/id.go, pkg/snowflake/gen.go, rand/id.go.
"""

import re
from typing import Final, NewType

from recovery.ports import Clock, Rng

Id = NewType("Id", str)
"""16 lower-case hexadecimal digits, not all zero."""

ID_LENGTH: Final = 16
SNOWFLAKE_EPOCH_MS: Final = 1_491_696_000_000
"""2017-04-09T00:00:00Z, in milliseconds since 1970."""
MACHINE_MAX: Final = 1022
AUTHORIZATION_ID_MIN: Final = 1000
_SEQUENCE_BITS: Final = 12
_MACHINE_BITS: Final = 10
_FORBIDDEN_BYTES: Final = frozenset(b"\\, ")
"""The storage engine once built measurement names from IDs, and these three separate them."""
_PATTERN: Final = re.compile(rb"[0-9a-fA-F]{16}\Z")


def parse_id(text: str | bytes) -> Id | None:
    """Read an ID as the server does.

    Args:
        text: Exactly 16 hexadecimal digits of either case.

    Returns:
        The ID in lower case, or None when it is none or zero.
    """
    digits = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if not _PATTERN.match(digits) or not int(digits, 16):
        return None
    return Id(digits.decode("ascii").lower())


class IdSource:
    """Makes IDs as one server process would."""

    def __init__(self, clock: Clock, rng: Rng) -> None:
        """Draw a machine number.

        Args:
            clock: For the time in an ID.
            rng: For the machine number and for random IDs.
        """
        self._clock = clock
        self._rng = rng
        self._machine = rng.randbits(32) % (MACHINE_MAX + 1)
        self._last = 0

    def snowflake(self) -> Id:
        """Make an ID of a user, an authorization, a task …: time, machine, sequence."""
        elapsed_ms = int(self._clock.now().timestamp() * 1000) - SNOWFLAKE_EPOCH_MS
        number = (elapsed_ms << _MACHINE_BITS | self._machine) << _SEQUENCE_BITS
        number = max(number, AUTHORIZATION_ID_MIN)
        if number <= self._last:
            number = self._last + 1
        self._last = number
        return Id(f"{number:016x}")

    def random(self) -> Id:
        """Make an ID of an organization or a bucket: random, without three awkward bytes."""
        while True:
            drawn = self._rng.token_bytes(8)
            safe = bytes(byte + 1 if byte in _FORBIDDEN_BYTES else byte for byte in drawn)
            if any(safe):
                return Id(safe.hex())
