"""Make and edit authorizations by their parts, for those who have decided on each.

Lives here: `IssueAuthorization`, and `EditAuthorization`, which is the command `auth update` too.
Must not live here: which user, organization and permissions are meant
(`recovery.services.authorizations.creation`).

Invariants: user and organization exist. Fields that are not named stay byte for byte.

Source: InfluxDB v2.9.1 authorization/service.go (CreateAuthorization, UpdateAuthorization); spec
influxdb-metadata 7.3 and admin-daemon 1.8.
"""

from typing import TYPE_CHECKING, ClassVar

import msgspec

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    ACTIVE,
    Authorization,
    decode_authorization,
    new_authorization,
)
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.model.permission import Permission
from recovery.ports import Clock, Rng
from recovery.secret import Secret
from recovery.services.authorizations.changes import differs
from recovery.services.authorizations.choice import choose_authorization, described
from recovery.services.authorizations.new_token import FormChoice, chosen_form, unknown_token
from recovery.services.authorizations.wording import permitted
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import cut_name, differing, organization_of, user_of

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts


class IssueAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """A new authorization with a new token, as a server makes it.

    Attributes:
        status: "active" or "inactive".
    """

    operation: ClassVar[str] = "auth create"

    org_id: Id
    user_id: Id
    status: str = ACTIVE
    description: str
    permissions: tuple[Permission, ...]
    server_hashes: bool | None
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Choose form, ID and token, for one new record and one index entry."""
        require_user_and_organization(store, self.org_id, self.user_id)
        form = chosen_form(store, FormChoice.BY_STORE, server_hashes=self.server_hashes)
        token = unknown_token(store, self.rng)
        authorization = new_authorization(
            authorization_id=unused(
                IdSource(self.clock, self.rng).snowflake, store.authorizations.has_id
            ),
            token=token,
            form=form,
            description=self.description,
            org_id=self.org_id,
            user_id=self.user_id,
            permissions=self.permissions,
            now=format_time(self.clock.now()),
            status=self.status,
        )
        return Plan(
            operation=self.operation,
            steps=(
                f"add API token {authorization.id} of user {self.user_id}, {self.status}",
                f"in organization {self.org_id}, as {cut_name(self.description) or 'no name'}",
                f"permit: {permitted(store, list(self.permissions))}",
            ),
            facts={"authorization_id": authorization.id, "token_form": form.value},
            record_ids=(authorization.id,),
            apply=lambda tx: tx.authorizations.insert(authorization),
            verify=lambda tx: self._what_is_wrong(tx, authorization, token),
            secret=token,
            subject_id=authorization.id,
        )

    @staticmethod
    def _what_is_wrong(tx: MetaTx, planned: Authorization, token: Secret) -> str | None:
        found = tx.authorizations.find(token)
        if found is None or found.document != planned.document:
            return "a server would not find the new token"
        return None


class EditAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """The command `auth update`: another description or status, or both in one change.

    Attributes:
        description: The new description; None to keep it.
        status: The new status; None to keep it.
        is_touched: Whether the time of its last change moves though nothing else does, as a server
            does it.
    """

    operation: ClassVar[str] = "auth update"

    authorization_id: Id
    description: str | None = None
    status: str | None = None
    is_touched: bool = False
    clock: Clock

    def plan(self, store: MetaTx) -> Plan:
        """Plan one record rewritten; nothing when it is as wanted, unless it is to be touched."""
        before = choose_authorization(store, self.authorization_id)
        changes = differing(before, status=self.status, description=self.description)
        facts: PlanFacts = {
            "authorization_id": before.id,
            "fields": sorted(changes),
        }
        name = described(store, before)
        if not changes and not self.is_touched:
            step = f"nothing: {name} is as wanted"
            return Plan.nothing(self.operation, step, facts=facts, record_ids=(before.id,))
        changes["updatedAt"] = format_time(self.clock.now())
        after = decode_authorization(before.rewritten(changes))
        return Plan(
            operation=self.operation,
            steps=tuple(self._steps(name)),
            facts=facts,
            record_ids=(before.id,),
            apply=lambda tx: tx.authorizations.update(before, after),
            verify=lambda tx: differs(tx, (after,)),
        )

    def _steps(self, name: str) -> list[str]:
        steps = []
        if self.description is not None:
            steps.append(f"describe {name} as {cut_name(self.description) or 'nothing'}")
        if self.status is not None:
            steps.append(f"set the status of {name} to {self.status}")
        return steps or [f"set the time of the last change of {name}"]


def require_user_and_organization(store: MetaTx, org_id: Id, user_id: Id) -> None:
    """Refuse an organization or a user that does not exist; raise `NotFoundError`."""
    user_of(store, user_id)
    organization_of(store, org_id)
