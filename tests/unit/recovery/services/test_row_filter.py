"""Which rows of a listing are wanted."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from recovery.errors import NotFoundError
from recovery.remedy import Run
from recovery.services.row_filter import FilteredRows, RowFilter


@dataclass(frozen=True)
class _Row:
    id: str
    name: str
    status: str = "active"
    description: str = ""
    created_at: str = ""
    retention_ns: int = 0


ROWS = (
    _Row("0000000000000001", "b", created_at="2024-05-01T00:30:00+02:00", retention_ns=10),
    _Row("0000000000000002", "C", "inactive", "for Grafana", "2024-04-30T23:00:00Z", 9),
    _Row("0000000000000003", "a", created_at="", retention_ns=100),
)


def names(wanted: RowFilter) -> str:
    return "".join(row.name for row in rows(wanted))


def rows(wanted: RowFilter) -> FilteredRows[_Row]:
    listing = Run("user list", "to see them")
    return FilteredRows(iter(ROWS), wanted, kind="user", listing=listing)


@pytest.mark.parametrize(
    ("expected", "wanted"),
    [
        ("bCa", RowFilter()),
        ("C", RowFilter(status="inactive")),
        ("C", RowFilter(which=("0000000000000002",))),
        ("a", RowFilter(which=("a",))),
        ("C", RowFilter(which=("C", "0000000000000002"))),
        ("C", RowFilter(match="gRAF")),
        ("a", RowFilter(match="A", status="active")),
        ("", RowFilter(match="nothing")),
        ("abC", RowFilter(sort="name")),
        ("Cba", RowFilter(sort="name", is_reversed=True)),
        ("bCa", RowFilter(sort="created_at")),
        ("Cba", RowFilter(sort="retention_ns")),
        ("aCb", RowFilter(is_reversed=True)),
        ("bC", RowFilter(limit=2)),
        ("", RowFilter(offset=10**30)),
        ("Ca", RowFilter(offset=1, limit=10**30)),
        ("Ca", RowFilter(offset=1)),
        ("C", RowFilter(offset=1, limit=1)),
        ("a", RowFilter(sort="name", limit=1)),
        ("", RowFilter(offset=3)),
    ],
)
def test_rows_are_chosen_sorted_and_cut(expected: str, wanted: RowFilter) -> None:
    assert names(wanted) == expected


@pytest.mark.parametrize(("limit", "has_more"), [(0, False), (2, True), (3, False), (4, False)])
def test_it_is_known_whether_the_limit_left_something_out(limit: int, has_more: bool) -> None:  # noqa: FBT001 # a row of the table
    found = rows(RowFilter(limit=limit))
    list(found)
    assert found.has_more == has_more


@pytest.mark.parametrize(
    "which", [("d",), ("0000000000000009",), ("a", "0000000000000002"), ("c",)]
)
def test_a_record_that_was_named_and_is_not_there_is_an_error(which: tuple[str, ...]) -> None:
    with pytest.raises(NotFoundError) as caught:
        rows(RowFilter(which=which))
    assert caught.value.existing == ("b", "C", "a")


def test_nothing_is_read_ahead_without_a_wish() -> None:
    read = []

    def walk() -> Iterator[_Row]:
        for row in ROWS:
            read.append(row)
            yield row

    found = FilteredRows(walk(), RowFilter(), kind="user", listing=Run("user list", ""))
    next(iter(found))
    assert read == [ROWS[0]]
