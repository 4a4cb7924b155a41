"""Records whose key is their ID, and an index that finds them by name.

Lives here: what every repository of such records does. Must not live here: what a record is, and
what only one kind of it has.

Invariants: an index entry is taken out only where it leads to the record in question.

Source: InfluxDB v2.9.1 tenant/storage_user.go, storage_org.go, storage_bucket.go,
authorization/storage_authorization.go.
"""

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from recovery.metastore.table import Identified, RecordProblem, Table
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id, parse_id


class Stored(Identified, Protocol):
    """A record, and the bytes that it is stored as."""

    @property
    def document(self) -> bytes:
        """The bytes."""
        ...


Record = TypeVar("Record", bound=Stored)


class Records(Generic[Record]):
    """A bolt bucket of records."""

    def __init__(self, records: Table, decode: Callable[[bytes], Record]) -> None:
        self._records = records
        self._decode = decode

    def walk(self, problems: list[RecordProblem]) -> Iterator[Record]:
        """Walk all records. Takes `problems` as `Table.records`."""
        return self._records.records(self._decode, problems)

    def walk_keyed(
        self, problems: list[RecordProblem], *, start: bytes | None = None
    ) -> Iterator[tuple[bytes, Record]]:
        """Walk all, each with its key. Takes arguments as `Table.keyed_records`."""
        return self._records.keyed_records(self._decode, problems, start=start)

    def get(self, record_id: Id) -> Record | None:
        """Read one record; None when there is none or it cannot be decoded."""
        document = self._records.get(record_id.encode())
        try:
            return None if document is None else self._decode(document)
        except UndecodableError:
            return None

    def holds(self, record: Record) -> bool:
        """Tell whether a record is there, byte for byte."""
        return self._records.get(record.id.encode()) == record.document

    def has_id(self, record_id: Id) -> bool:
        """Tell whether an ID is taken, by an undecodable record too."""
        return self._records.has(record_id.encode())

    def put(self, record: Record) -> None:
        """Write a record that is there; what an index has of it must not change."""
        self._records.put(record.id.encode(), record.document)


class NamedRecords(Records[Record]):
    """A bolt bucket of records, and one with an entry for the name of each."""

    def __init__(
        self,
        records: Table,
        index: Table,
        decode: Callable[[bytes], Record],
        index_key: Callable[[Record], bytes | None],
    ) -> None:
        """Put the two together; `index_key` gives a record's key in the index, None without one."""
        super().__init__(records, decode)
        self._index = index
        self._index_key = index_key

    def _indexed(self, key: bytes) -> Id | None:
        found = self._index.get(key)
        return parse_id(found) if found else None

    def restore(self, record: Record) -> None:
        """Write a record as it once was, with its index entry; ID and name are free."""
        self.put(record)
        key = self._index_key(record)
        if key is not None:
            self._index.put(key, record.id.encode())

    def update(self, before: Record, after: Record) -> None:
        """Write a record that is there, and move its index entry where its name is another.

        Args:
            after: As it is to be; a new name is free.

        Raises:
            RefusedError: The name does not fit into a key.
        """
        if self._index_key(before) == self._index_key(after):
            self.put(after)
        else:
            self._unindex(before)
            self.restore(after)

    def delete(self, record: Record) -> None:
        """Remove a record with its index entry; whatever else belongs to it stays."""
        self._unindex(record)
        self._records.delete(record.id.encode())

    def _unindex(self, record: Record) -> None:
        key = self._index_key(record)
        if key is not None and self._indexed(key) == record.id:
            self._index.delete(key)
