"""Which parts of a file are stored, and which are holes that read as zeros; how a part is copied.

Lives here: `data_ranges` of a descriptor, what is asked of a `BlockFile` about its holes, and
`copy_inside`, `content_digest`. Must not live here: any other reading.

`cp --sparse` and a broken file system make files that say they are a
terabyte long and have 100 KB in them; nobody who reads one may read, copy or allocate the rest.

Source: lseek(2), SEEK_DATA and SEEK_HOLE; copy_file_range(2).
"""

import errno
import os
from collections.abc import Iterable, Iterator
from typing import Final

from bolt_store.file.block_file import BlockFile

CHUNK_BYTES: Final = 1 << 16
"""Compared at once: a multiple of every page size that is usual, and less than the 128 KiB from
which on each piece would be memory fresh from the system, which takes longer than the reading."""
HOLES_ALLOWED_BYTES: Final = 1 << 26
"""A run of pages up to this size is read whatever of it is stored."""
NO_HOLES_KNOWN: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})
"""What file systems say that cannot tell data from holes."""
CANNOT_COPY: Final = frozenset(
    {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}
)
"""What copy_file_range(2) says where it is not supported."""


def data_ranges(descriptor: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """Give the stored parts of a file; everything between them reads as zeros.

    Args:
        descriptor: Of the file. Its position is moved.

    Yields:
        Half-open ranges of bytes, ascending. The whole rest where the file system cannot tell.
    """
    size = os.fstat(descriptor).st_size
    while start < size:
        try:
            first = os.lseek(descriptor, start, os.SEEK_DATA)
            end = os.lseek(descriptor, first, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole to the end, or cut short meanwhile
                return
            if error.errno not in NO_HOLES_KNOWN:
                raise
            first, end = start, size
        yield first, end
        start = end


def stored_offsets(ranges: Iterable[tuple[int, int]], step: int) -> Iterator[int]:
    """Give the multiples of `step` where something is stored, each once; the ranges ascend."""
    done = 0
    for start, end in ranges:
        for offset in range(max(start // step * step, done), end, step):
            yield offset
            done = offset + step


def content_digest(file: BlockFile, end: int | None = None) -> str:
    """Digest a file; a hole counts as the zeros that it is read as. Raises `OSError`.

    Args:
        end: Where to end; None for all of it. Its size counts anyway.
    """
    from hashlib import sha256  # noqa: PLC0415 - only a change needs it

    digest = sha256(b"%d" % file.size_bytes())
    for offset in stored_offsets(file.data_ranges(), CHUNK_BYTES):
        if end is not None and offset >= end:
            break
        content = file.read_at(offset, CHUNK_BYTES if end is None else end - offset)
        if content != bytes(len(content)):
            digest.update(b"%d" % offset)
            digest.update(content)
    return digest.hexdigest()


def copy_inside(readable: int, writable: int, offset: int, size_bytes: int) -> int:
    """Copy a part of a file to the same place in another one, inside of the kernel.

    Returns:
        How many bytes were copied; 0 where the system cannot, or the source has ended.

    Raises:
        OSError: One of the files failed.
    """
    if not hasattr(os, "copy_file_range"):  # Python has it where its C library has, glibc 2.27
        return 0
    try:
        return os.copy_file_range(readable, writable, size_bytes, offset, offset)
    except OSError as error:
        if error.errno not in CANNOT_COPY:
            raise
        return 0


def end_of_data(file: BlockFile) -> int:
    """Return where the last stored part of a file ends; 0 when nothing is stored."""
    return max((end for _, end in file.data_ranges()), default=0)


def is_mostly_hole(file: BlockFile, offset: int, size_bytes: int) -> bool:
    """Tell whether a long run of pages is one that nobody ever wrote.

    A forged overflow in a sparse file can name gigabytes. A commit writes all of a run, but a
    sparse copy may have holes where its values are zeros.

    Args:
        file: An open one; of one that is no real file nothing is a hole.
        size_bytes: Its length.

    Returns:
        Whether it is long and less than half of it is stored.
    """
    if size_bytes <= HOLES_ALLOWED_BYTES:
        return False
    end = offset + size_bytes
    stored = 0
    for first, last in file.data_ranges(offset):
        if first >= end:
            break
        stored += min(last, end) - first
    return 2 * stored < size_bytes
