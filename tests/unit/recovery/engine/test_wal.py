"""Reading a WAL segment."""

import struct

import pytest

from recovery.engine.keys import Measurements
from recovery.engine.wal import WalFacts, read_wal
from recovery.model.shard_groups import Span
from tests.support.engine_files import wal_entry, wal_write

FLOATS = wal_write(b"cpu,host=a#!~#f", 1, [(50, 1.5), (7, 2.5), (60, 3.5)])


def _read(content: bytes) -> tuple[WalFacts, list[str]]:
    measurements = Measurements()
    facts = read_wal(
        lambda offset, size: content[offset : offset + size], len(content), measurements
    )
    return facts, measurements.names


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (1, [(50, 1.5), (-7, 2.5)]),
        (2, [(50, -1), (-7, 1)]),
        (3, [(50, 1), (-7, 0)]),
        (4, [(50, b"text"), (-7, b"")]),
        (5, [(50, 1 << 63), (-7, 1)]),
        (1, [(50, 0.0)]),
        (3, [(50, 1)]),
        (4, [(50, b"x" * 70000)]),
    ],
)
def test_values_of_every_kind_are_read(kind: int, values: list[tuple[int, object]]) -> None:
    facts, names = _read(wal_entry(wal_write(b"m,t=1#!~#f", kind, values)))
    assert facts == WalFacts(
        span=Span(first_ns=min(values)[0], last_ns=50), entry_count=1, problem=None
    )
    assert names == ["m"]


def test_the_time_of_a_segment_is_that_of_all_its_entries() -> None:
    other = wal_write(b"mem#!~#g", 2, [(900, 1)])
    facts, names = _read(wal_entry(FLOATS) + wal_entry(other + FLOATS))
    assert facts == WalFacts(span=Span(first_ns=7, last_ns=900), entry_count=2, problem=None)
    assert names == ["cpu", "mem"]


@pytest.mark.parametrize("kind", [2, 3])
def test_deletions_are_passed_over(kind: int) -> None:
    gone = struct.pack(">qq", -(1 << 62), 1 << 62) + b"\0\0\0\1k"
    facts, _ = _read(wal_entry(gone, kind=kind) + wal_entry(FLOATS))
    assert facts == WalFacts(span=Span(first_ns=7, last_ns=60), entry_count=2, problem=None)


def test_an_empty_segment_has_no_time() -> None:
    facts, _ = _read(b"")
    assert facts == WalFacts(span=None, entry_count=0, problem=None)


@pytest.mark.parametrize("cut", range(1, len(wal_entry(FLOATS))))
def test_what_is_in_front_of_a_cut_entry_counts(cut: int) -> None:
    facts, _ = _read(wal_entry(FLOATS) + wal_entry(FLOATS)[:cut])
    assert facts.span == Span(first_ns=7, last_ns=60)
    assert facts.entry_count == 1
    assert facts.problem is not None
    assert "inside of an entry" in facts.problem


@pytest.mark.parametrize(
    "entry",
    [
        wal_entry(FLOATS, kind=9),
        wal_entry(FLOATS[:-1]),
        wal_entry(FLOATS[:5]),
        wal_entry(b"\x09" + FLOATS[1:]),
        wal_entry(wal_write(b"k", 1, [])),
        wal_entry(wal_write(b"k", 4, [(5, b"text")])[:-2]),
        wal_entry(wal_write(b"k", 1, [(-(1 << 63), 1.0)])),
        struct.pack(">BI", 1, 8) + b"\xff\xff\xff\xff\x0fabc",
        struct.pack(">BI", 1, 8) + b"\x10notsnap",
        struct.pack(">BI", 1, 0),
    ],
)
def test_reading_stops_at_an_entry_that_is_damaged(entry: bytes) -> None:
    facts, _ = _read(wal_entry(FLOATS) + entry + wal_entry(wal_write(b"late", 1, [(5000, 1.0)])))
    assert facts.span == Span(first_ns=7, last_ns=60)
    assert facts.problem is not None
