"""The file of a store, seen a second time while it is locked.

Lives here: `SecondLook`. Must not live here: when it is taken (`recovery.metastore.store`).

Invariants: nothing is written, and only the file that is locked is looked at.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import bolt_store
from bolt_store.errors import LockError, ReadOnlyError
from recovery.metastore.failures import open_unnoticed


class SecondLook:
    """A read-only block file without a lock of its own."""

    def __init__(self, path: Path, device: int, inode: int) -> None:
        """Open the file at a path, provided that it is the one that is locked.

        Raises:
            OSError: It cannot be opened.
            LockError: Another file is there.
        """
        self._descriptor = open_unnoticed(path)
        status = os.fstat(self._descriptor)
        if (status.st_dev, status.st_ino) != (device, inode):
            self.close()
            raise LockError(problem="another file has been put in its place")

    def fileno(self) -> int:
        """Return the descriptor, which keeps belonging to this object."""
        return self._descriptor

    def size_bytes(self) -> int:
        """Return the present size."""
        return os.fstat(self._descriptor).st_size

    def data_ranges(self, start: int = 0) -> Iterator[tuple[int, int]]:
        """Give the ranges from `start` on that are stored; what is between them is zero."""
        return bolt_store.data_ranges(self._descriptor, start)

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes at `offset`, fewer only where the file ends."""
        data = os.pread(self._descriptor, size_bytes, offset)
        while data and len(data) < size_bytes:
            more = os.pread(self._descriptor, size_bytes - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def write_at(self, offset: int, data: bytes) -> NoReturn:  # noqa: ARG002 # of the protocol
        """Refuse, by `ReadOnlyError`."""
        raise ReadOnlyError

    def sync(self) -> None:
        """Do nothing: nothing is ever written."""

    def resize(self, size_bytes: int) -> NoReturn:  # noqa: ARG002 # of the protocol
        """Refuse, by `ReadOnlyError`."""
        raise ReadOnlyError

    def close(self) -> None:
        """Release the file. Closing twice is allowed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
