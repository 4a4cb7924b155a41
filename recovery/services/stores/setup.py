"""Set up a new store before the first start of a server.

Lives here: `set_up`, which writes what the server's own set-up writes. Must not live here: the
recipes (`recipes`), anything that changes a store that is there.

Source: InfluxDB v2.9.1 tenant/service_onboarding.go; spec influxdb-metadata sections 4.1 to 4.9 and
11.5.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from recovery.errors import RefusedError, WriteFailedError
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import decode_authorization, encode_authorization
from recovery.model.bucket import TYPE_USER
from recovery.model.display import displayed
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
from recovery.services.changes.sequence import Intent, Recorder, TokenDestination
from recovery.services.tenancy.recipes import (
    BucketWish,
    write_bucket,
    write_empty_store,
    write_organization,
    write_user,
)
from recovery.services.tenancy.user_creation import require_name


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

    def with_secrets(self, *, password: Secret | None, token: Secret | None) -> Self:
        """Return the same with a password and a token."""
        return replace(self, password=password, token=token)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPorts:
    """Time and randomness.

    Attributes:
        clock: The time, for the records.
        rng: Randomness, for IDs.
    """

    clock: Clock
    rng: Rng


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


OPERATION: Final = "setup"


def make_store(
    path: Path,
    wanted: Setup,
    *,
    recorder: Recorder,
    destination: TokenDestination | None,
    shield: Callable[[], AbstractContextManager[None]],
    reason: str | None,
    ports: SetupPorts,
) -> SetupResult:
    """Set up a new store, verify it, record it, and hand its token over.

    Args:
        path: The new file; nothing may be there.
        wanted: What is to be in it.
        recorder: The ledger.
        destination: Where the token goes; None when there is none.
        shield: A context in which Ctrl-C waits.
        reason: Why, for the ledger.
        ports: Time and randomness.

    Returns:
        What was made.

    Raises:
        RecoveryError: It was refused or it failed; nothing is left of it then, but after a failed
            delivery, whose error names the authorization.
    """
    require_wanted(wanted)
    if destination is not None:
        destination.open()
    try:
        with shield():
            made = set_up(path, wanted, clock=ports.clock, rng=ports.rng)
    except BaseException:
        if destination is not None:
            destination.discard()
        raise
    try:
        _require_found(path, wanted, made)
        _record(recorder, path, made, reason)
    except BaseException:
        path.unlink()
        if destination is not None:
            destination.discard()
        raise
    if destination is not None and wanted.token is not None and made.authorization_id is not None:
        destination.deliver(wanted.token, record_id=made.authorization_id)
    return made


def _require_found(path: Path, wanted: Setup, made: SetupResult) -> None:
    """Open the new store as a reader does, and look for the user and the token in it."""
    with MetaStore.open(path, write=False) as store:
        store.require_sound()
        with store.view() as tx:
            user_id = tx.users.indexed_id(wanted.username)
            found = None if wanted.token is None else tx.authorizations.find(wanted.token)
    token_id = None if found is None else found.id
    if user_id != made.user_id or token_id != made.authorization_id:
        raise WriteFailedError(
            path=displayed(str(path)),
            problem="what was written is not what is read back",
            outcome="unchanged",
            hint="look at the disk of that file, and try again",
        )


def _record(recorder: Recorder, path: Path, made: SetupResult, reason: str | None) -> None:
    status = path.stat()
    ids = [made.user_id, made.organization_id, made.bucket_id]
    if made.authorization_id is not None:
        ids.append(made.authorization_id)
    intent = Intent(
        operation=OPERATION,
        store_path=path,
        device=status.st_dev,
        inode=status.st_ino,
        record_ids=tuple(ids),
        backup_path=None,
        reason=reason,
    )
    recorder.prepare(intent)
    recorder.conclude(recorder.intend(intent, txid_before=None), "done", txid_after=None)


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
    if wanted.bucket.startswith("_") or '"' in wanted.bucket:
        raise RefusedError(
            reason="the name of a bucket cannot begin with _ or hold a quotation mark",
            hint="give it another name",
        )
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
