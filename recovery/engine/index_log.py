"""Logs of an index: whether one is what the server can read.

Lives here: reading one to its end. Must not live here: the other files of an index (`folder`).

An entry is: u8 flag; number of the series as a varint; name, key and value, each behind its size as
a varint; u32 CRC-32 of all that, big-endian. Most are of a series, which has none of the three. The
server keeps logs below some MiB.

Invariants: an entry that the file ends in was not acknowledged, as for the server after a crash. At
any other that is damaged it stops, and knows none of the series behind it.

Source: InfluxDB v2.9.1 tsdb/index/tsi1/log_file.go (`LogFile.open`, `LogEntry.UnmarshalBinary`,
`LogEntrySeriesTombstoneFlag` …).
"""

import re
import zlib
from typing import Final

from recovery.model.catalogue import CatalogueError, decode_varint

_SERIES: Final = re.compile(rb"[\0\1][\x80-\xff]{0,9}[\1-\x7f]\0\0\0")
_SERIES_CUT: Final = re.compile(rb"[\0\1][\x80-\xff]{0,9}(?:[\1-\x7f]\0{0,2})?")
_NAMED: Final = b"\2\4\x08"
"""Flags of what was deleted: a measurement, a key or a value of tags."""
_TEXTS: Final = 3
_CHECKSUM_BYTES: Final = 4


def is_log(content: bytes) -> bool:
    """Tell whether all entries are whole, but for one that the file ends in."""
    position = 0
    while position < len(content):
        series = _SERIES.match(content, position)
        if series is not None:
            end = series.end()
        elif content[position] in _NAMED:
            end = _end(content, position)
        else:
            return _SERIES_CUT.fullmatch(content, position) is not None
        if end + _CHECKSUM_BYTES > len(content):  # cut, unless a size is wrong and more follows
            others = _SERIES.finditer(content, position + 1)
            return not any(_is_whole(content, *one.span()) for one in others)
        if not _is_whole(content, position, end):
            return False
        position = end + _CHECKSUM_BYTES
    return True


def _is_whole(content: bytes, start: int, end: int) -> bool:
    checksum = content[end : end + _CHECKSUM_BYTES]
    return zlib.crc32(content[start:end]).to_bytes(_CHECKSUM_BYTES) == checksum


def _end(content: bytes, position: int) -> int:
    """Find where the checksum of an entry is; behind the end, when the entry is cut."""
    try:
        _, position = decode_varint(content, position + 1)
        for _ in range(_TEXTS):
            size_bytes, position = decode_varint(content, position)
            position += size_bytes
    except CatalogueError:
        return len(content)
    return position
