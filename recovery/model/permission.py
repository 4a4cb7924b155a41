"""Permissions, and what makes a token an operator token.

Lives here: resource types, standard sets, the matching rule, reading a stored list, the
classification of a list. Must not live here: where a list comes from.

Invariants: lists are compared as sets, never by order or number, because migrations have sorted and
extended stored lists (spec section 6.4).

Source: InfluxDB v2.9.1 authz.go (Permission, OperPermissions, Matches), authorizer/,
http/config.go (what counts as operator); resource types by version from the same file at v2.0.0,
v2.1.1, v2.2.0 and v2.4.0.
"""

from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Final

import msgspec

from recovery.model import resource_types
from recovery.model.gojson import (
    Json,
    UndecodableError,
    decode_fields,
    fold,
    id_field,
    mended,
    text_field,
)
from recovery.model.ids import Id, parse_id

ACTIONS: Final = resource_types.ACTIONS
BASE_TYPES: Final = resource_types.BASE_TYPES
TYPES_2_1: Final = resource_types.TYPES_2_1
TYPES_2_2: Final = resource_types.TYPES_2_2
ALL_TYPES: Final = resource_types.ALL_TYPES
INSTANCE: Final = "instance"
"""A further type that is left to sessions: no token should name it."""
ADMINISTRATION: Final = ("authorizations", "users", "orgs")
"""Who may read and write these can make users, organizations and further tokens."""

LEVEL_2_1: Final = 16
LEVEL_2_2: Final = 19
LEVEL_INSTANCE: Final = 20


class Permission(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One action on one kind of resource.

    Attributes:
        action: "read" or "write".
        id: One resource, or None for all.
        org_id: One organization, or None for all.
    """

    action: str
    type: str
    id: Id | None = None
    org_id: Id | None = None

    @property
    def is_global(self) -> bool:
        """Whether it is bound to no resource and no organization."""
        return self.id is None and self.org_id is None

    def __str__(self) -> str:
        parts = [f"orgs/{self.org_id}"] if self.org_id is not None else []
        parts.append(self.type)
        if self.id is not None:
            parts.append(self.id)
        return f"{self.action}:{'/'.join(parts)}"

    def to_json(self) -> dict[str, Json]:
        """Arrange it as the server stores it."""
        resource: dict[str, Json] = {"type": self.type}
        if self.id is not None:
            resource["id"] = self.id
        if self.org_id is not None:
            resource["orgID"] = self.org_id
        return {"action": self.action, "resource": resource}


@unique
class OperatorLevel(StrEnum):
    """How much of an operator a permission list makes."""

    FULL = "full"
    """Everything that the server's own test for operators asks for."""
    PARTIAL = "partial"
    """Everything of 2.0 but not of later types: refused by backup, restore and configuration."""
    ADMINISTRATOR = "administrator"
    """Can make users, organizations and tokens, and lacks more than newer types."""
    NONE = "none"


class OperatorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a permission list is worth to somebody who is locked out.

    Attributes:
        lacks: What a full operator has beyond it, as (action, type) in the server's order, when it
            is partial or an administrator.
    """

    level: OperatorLevel
    lacks: tuple[tuple[str, str], ...] = ()

    @property
    def is_operator(self) -> bool:
        """Whether it is a full or a partial operator."""
        return self.level in {OperatorLevel.FULL, OperatorLevel.PARTIAL}

    def __str__(self) -> str:
        if self.level is OperatorLevel.PARTIAL:
            return f"partial (lacks {_described(self.lacks)})"
        return "full" if self.level is OperatorLevel.FULL else ""


def types_of_level(level: int) -> tuple[str, ...]:
    """List the 18, 20 or 22 resource types that a token of a level can name, as the server does."""
    if level >= LEVEL_2_2:
        return ALL_TYPES
    return (*BASE_TYPES, *TYPES_2_1) if level >= LEVEL_2_1 else BASE_TYPES


def operator_permissions(level: int) -> list[Permission]:
    """List the 36, 40 or 44 permissions of an operator token of a level, as setup stores them."""
    return [
        Permission(action=action, type=kind) for kind in types_of_level(level) for action in ACTIONS
    ]


def all_access_permissions(level: int, *, org_id: Id, user_id: Id) -> list[Permission]:
    """List the 35, 39 or 43 permissions of an all-access token, as the `influx` command does."""
    permissions: list[Permission] = []
    for kind in types_of_level(level):
        if kind == "orgs":
            permissions.append(Permission(action="read", type=kind, id=org_id))
        elif kind == "users":
            permissions += [Permission(action=a, type=kind, id=user_id) for a in ACTIONS]
        else:
            permissions += [Permission(action=a, type=kind, org_id=org_id) for a in ACTIONS]
    return permissions


def classify(permissions: Iterable[Permission], *, level: int) -> OperatorStatus:
    """Say how much of an operator a permission list makes at a schema level."""
    held: set[tuple[str, str]] = set()
    for permission in permissions:
        if permission.type == INSTANCE and level >= LEVEL_INSTANCE:
            held.update((permission.action, kind) for kind in ALL_TYPES)
        elif permission.is_global:
            held.add((permission.action, permission.type))
    lacks = tuple(pair for pair in _pairs(types_of_level(level)) if pair not in held)
    if not lacks:
        return OperatorStatus(level=OperatorLevel.FULL)
    if held.issuperset(_pairs(BASE_TYPES)):
        return OperatorStatus(level=OperatorLevel.PARTIAL, lacks=lacks)
    if held.issuperset(_pairs(ADMINISTRATION)):
        return OperatorStatus(level=OperatorLevel.ADMINISTRATOR, lacks=lacks)
    return OperatorStatus(level=OperatorLevel.NONE)


class _Resource(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The resource of a stored permission. Anything but the usual form is read the slow way."""

    type: str
    id: str | None = None
    orgID: str | None = None  # noqa: N815 # the name in the document


class _Entry(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A stored permission in its usual form."""

    action: str
    resource: _Resource


_ENTRIES: Final = msgspec.json.Decoder(list[_Entry])
_RAW_ENTRIES: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)
_EMPTY_OBJECT: Final = msgspec.Raw(b"{}")


def decode_permissions(document: bytes) -> list[Permission]:
    """Read a stored list in its order, null as none; `UndecodableError` if the server could not."""
    try:
        entries = _ENTRIES.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        entries = None
    if entries is None:
        return [_slow_permission(entry) for entry in raw_entries(document)]
    return [
        Permission(
            action=entry.action,
            type=entry.resource.type,
            id=_known_id(entry.resource.id),
            org_id=_known_id(entry.resource.orgID),
        )
        for entry in entries
    ]


def raw_entries(document: bytes) -> list[bytes]:
    """Take the JSON of a permission list apart, none for null; raise `UndecodableError`."""
    for read in (bytes, mended):
        try:
            return [bytes(entry) for entry in _RAW_ENTRIES.decode(read(document)) or ()]
        except (msgspec.MsgspecError, RecursionError):
            continue
    raise UndecodableError(problem="permissions are no list")


def _slow_permission(entry: bytes) -> Permission:
    fields = decode_fields(b"{}" if entry == b"null" else entry)
    resource = bytes(fields.get(fold("resource"), _EMPTY_OBJECT))
    resource_fields = decode_fields(b"{}" if resource == b"null" else resource)
    return Permission(
        action=text_field(fields, "action"),
        type=text_field(resource_fields, "type"),
        id=id_field(resource_fields, "id"),
        org_id=id_field(resource_fields, "orgID"),
    )


def _known_id(text: str | None) -> Id | None:
    if text is None:
        return None
    found = parse_id(text)
    if found is None:
        raise UndecodableError(problem="a permission has an id or orgID that is no ID")
    return found


def _pairs(kinds: Iterable[str]) -> Iterable[tuple[str, str]]:
    return ((action, kind) for kind in kinds for action in ACTIONS)


def _described(lacks: tuple[tuple[str, str], ...]) -> str:
    """Describe what is missing: "read/write remotes, replications; write notebooks"."""
    by_kind: dict[str, list[str]] = {}
    for action, kind in lacks:
        by_kind.setdefault(kind, []).append(action)
    by_actions: dict[str, list[str]] = {}
    for kind, actions in by_kind.items():
        by_actions.setdefault("/".join(actions), []).append(kind)
    return "; ".join(f"{actions} {', '.join(kinds)}" for actions, kinds in by_actions.items())
