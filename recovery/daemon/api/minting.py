"""What a new token may be, in the server's words and order.

Lives here: the checks in front of reading, minting and editing, for API tokens and those of 1.x.
Must not live here: the routes.

Source: InfluxDB v2.9.1 authorization/http_server.go (Validate), authorization/middleware_auth.go
(CreateAuthorization, VerifyPermissions), auth.go (Valid), authz.go (Permission.Valid); spec
admin-daemon 1.4 and 1.8.
"""

from typing import Final

import msgspec

from recovery.daemon.answer import ApiError
from recovery.daemon.api.records import TokenViews
from recovery.daemon.api.users import require_known_status
from recovery.daemon.bodies import Body
from recovery.daemon.call import Call
from recovery.daemon.rights import Rights
from recovery.metastore.records import Records
from recovery.model.authorization import ACTIVE, INACTIVE, Authorization
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.model.permission import INSTANCE, Permission, types_of_level
from recovery.model.resource_types import ACTIONS

UNREADABLE: Final = "invalid json structure: "
UNABLE: Final = ApiError("invalid", "unable to create token")
NOT_FOUND: Final = ApiError("not found", "authorization not found")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A token that is asked for.

    Attributes:
        user_id: Its user; None for the caller's.
        status: "active" or "inactive".
        permissions: What it is to permit; at least one.
        username: The 1.x user name; empty for an API token.
    """

    org_id: Id
    user_id: Id | None
    status: str
    description: str
    permissions: tuple[Permission, ...]
    username: str = ""


def read_wanted(call: Call, *, is_legacy: bool = False) -> Wanted:
    """Read what is asked for, with a 1.x user name where it `is_legacy`; else `ApiError` 400."""
    org_id, user_id, status, description, permissions, username = call.body(
        lambda body: _read(body, is_legacy=is_legacy), "invalid", prefix=UNREADABLE
    )
    if not permissions:
        raise ApiError("invalid", "authorization must include permissions")
    known = {*types_of_level(call.desk.settings.level), INSTANCE}
    for one in permissions:
        _require_known(one, known)
    if org_id is None:
        raise ApiError("invalid", "org id required: invalid ID")
    require_known_status(status or ACTIVE)
    if is_legacy and not username:
        raise ApiError("invalid", "token required for v1 user authorization type")
    return Wanted(
        org_id=org_id,
        user_id=user_id,
        status=status or ACTIVE,
        description=description,
        permissions=tuple(permissions),
        username=username,
    )


def _read(
    body: Body, *, is_legacy: bool
) -> tuple[Id | None, Id | None, str, str, list[Permission], str]:
    status = body.text("status") or ""
    org_id, user_id = body.id("orgID"), body.id("userID", is_pointer=True)
    description = body.text("description") or ""
    username = (body.text("token") or "") if is_legacy else ""
    return org_id, user_id, status, description, body.permissions(), username


def _require_known(permission: Permission, known_types: set[str]) -> None:
    if permission.type not in known_types:
        raise ApiError(
            "invalid",
            "invalid resource type for permission: unknown resource type for permission",
        )
    if permission.action not in ACTIONS:
        raise ApiError(
            "invalid", "invalid action type for permission: unknown action for permission"
        )


def require_may_mint(call: Call, wanted: Wanted) -> tuple[Id, Id]:
    """Refuse what the caller may not give away, and what does not fit together.

    Returns:
        The organization and the user.

    Raises:
        ApiError: 400, 401, 403, 500 as the server does it.
    """
    own_id = call.caller.user_id
    if own_id is None and wanted.user_id is None:
        raise UNABLE
    if own_id is not None and call.tx.users.get(own_id) is None:
        raise UNABLE
    user_id = wanted.user_id or own_id
    if user_id is None:
        raise UNABLE
    call.rights.require("create authorization", org=wanted.org_id, user=user_id)
    call.rights.require_held(wanted.permissions)
    for one in wanted.permissions:
        if one.type == INSTANCE:
            raise ApiError(
                "internal error",
                "authorizations cannot be created with the instance type, it is only used during "
                "setup",
            )
    for one in wanted.permissions:
        if one.org_id is not None and one.org_id != wanted.org_id:
            raise ApiError("invalid", f"permission {one} is not for org id {wanted.org_id}")
    if call.tx.users.get(user_id) is None or call.tx.organizations.get(wanted.org_id) is None:
        raise UNABLE
    return wanted.org_id, user_id


def of_path(call: Call, records: Records[Authorization], what: str) -> Authorization:
    """Give the authorization of the path, if it exists and this may be done with it.

    Args:
        records: Where it is: among those of 2.x or those of 1.x.
        what: One of `CHECKS`.

    Raises:
        ApiError: 404 or 401.
    """
    found = NOT_FOUND.unless(records.get(call.id()))
    call.rights.require(what, one=found.id, org=found.org_id, user=found.user_id)
    return found


def shown(found: list[Authorization], rights: Rights, views: TokenViews) -> list[object]:
    """Show what may be read and has an organization and a user."""
    shown: list[object] = []
    for one in found:
        if not rights.may("read authorization", one=one.id, org=one.org_id, user=one.user_id):
            continue
        try:
            shown.append(views.record(one))
        except (ApiError, UndecodableError):
            continue
    return shown


def read_edit(call: Call) -> tuple[str | None, str | None]:
    """Read a new description and a new status; None for what is to stay.

    An empty status is stored as "active", as on the server.

    Raises:
        ApiError: 500, as the server does it.
    """
    description, status = call.body(
        lambda body: (
            body.text("description", is_pointer=True),
            body.text("status", is_pointer=True),
        ),
        "internal error",
    )
    return description, ACTIVE if status == "" else status


def require_storable(status: str | None, *, prefix: str = "") -> None:
    """Refuse a status that the server could not store, by `ApiError` 400.

    Args:
        status: As wanted; None for the one that is there.
        prefix: What the server says first.
    """
    if status not in {None, ACTIVE, INACTIVE}:
        raise ApiError("invalid", f"{prefix}unknown authorization status")
