"""Changes of fields: whether the server can read those of a shard.

Lives here: reading `fields.idxl` to its end. Must not live here: what the fields are, which the
server reads from the TSM files where `fields.idx` is not there.

A file of changes is a row of sets, each behind its i64 size, little-endian, as Protocol Buffers:
1 repeated change, which has 1 measurement, 2 field, 3 kind of change.

Invariants: a set that the file ends in is none, as for the server after a crash.

Source: InfluxDB v2.9.1 tsdb/shard.go (`loadAllFieldChanges`, `readSizePlusBuffer`),
tsdb/internal/fieldsindex.proto. A real 2.9.1 exits at a size that cannot be.
"""

from typing import Final

from recovery.model.catalogue import CatalogueError, walk_fields

_SIZE_BYTES: Final = 8
_SET_BYTES_MAX: Final = 1 << 30
"""Larger ones influxd has no room for, or panics."""
_CHANGES: Final = 1
_FIELD: Final = 2
_MESSAGE: Final = 2


def is_readable(content: bytes) -> bool:
    """Tell whether all changes are as the server writes them."""
    position = 0
    while position + _SIZE_BYTES <= len(content):
        start = position + _SIZE_BYTES
        size_bytes = int.from_bytes(content[position:start], "little")
        position = start + size_bytes
        if size_bytes > _SET_BYTES_MAX:
            return False
        if position <= len(content) and not _is_set(content[start:position]):
            return False
    return True


def _is_set(message: bytes) -> bool:
    try:
        for change in walk_fields(message):
            if (change.number, change.kind) != (_CHANGES, _MESSAGE):
                return False
            body = message[change.start : change.end]
            fields = [one for one in walk_fields(body) if one.number == _FIELD]
            if not fields or any(one.kind != _MESSAGE for one in fields):
                return False
            for one in fields:
                list(walk_fields(body[one.start : one.end]))
    except CatalogueError:
        return False
    return True
