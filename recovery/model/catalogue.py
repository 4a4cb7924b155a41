"""The storage engine's catalogue: which databases the engine knows.

Lives here: reading names, retention policies and shard groups, adding a database or groups, making
an empty catalogue. Must not live here: a whole model of it, and which group a shard belongs to
(`recovery.model.shard_groups`). The value is Protocol Buffers with required fields, and whatever is
not understood here must survive.

Each bucket record needs a database of its ID here, or the server exits at its start.

Invariants: what is added changes the bytes of three numbers and of the database that it goes into;
all other bytes stay. What lacks a field that the server requires is not touched.

Source: InfluxDB v2.9.1 v1/services/meta/internal/meta.proto, v1/services/meta/data.go,
v1/services/meta/client.go; Protocol Buffers, "Encoding" (last value of a scalar counts, repeated
fields may lie apart).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import asdict

from recovery.model.ids import Id
from recovery.model.shard_groups import ShardGroup
from recovery.ports import Rng

BUCKET: Final = "v1_tsm1_metadata"
KEY: Final = b"meta.db"
POLICY: Final = "autogen"

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_GROUP: Final = 3
_GROUP_END: Final = 4
_NUMBER_MAX: Final = (1 << 29) - 1

_CONTINUES: Final = 0x80
_VARINT_SIZE_BYTES_MAX: Final = 10
_UINT64_MAX: Final = (1 << 64) - 1
_INT64_BITS: Final = 64

_INDEX: Final = 2
_DATABASES: Final = 5
_GROUP_ID_MAX: Final = 8
_SHARD_ID_MAX: Final = 9
_DATABASE_POLICIES: Final = 3
_POLICY_DURATION: Final = 2
_POLICY_SHARD_GROUP_DURATION: Final = 3
_POLICY_SHARD_GROUPS: Final = 5
_GROUP_SHARDS: Final = 5
_GROUP_TRUNCATED_AT: Final = 6


class _Message(NamedTuple):
    """What a server requires of a kind of message.

    A field that is there in another encoding than its own counts as one that nobody knows, as the
    server has it.

    Attributes:
        what: The kind, for a person.
        required: Names of the fields that have to be there.
        texts: Those of them that are no numbers.
        unread: Messages in it that a server decodes, and nothing here reads.
        packed: Numbers of fields that may be many numbers in one.
    """

    what: str
    required: Mapping[int, str]
    texts: Collection[int] = ()
    unread: Mapping[int, "_Message"] = {}
    packed: Collection[int] = ()


_NODE: Final = _Message("a node", {1: "ID", 2: "Host"}, (2,))
_QUERY: Final = _Message("a continuous query", {1: "Name", 2: "Query"}, (1, 2))
_SUBSCRIPTION: Final = _Message("a subscription", {1: "Name", 2: "Mode"}, (1, 2))
_PRIVILEGE: Final = _Message("a privilege", {1: "Database", 2: "Privilege"}, (1,))
_USER: Final = _Message("a user", {1: "Name", 2: "Hash", 3: "Admin"}, (1, 2), {4: _PRIVILEGE})
_DATA: Final = _Message(
    "it",
    {1: "Term", 2: "Index", 3: "ClusterID", 7: "MaxNodeID", 8: "MaxShardGroupID", 9: "MaxShardID"},
    unread={4: _NODE, 6: _USER, 10: _NODE, 11: _NODE},
)
_DATABASE: Final = _Message(
    "a database", {1: "Name", 2: "DefaultRetentionPolicy"}, (1, 2), {4: _QUERY}
)
_POLICY: Final = _Message(
    "a retention policy",
    {1: "Name", 2: "Duration", 3: "ShardGroupDuration", 4: "ReplicaN"},
    (1,),
    {6: _SUBSCRIPTION},
)
_SHARD_GROUP: Final = _Message(
    "a shard group", {1: "ID", 2: "StartTime", 3: "EndTime", 4: "DeletedAt"}
)
_OWNER: Final = _Message("an owner of a shard", {1: "NodeID"})
_SHARD: Final = _Message("a shard", {1: "ID"}, unread={3: _OWNER}, packed=(2,))


class CatalogueError(ValueError):
    """The catalogue cannot be understood.

    Attributes:
        problem: Why, as a clause whose subject is the catalogue.
    """

    def __init__(self, *, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long the engine keeps data.

    Attributes:
        name: "autogen" for everything that InfluxDB 2.x makes.
        retention_ns: How long, in nanoseconds; 0 forever.
        shard_group_ns: Time span of one shard group, in nanoseconds.
        groups: The groups that there are, in their stored order.
    """

    name: str
    retention_ns: int
    shard_group_ns: int
    groups: tuple[ShardGroup, ...]


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine knows of one bucket.

    Attributes:
        name: ID of the bucket, if the server made it.
    """

    name: str
    default_policy: str
    policies: tuple[Policy, ...]

    @property
    def policy(self) -> Policy | None:
        """The policy that everything of InfluxDB 2.x goes by, if it is there."""
        return next((one for one in self.policies if one.name == POLICY), None)

    @property
    def groups(self) -> tuple[ShardGroup, ...]:
        """The groups of that policy which the server has not given up."""
        found = () if self.policy is None else self.policy.groups
        return tuple(group for group in found if not group.is_deleted)


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a catalogue.

    Attributes:
        index: Counts the changes of it.
        databases: In their stored order.
        group_id_max: The server numbers its next shard group from here.
        shard_id_max: The server numbers its next shard from here.
    """

    index: int
    databases: tuple[Database, ...]
    group_id_max: int
    shard_id_max: int

    def database(self, name: str) -> Database | None:
        """Find a database by the ID of its bucket."""
        return next((one for one in self.databases if one.name == name), None)


class DatabaseWish(msgspec.Struct, frozen=True, kw_only=True):
    """A database to be added.

    Attributes:
        name: ID of its bucket.
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        shard_group_ns: Span of its shard groups, in nanoseconds.
        groups: Those that it has.
    """

    name: Id
    retention_ns: int
    shard_group_ns: int
    groups: tuple[ShardGroup, ...] = ()


class _Field(NamedTuple):
    """One field of a message as it lies there: from its tag on, and its content."""

    number: int
    kind: int
    begin: int
    start: int
    end: int
    value: int


def decode_catalogue(catalogue: bytes) -> Catalogue:
    """Read the databases of a stored catalogue as the server does, with all that it requires.

    Raises:
        CatalogueError: It cannot be understood, or lacks a required field: the server would not
            start.
    """
    fields = _required(catalogue, _DATA)
    databases = tuple(map(_decode_database, _parts(catalogue, fields, _DATABASES)))
    return Catalogue(
        index=_last(fields, _INDEX).value,
        databases=databases,
        group_id_max=_last(fields, _GROUP_ID_MAX).value,
        shard_id_max=_last(fields, _SHARD_ID_MAX).value,
    )


def empty_catalogue(rng: Rng) -> bytes:
    """Make a catalogue without databases, as the server does at its first start."""
    cluster_id = rng.randbits(63) | 1
    values = ((1, 0), (_INDEX, 1), (3, cluster_id), (7, 0), (8, 0), (9, 0))
    return b"".join(_number_field(number, value) for number, value in values)


def with_database(
    catalogue: bytes,
    *,
    name: Id,
    retention_ns: int,
    shard_group_ns: int,
    groups: Sequence[ShardGroup] = (),
) -> bytes:
    """Add a database, and count up the index.

    The new field goes to the end, which the encoding allows.

    Args:
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        groups: Its shard groups; the numbers of the catalogue are raised to theirs.

    Raises:
        CatalogueError: The catalogue cannot be understood, or has that database.
    """
    wish = DatabaseWish(
        name=name, retention_ns=retention_ns, shard_group_ns=shard_group_ns, groups=tuple(groups)
    )
    return with_databases(catalogue, [wish])


def with_databases(catalogue: bytes, wishes: Sequence[DatabaseWish]) -> bytes:
    """Add databases of different names in one go, and count up the index. As `with_database`."""
    known = decode_catalogue(catalogue)
    if {one.name for one in known.databases}.intersection(wish.name for wish in wishes):
        raise CatalogueError(problem="has this database already")
    added = b"".join(encode_database(**asdict(wish)) for wish in wishes)
    return _counted_up(catalogue + added, known, [one for wish in wishes for one in wish.groups])


def with_groups(
    catalogue: bytes, *, name: str, added: Sequence[ShardGroup], removed: Collection[int] = ()
) -> bytes:
    """Add shard groups to the policy of a database, and count up the index.

    The groups of the policy come to stand in the order that the server keeps: by their ends. All
    that is in them, and everything else, stays byte for byte.

    Args:
        removed: Numbers of groups that go, because what is added takes their place.

    Raises:
        CatalogueError: The catalogue cannot be understood, or has no such database with a policy.
    """
    known = decode_catalogue(catalogue)
    database = known.database(name)
    if database is None or database.policy is None:
        raise CatalogueError(problem="has no such database with a policy of that name")

    def change_policy(message: bytes) -> bytes:
        return _with_groups_in_policy(message, added, removed)

    def change_database(message: bytes) -> bytes:
        return _rewritten(message, _DATABASE_POLICIES, POLICY, change_policy)

    return _counted_up(_rewritten(catalogue, _DATABASES, name, change_database), known, added)


def with_policy(catalogue: bytes, *, name: str, retention_ns: int, shard_group_ns: int) -> bytes:
    """Change how long the engine keeps the data of a database, and count up the index.

    Args:
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        shard_group_ns: Span of the shard groups to come, in nanoseconds.

    Returns:
        The value to be stored; the shard groups that there are stay as they are.

    Raises:
        CatalogueError: The catalogue cannot be understood, or has no such database with a policy.
    """
    known = decode_catalogue(catalogue)
    values = {_POLICY_DURATION: retention_ns, _POLICY_SHARD_GROUP_DURATION: shard_group_ns}

    def change_policy(message: bytes) -> bytes:
        for number, value in values.items():
            field = _last(list(walk_fields(message)), number)
            message = message[: field.start] + _encode_varint(value) + message[field.end :]
        return message

    def change_database(message: bytes) -> bytes:
        return _rewritten(message, _DATABASE_POLICIES, POLICY, change_policy)

    return _counted_up(_rewritten(catalogue, _DATABASES, name, change_database), known, ())


def without_database(catalogue: bytes, *, name: str) -> bytes:
    """Remove a database, if it is there, and count up the index; may raise `CatalogueError`."""
    known = decode_catalogue(catalogue)
    if known.database(name) is None:
        return catalogue
    for field in walk_fields(catalogue):
        content = catalogue[field.start : field.end]
        if field.number == _DATABASES and _text(content, list(walk_fields(content)), 1) == name:
            return _counted_up(catalogue[: field.begin] + catalogue[field.end :], known, ())
    raise CatalogueError(problem="has no such part")


def with_shard_id_max(catalogue: bytes, shard_id_max: int) -> bytes:
    """Number the next shard behind all on disk, if it is not; `CatalogueError` if unreadable."""
    known = decode_catalogue(catalogue)
    if known.shard_id_max >= shard_id_max:
        return catalogue
    return _counted_up(catalogue, known, (), shard_id_max=shard_id_max)


def encode_database(
    *, name: Id, retention_ns: int, shard_group_ns: int, groups: Iterable[ShardGroup] = ()
) -> bytes:
    """Encode a database as a field of the catalogue, its tag and length too, as the server."""
    policy = b"".join(
        (
            _bytes_field(1, POLICY.encode("ascii")),
            _number_field(2, retention_ns),
            _number_field(3, shard_group_ns),
            _number_field(4, 1),
            *(_encode_group(group) for group in sorted(groups, key=_group_order)),
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


def _encode_group(group: ShardGroup) -> bytes:
    content = b"".join(
        (
            _number_field(1, group.id),
            _number_field(2, group.start_ns),
            _number_field(3, group.end_ns),
            _number_field(4, 0),
            *(_bytes_field(_GROUP_SHARDS, _number_field(1, one)) for one in group.shard_ids),
        )
    )
    return _bytes_field(_POLICY_SHARD_GROUPS, content)


def _group_order(group: ShardGroup) -> tuple[int, int]:
    """Sort as the server does (`ShardGroupInfos.Less`)."""
    return group.end_ns, group.start_ns


def _counted_up(
    catalogue: bytes,
    known: Catalogue,
    groups: Iterable[ShardGroup],
    *,
    shard_id_max: int = 0,
) -> bytes:
    """Count up the index, and raise the numbers that the server counts on from."""
    if known.index == _UINT64_MAX:
        raise CatalogueError(problem="has an index that cannot be counted up")
    values = {
        _INDEX: known.index + 1,
        _GROUP_ID_MAX: max([known.group_id_max, *(group.id for group in groups)]),
        _SHARD_ID_MAX: max(
            [
                known.shard_id_max,
                shard_id_max,
                *(one for group in groups for one in group.shard_ids),
            ]
        ),
    }
    for number, value in values.items():
        field = _last(list(walk_fields(catalogue)), number)
        if field.value != value:
            encoded = _encode_varint(value)
            catalogue = catalogue[: field.start] + encoded + catalogue[field.end :]
    return catalogue


def _rewritten(message: bytes, number: int, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """Change the first message of a number that has a name, which is its field 1."""
    for field in walk_fields(message):
        if field.number != number:
            continue
        content = message[field.start : field.end]
        if _text(content, list(walk_fields(content)), 1) == name:
            changed = _bytes_field(number, change(content))
            return message[: field.begin] + changed + message[field.end :]
    raise CatalogueError(problem="has no such part")


def _with_groups_in_policy(
    message: bytes, added: Iterable[ShardGroup], removed: Collection[int]
) -> bytes:
    others = bytearray()
    groups = [(_group_order(group), _encode_group(group)) for group in added]
    for field in walk_fields(message):
        raw = message[field.begin : field.end]
        if field.number != _POLICY_SHARD_GROUPS:
            others += raw
            continue
        group = _decode_group(message[field.start : field.end])
        if group.id not in removed:
            groups.append((_group_order(group), raw))
    groups.sort(key=lambda item: item[0])
    return bytes(others) + b"".join(raw for _, raw in groups)


@lru_cache(maxsize=1024)  # buckets are added one by one, and most of a catalogue stays as it is
def _decode_database(message: bytes) -> Database:
    fields = _required(message, _DATABASE)
    return Database(
        name=_text(message, fields, 1),
        default_policy=_text(message, fields, 2),
        policies=tuple(map(_decode_policy, _parts(message, fields, _DATABASE_POLICIES))),
    )


def _decode_policy(message: bytes) -> Policy:
    fields = _required(message, _POLICY)
    return Policy(
        name=_text(message, fields, 1),
        retention_ns=_signed(_last(fields, 2).value),
        shard_group_ns=_signed(_last(fields, 3).value),
        groups=tuple(map(_decode_group, _parts(message, fields, _POLICY_SHARD_GROUPS))),
    )


def _decode_group(message: bytes) -> ShardGroup:
    fields = _required(message, _SHARD_GROUP)
    end_ns = _signed(_last(fields, 3).value)
    if any(field.number == _GROUP_TRUNCATED_AT and field.kind == _VARINT for field in fields):
        # What lies behind belongs to another group, as the server sees it.
        end_ns = _signed(_last(fields, _GROUP_TRUNCATED_AT).value) or end_ns
    return ShardGroup(
        id=_last(fields, 1).value,
        start_ns=_signed(_last(fields, 2).value),
        end_ns=end_ns,
        is_deleted=_last(fields, 4).value != 0,
        shard_ids=tuple(map(_decode_shard, _parts(message, fields, _GROUP_SHARDS))),
    )


def _decode_shard(message: bytes) -> int:
    return _last(_required(message, _SHARD), 1).value


def _required(message: bytes, kind: _Message) -> list[_Field]:
    """Read the fields of a message, and refuse it when one that the server requires is absent."""
    fields = list(walk_fields(message))
    present = {(field.number, field.kind) for field in fields}
    for number, name in kind.required.items():
        if (number, _BYTES if number in kind.texts else _VARINT) not in present:
            raise CatalogueError(problem=f"lacks a required field: {kind.what} has no {name}")
    for number in kind.packed:
        for content in _parts(message, fields, number):
            position = 0
            while position < len(content):
                _, position = decode_varint(content, position)
    for number, part in kind.unread.items():
        for content in _parts(message, fields, number):
            _required(content, part)
    return fields


def _parts(message: bytes, fields: Iterable[_Field], number: int) -> Iterator[bytes]:
    """Give the messages that lie in a message as fields of a number."""
    for field in fields:
        if field.number == number and field.kind == _BYTES:
            yield message[field.start : field.end]


def _last(fields: Iterable[_Field], number: int) -> _Field:
    """Find the occurrence of a number that counts."""
    found = [field for field in fields if field.number == number and field.kind == _VARINT]
    if not found:
        raise CatalogueError(problem=f"has something else than a number in field {number}")
    return found[-1]


def _text(message: bytes, fields: Iterable[_Field], number: int) -> str:
    found = [field for field in fields if field.number == number and field.kind == _BYTES]
    if not found:
        raise CatalogueError(problem=f"has something else than a text in field {number}")
    return message[found[-1].start : found[-1].end].decode("utf-8", "replace")


def walk_fields(message: bytes) -> Iterator[_Field]:
    """Walk the fields of a message; nothing in it is looked into."""
    position = 0
    while position < len(message):
        tag, start = decode_varint(message, position)
        number, kind = tag >> 3, tag & 7
        value = 0
        if kind == _VARINT:
            value, end = decode_varint(message, start)
        elif kind == _BYTES:
            size_bytes, start = decode_varint(message, start)
            end = start + size_bytes
        else:
            end = _end_of_rest(message, number, kind, start)
        if not 0 < number <= _NUMBER_MAX or end > len(message):
            raise CatalogueError(problem="ends inside of a field, or has a field without a number")
        yield _Field(number=number, kind=kind, begin=position, start=start, end=end, value=value)
        position = end


def _end_of_rest(message: bytes, number: int, kind: int, start: int) -> int:
    """Find the end of a field that is neither a number nor bytes: of a fixed size, or a group."""
    if kind in _FIXED_SIZES:
        return start + _FIXED_SIZES[kind]
    if kind != _GROUP:
        raise CatalogueError(problem="has a field of an unknown kind")
    opened = [number]
    while opened:
        tag, start = decode_varint(message, start)
        if tag & 7 == _GROUP:
            opened.append(tag >> 3)
        elif tag & 7 == _GROUP_END:
            if opened.pop() != tag >> 3:
                raise CatalogueError(problem="has a group that ends with another number")
        elif tag & 7 == _VARINT:
            _, start = decode_varint(message, start)
        elif tag & 7 == _BYTES:
            size_bytes, start = decode_varint(message, start)
            start += size_bytes
        else:
            start = _end_of_rest(message, number, tag & 7, start)
    return start


def decode_varint(message: bytes, position: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, and where it ends; `CatalogueError` where it is cut."""
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
