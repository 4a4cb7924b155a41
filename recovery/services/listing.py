"""What every listing of records gives.

Lives here: `Listing`, `Problem`. Must not live here: any one listing.

Invariants: records stream, and a record that cannot be decoded becomes a `Problem`: the rest is
still listed.
"""

from collections.abc import Iterator
from typing import Generic, TypeAlias, TypeVar

from recovery.metastore.table import RecordProblem

Row = TypeVar("Row")

Problem: TypeAlias = RecordProblem
"""A record that is not as the server wants it."""


class Listing(Generic[Row]):
    """Rows to walk through once, and the problems met on the way.

    Attributes:
        rows: The rows, in the order of their IDs.
        problems: Complete only when all rows have been walked.
    """

    def __init__(self, rows: Iterator[Row], problems: list[Problem]) -> None:
        self.rows = rows
        self.problems = problems
