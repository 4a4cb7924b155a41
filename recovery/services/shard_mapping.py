"""Which shard groups the catalogue gets for shards that lie on disk.

Lives here: the groups of a whole bucket, and those of single shards beside groups that are there.
Must not live here: reading shards (`recovery.engine`), the arithmetic of time
(`recovery.model.shard_groups`), who writes the groups.

Invariants: every shard with points that can be read is in a group that holds them, or is in a
conflict that names it. A conflict is never settled here: two shards of one bucket with points of
the same time, or two shards with one number, come from no single server.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from recovery.engine.folder import BucketFacts, BucketFolder, ShardFacts
from recovery.model.bucket import DAY_NS, HOUR_NS
from recovery.model.catalogue import Database
from recovery.model.ids import Id
from recovery.model.shard_groups import (
    TIME_NS_MIN,
    Basis,
    Duration,
    ShardGroup,
    Span,
    Taken,
    choose_duration,
    fit_into,
    group_shards,
    overlaps,
    window,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND_NS: Final = 1000


class ShardName(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """One shard of one bucket."""

    bucket_id: Id
    shard_id: int

    def __str__(self) -> str:
        return f"{self.bucket_id}/{self.shard_id}"


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Two shards that cannot both be right.

    Attributes:
        problem: Why, as a clause whose subject are both.
    """

    one: ShardName
    other: ShardName
    problem: str

    @property
    def sentence(self) -> str:
        """It, without a full stop."""
        return f"the shards {self.one} and {self.other} {self.problem}"


class BucketMap(msgspec.Struct, frozen=True, kw_only=True):
    """The groups of one bucket.

    Attributes:
        groups: Its groups, in the order of the server.
        unmapped: Shards that get no group, because no point of them can be read.
    """

    duration: Duration
    groups: tuple[ShardGroup, ...]
    conflicts: tuple[Conflict, ...]
    unmapped: tuple[ShardFacts, ...]


def map_bucket(
    facts: BucketFacts,
    *,
    known_ns: int | None,
    retention_ns: int,
    known_groups: Mapping[int, Span],
    left_out: Collection[ShardName] = (),
) -> BucketMap:
    """Choose the groups of a bucket that has none.

    Args:
        known_ns: Its shard group duration, if somebody knows it.
        known_groups: Groups that an older catalogue had, by shard.
        left_out: Shards that are to get no group.
    """
    spans = {
        shard_id: span
        for shard_id, span in facts.spans.items()
        if ShardName(bucket_id=facts.id, shard_id=shard_id) not in left_out
    }
    duration = choose_duration(list(spans.values()), known_ns=known_ns, retention_ns=retention_ns)
    groups = group_shards(spans, duration, known=known_groups)
    first = window(TIME_NS_MIN, duration.duration_ns)  # where `explains` allows more than one
    return BucketMap(
        duration=duration,
        groups=tuple(_group(shard_id, shard_id, span) for shard_id, span in groups.items()),
        conflicts=tuple(
            _same_time(facts.id, pair)
            for pair in overlaps(spans)
            if not all(first.holds(spans[one]) for one in pair)
        ),
        unmapped=tuple(shard for shard in facts.shards if shard.span is None),
    )


class Unmapped(msgspec.Struct, frozen=True, kw_only=True):
    """Shards of one bucket that lie on disk and are in no group.

    Attributes:
        placeable: Those that can be given one, with the time of their points.
        expired: Those that the server would delete at once, by the retention of the bucket.
        clashing: Those whose number another shard has.
        overlapping: Those with points of a time that another shard is for.
    """

    placeable: dict[int, Span]
    expired: tuple[int, ...]
    clashing: tuple[int, ...]
    overlapping: tuple[int, ...]


def sort_unmapped(
    spans: Mapping[int, Span],
    groups: Sequence[ShardGroup],
    *,
    clashing: Collection[int],
    shard_group_ns: int,
    retention_ns: int,
    now_ns: int,
) -> Unmapped:
    """Tell which shards can be mapped beside the groups that a bucket has.

    Args:
        spans: The time of the points of shards that are in none of its groups.
        clashing: Numbers that other buckets have shards of.
        shard_group_ns: Its shard group duration.
        retention_ns: How long its data stay; 0 forever.
    """
    expired = [
        shard_id
        for shard_id, span in spans.items()
        if retention_ns and _whole(span, shard_group_ns).last_ns + retention_ns < now_ns
    ]
    left = {one: span for one, span in spans.items() if one not in expired}
    clashes = [shard_id for shard_id in left if shard_id in clashing]
    left = {one: span for one, span in left.items() if one not in clashes}
    taken = Taken(group.span for group in groups if group.shard_ids)
    overlapping = {one for pair in overlaps(left) for one in pair}
    overlapping |= {one for one, span in left.items() if taken.touches(span)}
    return Unmapped(
        placeable={one: span for one, span in left.items() if one not in overlapping},
        expired=tuple(sorted(expired)),
        clashing=tuple(sorted(clashes)),
        overlapping=tuple(sorted(overlapping)),
    )


def map_beside(
    spans: Mapping[int, Span], database: Database, *, group_id: int
) -> tuple[list[ShardGroup], set[int]]:
    """Choose the groups of shards beside those that a bucket has.

    Args:
        spans: The time of their points, which no group with a shard is for.
        database: Its entry in the catalogue, with a policy.
        group_id: The first free number.

    Returns:
        The groups, and the numbers of those without shards whose place they take.
    """
    policy = database.policy
    shard_group_ns = DAY_NS if policy is None else policy.shard_group_ns
    taken = Taken([*(group.span for group in database.groups if group.shard_ids), *spans.values()])
    bare = [group for group in database.groups if not group.shard_ids]
    found: list[ShardGroup] = []
    removed: set[int] = set()
    for number, (shard_id, span) in enumerate(spans.items()):
        found.append(_group(group_id + number, shard_id, fit_into(span, taken, shard_group_ns)))
        taken.add(found[-1].span)
        removed.update(group.id for group in bare if group.span.touches(found[-1].span))
    return found, removed


def conflict_with_group(
    bucket_id: Id, shard_id: int, span: Span, database: Database, spans: Mapping[int, Span]
) -> Conflict:
    """Name the other shard that a shard overlaps.

    Args:
        database: The entry of the bucket in the catalogue.
        spans: The time of the points of all its shards that are in no group.

    Returns:
        The two, and why.
    """
    mapped = (
        group.shard_ids[0]
        for group in database.groups
        if group.shard_ids and group.span.touches(span)
    )
    others = (one for one in spans if one != shard_id and spans[one].touches(span))
    other = next(mapped, None) or next(others, shard_id)
    return _same_time(bucket_id, (other, shard_id))


def same_numbers(folders: Iterable[BucketFolder]) -> Iterator[Conflict]:
    """Find shards of two buckets that have one number, of which the server opens one only."""
    owners: dict[int, Id] = {}
    for folder in folders:
        for shard_id in folder.shard_ids:
            first = owners.setdefault(shard_id, folder.id)
            if first != folder.id:
                yield Conflict(
                    one=ShardName(bucket_id=first, shard_id=shard_id),
                    other=ShardName(bucket_id=folder.id, shard_id=shard_id),
                    problem="have one number, and influxd opens only one of them",
                )


def shown_span(span: Span | None) -> str:
    """Write a span for a person, to the second."""
    if span is None:
        return "no points that can be read"
    return f"{shown_time(span.first_ns)} to {shown_time(span.last_ns)}"


def shown_time(moment_ns: int) -> str:
    """Write a moment for a person, to the second, UTC."""
    moment = _EPOCH + timedelta(microseconds=moment_ns // _MICROSECOND_NS)
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def shown_duration(duration_ns: int) -> str:
    """Write a duration for a person: whole days or hours, where it is that."""
    for unit_ns, unit in ((DAY_NS, "d"), (HOUR_NS, "h"), (HOUR_NS // 60, "m")):
        if duration_ns % unit_ns == 0:
            return f"{duration_ns // unit_ns}{unit}"
    return f"{duration_ns / 1e9:g}s"


def why(duration: Duration) -> str:
    """Say why a bucket gets its shard group duration, as a clause in brackets."""
    match duration.basis:
        case Basis.KNOWN:
            return "as it is known"
        case Basis.RETENTION:
            return "as influxd takes it for that retention"
        case Basis.DEFAULT if duration.others_ns:
            others = " or ".join(shown_duration(one) for one in duration.others_ns)
            return f"chosen: the data would fit {others} as well"
        case Basis.DEFAULT | Basis.DAYS | Basis.HOURS:
            return "as the data show"
        case Basis.EXPLICIT:
            return (
                "for new data; no one duration explains the shards, so each gets the time of its "
                "own data"
            )


def _group(group_id: int, shard_id: int, span: Span) -> ShardGroup:
    return ShardGroup(
        id=group_id, start_ns=span.first_ns, end_ns=span.last_ns + 1, shard_ids=(shard_id,)
    )


def _whole(span: Span, shard_group_ns: int) -> Span:
    """Return the window of the server, if it holds the data, else the time of them."""
    whole = window(span.first_ns, max(shard_group_ns, HOUR_NS))
    return whole if whole.holds(span) else span


def _same_time(bucket_id: Id, pair: tuple[int, int]) -> Conflict:
    one, other = (ShardName(bucket_id=bucket_id, shard_id=shard_id) for shard_id in sorted(pair))
    return Conflict(one=one, other=other, problem="hold points of the same time")
