"""Which rows of a listing are wanted, in which order, and how many.

Lives here: `RowFilter` and `FilteredRows`. Must not live here: the rows, which each listing makes,
and the options that say what is wanted.

Invariants: without a wish the rows go through as they come, none is held. A record that was named
and is not there is an error, before anything has been shown.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Final, Generic, TypeVar

import msgspec

from recovery.errors import NotFoundError
from recovery.model.display import displayed
from recovery.model.ids import parse_id, slip_note
from recovery.remedy import Run

Row = TypeVar("Row")

NAMES: Final = ("name", "username")
"""Fields of rows that say what a record is called; a row has one of them or none."""
TEXTS: Final = (*NAMES, "description", "user", "organization")
"""Fields of rows in which a text is looked for."""
EXISTING_MAX: Final = 20
_LAST: Final = datetime.max.replace(tzinfo=UTC)


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of a listing.

    Attributes:
        which: IDs or names; a row has to be all of them. Empty for all rows.
        status: Only rows with this status; None for all.
        match: Only rows with this in a name or description, in letters of either case.
        sort: Field to sort by; None for the order of the IDs.
        is_reversed: Whether to begin at the other end.
        offset: How many rows are left out at the beginning.
        limit: How many rows are wanted at the most; 0 for all.
    """

    which: tuple[str, ...] = ()
    status: str | None = None
    match: str | None = None
    sort: str | None = None
    is_reversed: bool = False
    offset: int = 0
    limit: int = 0

    def wants(self, row: object) -> bool:
        """Tell by what a row of any listing says whether it is wanted, wherever it stands."""
        if self.status is not None and getattr(row, "status", None) != self.status:
            return False
        if not all(_is_called(row, one) for one in self.which):
            return False
        wanted = "" if self.match is None else self.match.casefold()
        return not wanted or any(wanted in (_text(row, name)).casefold() for name in TEXTS)


class FilteredRows(Generic[Row]):
    """The rows that are wanted, to be walked through once.

    Attributes:
        is_all: Whether nothing in particular was wanted.
        has_more: Whether rows were left out by the limit; known when all have been walked.
        count: Rows given so far.
    """

    def __init__(self, rows: Iterator[Row], wanted: RowFilter, *, kind: str, listing: Run) -> None:
        """Look for the first row.

        Args:
            kind: What they are, as "user".

        Raises:
            NotFoundError: A record was named, and is not there.
        """
        self.is_all = wanted == RowFilter()
        self.has_more = False
        self.count = 0
        self._wanted = wanted
        self._rows = rows
        if self.is_all:
            return
        existing: list[str] = []
        self._rows = filter(wanted.wants, _noticed(rows, existing) if wanted.which else rows)
        if wanted.sort is not None:
            self._rows = iter(sorted(self._rows, key=_key(wanted.sort)))
        if wanted.is_reversed:
            self._rows = reversed(list(self._rows))
        if wanted.which:
            first = list(islice(self._rows, 1))
            if not first:
                raise NotFoundError(
                    kind=kind,
                    name=displayed(wanted.which[0]),
                    existing=existing or None,
                    hint=listing,
                    note=slip_note(wanted.which[0]),
                )
            self._rows = chain(first, self._rows)

    def __iter__(self) -> Iterator[Row]:
        """Go through the rows."""
        begin = min(self._wanted.offset, sys.maxsize)  # more is as good as all
        end = min(begin + self._wanted.limit, sys.maxsize) if self._wanted.limit else None
        for row in islice(self._rows, begin, end):
            self.count += 1
            yield row
        self.has_more = end is not None and next(self._rows, None) is not None


def _is_called(row: object, which: str) -> bool:
    wanted_id = parse_id(which)
    return (wanted_id is not None and _text(row, "id") == wanted_id) or any(
        getattr(row, name, None) == which for name in NAMES
    )


def _text(row: object, name: str) -> str:
    value = getattr(row, name, None)
    return value if isinstance(value, str) else ""


def _noticed(rows: Iterator[Row], existing: list[str]) -> Iterator[Row]:
    """Remember what the rows are called, for an error."""
    for row in rows:
        name = next((text for name in NAMES if (text := _text(row, name))), "")
        if name and len(existing) < EXISTING_MAX:
            existing.append(displayed(name))
        yield row


def _key(field: str) -> Callable[[Any], Any]:
    if field == "created_at":
        return _instant
    return lambda row: _comparable(getattr(row, field))


def _comparable(value: object) -> object:
    """Compare texts without regard to case, an unknown name as none, and numbers as they are."""
    return value.casefold() if isinstance(value, str) else "" if value is None else value


def _instant(row: object) -> datetime:
    """Read when a record was made; one that does not say it comes last."""
    try:
        moment = datetime.fromisoformat(_text(row, "created_at"))
    except ValueError:
        return _LAST
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
