"""Which InfluxDB buckets are in a store.

Lives here: `list_buckets`. Must not live here: their time series, which are not in the store.

Source: spec influxdb-metadata sections 4.4 and 4.9.
"""

from collections.abc import Iterator
from functools import partial

import msgspec

from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import TYPE_SYSTEM
from recovery.model.catalogue import CatalogueError
from recovery.model.ids import Id
from recovery.services.listing import Listing
from recovery.services.tenancy.choosing import Whose


class BucketRow(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket.

    Attributes:
        id: 16 hex digits.
        name: As stored, not escaped.
        organization_id: 16 hex digits, or "" when the record has none.
        organization: Name; None when there is no such organization.
        is_system: Whether it is one that every organization has.
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        is_in_catalogue: Whether the engine knows it. If not, influxd does not start.
        description: As stored.
        created_at: RFC 3339, as stored; "" when absent.
    """

    id: str
    name: str
    organization_id: str
    organization: str | None
    is_system: bool
    retention_ns: int
    is_in_catalogue: bool
    description: str
    created_at: str


def list_buckets(tx: MetaTx, organization: str | None = None) -> Listing[BucketRow]:
    """List the buckets of a store, or of the organization with a name or an ID."""
    org_id = Whose.named(tx, user=None, organization=organization).org_id
    return Listing(partial(_rows, tx, org_id))


def _rows(tx: MetaTx, org_id: Id | None, problems: list[RecordProblem]) -> Iterator[BucketRow]:
    organizations = {one.id: one.name for one in tx.organizations.walk([])}
    try:
        known = {one.name for one in tx.catalogue.decoded().databases}
    except CatalogueError:
        known = set()
    for bucket in tx.buckets.walk(problems):
        if org_id is not None and bucket.org_id != org_id:
            continue
        yield BucketRow(
            id=bucket.id,
            name=bucket.name,
            organization_id=bucket.org_id or "",
            organization=organizations.get(bucket.org_id) if bucket.org_id else None,
            is_system=bucket.type == TYPE_SYSTEM,
            retention_ns=bucket.retention_ns,
            is_in_catalogue=bucket.id in known,
            description=bucket.description,
            created_at=bucket.created_at,
        )
