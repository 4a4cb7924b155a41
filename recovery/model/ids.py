"""IDs: 64 bits, written everywhere as 16 lower-case hexadecimal digits.

Lives here: reading and making IDs. Must not live here: which record has which.

Invariants: an `Id` is never zero and never has upper-case digits. A made ID is not one that is
taken; when none can be found, that is an error, where the server reports success.

Source: InfluxDB v2.9.1 kit/platform/id.go, snowflake/id.go, pkg/snowflake/gen.go, rand/id.go,
authorization/storage_authorization.go (100 tries, then silence).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NewType

from recovery.errors import RefusedError
from recovery.model.display import displayed
from recovery.ports import Clock, Rng

Id = NewType("Id", str)
"""16 lower-case hexadecimal digits, not all zero."""

ID_LENGTH: Final = 16
ID_FORM: Final = f"{ID_LENGTH} hex digits (0-9, a-f)"
_DIGITS: Final = "0123456789abcdefABCDEF"  # `string` has them too, and compiles a pattern
_SLIPS_MAX: Final = 2
_LIKE_MIN: Final = 12
"""Length from which a name of hex digits is taken for an ID in which some are missing."""
SNOWFLAKE_EPOCH: Final = datetime(2017, 4, 9, tzinfo=UTC)
MACHINE_MAX: Final = 1022
DRAWS_MAX: Final = 100

_SEQUENCE_BITS: Final = 12
_MACHINE_BITS: Final = 10
_TIME_SHIFT: Final = _SEQUENCE_BITS + _MACHINE_BITS
_TIME_MAX: Final = (1 << 42) - 1
_ID_SIZE_BYTES: Final = 8
_MILLISECOND: Final = timedelta(milliseconds=1)
_SEPARATORS: Final = frozenset(b"\\, ")
"""The storage engine once built measurement names from IDs, and these bytes separate them."""

_CANONICAL: Final = re.compile(r"(?!0{16})[0-9a-f]{16}\Z")
_READABLE: Final = r"(?!0{16})[0-9a-fA-F]{16}\Z"  # seldom looked for


def parse_id(text: str | bytes) -> Id | None:
    """Read an ID as the server does, into lower case; None for zero and for what is none."""
    digits = text if isinstance(text, str) else text.decode("latin-1")
    if _CANONICAL.match(digits):
        return Id(digits)
    return Id(digits.lower()) if re.match(_READABLE, digits) else None


def slip_in_id(text: str) -> str | None:
    """Say what is wrong with a text that was meant to be an ID, as a clause.

    Returns:
        None for what is not like one: it may be anything, a password too. Of 16 random small
        letters and digits one in 1,000 is like an ID, and with capitals one in 10,000.
    """
    odd = dict.fromkeys(one for one in text if one not in _DIGITS)
    digits = [one for one in text if one in _DIGITS]
    off_count = min(abs(len(one) - ID_LENGTH) for one in (text, digits))
    if odd and (len(odd) > _SLIPS_MAX or off_count > _SLIPS_MAX):
        return None
    if odd:
        letters = " and ".join("a blank" if one == " " else displayed(one) for one in odd)
        return f"{letters} {'are no hex digits' if len(odd) > 1 else 'is no hex digit'} (0-9, a-f)"
    if not text:
        return "it is empty, as an unset variable is"
    if len(text) != ID_LENGTH:
        digit_count = "1 digit" if len(text) == 1 else f"{len(text)} digits"
        return f"it has {digit_count}, and an ID has {ID_LENGTH}"
    return "it has nothing but zeros"


def why_no_id(text: str) -> str:
    """Go on behind "is no ID": with the slip in it, or with what an ID is like."""
    slip = slip_in_id(text)
    return f", which has {ID_FORM}" if slip is None else f": {slip}"


def slip_note(name: str) -> str:
    """Go on behind a name that nothing has: with what is wrong with it as an ID, if like one."""
    slip = slip_in_id(name) if len(name) >= _LIKE_MIN and parse_id(name) is None else None
    return "" if slip is None else f", and that is no ID: {slip}"


class IdSource:
    """Makes IDs as one server process would."""

    def __init__(self, clock: Clock, rng: Rng) -> None:
        """Draw a machine number; the clock is for the time in an ID."""
        self._clock = clock
        self._rng = rng
        self._machine = rng.randbits(64) % (MACHINE_MAX + 1)
        self._last = 0

    def snowflake(self) -> Id:
        """Make an ID of a user, an authorization, a task …: time, machine, sequence.

        Returns:
            A new ID, greater than any made by this object before, even when the clock goes back.

        Raises:
            RefusedError: The clock shows a time that an ID cannot hold.
        """
        elapsed = (self._clock.now() - SNOWFLAKE_EPOCH) // _MILLISECOND
        if not 0 < elapsed <= _TIME_MAX:
            raise RefusedError(
                reason="the clock says it is before 2017 or after 2156, and an ID holds the time",
                hint="set the clock, for example with: timedatectl set-ntp true",
            )
        number = (elapsed << _MACHINE_BITS | self._machine) << _SEQUENCE_BITS
        self._last = max(number, self._last + 1)
        return Id(f"{self._last:016x}")

    def random(self) -> Id:
        """Make an ID of an organization or a bucket: random, without three awkward bytes."""
        while True:
            drawn = self._rng.token_bytes(_ID_SIZE_BYTES)
            safe = bytes(byte + 1 if byte in _SEPARATORS else byte for byte in drawn)
            if any(safe):
                return Id(safe.hex())


def unused(make: Callable[[], Id], is_taken: Callable[[Id], bool]) -> Id:
    """Make an ID that no record has.

    Args:
        make: `IdSource.snowflake` or `IdSource.random`.
        is_taken: Looks in the bucket of the records.

    Raises:
        RefusedError: As many tries as the server makes have met records; this does not happen by
            chance.
    """
    for _ in range(DRAWS_MAX):
        made = make()
        if not is_taken(made):
            return made
    raise RefusedError(
        reason=f"none of {DRAWS_MAX} new IDs was free",
        hint="try again; if it happens again, something is wrong with the store",
    )
