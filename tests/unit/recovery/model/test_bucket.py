"""InfluxDB buckets."""

import pytest

from recovery.model.bucket import (
    DAY_NS,
    HOUR_NS,
    SYSTEM_BUCKETS,
    TYPE_SYSTEM,
    decode_bucket,
    encode_bucket,
    index_key,
    shard_group_duration_ns,
)
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id

SAMPLE = (
    b'{"id":"a4400ee87566e12a","orgID":"dd7cd2292f6e974a","type":1,"name":"_tasks",'
    b'"description":"System bucket for task logs","retentionPeriod":259200000000000,'
    b'"shardGroupDuration":86400000000000,"createdAt":"2021-09-28T12:55:25.482128Z",'
    b'"updatedAt":"2021-09-28T12:55:25.482128Z"}'
)


def test_the_sample_bucket_is_read() -> None:
    bucket = decode_bucket(SAMPLE)
    assert (bucket.id, bucket.org_id) == ("a4400ee87566e12a", "dd7cd2292f6e974a")
    assert (bucket.type, bucket.name) == (TYPE_SYSTEM, "_tasks")
    assert bucket.description == "System bucket for task logs"
    assert (bucket.retention_ns, bucket.shard_group_ns) == (3 * DAY_NS, DAY_NS)
    assert bucket.created_at == bucket.updated_at == "2021-09-28T12:55:25.482128Z"


def test_a_new_system_bucket_is_written_as_the_sample() -> None:
    system = SYSTEM_BUCKETS[0]
    found = encode_bucket(
        bucket_id=Id("a4400ee87566e12a"),
        org_id=Id("dd7cd2292f6e974a"),
        kind=TYPE_SYSTEM,
        name=system.name,
        description=system.description,
        retention_ns=system.retention_ns,
        shard_group_ns=DAY_NS,
        now="2021-09-28T12:55:25.482128Z",
    )
    assert found == SAMPLE


def test_the_other_system_bucket_keeps_a_week() -> None:
    assert [(bucket.name, bucket.retention_ns) for bucket in SYSTEM_BUCKETS] == [
        ("_tasks", 72 * HOUR_NS),
        ("_monitoring", 168 * HOUR_NS),
    ]


def test_the_key_of_the_index_is_organization_and_name() -> None:
    assert index_key(Id("dd7cd2292f6e974a"), "_tasks") == b"dd7cd2292f6e974a_tasks"


@pytest.mark.parametrize(
    ("retention_ns", "expected"),
    [
        (0, 7 * DAY_NS),
        (HOUR_NS, HOUR_NS),
        (2 * DAY_NS - 1, HOUR_NS),
        (2 * DAY_NS, DAY_NS),
        (180 * DAY_NS - 1, DAY_NS),
        (180 * DAY_NS, 7 * DAY_NS),
    ],
)
def test_the_span_of_a_shard_group_follows_the_retention(retention_ns: int, expected: int) -> None:
    assert shard_group_duration_ns(retention_ns) == expected


@pytest.mark.parametrize(("wanted_ns", "expected"), [(1, HOUR_NS), (3 * HOUR_NS, 3 * HOUR_NS)])
def test_a_wanted_span_is_at_least_an_hour(wanted_ns: int, expected: int) -> None:
    assert shard_group_duration_ns(0, wanted_ns=wanted_ns) == expected


def test_a_rewritten_bucket_keeps_a_retention_policy_and_the_place_of_migrated_fields() -> None:
    stored = (
        b'{"id":"a4400ee87566e12a","rp":"old","updatedAt":"0001-01-01T00:00:00Z",'
        b'"shardGroupDuration":0}'
    )
    found = decode_bucket(stored).rewritten({"shardGroupDuration": HOUR_NS})
    assert found == stored.replace(b'Duration":0', b'Duration":3600000000000')


@pytest.mark.parametrize(
    "document",
    [
        b'{"orgID":"dd7cd2292f6e974a"}',
        b'{"id":"a4400ee87566e12a","orgID":"x"}',
        b'{"id":"a4400ee87566e12a","type":"1"}',
        b'{"id":"a4400ee87566e12a","retentionPeriod":1.5}',
        b'{"id":"a4400ee87566e12a","rp":1}',
    ],
)
def test_a_bucket_that_cannot_be_decoded_is_refused(document: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode_bucket(document)
