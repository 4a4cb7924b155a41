"""Make and edit users by their parts, as a server's API does.

Lives here: `AddUser`, `EditUser`, `StorePassword`. Must not live here: a user who can work at once
(`recovery.services.tenancy.user_creation`).

Invariants: names are compared as they are, and an index entry of a name counts as taken.

Source: InfluxDB v2.9.1 tenant/storage_user.go (CreateUser, UpdateUser), tenant/service_user.go
(SetPassword); spec admin-daemon 1.9.
"""

from typing import ClassVar

import msgspec

from recovery.errors import ConflictError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id, IdSource, unused
from recovery.model.user import ACTIVE, decode_user
from recovery.ports import Clock, Rng
from recovery.secret import Secret
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import cut_name, differing, require_free, user_of


class AddUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user without password and role.

    Attributes:
        user_id: Its ID; None for a new one.
        status: "active" or "inactive".
        oauth_id: A name elsewhere; empty for none.
    """

    operation: ClassVar[str] = "user create"

    name: str
    user_id: Id | None = None
    status: str = ACTIVE
    oauth_id: str = ""
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Plan one new record, of a new ID or the given one, with its index entry.

        Raises:
            RefusedError: The name is empty.
        """
        _require_free_name(store, self.name)
        if self.user_id is not None and store.users.has_id(self.user_id):
            raise ConflictError(kind="user", name=self.user_id, hint="choose another ID")
        made = self.user_id or unused(IdSource(self.clock, self.rng).snowflake, store.users.has_id)
        return Plan(
            operation=self.operation,
            steps=(f"add the user {cut_name(self.name)} ({self.status}) as {made}",),
            facts={"user_id": made, "user": self.name},
            record_ids=(made,),
            apply=lambda tx: tx.users.insert(
                made, self.name, status=self.status, oauth_id=self.oauth_id
            ),
            verify=lambda tx: _is_lost(tx, made, self.name),
        )


class EditUser(msgspec.Struct, frozen=True, kw_only=True):
    """Another name or status of a user, or both in one change.

    Attributes:
        name: The new name; None to keep it.
        status: The new status; None to keep it.
    """

    operation: ClassVar[str] = "user update"

    user_id: Id
    name: str | None = None
    status: str | None = None

    def plan(self, store: MetaTx) -> Plan:
        """Plan one record and its index entry rewritten, or nothing; `RefusedError` for no name."""
        before = user_of(store, self.user_id)
        changes = differing(before, name=self.name, status=self.status)
        if "name" in changes:
            _require_free_name(store, self.name or "")
        name = cut_name(before.name)
        if not changes:
            return Plan.nothing(
                self.operation,
                f"user {name} is as wanted",
                facts={"user_id": before.id},
                record_ids=(before.id,),
            )
        after = decode_user(before.rewritten(changes))

        def verify(tx: MetaTx) -> str | None:
            if not tx.users.holds(after):
                return "the user is not as planned"
            return _is_lost(tx, after.id, after.name) if "name" in changes else None

        return Plan(
            operation=self.operation,
            steps=(f"change {' and '.join(sorted(changes))} of user {name}",),
            facts={"user_id": before.id, "fields": sorted(changes)},
            record_ids=(before.id,),
            apply=lambda tx: tx.users.update(before, after),
            verify=verify,
        )


class StorePassword(msgspec.Struct, frozen=True, kw_only=True):
    """A password of a user, hashed before.

    Attributes:
        password_hash: Its bcrypt hash.
    """

    operation: ClassVar[str] = "user update"

    user_id: Id
    password_hash: Secret

    def plan(self, store: MetaTx) -> Plan:
        """Plan one key: the new password."""
        user = user_of(store, self.user_id)

        def verify(tx: MetaTx) -> str | None:
            if not tx.passwords.holds(user.id, self.password_hash):
                return "the password that was stored is not the one that was given"
            return None

        return Plan(
            operation=self.operation,
            steps=(f"set the password of user {cut_name(user.name)}, as a bcrypt hash",),
            facts={"user_id": user.id, "user": user.name},
            record_ids=(user.id,),
            apply=lambda tx: tx.passwords.put(user.id, self.password_hash),
            verify=verify,
        )


def _require_free_name(store: MetaTx, name: str) -> None:
    if not name:
        raise RefusedError(reason="the name of the user is empty", hint="give it a name")
    require_free("user", name, store.users.indexed_id(name))


def _is_lost(tx: MetaTx, user_id: Id, name: str) -> str | None:
    found = tx.users.get(user_id)
    if found is None or found.name != name or tx.users.indexed_id(name) != user_id:
        return "a server would not find the user by its name"
    return None
