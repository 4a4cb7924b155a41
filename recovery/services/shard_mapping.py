"""Which shard groups the catalogue gets for shards that lie on disk.

Lives here: the groups of a whole bucket, and those of single shards beside groups that are there.
Must not live here: reading shards (`recovery.engine`), the arithmetic of time
(`recovery.model.shard_groups`), who writes the groups.

Invariants: every shard with points that can be read is in a group that holds them, or is in a
conflict that names it. A conflict is never settled here: two shards of one bucket with points of
the same time, or two shards with one number, come from no single server.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from recovery.engine.folder import BucketFacts, BucketFolder, ShardFacts
from recovery.model.bucket import DAY_NS, HOUR_NS
from recovery.model.catalogue import Database
from recovery.model.ids import Id
from recovery.model.shard_groups import (
    Basis,
    Duration,
    ShardGroup,
    Span,
    choose_duration,
    fit_into,
    group_shards,
    overlaps,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND_NS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ShardName:
    """One shard of one bucket.

    Attributes:
        bucket_id: The bucket.
        shard_id: Its number.
    """

    bucket_id: Id
    shard_id: int

    def __str__(self) -> str:
        return f"{self.bucket_id}/{self.shard_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two shards that cannot both be right.

    Attributes:
        one: The first.
        other: The second.
        problem: Why, as a clause whose subject are both.
    """

    one: ShardName
    other: ShardName
    problem: str

    @property
    def sentence(self) -> str:
        """It, without a full stop."""
        return f"the shards {self.one} and {self.other} {self.problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketMap:
    """The groups of one bucket.

    Attributes:
        duration: Its shard group duration.
        groups: Its groups, in the order of the server.
        conflicts: What cannot be.
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
        facts: What lies on disk.
        known_ns: Its shard group duration, if somebody knows it.
        retention_ns: How long its data stay; 0 for ever.
        known_groups: Groups that an older catalogue had, by shard.
        left_out: Shards that are to get no group.

    Returns:
        The groups.
    """
    spans = {
        shard_id: span
        for shard_id, span in facts.spans.items()
        if ShardName(bucket_id=facts.id, shard_id=shard_id) not in left_out
    }
    duration = choose_duration(list(spans.values()), known_ns=known_ns, retention_ns=retention_ns)
    groups = group_shards(spans, duration, known=known_groups)
    return BucketMap(
        duration=duration,
        groups=tuple(_group(shard_id, shard_id, span) for shard_id, span in groups.items()),
        conflicts=tuple(_same_time(facts.id, pair) for pair in overlaps(spans)),
        unmapped=tuple(shard for shard in facts.shards if shard.span is None),
    )


def map_beside(
    bucket_id: Id, shard_id: int, span: Span, *, database: Database, group_id: int
) -> tuple[ShardGroup, int | None] | Conflict:
    """Choose the group of one shard beside those that a bucket has.

    Args:
        bucket_id: The bucket.
        shard_id: The shard, which is in no group of it.
        span: The time of its points.
        database: Its entry in the catalogue, with a policy.
        group_id: A free number.

    Returns:
        The group, and the number of the group without shards whose place it takes, if there is
        one; or why there is no place.
    """
    empty: ShardGroup | None = None
    taken = []
    for group in database.groups:
        if not group.shard_ids and group.span.touches(span):
            empty = empty or group
        elif group.shard_ids:
            taken.append(group)
    for group in taken:
        if group.span.touches(span):
            return _same_time(bucket_id, (group.shard_ids[0], shard_id))
    spans = [group.span for group in taken]
    policy = database.policy
    place = fit_into(span, spans, 0 if policy is None else policy.shard_group_ns)
    if empty is not None:
        widened = empty.span.joined(place)
        place = place if any(widened.touches(one) for one in spans) else widened
        group_id = empty.id
    return _group(group_id, shard_id, place), None if empty is None else empty.id


def same_numbers(folders: Iterable[BucketFolder]) -> Iterator[Conflict]:
    """Find shards of two buckets that have one number, of which the server opens one only.

    Args:
        folders: All buckets on disk.

    Yields:
        What cannot be.
    """
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


def _same_time(bucket_id: Id, pair: tuple[int, int]) -> Conflict:
    one, other = (ShardName(bucket_id=bucket_id, shard_id=shard_id) for shard_id in sorted(pair))
    return Conflict(one=one, other=other, problem="hold points of the same time")
