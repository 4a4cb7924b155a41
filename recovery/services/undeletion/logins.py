"""Bring a deleted 1.x-compatible authorization back, so that its user name and password work again.

Lives here: `UndeleteLogin`, a planner, and `list_deleted_logins`. Must not live here: where what
was deleted is looked for (`traces`).

Invariants: the record goes back byte for byte, under its ID, with the entry of its user name and
with the hash of its password as it was found. A user name that leads to another one is not taken
away from it.

Source: InfluxDB v2.9.1 v1/authorization/storage.go (CreateAuthorization); spec influxdb-metadata
sections 4.7 and 5.5.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

import msgspec
from msgspec.structs import asdict

from recovery.errors import RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.ids import parse_id
from recovery.remedy import Input, Run
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import cut_name
from recovery.services.undeletion.tokens import (
    DeletedAuthorization,
    Obstacle,
    deleted_authorization,
    missing_owner,
)
from recovery.services.undeletion.traces import LoginTrace, Place, Traces, only_one

LISTING: Final = Run("v1-auth undelete", "to see what can be brought back")
NEW_LOGIN: Final = Run("v1-auth create", "to make a new one")


class DeletedLogin(DeletedAuthorization, frozen=True, kw_only=True):
    """A 1.x-compatible authorization that is not in the store any more.

    Attributes:
        username: The 1.x user name, not escaped.
        has_password: Whether a password was found with it, and only one.
    """

    username: str
    has_password: bool


def list_deleted_logins(
    store: MetaTx, traces: Traces, deletions: Mapping[str, str]
) -> Iterator[DeletedLogin]:
    """Say of each deleted 1.x authorization, by ID, what it is, and whether it can return."""
    for _, found in sorted(traces.logins.items()):
        obstacle = _obstacle_to(store, found[0], traces)
        yield DeletedLogin(
            **asdict(deleted_authorization(store, traces, found, deletions, obstacle)),
            username=found[0].username,
            has_password=found[0].password is not None,
        )


class UndeleteLogin(msgspec.Struct, frozen=True, kw_only=True):
    """The command `v1-auth undelete`.

    Attributes:
        which: ID or user name.
        traces: What was found of deleted ones.
        is_ensured: Whether it is well when it is there.
    """

    operation: ClassVar[str] = "v1-auth undelete"

    which: str
    traces: Traces
    is_ensured: bool = False

    def plan(self, store: MetaTx) -> Plan:
        """Plan the record, its user name's entry and its password; nothing if it may be there.

        Raises:
            NotFoundError: Nothing of such an authorization was found.
            RefusedError: It is there, its user name is another's, or what it needs is missing.
        """
        present = self._present(store)
        if present is not None:
            if not self.is_ensured:
                raise RefusedError(
                    reason=f"there is a 1.x authorization {present.id} in the store",
                    hint=Run("v1-auth list", "to look at it"),
                )
            return Plan.nothing(
                self.operation,
                "nothing: the authorization is there",
                facts={"authorization_id": present.id},
                record_ids=(present.id,),
            )
        trace = self._found()
        record, password = trace.authorization, trace.password
        obstacle = _obstacle_to(store, trace, self.traces)
        if obstacle is not None:
            raise RefusedError(
                reason=f"1.x authorization {record.id} cannot be brought back: {obstacle.problem}",
                hint=obstacle.remedy,
            )
        name = f"1.x authorization {record.id} (user name {cut_name(trace.username)})"
        steps = [
            f"put {name} back, as it is in {trace.origin}",
            "put its user name back into the index",
        ]
        if password is not None:
            steps.append("put its password back")

        def apply(tx: MetaTx) -> None:
            tx.legacy_authorizations.insert(record)
            if password is not None:
                tx.legacy_authorizations.passwords.put(record.id, password)

        return Plan(
            operation=self.operation,
            steps=tuple(steps),
            facts={
                "authorization_id": record.id,
                "username": trace.username,
                "has_password": password is not None,
                "origins": [str(trace.origin)],
            },
            record_ids=(record.id,),
            warnings=tuple(self._warnings(trace)),
            apply=apply,
            verify=lambda tx: _what_is_wrong(tx, trace),
            afterwards=()
            if password is not None
            else (Run("v1-auth set-password", "to give it a password", {Input.ID: record.id}),),
        )

    def _present(self, store: MetaTx) -> Authorization | None:
        """Find it in the store: by ID, or by name where none of that name is deleted."""
        wanted = parse_id(self.which)
        if wanted is not None and store.legacy_authorizations.has_id(wanted):
            return store.legacy_authorizations.load(wanted)
        if self._named():
            return None
        found = store.legacy_authorizations.indexed_id(self.which)
        return None if found is None else store.legacy_authorizations.get(found)

    def _named(self) -> list[LoginTrace]:
        """Find what the ID or the user name means, of each ID its best state."""
        wanted = parse_id(self.which)
        if wanted is not None and wanted in self.traces.logins:
            return self.traces.logins[wanted][:1]
        states = self.traces.logins.values()
        return [one[0] for one in states if one[0].username == self.which]

    def _found(self) -> LoginTrace:
        names = {one: found[0].username for one, found in self.traces.logins.items()}
        found = {one.authorization.id: one for one in self._named()}
        return only_one(found, "1.x authorization", self.which, names, LISTING)

    def _warnings(self, trace: LoginTrace) -> Iterator[str]:
        if trace.password is None:
            yield "no password was found, or more than one: nobody can log in with it yet"
        else:
            yield "whoever knows its password can log in again"
        if trace.origin.place is Place.FREED:
            yield (
                "freed pages do not tell what was last: a password that was changed before the "
                "deletion may be an older one"
            )
        if not trace.authorization.is_active:
            yield "it was inactive when it was deleted, and still is"


def _obstacle_to(store: MetaTx, trace: LoginTrace, traces: Traces) -> Obstacle | None:
    """Say why a record cannot be brought back; None when it can."""
    records = store.legacy_authorizations.walk([])
    same = (one.id for one in records if one.token and one.token.reveal() == trace.username)
    taken = next(same, None) or store.legacy_authorizations.indexed_id(trace.username)
    if taken is not None:
        way = Run("v1-auth delete", "to delete that one, if it is not needed", {Input.ID: taken})
        return Obstacle(f"1.x authorization {taken} has its user name", way)
    return missing_owner(store, trace.authorization, traces, new=NEW_LOGIN)


def _what_is_wrong(tx: MetaTx, trace: LoginTrace) -> str | None:
    record = trace.authorization
    if not tx.legacy_authorizations.holds(record):
        return f"1.x authorization {record.id} is not as planned"
    if not tx.legacy_authorizations.leads_home(record):
        return f"its user name does not lead to 1.x authorization {record.id}"
    if trace.password is not None and not tx.legacy_authorizations.passwords.has(record.id):
        return "its password is not there"
    return None
