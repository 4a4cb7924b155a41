"""InfluxDB buckets, and the index of their names.

Lives here: `Buckets`. Must not live here: the engine's catalogue, which must name each of them
(`catalogue`).

Source: InfluxDB v2.9.1 tenant/storage_bucket.go; spec section 4.4.
"""

from collections.abc import Callable

from recovery.metastore.records import NamedRecords
from recovery.metastore.table import Table
from recovery.model.bucket import Bucket, decode_bucket, index_key
from recovery.model.ids import Id, parse_id


class Buckets(NamedRecords[Bucket]):
    """`bucketsv1` and `bucketindexv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open both; `MetaTx.buckets` is the way to get one. Raises as `MetaTx.table`."""
        super().__init__(
            table("bucketsv1"),
            table("bucketindexv1"),
            decode_bucket,
            lambda one: None if one.org_id is None else index_key(one.org_id, one.name),
        )

    def indexed_id(self, org_id: Id, name: str) -> Id | None:
        """Look a name up in the index, as the server does."""
        return self._indexed(index_key(org_id, name))

    def indexed_of(self, org_id: Id) -> list[Id]:
        """List the buckets of an organization by the index, in the order of their names."""
        entries = self._index.items(prefix=index_key(org_id, ""))
        return [found for _, value in entries if (found := parse_id(value)) is not None]

    def insert(self, bucket_id: Id, org_id: Id, name: str, document: bytes) -> None:
        """Write a new bucket with its index entry; `RefusedError` when no key holds its name."""
        self._records.put(bucket_id.encode(), document)
        self._index.put(index_key(org_id, name), bucket_id.encode())
