"""Make a user who can really work.

Lives here: `CreateUser`, a planner. Must not live here: changes of a user that is
there (`user_changes`), the order of the steps (`change`).

What `influxd recovery user create` leaves out is done here: the status is "active", and the user
gets a role in an organization, without which somebody who signs in sees nothing.

Source: spec influxdb-metadata sections 4.2, 9.4 and recipes R3 and R5.
"""

from typing import ClassVar, Final

import msgspec
from msgspec.structs import replace

from recovery.errors import ConflictError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.display import with_article
from recovery.model.ids import Id, IdSource, unused
from recovery.model.mapping import MEMBER, OWNER
from recovery.model.organization import Organization
from recovery.model.password import STAND_IN, hash_password, password_matches, require_acceptable
from recovery.model.typed_secret import TAKEN_AS_IT_IS, oddity_of
from recovery.model.user import User
from recovery.ports import Clock, Rng
from recovery.remedy import Input, Run
from recovery.secret import Secret
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import choose_organization, cut_name, shown_name
from recovery.services.tenancy.writing import write_role

NO_SIGN_IN: Final = "without a password nobody can sign in as this user; tokens can be made for it"
WITHOUT_ROLE: Final = (
    "without a role in an organization, this user signs in and sees nothing, until it is made an "
    "owner or a member of one"
)


class CreateUser(msgspec.Struct, frozen=True, kw_only=True):
    """The command `user create`.

    Attributes:
        password: What the user will sign in with; None for no password.
        organization: In which the user gets a role; None for the only one.
        has_role: Whether the user gets a role at all.
        is_owner: Whether that role is owner, otherwise member.
        is_ensured: Whether a user that is there already, as wanted, is a success.
        user_id: The ID that it is to have; None for a new one.
    """

    operation: ClassVar[str] = "user create"

    name: str
    password: Secret | None
    organization: str | None
    has_role: bool
    is_owner: bool
    is_ensured: bool
    user_id: Id | None = None
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Plan one new user with its index entry, password and role."""
        require_name("user", self.name)
        if self.password is not None:
            require_acceptable(self.password)
        organization = choose_organization(store, self.organization) if self.has_role else None
        existing = user_named(store, self.name)
        if existing is not None:
            return self._existing(store, existing, organization)
        if store.users.indexed_id(self.name) is not None:
            raise ConflictError(
                kind="entry in the index for the user",
                name=shown_name(self.name),
                hint="choose another name; the entry leads to a user that does not exist",
            )
        if self.user_id is not None and store.users.has_id(self.user_id):
            raise ConflictError(kind="user", name=self.user_id, hint="choose another ID")
        ids = IdSource(self.clock, self.rng)
        user_id = self.user_id or unused(ids.snowflake, store.users.has_id)
        plan = self._new(user_id, organization)
        if self.user_id is None:
            return plan
        heirs = sum(one.user_id == user_id for one in store.authorizations.walk([]))
        if not heirs:
            return plan
        inherited = f"{heirs} tokens name this ID: they are this user's, and work from now on"
        return replace(plan, warnings=(*plan.warnings, inherited))

    def _new(self, user_id: Id, organization: Organization | None) -> Plan:
        role = OWNER if self.is_owner else MEMBER
        hashed = None if self.password is None else hash_password(self.password)
        steps = [f"add the active user {cut_name(self.name)}"]
        warnings = list(oddities_of(self.password))
        if hashed is None:
            warnings.append(NO_SIGN_IN)
        else:
            steps.append("store the bcrypt hash of the password")
        if organization is None:
            warnings.append(WITHOUT_ROLE)
        else:
            steps.append(
                f"make it {with_article(role)} of the organization {cut_name(organization.name)}"
            )

        def apply(tx: MetaTx) -> None:
            tx.users.insert(user_id, self.name)
            if hashed is not None:
                tx.passwords.put(user_id, hashed)
            if organization is not None:
                write_role(tx, org_id=organization.id, user_id=user_id, role=role)

        return Plan(
            operation=self.operation,
            steps=tuple(steps),
            facts={
                "user_id": user_id,
                "user": self.name,
                "has_password": hashed is not None,
                "organization_id": organization.id if organization else None,
                "role": role if organization else None,
            },
            record_ids=(user_id,),
            warnings=tuple(warnings),
            apply=apply,
            verify=lambda tx: self._what_is_wrong(tx, user_id, organization),
        )

    def _existing(self, store: MetaTx, user: User, organization: Organization | None) -> Plan:
        """Accept a user that is there already, if that was asked for and it is as wanted."""
        if not self.is_ensured:
            raise ConflictError(
                kind="user",
                name=shown_name(self.name),
                hint=(
                    "choose another name",
                    Run("user update", "to set its password", {Input.ID: user.id}),
                ),
            )
        problem = self._what_is_wrong(store, user.id, organization)
        if self.user_id not in {None, user.id}:
            problem = f"its ID is {user.id}"
        if problem is not None:
            raise RefusedError(
                reason=f"user {shown_name(self.name)} is there and is not as wanted: {problem}",
                hint=(
                    Run("user update", "to set its password", {Input.ID: user.id}),
                    Run("user activate", "to let it in", {Input.ID: user.id}),
                    Run("org add-owner", "to give it a role", {Input.USER: user.name}),
                ),
            )
        return Plan.nothing(
            self.operation,
            f"user {cut_name(self.name)} is there already, as wanted",
            facts={"user_id": user.id, "user": self.name},
            record_ids=(user.id,),
        )

    def _what_is_wrong(
        self, tx: MetaTx, user_id: Id, organization: Organization | None
    ) -> str | None:
        """Look for the user as a server does when somebody signs in."""
        user = tx.users.get(user_id)
        if tx.users.indexed_id(self.name) != user_id or user is None:
            return "a server would not find the user by its name"
        if not user.is_active:
            return "the user is not active"
        if self.password is not None and self.password is not STAND_IN:
            stored = tx.passwords.get(user_id)
            if stored is None or not password_matches(self.password, stored):
                return "the password is another one"
        return None if organization is None else self._wrong_role(tx, user_id, organization)

    def _wrong_role(self, tx: MetaTx, user_id: Id, organization: Organization) -> str | None:
        role = tx.mappings.get(organization.id, user_id)
        if role is None or not tx.mappings.is_indexed(organization.id, user_id):
            return "the user has no role in the organization"
        if self.is_owner and role.user_type != OWNER:
            return "the user is no owner of the organization"
        return None


def oddities_of(password: Secret | None) -> tuple[str, ...]:
    """Warn, in a plan, of what a password has in it that nobody means to type."""
    oddity = None if password is None else oddity_of(password)
    return () if oddity is None else (f"the password {oddity}; {TAKEN_AS_IT_IS}",)


def user_named(store: MetaTx, name: str) -> User | None:
    """Return the user with exactly this name, or None."""
    return next((user for user in store.users.walk([]) if user.name == name), None)


def id_of_name(store: MetaTx, name: str) -> Id | None:
    """Find who has a name, in the index or in a record that the index has lost."""
    named = user_named(store, name)
    return store.users.indexed_id(name) or (named.id if named else None)


def require_name(kind: str, name: str) -> None:
    """Refuse, by `RefusedError`, what cannot be a name: it is empty, or is not text."""
    if not name.strip():
        raise RefusedError(reason=f"the name of the {kind} is empty", hint="give it a name")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise RefusedError(
            reason=f"the name of the {kind} is not UTF-8", hint="type it in a UTF-8 locale"
        ) from None
