"""Opening a file to read it as it is, also one that somebody else has locked.

Lives here: `open_unlocked`, `open_block_file`. Must not live here: any way to write without the
lock.

What is read this way may change at any moment. Only the live snapshot, which proves its copy
afterwards, and salvage, which trusts nothing, can use it.
"""

import errno
import os
import stat

from bolt_store.file.block_file import BlockFile
from bolt_store.file.os_file import OsFile


def open_block_file(
    path: str | os.PathLike[str], *, lock: bool = True, timeout_s: float = 1.0
) -> BlockFile:
    """Open an existing file for reading, without looking at what is in it.

    Args:
        path: The file.
        lock: Take the shared lock. Without it, nothing may write the file meanwhile.
        timeout_s: How long to try for the lock, in seconds.

    Returns:
        The open file, the caller's to close.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
        LockError: Another process holds the lock, or it cannot be locked.
    """
    if lock:
        return OsFile.open_locked(path, write=False, timeout_s=timeout_s)
    return open_unlocked(path)


def open_unlocked(path: str | os.PathLike[str]) -> OsFile:
    """Open an existing file for reading, without asking for its lock.

    Args:
        path: The file.

    Returns:
        The open file; every write to it fails.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    # O_NONBLOCK: opening a named pipe by mistake must not hang.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(code, "not a regular file", os.fspath(path))
    return OsFile(descriptor, write=False)
