"""A real file: open flags, locks, reads, writes and syncs.

Lives here: `OsFile`. Must not live here: pages.

Invariants: opening never creates, `create_new` never replaces. The lock is taken before the size
is measured and before the first byte is read, and is held until `close`. Reads go through `pread`,
not through a map: a bad sector under a map, or a file cut short by somebody who ignores locks,
kills the process without a word, while `pread` returns an error that can be reported.

Source: bbolt v1.3.6 bolt_unix.go (flock), db.go (Open); spec section 2.9 for what each lock sees.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from bolt_store.errors import LockError, LockTimeoutError, ReadOnlyError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.sparse import copy_inside, data_ranges
from bolt_store.limits import LOCK_POLL_INTERVAL_S

CANNOT_LOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL, errno.ENOSYS})
"""What file systems say that do not support `flock`."""

_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""O_NONBLOCK: opening a named pipe by mistake must not hang."""


TEMPORARY_PREFIX = ".bolt_store-"
TEMPORARY_SUFFIX = ".new"
"""Of files that are not complete; what a killed process has left, `new_file` removes."""

OFFSET_MAX = 1 << 62
"""No file is so large; the kernel refuses offsets a little above."""


class OsFile(BlockFile):
    """A file of the operating system, locked as bbolt locks it."""

    def __init__(
        self, descriptor: int, *, write: bool, path: str | os.PathLike[str] | None = None
    ) -> None:
        """Take over an open descriptor; `open_locked` and `create_new` are the usual ways.

        Args:
            path: Where it was opened; without it there is no `scratch`.
        """
        self._descriptor = descriptor
        self._write = write
        self._folder = None if path is None else Path(path).absolute().parent
        self._is_resized = False
        self._is_closed = False

    @classmethod
    def open_locked(
        cls,
        path: str | os.PathLike[str],
        *,
        write: bool,
        timeout_s: float,
        needs_lock: bool = True,
    ) -> "OsFile":
        """Open an existing file and lock it.

        Args:
            write: Lock exclusively and allow writing; otherwise lock shared.
            timeout_s: How long to try for the lock, in seconds; 0 tries once.
            needs_lock: Whether a file system without locks is an error.

        Raises:
            OSError: The file cannot be opened, or is not a regular file.
            LockTimeoutError: Another process holds the lock.
            LockError: The file system cannot lock, or the file was replaced meanwhile.
        """
        descriptor = open_regular(path, os.O_RDWR if write else os.O_RDONLY)
        try:
            _lock(descriptor, exclusive=write, timeout_s=timeout_s, is_needed=needs_lock)
            _require_same_file(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor, write=write, path=path)

    @classmethod
    def create_new(cls, path: str | os.PathLike[str], *, needs_lock: bool = True) -> "OsFile":
        """Create a file that does not exist yet, mode 0600, locked exclusively.

        Args:
            needs_lock: As for `open_locked`.

        Raises:
            FileExistsError: Something is there already; it is left alone.
            LockError: The file system cannot lock.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            _lock(descriptor, exclusive=True, timeout_s=0, is_needed=needs_lock)
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                Path(path).unlink()
            raise
        return cls(descriptor, write=True, path=path)

    def fileno(self) -> int:
        """Return the descriptor, which keeps belonging to this object."""
        return self._descriptor

    def beside(self) -> "OsFile":
        """Open the same file once more for reading, under the same lock.

        The lock is held until both are closed.

        Raises:
            OSError: There is no descriptor to be had.
        """
        return OsFile(fcntl.fcntl(self._descriptor, fcntl.F_DUPFD_CLOEXEC, 0), write=False)

    def size_bytes(self) -> int:
        """Return the present size."""
        return os.fstat(self._descriptor).st_size

    def data_ranges(self, start: int = 0) -> Iterator[tuple[int, int]]:
        """Give the ranges from `start` on that are stored; what is between them is zero."""
        return data_ranges(self._descriptor, start)

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes at `offset`, fewer only where the file ends."""
        if offset > OFFSET_MAX:
            return b""
        data = os.pread(self._descriptor, size_bytes, offset)
        if len(data) < size_bytes and data:
            return data + self._read_rest(offset + len(data), size_bytes - len(data))
        return data

    def _read_rest(self, offset: int, size_bytes: int) -> bytes:
        """Go on after a short read, until the end of the file."""
        parts = []
        while size_bytes:
            data = os.pread(self._descriptor, size_bytes, offset)
            if not data:
                break
            parts.append(data)
            offset += len(data)
            size_bytes -= len(data)
        return b"".join(parts)

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`."""
        if not self._write:
            raise ReadOnlyError
        if offset + len(data) > self.size_bytes():
            self._is_resized = True
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            offset += written
            view = view[written:]

    def copy_from(self, source: BlockFile, offset: int, size_bytes: int) -> int:
        """Copy a part inside of the kernel; 0 where that fails, as reading and writing tell why."""
        self._is_resized = True
        with contextlib.suppress(OSError):
            if isinstance(source, OsFile):
                return copy_inside(source.fileno(), self._descriptor, offset, size_bytes)
        return 0

    def sync(self) -> None:
        """Return once all that was written is on stable storage, the size included."""
        # Before Linux 3.6, fdatasync could lose the size of a file that had just grown.
        if self._is_resized:
            os.fsync(self._descriptor)
            self._is_resized = False
        else:
            os.fdatasync(self._descriptor)

    def resize(self, size_bytes: int) -> None:
        """Set the size."""
        if not self._write:
            raise ReadOnlyError
        self._is_resized = True
        present = self.size_bytes()
        if size_bytes <= present:
            os.ftruncate(self._descriptor, size_bytes)
            return
        try:
            # Reserves the space, so that a full disk shows before any page is written.
            os.posix_fallocate(self._descriptor, present, size_bytes - present)
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV, errno.ENOSYS}:
                raise
            os.ftruncate(self._descriptor, size_bytes)

    def scratch(self) -> "OsFile | None":
        """Make an empty file without a name in the same folder, mode 0600.

        Where the file system has no such files, it has a name for a moment.

        Raises:
            OSError: None can be made.

        Source: open(2), O_TMPFILE.
        """
        if self._folder is None:
            return None
        from tempfile import TemporaryFile  # noqa: PLC0415 # only a change of very much needs it

        with TemporaryFile(
            dir=self._folder, prefix=TEMPORARY_PREFIX, suffix=TEMPORARY_SUFFIX
        ) as file:
            descriptor = fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, 0)
        return OsFile(descriptor, write=True)

    def close(self) -> None:
        """Release the file and its lock. Closing twice is allowed."""
        if not self._is_closed:
            self._is_closed = True
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def open_regular(path: str | os.PathLike[str], access: int) -> int:
    """Open a regular file that is there, without a lock, and give the descriptor.

    Args:
        access: `os.O_RDONLY` or `os.O_RDWR`.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    descriptor = _open(path, access)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(code, "not a regular file", os.fspath(path))
    return descriptor


def _open(path: str | os.PathLike[str], access: int) -> int:
    """Open, so that reading leaves the access time alone where this user may ask for that.

    Source: open(2), O_NOATIME: only the owner of a file, and root, may.
    """
    no_atime = getattr(os, "O_NOATIME", 0)  # Linux only
    if no_atime:
        try:
            return os.open(path, access | _FLAGS | no_atime)
        except PermissionError:
            pass  # not the owner, or not permitted at all: the next call tells which
    return os.open(path, access | _FLAGS)


def _lock(descriptor: int, *, exclusive: bool, timeout_s: float, is_needed: bool) -> None:
    """Take the flock without ever blocking in the kernel, which could last for ever on NFS."""
    operation = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            if time.monotonic() + LOCK_POLL_INTERVAL_S > deadline:
                raise LockTimeoutError(timeout_s=timeout_s, exclusive=exclusive) from None
            time.sleep(LOCK_POLL_INTERVAL_S)
        except OSError as error:
            if error.errno not in CANNOT_LOCK:
                raise
            if not is_needed:
                return
            problem = f"its file system has no locks ({os.strerror(error.errno or 0)})"
            raise LockError(problem=problem, is_unsupported=True) from error
        else:
            return


def _require_same_file(descriptor: int, path: str | os.PathLike[str]) -> None:
    """Refuse a file that was replaced between opening and locking it."""
    locked = os.fstat(descriptor)
    try:
        named = Path(path).stat()
    except FileNotFoundError:
        raise LockError(problem="it was removed while waiting for the lock") from None
    if (locked.st_dev, locked.st_ino) != (named.st_dev, named.st_ino):
        raise LockError(problem="it was replaced by another file while waiting for the lock")


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Make the name of a new or renamed file durable; raise `OSError` when its folder cannot."""
    descriptor = os.open(Path(path).absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
