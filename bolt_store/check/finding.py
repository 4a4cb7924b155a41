"""What a check says of a file.

Lives here: `Finding` and `Severity`. Must not live here: how a finding is made.

Invariants: no finding holds a byte of a key or a value.
"""

from enum import IntEnum, unique
from typing import NamedTuple


@unique
class Severity(IntEnum):
    """What a finding means for whoever wants to use the file."""

    INFO = 0
    """Unusual and harmless."""
    WARNING = 1
    """Nothing is lost by it, but something has happened to this file."""
    UNSAFE = 2
    """Readable, but the next write by bbolt or by this package could destroy it."""
    FATAL = 3
    """Some of the content cannot be read, or cannot be trusted."""


class Finding(NamedTuple):
    """One thing that is wrong with a file, or worth knowing.

    Attributes:
        code: Stable name of the rule, such as "page.shared".
        pgid: The page, or None when it concerns the whole file.
        path: Page ids from the root of the tree to the page, the page included.
        problem: What is wrong, as a clause without the place.
    """

    code: str
    severity: Severity
    pgid: int | None
    problem: str
    path: tuple[int, ...] = ()

    @property
    def forbids_writing(self) -> bool:
        """Whether the next commit could destroy something, or something cannot be read."""
        return self.severity >= Severity.UNSAFE

    def __str__(self) -> str:
        where = "" if self.pgid is None else f"page {self.pgid}: "
        return f"{where}{self.problem} [{self.code}]"
