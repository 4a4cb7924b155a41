"""WAL segments: the time and the measurements of points that are in no TSM file yet.

Lives here: reading the entries of a segment. Must not live here: which segments there are.

A segment is a row of entries: u8 type, u32 big-endian length, and so many bytes, which are a snappy
block without framing. An entry of type 1 has for each key: u8 type of its values, u16 length, key,
u32 number of values, and each value behind its i64 time: 8 bytes, one for a boolean, or u32 length
and text. Entries of the types 2 and 3 take points away; what they took away is counted as there,
because it is within the time of the shard.

Invariants: as the server does, reading stops at the first entry that is not whole or cannot be
understood: after a crash the last one often is. Memory is bounded by one entry; a length that its
bytes cannot have is not believed.

Source: InfluxDB v2.9.1 tsdb/engine/tsm1/wal.go (`WriteWALEntry`, `WALSegmentReader`), cache.go
(`CacheLoader.Load`); snappy format description (a block begins with its length as a varint, and no
element of 3 bytes gives more than 64).
"""

from collections.abc import Iterator
from struct import Struct, iter_unpack
from struct import error as StructError  # noqa: N812 # it is a class
from typing import Final

import msgspec

from recovery.engine.keys import Measurements
from recovery.engine.tsm import ReadAt
from recovery.model.shard_groups import TIME_NS_MAX, TIME_NS_MIN, Span

WRITE: Final = 1
DELETE: Final = 2
DELETE_RANGE: Final = 3

_ENTRY: Final = Struct(">BI")
_VALUES: Final = Struct(">BH")
_COUNT: Final = Struct(">I")
_TIME: Final = Struct(">q")
_TEXT: Final = Struct(">qI")
_TEXT_KIND: Final = 4
_FORMATS: Final = {1: ">q8x", 2: ">q8x", 3: ">qx", 5: ">q8x"}
_SIZES_BYTES: Final = {1: 16, 2: 16, 3: 9, 5: 16}
_SNAPPY_RATIO_MAX: Final = 22
_VARINT_SIZE_BYTES_MAX: Final = 5


class _WalError(ValueError):
    """An entry cannot be understood; the text is a clause whose subject is the segment."""


class WalFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment tells.

    Attributes:
        span: The time of all points that it adds; None when it adds none.
        entry_count: Number of entries that are whole.
        problem: Why reading stopped in front of the end, as a clause whose subject is the segment;
            None when it did not.
    """

    span: Span | None
    entry_count: int
    problem: str | None


def read_wal(read_at: ReadAt, size_bytes: int, measurements: Measurements) -> WalFacts:
    """Read a WAL segment, as far as it is whole.

    Raises:
        OSError: It cannot be read.
        ImportError: The library that unpacks entries is not there.
    """
    span: Span | None = None
    count = 0
    try:
        for entry in _entries(read_at, size_bytes):
            found = _read_write(entry, measurements) if entry else None
            span = span if found is None else found.joined(span)
            count += 1
    except _WalError as error:
        return WalFacts(span=span, entry_count=count, problem=str(error))
    return WalFacts(span=span, entry_count=count, problem=None)


def _entries(read_at: ReadAt, size_bytes: int) -> Iterator[bytes]:
    """Give the entries, unpacked; one that adds no points as no bytes. Raises `_WalError`."""
    import cramjam  # noqa: PLC0415 # 10 ms, and most shards have no WAL

    offset = 0
    while offset < size_bytes:
        head = read_at(offset, _ENTRY.size)
        if len(head) < _ENTRY.size:
            raise _WalError(f"ends inside of an entry, after {offset} bytes")
        kind, packed_bytes = _ENTRY.unpack(head)
        offset += _ENTRY.size
        if packed_bytes > size_bytes - offset:
            raise _WalError(f"ends inside of an entry, after {offset - _ENTRY.size} bytes")
        if kind not in {WRITE, DELETE, DELETE_RANGE}:
            raise _WalError(f"has an entry of an unknown type after {offset - _ENTRY.size} bytes")
        if kind == WRITE:
            packed = read_at(offset, packed_bytes)
            if _unpacked_size(packed) > packed_bytes * _SNAPPY_RATIO_MAX:
                raise _WalError(f"has an entry that cannot be unpacked after {offset} bytes")
            try:
                yield bytes(cramjam.snappy.decompress_raw(packed))
            except cramjam.DecompressionError as error:
                problem = f"has an entry that cannot be unpacked after {offset} bytes"
                raise _WalError(problem) from error
        else:
            yield b""
        offset += packed_bytes


def _unpacked_size(packed: bytes) -> int:
    """Read the length that a snappy block says it has, before so much memory is asked for."""
    size_bytes = 0
    for number, byte in enumerate(packed[:_VARINT_SIZE_BYTES_MAX]):
        size_bytes |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:  # noqa: PLR2004 # the last byte of a varint
            break
    return size_bytes


def _read_write(entry: bytes, measurements: Measurements) -> Span | None:
    """Find the first and last time of an entry that adds points; raise `_WalError` otherwise."""
    first_ns, last_ns = TIME_NS_MAX, TIME_NS_MIN
    position = 0
    try:
        while position < len(entry):
            kind, key_size = _VALUES.unpack_from(entry, position)
            position += _VALUES.size
            key = entry[position : position + key_size]
            position += key_size
            (count,) = _COUNT.unpack_from(entry, position)
            position += _COUNT.size
            if not 0 < count <= len(entry):
                raise _WalError("has an entry with a number of values that cannot be")
            times, position = _times(entry, position, kind, count)
            first_ns, last_ns = min(first_ns, *times), max(last_ns, *times)
            measurements.note(key)
    except StructError as error:
        raise _WalError("has an entry that ends inside of a value") from error
    if position > len(entry) or not TIME_NS_MIN <= first_ns <= last_ns <= TIME_NS_MAX:
        raise _WalError("has an entry that cannot be understood")
    return Span(first_ns=first_ns, last_ns=last_ns)


def _times(entry: bytes, position: int, kind: int, count: int) -> tuple[list[int], int]:
    """Read the times of the values of one key.

    Returns:
        The times, and where the values end.

    Raises:
        StructError: The entry ends inside of them.
        _WalError: They are of an unknown type.
    """
    if kind == _TEXT_KIND:
        times = []
        for _ in range(count):
            time_ns, text_bytes = _TEXT.unpack_from(entry, position)
            times.append(time_ns)
            position += _TEXT.size + text_bytes
        return times, position
    if kind not in _FORMATS:
        raise _WalError("has an entry with values of an unknown type")
    end = position + count * _SIZES_BYTES[kind]
    if end > len(entry):
        raise StructError
    if count == 1:
        return [_TIME.unpack_from(entry, position)[0]], end
    return [time_ns for (time_ns,) in iter_unpack(_FORMATS[kind], entry[position:end])], end
