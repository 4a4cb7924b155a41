"""Organizations, and the index of their names.

Lives here: `Organizations`. Must not live here: their buckets (`buckets`) and members (`mappings`).

Source: InfluxDB v2.9.1 tenant/storage_org.go; spec section 4.3.
"""

from collections.abc import Callable, Iterator

from recovery.metastore.table import RecordProblem, Table
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id, parse_id
from recovery.model.organization import (
    Organization,
    decode_organization,
    encode_organization,
    index_name,
)


class Organizations:
    """`organizationsv1` and `organizationindexv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open both; `MetaTx.organizations` is the way to get one. Raises as `MetaTx.table`."""
        self._records = table("organizationsv1")
        self._index = table("organizationindexv1")

    def walk(self, problems: list[RecordProblem]) -> Iterator[Organization]:
        """Walk all organizations. Raises and takes `problems` as `Table.records`."""
        return self._records.records(decode_organization, problems)

    def get(self, org_id: Id) -> Organization | None:
        """Read one organization; None when there is none or it cannot be decoded."""
        document = self._records.get(org_id.encode())
        if document is None:
            return None
        try:
            return decode_organization(document)
        except UndecodableError:
            return None

    def has_id(self, org_id: Id) -> bool:
        """Tell whether an ID is taken, by an undecodable record too. Raises as `get`."""
        return self._records.has(org_id.encode())

    def insert(self, org_id: Id, *, name: str, description: str, now: str) -> None:
        """Write a new organization with its index entry; it needs buckets and an owner too.

        Args:
            org_id: A free ID.
            name: A free name.
            now: The time, RFC 3339.

        Raises:
            RefusedError: The name does not fit into a key.
        """
        document = encode_organization(org_id=org_id, name=name, description=description, now=now)
        self._records.put(org_id.encode(), document)
        self._index.put(index_name(name).encode("utf-8", "surrogateescape"), org_id.encode())

    def indexed_id(self, name: str) -> Id | None:
        """Look a name up in the index, as the server does. Raises as `get`."""
        found = self._index.get(index_name(name).encode("utf-8", "surrogateescape"))
        return parse_id(found) if found else None

    def put(self, organization: Organization) -> None:
        """Write an organization that is there; its name must not change. Raises as `delete`."""
        self._records.put(organization.id.encode(), organization.document)

    def rename(self, before: Organization, after: Organization) -> None:
        """Write an organization under a new name, and move its index entry.

        Args:
            before: As it is stored.
            after: The same organization with a name that is free.

        Raises:
            RefusedError: The name does not fit into a key.
        """
        self._unindex(before)
        self.put(after)
        key = index_name(after.name).encode("utf-8", "surrogateescape")
        self._index.put(key, after.id.encode())

    def delete(self, organization: Organization) -> None:
        """Remove an organization with its index entry; its buckets and roles stay.

        Args:
            organization: As it is stored.
        """
        self._unindex(organization)
        self._records.delete(organization.id.encode())

    def _unindex(self, organization: Organization) -> None:
        """Remove the index entry of an organization, unless it leads to another one."""
        if self.indexed_id(organization.name) == organization.id:
            self._index.delete(index_name(organization.name).encode("utf-8", "surrogateescape"))
