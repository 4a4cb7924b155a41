"""InfluxDB buckets, and the index of their names.

Lives here: `Buckets`. Must not live here: the engine's catalogue, which must name each of them
(`catalogue`).

Source: InfluxDB v2.9.1 tenant/storage_bucket.go; spec section 4.4.
"""

from collections.abc import Callable, Iterator

from recovery.metastore.table import RecordProblem, Table
from recovery.model.bucket import Bucket, decode_bucket, index_key
from recovery.model.ids import Id


class Buckets:
    """`bucketsv1` and `bucketindexv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open both; `MetaTx.buckets` is the way to get one. Raises as `MetaTx.table`."""
        self._records = table("bucketsv1")
        self._index = table("bucketindexv1")

    def walk(self, problems: list[RecordProblem]) -> Iterator[Bucket]:
        """Walk all buckets. Raises and takes `problems` as `Table.records`."""
        return self._records.records(decode_bucket, problems)

    def has_id(self, bucket_id: Id) -> bool:
        """Tell whether an ID is taken, by an undecodable record too.

        Raises:
            StoreDamagedError: A page on the way is damaged or cannot be read.
        """
        return self._records.has(bucket_id.encode())

    def insert(self, bucket_id: Id, org_id: Id, name: str, document: bytes) -> None:
        """Write a new bucket with its index entry; the catalogue needs an entry too.

        Args:
            bucket_id: A free ID.
            org_id: The organization.
            name: A name that is free in it.
            document: The record.

        Raises:
            StoreDamagedError: A bucket is missing, or a page on the way is damaged.
            RefusedError: The name does not fit into a key.
        """
        self._records.put(bucket_id.encode(), document)
        self._index.put(index_key(org_id, name), bucket_id.encode())
