"""Opening a file to read it as it is, also one that somebody else has locked.

Lives here: `open_unlocked`, `open_again`, `open_block_file`. Must not live here: any way to write
without the lock.

What is read this way may change at any moment. Only the live snapshot, which proves its copy
afterwards, salvage, which trusts nothing, and who holds the lock already can use it.
"""

import os

from bolt_store.errors import LockError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.os_file import OsFile, open_regular


def open_block_file(
    path: str | os.PathLike[str], *, lock: bool = True, timeout_s: float = 1.0
) -> BlockFile:
    """Open an existing file for reading, without looking at what is in it.

    Args:
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

    Returns:
        The open file; every write to it fails.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    return OsFile(open_regular(path, os.O_RDONLY), write=False)


def open_again(path: str | os.PathLike[str], *, device: int, inode: int) -> OsFile:
    """Open a file for reading that the caller has locked already, under a descriptor of its own.

    Raises:
        OSError: As `open_unlocked`.
        LockError: Another file has been put in its place.
    """
    file = open_unlocked(path)
    status = os.fstat(file.fileno())
    if (status.st_dev, status.st_ino) != (device, inode):
        file.close()
        raise LockError(problem="another file has been put in its place")
    return file
