"""Make, edit and delete organizations and roles by their parts, as a server's API does.

Lives here: `AddOrganization`, `EditOrganization` (the command `org update`), `DeleteOrganization`
(the command `org delete`), `AddRole`, `EndRole`. Must not live here: which organization and user
are meant (`recovery.services.tenancy.organization_changes`).

Invariants: an organization with data is never deleted: shard groups in the engine's catalogue are
data. Files of the engine are not touched. No index entry of what was deleted stays behind.

Source: InfluxDB v2.9.1 tenant/service_org.go, tenant/storage_org.go, tenant/storage_urm.go; spec
influxdb-metadata 4.3 and 4.5, admin-daemon 1.10.
"""

from typing import TYPE_CHECKING, ClassVar

import msgspec

from recovery.errors import ConflictError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.catalogue import CatalogueError, without_database
from recovery.model.display import plural
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.model.mapping import Mapping, organization_role
from recovery.model.organization import decode_organization, index_name
from recovery.ports import Clock, Rng
from recovery.remedy import Run
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import (
    cut_name,
    differing,
    edit_steps,
    organization_of,
    require_free,
)
from recovery.services.tenancy.writing import change_catalogue, write_organization

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts


class AddOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """A new organization.

    Attributes:
        name: Its name, kept as it is; white space around it does not tell names apart.
        owner_id: Who owns it; None for nobody.
    """

    operation: ClassVar[str] = "org create"

    name: str
    description: str
    owner_id: Id | None
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Plan all that a server makes, system buckets too; `RefusedError` for an empty name."""
        _require_free_name(store, self.name)
        ids = IdSource(self.clock, self.rng)
        org_id = unused(ids.random, store.organizations.has_id)

        def apply(tx: MetaTx) -> None:
            write_organization(
                tx,
                name=self.name,
                description=self.description,
                owner_id=self.owner_id,
                ids=ids,
                now=format_time(self.clock.now()),
                org_id=org_id,
            )

        return Plan(
            operation=self.operation,
            steps=(f"add the organization {cut_name(self.name)} with its system buckets",),
            facts={"organization_id": org_id},
            record_ids=(org_id, *(() if self.owner_id is None else (self.owner_id,))),
            apply=apply,
            verify=lambda tx: _is_lost(tx, org_id, self.name),
        )


class EditOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """The command `org update`: another name or description, or both in one change.

    Attributes:
        name: The new name; None to keep it.
        description: The new description; None to keep it.
        is_touched: Whether the time of its last change moves though nothing else does, as a server
            does it.
    """

    operation: ClassVar[str] = "org update"

    org_id: Id
    name: str | None = None
    description: str | None = None
    is_touched: bool = False
    clock: Clock

    def plan(self, store: MetaTx) -> Plan:
        """Plan one record and its index entry rewritten, or nothing; `RefusedError` for no name."""
        before = organization_of(store, self.org_id)
        changes = differing(before, name=self.name, description=self.description)
        if "name" in changes:
            _require_free_name(store, self.name or "")
        name = cut_name(before.name)
        if not changes and not self.is_touched:
            return Plan.nothing(
                self.operation,
                f"organization {name} is as wanted",
                facts={"organization_id": before.id},
                record_ids=(before.id,),
            )
        steps = edit_steps(f"organization {name}", changes)
        is_renamed = "name" in changes
        changes["updatedAt"] = format_time(self.clock.now())
        after = decode_organization(before.rewritten(changes))

        def verify(tx: MetaTx) -> str | None:
            if not tx.organizations.holds(after):
                return "the organization is not as planned"
            return _is_lost(tx, after.id, after.name) if is_renamed else None

        return Plan(
            operation=self.operation,
            steps=steps or (f"note that organization {name} was changed now",),
            facts={"organization_id": before.id, "fields": sorted(changes)},
            record_ids=(before.id,),
            apply=lambda tx: tx.organizations.update(before, after),
            verify=verify,
        )


class DeleteOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """The command `org delete`: only where no bucket of it has data."""

    operation: ClassVar[str] = "org delete"

    org_id: Id

    def plan(self, store: MetaTx) -> Plan:
        """Plan its end, with buckets, entries and roles; `RefusedError` when it has data."""
        organization = organization_of(store, self.org_id)
        buckets = [one for one in store.buckets.walk([]) if one.org_id == organization.id]
        full_count = count_with_data(store, {one.id for one in buckets})
        if full_count:
            raise RefusedError(
                reason=f"organization {organization.id} has data in {full_count} buckets",
                hint="delete it when influxd runs: influx org delete",
            )
        name = cut_name(organization.name)
        token_count = sum(
            1 for one in store.authorizations.walk([]) if one.org_id == organization.id
        )
        stay = "stays, and shows" if token_count == 1 else "stay, and show"
        kept = f"its {plural(token_count, 'API token')} {stay} in no list"

        def apply(tx: MetaTx) -> None:
            for bucket in buckets:
                delete_bucket(tx, bucket.id)
            tx.organizations.delete(organization)
            for mapping in tx.mappings.of_resource(organization.id):
                tx.mappings.delete(mapping.resource_id, mapping.user_id)

        return Plan(
            operation=self.operation,
            steps=(
                f"delete organization {name} with its index entry and its roles",
                f"delete its {plural(len(buckets), 'bucket')}, in the engine's catalogue too",
            ),
            facts={
                "organization_id": organization.id,
                "bucket_ids": [one.id for one in buckets],
            },
            record_ids=(organization.id, *(one.id for one in buckets)),
            warnings=(kept,) if token_count else (),
            apply=apply,
            verify=lambda tx: (
                "the organization is still there"
                if tx.organizations.has_id(organization.id)
                or tx.organizations.indexed_id(organization.name) == organization.id
                else None
            ),
        )


class AddRole(msgspec.Struct, frozen=True, kw_only=True):
    """A role by the server's rule: who has one in a resource gets no other.

    Attributes:
        role: `OWNER` or `MEMBER`.
    """

    user_id: Id
    org_id: Id
    role: str

    @property
    def operation(self) -> str:
        """The command."""
        return f"org add-{self.role}"

    def plan(self, store: MetaTx) -> Plan:
        """Plan one mapping; raise `ConflictError` where the user has a role."""
        if store.mappings.has(self.org_id, self.user_id):
            raise ConflictError(
                kind="role of user",
                name=f"{self.user_id} in {self.org_id}",
                hint=Run("org remove-member", "to end that one first"),
            )
        wanted = organization_role(self.user_id, self.org_id, self.role)
        return Plan(
            operation=self.operation,
            steps=(f"make user {self.user_id} {self.role} of organization {self.org_id}",),
            facts={"user_id": self.user_id, "organization_id": self.org_id, "role": self.role},
            record_ids=(self.org_id, self.user_id),
            apply=lambda tx: tx.mappings.put(wanted),
            verify=lambda tx: None if has_role(tx, wanted) else "a server would not see the role",
        )


class EndRole(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a role, whatever it is."""

    operation: ClassVar[str] = "org remove-member"

    user_id: Id
    org_id: Id

    def plan(self, store: MetaTx) -> Plan:
        """Plan one mapping removed with its index entry; nothing when there is none."""
        ids = (self.org_id, self.user_id)
        facts: PlanFacts = {"user_id": self.user_id, "organization_id": self.org_id}
        if not store.mappings.has(*ids):
            return Plan.nothing(self.operation, "there is no role", facts=facts, record_ids=ids)
        return Plan(
            operation=self.operation,
            steps=(f"end the role of user {self.user_id} in organization {self.org_id}",),
            facts=facts,
            record_ids=ids,
            apply=lambda tx: tx.mappings.delete(*ids),
            verify=lambda tx: "the role is still there" if tx.mappings.has(*ids) else None,
        )


def has_role(tx: MetaTx, wanted: Mapping) -> bool:
    """Tell whether a server sees a role: its record and its entry in the index are there."""
    return tx.mappings.get(wanted.resource_id, wanted.user_id) == wanted and (
        tx.mappings.is_indexed(wanted.resource_id, wanted.user_id)
    )


def delete_bucket(tx: MetaTx, bucket_id: Id) -> None:
    """Remove a bucket without data, with its entries in index and catalogue and its roles."""
    bucket = tx.buckets.get(bucket_id)
    if bucket is None:
        return
    tx.buckets.delete(bucket)
    change_catalogue(tx, lambda catalogue: without_database(catalogue, name=bucket_id))
    for mapping in tx.mappings.of_resource(bucket_id):
        tx.mappings.delete(mapping.resource_id, mapping.user_id)


def count_with_data(store: MetaTx, bucket_ids: set[Id]) -> int:
    """Count the buckets that have a shard group. Raises as `shard_group_counts`."""
    counts = shard_group_counts(store)
    return sum(1 for one in bucket_ids if counts.get(one))


def shard_group_counts(store: MetaTx) -> dict[str, int]:
    """Count the shard groups by bucket, given up ones too; `RecoveryError` for a bad catalogue."""
    try:
        catalogue = store.catalogue.decoded()
    except CatalogueError as error:
        raise store.damaged(f"has a catalogue that cannot be understood ({error})") from error
    return {
        database.name: sum(len(policy.groups) for policy in database.policies)
        for database in catalogue.databases
    }


def _require_free_name(store: MetaTx, name: str) -> None:
    if not index_name(name):
        raise RefusedError(reason="the name of the organization is empty", hint="give it a name")
    require_free("organization", index_name(name), store.organizations.indexed_id(name))


def _is_lost(tx: MetaTx, org_id: Id, name: str) -> str | None:
    found = tx.organizations.get(org_id)
    if found is None or tx.organizations.indexed_id(name) != org_id:
        return "a server would not find the organization by its name"
    return None
