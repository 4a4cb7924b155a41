"""Users, as listed.

Lives here: `list_users`. Must not live here: changes, and whether one can sign in (`user_details`).

Source: spec influxdb-metadata sections 4.2 to 4.4.
"""

from collections.abc import Iterator
from functools import partial

import msgspec

from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.mapping import INSTANCE, ORGS, OWNER
from recovery.services.listing import Listing


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """A user's role in an organization.

    Attributes:
        organization: Its name; None when there is no such record.
        role: "owner" or "member".
    """

    organization_id: str
    organization: str | None
    role: str


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """One user.

    Attributes:
        id: 16 hex digits.
        name: As stored, not escaped.
        status: "active", "inactive", or "" as `influxd recovery user create` leaves it.
        memberships: Organizations that it owns or is a member of.
        is_instance_owner: Whether it owns the instance (servers from 2.4 on).
    """

    id: str
    name: str
    status: str
    has_password: bool
    memberships: tuple[Membership, ...]
    is_instance_owner: bool


def list_users(tx: MetaTx) -> Listing[UserRow]:
    """List all users with their organizations."""
    return Listing(partial(_rows, tx))


def _rows(tx: MetaTx, problems: list[RecordProblem]) -> Iterator[UserRow]:
    organizations = {one.id: one.name for one in tx.organizations.walk([])}
    memberships: dict[str, list[Membership]] = {}
    instance_owners = set()
    for mapping in tx.mappings.walk(problems):
        if mapping.resource_type == INSTANCE and mapping.user_type == OWNER:
            instance_owners.add(mapping.user_id)
        elif mapping.resource_type == ORGS:
            memberships.setdefault(mapping.user_id, []).append(
                Membership(
                    organization_id=mapping.resource_id,
                    organization=organizations.get(mapping.resource_id),
                    role=mapping.user_type,
                )
            )
    for user in tx.users.walk(problems):
        yield UserRow(
            id=user.id,
            name=user.name,
            status=user.status,
            has_password=tx.passwords.has(user.id),
            memberships=tuple(memberships.get(user.id, ())),
            is_instance_owner=user.id in instance_owners,
        )
