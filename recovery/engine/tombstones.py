"""Tombstones: whether the server can read what takes points away.

Lives here: reading one to its end. Must not live here: what is taken away, which counts as there.

A tombstone lies beside its TSM file. It begins with a u32 that names its form. Of InfluxDB 2.x that
is 0x1504, and gzip members follow, one for each deletion; 0x1503 has one, of which all that follow
are part; 0x1502 has what is inside of them as it is. That is for each key: u32 length, key, i64
first time, i64 last time, all big-endian. Anything else is keys, one a line.

Invariants: memory is bounded by one piece. What ends between two keys is whole for the server, and
so it is here.

Source: InfluxDB v2.9.1 tsdb/engine/tsm1/tombstone.go (`Tombstoner.Walk`, `readTombstoneV1` to
`readTombstoneV4`); Go compress/gzip (`Reader.Reset`, `Reader.Read`), bufio (`MaxScanTokenSize`).
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from recovery.engine.tsm import ReadAt

PIECE_BYTES: Final = 1 << 16
LINE_BYTES_MAX: Final = 1 << 16

_PLAIN, _ONE_MEMBER, _MEMBERS = (b"\0\0\x15" + bytes((number,)) for number in (2, 3, 4))
_MEMBER_HEAD_BYTES: Final = 10
_FLAGS: Final = 3
_FLAGS_KNOWN: Final = 0x1F
_GZIP: Final = 16 + zlib.MAX_WBITS
_LENGTH_BYTES: Final = 4
_TIME_BYTES: Final = 8


def is_readable(read_at: ReadAt, size_bytes: int) -> bool:
    """Tell whether the server can read a tombstone; else it puts the TSM file beside it aside.

    Raises:
        OSError: It cannot be read.
    """
    form = read_at(0, len(_PLAIN))
    behind = _pieces(read_at, len(form), size_bytes)
    if form == _PLAIN:
        records = _Records()
        records.add(behind)
        return not records.rest and records.missing_bytes < _TIME_BYTES
    if form in {_ONE_MEMBER, _MEMBERS}:
        return _has_whole_members(behind, is_one=form == _ONE_MEMBER)
    return _has_short_lines(_pieces(read_at, 0, size_bytes))


class _Records:
    """Keys with their times, as they come by.

    Attributes:
        rest: The beginning of the next length.
        missing_bytes: What the last record lacks.
    """

    def __init__(self) -> None:
        self.rest = b""
        self.missing_bytes = 0

    def add(self, pieces: Iterable[bytes]) -> None:
        """Go on with what follows."""
        for piece in pieces:
            content = self.rest + piece
            position = self.missing_bytes
            while position + _LENGTH_BYTES <= len(content):
                key_bytes = int.from_bytes(content[position : position + _LENGTH_BYTES])
                position += _LENGTH_BYTES + key_bytes + 2 * _TIME_BYTES
            self.rest = content[position:]
            self.missing_bytes = max(0, position - len(content))


def _has_whole_members(pieces: Iterable[bytes], *, is_one: bool) -> bool:
    """Tell whether no gzip member is damaged, and none is cut inside of a record.

    Args:
        is_one: Whether a record may go on in the next member, and there has to be a first one.
    """
    records = _Records()
    packed, unpacker, count = b"", None, 0
    for piece in pieces:
        packed += piece
        while packed:
            if unpacker is None and len(packed) < _MEMBER_HEAD_BYTES:
                break
            if unpacker is None:
                # What Go does not know of flags it does not mind, and zlib refuses.
                flags = bytes((packed[_FLAGS] & _FLAGS_KNOWN,))
                packed = packed[:_FLAGS] + flags + packed[_FLAGS + 1 :]
                unpacker = zlib.decompressobj(_GZIP)
                count += 1
            try:
                records.add(_unpacked(unpacker, packed))
            except zlib.error:
                return False
            packed = b""
            if unpacker.eof:
                packed, unpacker = unpacker.unused_data, None
                if not is_one and records.missing_bytes:
                    return False
                records = records if is_one else _Records()
    is_begun = count > 0 or not (packed or is_one)
    return is_begun and not records.missing_bytes


def _unpacked(unpacker: "zlib._Decompress", packed: bytes) -> Iterator[bytes]:
    """Unpack all of it, piece by piece."""
    while unpacked := unpacker.decompress(packed, PIECE_BYTES):
        packed = unpacker.unconsumed_tail
        yield unpacked


def _has_short_lines(pieces: Iterable[bytes]) -> bool:
    """Tell whether the server has room for each line."""
    size_bytes = 0
    for piece in pieces:
        first, *others = piece.split(b"\n")
        size_bytes += len(first)
        if size_bytes >= LINE_BYTES_MAX:
            return False
        size_bytes = len(others[-1]) if others else size_bytes
    return True


def _pieces(read_at: ReadAt, start: int, end: int) -> Iterator[bytes]:
    for offset in range(start, end, PIECE_BYTES):
        yield read_at(offset, min(PIECE_BYTES, end - offset))
