"""The storage engine's catalogue: which databases the engine knows.

Lives here: reading names and retention policies, adding a database, making an empty catalogue. Must
not live here: a whole model of it. The value is Protocol Buffers with required fields, and whatever
is not understood here must survive.

Each bucket record needs a database of its ID here, or the server exits at its start.

Invariants: `with_database` changes the bytes of one number and adds one field at the end; all other
bytes stay. What lacks a field that the server requires is not touched.

Source: InfluxDB v2.9.1 v1/services/meta/internal/meta.proto, v1/services/meta/data.go,
v1/services/meta/client.go; Protocol Buffers, "Encoding" (last value of a scalar counts, repeated
fields may lie apart).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from recovery.model.ids import Id
from recovery.ports import Rng

BUCKET: Final = "v1_tsm1_metadata"
KEY: Final = b"meta.db"
POLICY: Final = "autogen"

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}

_CONTINUES: Final = 0x80
_VARINT_SIZE_BYTES_MAX: Final = 10
_UINT64_MAX: Final = (1 << 64) - 1
_INT64_BITS: Final = 64

_INDEX: Final = 2
_DATABASES: Final = 5
_DATA_REQUIRED: Final = {
    1: "Term", 2: "Index", 3: "ClusterID", 7: "MaxNodeID", 8: "MaxShardGroupID", 9: "MaxShardID",
}  # fmt: skip
_DATABASE_REQUIRED: Final = {1: "Name", 2: "DefaultRetentionPolicy"}
_POLICY_REQUIRED: Final = {1: "Name", 2: "Duration", 3: "ShardGroupDuration", 4: "ReplicaN"}
_DATABASE_POLICIES: Final = 3
_POLICY_SHARD_GROUPS: Final = 5


class CatalogueError(ValueError):
    """The catalogue cannot be understood.

    Attributes:
        problem: Why, as a clause whose subject is the catalogue.
    """

    def __init__(self, *, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long the engine keeps data.

    Attributes:
        name: "autogen" for everything that InfluxDB 2.x makes.
        retention_ns: How long, in nanoseconds; 0 for ever.
        shard_group_ns: Time span of one shard group, in nanoseconds.
        shard_group_count: How many groups there are.
    """

    name: str
    retention_ns: int
    shard_group_ns: int
    shard_group_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What the engine knows of one bucket.

    Attributes:
        name: ID of the bucket, if the server made it.
        default_policy: Name of the policy that counts.
        policies: All of them.
    """

    name: str
    default_policy: str
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What is read of a catalogue.

    Attributes:
        index: Counts the changes of it.
        databases: In their stored order.
    """

    index: int
    databases: tuple[Database, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One field of a message as it lies there."""

    number: int
    kind: int
    start: int
    end: int
    value: int


def decode_catalogue(catalogue: bytes) -> Catalogue:
    """Read a catalogue as the server does, with everything that it requires.

    Args:
        catalogue: The value as stored.

    Returns:
        Its databases.

    Raises:
        CatalogueError: It cannot be understood, or lacks a required field: the server would not
            start.
    """
    fields = _required(catalogue, _DATA_REQUIRED, of="it")
    databases = tuple(
        _decode_database(catalogue[field.start : field.end])
        for field in fields
        if field.number == _DATABASES
    )
    return Catalogue(index=_last(fields, _INDEX).value, databases=databases)


def empty_catalogue(rng: Rng) -> bytes:
    """Make a catalogue without databases, as the server does at its first start.

    Args:
        rng: For the number of the cluster.

    Returns:
        The value to be stored.
    """
    cluster_id = rng.randbits(63) | 1
    values = ((1, 0), (_INDEX, 1), (3, cluster_id), (7, 0), (8, 0), (9, 0))
    return b"".join(_number_field(number, value) for number, value in values)


def with_database(catalogue: bytes, *, name: Id, retention_ns: int, shard_group_ns: int) -> bytes:
    """Add a database, and count up the index.

    The new field goes to the end, which the encoding allows.

    Args:
        catalogue: The value as stored.
        name: ID of the bucket that the database is for.
        retention_ns: How long data stay, in nanoseconds; 0 for ever.
        shard_group_ns: Span of a shard group, in nanoseconds.

    Returns:
        The value to be stored.

    Raises:
        CatalogueError: The catalogue cannot be understood, or has that database.
    """
    known = decode_catalogue(catalogue)
    if any(database.name == name for database in known.databases):
        raise CatalogueError(problem="has this database already")
    index = _last(_fields(catalogue), _INDEX)
    if index.value == _UINT64_MAX:
        raise CatalogueError(problem="has an index that cannot be counted up")
    return b"".join(
        (
            catalogue[: index.start],
            _encode_varint(index.value + 1),
            catalogue[index.end :],
            encode_database(name=name, retention_ns=retention_ns, shard_group_ns=shard_group_ns),
        )
    )


def encode_database(*, name: Id, retention_ns: int, shard_group_ns: int) -> bytes:
    """Encode a database as a field of the catalogue, byte for byte as the server would.

    Args:
        name: ID of the bucket that the database is for.
        retention_ns: How long data stay, in nanoseconds; 0 for ever.
        shard_group_ns: Span of a shard group, in nanoseconds.

    Returns:
        Tag, length and content.
    """
    policy = b"".join(
        (
            _bytes_field(1, POLICY.encode("ascii")),
            _number_field(2, retention_ns),
            _number_field(3, shard_group_ns),
            _number_field(4, 1),
        )
    )
    database = b"".join(
        (
            _bytes_field(1, name.encode("ascii")),
            _bytes_field(2, POLICY.encode("ascii")),
            _bytes_field(_DATABASE_POLICIES, policy),
        )
    )
    return _bytes_field(_DATABASES, database)


def database_names(catalogue: bytes) -> list[str]:
    """List the names of all databases.

    Args:
        catalogue: The value as stored.

    Returns:
        The names in their stored order.

    Raises:
        CatalogueError: The catalogue cannot be understood.
    """
    return [database.name for database in decode_catalogue(catalogue).databases]


def _decode_database(message: bytes) -> Database:
    fields = _required(message, _DATABASE_REQUIRED, of="a database")
    return Database(
        name=_text(message, fields, 1),
        default_policy=_text(message, fields, 2),
        policies=tuple(
            _decode_policy(message[field.start : field.end])
            for field in fields
            if field.number == _DATABASE_POLICIES
        ),
    )


def _decode_policy(message: bytes) -> Policy:
    fields = _required(message, _POLICY_REQUIRED, of="a retention policy")
    return Policy(
        name=_text(message, fields, 1),
        retention_ns=_signed(_last(fields, 2).value),
        shard_group_ns=_signed(_last(fields, 3).value),
        shard_group_count=sum(field.number == _POLICY_SHARD_GROUPS for field in fields),
    )


def _required(message: bytes, names: Mapping[int, str], *, of: str) -> list[_Field]:
    """Read the fields of a message, and refuse it when one that the server requires is absent."""
    fields = list(_fields(message))
    present = {field.number for field in fields}
    missing = [name for number, name in names.items() if number not in present]
    if missing:
        raise CatalogueError(problem=f"lacks a required field: {of} has no {missing[0]}")
    return fields


def _last(fields: Iterable[_Field], number: int) -> _Field:
    """Find the occurrence of a number that counts."""
    found = [field for field in fields if field.number == number]
    if not found or found[-1].kind != _VARINT:
        raise CatalogueError(problem=f"has something else than a number in field {number}")
    return found[-1]


def _text(message: bytes, fields: Iterable[_Field], number: int) -> str:
    found = [field for field in fields if field.number == number]
    if not found or found[-1].kind != _BYTES:
        raise CatalogueError(problem=f"has something else than a text in field {number}")
    return message[found[-1].start : found[-1].end].decode("utf-8", "replace")


def _fields(message: bytes) -> Iterator[_Field]:
    """Walk the fields of a message; nothing in it is looked into."""
    position = 0
    while position < len(message):
        tag, start = _decode_varint(message, position)
        number, kind = tag >> 3, tag & 7
        value = 0
        if kind == _VARINT:
            value, end = _decode_varint(message, start)
        elif kind == _BYTES:
            size_bytes, start = _decode_varint(message, start)
            end = start + size_bytes
        elif kind in _FIXED_SIZES:
            end = start + _FIXED_SIZES[kind]
        else:
            raise CatalogueError(problem="has a field of an unknown kind")
        if not number or end > len(message):
            raise CatalogueError(problem="ends inside of a field, or has a field without a number")
        yield _Field(number=number, kind=kind, start=start, end=end, value=value)
        position = end


def _decode_varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(message[position : position + _VARINT_SIZE_BYTES_MAX]):
        value |= (byte & ~_CONTINUES) << (7 * count)
        if byte < _CONTINUES and value <= _UINT64_MAX:
            return value, position + count + 1
    raise CatalogueError(problem="ends inside of a number, or has one of more than 64 bits")


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    rest = value & _UINT64_MAX  # a negative number is written as its two's complement
    while rest >= _CONTINUES:
        encoded.append(rest & 0x7F | _CONTINUES)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def _signed(value: int) -> int:
    return value - (1 << _INT64_BITS) if value >> (_INT64_BITS - 1) else value


def _number_field(number: int, value: int) -> bytes:
    return _encode_varint(number << 3 | _VARINT) + _encode_varint(value)


def _bytes_field(number: int, content: bytes) -> bytes:
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(content)) + content
