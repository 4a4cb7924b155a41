"""Values of a transaction that are not in memory, because many of them would fill it.

Lives here: `Values`, which says where a value is kept, and `StoredValue`, one that lies in a file.
Must not live here: the tree that has them, and
how a file without a name is made (`file`).

A change of all records of a large store touches as many bytes as the store has. The first of them
stay in memory; then what is on a page of the store is left there until the new page is written, and
what is new goes into a file beside the store that has no name, so that nothing is left of it
whenever the process ends. It is never synced, and the store knows nothing of it.

Invariants: a snapshot's pages are not written on while it is the newest, so a value on one of them
is the same until the commit. Where no such file can be had, or no more room in it, values stay in
memory: that costs memory and nothing else.
"""

from typing import Final, TypeAlias

from bolt_store.codec.leaf import Leaf, leaf_element_place
from bolt_store.errors import TruncatedError
from bolt_store.file.block_file import BlockFile
from bolt_store.limits import VALUE_MOVED_BYTES_MIN, VALUES_KEPT_BYTES_MAX
from bolt_store.tree.pages import Pages


class StoredValue:
    """A value that lies in a file."""

    __slots__ = ("_file", "_offset", "_size_bytes")

    def __init__(self, file: BlockFile, offset: int, size_bytes: int) -> None:
        """Note a place, in bytes, in a file that stays open as long as the transaction."""
        self._file = file
        self._offset = offset
        self._size_bytes = size_bytes

    def __len__(self) -> int:
        return self._size_bytes

    def read(self) -> bytes:
        """Read it; raise `TruncatedError` when the file has become shorter."""
        content = self._file.read_at(self._offset, self._size_bytes)
        if len(content) < self._size_bytes:
            expected = self._offset + self._size_bytes
            raise TruncatedError(expected_bytes=expected, found_bytes=self._file.size_bytes())
        return content


Value: TypeAlias = bytes | StoredValue
"""A value, or where it lies."""


class Values:
    """Where one write transaction keeps the values of what it changes."""

    def __init__(self, file: BlockFile) -> None:
        """Begin with all room in memory."""
        self._store: Final = file
        self._scratch: BlockFile | None = None
        self._scratch_bytes = 0
        self._room_bytes = VALUES_KEPT_BYTES_MAX
        self._is_full = False

    def kept(self, value: bytes) -> Value:
        """Keep a new value: in memory, or where that is full in the file without a name."""
        size = len(value)
        if size < VALUE_MOVED_BYTES_MIN or self._has_room(size) or self._is_full:
            return value
        try:
            if self._scratch is None:
                self._scratch = self._store.scratch()
            if self._scratch is not None:
                self._scratch.write_at(self._scratch_bytes, value)
        except OSError:
            self._is_full = True
            return value
        if self._scratch is None:
            self._is_full = True
            return value
        moved = StoredValue(self._scratch, self._scratch_bytes, size)
        self._scratch_bytes += size
        return moved

    def left(self, leaf: Leaf, run: tuple[int, int], pages: Pages) -> list[Value]:
        """Keep the values of a leaf of the store: in memory, or where that is full at their place.

        Args:
            leaf: As it is there; it is not changed.
            run: First page and number of pages of the run that it was read from.
        """
        if self._has_room(sum(map(len, leaf.values))):
            return [*leaf.values]
        pgid, _ = run
        page = pages.snapshot.page(pgid)
        start = pgid * pages.page_size_bytes
        values: list[Value] = []
        for index, value in enumerate(leaf.values):
            if len(value) < VALUE_MOVED_BYTES_MIN:
                values.append(value)
                continue
            _, offset, key_size, size = leaf_element_place(page, index, pgid=pgid)
            values.append(StoredValue(self._store, start + offset + key_size, size))
        return values

    def _has_room(self, size_bytes: int) -> bool:
        self._room_bytes -= size_bytes
        return self._room_bytes >= 0

    def close(self) -> None:
        """Give up the file without a name. Closing twice is allowed."""
        if self._scratch is not None:
            self._scratch.close()
