"""InfluxDB buckets: where time series go. Not the buckets of the bolt file.

Lives here: the record as written, and its standard values. Must not live here: the engine's
catalogue (`recovery.model.catalogue`).

Source: InfluxDB v2.9.1 bucket.go, tenant/storage_bucket.go, tenant/service_bucket.go.
"""

from dataclasses import dataclass
from typing import Final

from recovery.model.gojson import decode_record, encode, field, text_field
from recovery.model.ids import Id, parse_id

HOUR_NS: Final = 3_600_000_000_000
DAY_NS: Final = 24 * HOUR_NS
TYPE_USER: Final = 0
TYPE_SYSTEM: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemBucket:
    """One of the two buckets that every organization owns.

    Attributes:
        name: Its name.
        description: As the server writes it.
        retention_ns: How long data stay, in nanoseconds.
    """

    name: str
    description: str
    retention_ns: int


SYSTEM_BUCKETS: Final = (
    SystemBucket(name="_tasks", description="System bucket for task logs", retention_ns=3 * DAY_NS),
    SystemBucket(
        name="_monitoring",
        description="System bucket for monitoring logs",
        retention_ns=7 * DAY_NS,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One InfluxDB bucket.

    Attributes:
        id: Its ID, which is also the name of its database in the engine's catalogue.
        org_id: The organization, or None where the record has none.
        name: The name.
        type: 0 for a user's bucket, 1 for a system bucket.
        retention_ns: How long data stay, in nanoseconds; 0 for ever.
        shard_group_ns: Time span of one shard group, in nanoseconds.
        document: The record as stored.
    """

    id: Id
    org_id: Id | None
    name: str
    type: int
    retention_ns: int
    shard_group_ns: int
    document: bytes


def shard_group_duration_ns(retention_ns: int) -> int:
    """Return the span of a shard group that the server chooses for a retention."""
    if retention_ns == 0 or retention_ns >= 180 * DAY_NS:
        return 7 * DAY_NS
    return DAY_NS if retention_ns >= 2 * DAY_NS else HOUR_NS


def index_key(org_id: Id, name: str) -> bytes:
    """Return the key of a bucket in `bucketindexv1`."""
    return f"{org_id}{name}".encode()


def decode_bucket(document: bytes) -> Bucket:
    """Decode a stored bucket.

    Raises:
        ValueError: The server could not decode it. The text names no content.
    """
    record = decode_record(document)
    identity = parse_id(text_field(record, "id"))
    if identity is None:
        raise ValueError("its id is missing or no ID")
    numbers = []
    for name in ("type", "retentionPeriod", "shardGroupDuration"):
        value = field(record, name) or 0
        if not isinstance(value, int):
            raise ValueError(f"{name} is no whole number")
        numbers.append(value)
    kind, retention_ns, shard_group_ns = numbers
    return Bucket(
        id=identity,
        org_id=parse_id(text_field(record, "orgID")),
        name=text_field(record, "name"),
        type=kind,
        retention_ns=retention_ns,
        shard_group_ns=shard_group_ns,
        document=document,
    )


def encode_bucket(
    *,
    bucket_id: Id,
    org_id: Id,
    kind: int,
    name: str,
    description: str,
    retention_ns: int,
    shard_group_ns: int,
    now: str,
) -> bytes:
    """Encode a new bucket, byte for byte as the server would."""
    return encode(
        {
            "id": bucket_id,
            "orgID": org_id,
            "type": kind,
            "name": name,
            "description": description,
            "retentionPeriod": retention_ns,
            "shardGroupDuration": shard_group_ns,
            "createdAt": now,
            "updatedAt": now,
        }
    )
