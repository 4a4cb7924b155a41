"""What every listing of records gives.

Lives here: `Listing`. Must not live here: any one listing.

Invariants: records stream, and of a record that cannot be decoded a problem is noted: the rest is
still listed.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from recovery.metastore.table import RecordProblem

Row = TypeVar("Row")


class Listing(Generic[Row]):
    """Rows to walk through once, and the problems met on the way.

    Attributes:
        rows: The rows, in the order of their IDs.
        problems: Complete only when all rows have been walked.
    """

    def __init__(self, rows_of: Callable[[list[RecordProblem]], Iterator[Row]]) -> None:
        """Begin; what gives the rows is given the list to note problems in."""
        self.problems: list[RecordProblem] = []
        self.rows = rows_of(self.problems)
