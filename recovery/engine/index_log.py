"""Logs of an index: whether one is what the server can read.

Lives here: reading its beginning. Must not live here: the other files of an index (`folder`).

An entry is: u8 flag; number of the series as a varint; name, key and value, each behind its size as
a varint; u32 CRC-32 of all that, big-endian. The server keeps logs below some MiB.

Invariants: an entry that the file ends in was not acknowledged, as for the server after a crash.

Source: InfluxDB v2.9.1 tsdb/index/tsi1/log_file.go (`LogFile.open`, `LogEntry.UnmarshalBinary`).
"""

import zlib
from typing import Final

from recovery.model.catalogue import CatalogueError, decode_varint

LOOKED_AT_BYTES: Final = 1 << 12
"""A log has up to 100,000 entries, and a wide shard eight logs: all of them would take seconds."""
_ZEROS: Final = bytes(64)
"""No entry has so many in a row."""
_TEXTS: Final = 3
_CHECKSUM_BYTES: Final = 4


def is_log(content: bytes) -> bool:
    """Tell whether the first entries are whole, and nothing behind them was written as zeros."""
    if _ZEROS in content:
        return False
    position = 0
    while position < min(len(content), LOOKED_AT_BYTES):
        end = _end(content, position)
        if end + _CHECKSUM_BYTES > len(content):
            return True
        checksum = int.from_bytes(content[end : end + _CHECKSUM_BYTES])
        if zlib.crc32(content[position:end]) != checksum:
            return False
        position = end + _CHECKSUM_BYTES
    return True


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
