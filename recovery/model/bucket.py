"""InfluxDB buckets: where time series go. Not the buckets of the bolt file.

Lives here: the record, as read and as written, its standard values, the key of its name. Must not
live here: the engine's catalogue (`recovery.model.catalogue`).

Source: InfluxDB v2.9.1 bucket.go, tenant/storage_bucket.go, tenant/service_bucket.go;
v1/services/meta/data.go (shardGroupDuration, normalisedShardDuration).
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from recovery.model.gojson import (
    Json,
    encode,
    id_field,
    integer_field,
    patched,
    required_id_field,
    text_field,
    time_field,
)
from recovery.model.ids import Id
from recovery.model.record_fields import decode_record

HOUR_NS: Final = 3_600_000_000_000
DAY_NS: Final = 24 * HOUR_NS
NS_MAX: Final = (1 << 63) - 1
"""The longest time that Go's `time.Duration` holds, 292 years."""
TYPE_USER: Final = 0
TYPE_SYSTEM: Final = 1
FIELDS: Final = (
    "id", "orgID", "type", "name", "description", "rp", "retentionPeriod", "shardGroupDuration",
    "createdAt", "updatedAt",
)  # fmt: skip
"""The fields in the order of the server's struct."""

_UNITS_NS: Final = {
    "ns": 1, "us": 1000, "µs": 1000, "ms": 1_000_000, "s": 1_000_000_000, "m": HOUR_NS // 60,
    "h": HOUR_NS, "d": DAY_NS, "w": 7 * DAY_NS,
}  # fmt: skip
_PART: Final = r"([0-9]+)(ns|us|µs|ms|s|m|h|d|w)"  # seldom looked for
_FOREVER: Final = frozenset({"", "0", "infinite", "inf", "∞"})
_LONG_RETENTION_NS: Final = 180 * DAY_NS


class SystemBucket(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two buckets that every organization owns.

    Attributes:
        description: As the server writes it.
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
"""In the order in which the server makes them; both have shard groups of one day."""


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """One InfluxDB bucket.

    Attributes:
        id: Its ID, which is also the name of its database in the engine's catalogue.
        org_id: The organization, or None where the record has none.
        type: 0 for a user's bucket, 1 for a system bucket.
        policy_name: Name of a retention policy of 1.x; empty when absent.
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        shard_group_ns: Time span of one shard group, in nanoseconds.
        created_at: As stored, RFC 3339; empty when absent.
        updated_at: As stored, RFC 3339; empty when absent.
    """

    id: Id
    org_id: Id | None
    name: str
    description: str
    type: int
    policy_name: str
    retention_ns: int
    shard_group_ns: int
    created_at: str
    updated_at: str
    document: bytes

    def __repr__(self) -> str:
        return f"Bucket(id={self.id!r}, name={self.name!r})"

    def rewritten(self, changes: Mapping[str, Json]) -> bytes:
        """Encode the bucket with fields changed, None removes one, and all others kept."""
        return patched(self.document, changes, order=FIELDS)


def shard_group_duration_ns(retention_ns: int, *, wanted_ns: int = 0) -> int:
    """Choose the time span of a shard group as the server does.

    Args:
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        wanted_ns: What was asked for, which may be negative; 0 for nothing.

    Returns:
        The span in nanoseconds, at least an hour.
    """
    if wanted_ns:
        return max(wanted_ns, HOUR_NS)
    if retention_ns == 0 or retention_ns >= _LONG_RETENTION_NS:
        return 7 * DAY_NS
    return DAY_NS if retention_ns >= 2 * DAY_NS else HOUR_NS


def index_key(org_id: Id, name: str) -> bytes:
    """Build the key of a bucket in `bucketindexv1`; the case of its name is kept."""
    return f"{org_id}{name}".encode("utf-8", "surrogateescape")


def decode_bucket(document: bytes) -> Bucket:
    """Decode a value of `bucketsv1`; raise `UndecodableError` where the server could not."""
    fields = decode_record(document, "BUCKET")
    return Bucket(
        id=required_id_field(fields, "id"),
        org_id=id_field(fields, "orgID"),
        name=text_field(fields, "name"),
        description=text_field(fields, "description"),
        type=integer_field(fields, "type"),
        policy_name=text_field(fields, "rp"),
        retention_ns=integer_field(fields, "retentionPeriod"),
        shard_group_ns=integer_field(fields, "shardGroupDuration"),
        created_at=time_field(fields, "createdAt"),
        updated_at=time_field(fields, "updatedAt"),
        document=document,
    )


def encode_bucket(  # noqa: PLR0913 # the fields of a record
    *,
    bucket_id: Id,
    org_id: Id,
    kind: int,
    name: str,
    description: str,
    retention_ns: int,
    shard_group_ns: int,
    now: str,
    policy_name: str = "",
) -> bytes:
    """Encode a new bucket, byte for byte as the server would.

    Args:
        kind: `TYPE_USER` or `TYPE_SYSTEM`.
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        shard_group_ns: Time span of one shard group, in nanoseconds.
        now: The time, as `format_time` writes it.
        policy_name: Name of a retention policy of 1.x; empty for none.
    """
    return encode(
        {
            "id": bucket_id,
            "orgID": org_id,
            "type": kind,
            "name": name,
            "description": description,
            **({"rp": policy_name} if policy_name else {}),
            "retentionPeriod": retention_ns,
            "shardGroupDuration": shard_group_ns,
            "createdAt": now,
            "updatedAt": now,
        }
    )


def parse_duration(text: str) -> int | None:
    """Read a duration as InfluxDB writes it.

    Args:
        text: Such as "72h0m0s", "30d", "infinite", or 0.

    Returns:
        Nanoseconds, 0 forever; None when it is none.
    """
    text = text.strip().lower()
    if text in _FOREVER:
        return 0
    if re.sub(_PART, "", text):
        return None
    return sum(int(count) * _UNITS_NS[unit] for count, unit in re.findall(_PART, text))


def duration_text(duration_ns: int) -> str:
    """Write a duration for a person, as "30 d" or "1.5 h"; 0 is "forever"."""
    if not duration_ns:
        return "forever"
    if duration_ns % DAY_NS == 0:
        return f"{duration_ns // DAY_NS} d"
    return f"{duration_ns / HOUR_NS:g} h"
