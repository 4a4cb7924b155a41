"""Make and change organizations, and the roles of users in them.

Lives here: the planners of `org create`, `org rename`, `org add-owner`, `add-member`,
`remove-member` and `instance add-owner`. Must not live here: how an organization is written
(`recipes`), the order of the steps (`change`).

Source: spec influxdb-metadata sections 4.3, 4.5, 4.9, 9.5 and recipes R5, R6 and R7.
"""

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from recovery.errors import ConflictError, NotFoundError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import SYSTEM_BUCKETS
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.model.mapping import OWNER, Mapping, instance_owner, organization_role
from recovery.model.organization import Organization, decode_organization, index_name
from recovery.model.permission import LEVEL_INSTANCE
from recovery.model.user import User
from recovery.ports import Clock, Rng
from recovery.remedy import Input, Run
from recovery.services.access import sole_owner_warnings
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import (
    choose_both,
    choose_organization,
    choose_user,
    cut_name,
    shown_name,
)
from recovery.services.tenancy.organization_records import has_role
from recovery.services.tenancy.user_creation import require_name
from recovery.services.tenancy.writing import write_organization

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts

WITH_CATALOGUE: Final = (
    "each with its entry in the engine's catalogue, without which influxd would not start"
)
TASKS_KEEP_NAME: Final = (
    "tasks keep a copy of the old name, as they do when a server renames an organization"
)


class CreateOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """The command `org create`.

    Attributes:
        name: The new name; white space around it is taken off.
        owner: Name of the user who will own it; None for the only user.
        is_ensured: Whether an organization that is there already is a success.
    """

    operation: ClassVar[str] = "org create"

    name: str
    description: str
    owner: str | None
    is_ensured: bool
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Plan the organization, its system buckets, their catalogue entries, and an owner.

        Raises:
            AmbiguousError: No owner was named and there are several users.
            RefusedError: It cannot be a name.
        """
        require_name("organization", self.name)
        name = cut_name(index_name(self.name))
        existing = organization_named(store, self.name)
        if existing is not None and self.is_ensured:
            facts: PlanFacts = {"organization_id": existing.id, "organization": existing.name}
            self._require_as_wanted(store, existing)
            step = f"organization {name} is there already"
            return Plan.nothing(self.operation, step, facts=facts, record_ids=(existing.id,))
        owner = choose_user(store, self.owner)
        _require_free(store, self.name)
        ids = IdSource(self.clock, self.rng)
        now = format_time(self.clock.now())
        org_id = unused(ids.random, store.organizations.has_id)
        systems = " and ".join(system.name for system in SYSTEM_BUCKETS)

        def apply(tx: MetaTx) -> None:
            write_organization(
                tx,
                name=index_name(self.name),
                description=self.description,
                owner_id=owner.id,
                ids=ids,
                now=now,
                org_id=org_id,
            )

        return Plan(
            operation=self.operation,
            steps=(
                f"add the organization {name}",
                f"add its system buckets {systems}, {WITH_CATALOGUE}",
                f"make user {cut_name(owner.name)} its owner",
            ),
            facts={
                "organization_id": org_id,
                "organization": index_name(self.name),
                "owner_id": owner.id,
                "owner": owner.name,
            },
            record_ids=(org_id, owner.id),
            apply=apply,
            verify=lambda tx: self._what_is_wrong(tx, owner),
        )

    def _require_as_wanted(self, store: MetaTx, existing: Organization) -> None:
        """Refuse an organization that is there and differs from what was asked for in words."""
        name = cut_name(existing.name)
        values = {Input.ORGANIZATION: existing.name}
        if self.owner is not None:
            owner = choose_user(store, self.owner)
            role = store.mappings.get(existing.id, owner.id)
            if role is None or role.user_type != OWNER:
                raise RefusedError(
                    reason=f"organization {name} is there, and user {cut_name(owner.name)} is no "
                    "owner of it",
                    hint=Run("org add-owner", "to make one", {**values, Input.USER: owner.name}),
                )
        if self.description and self.description != existing.description:
            raise RefusedError(
                reason=f"organization {name} is there, and its description is another one",
                hint=Run("org update", "to change it", values),
            )

    def _what_is_wrong(self, tx: MetaTx, owner: User) -> str | None:
        found = organization_named(tx, self.name)
        if found is None or tx.organizations.indexed_id(self.name) != found.id:
            return "a server would not find the organization by its name"
        role = tx.mappings.get(found.id, owner.id)
        if role is None or role.user_type != OWNER:
            return "the organization has no owner"
        names = {bucket.name for bucket in tx.buckets.walk([]) if bucket.org_id == found.id}
        if not names.issuperset(system.name for system in SYSTEM_BUCKETS):
            return "the organization lacks a system bucket"
        return None


class RenameOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """The command `org rename`.

    Attributes:
        name: Its name; None for the only one.
        new_name: Its new name; white space around it is taken off.
    """

    operation: ClassVar[str] = "org rename"

    name: str | None
    new_name: str
    clock: Clock

    def plan(self, store: MetaTx) -> Plan:
        """Plan the record rewritten and its index entry moved; nothing when it has this name."""
        require_name("organization", self.new_name)
        found = choose_organization(store, self.name)
        new_name = index_name(self.new_name)
        facts: PlanFacts = {
            "organization_id": found.id,
            "name_before": found.name,
            "name": new_name,
        }
        if found.name == new_name:
            step = f"{cut_name(new_name)} is its name already"
            return Plan.nothing(self.operation, step, facts=facts, record_ids=(found.id,))
        _require_free(store, new_name, except_id=found.id)
        changes = {
            "name": new_name,
            "updatedAt": format_time(self.clock.now()),
        }
        after = decode_organization(found.rewritten(changes))
        return Plan(
            operation=self.operation,
            steps=(f"rename organization {cut_name(found.name)} to {cut_name(new_name)}",),
            facts=facts,
            record_ids=(found.id,),
            warnings=(TASKS_KEEP_NAME,),
            apply=lambda tx: tx.organizations.update(found, after),
            verify=lambda tx: _is_misplaced(tx, after),
        )


class SetRole(msgspec.Struct, frozen=True, kw_only=True):
    """The commands `org add-owner` and `org add-member`.

    Attributes:
        username: Whose role.
        organization: In which organization; None for the only one.
        role: `OWNER` or `MEMBER`.
    """

    username: str
    organization: str | None
    role: str

    @property
    def operation(self) -> str:
        """The command."""
        return f"org add-{self.role}"

    def plan(self, store: MetaTx) -> Plan:
        """Plan one mapping, in the place of another role; nothing when the user has this role."""
        user, organization = choose_both(store, self.username, self.organization)
        wanted = organization_role(user.id, organization.id, self.role)
        what = f"{self.role} of the organization {cut_name(organization.name)}"
        return _role_plan(store, self.operation, user, wanted, what)


class SetInstanceOwner(msgspec.Struct, frozen=True, kw_only=True):
    """The command `instance add-owner`."""

    operation: ClassVar[str] = "instance add-owner"

    username: str

    def plan(self, store: MetaTx) -> Plan:
        """Plan one mapping, or nothing; `RefusedError` for a role that its servers do not know."""
        if store.level < LEVEL_INSTANCE:
            raise RefusedError(
                reason=f"the store is at level {store.level}, whose servers know no owner of the "
                "instance (it came with InfluxDB 2.4)",
                hint=Run(
                    "org add-owner",
                    "to make the user an owner of its organization",
                    {Input.USER: self.username},
                ),
            )
        user = choose_user(store, self.username)
        wanted = instance_owner(user.id)
        return _role_plan(store, self.operation, user, wanted, "owner of the instance")


class RemoveRole(msgspec.Struct, frozen=True, kw_only=True):
    """The command `org remove-member`.

    Attributes:
        username: Whose role.
        organization: In which organization; None for the only one.
    """

    operation: ClassVar[str] = "org remove-member"

    username: str
    organization: str | None

    def plan(self, store: MetaTx) -> Plan:
        """Plan one mapping of either role removed with its index entry, or `NotFoundError`."""
        user, organization = choose_both(store, self.username, self.organization)
        where = cut_name(organization.name)
        role = store.mappings.get(organization.id, user.id)
        if role is None:
            raise NotFoundError(
                kind=f"role of user {shown_name(user.name)} in the organization",
                name=shown_name(organization.name),
                existing=None,
                hint=Run("user list", "to see who has which role"),
            )
        return Plan(
            operation=self.operation,
            steps=(f"end the role of user {cut_name(user.name)} as {role.user_type} of {where}",),
            facts={
                "user_id": user.id,
                "organization_id": organization.id,
                "role_before": role.user_type,
            },
            record_ids=(organization.id, user.id),
            warnings=self._warnings(store, organization, user),
            apply=lambda tx: tx.mappings.delete(organization.id, user.id),
            verify=lambda tx: (
                "the role is still there"
                if tx.mappings.get(organization.id, user.id) is not None
                else None
            ),
        )

    def _warnings(self, store: MetaTx, organization: Organization, user: User) -> tuple[str, ...]:
        return tuple(sole_owner_warnings(store, user.id, organization_id=organization.id))


def organization_named(store: MetaTx, name: str) -> Organization | None:
    """Return the organization that a server takes a name for, or None."""
    wanted = index_name(name)
    return next(
        (one for one in store.organizations.walk([]) if index_name(one.name) == wanted), None
    )


def _require_free(store: MetaTx, name: str, except_id: Id | None = None) -> None:
    """Refuse a name that an organization or an index entry has."""
    existing = organization_named(store, name)
    holders = {existing.id if existing else None, store.organizations.indexed_id(name)}
    if holders - {None, except_id}:
        raise ConflictError(
            kind="organization",
            name=shown_name(index_name(name)),
            hint=("choose another name", Run("org list", "to see those that exist")),
        )


def _role_plan(store: MetaTx, operation: str, user: User, wanted: Mapping, what: str) -> Plan:
    """Plan a role, in the place of another one of that user in that resource."""
    name = cut_name(user.name)
    facts: PlanFacts = {
        "user_id": user.id,
        "role": wanted.user_type,
        "resource_type": wanted.resource_type,
        "resource_id": wanted.resource_id,
    }
    ids = (wanted.resource_id, user.id)
    if has_role(store, wanted):
        return Plan.nothing(
            operation, f"user {name} is {what} already", facts=facts, record_ids=ids
        )
    before = store.mappings.get(wanted.resource_id, user.id)
    instead = "" if before is None else f", in the place of {before.user_type}"
    inactive = f"user {name} is not active, so the role has no effect yet"
    return Plan(
        operation=operation,
        steps=(f"make user {name} {what}{instead}",),
        facts=facts,
        record_ids=ids,
        warnings=() if user.is_active else (inactive,),
        apply=lambda tx: tx.mappings.put(wanted),
        verify=lambda tx: None if has_role(tx, wanted) else "a server would not see the role",
    )


def _is_misplaced(tx: MetaTx, after: Organization) -> str | None:
    if not tx.organizations.holds(after):
        return "the organization is not as planned"
    if tx.organizations.indexed_id(after.name) != after.id:
        return "a server would not find the organization by its new name"
    return None
