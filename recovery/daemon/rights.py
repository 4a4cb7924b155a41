"""What a caller may do.

Lives here: the checks of each request as a table, the matching of permissions, the permissions of a
role. Must not live here: who calls (`recovery.daemon.access`).

Invariants: a check is written as the server writes it in its message. A permission that names a
resource fits whatever organization is asked about, as on the server. There is no permission for
what has no ID, organization or user of its own: that is refused to everybody.

Source: InfluxDB v2.9.1 authz.go (matchesV1, OwnerPermissions, MemberPermissions, MePermissions),
user_resource_mapping.go (ToPermissions), authorizer/, tenant/middleware_*.go,
authorization/middleware_auth.go; spec admin-daemon 1.4.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from recovery.daemon.answer import ApiError
from recovery.model.ids import Id
from recovery.model.mapping import INSTANCE, MEMBER, ORGS, OWNER, Mapping
from recovery.model.permission import Permission, types_of_level
from recovery.model.resource_types import ACTIONS

CHECKS: Final = {
    "create authorization": ("write:orgs/{org}/authorizations", "write:users/{user}"),
    "read authorization": ("read:orgs/{org}/authorizations/{id}", "read:users/{user}"),
    "write authorization": ("write:orgs/{org}/authorizations/{id}", "write:users/{user}"),
    "create user": ("write:users",),
    "read user": ("read:users/{id}",),
    "write user": ("write:users/{id}",),
    "create organization": ("write:orgs",),
    "read organizations": ("read:orgs",),
    "read organization": ("read:orgs/{id}",),
    "write organization": ("write:orgs/{id}",),
    "change member": ("write:orgs/{org}/orgs/{id}",),
    "create bucket": ("write:orgs/{org}/buckets",),
    "read bucket": ("read:orgs/{org}/buckets/{id}",),
    "write bucket": ("write:orgs/{org}/buckets/{id}",),
    "read label": ("read:orgs/{org}/labels/{id}",),
}
"""The checks of 1.4 by what is done, in their order."""

TOKEN_INACTIVE: Final = "token is inactive"  # noqa: S105 # a sentence
NO_ORG: Final = ApiError("invalid", "invalid org id for permission: invalid ID")
NO_ID: Final = ApiError("invalid", "invalid id for permission: invalid ID")


class Rights:
    """What some permissions allow.

    Attributes:
        is_active: Whether they count at all: those of an inactive token do not.
    """

    def __init__(self, permissions: Iterable[Permission], *, is_active: bool = True) -> None:
        """Sort permissions by what they are for."""
        self.is_active: Final = is_active
        self._all: set[tuple[str, str]] = set()
        self._orgs: set[tuple[str, str, Id]] = set()
        self._ids: set[tuple[str, str, Id]] = set()
        self._instance: set[str] = set()
        for one in permissions:
            if one.type == INSTANCE:
                self._instance.add(one.action)
            elif one.id is not None:
                self._ids.add((one.action, one.type, one.id))
            elif one.org_id is not None:
                self._orgs.add((one.action, one.type, one.org_id))
            else:
                self._all.add((one.action, one.type))

    def holds(
        self, action: str, kind: str, *, resource: Id | None = None, org: Id | None = None
    ) -> bool:
        """Tell whether one action on one resource is permitted, if the token is active."""
        return (
            (action, kind) in self._all
            or action in self._instance
            or (org is not None and (action, kind, org) in self._orgs)
            or (resource is not None and (action, kind, resource) in self._ids)
        )

    def may(
        self, what: str, *, one: Id | None = None, org: Id | None = None, user: Id | None = None
    ) -> bool:
        """Tell whether something of `CHECKS` may be done."""
        return self.is_active and all(
            check.absent(one, org, user) is None and self._fits(check, one, org, user)
            for check in _PARSED[what]
        )

    def require(
        self, what: str, *, one: Id | None = None, org: Id | None = None, user: Id | None = None
    ) -> None:
        """Refuse what may not be done.

        Raises:
            ApiError: 401, with the first permission that is lacking; 400, without an ID to ask for.
        """
        for check, text in zip(_PARSED[what], CHECKS[what], strict=True):
            absent = check.absent(one, org, user)
            if absent is not None:
                raise absent
            if not self.is_active:
                raise ApiError("unauthorized", TOKEN_INACTIVE)
            if not self._fits(check, one, org, user):
                wanted = text.format(id=one, org=org, user=user)
                raise ApiError("unauthorized", f"{wanted} is unauthorized")

    def require_held(self, wanted: Iterable[Permission]) -> None:
        """Refuse to give away what the caller lacks: `ApiError` 403, with the first permission."""
        for one in wanted:
            if not self.holds(one.action, one.type, resource=one.id, org=one.org_id):
                problem = f"permission {one} is not allowed: {one} is unauthorized"
                raise ApiError("forbidden", problem)

    def is_operator(self, level: int) -> bool:
        """Tell whether everything that an operator token has is permitted."""
        return self.is_active and all(
            self.holds(action, kind) for kind in types_of_level(level) for action in ACTIONS
        )

    def _fits(self, check: "_Check", one: Id | None, org: Id | None, user: Id | None) -> bool:
        resource = check.resource_of(one, user)
        return self.holds(
            check.action, check.kind, resource=resource, org=org if check.has_org else None
        )


class _Check(NamedTuple):
    """One check, taken apart."""

    action: str
    kind: str
    has_org: bool
    resource: str

    def resource_of(self, one: Id | None, user: Id | None) -> Id | None:
        """Take what is asked about; None where that is all of a kind."""
        return {"{id}": one, "{user}": user}.get(self.resource)

    def absent(self, one: Id | None, org: Id | None, user: Id | None) -> ApiError | None:
        """Give the refusal of what has no ID to ask about."""
        if self.has_org and org is None:
            return NO_ORG
        return NO_ID if self.resource and self.resource_of(one, user) is None else None


def _parsed(check: str) -> _Check:
    action, _, path = check.partition(":")
    in_org = path.removeprefix("orgs/{org}/")
    kind, _, resource = in_org.partition("/")
    return _Check(action, kind, in_org != path, resource)


_PARSED: Final = {what: tuple(map(_parsed, checks)) for what, checks in CHECKS.items()}


def permissions_of_role(mapping: Mapping, *, level: int) -> Iterator[Permission]:
    """Give what a role permits in a session.

    Args:
        level: Schema level of the store, which decides about the types.

    Yields:
        The permissions in the server's order; none for a role that has no effect.
    """
    resource, is_owner = mapping.resource_id, mapping.user_type == OWNER
    if mapping.resource_type == INSTANCE and is_owner:
        yield from (Permission(action=action, type=INSTANCE) for action in ACTIONS)
    elif mapping.resource_type == ORGS:
        for kind in types_of_level(level):
            for action in ACTIONS if is_owner else ("read",):
                if kind == ORGS:
                    yield Permission(action=action, type=kind, id=resource)
                else:
                    yield Permission(action=action, type=kind, org_id=resource)
    elif mapping.resource_type == "buckets" and mapping.user_type == MEMBER:
        yield Permission(action="read", type="buckets", id=resource)


def permissions_of_self(user_id: Id) -> list[Permission]:
    """Give what each user may do with itself in a session."""
    return [Permission(action=action, type="users", id=user_id) for action in ACTIONS]
