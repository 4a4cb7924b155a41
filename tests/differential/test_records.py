"""Records of InfluxDB's metadata: what Go's encoder makes of them is what is stored.

The peer decodes each record into a Go struct with the fields in the server's order, refuses fields
that it does not know, and encodes it again; so equality is byte identity with the server.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bolt_store
from recovery.model.authorization import Authorization, new_authorization
from recovery.model.bucket import encode_bucket
from recovery.model.gojson import format_time
from recovery.model.ids import Id
from recovery.model.mapping import Mapping, encode_mapping
from recovery.model.organization import encode_organization
from recovery.model.permission import Permission
from recovery.model.token import TokenForm
from recovery.model.user import encode_user
from recovery.secret import Secret
from tests.support.oracle import Kind, Oracle

KINDS: dict[bytes, Kind] = {
    b"authorizationsv1": "authorization",
    b"usersv1": "user",
    b"organizationsv1": "org",
    b"userresourcemappingsv1": "mapping",
    b"migrationsv1": "migration",
}

IDS = st.integers(1, (1 << 64) - 1).map(lambda number: Id(f"{number:016x}"))
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\b\f")
"""Without the two that Go writes in another way since 1.22 (short), as newer servers and we do; the
peer is built with Debian's 1.19."""

TEXTS = st.text(CHARACTERS)
TIMES = st.datetimes(datetime(2017, 4, 9), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
    format_time
)
PERMISSIONS = st.builds(
    Permission,
    action=st.sampled_from(["read", "write"]),
    type=st.sampled_from(["buckets", "orgs", "authorizations"]),
    id=st.none() | IDS,
    org_id=st.none() | IDS,
)


def _records(path: Path) -> list[tuple[Kind, bytes]]:
    with bolt_store.open(path) as db, db.view() as tx:
        records = [
            (kind, value) for name, kind in KINDS.items() for value in _values(tx.bucket(name))
        ]
        for value in _values(tx.bucket(b"bucketsv1")):
            is_migrated = value.index(b'"shardGroupDuration"') > value.index(b'"updatedAt"')
            records.append(("migrated-bucket" if is_migrated else "bucket", value))
    return records


def _values(bucket: bolt_store.Bucket) -> list[bytes]:
    return [value for _, value in bucket.items() if value is not None]


@pytest.mark.parametrize("level", [17, 21])
def test_go_writes_every_record_of_a_real_store_as_it_is(
    oracle: Oracle, stores_dir: Path, level: int
) -> None:
    records = _records(stores_dir / f"level{level}.bolt")
    assert len(records) >= level + 4
    assert [record for _, record in records] == oracle.rewrite_records(records)


@given(user=st.builds(encode_user, user_id=IDS, name=TEXTS))
def test_go_writes_our_user_as_we_do(oracle: Oracle, user: bytes) -> None:
    assert [user] == oracle.rewrite_records([("user", user)])


@given(
    organization=st.builds(
        encode_organization, org_id=IDS, name=TEXTS, description=TEXTS, now=TIMES
    )
)
def test_go_writes_our_organization_as_we_do(oracle: Oracle, organization: bytes) -> None:
    assert [organization] == oracle.rewrite_records([("org", organization)])


@given(
    bucket=st.builds(
        encode_bucket,
        bucket_id=IDS,
        org_id=IDS,
        kind=st.sampled_from([0, 1]),
        name=TEXTS,
        description=TEXTS,
        retention_ns=st.integers(0, (1 << 63) - 1),
        shard_group_ns=st.integers(0, (1 << 63) - 1),
        now=TIMES,
    )
)
def test_go_writes_our_bucket_as_we_do(oracle: Oracle, bucket: bytes) -> None:
    assert [bucket] == oracle.rewrite_records([("bucket", bucket)])


@given(
    mapping=st.builds(
        Mapping,
        user_id=IDS,
        user_type=st.sampled_from(["owner", "member"]),
        resource_type=st.sampled_from(["orgs", "buckets", "instance"]),
        resource_id=IDS,
    )
)
def test_go_writes_our_mapping_as_we_do(oracle: Oracle, mapping: Mapping) -> None:
    document = encode_mapping(mapping)
    assert [document] == oracle.rewrite_records([("mapping", document)])


@given(
    authorization=st.builds(
        new_authorization,
        authorization_id=IDS,
        token=st.text(CHARACTERS, min_size=1).map(Secret),
        form=st.sampled_from([TokenForm.RAW, TokenForm.SHA256]),
        description=TEXTS,
        org_id=IDS,
        user_id=IDS,
        permissions=st.lists(PERMISSIONS, max_size=5),
        now=TIMES,
        status=st.sampled_from(["active", "inactive"]),
    )
)
def test_go_writes_our_authorization_as_we_do(oracle: Oracle, authorization: Authorization) -> None:
    document = authorization.document
    assert [document] == oracle.rewrite_records([("authorization", document)])
