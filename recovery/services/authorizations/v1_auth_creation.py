"""Make and edit 1.x-compatible authorizations.

Lives here: the planners of `v1-auth create` and `v1-auth update`. Must not live here: the others
(`recovery.services.authorizations.v1_auth`).

Invariants: the user name is free; it stands where other authorizations have their token, and is
never hashed.

Source: InfluxDB v2.9.1 v1/authorization/service.go (CreateAuthorization, UpdateAuthorization); spec
influxdb-metadata 4.7 and admin-daemon 1.12.
"""

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    ACTIVE,
    Authorization,
    decode_authorization,
    new_authorization,
)
from recovery.model.gojson import Json as Value
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.model.permission import Permission
from recovery.model.token import TokenForm
from recovery.ports import Clock, Rng
from recovery.remedy import Run
from recovery.secret import Secret
from recovery.services.authorizations.record_changes import require_user_and_organization
from recovery.services.authorizations.wording import permitted
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import cut_name, existing, require_free

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts

V1_LIST: Final = Run("v1-auth list", "to see all of them")


class CreateLegacy(msgspec.Struct, frozen=True, kw_only=True):
    """The command `v1-auth create`.

    Attributes:
        username: The 1.x user name; a name, and no secret.
        user_id: The user of 2.x behind it.
        status: "active" or "inactive".
        password_hash: The bcrypt hash of its password; None for no password.
    """

    operation: ClassVar[str] = "v1-auth create"

    username: str
    org_id: Id
    user_id: Id
    status: str = ACTIVE
    description: str
    permissions: tuple[Permission, ...]
    password_hash: Secret | None = None
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Choose the ID, for one new record with its index entry, and its password."""
        require_user_and_organization(store, self.org_id, self.user_id)
        holder = store.legacy_authorizations.indexed_id(self.username)
        require_free("1.x user name", self.username, holder)
        made = new_authorization(
            authorization_id=unused(
                IdSource(self.clock, self.rng).snowflake, store.legacy_authorizations.has_id
            ),
            token=Secret(self.username),
            form=TokenForm.RAW,
            description=self.description,
            org_id=self.org_id,
            user_id=self.user_id,
            permissions=self.permissions,
            now=format_time(self.clock.now()),
            status=self.status,
        )
        steps = [
            f"add the 1.x user name {cut_name(self.username)} as authorization {made.id}",
            f"permit: {permitted(store, list(self.permissions))}",
        ]
        warnings = []
        if self.password_hash is None:
            warnings.append("without a password nobody can log in: v1-auth set-password sets one")
        else:
            steps.append("store the bcrypt hash of its password")

        def apply(tx: MetaTx) -> None:
            tx.legacy_authorizations.insert(made)
            if self.password_hash is not None:
                tx.legacy_authorizations.passwords.put(made.id, self.password_hash)

        return Plan(
            operation=self.operation,
            steps=tuple(steps),
            facts={"authorization_id": made.id, "username": self.username},
            record_ids=(made.id,),
            warnings=tuple(warnings),
            apply=apply,
            verify=lambda tx: _what_is_wrong(tx, made),
        )


class EditLegacy(msgspec.Struct, frozen=True, kw_only=True):
    """Another description or status of a 1.x authorization, or both in one change.

    Attributes:
        description: The new description; None to keep it.
        status: The new status; None to keep it.
    """

    operation: ClassVar[str] = "v1-auth update"

    authorization_id: Id
    description: str | None = None
    status: str | None = None
    clock: Clock

    def plan(self, store: MetaTx) -> Plan:
        """Plan one record rewritten; the time of its last change moves in any case."""
        before = _existing(store, self.authorization_id)
        changes: dict[str, Value] = {"updatedAt": format_time(self.clock.now())}
        if self.status is not None:
            changes["status"] = self.status
        if self.description is not None:
            changes["description"] = self.description
        after = decode_authorization(before.rewritten(changes))
        facts: PlanFacts = {"authorization_id": before.id, "fields": sorted(changes)}
        return Plan(
            operation=self.operation,
            steps=(f"change {', '.join(sorted(changes))} of 1.x authorization {before.id}",),
            facts=facts,
            record_ids=(before.id,),
            apply=lambda tx: tx.legacy_authorizations.put(after),
            verify=lambda tx: _what_is_wrong(tx, after),
        )


class StoreLegacyPassword(msgspec.Struct, frozen=True, kw_only=True):
    """A password of a 1.x authorization, hashed before."""

    operation: ClassVar[str] = "v1-auth set-password"

    authorization_id: Id
    password_hash: Secret

    def plan(self, store: MetaTx) -> Plan:
        """Plan one key: the new password."""
        found = _existing(store, self.authorization_id)

        def verify(tx: MetaTx) -> str | None:
            if not tx.legacy_authorizations.passwords.holds(found.id, self.password_hash):
                return "the password that was stored is not the one that was given"
            return None

        return Plan(
            operation=self.operation,
            steps=(f"set the password of 1.x authorization {found.id}, as a bcrypt hash",),
            facts={"authorization_id": found.id},
            record_ids=(found.id,),
            apply=lambda tx: tx.legacy_authorizations.passwords.put(found.id, self.password_hash),
            verify=verify,
        )


def _existing(store: MetaTx, wanted: Id) -> Authorization:
    found = store.legacy_authorizations.load(wanted)
    return existing(found, "1.x authorization", wanted, V1_LIST)


def _what_is_wrong(tx: MetaTx, planned: Authorization) -> str | None:
    if not tx.legacy_authorizations.holds(planned):
        return f"1.x authorization {planned.id} is not as planned"
    if not tx.legacy_authorizations.leads_home(planned):
        return "a server would not find it by its user name"
    return None
