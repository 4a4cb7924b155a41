"""Set up a new store before the first start of a server.

Lives here: `proposed_setup`, which writes what the server's own set-up writes. Must not live here:
the recipes (`recipes`), anything that changes a store that is there, and the order of the steps,
which is that of every change (`recovery.services.changes.sequence`).

Invariants: the new file has its name only once all is in it and proven. What fails, the delivery of
its token included, leaves nothing behind.

Source: InfluxDB v2.9.1 tenant/service_onboarding.go; spec influxdb-metadata sections 4.1 to 4.9 and
11.5.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec.structs import replace

from recovery.errors import RefusedError
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import decode_authorization, encode_authorization
from recovery.model.bucket import TYPE_USER
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.model.mapping import instance_owner
from recovery.model.organization import index_name
from recovery.model.password import hash_password, require_acceptable
from recovery.model.permission import operator_permissions
from recovery.model.schema import LEVEL_MAX, versions_of_level
from recovery.model.token import hash_token
from recovery.new_file import StagedFile
from recovery.ports import Clock, Rng
from recovery.secret import Secret
from recovery.services.changes.plan import Manner, Plan, Proposal, WorkFile
from recovery.services.changes.work import OfNewFile
from recovery.services.store_facts import StoreFacts
from recovery.services.tenancy.user_creation import require_name
from recovery.services.tenancy.writing import (
    BucketWish,
    write_bucket,
    write_empty_store,
    write_organization,
    write_user,
)

OPERATION: Final = "setup"


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a new store is to hold.

    Attributes:
        username: The first user, who owns the organization and the instance.
        password: Its password, or None for none.
        retention_ns: How long data stay in it, in nanoseconds; 0 forever.
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


class SetupResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was made.

    Attributes:
        authorization_id: The operator token; None when none was wanted.
    """

    path: Path
    user_id: Id
    organization_id: Id
    bucket_id: Id
    authorization_id: Id | None


class SetupProposal(Proposal, frozen=True, kw_only=True):
    """A new store that is complete and has not got its name yet."""

    made: SetupResult


@contextmanager
def proposed_setup(
    path: Path, wanted: Setup, *, manner: Manner, clock: Clock, rng: Rng
) -> Iterator[SetupProposal]:
    """Make a new store of level 21 that a server takes for set up, under another name at first.

    Args:
        manner: Why; it is neither a dry run nor a copy.

    Yields:
        What `recovery.services.changes.sequence.carry_out` takes; at the end of the block nothing
        is left of what did not come about.

    Raises:
        RefusedError: A name cannot be one.
    """
    require_wanted(wanted)
    target = path.absolute()
    with _made(target, wanted, clock=clock, rng=rng) as (new, made):
        facts = _facts_of(path, target, new.path)
        plan = _plan(wanted, made)
        yield SetupProposal(
            plan=plan,
            store=facts,
            work=NewStore(facts, new, plan),
            manner=manner,
            made=made,
        )


@contextmanager
def _made(
    target: Path, wanted: Setup, *, clock: Clock, rng: Rng
) -> Iterator[tuple[StagedFile, SetupResult]]:
    """Make the file, and remove it at the end unless it got its name."""
    ids = IdSource(clock, rng)
    made: list[SetupResult] = []

    def fill(tx: MetaTx) -> None:
        now = format_time(clock.now())
        write_empty_store(tx, level=LEVEL_MAX, ids=ids, rng=rng, now=now)
        made.append(_fill(tx, target, wanted, ids=ids, now=now))

    with StagedFile(target) as new:
        MetaStore.create(new.path, level=LEVEL_MAX, fill=fill)
        yield new, made[-1]


def _facts_of(path: Path, target: Path, made: Path) -> StoreFacts:
    status = made.stat()
    return StoreFacts(
        path=path,
        real_path=target,
        size_bytes=status.st_size,
        device=status.st_dev,
        inode=status.st_ino,
        txid=0,
        level=LEVEL_MAX,
        server_versions=versions_of_level(LEVEL_MAX),
    )


def _plan(wanted: Setup, made: SetupResult) -> Plan:
    ids = [made.user_id, made.organization_id, made.bucket_id]
    if made.authorization_id is not None:
        ids.append(made.authorization_id)

    def nothing(_: MetaTx) -> None:
        return None

    return Plan(
        operation=OPERATION,
        steps=(f"make a new store, {made.path}",),
        facts={
            "user_id": made.user_id,
            "organization_id": made.organization_id,
            "bucket_id": made.bucket_id,
            "authorization_id": made.authorization_id,
        },
        record_ids=tuple(ids),
        apply=nothing,  # all is in the file already
        verify=lambda tx: _what_is_wrong(tx, wanted, made),
        secret=wanted.token,
        subject_id=made.authorization_id,
    )


def _what_is_wrong(tx: MetaTx, wanted: Setup, made: SetupResult) -> str | None:
    """Look for the user and the token as a server does."""
    user_id = tx.users.indexed_id(wanted.username)
    found = None if wanted.token is None else tx.authorizations.find(wanted.token)
    token_id = None if found is None else found.id
    if (user_id, token_id) == (made.user_id, made.authorization_id):
        return None
    return "what was written is not what is read back"


class NewStore(OfNewFile):
    """A new store, until it has its name."""

    txid: Final = 1

    def __init__(self, facts: StoreFacts, new: StagedFile, plan: Plan) -> None:
        self._facts = facts
        self._new = new
        self._plan = plan
        self.target_path = facts.real_path

    def prepare(self, resources: ExitStack, undo: ExitStack) -> WorkFile:  # noqa: ARG002 # of Work
        """Have it removed if it does not come about. As `Work.prepare`."""
        undo.callback(self._new.withdraw)
        return WorkFile(device=self._facts.device, inode=self._facts.inode, txid=None, digest=None)

    def commit(self) -> None:
        """Do nothing: its name makes it."""

    def verify(self) -> str | None:
        """Open it as a reader does. As `Work.verify`."""
        with MetaStore.open(self._new.path, write=False) as store:
            store.require_sound()
            with store.view() as tx:
                return self._plan.verify(tx)

    def publish(self) -> None:
        """Give it its name. As `Work.publish`."""
        self._new.publish()
        self._new.keep()


def require_wanted(wanted: Setup) -> None:
    """Refuse a set-up that a server would refuse, by `RefusedError`."""
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
        tx.passwords.put(user_id, hash_password(wanted.password))
    organization_id = write_organization(
        tx,
        name=index_name(wanted.organization),
        description="",
        owner_id=user_id,
        ids=ids,
        now=now,
    )
    tx.mappings.put(instance_owner(user_id))
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
