"""Set up a new store before the first start of a server.

Lives here: `set_up`, which writes what the server's own set-up writes. Must not live here: the
recipes (`recipes`), anything that changes a store that is there.

Source: InfluxDB v2.9.1 tenant/service_onboarding.go; spec influxdb-metadata sections 4.1 to 4.9 and
11.5.
"""

from dataclasses import dataclass
from pathlib import Path

from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import decode_authorization, encode_authorization
from recovery.model.bucket import TYPE_USER
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.model.mapping import INSTANCE, INSTANCE_ID, OWNER, Mapping
from recovery.model.organization import index_name
from recovery.model.password import hash_password, require_acceptable
from recovery.model.permission import operator_permissions
from recovery.model.schema import LEVEL_MAX
from recovery.model.token import hash_token
from recovery.ports import Clock, Rng
from recovery.secret import Secret
from recovery.services.recipes import (
    BucketWish,
    write_bucket,
    write_empty_store,
    write_organization,
    write_user,
)
from recovery.services.user_creation import require_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a new store is to hold.

    Attributes:
        username: The first user, who owns the organization and the instance.
        password: Its password, or None for none.
        organization: The first organization.
        bucket: The first bucket.
        retention_ns: How long data stay in it, in nanoseconds; 0 for ever.
        token: The operator token, stored as a hash; None for no token.
    """

    username: str
    password: Secret | None
    organization: str
    bucket: str
    retention_ns: int
    token: Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupResult:
    """What was made.

    Attributes:
        path: The new store.
        user_id: The user.
        organization_id: The organization.
        bucket_id: The bucket.
        authorization_id: The operator token; None when none was wanted.
    """

    path: Path
    user_id: Id
    organization_id: Id
    bucket_id: Id
    authorization_id: Id | None


def set_up(path: Path, wanted: Setup, *, clock: Clock, rng: Rng) -> SetupResult:
    """Make a new store of level 21 that a server takes for set up.

    Args:
        path: The new file; nothing may be there.
        wanted: What is to be in it.
        clock: The time, for the records.
        rng: Randomness, for IDs.

    Returns:
        What was made.

    Raises:
        ConflictError: Something is there; it is left alone.
        PasswordError: The password breaks a rule of the server.
        RefusedError: A name cannot be one.
        StoreAccessError: This user may not make it.
        WriteFailedError: It cannot be written; nothing is left of it.
    """
    require_wanted(wanted)
    ids = IdSource(clock, rng)
    made: list[SetupResult] = []

    def fill(tx: MetaTx) -> None:
        now = format_time(clock.now())
        write_empty_store(tx, level=LEVEL_MAX, ids=ids, rng=rng, now=now)
        made.append(_fill(tx, path, wanted, ids=ids, now=now))

    MetaStore.create(path, level=LEVEL_MAX, fill=fill)
    return made[-1]


def require_wanted(wanted: Setup) -> None:
    """Refuse a set-up that a server would refuse.

    Raises:
        PasswordError: The password breaks a rule of the server.
        RefusedError: A name cannot be one.
    """
    require_name("user", wanted.username)
    require_name("organization", wanted.organization)
    require_name("bucket", wanted.bucket)
    if wanted.password is not None:
        require_acceptable(wanted.password)


def _fill(tx: MetaTx, path: Path, wanted: Setup, *, ids: IdSource, now: str) -> SetupResult:
    """Write what the server's set-up writes, all in one transaction."""
    user_id = write_user(tx, name=wanted.username, ids=ids)
    if wanted.password is not None:
        tx.passwords.put(user_id, Secret(hash_password(wanted.password).decode()))
    organization_id = write_organization(
        tx,
        name=index_name(wanted.organization),
        description="",
        owner_id=user_id,
        ids=ids,
        now=now,
    )
    tx.mappings.put(
        Mapping(
            user_id=user_id,
            user_type=OWNER,
            resource_type=INSTANCE,
            resource_id=INSTANCE_ID,
        )
    )
    wish = BucketWish(
        name=wanted.bucket, description="", kind=TYPE_USER, retention_ns=wanted.retention_ns
    )
    bucket_id = write_bucket(tx, wish, org_id=organization_id, ids=ids, now=now)
    authorization_id = None
    if wanted.token is not None:
        authorization_id = unused(ids.snowflake, tx.authorizations.has_id)
        document = encode_authorization(
            authorization_id=authorization_id,
            token=None,
            hashed_token=hash_token(wanted.token),
            description=f"{wanted.username}'s Token",
            org_id=organization_id,
            user_id=user_id,
            permissions=operator_permissions(LEVEL_MAX),
            now=now,
        )
        tx.authorizations.insert(decode_authorization(document))
    return SetupResult(
        path=path,
        user_id=user_id,
        organization_id=organization_id,
        bucket_id=bucket_id,
        authorization_id=authorization_id,
    )
