"""Organizations, and the index of their names.

Lives here: `Organizations`. Must not live here: their buckets (`buckets`) and members (`mappings`).

Source: InfluxDB v2.9.1 tenant/storage_org.go; spec section 4.3.
"""

from collections.abc import Callable, Iterator

from recovery.metastore.records import NamedRecords
from recovery.metastore.table import Table
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id, parse_id
from recovery.model.organization import (
    Organization,
    decode_organization,
    encode_organization,
    index_name,
)


class Organizations(NamedRecords[Organization]):
    """`organizationsv1` and `organizationindexv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open both; `MetaTx.organizations` is the way to get one. Raises as `MetaTx.table`."""
        super().__init__(
            table("organizationsv1"),
            table("organizationindexv1"),
            decode_organization,
            lambda organization: _key(organization.name),
        )

    def indexed_id(self, name: str) -> Id | None:
        """Look a name up in the index, as the server does."""
        return self._indexed(_key(name))

    def bare_ids(self) -> Iterator[Id]:
        """Give the IDs of records that a server decodes into an organization without an ID."""
        from recovery.model.goshape import ORGANIZATION, can_decode  # noqa: PLC0415 # large, rare

        for key, document in self._records.items():
            if document.startswith(b'{"id":"'):
                continue  # as a server writes it
            org_id = parse_id(key)
            if org_id is None or not can_decode(document, ORGANIZATION):
                continue
            try:
                decode_organization(document)
            except UndecodableError:
                yield org_id

    def insert(self, org_id: Id, *, name: str, description: str, now: str) -> None:
        """Write an organization with its index entry; `RefusedError` when no key holds its name."""
        document = encode_organization(org_id=org_id, name=name, description=description, now=now)
        self._records.put(org_id.encode(), document)
        self._index.put(_key(name), org_id.encode())


def _key(name: str) -> bytes:
    return index_name(name).encode("utf-8", "surrogateescape")
