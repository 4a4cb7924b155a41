"""Permissions, and what makes a token an operator token.

Lives here: resource types, standard sets, the matching rule, the classification of a list. Must not
live here: where a list comes from.

Source: InfluxDB v2.9.1 authz.go (Permission, OperPermissions, MatchesV1), authorizer/,
http/config.go (what counts as operator).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from recovery.model.gojson import Json

BASE_TYPES: Final = (
    "authorizations", "buckets", "dashboards", "orgs", "sources", "tasks", "telegrafs", "users",
    "variables", "scrapers", "secrets", "labels", "views", "documents", "notificationRules",
    "notificationEndpoints", "checks", "dbrp",
)  # fmt: skip
"""The 18 types of 2.0, in the server's order."""
TYPES_2_1: Final = ("notebooks", "annotations")
TYPES_2_2: Final = ("remotes", "replications")
INSTANCE: Final = "instance"
ALL_TYPES: Final = (*BASE_TYPES, *TYPES_2_1, *TYPES_2_2)
"""The 22 types that a token can name; `instance` is left to sessions."""
ACTIONS: Final = ("read", "write")
ADMINISTRATION: Final = ("authorizations", "users", "orgs")

LEVEL_2_1: Final = 16
LEVEL_2_2: Final = 19
LEVEL_INSTANCE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One action on one kind of resource.

    Attributes:
        action: "read" or "write".
        type: The resource type.
        id: One resource, or None for all.
        org_id: One organization, or None for all.
    """

    action: str
    type: str
    id: str | None = None
    org_id: str | None = None

    def grants(self, wanted: "Permission", *, level: int) -> bool:
        """Tell whether holding this permission gives the wanted one, by the server's rule."""
        if self.action != wanted.action:
            return False
        if self.type == INSTANCE and level >= LEVEL_INSTANCE:
            return True
        if self.type != wanted.type:
            return False
        if self.id is not None:
            return self.id == wanted.id
        return self.org_id is None or self.org_id == wanted.org_id

    def __str__(self) -> str:
        parts = [f"orgs/{self.org_id}"] if self.org_id is not None else []
        parts.append(self.type)
        if self.id is not None:
            parts.append(self.id)
        return f"{self.action}:{'/'.join(parts)}"

    def to_json(self) -> dict[str, Json]:
        """Return it as the server stores it."""
        resource: dict[str, Json] = {"type": self.type}
        if self.id is not None:
            resource["id"] = self.id
        if self.org_id is not None:
            resource["orgID"] = self.org_id
        return {"action": self.action, "resource": resource}


def types_of_level(level: int) -> tuple[str, ...]:
    """Return the resource types that a token of a schema level can name, in the server's order."""
    if level >= LEVEL_2_2:
        return ALL_TYPES
    return (*BASE_TYPES, *TYPES_2_1) if level >= LEVEL_2_1 else BASE_TYPES


def operator_permissions(level: int) -> list[Permission]:
    """Return what an operator token of a schema level has: 36, 40 or 44 permissions."""
    return [
        Permission(action=action, type=kind) for kind in types_of_level(level) for action in ACTIONS
    ]


def all_access_permissions(level: int, *, org_id: str, user_id: str) -> list[Permission]:
    """Return what an all-access token has: 35, 39 or 43 permissions, bound to one organization."""
    permissions: list[Permission] = []
    for kind in types_of_level(level):
        if kind == "orgs":
            permissions.append(Permission(action="read", type=kind, id=org_id))
        elif kind == "users":
            permissions += [Permission(action=a, type=kind, id=user_id) for a in ACTIONS]
        else:
            permissions += [Permission(action=a, type=kind, org_id=org_id) for a in ACTIONS]
    return permissions


def parse_permissions(document: Json) -> list[Permission]:
    """Read a stored permission list.

    Raises:
        ValueError: It is no list of permissions.
    """
    if document is None:
        return []
    if not isinstance(document, list):
        raise ValueError("permissions are no list")
    return [_parse_permission(entry) for entry in document]


def _parse_permission(entry: Json) -> Permission:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(resource, dict):
        raise ValueError("a permission is no object")
    fields = (entry.get("action"), resource.get("type"), resource.get("id"), resource.get("orgID"))
    action, kind, resource_id, org_id = fields
    if not isinstance(action, str) or not isinstance(kind, str):
        raise ValueError("a permission lacks action or type")
    if not isinstance(resource_id, str | None) or not isinstance(org_id, str | None):
        raise ValueError("a permission's id is no text")
    return Permission(action=action, type=kind, id=resource_id, org_id=org_id)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorStatus:
    """What a permission list is worth to somebody who is locked out.

    Attributes:
        level: How much of an operator it makes.
        lacks: What a full operator has beyond it, as (action, type), when it is partial or an
            administrator.
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


def classify(permissions: Iterable[Permission], *, level: int) -> OperatorStatus:
    """Say how much of an operator a permission list makes at a schema level.

    The server compares sets, never order or number, and so does this.
    """
    held = set()
    for permission in permissions:
        if permission.type == INSTANCE and level >= LEVEL_INSTANCE:
            held |= {(permission.action, kind) for kind in ALL_TYPES}
        elif permission.id is None and permission.org_id is None:
            held.add((permission.action, permission.type))
    wanted = [(action, kind) for kind in types_of_level(level) for action in ACTIONS]
    lacks = tuple(pair for pair in wanted if pair not in held)
    if not lacks:
        return OperatorStatus(level=OperatorLevel.FULL)
    if all((action, kind) in held for kind in BASE_TYPES for action in ACTIONS):
        return OperatorStatus(level=OperatorLevel.PARTIAL, lacks=lacks)
    if all((action, kind) in held for kind in ADMINISTRATION for action in ACTIONS):
        return OperatorStatus(level=OperatorLevel.ADMINISTRATOR, lacks=lacks)
    return OperatorStatus(level=OperatorLevel.NONE)


def _described(lacks: tuple[tuple[str, str], ...]) -> str:
    """Describe what is missing: "read/write remotes, replications; write notebooks"."""
    by_kind: dict[str, list[str]] = {}
    for action, kind in lacks:
        by_kind.setdefault(kind, []).append(action)
    by_actions: dict[str, list[str]] = {}
    for kind, actions in by_kind.items():
        by_actions.setdefault("/".join(actions), []).append(kind)
    return "; ".join(f"{actions} {', '.join(kinds)}" for actions, kinds in by_actions.items())
