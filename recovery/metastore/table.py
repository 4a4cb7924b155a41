"""One bolt bucket, as a table of keys and values.

Lives here: `Table`, the `RecordProblem` that a walk leaves behind, and the `KeyChange` that is left
of a change. Must not live here: what the
values mean.

Invariants: an empty value is an absent one for a point read, as in InfluxDB. What the engine raises
is translated where it is raised, and never what a caller raises between two items of a walk.

Source: InfluxDB v2.9.1 bolt/kv.go (Get); spec section 2.
"""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import msgspec

from bolt_store import Bucket
from bolt_store.errors import BoltError, StateError
from recovery.metastore.failures import Failures
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id, parse_id


class Identified(Protocol):
    """A record that knows its ID."""

    @property
    def id(self) -> Id:
        """The ID."""
        ...


Record = TypeVar("Record", bound=Identified)


class KeyChange(msgspec.Struct, frozen=True):
    """What a change did to one key. It holds secrets.

    Attributes:
        before: The value before; None when there was none.
        after: The value now; None when there is none.
    """

    table: str
    key: bytes
    before: bytes | None
    after: bytes | None

    def __repr__(self) -> str:
        return f"KeyChange(table={self.table!r})"

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return len(self.key) + len(self.before or b"") + len(self.after or b"")


class RecordProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is not as the server wants it, most often not decodable.

    Attributes:
        bucket: Where it is, such as "authorizationsv1".
        id: Its key where that is an ID, else None: other keys may be secrets.
        problem: What is wrong, as a clause without a byte of its content.
    """

    bucket: str
    id: str | None
    problem: str


class Table:
    """One bolt bucket. One that is missing reads as empty, and refuses to be written."""

    __slots__ = ("_failures", "_find", "_found", "_note", "name")

    def __init__(
        self,
        name: str,
        find: Callable[[], Bucket | None],
        failures: Failures,
        *,
        note: Callable[["Table", bytes, bytes | None], None] | None = None,
    ) -> None:
        """Wrap a bucket; `MetaTx.table` is the way to get one.

        Args:
            find: Gives the bucket, or None when the store lacks it. Called when it is needed: most
                requests need few of the tables that a repository has.
            failures: Translates what the engine raises.
            note: Called in front of each change of a key with the value that it will have.
        """
        self.name = name
        self._find = find
        self._found: Bucket | None = None
        self._failures = failures
        self._note = note

    @property
    def _bucket(self) -> Bucket | None:
        """The bucket; one that is missing may be made yet."""
        if self._found is None:
            with self._failures.translated():
                self._found = self._find()
        return self._found

    @property
    def is_there(self) -> bool:
        """Whether the store has this bucket."""
        return self._bucket is not None

    def get(self, key: bytes) -> bytes | None:
        """Read the value of a key; None when it is absent or empty."""
        return self.stored(key) or None

    def has(self, key: bytes) -> bool:
        """Tell whether a key is there, with an empty value too."""
        return self.stored(key) is not None

    def stored(self, key: bytes) -> bytes | None:
        """Read the value of a key, which may be empty, as in `items`; None when it is absent."""
        bucket = self._bucket
        if bucket is None or not key:
            return None
        try:  # not `translated`, which takes as long as the look-up
            value = bucket.get(key)
            return b"" if value is None and bucket.has_bucket(key) else value
        except StateError:
            raise
        except (BoltError, OSError) as error:
            raise self._failures.translate(error) from error

    def is_bucket(self, key: bytes) -> bool:
        """Tell whether a bolt bucket is where a value belongs; a server cannot write over it."""
        bucket = self._bucket
        if bucket is None or not key:
            return False
        with self._failures.translated():
            return bucket.has_bucket(key)

    def items(
        self, prefix: bytes = b"", *, start: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Walk the keys and values in the order of the keys.

        Args:
            prefix: Only keys that begin with it.
            start: Only keys at or above it.

        Yields:
            Key and value. A bucket inside of this one, of which InfluxDB makes none, has an empty
            value: to a server it is a record of which nothing can be read.
        """
        bucket = self._bucket
        if bucket is None:
            return
        # An exception of the caller between two items does not pass through here.
        try:
            for key, value in bucket.items(prefix=prefix, start=start):
                yield key, value or b""
        except StateError:
            raise
        except (BoltError, OSError) as error:
            raise self._failures.translate(error) from error

    @property
    def is_empty(self) -> bool:
        """Whether it has no key at all."""
        return next(self.items(), None) is None

    def records(
        self, decode: Callable[[bytes], Record], problems: list[RecordProblem]
    ) -> Iterator[Record]:
        """Walk the records of a bucket whose keys are IDs.

        A record under a key that is not its ID is given and is a problem too: the server lists it
        and cannot find it.

        Args:
            decode: Makes a record of a value; raises `UndecodableError`.
            problems: Gets one entry for each record that is left out.

        Yields:
            The records that can be decoded.
        """
        for _, record in self.keyed_records(decode, problems):
            yield record

    def keyed_records(
        self,
        decode: Callable[[bytes], Record],
        problems: list[RecordProblem],
        *,
        start: bytes | None = None,
    ) -> Iterator[tuple[bytes, Record]]:
        """Walk the records as `records` does, each with its key: by that a server finds it.

        Args:
            decode: As for `records`.
            problems: As for `records`.
            start: Only keys at or above it.
        """
        for key, value in self.items(start=start):
            try:
                record = decode(value)
            except UndecodableError as error:
                problems.append(self._problem(key, error.problem))
                continue
            if key != record.id.encode():
                problems.append(self._problem(key, "its key is not its ID"))
            yield key, record

    def _problem(self, key: bytes, problem: str) -> RecordProblem:
        return RecordProblem(bucket=self.name, id=parse_id(key), problem=problem)

    @property
    def sequence(self) -> int:
        """The number that bbolt keeps with a bucket, which InfluxDB does not use; 0 without one."""
        bucket = self._bucket
        return 0 if bucket is None else bucket.sequence

    def set_sequence(self, sequence: int) -> None:
        """Set that number. Raises as `put`."""
        bucket = self._required()
        with self._failures.translated():
            bucket.set_sequence(sequence)

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key.

        Raises:
            StoreDamagedError: The bucket is missing, or a page on the way is damaged.
            RefusedError: Key or value is larger than the format allows.
        """
        bucket = self._required()
        if self._note is not None:
            self._note(self, key, value)
        with self._failures.translated():
            bucket.put(key, value)

    def delete(self, key: bytes) -> None:
        """Remove a key, or the bucket of that name, if it is there. Raises as `put`."""
        bucket = self._required()
        if self._note is not None:
            self._note(self, key, None)
        with self._failures.translated():
            if bucket.has_bucket(key):
                bucket.delete_bucket(key)
            else:
                bucket.delete(key)

    def _required(self) -> Bucket:
        bucket = self._bucket
        if bucket is None:
            raise self._failures.bucket_missing(f"the bucket {self.name}")
        return bucket
