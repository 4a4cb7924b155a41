"""A new file that appears under its name only when it is complete.

Lives here: `NewFile`, and the copying of bytes into one. Must not live here: what is in the file.

Invariants: nothing that exists is ever replaced or followed, symlinks included. Until `publish`
the content has a name of its own, which no program of InfluxDB knows: influxd deletes
`<store>.tmp` when it starts. A failure, an exception or leaving without `publish` removes what was
begun; what a killed process has left, the next new file in that folder removes. Every failure to
write is a `CommitError`, so that it cannot be taken for a failure to read the source.

Source: spec sections 2.11 (new files) and 3.6; influxdb kv/restore for the name that it deletes.
"""

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from bolt_store.errors import CommitError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.os_file import (
    TEMPORARY_PREFIX,
    TEMPORARY_SUFFIX,
    OsFile,
    sync_directory,
)

MODE_PRIVATE: Final = 0o600
LEFTOVER_AGE_S: Final = 60.0
"""A younger file without a lock may be one that its maker is about to lock."""

CHUNK_SIZE_BYTES: Final = 1 << 20
"""Copied at once: a file of usual size is, so that nobody can write into it between two reads."""

NO_HARD_LINKS: Final = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
)
"""What file systems say that cannot give a file a second name."""


class NewFile:
    """A file being made. As a context manager it removes what was not published.

    Attributes:
        path: The name that it will have.
        file: Where its content goes; readable, too.
    """

    def __init__(self, path: str | os.PathLike[str], *, like: BlockFile | None) -> None:
        """Make an empty file beside the place it is for.

        Args:
            path: Where nothing may be yet.
            like: A file whose owner, mode and extended attributes are kept, as far as this process
                may set them. Without one, or when the owner cannot be kept, the mode is 0600.
        """
        self.path: Final = Path(path).absolute()
        if os.path.lexists(self.path):
            raise _exists(self.path)
        self._is_open = True
        with failing_as_commit():
            descriptor, name = tempfile.mkstemp(
                prefix=TEMPORARY_PREFIX, suffix=TEMPORARY_SUFFIX, dir=self.path.parent
            )
        self._temporary: Final = Path(name)
        self.file: Final = OsFile(descriptor, write=True)
        try:
            # Held as long as this process lives, so that others can tell a leftover.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_leftovers(self._temporary)
            if isinstance(like, OsFile):
                _keep_attributes(like.fileno(), descriptor)
        except BaseException:
            self.discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def publish(self) -> None:
        """Make the content durable and give it its name.

        Raises:
            FileExistsError: Something has that name by now; it is left alone.
            CommitError: The content or the name cannot be made durable; nothing is left behind.
        """
        try:
            with failing_as_commit():
                self.file.sync()
                _name(self._temporary, self.path)
                try:
                    sync_directory(self.path)
                except BaseException:
                    with contextlib.suppress(OSError):
                        self.path.unlink()
                    raise
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was not published. Calling it again is allowed."""
        if self._is_open:
            self._is_open = False
            self.file.close()
            with contextlib.suppress(OSError):  # the next one removes it
                self._temporary.unlink()


def _remove_leftovers(own: Path) -> None:
    """Remove what killed processes of this user have left in a folder. Does not raise."""
    with contextlib.suppress(OSError):
        now = own.stat().st_mtime
        for other in own.parent.glob(f"{TEMPORARY_PREFIX}*{TEMPORARY_SUFFIX}"):
            if other != own:
                with contextlib.suppress(OSError):
                    _remove_leftover(other, now)


def _remove_leftover(path: Path, now: float) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if is_ours and now - status.st_mtime >= LEFTOVER_AGE_S:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its maker lives
            path.unlink()
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def failing_as_commit() -> Iterator[None]:
    """Turn a failure of the operating system into one of writing.

    Raises:
        CommitError: Instead of an `OSError`.
        FileExistsError: As it is: nothing has failed, the name is taken.
    """
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        problem = os.strerror(error.errno) if error.errno else str(error)
        raise CommitError(phase="data", outcome="unchanged", problem=problem) from error


def chunks(source: BlockFile, size_bytes: int, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Read what is stored of the first bytes of a file, one chunk after the other.

    Args:
        start: Where to begin.

    Yields:
        Offset and bytes, without the holes between them.
    """
    for begin, stop in source.data_ranges(start):
        offset, end = begin, min(stop, size_bytes)
        while offset < end:
            data = source.read_at(offset, min(CHUNK_SIZE_BYTES, end - offset))
            if not data:
                return
            yield offset, data
            offset += len(data)


def extend(target: BlockFile, size_bytes: int) -> None:
    """Let a file being made end where its source ends in a hole, without reserving the hole."""
    if target.size_bytes() < size_bytes:
        write(target, size_bytes - 1, b"\0")


def write(target: BlockFile, offset: int, data: bytes) -> None:
    """Write to a file being made."""
    with failing_as_commit():
        target.write_at(offset, data)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path))


def _keep_attributes(source: int, target: int) -> None:
    """Give a file the owner, the mode and the extended attributes of another."""
    wanted = os.fstat(source)
    present = os.fstat(target)
    if (wanted.st_uid, wanted.st_gid) != (present.st_uid, present.st_gid):
        try:
            os.fchown(target, wanted.st_uid, wanted.st_gid)
        except OSError:
            return  # the mode of somebody else's file would open it to the wrong people
    os.fchmod(target, stat.S_IMODE(wanted.st_mode) & 0o777)
    # Access lists and security labels: kept where the system lets us, as by cp.
    with contextlib.suppress(OSError):
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))


def _name(temporary: Path, path: Path) -> None:
    """Give a file its final name, unless that is taken. A rename would replace what is there."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
    else:
        return  # `discard` removes the other name: nothing can fail in between
    # Without hard links, the name is claimed first, by an empty file that cannot replace anything.
    claim = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE_PRIVATE)
    os.close(claim)
    try:
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
