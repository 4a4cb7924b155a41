"""The seam between the engine and storage.

Lives here: the `BlockFile` protocol. Must not live here: an implementation. Real files are in
`os_file`; tests bring their own: in memory, and such that lose writes or fail.
"""

from collections.abc import Iterator
from typing import Protocol


class BlockFile(Protocol):
    """A resizable array of bytes that forgets unsynced writes when the power goes.

    Every method may raise `OSError`; only `LockError` and `OSError` leave this layer for reasons
    other than the file's content.
    """

    def size_bytes(self) -> int:
        """Return the present size."""
        ...

    def data_ranges(self, start: int = 0) -> Iterator[tuple[int, int]]:
        """Give the ranges from `start` on that are stored; what is between them is zero."""
        yield start, self.size_bytes()

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes at `offset`, fewer than asked for only where the file ends."""
        ...

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`, growing the file when it ends before that."""
        ...

    def copy_from(
        self,
        source: "BlockFile",  # noqa: ARG002 # for who can
        offset: int,  # noqa: ARG002
        size_bytes: int,  # noqa: ARG002
    ) -> int:
        """Copy a part to its same place without reading it; return its bytes, 0 if impossible."""
        return 0

    def sync(self) -> None:
        """Return once everything written before is on stable storage, the size included."""
        ...

    def resize(self, size_bytes: int) -> None:
        """Set the size; new bytes are zero and, where possible, have their space reserved."""
        ...

    def scratch(self) -> "BlockFile | None":
        """Make an empty file without a name for this time, on the same disk; None: there is none.

        The caller closes it.
        """
        return None

    def close(self) -> None:
        """Release the file. Closing twice is allowed."""
        ...
