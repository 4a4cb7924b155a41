"""Bring a deleted user back, with password and roles.

Lives here: `UndeleteUser`, a planner, and `list_deleted_users`. Must not live here: where what was
deleted is looked for (`traces`).

Invariants: the record goes back byte for byte, under its ID and its name. A role goes back only
where its resource is still there and the user has no other role in it.

Source: InfluxDB v2.9.1 tenant/storage_user.go (CreateUser), tenant/storage_urm.go; spec
influxdb-metadata sections 4.2 and 4.5.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from recovery.errors import RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import INACTIVE, Authorization
from recovery.model.display import with_article
from recovery.model.ids import Id
from recovery.model.mapping import INSTANCE, ORGS, RESOURCE_TABLES
from recovery.model.mapping import Mapping as Role
from recovery.remedy import Input, Run
from recovery.services.authorizations.changes import differs
from recovery.services.authorizations.token_owners import TokenOwners
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import UserChoice, cut_name
from recovery.services.tenancy.user_creation import id_of_name
from recovery.services.undeletion.tokens import (
    WORKS_AGAIN,
    obstacle_to,
    restore,
    restoring_steps,
)
from recovery.services.undeletion.traces import (
    Deleted,
    Place,
    TokenTrace,
    Traces,
    UserTrace,
    only_one,
)

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts

LISTING: Final = Run("user undelete", "to see who can be brought back")
UNSURE: Final = (
    "freed pages do not tell what was last: a password or a role that was changed before the user "
    "was deleted may be an older one"
)


class DeletedUser(Deleted, frozen=True, kw_only=True):
    """A user that is not in the store any more.

    Attributes:
        name: As stored, not escaped.
        status: As stored.
        has_password: Whether a password was found with it, and only one.
        roles: Its roles, as "owner of acme".
        token_ids: Its authorizations that were found deleted, too.
    """

    name: str
    status: str
    has_password: bool
    roles: tuple[str, ...]
    token_ids: tuple[str, ...]

    @property
    def would_get_in(self) -> bool:
        """Whether it can be brought back, and would sign in and see something then."""
        is_able = self.has_password and bool(self.roles) and self.status != INACTIVE
        return is_able and self.because is None


def list_deleted_users(
    store: MetaTx, traces: Traces, deletions: Mapping[str, str]
) -> Iterator[DeletedUser]:
    """Say of each deleted user, by ID, what it is, and whether it can be brought back."""
    for one, found in sorted(traces.users.items()):
        best = found[0]
        taken = id_of_name(store, best.user.name)
        yield DeletedUser(
            id=one,
            name=best.user.name,
            status=best.user.status,
            has_password=best.password is not None,
            roles=tuple(_role_text(store, role) for role in best.roles),
            token_ids=tuple(trace.authorization.id for trace in _tokens_of(traces, one)),
            place=best.origin.place,
            source_path=best.origin.path,
            source_made_at=best.origin.made_at,
            version_count=len(found),
            deleted_by=deletions.get(one),
            because=None if taken is None else f"user {taken} has its name",
        )


class UndeleteUser(msgspec.Struct, frozen=True, kw_only=True):
    """The command `user undelete`.

    Attributes:
        traces: What was found of deleted ones.
        with_tokens: Whether its deleted authorizations come back, too.
        is_ensured: Whether it is well when the user is there.
    """

    operation: ClassVar[str] = "user undelete"

    user: UserChoice
    traces: Traces
    with_tokens: bool
    is_ensured: bool = False

    def plan(self, store: MetaTx) -> Plan:
        """Plan the user with all that is wanted; `RefusedError` if its ID or name is there."""
        present = self._present(store)
        if present is not None:
            if self.is_ensured:
                return Plan.nothing(
                    self.operation,
                    "nothing: the user is there",
                    facts={"user_id": present},
                    record_ids=(present,),
                )
            raise RefusedError(
                reason=f"there is a user {present} in the store",
                hint=Run("user show", "to look at it", {Input.ID: present}),
            )
        trace = self._found()
        user = trace.user
        taken = id_of_name(store, user.name)
        if taken is not None:
            raise RefusedError(
                reason=f"user {cut_name(user.name)} cannot be brought back: user {taken} has its "
                "name",
                hint=Run("user rename", "to give that one another name first", {Input.ID: taken}),
            )
        roles = tuple(role for role in trace.roles if _is_possible(store, role))
        tokens = self._tokens(store, user.id) if self.with_tokens else ()
        records = tuple(one.authorization for one in tokens)
        facts: PlanFacts = {
            "user_id": user.id,
            "user": user.name,
            "has_password": trace.password is not None,
            "authorization_ids": [one.id for one in records],
            "with_tokens": self.with_tokens,
            "origins": [str(trace.origin), *(str(one.origin) for one in tokens)],
        }

        def apply(tx: MetaTx) -> None:
            tx.users.restore(user)
            if trace.password is not None:
                tx.passwords.put(user.id, trace.password)
            for role in roles:
                tx.mappings.put(role)
            restore(tx, records)

        return Plan(
            operation=self.operation,
            steps=tuple(self._steps(store, trace, roles, tokens)),
            facts=facts,
            record_ids=(user.id, *(one.id for one in records)),
            warnings=tuple(self._warnings(store, trace, roles, records)),
            apply=apply,
            verify=lambda tx: self._what_is_wrong(tx, trace, roles, records),
            afterwards=()
            if trace.password is not None
            else (Run("user update", "to give it a password", {Input.ID: user.id}),),
        )

    def _present(self, store: MetaTx) -> Id | None:
        """Find the user in the store: by ID, or by name where none of that name is deleted."""
        if self.user.user_id is not None:
            return self.user.user_id if store.users.has_id(self.user.user_id) else None
        name = self.user.name or ""
        if any(one.user.name == name for found in self.traces.users.values() for one in found):
            return None
        return id_of_name(store, name)

    def _found(self) -> UserTrace:
        everybody = self.traces.users
        if self.user.user_id is not None:
            found = everybody.get(self.user.user_id, [])[:1]
        else:
            named = (
                [one for one in states if one.user.name == self.user.name]
                for states in everybody.values()
            )
            found = [states[0] for states in named if states]
        names = {key: one[0].user.name for key, one in everybody.items()}
        by_id = {one.user.id: one for one in found}
        return only_one(by_id, "user", self.user.user_id or self.user.name or "", names, LISTING)

    def _tokens(self, store: MetaTx, user_id: Id) -> tuple[TokenTrace, ...]:
        owners = TokenOwners(store)
        return tuple(
            one
            for one in _tokens_of(self.traces, user_id)
            if obstacle_to(store, one.authorization, owners, self.traces, returning_user=user_id)
            is None
        )

    def _steps(
        self,
        store: MetaTx,
        trace: UserTrace,
        roles: tuple[Role, ...],
        tokens: tuple[TokenTrace, ...],
    ) -> Iterator[str]:
        name = cut_name(trace.user.name)
        yield f"put user {name} ({trace.user.id}) back, as it is in {trace.origin}"
        if trace.password is not None:
            yield "put its password back"
        for role in trace.roles:
            if role in roles:
                yield f"make it {with_article(_role_text(store, role))}"
            elif _is_there(store, role):
                yield f"leave the role that is still there (before: {_role_text(store, role)})"
        for one in tokens:
            record = one.authorization
            text = f"API token {record.id} ({cut_name(record.description) or 'no description'})"
            yield from restoring_steps(text, one)

    def _warnings(
        self,
        store: MetaTx,
        trace: UserTrace,
        roles: tuple[Role, ...],
        records: tuple[Authorization, ...],
    ) -> Iterator[str]:
        user = trace.user
        if trace.origin.place is Place.FREED:
            yield UNSURE
        if trace.password is None:
            yield "no password was found, or more than one: the user cannot sign in yet"
        if user.is_inactive:
            yield "the user was inactive when it was deleted, and still is"
        if not roles and not any(_is_there(store, role) for role in trace.roles):
            yield "no role of it can be given back: it will belong to no organization"
        for role in trace.roles:
            if role not in roles and not _is_there(store, role):
                yield f"left out: {_role_text(store, role)}, which is not there"
        kept = sum(one.user_id == user.id for one in store.authorizations.walk([]))
        if kept or records:
            yield WORKS_AGAIN
        left = len(_tokens_of(self.traces, user.id)) - len(records)
        if left and self.with_tokens:
            yield f"{left} of its deleted tokens cannot be brought back; auth undelete says why"
        elif left:
            yield f"{left} of its tokens were deleted, too; they can be brought back with the user"
        yield from self._login_warnings(user.id)

    def _login_warnings(self, user_id: Id) -> Iterator[str]:
        logins = self.traces.logins.values()
        count = sum(states[0].authorization.user_id == user_id for states in logins)
        if count:
            yield f"{count} of its 1.x logins were deleted, too; v1-auth undelete lists them"

    @staticmethod
    def _what_is_wrong(
        tx: MetaTx, trace: UserTrace, roles: tuple[Role, ...], records: tuple[Authorization, ...]
    ) -> str | None:
        user = trace.user
        if not tx.users.holds(user):
            return "the user is not as planned"
        if tx.users.indexed_id(user.name) != user.id:
            return "the index does not lead to the user"
        if trace.password is not None and not tx.passwords.has(user.id):
            return "its password is not there"
        if any(not tx.mappings.is_indexed(one.resource_id, user.id) for one in roles):
            return "one of its roles is not there"
        return differs(tx, records)


def _tokens_of(traces: Traces, user_id: Id) -> list[TokenTrace]:
    return [
        found[0] for found in traces.tokens.values() if found[0].authorization.user_id == user_id
    ]


def _is_possible(store: MetaTx, role: Role) -> bool:
    """Tell whether a role can be given back: its resource is there, and holds no role of it."""
    if _is_there(store, role):
        return False
    if role.resource_type == INSTANCE:
        return True
    table = RESOURCE_TABLES.get(role.resource_type)
    return table is not None and store.table(table).has(role.resource_id.encode())


def _is_there(store: MetaTx, role: Role) -> bool:
    return store.mappings.has(role.resource_id, role.user_id)


def _role_text(store: MetaTx, role: Role) -> str:
    if role.resource_type == INSTANCE:
        return f"{role.user_type} of the instance"
    if role.resource_type == ORGS:
        organization = store.organizations.get(role.resource_id)
        name = cut_name(organization.name) if organization else f"organization {role.resource_id}"
        return f"{role.user_type} of {name}"
    return f"{role.user_type} of {role.resource_type} {role.resource_id}"
