"""The first set-up of a store, which a server has made or we have.

Lives here: `SetUpStore`, and `first_setup`, which makes one of what a person wants. Must not live
here: a new file (`recovery.services.stores.setup`).

Invariants: all that is wanted is looked at before anything is written, and all is written in one
transaction: where the server leaves a user behind that nobody can sign in as, this leaves nothing.

Source: InfluxDB v2.9.1 tenant/service_onboarding.go; spec admin-daemon 1.6 and 1.13.
"""

from typing import ClassVar

import msgspec

from recovery.errors import ConflictError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    Authorization,
    new_authorization,
)
from recovery.model.bucket import TYPE_USER
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.model.mapping import instance_owner
from recovery.model.organization import index_name
from recovery.model.password import hash_password, require_acceptable
from recovery.model.permission import LEVEL_INSTANCE, operator_permissions
from recovery.ports import Clock, Rng
from recovery.remedy import Run
from recovery.secret import Secret
from recovery.services.authorizations.new_token import FormChoice, chosen_form
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.bucket_changes import require_times
from recovery.services.tenancy.choosing import cut_name
from recovery.services.tenancy.user_creation import require_name
from recovery.services.tenancy.writing import BucketWish, write_bucket, write_organization


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a store that is set up is to hold.

    Attributes:
        username: The first user, who owns the organization and the instance.
        password: Its password, or None for none.
        retention_ns: How long data stay in it, in nanoseconds; 0 forever.
        token: The operator token; None for no token.
    """

    username: str
    password: Secret | None
    organization: str
    bucket: str
    retention_ns: int
    token: Secret | None


class SetUpStore(msgspec.Struct, frozen=True, kw_only=True):
    """The first user, organization, bucket and operator token.

    Attributes:
        username: The user, who owns the organization and the instance.
        organization: The organization, as it is to be stored.
        retention_ns: How long data stay in it, in nanoseconds; 0 forever.
        is_delivered: Whether it is handed over once it is in force; else its maker has it already.
    """

    operation: ClassVar[str] = "setup"

    username: str
    password_hash: Secret | None
    organization: str
    bucket: str
    retention_ns: int
    token: Secret | None
    is_delivered: bool = False
    server_hashes: bool | None
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Plan what the server's set-up writes.

        Returns:
            The four records with all that belongs to them.

        Raises:
            ConflictError: It is set up.
            RefusedError: The times do not go together, or no ID is free.
        """
        require_empty(store)
        require_times(self.retention_ns, 0)
        ids = IdSource(self.clock, self.rng)
        user_id = unused(ids.snowflake, store.users.has_id)
        org_id = unused(ids.random, store.organizations.has_id)
        bucket_id = unused(ids.random, store.buckets.has_id)
        authorization = None
        if self.token is not None:
            authorization = self._authorization(store, self.token, ids, org_id, user_id)
        token_ids = () if authorization is None else (authorization.id,)

        def apply(tx: MetaTx) -> None:
            now = format_time(self.clock.now())
            tx.users.insert(user_id, self.username)
            if self.password_hash is not None:
                tx.passwords.put(user_id, self.password_hash)
            write_organization(
                tx, name=self.organization, description="", owner_id=user_id, ids=ids, now=now,
                org_id=org_id,
            )  # fmt: skip
            if store.level >= LEVEL_INSTANCE:
                tx.mappings.put(instance_owner(user_id))
            wish = BucketWish(
                name=self.bucket,
                description="",
                kind=TYPE_USER,
                retention_ns=self.retention_ns,
                bucket_id=bucket_id,
            )
            write_bucket(tx, wish, org_id=org_id, ids=ids, now=now)
            if authorization is not None:
                tx.authorizations.insert(authorization)

        return Plan(
            operation=self.operation,
            steps=(
                f"add the user {cut_name(self.username)}, an owner of the instance",
                f"add the organization {cut_name(self.organization)}, which it owns",
                f"add the bucket {cut_name(self.bucket)}"
                + (" and an operator token" if token_ids else ""),
            ),
            facts={
                "user_id": user_id,
                "organization_id": org_id,
                "bucket_id": bucket_id,
                "authorization_id": next(iter(token_ids), None),
            },
            record_ids=(user_id, org_id, bucket_id, *token_ids),
            apply=apply,
            verify=lambda tx: self._what_is_wrong(tx, user_id, authorization),
            secret=self.token if self.is_delivered else None,
            subject_id=next(iter(token_ids), None),
        )

    def _authorization(
        self, store: MetaTx, token: Secret, ids: IdSource, org_id: Id, user_id: Id
    ) -> Authorization:
        return new_authorization(
            authorization_id=unused(ids.snowflake, store.authorizations.has_id),
            token=token,
            form=chosen_form(store, FormChoice.BY_STORE, server_hashes=self.server_hashes),
            description=f"{self.username}'s Token",
            org_id=org_id,
            user_id=user_id,
            permissions=operator_permissions(store.level),
            now=format_time(self.clock.now()),
        )

    def _what_is_wrong(self, tx: MetaTx, user_id: Id, planned: Authorization | None) -> str | None:
        found = None if self.token is None else tx.authorizations.find(self.token)
        if planned is not None and (found is None or found.document != planned.document):
            return "a server would not find the token"
        if tx.users.indexed_id(self.username) != user_id:
            return "a server would not find the user"
        return None


def first_setup(wanted: Setup, *, server_hashes: bool | None, clock: Clock, rng: Rng) -> SetUpStore:
    """Plan to set up a store, with a token to hand over; `RefusedError` for what is no name."""
    _require_wanted(wanted)
    return SetUpStore(
        username=wanted.username,
        password_hash=None if wanted.password is None else hash_password(wanted.password),
        organization=index_name(wanted.organization),
        bucket=wanted.bucket,
        retention_ns=wanted.retention_ns,
        token=wanted.token,
        is_delivered=True,
        server_hashes=server_hashes,
        clock=clock,
        rng=rng,
    )


def _require_wanted(wanted: Setup) -> None:
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


def require_empty(store: MetaTx) -> None:
    """Refuse, by `ConflictError`, a store that somebody has set up."""
    if not is_empty(store):
        raise ConflictError(kind="set-up", name="", hint=Run("user list", "to see who is there"))


def is_empty(store: MetaTx) -> bool:
    """Tell whether a server would let anybody set it up: no user and no organization decodes."""
    return (
        next(store.users.walk([]), None) is None
        and next(store.organizations.walk([]), None) is None
    )
