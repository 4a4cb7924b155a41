"""Records known by what they hold, wherever they lie.

Lives here: what kind of record a key and a value are, without the bucket that they are in, and
whether they can be in a bucket at all. Must not live here: the meaning of a record, which is in the
module of its kind.

Used on pages that nothing leads to any more, and on damaged ones, where a value may be cut or mixed
with others.

Source: InfluxDB v2.9.1 kv/user, kv/org, tenant/storage_bucket.go, authorization/storage.go: the
records are JSON objects under their ID in 16 hexadecimal digits.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final

from recovery.model.gojson import Fields, UndecodableError, decode_fields, fold, text_field
from recovery.model.ids import ID_LENGTH, parse_id
from recovery.model.mapping import decode_mapping, mapping_key
from recovery.model.password import is_password_hash
from recovery.model.permission import decode_permissions
from recovery.model.schema import BUCKETS_OF_ANY_LEVEL


@unique
class RecordKind(StrEnum):
    """A kind of record that decides who can get in; its value is the bolt bucket."""

    USER = "usersv1"
    ORGANIZATION = "organizationsv1"
    BUCKET = "bucketsv1"
    AUTHORIZATION = "authorizationsv1"
    ROLE = "userresourcemappingsv1"
    PASSWORD = "userspasswordv1"  # noqa: S105 # the name of a bolt bucket

    @property
    def word(self) -> str:
        """What people call it."""
        return _WORDS[self]


_WORDS: Final = {
    RecordKind.USER: "user",
    RecordKind.ORGANIZATION: "organization",
    RecordKind.BUCKET: "bucket",
    RecordKind.AUTHORIZATION: "authorization",
    RecordKind.ROLE: "role",
    RecordKind.PASSWORD: "password",
}
COUNTED: Final = (
    RecordKind.USER, RecordKind.ORGANIZATION, RecordKind.BUCKET, RecordKind.AUTHORIZATION,
)  # fmt: skip
"""What a person asks for first."""
_KINDS: Final = frozenset(kind.value for kind in RecordKind) - {RecordKind.PASSWORD.value}
_JSON_BUCKETS: Final = frozenset(
    {
        *_KINDS, "dashboardsv2", "tasksv1", "sourcesv1", "variablesv1",
        "labelsv1", "checksv1", "notificationRulev1", "notificationEndpointv1", "dbrpv1",
        "telegrafv1", "scraperv2", "legacy/authorizationsv1",
        "v1_pkger_stacks",
    }
)  # fmt: skip
"""Whose values are JSON objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognized:
    """A record that is known by its content.

    Attributes:
        id: Its ID; of a role those of the resource and of the user, of a password that of the user.
        name: Its name; of an authorization the description. Never a token.
    """

    kind: RecordKind
    id: str
    name: str = field(repr=False)


def recognize(key: bytes, value: bytes) -> Recognized | None:
    """Say which record a key and a value are; None for none of these kinds, or not a whole one."""
    try:
        if len(key) == 2 * ID_LENGTH:
            return _role(key, value)
        if len(key) != ID_LENGTH or parse_id(key) is None:
            return None
        if is_password_hash(value):
            return Recognized(kind=RecordKind.PASSWORD, id=key.decode("ascii"), name="")
        return _with_id(key, decode_fields(value))
    except UndecodableError:
        return None


def _with_id(key: bytes, fields: Fields) -> Recognized | None:
    kind = _kind(frozenset(fields))
    if kind is None or text_field(fields, "id").encode() != key:
        return None
    name = text_field(fields, "description" if kind is RecordKind.AUTHORIZATION else "name")
    return Recognized(kind=kind, id=key.decode("ascii"), name=name)


def _role(key: bytes, value: bytes) -> Recognized | None:
    role = decode_mapping(value)
    if mapping_key(role.resource_id, role.user_id) != key:
        return None
    name = f"{role.user_type} of {role.resource_type} {role.resource_id}"
    return Recognized(kind=RecordKind.ROLE, id=key.decode("ascii"), name=name)


def bucket_of(key: bytes, value: bytes) -> tuple[bytes, ...] | None:
    """Say in which bolt bucket a key and a value belong; None when that is not certain."""
    found = recognize(key, value)
    if found is None:
        return None
    if found.kind is RecordKind.AUTHORIZATION and not _has_long_token(value):
        # Authorizations of the 1.x API look the same; their token is a user name.
        return None
    if found.kind is RecordKind.PASSWORD:
        return None  # those of the 1.x API look the same
    return (found.kind.value.encode(),)


def is_plausible(path: tuple[bytes, ...], key: bytes, value: bytes) -> bool:
    """Say whether a bolt bucket can have a key and a value; what is not known here, it can.

    Args:
        path: Names of the bolt buckets from the top down; empty for the name of one itself.
    """
    if not path:
        return key.decode(errors="replace") in BUCKETS_OF_ANY_LEVEL
    name = path[0].decode(errors="replace")
    if name not in _JSON_BUCKETS:
        return True
    try:
        decode_fields(value)
    except UndecodableError:
        return False
    if name not in _KINDS:
        return True
    found = recognize(key, value)
    return found is not None and found.kind.value == name


TOKEN_LENGTH_MIN: Final = 32
"""Shorter tokens can be the user name of a 1.x client."""


def _has_long_token(value: bytes) -> bool:
    fields = decode_fields(value)
    texts = [text_field(fields, name) for name in ("token", "hashedToken") if fold(name) in fields]
    return any(len(text) >= TOKEN_LENGTH_MIN for text in texts)


def is_api_authorization(value: bytes) -> bool:
    """Tell whether an authorization certainly belongs to an API token, and not to a 1.x client.

    The two look alike, but for what a 1.x client never has: a hash, a token as servers draw them,
    or a permission on anything but buckets. Its user name is no secret, and would be a token.

    Args:
        value: A record that `recognize` takes for an authorization.
    """
    try:
        fields = decode_fields(value)
        if text_field(fields, "hashedToken") or _DRAWN.fullmatch(text_field(fields, "token")):
            return True
        permissions = decode_permissions(bytes(fields.get(fold("permissions"), b"null")))
    except UndecodableError:
        return False
    return any(one.type != "buckets" for one in permissions)


_DRAWN: Final = re.compile(r"[A-Za-z0-9_-]{86}==")
_AUTHORIZATION: Final = frozenset(map(fold, ("userID", "permissions")))
_BUCKET: Final = frozenset(map(fold, ("orgID", "name", "retentionPeriod")))
_USER: Final = frozenset(map(fold, ("id", "name", "status")))
_USER_ALL: Final = _USER | {fold("oauthID")}
_ORGANIZATION: Final = frozenset(map(fold, ("id", "name", "createdAt")))
_ORGANIZATION_ALL: Final = _ORGANIZATION | frozenset(map(fold, ("description", "updatedAt")))


def _kind(fields: frozenset[str]) -> RecordKind | None:
    """Tell the kinds apart by the fields that every server writes."""
    if fields >= _AUTHORIZATION:
        return RecordKind.AUTHORIZATION
    if fields >= _BUCKET:
        return RecordKind.BUCKET
    if _USER <= fields <= _USER_ALL:
        return RecordKind.USER
    if _ORGANIZATION <= fields <= _ORGANIZATION_ALL:
        return RecordKind.ORGANIZATION
    return None
