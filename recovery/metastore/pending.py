"""Changes that are not written yet, as if they were.

Lives here: `PendingTx`, in which a repair is tried before anybody has said yes, so that the plan
shown is what will be written, to the last key. Must not live here: what is changed.

Invariants: the store below is only read. `apply` writes the very changes that were tried.
"""

from collections.abc import Iterator
from typing import Final, overload

import msgspec

from recovery.errors import StoreDamagedError
from recovery.metastore.table import Table
from recovery.metastore.transaction import MetaTx

PLAIN_BYTES_MAX: Final = 16 << 20
"""Values of one bucket that are held as they are; what comes behind them is compressed, to a fifth:
a change of all records of a large store would hold all of it."""
_PACKED_BYTES_MIN: Final = 256
_WINDOW_BITS: Final = 12
"""Of zlib: enough for a record, and made ready in half the time of the usual 15."""


class _Packed(bytes):
    """A value, compressed."""

    __slots__ = ()


@overload
def _plain(value: bytes) -> bytes: ...
@overload
def _plain(value: bytes | None) -> bytes | None: ...
def _plain(value: bytes | None) -> bytes | None:
    if not isinstance(value, _Packed):
        return value
    import zlib  # noqa: PLC0415 # only a very large change needs it

    return zlib.decompress(value, _WINDOW_BITS)


class _Changes(msgspec.Struct):
    """What is to become of one bucket.

    Attributes:
        values: New values by key; None for a key that is to go.
        dropped: Keys of bolt buckets inside of it that are to go first.
        plain_bytes: Size of the values that were put and not compressed.
        sequence: Its new sequence; None where that stays.
    """

    values: dict[bytes, bytes | None] = {}  # msgspec makes one for each
    dropped: set[bytes] = msgspec.field(default_factory=set)
    is_new: bool = False
    sequence: int | None = None
    plain_bytes: int = 0

    def __repr__(self) -> str:
        return f"_Changes({len(self.values)} keys)"


class PendingTable(Table):
    """One bolt bucket with changes that are not written yet."""

    __slots__ = ("_below", "_changes")

    def __init__(self, below: Table, changes: _Changes) -> None:
        """Lay changes over a bucket; `PendingTx.table` is the way to get one."""
        self.name = below.name
        self._below = below
        self._changes = changes

    @property
    def is_there(self) -> bool:
        """Whether the store has this bucket, or is to get it."""
        return self._changes.is_new or self._below.is_there

    def stored(self, key: bytes) -> bytes | None:
        """Read the value of a key, which may be empty. Returns and raises as `Table.stored`."""
        if key in self._changes.values:
            return _plain(self._changes.values[key])
        return self._below.stored(key)

    def items(
        self, prefix: bytes = b"", *, start: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Walk the keys and values in the order of the keys, as they are when the walk begins.

        Args:
            prefix: Only keys that begin with it.
            start: Only keys at or above it.
        """
        changed = dict(self._changes.values)
        added = [
            (key, value)
            for key, value in sorted(changed.items(), key=lambda item: item[0], reverse=True)
            if value is not None and key.startswith(prefix) and key >= (start or b"")
        ]
        for key, value in self._below.items(prefix, start=start):
            while added and added[-1][0] <= key:
                yield added[-1][0], _plain(added.pop()[1])
            if key not in changed:
                yield key, value
        while added:
            yield added[-1][0], _plain(added.pop()[1])

    @property
    def sequence(self) -> int:
        """As `Table.sequence`."""
        changed = self._changes.sequence
        return self._below.sequence if changed is None else changed

    def set_sequence(self, sequence: int) -> None:
        """Set the sequence. Raises as `Table.put` where the bucket is missing."""
        if not self.is_there:
            self._below.set_sequence(sequence)
        self._changes.sequence = sequence

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key. Raises as `Table.put` where the bucket is missing."""
        if not self.is_there:
            self._below.put(key, value)
        changes = self._changes
        if changes.plain_bytes < PLAIN_BYTES_MAX or len(value) < _PACKED_BYTES_MIN:
            changes.plain_bytes += len(value)
        else:
            import zlib  # noqa: PLC0415 # only a very large change needs it

            value = _Packed(zlib.compress(value, 1, _WINDOW_BITS))
        changes.values[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a key, if it is there. Raises as `put`."""
        if not self.is_there:
            self._below.delete(key)
        if self._below.is_bucket(key):
            self._changes.dropped.add(key)
        self._changes.values[key] = None

    def is_bucket(self, key: bytes) -> bool:
        """Tell whether a bolt bucket is there, and is to stay. As `Table.is_bucket`."""
        return key not in self._changes.values and self._below.is_bucket(key)


class PendingTx(MetaTx):
    """The records of a store with changes that are not written yet."""

    def __init__(self, below: MetaTx) -> None:
        """Lay changes, at first none, over a transaction that stays open as long as this is."""
        self._below = below
        self._changes: dict[str, _Changes] = {}
        self.level = below.level

    def damaged(self, problem: str) -> StoreDamagedError:
        """Return the error for a store that cannot be worked on. As `MetaTx.damaged`."""
        return self._below.damaged(problem)

    @property
    def path(self) -> str:
        """The store, as it was named."""
        return self._below.path

    @property
    def txid(self) -> int:
        """Transaction id of the state below."""
        return self._below.txid

    def table(self, name: str) -> Table:
        """Return one bolt bucket as a table. Raises as `MetaTx.table`."""
        return PendingTable(self._below.table(name), self._changes.setdefault(name, _Changes()))

    def create_table(self, name: str) -> Table:
        """Make a bolt bucket that is not there yet. Raises as `MetaTx.create_table`."""
        below = self._below.table(name)
        if below.is_there:
            raise self.damaged(f"has the bucket {name} already")
        self._changes.setdefault(name, _Changes()).is_new = True
        return self.table(name)

    @property
    def change_count(self) -> int:
        """Number of keys and sequences that differ from the store, and of buckets it lacks."""
        return sum(
            (changes.is_new or changes.sequence is not None)
            + sum(1 for _ in self._differing(name, changes))
            for name, changes in self._changes.items()
        )

    @property
    def made(self) -> frozenset[str]:
        """Names of the buckets that the store lacks and is to get."""
        return frozenset(name for name, changes in self._changes.items() if changes.is_new)

    def removed(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Walk bucket, key and present value of what is there and is to go."""
        for name, changes in self._changes.items():
            below = self._below.table(name)
            for key, value in changes.values.items():
                present = below.stored(key)
                is_gone = value is None or key in changes.dropped
                if is_gone and present is not None:
                    yield name, key, present

    def apply(self, tx: MetaTx) -> None:
        """Write the changes into the records of the same store.

        Raises:
            StoreDamagedError: A bucket or a page is not as it was.
            RefusedError: A key or a value is larger than the format allows.
        """
        for name, changes in self._changes.items():
            if changes.is_new:
                tx.create_table(name)
            table = tx.table(name)
            if changes.sequence is not None:
                table.set_sequence(changes.sequence)
            for key in changes.dropped:
                table.delete(key)
            for key, value in changes.values.items():
                if value is None:
                    table.delete(key)
                else:
                    table.put(key, _plain(value))

    def forget(self) -> None:
        """Hold no change any more; whoever has a table of this may be part of a cycle."""
        for changes in self._changes.values():
            changes.values.clear()
            changes.dropped.clear()

    def _differing(self, name: str, changes: _Changes) -> Iterator[bytes]:
        below = self._below.table(name)
        return (key for key, value in changes.values.items() if below.stored(key) != _plain(value))
