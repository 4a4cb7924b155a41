"""Finding the store in what people pack their backups into.

Lives here: `find_store`, which reads gzip, xz, zstd, bzip2 and tar from front to back, and a packed
store in a tar. Must not live here: where the store is written to (`recovery.metastore.unpacking`),
and how a file is packed (`recovery.metastore.packing`).

Invariants: nothing is read twice and nothing is kept but the head of a stream, so that neither a
long archive nor one that unpacks without end takes memory.

Source: spec influxdb-metadata section 1.2 for the names in a backup of `influx backup`.
"""

import bz2
import gzip
import lzma
import re
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import PurePosixPath
from typing import IO, Final, Protocol, cast

from recovery.metastore.packing import BZIP2, GZIP, HEAD_BYTES, TAR, XZ, ZSTD, packing_of

LAYERS_MAX: Final = 4
"""How often a file may have been packed."""
STORE_MARK: Final = bytes.fromhex("edda0ced")
STORE_MARK_OFFSET: Final = 16
CHUNK_BYTES: Final = 1 << 20
HEADER_BYTES_MAX: Final = 1 << 24
"""More than this in the header of one member of a tar is forged."""

CUT: Final = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, tarfile.ReadError)
"""What reading raises where a packed file ends early or is damaged; `ZstdError` becomes one."""

_BACKUP: Final = re.compile(r"\d{8}T\d{6}Z\.bolt(\.\w+)?")


class UnpackerMissingError(Exception):
    """The package that unpacks zstd is not installed."""


class NoStoreError(Exception):
    """There is no store in it; the message says what there is, as a clause."""


class _Source(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class Stream:
    """Bytes from front to back, of which the head can be looked at first.

    What was read in front of a cut is given before the cut is raised.
    """

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._head = b""
        self._position = 0

    def peek(self) -> bytes:
        """Return the next `HEAD_BYTES` bytes, fewer where the stream ends or is cut."""
        try:
            while len(self._head) < HEAD_BYTES and (more := self._source.read1(CHUNK_BYTES)):
                self._head += more
        except CUT:
            if not self._head:
                raise
        return self._head[:HEAD_BYTES]

    def read1(self, size: int = CHUNK_BYTES) -> bytes:
        """Return some of the next bytes; none at the end."""
        found = self._head[:size] or self._source.read1(size)
        self._head = self._head[size:]
        self._position += len(found)
        return found

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Return so many of the next bytes, fewer where the stream ends or is cut."""
        if size > HEADER_BYTES_MAX:
            raise tarfile.ReadError("a header is larger than any is")
        parts: list[bytes] = []
        try:
            while size and (more := self.read1(size)):
                parts.append(more)
                size -= len(more)
        except CUT:
            if not parts:
                raise
        return b"".join(parts)

    def tell(self) -> int:
        """Return how many bytes have been read."""
        return self._position

    def seek(self, position: int) -> int:
        """Skip to a position ahead."""
        while self._position < position:
            if not self.read1(min(CHUNK_BYTES, position - self._position)):
                break
        return self._position


def find_store(source: IO[bytes]) -> Iterator[Stream]:
    """Find the stores in a packed file.

    Of the backups of one folder, each with its time in its name, the newest counts.

    Yields:
        A store, to be read to its end before the next one is asked for. A later one replaces it.

    Raises:
        NoStoreError: There is none, or there are several.
        UnpackerMissingError: It is packed with zstd, and its package is not installed.
        OSError: The file cannot be read. One of `CUT`: it ends early (while iterating).
    """
    stream = _unpacked(Stream(cast("_Source", source)))
    head = stream.peek()
    if not head:
        raise NoStoreError("has nothing in it")
    if _is_store(head):
        yield stream
    elif packing_of(head) is TAR:
        yield from _in_tar(stream)
    else:
        raise NoStoreError("holds something else than a store")


def _in_tar(stream: Stream) -> Iterator[Stream]:
    names: list[str] = []
    newest = ""
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as archive:
        for info in archive:
            archive.members = []  # type: ignore[attr-defined] # it would keep all of them
            if not info.isreg():
                continue
            if info.issparse():
                content = Stream(cast("_Source", archive.extractfile(info)))
            else:
                stream.seek(info.offset_data)
                content = Stream(_Member(stream, info.size))
            if ".bolt" in info.name:
                content = _unpacked(content)
            if not _is_store(content.peek()):
                continue
            names.append(info.name)
            if _are_backups(names) and info.name < newest:
                continue
            newest = info.name
            yield content
    if not names:
        raise NoStoreError("is an archive without a store in it")
    if len(names) > 1 and not _are_backups(names):
        raise NoStoreError(f"is an archive with several stores in it: {', '.join(names)}")


class _Member:
    """A file in a tar; what tarfile gives ends a whole chunk before a cut."""

    def __init__(self, stream: Stream, size_bytes: int) -> None:
        self._stream = stream
        self._left = size_bytes

    def read1(self, size: int, /) -> bytes:
        found = self._stream.read1(min(size, self._left)) if self._left else b""
        if self._left and not found:
            raise EOFError("the archive ends in this file")
        self._left -= len(found)
        return found


def _are_backups(names: list[str]) -> bool:
    """Tell whether these are backups that `influx backup` left in one folder."""
    paths = [PurePosixPath(name) for name in names]
    return len({path.parent for path in paths}) == 1 and all(
        _BACKUP.fullmatch(path.name) for path in paths
    )


def _is_store(head: bytes) -> bool:
    return head[STORE_MARK_OFFSET:].startswith(STORE_MARK)


def _unpacked(stream: Stream) -> Stream:
    for _ in range(LAYERS_MAX):  # there are files that unpack to themselves
        unpacker = _unpacker(stream.peek())
        if unpacker is None:
            break
        stream = Stream(unpacker(stream))
    return stream


def _unpacker(head: bytes) -> Callable[[Stream], _Source] | None:
    table = {GZIP: _gzip, XZ: _xz, ZSTD: _Zstd, BZIP2: _Bzip2}
    found = packing_of(head)
    return None if found is None else table.get(found)


def _gzip(stream: Stream) -> _Source:
    return gzip.GzipFile(fileobj=cast("IO[bytes]", stream), mode="rb")


def _xz(stream: Stream) -> _Source:
    return lzma.LZMAFile(cast("IO[bytes]", stream))


class _Bzip2:
    """Bzip2, whose errors of its content are those of a disk."""

    def __init__(self, stream: Stream) -> None:
        self._file = bz2.BZ2File(cast("IO[bytes]", stream))

    def read1(self, size: int, /) -> bytes:
        try:
            return self._file.read1(size)
        except OSError as error:
            if error.errno is not None:  # of the disk
                raise
            raise EOFError("bzip2 data is damaged") from error


class _Zstd:
    """Zstd, whose errors become one of those that the standard library has for gzip."""

    def __init__(self, stream: Stream) -> None:
        try:
            name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
            zstd = import_module(name)
        except ImportError as error:
            raise UnpackerMissingError from error
        self._error: type[Exception] = zstd.ZstdError
        self._file: _Source = zstd.ZstdFile(stream)

    def read1(self, size: int, /) -> bytes:
        try:
            return self._file.read1(size)
        except self._error as error:
            raise EOFError("zstd data is damaged") from error
