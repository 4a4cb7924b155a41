"""Pieces that several commands write: users, organizations with all that belongs to them, tokens.

Lives here: functions that write one thing with everything that the server needs beside it. Must not
live here: checks of what was asked for, confirmation, backups.

Invariants: each function leaves the store so that influxd starts on it and finds what was written.
They write within the transaction of the caller and commit nothing.

Source: spec influxdb-metadata section 14, recipes R1, R3, R5 and R6; sections 4.1 and 4.9.
"""

from collections.abc import Callable, Sequence

import msgspec

from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import (
    SYSTEM_BUCKETS,
    TYPE_SYSTEM,
    encode_bucket,
    shard_group_duration_ns,
)
from recovery.model.catalogue import (
    CatalogueError,
    Policy,
    empty_catalogue,
    with_database,
)
from recovery.model.ids import Id, IdSource, unused
from recovery.model.mapping import OWNER, organization_role
from recovery.model.schema import buckets_of_level
from recovery.model.shard_groups import ShardGroup
from recovery.ports import Rng

INSTANCE_ID_TABLE = "idsv1"
INSTANCE_ID_KEY = b"id"
SOURCES_TABLE = "sourcesv1"
DEFAULT_SOURCE_ID = Id("020f755c3c082000")
_DEFAULT_SOURCE = (
    b'{"id":"020f755c3c082000","orgID":"50616e67652c206c","default":true,"name":"autogen",'
    b'"type":"self","url":"","telegraf":"","token":"","defaultRP":""}'
)


class BucketWish(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket to be made.

    Attributes:
        kind: 0 for a user's bucket, 1 for a system bucket.
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        bucket_id: A free ID that it has already, maybe with a catalogue entry, which is kept; None
            to draw one.
        shard_group_ns: Its shard group duration; None for what the server would choose.
        groups: Shard groups that it has already.
        policy_name: Name of a retention policy of 1.x, kept with it; empty for none.
    """

    name: str
    description: str
    kind: int
    retention_ns: int
    bucket_id: Id | None = None
    shard_group_ns: int | None = None
    groups: tuple[ShardGroup, ...] = ()
    policy_name: str = ""


SYSTEM_WISHES = tuple(
    BucketWish(
        name=system.name,
        description=system.description,
        kind=TYPE_SYSTEM,
        retention_ns=system.retention_ns,
    )
    for system in SYSTEM_BUCKETS
)
"""The system buckets as the server makes them."""


def write_empty_store(tx: MetaTx, *, level: int, ids: IdSource, rng: Rng, now: str) -> None:
    """Write what a server does before any set-up; `StoreDamagedError` if the file is not new."""
    for name in sorted(buckets_of_level(level)):
        tx.create_table(name)
    for ordinal in range(1, level + 1):
        tx.migrations.insert(ordinal, now)
    tx.table(INSTANCE_ID_TABLE).put(INSTANCE_ID_KEY, ids.snowflake().encode())
    write_default_source(tx)
    tx.catalogue.write(empty_catalogue(rng))


def write_default_source(tx: MetaTx) -> None:
    """Write the source that the first migration makes, as every version of the server has it.

    Source: InfluxDB v2.9.1 kv/source.go, DefaultSource; the bytes are those of 2.7.12 and 2.9.1.
    """
    tx.table(SOURCES_TABLE).put(DEFAULT_SOURCE_ID.encode(), _DEFAULT_SOURCE)


def write_user(tx: MetaTx, *, name: str, ids: IdSource) -> Id:
    """Write an active user of a free name (R3), or raise `RefusedError`; it has no password."""
    user_id = unused(ids.snowflake, tx.users.has_id)
    tx.users.insert(user_id, name)
    return user_id


def write_organization(
    tx: MetaTx,
    *,
    name: str,
    description: str,
    owner_id: Id | None,
    ids: IdSource,
    now: str,
    org_id: Id | None = None,
    system_buckets: Sequence[BucketWish] | None = None,
) -> Id:
    """Write an organization with its system buckets, their catalogue entries and an owner (R6).

    Without the catalogue entries the server would exit at its next start.

    Args:
        org_id: A free ID that was drawn before; None to draw one.
        system_buckets: Those of them that it does not have; None for new ones.

    Raises:
        RefusedError: The name does not fit into a key, or no ID is free.
    """
    if org_id is None:
        org_id = unused(ids.random, tx.organizations.has_id)
    tx.organizations.insert(org_id, name=name, description=description, now=now)
    for wish in SYSTEM_WISHES if system_buckets is None else system_buckets:
        write_bucket(tx, wish, org_id=org_id, ids=ids, now=now)
    if owner_id is not None:
        write_role(tx, org_id=org_id, user_id=owner_id, role=OWNER)
    return org_id


def write_bucket(tx: MetaTx, wish: BucketWish, *, org_id: Id, ids: IdSource, now: str) -> Id:
    """Write a bucket of a free name with its catalogue entry, or raise `RefusedError`."""
    bucket_id = wish.bucket_id or unused(ids.random, tx.buckets.has_id)
    shard_group_ns = wish.shard_group_ns or shard_group_duration_ns(wish.retention_ns)
    document = encode_bucket(
        bucket_id=bucket_id,
        org_id=org_id,
        kind=wish.kind,
        name=wish.name,
        description=wish.description,
        retention_ns=wish.retention_ns,
        shard_group_ns=shard_group_ns,
        now=now,
        policy_name=wish.policy_name,
    )
    tx.buckets.insert(bucket_id, org_id, wish.name, document)

    def extended(catalogue: bytes) -> bytes:
        if wish.bucket_id is not None and tx.catalogue.decoded().database(bucket_id):
            return catalogue
        return with_database(
            catalogue,
            name=bucket_id,
            retention_ns=wish.retention_ns,
            shard_group_ns=shard_group_ns,
            groups=wish.groups,
        )

    change_catalogue(tx, extended)
    return bucket_id


def policy_of(tx: MetaTx, bucket_id: Id) -> Policy | None:
    """Give what the engine's catalogue says of a bucket; None when it says nothing."""
    try:
        found = tx.catalogue.decoded().database(bucket_id)
    except CatalogueError:
        return None
    return None if found is None else found.policy


def change_catalogue(tx: MetaTx, change: Callable[[bytes], bytes]) -> None:
    """Rewrite the catalogue; `StoreDamagedError` for a missing one, or for `CatalogueError`."""
    catalogue = tx.catalogue.read()
    if catalogue is None:
        raise tx.damaged("has no catalogue of the storage engine")
    try:
        changed = change(catalogue)
    except CatalogueError as error:
        raise tx.damaged(f"has a catalogue that cannot be changed ({error})") from error
    if changed != catalogue:
        tx.catalogue.write(changed)


def write_role(tx: MetaTx, *, org_id: Id, user_id: Id, role: str) -> None:
    """Make a user `OWNER` or `MEMBER` of an organization, in the place of another role (R5)."""
    tx.mappings.put(organization_role(user_id, org_id, role))
