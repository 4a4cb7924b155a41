"""Change or delete a user that is there.

Lives here: the planners of `user update`, `rename`, `activate`, `deactivate` and `delete`. Must not
live here: making a user (`user_creation`), the order of the steps (`change`).

Invariants: a user is always named, never guessed: `influxd recovery user update` resets the only
user's password when none is named.

Source: spec influxdb-metadata sections 4.2, 5.5, 9.4, 11.3 and recipes R4, R7 and R9.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
from msgspec.structs import replace

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.ids import Id
from recovery.model.password import hash_password, password_matches, require_acceptable
from recovery.model.user import ACTIVE, INACTIVE, User, decode_user
from recovery.remedy import Input, Run
from recovery.secret import Secret
from recovery.services.access import Loss, loss_warnings
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import UserChoice, cut_name, require_free
from recovery.services.tenancy.user_creation import id_of_name, oddities_of, require_name

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts

TOKENS_STAY: Final = (
    "its tokens stay in the store and answer 403, because their user is missing; a server would "
    "leave them behind as well; they can be deleted with the user"
)


class SetPassword(msgspec.Struct, frozen=True, kw_only=True):
    """The command `user update`.

    Attributes:
        is_activated: Whether to set the status to active too.
        is_ensured: Whether to leave a password that is already this one as it is.
    """

    operation: ClassVar[str] = "user update"

    user: UserChoice
    password: Secret
    is_activated: bool
    is_ensured: bool

    def plan(self, store: MetaTx) -> Plan:
        """Plan one password, hashed, and the status where asked for."""
        require_acceptable(self.password)
        user = self.user.choose(store)
        name = cut_name(user.name)
        activates = self.is_activated and not user.is_active
        stored = store.passwords.get(user.id)
        facts: PlanFacts = {
            "user_id": user.id,
            "user": user.name,
            "is_activated": activates,
        }
        if self.is_ensured and stored and password_matches(self.password, stored):
            if not activates:
                return Plan.nothing(
                    self.operation, f"{name} has this password", facts=facts, record_ids=(user.id,)
                )
            return replace(
                SetUserStatus(user=self.user, is_active=True).plan(store),
                operation=self.operation,
            )
        hashed = hash_password(self.password)
        after = decode_user(user.rewritten({"status": ACTIVE})) if activates else user
        steps = [f"set the password of user {name} (its bcrypt hash)"]
        if activates:
            steps.append(f"set the status of user {name} to active")

        def apply(tx: MetaTx) -> None:
            tx.passwords.put(user.id, hashed)
            tx.users.put(after)

        return Plan(
            operation=self.operation,
            steps=tuple(steps),
            facts=facts,
            record_ids=(user.id,),
            warnings=(*oddities_of(self.password), *_sign_in_warnings(store, after)),
            apply=apply,
            verify=lambda tx: self._what_is_wrong(tx, after),
            afterwards=()
            if after.is_active
            else (Run("user activate", "to let the user in", {Input.ID: user.id}),),
        )

    def _what_is_wrong(self, tx: MetaTx, user: User) -> str | None:
        stored = tx.passwords.get(user.id)
        if stored is None or not password_matches(self.password, stored):
            return "a server would not accept the new password"
        return None if tx.users.holds(user) else "the user is not as planned"


class SetUserStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The commands `user activate` and `user deactivate`."""

    user: UserChoice
    is_active: bool

    @property
    def operation(self) -> str:
        """The command."""
        return "user activate" if self.is_active else "user deactivate"

    def plan(self, store: MetaTx) -> Plan:
        """Plan one record rewritten; nothing when it has this status."""
        user = self.user.choose(store)
        status = ACTIVE if self.is_active else INACTIVE
        name = cut_name(user.name)
        facts: PlanFacts = {"user_id": user.id, "user": user.name, "status": status}
        if user.status == status:
            return Plan.nothing(
                self.operation,
                f"user {name} is {status} already",
                facts=facts,
                record_ids=(user.id,),
            )
        after = decode_user(user.rewritten({"status": status}))
        warnings = () if self.is_active else _deactivation_warnings(store, user)
        return Plan(
            operation=self.operation,
            steps=(f"set the status of user {name} to {status}",),
            facts=facts,
            record_ids=(user.id,),
            warnings=warnings,
            apply=lambda tx: tx.users.put(after),
            verify=lambda tx: _differs(tx, after),
        )


class RenameUser(msgspec.Struct, frozen=True, kw_only=True):
    """The command `user rename`."""

    operation: ClassVar[str] = "user rename"

    user: UserChoice
    new_name: str

    def plan(self, store: MetaTx) -> Plan:
        """Plan the record rewritten and its index entry moved; nothing when it has this name."""
        require_name("user", self.new_name)
        user = self.user.choose(store)
        before, name = cut_name(user.name), cut_name(self.new_name)
        facts: PlanFacts = {"user_id": user.id, "name_before": user.name, "name": self.new_name}
        if user.name == self.new_name:
            return Plan.nothing(
                self.operation, f"{name} is its name already", facts=facts, record_ids=(user.id,)
            )
        require_free("user", self.new_name, id_of_name(store, self.new_name))
        after = decode_user(user.rewritten({"name": self.new_name}))
        return Plan(
            operation=self.operation,
            steps=(f"rename user {before} to {name}",),
            facts=facts,
            record_ids=(user.id,),
            apply=lambda tx: tx.users.update(user, after),
            verify=lambda tx: (
                _differs(tx, after)
                or ("the index does not lead to the user" if _is_lost(tx, after, user) else None)
            ),
        )


class DeleteUser(msgspec.Struct, frozen=True, kw_only=True):
    """The command `user delete`.

    Attributes:
        with_tokens: Whether its authorizations go too.
        has_warnings: Whether to look for what a person should be warned of, which reads all tokens.
    """

    operation: ClassVar[str] = "user delete"

    user: UserChoice
    with_tokens: bool
    has_warnings: bool = True

    def plan(self, store: MetaTx) -> Plan:
        """Plan the end of a user, its index entry, password, roles, and if asked for its tokens."""
        user = self.user.choose(store)
        name = cut_name(user.name)
        tokens = _authorizations_of(store.authorizations.walk([]), user.id)
        legacy = _authorizations_of(store.legacy_authorizations.walk([]), user.id)
        goes = [*tokens, *legacy] if self.with_tokens else []
        steps = [f"delete user {name} with its index entry, its password and all its roles"]
        for kind, ones in (("API token", tokens), ("1.x authorization", legacy)):
            steps += [
                f"delete {kind} {one.id} ({cut_name(one.description)})" for one in ones if goes
            ]

        def apply(tx: MetaTx) -> None:
            tx.users.delete(user)
            tx.passwords.delete(user.id)
            tx.mappings.delete_of_user(user.id)
            if self.with_tokens:
                tx.authorizations.delete_all([one.id for one in tokens])
                tx.legacy_authorizations.delete(*(one.id for one in legacy))

        return Plan(
            operation=self.operation,
            steps=tuple(steps),
            facts={
                "user_id": user.id,
                "user": user.name,
                "authorization_ids": [one.id for one in [*tokens, *legacy]],
                "with_tokens": self.with_tokens,
            },
            record_ids=(user.id, *(one.id for one in goes)),
            warnings=self._warnings(store, user, is_kept=bool(tokens or legacy) and not goes)
            if self.has_warnings
            else (),
            apply=apply,
            verify=lambda tx: _is_left(tx, user),
            afterwards=(
                Run(
                    "user undelete",
                    "to bring the user back, if it was a mistake",
                    {Input.ID: user.id} | ({Input.WITH_TOKENS: None} if goes else {}),
                ),
            ),
        )

    def _warnings(self, store: MetaTx, user: User, *, is_kept: bool) -> tuple[str, ...]:
        warnings = []
        if all(one.id == user.id for one in store.users.walk([])):
            warnings.append("this is the only user of the store")
        if is_kept:
            warnings.append(TOKENS_STAY)
        return (*warnings, *loss_warnings(store, Loss(user_id=user.id)))


def _authorizations_of(walk: Iterable[Authorization], user_id: Id) -> list[Authorization]:
    return [one for one in walk if one.user_id == user_id]


def _deactivation_warnings(store: MetaTx, user: User) -> tuple[str, ...]:
    """Warn of what goes with the force of a user."""
    count = len(_authorizations_of(store.authorizations.walk([]), user.id))
    what = "answers 403 from then on"
    tokens = f"each of its {count} tokens {what}" if count > 1 else f"its token {what}"
    return (*((tokens,) if count else ()), *loss_warnings(store, Loss(user_id=user.id)))


def _sign_in_warnings(store: MetaTx, user: User) -> tuple[str, ...]:
    """Say what else keeps somebody out who has the password."""
    warnings = []
    name = cut_name(user.name)
    if user.is_inactive:
        warnings.append(f"user {name} is inactive and stays so")
    elif not user.is_active:
        warnings.append(f"user {name} has no status, as influxd recovery leaves it, and stays so")
    if store.users.indexed_id(user.name) != user.id:
        warnings.append(f"the index does not lead to user {name}, so a sign-in fails with 401")
    return tuple(warnings)


def _differs(tx: MetaTx, user: User) -> str | None:
    return None if tx.users.holds(user) else "it differs"


def _is_lost(tx: MetaTx, after: User, before: User) -> bool:
    """Tell whether the index lacks the new name or still has the old one."""
    if tx.users.indexed_id(after.name) != after.id:
        return True
    return before.name != after.name and tx.users.indexed_id(before.name) == before.id


def _is_left(tx: MetaTx, user: User) -> str | None:
    if tx.users.get(user.id) is not None or tx.users.indexed_id(user.name) == user.id:
        return "the user is still there"
    return "its password is still there" if tx.passwords.has(user.id) else None
