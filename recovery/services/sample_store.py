"""Make a small store of our own.

Lives here: the recipe of a store as InfluxDB 2.8 leaves it. Must not live here: real data.

Invariants: no existing file is ever touched.

Source: spec influxdb-metadata sections 4.1 to 4.9 and 6.1, recipes R3, R5 and R6.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recovery.ports import Clock, Rng


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleStore:
    """What is in the store that was made.

    Attributes:
        path: The file.
        organization: Its only organization.
        usernames: Its users, the owner of the organization first.
    """

    path: Path
    organization: str
    usernames: tuple[str, ...]


def make_sample_store(path: Path, *, clock: "Clock", rng: "Rng") -> SampleStore:
    """Make a valid store of level 21 that nobody can get into as an operator.

    One organization with its system buckets, two users without passwords, one ordinary token.

    Args:
        path: The new file; nothing may be there.
        clock: The time, for the records.
        rng: Randomness, for IDs and the token.

    Returns:
        What is in it.

    Raises:
        RecoveryError: The file cannot be made, or something is there.
    """
    raise NotImplementedError
