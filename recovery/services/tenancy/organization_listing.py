"""Organizations, as listed.

Lives here: `list_organizations`. Must not live here: changes, and anything about buckets.

Source: spec influxdb-metadata sections 4.2 to 4.4.
"""

from collections.abc import Iterator
from functools import partial

import msgspec

from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.mapping import MEMBER, ORGS, OWNER
from recovery.services.listing import Listing


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A user with a role.

    Attributes:
        user: Its name; None when there is no such record.
    """

    user_id: str
    user: str | None


class OrganizationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One organization.

    Attributes:
        id: 16 hex digits.
        name: As stored, not escaped.
        description: As stored.
        created_at: RFC 3339, as stored; "" when absent.
        updated_at: RFC 3339, as stored; "" when absent.
        owners: Users who own it.
    """

    id: str
    name: str
    description: str
    created_at: str
    updated_at: str
    owners: tuple[Member, ...]
    members: tuple[Member, ...]


def list_organizations(tx: MetaTx) -> Listing[OrganizationRow]:
    """List all organizations with their owners and members."""
    return Listing(partial(_rows, tx))


def _rows(tx: MetaTx, problems: list[RecordProblem]) -> Iterator[OrganizationRow]:
    users = {one.id: one.name for one in tx.users.walk([])}
    roles: dict[tuple[str, str], list[Member]] = {}
    for mapping in tx.mappings.walk(problems):
        if mapping.resource_type == ORGS:
            member = Member(user_id=mapping.user_id, user=users.get(mapping.user_id))
            roles.setdefault((mapping.resource_id, mapping.user_type), []).append(member)
    for organization in tx.organizations.walk(problems):
        yield OrganizationRow(
            id=organization.id,
            name=organization.name,
            description=organization.description,
            created_at=organization.created_at,
            updated_at=organization.updated_at,
            owners=tuple(roles.get((organization.id, OWNER), ())),
            members=tuple(roles.get((organization.id, MEMBER), ())),
        )
