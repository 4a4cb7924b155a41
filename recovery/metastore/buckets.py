"""InfluxDB buckets, and the index of their names.

Lives here: `Buckets`. Must not live here: the engine's catalogue, which must name each of them
(`catalogue`).

Source: InfluxDB v2.9.1 tenant/storage_bucket.go; spec section 4.4.
"""

from collections.abc import Callable, Iterator

from recovery.metastore.table import RecordProblem, Table
from recovery.model.bucket import Bucket, decode_bucket, index_key
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id, parse_id


class Buckets:
    """`bucketsv1` and `bucketindexv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open both; `MetaTx.buckets` is the way to get one. Raises as `MetaTx.table`."""
        self._records = table("bucketsv1")
        self._index = table("bucketindexv1")

    def walk(self, problems: list[RecordProblem]) -> Iterator[Bucket]:
        """Walk all buckets. Raises and takes `problems` as `Table.records`."""
        return self._records.records(decode_bucket, problems)

    def walk_keyed(self, problems: list[RecordProblem]) -> Iterator[tuple[bytes, Bucket]]:
        """Walk all, each with its key. Raises and takes `problems` as `Table.records`."""
        return self._records.keyed_records(decode_bucket, problems)

    def get(self, bucket_id: Id) -> Bucket | None:
        """Read one bucket; None when there is none or it cannot be decoded. Raises as `has_id`."""
        document = self._records.get(bucket_id.encode())
        try:
            return None if document is None else decode_bucket(document)
        except UndecodableError:
            return None

    def indexed_id(self, org_id: Id, name: str) -> Id | None:
        """Look a name up in the index, as the server does. Raises as `has_id`."""
        found = self._index.get(index_key(org_id, name))
        return parse_id(found) if found else None

    def indexed_of(self, org_id: Id) -> list[Id]:
        """List the buckets of an organization by the index, in the order of their names."""
        entries = self._index.items(prefix=index_key(org_id, ""))
        return [found for _, value in entries if (found := parse_id(value)) is not None]

    def update(self, before: Bucket, after: Bucket) -> None:
        """Write a bucket that is there, and move its index entry with its name.

        Args:
            before: As it is stored.
            after: As it is to be; its name is free.

        Raises:
            RefusedError: The name does not fit into a key.
        """
        self._unindex(before)
        self._records.put(after.id.encode(), after.document)
        if after.org_id is not None:
            self._index.put(index_key(after.org_id, after.name), after.id.encode())

    def delete(self, bucket: Bucket) -> None:
        """Remove a bucket with its index entry; the catalogue is not touched. Raises as `insert`.

        Args:
            bucket: As it is stored.
        """
        self._unindex(bucket)
        self._records.delete(bucket.id.encode())

    def _unindex(self, bucket: Bucket) -> None:
        """Remove the index entry of a bucket, unless it leads to another one."""
        if bucket.org_id is not None and self.indexed_id(bucket.org_id, bucket.name) == bucket.id:
            self._index.delete(index_key(bucket.org_id, bucket.name))

    def has_id(self, bucket_id: Id) -> bool:
        """Tell whether an ID is taken, by an undecodable record too."""
        return self._records.has(bucket_id.encode())

    def insert(self, bucket_id: Id, org_id: Id, name: str, document: bytes) -> None:
        """Write a new bucket with its index entry; the catalogue needs an entry too.

        Args:
            bucket_id: A free ID.
            name: A name that is free in it.
            document: The record.

        Raises:
            RefusedError: The name does not fit into a key.
        """
        self._records.put(bucket_id.encode(), document)
        self._index.put(index_key(org_id, name), bucket_id.encode())
