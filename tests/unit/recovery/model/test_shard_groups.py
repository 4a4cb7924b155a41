"""Shard groups: which part of time each shard is for."""

from datetime import UTC, datetime
from random import Random

import pytest

from recovery.model.bucket import DAY_NS, HOUR_NS
from recovery.model.shard_groups import (
    TIME_NS_MAX,
    TIME_NS_MIN,
    Basis,
    Duration,
    Span,
    Taken,
    choose_duration,
    explains,
    fit_into,
    group_shards,
    overlaps,
    window,
)

WEEK_NS = 7 * DAY_NS
MONDAY_NS = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp()) * 10**9


def _span(first_ns: int, last_ns: int) -> Span:
    return Span(first_ns=first_ns, last_ns=last_ns)


def _written(duration_ns: int, *, count: int, seed: int, each: int = 20) -> list[Span]:
    """Give the times of shards as a server writes them with a duration."""
    rng = Random(seed)
    start = window(MONDAY_NS + rng.randrange(400) * DAY_NS, duration_ns).first_ns
    found = []
    for number in range(count):
        at = start + number * duration_ns
        times = [at, at + duration_ns - 1, *(at + rng.randrange(duration_ns) for _ in range(each))]
        found.append(_span(min(times), max(times)))
    return found


@pytest.mark.parametrize(
    ("moment", "duration_ns", "start"),
    [  # what Go's Truncate says
        ("2026-11-28T17:24:45", WEEK_NS, "2026-11-23T00:00:00"),
        ("2026-11-28T17:24:45", DAY_NS, "2026-11-28T00:00:00"),
        ("2026-11-28T17:24:45", HOUR_NS, "2026-11-28T17:00:00"),
        ("1970-01-01T00:00:00", WEEK_NS, "1969-12-29T00:00:00"),
        ("1969-12-31T23:59:59", DAY_NS, "1969-12-31T00:00:00"),
        ("2026-11-28T17:24:45", 364 * DAY_NS, "2026-02-02T00:00:00"),
        ("2026-11-28T17:24:45", 3 * DAY_NS, "2026-11-28T00:00:00"),
        ("2026-11-28T17:24:45", 71 * HOUR_NS, "2026-11-28T05:00:00"),
        ("1969-12-31T23:59:59", 3 * DAY_NS, "1969-12-30T00:00:00"),
    ],
)
def test_windows_begin_where_go_truncates_to(moment: str, duration_ns: int, start: str) -> None:
    at, begin = (int(datetime.fromisoformat(f"{one}+00:00").timestamp()) for one in (moment, start))
    found = window(at * 10**9, duration_ns)
    assert found == _span(begin * 10**9, begin * 10**9 + duration_ns - 1)


def test_windows_are_cut_at_the_ends_of_time() -> None:
    assert window(TIME_NS_MIN, WEEK_NS).first_ns == TIME_NS_MIN
    assert window(TIME_NS_MAX, WEEK_NS).last_ns == TIME_NS_MAX


@pytest.mark.parametrize("duration_ns", [WEEK_NS, DAY_NS, HOUR_NS])
@pytest.mark.parametrize("seed", range(5))
def test_a_default_is_found_again(duration_ns: int, seed: int) -> None:
    spans = _written(duration_ns, count=30, seed=seed)
    assert choose_duration(spans).duration_ns == duration_ns
    assert choose_duration(spans).basis is Basis.DEFAULT


@pytest.mark.parametrize("days", [3, 2, 14, 30, 364])
def test_whole_days_are_found_again(days: int) -> None:
    found = choose_duration(_written(days * DAY_NS, count=12, seed=days))
    assert found == Duration(duration_ns=days * DAY_NS, basis=Basis.DAYS)


@pytest.mark.parametrize("hours", [2, 5, 36])
def test_whole_hours_are_found_again(hours: int) -> None:
    found = choose_duration(_written(hours * HOUR_NS, count=40, seed=hours))
    assert found == Duration(duration_ns=hours * HOUR_NS, basis=Basis.HOURS)


def test_the_longest_default_is_taken_where_several_fit_and_that_is_told() -> None:
    found = choose_duration([_span(MONDAY_NS + 5, MONDAY_NS + 6)])
    assert found == Duration(duration_ns=WEEK_NS, basis=Basis.DEFAULT, others_ns=(DAY_NS, HOUR_NS))
    assert choose_duration([]).duration_ns == WEEK_NS


def test_what_is_known_is_never_overruled() -> None:
    spans = _written(WEEK_NS, count=5, seed=1)
    assert choose_duration(spans, known_ns=HOUR_NS) == Duration(
        duration_ns=HOUR_NS, basis=Basis.KNOWN
    )


def test_a_known_retention_speaks_for_the_duration_that_influxd_takes_for_it() -> None:
    spans = [_span(MONDAY_NS, MONDAY_NS + 5)]
    assert choose_duration(spans, retention_ns=DAY_NS).duration_ns == HOUR_NS
    assert choose_duration(_written(WEEK_NS, count=3, seed=1), retention_ns=DAY_NS).duration_ns == (
        WEEK_NS
    )


def test_shards_of_two_durations_get_the_time_of_their_data() -> None:
    weeks = _written(WEEK_NS, count=3, seed=1)
    start = weeks[-1].first_ns + WEEK_NS
    days = [_span(start + day * DAY_NS, start + (day + 1) * DAY_NS - 1) for day in range(3)]
    spans = dict(enumerate([*weeks, *days]))
    duration = choose_duration(list(spans.values()))
    assert duration == Duration(duration_ns=WEEK_NS, basis=Basis.EXPLICIT)
    assert group_shards(spans, duration) == spans


def test_many_shards_that_nothing_explains_are_settled_soon() -> None:
    rng = Random(3)
    spans, at = [], MONDAY_NS
    for _ in range(2000):
        length = rng.randrange(1, 40 * HOUR_NS)
        spans.append(_span(at, at + length))
        at += length + 1
    assert choose_duration(spans).basis is Basis.EXPLICIT


@pytest.mark.parametrize("seed", range(30))
def test_every_group_holds_its_shard_and_none_overlaps(seed: int) -> None:
    rng = Random(seed)
    duration_ns = rng.choice([HOUR_NS, DAY_NS, WEEK_NS, 3 * DAY_NS])
    spans = dict(enumerate(_written(duration_ns, count=rng.randrange(1, 12), seed=seed)))
    for shard_id in list(spans):
        if rng.random() < 0.4:
            del spans[shard_id]
    if not spans:
        return
    known = {
        shard_id: window(span.first_ns + rng.choice([0, DAY_NS]), rng.choice([DAY_NS, WEEK_NS]))
        for shard_id, span in spans.items()
        if rng.random() < 0.5
    }
    duration = choose_duration(
        list(spans.values()), known_ns=rng.choice([None, DAY_NS, WEEK_NS, HOUR_NS])
    )
    groups = group_shards(spans, duration, known=known)
    assert set(groups) == set(spans)
    assert all(groups[shard_id].holds(span) for shard_id, span in spans.items())
    assert list(overlaps(groups)) == []


def test_a_known_group_is_kept() -> None:
    span, group = _span(MONDAY_NS + 5, MONDAY_NS + 9), _span(MONDAY_NS, MONDAY_NS + 3 * DAY_NS)
    duration = Duration(duration_ns=WEEK_NS, basis=Basis.DEFAULT)
    assert group_shards({4: span}, duration, known={4: group}) == {4: group}


def test_overlaps_are_named_in_pairs() -> None:
    spans = {1: _span(0, 100), 2: _span(5, 10), 3: _span(50, 60), 4: _span(101, 102)}
    assert list(overlaps(spans)) == [(1, 2), (1, 3)]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((20, 30), (11, 49)),
        ((60, 60), (60, 99)),
        ((101, 102), (100, 199)),
        ((195, 205), (195, 205)),
    ],
)
def test_a_new_group_is_cut_where_others_are(
    span: tuple[int, int], expected: tuple[int, int]
) -> None:
    base = window(MONDAY_NS, 100).first_ns
    taken = [_span(base, base + 10), _span(base + 50, base + 59)]
    found = fit_into(_span(base + span[0], base + span[1]), Taken(taken), 100)
    assert found == _span(base + expected[0], base + expected[1])


def test_a_duration_explains_no_shard_that_crosses_its_windows() -> None:
    assert not explains([_span(MONDAY_NS - 1, MONDAY_NS)], WEEK_NS)
    assert not explains([_span(MONDAY_NS, MONDAY_NS), _span(MONDAY_NS + 1, MONDAY_NS + 1)], HOUR_NS)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_taken_is_told_as_by_looking_at_each(seed: int) -> None:
    rng = Random(seed)
    spans = [_span(at, at + rng.randrange(9)) for at in (rng.randrange(300) for _ in range(20))]
    taken = Taken(spans[:10])
    for span in spans[10:]:
        taken.add(span)
    for first in range(-5, 315):
        span = _span(first, first + rng.randrange(6))
        assert taken.touches(span) == any(span.touches(one) for one in spans)
        if not taken.touches(span):
            cut = taken.cut(_span(-50, 400), span)
            ends = [one.last_ns for one in spans if one.last_ns < first]
            starts = [one.first_ns for one in spans if one.first_ns > span.last_ns]
            assert (cut.first_ns, cut.last_ns) == (
                max([-51, *ends]) + 1,
                min([401, *starts]) - 1,
            )
