"""Shard groups: which part of time each shard of a bucket is for.

Lives here: how the server aligns them, which duration explains the shards that are there, and the
group of each. Must not live here: reading shards (`recovery.engine`), the catalogue's encoding
(`recovery.model.catalogue`).

Invariants: a group holds every point of its shard, so that no query misses one. Two groups of one
bucket never overlap, unless the data of their shards do, which is told and left to a person. A
duration is never guessed over what is known.

Source: InfluxDB v2.9.1 v1/services/meta/data.go (`CreateShardGroup`, `ShardGroupInfo`,
`shardGroupDuration`), models/time.go (`MinNanoTime`, `MaxNanoTime`); Go time.Time.Truncate, which
counts from the zero time, 1 January of year 1, so that weeks begin on Mondays.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum, unique
from typing import Final

import msgspec

from recovery.model.bucket import DAY_NS, HOUR_NS, shard_group_duration_ns

TIME_NS_MIN: Final = -(1 << 63) + 2
"""First moment that a point can have."""
TIME_NS_MAX: Final = (1 << 63) - 2
"""Last moment that a point can have."""
DEFAULTS_NS: Final = (7 * DAY_NS, DAY_NS, HOUR_NS)
"""Durations that the server chooses by itself, the longest first."""
DURATION_NS_MAX: Final = 36_500 * DAY_NS
"""Longest duration that is looked for; the server's type holds 292 years."""

_ZERO_TIME_NS: Final = 62_135_596_800_000_000_000
"""From Go's zero time to 1970."""
_NEVER_NS: Final = 1 << 64
"""Behind the end of all time; its negative is in front of the beginning."""


class Span(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """From one moment to another.

    Attributes:
        first_ns: The first moment, in nanoseconds since 1970.
        last_ns: The last moment, which is part of it.
    """

    first_ns: int
    last_ns: int

    def touches(self, other: "Span") -> bool:
        """Tell whether a moment is in both."""
        return self.first_ns <= other.last_ns and other.first_ns <= self.last_ns

    def holds(self, other: "Span") -> bool:
        """Tell whether all of another one is in it."""
        return self.first_ns <= other.first_ns and other.last_ns <= self.last_ns

    def joined(self, other: "Span | None") -> "Span":
        """Return the shortest one that holds both."""
        if other is None:
            return self
        return Span(
            first_ns=min(self.first_ns, other.first_ns), last_ns=max(self.last_ns, other.last_ns)
        )


class ShardGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group of the catalogue, with at most one shard.

    Attributes:
        id: Its number within the catalogue.
        start_ns: Its first moment, in nanoseconds since 1970.
        end_ns: The first moment after it.
        is_deleted: Whether the server has given it up.
    """

    id: int
    start_ns: int
    end_ns: int
    shard_ids: tuple[int, ...]
    is_deleted: bool = False

    @property
    def span(self) -> Span:
        """The moments of it."""
        return Span(first_ns=self.start_ns, last_ns=self.end_ns - 1)


@unique
class Basis(StrEnum):
    """Why a bucket gets its shard group duration."""

    KNOWN = "known"
    """Somebody knows it."""
    RETENTION = "retention"
    """It is what the server takes for the retention that is known."""
    DEFAULT = "default"
    """It is the longest of the server's own that explains the shards."""
    DAYS = "days"
    """None of the server's own explains them; it is the shortest of whole days that does."""
    HOURS = "hours"
    """Nor do whole days; it is the shortest of whole hours that does."""
    EXPLICIT = "explicit"
    """Nothing explains them: groups are as long as the data in them."""


class Duration(msgspec.Struct, frozen=True, kw_only=True):
    """The shard group duration of a bucket.

    Attributes:
        others_ns: The server's own durations that would explain the shards as well.
    """

    duration_ns: int
    basis: Basis
    others_ns: tuple[int, ...] = ()


def window(moment_ns: int, duration_ns: int) -> Span:
    """Give the part of time that the server makes a new group for, cut at the ends of all time."""
    start_ns = moment_ns - (moment_ns + _ZERO_TIME_NS) % duration_ns
    return Span(
        first_ns=max(start_ns, TIME_NS_MIN), last_ns=min(start_ns + duration_ns - 1, TIME_NS_MAX)
    )


def explains(spans: Sequence[Span], duration_ns: int) -> bool:
    """Tell whether all shards lie in one window of a duration each, and no two in the same.

    Only in the very first may be more: the server cannot store when that begins, and makes another
    shard there for the first point after each start.
    """
    first, before = (TIME_NS_MIN + _ZERO_TIME_NS) // duration_ns, None
    for span in spans:
        number = (span.first_ns + _ZERO_TIME_NS) // duration_ns
        is_taken = number == before and number != first
        if is_taken or (span.last_ns + _ZERO_TIME_NS) // duration_ns != number:
            return False
        before = number
    return True


def choose_duration(
    spans: Sequence[Span], *, known_ns: int | None = None, retention_ns: int = 0
) -> Duration:
    """Choose the shard group duration of a bucket.

    Args:
        spans: Of all its shards, in their order.
        known_ns: The duration, if somebody knows it.
        retention_ns: How long data stay, if somebody knows it; 0 forever.

    Returns:
        The duration, and why it is that.
    """
    if known_ns is not None:
        return Duration(duration_ns=known_ns, basis=Basis.KNOWN)
    usual_ns = shard_group_duration_ns(retention_ns)
    fitting = [duration for duration in DEFAULTS_NS if explains(spans, duration)]
    if retention_ns and usual_ns in fitting:
        return Duration(duration_ns=usual_ns, basis=Basis.RETENTION)
    if fitting:
        return Duration(duration_ns=fitting[0], basis=Basis.DEFAULT, others_ns=tuple(fitting[1:]))
    for unit_ns, basis in ((DAY_NS, Basis.DAYS), (HOUR_NS, Basis.HOURS)):
        found = _shortest(spans, unit_ns)
        if found is not None:
            return Duration(duration_ns=found, basis=basis)
    return Duration(duration_ns=usual_ns, basis=Basis.EXPLICIT)


def overlaps(spans: Mapping[int, Span]) -> Iterator[tuple[int, int]]:
    """Find shards of one bucket whose data overlap, which no server does.

    Args:
        spans: By shard.

    Yields:
        Two shards each; of more than two, each with the one that reaches furthest before it.
    """
    furthest: int | None = None
    for shard_id, span in sorted(spans.items(), key=lambda item: (item[1], item[0])):
        if furthest is None:
            furthest = shard_id
            continue
        if span.first_ns <= spans[furthest].last_ns:
            yield furthest, shard_id
        if span.last_ns > spans[furthest].last_ns:
            furthest = shard_id


def group_shards(
    spans: Mapping[int, Span], duration: Duration, *, known: Mapping[int, Span] | None = None
) -> dict[int, Span]:
    """Give each shard of a bucket the part of time that its group is for.

    A group that is known is kept where it holds the data. Else it is the window of the server, cut
    back to the data where the window would reach into that of another shard.

    Args:
        spans: Of the data, by shard.
        duration: The shard group duration.
        known: Groups that an older catalogue had, by shard.

    Returns:
        The groups, by shard, in their order.
    """
    wanted = {
        shard_id: _wanted(span, duration, (known or {}).get(shard_id))
        for shard_id, span in spans.items()
    }
    for chosen in (wanted, wanted | {one: spans[one] for one in spans if one not in (known or {})}):
        crowded = _crowded(chosen)
        wanted = {one: spans[one] if one in crowded else span for one, span in chosen.items()}
        if not crowded:
            break
    return dict(sorted(wanted.items(), key=lambda item: (item[1].last_ns, item[1].first_ns)))


class Taken:
    """The parts of time that groups are for, in the order of time, so that many can be asked."""

    def __init__(self, spans: Iterable[Span]) -> None:
        known = list(spans)
        self._starts = [*sorted(one.first_ns for one in known), _NEVER_NS]
        self._ends = [-_NEVER_NS, *sorted(one.last_ns for one in known)]

    def add(self, span: Span) -> None:
        """Take one more."""
        insort(self._starts, span.first_ns)
        insort(self._ends, span.last_ns)

    def touches(self, span: Span) -> bool:
        """Tell whether a moment of a span is taken."""
        begun = bisect_right(self._starts, span.last_ns)
        return begun >= bisect_left(self._ends, span.first_ns)

    def cut(self, whole: Span, span: Span) -> Span:
        """Cut a span back to what is free around one in it."""
        before = self._ends[bisect_left(self._ends, span.first_ns) - 1]
        behind = self._starts[bisect_right(self._starts, span.last_ns)]
        return Span(
            first_ns=max(whole.first_ns, before + 1), last_ns=min(whole.last_ns, behind - 1)
        )


def fit_into(span: Span, taken: Taken, duration_ns: int) -> Span:
    """Find the group of a shard among those that there are, as the server does for a new point.

    Args:
        span: Of its data; none of it is in what is taken.
        duration_ns: The shard group duration of the bucket.
    """
    whole = window(span.first_ns, duration_ns)
    return taken.cut(whole, span) if whole.holds(span) else span


def _wanted(span: Span, duration: Duration, known: Span | None) -> Span:
    if known is not None and known.holds(span):
        return known
    if duration.basis is Basis.EXPLICIT:
        return span
    whole = window(span.first_ns, duration.duration_ns)
    return whole if whole.holds(span) else span


def _crowded(groups: Mapping[int, Span]) -> set[int]:
    """Find the shards whose groups overlap another one."""
    found: set[int] = set()
    for pair in overlaps(groups):
        found.update(pair)
    return found


def _shortest(spans: Sequence[Span], unit_ns: int) -> int | None:
    """Find the shortest whole number of units that explains shards."""
    longest_ns = max(span.last_ns - span.first_ns + 1 for span in spans)
    most_ns = DURATION_NS_MAX
    early = bisect_left(spans, TIME_NS_MIN + most_ns, key=lambda span: span.first_ns)
    count = len(spans) - max(0, early - 1)  # those may share the first window
    if count > 2:  # noqa: PLR2004 # so many windows lie whole between the first and the last
        whole_ns = spans[-1].last_ns - spans[0].first_ns
        most_ns = min(most_ns, whole_ns // (count - 2))
    for count in range(-(-longest_ns // unit_ns), most_ns // unit_ns + 1):
        if explains(spans, count * unit_ns):
            return count * unit_ns
    return None
