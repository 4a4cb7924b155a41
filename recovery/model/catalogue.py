"""The storage engine's catalogue: which databases the engine knows.

Lives here: adding a database to the catalogue, making an empty one, listing names. Must not live
here: a whole model of it. The value is Protocol Buffers with required fields, and whatever is not
understood here must survive.

Every bucket record needs a database of its ID here, or the server exits at its start.

Source: InfluxDB v2.9.1 v1/services/meta/internal/meta.proto, v1/services/meta/data.go.
"""

from collections.abc import Iterator
from typing import Final

from recovery.model.ids import Id
from recovery.ports import Rng

BUCKET: Final = "v1_tsm1_metadata"
KEY: Final = b"meta.db"
POLICY: Final = b"autogen"

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_INDEX_FIELD: Final = 2
_DATABASE_FIELD: Final = 5
_NAME_FIELD: Final = 1
_CONTINUES: Final = 0x80
_VARINT_SIZE_BYTES_MAX: Final = 10


class CatalogueError(ValueError):
    """The catalogue cannot be understood."""


def empty_catalogue(rng: Rng) -> bytes:
    """Return a catalogue without databases, as the server makes one at its first start."""
    cluster_id = rng.randbits(63) | 1
    fields = ((1, 0), (2, 1), (3, cluster_id), (7, 0), (8, 0), (9, 0))
    return b"".join(_tag(number, _VARINT) + _encode_varint(value) for number, value in fields)


def with_database(catalogue: bytes, *, name: Id, retention_ns: int, shard_group_ns: int) -> bytes:
    """Return the catalogue with one database more, and its index counted up.

    The new field goes to the end, which the encoding allows; all other bytes stay.

    Args:
        catalogue: The value as stored.
        name: ID of the bucket that the database is for.
        retention_ns: How long data stay, in nanoseconds; 0 for ever.
        shard_group_ns: Span of a shard group, in nanoseconds.

    Raises:
        CatalogueError: The catalogue cannot be understood, or has that database.
    """
    if name in set(database_names(catalogue)):
        raise CatalogueError("it has this database already")
    policy = b"".join(
        (
            _field(1, POLICY),
            _tag(2, _VARINT) + _encode_varint(retention_ns),
            _tag(3, _VARINT) + _encode_varint(shard_group_ns),
            _tag(4, _VARINT) + _encode_varint(1),
        )
    )
    database = _field(1, name.encode("ascii")) + _field(2, POLICY) + _field(3, policy)
    return _with_next_index(catalogue) + _field(_DATABASE_FIELD, database)


def database_names(catalogue: bytes) -> list[str]:
    """Return the names of all databases.

    Raises:
        CatalogueError: The catalogue cannot be understood.
    """
    names = []
    for number, start, end, _ in _fields(catalogue):
        if number == _DATABASE_FIELD:
            database = catalogue[start:end]
            name = [database[s:e] for field, s, e, _ in _fields(database) if field == _NAME_FIELD]
            names.append(name[-1].decode("utf-8", "replace") if name else "")
    return names


def _with_next_index(catalogue: bytes) -> bytes:
    """Count up the field that the server counts changes in."""
    for number, start, end, value in _fields(catalogue):
        if number == _INDEX_FIELD:
            return catalogue[:start] + _encode_varint(value + 1) + catalogue[end:]
    raise CatalogueError("it lacks its index")


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Walk the fields of a message: number, start and end of the content, value of a varint."""
    position = 0
    while position < len(message):
        tag, position = _decode_varint(message, position)
        number, kind = tag >> 3, tag & 7
        value = 0
        start = position
        if kind == _VARINT:
            value, end = _decode_varint(message, position)
        elif kind == _BYTES:
            size, start = _decode_varint(message, position)
            end = start + size
        elif kind in (_FIXED64, _FIXED32):
            end = position + (8 if kind == _FIXED64 else 4)
        else:
            raise CatalogueError("it has a field of an unknown kind")
        if end > len(message):
            raise CatalogueError("it ends inside a field")
        yield number, start, end, value
        position = end


def _decode_varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for count in range(_VARINT_SIZE_BYTES_MAX):
        if position + count >= len(message):
            raise CatalogueError("it ends inside a number")
        byte = message[position + count]
        value |= (byte & ~_CONTINUES) << (7 * count)
        if byte < _CONTINUES:
            return value, position + count + 1
    raise CatalogueError("it has a number of more than 64 bits")


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= _CONTINUES:
        encoded.append(value & 0x7F | _CONTINUES)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _tag(number: int, kind: int) -> bytes:
    return _encode_varint(number << 3 | kind)


def _field(number: int, content: bytes) -> bytes:
    return _tag(number, _BYTES) + _encode_varint(len(content)) + content
