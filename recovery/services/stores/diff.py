"""What is different between two stores, by name and without a secret.

Lives here: `compare`, and the words for each kind of record. Must not live here: which two stores,
and what to do about the difference.

Invariants: no token, hash, password or raw value gets into a change. Of a bucket whose keys may be
secrets, or whose content is not known here, only numbers get out. Both stores are walked once, side
by side, in the order of their keys.

Source: spec influxdb-metadata section 4 for the buckets, and which of their keys are secrets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from recovery.metastore.table import Table
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import parse_id
from recovery.services.session import Session
from recovery.services.store_facts import StoreFacts

Action: TypeAlias = Literal["added", "removed", "changed"]
Document: TypeAlias = Mapping[str, object]

FIELD_LENGTH_MAX: Final = 60
"""Longest text of a field that is repeated in a change."""
_SHOWN_FIELDS: Final = frozenset(
    {
        "name", "status", "description", "orgID", "userID", "ownerID", "resourceID", "userType",
        "resourceType", "type", "retentionPeriod", "shardGroupDuration", "database",
        "retention_policy", "bucketID", "every", "cron", "offset",
    }
)  # fmt: skip
"""Fields whose text is shown; of all others only that they differ."""
_LISTS: Final = frozenset({"permissions"})
"""Fields of which the number of entries is shown."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One record that is different.

    Attributes:
        kind: What it is, such as "authorization".
        action: "added", "removed" or "changed", as seen from the first store.
        id: Its ID, 16 hex digits; None when its key is none.
        name: What people call it, not escaped; "" when it has no name or cannot be decoded.
        details: What is different in it, as clauses, not escaped.
    """

    kind: str
    action: Action
    id: str | None
    name: str
    details: tuple[str, ...]


class BucketCount(msgspec.Struct, frozen=True, kw_only=True):
    """How much is different in a bolt bucket whose keys are not shown.

    Attributes:
        added: Keys that only the second store has.
        removed: Keys that only the first one has.
        changed: Keys with another value.
    """

    bucket: str
    added: int
    removed: int
    changed: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is different between two stores.

    Attributes:
        changes: Records that are different, bucket by bucket.
        counts: Buckets of which only numbers are told, such as indexes.
    """

    before: StoreFacts
    after: StoreFacts
    changes: tuple[Change, ...]
    counts: tuple[BucketCount, ...]

    @property
    def is_same(self) -> bool:
        """Whether both have the same content."""
        return not self.changes and not self.counts


def compare_stores(before: Session, after: Session) -> Comparison:
    """Compare two stores; raise `RecoveryError` where one cannot be read."""
    with before.view() as left, after.view() as right:
        return Comparison(
            before=left.facts,
            after=right.facts,
            changes=tuple(compare_records(left.tx, right.tx)),
            counts=tuple(compare_counts(left.tx, right.tx)),
        )


def compare_records(before: MetaTx, after: MetaTx) -> Iterator[Change]:
    """Compare the records that have names; raise `StoreDamagedError` where one is damaged."""
    names = _names(before) | _names(after)
    for bucket, kind in _KINDS.items():
        for pair in _differences(before.table(bucket), after.table(bucket)):
            yield _change(kind, pair, names)


def compare_counts(before: MetaTx, after: MetaTx) -> Iterator[BucketCount]:
    """Count what is different in all other buckets. Takes and raises as `compare_records`."""
    present = dict.fromkeys([*before.table_names(), *after.table_names()])
    for bucket in present:
        if bucket in _KINDS:
            continue
        count = {"added": 0, "removed": 0, "changed": 0}
        for pair in _differences(before.table(bucket), after.table(bucket)):
            count[pair.action] += 1
        if any(count.values()):
            yield BucketCount(bucket=bucket, **count)


def ids_not_concerned(before: MetaTx, after: MetaTx, ids: Iterable[str]) -> tuple[str, ...]:
    """Pick the IDs that are in no different key or value, in order; or `StoreDamagedError`."""
    wanted = {one: one.encode() for one in ids}
    for bucket in dict.fromkeys([*before.table_names(), *after.table_names()]):
        for pair in _differences(before.table(bucket), after.table(bucket)):
            content = b" ".join((pair.key, pair.left or b"", pair.right or b""))
            wanted = {one: text for one, text in wanted.items() if text not in content}
            if not wanted:
                return ()
    return tuple(wanted)


class _Pair(NamedTuple):
    """A key with both of its values; None where it is absent."""

    key: bytes
    left: bytes | None
    right: bytes | None

    @property
    def action(self) -> Action:
        if self.left is None:
            return "added"
        return "removed" if self.right is None else "changed"


def _differences(left: Table, right: Table) -> Iterator[_Pair]:
    """Walk two buckets side by side."""
    lefts, rights = left.items(), right.items()
    one, other = next(lefts, None), next(rights, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            if one is not None:
                yield _Pair(one[0], one[1], None)
            one = next(lefts, None)
        elif one is None or other[0] < one[0]:
            yield _Pair(other[0], None, other[1])
            other = next(rights, None)
        else:
            if one[1] != other[1]:
                yield _Pair(one[0], one[1], other[1])
            one, other = next(lefts, None), next(rights, None)


Names: TypeAlias = Mapping[str, str]
"""Names of users and organizations by ID."""


def _names(tx: MetaTx) -> dict[str, str]:
    users = {str(one.id): one.name for one in tx.users.walk([])}
    return users | {str(one.id): one.name for one in tx.organizations.walk([])}


def _change(kind: "_Kind", pair: _Pair, names: Names) -> Change:
    left, right = _document(pair.left), _document(pair.right)
    newest = left if right is None else right
    is_readable = kind.is_opaque or newest is not None
    details: Iterator[str] = iter(())
    if not is_readable:
        details = iter(("it cannot be decoded",))
    elif pair.action == "changed" and not kind.is_opaque:
        details = _details(left, right)
    return Change(
        kind=kind.word,
        action=pair.action,
        id=parse_id(pair.key),
        name=kind.name(pair.key, newest or {}, names),
        details=tuple(details),
    )


def _document(value: bytes | None) -> Document | None:
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _details(left: Document | None, right: Document | None) -> Iterator[str]:
    """Say which fields are different, and how where that is harmless."""
    if left is None or right is None:
        yield "it could not be decoded before" if left is None else "it cannot be decoded now"
        return
    fields = dict.fromkeys([*left, *right])
    different = [field for field in fields if left.get(field) != right.get(field)]
    for field in different:
        yield _field(field, left.get(field), right.get(field))
    if not different:
        yield "written differently, with the same meaning"


def _field(field: str, before: object, after: object) -> str:
    shown = field if field in _KNOWN_FIELDS else "another field"
    if field in _LISTS and isinstance(before, list) and isinstance(after, list):
        return f"{shown}: {len(before)} entries before, {len(after)} after"
    if field in _SHOWN_FIELDS and _is_short(before) and _is_short(after):
        return f"{shown}: {_quoted(before)} before, {_quoted(after)} after"
    if before is None:
        return f"{shown} was added"
    return f"{shown} was removed" if after is None else f"{shown} is another one"


_KNOWN_FIELDS: Final = (
    _SHOWN_FIELDS
    | _LISTS
    | {
        "id", "token", "hashedToken", "createdAt", "updatedAt", "oauthID", "mappingType", "flux",
        "latestCompleted", "latestScheduled", "latestSuccess", "latestFailure", "lastRunStatus",
        "lastRunError", "cells", "meta", "owner", "properties", "rp", "org", "default", "virtual",
        "started_at", "finished_at", "metadata", "url", "allowInsecure", "config", "query",
    }
)  # fmt: skip
"""Names of fields that InfluxDB has; another name may be anything."""


def _is_short(value: object) -> bool:
    return value is None or (isinstance(value, str | int) and len(str(value)) <= FIELD_LENGTH_MAX)


def _quoted(value: object) -> str:
    return "nothing" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


# -- kinds of records ----------------------------------------------------------------------------


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What the records of a bucket are called.

    Attributes:
        name: Gives the name of a record from key and document.
        is_opaque: Whether the value is no document, and a secret.
    """

    word: str
    name: Callable[[bytes, Document, Names], str]
    is_opaque: bool = False


def _field_name(field: str) -> Callable[[bytes, Document, Names], str]:
    def name(_key: bytes, document: Document, _names: Names) -> str:
        value = document.get(field)
        return value if isinstance(value, str) else ""

    return name


def _of_user(key: bytes, _document: Document, names: Names) -> str:
    return names.get(parse_id(key) or "", "")


def _of_nobody(_key: bytes, _document: Document, _names: Names) -> str:
    return ""


_ROLE_FIELDS: Final = ("userID", "userType", "resourceType", "resourceID")


def _of_role(_key: bytes, document: Document, names: Names) -> str:
    user, role, kind, resource = (str(document.get(field, "")) for field in _ROLE_FIELDS)
    return f"{names.get(user, user)}, {role} of {kind} {names.get(resource, resource)}"


def _named(word: str, field: str = "name") -> _Kind:
    return _Kind(word=word, name=_field_name(field))


_KINDS: Final[Mapping[str, _Kind]] = {
    "migrationsv1": _named("migration"),
    "usersv1": _named("user"),
    "userspasswordv1": _Kind(word="password", name=_of_user, is_opaque=True),
    "organizationsv1": _named("organization"),
    "userresourcemappingsv1": _Kind(word="role", name=_of_role),
    "bucketsv1": _named("bucket"),
    "authorizationsv1": _named("authorization", "description"),
    "legacy/authorizationsv1": _named("1.x authorization", "description"),
    "legacy/authorizationPasswordv1": _Kind(word="1.x password", name=_of_nobody, is_opaque=True),
    "dbrpv1": _named("DBRP mapping", "database"),
    "tasksv1": _named("task"),
    "dashboardsv2": _named("dashboard"),
    "labelsv1": _named("label"),
    "variablesv1": _named("variable"),
    "checksv1": _named("check"),
    "notificationEndpointv1": _named("notification endpoint"),
    "notificationRulev1": _named("notification rule"),
    "telegrafv1": _named("telegraf configuration"),
    "scraperv2": _named("scraper"),
}
