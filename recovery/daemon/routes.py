"""Which path leads to which function.

Lives here: the table of routes, what is open without authentication, what is not served. Must not
live here: what a route answers (`recovery.daemon.api`), how paths are compared (`paths`).

Invariants: slashes at the end of a path are allowed where the server allows them.

Source: InfluxDB v2.9.1 http/api_handler.go, http/platform_handler.go (RegisterNoAuthRoute),
tenant/http_server_*.go, authorization/http_server.go, v1/authorization/http_server.go; spec
admin-daemon 1.3, 1.5 and 1.13.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from recovery.daemon.answer import ApiError
from recovery.daemon.api import (
    authorizations,
    buckets,
    changes,
    legacy,
    members,
    organizations,
    passwords,
    setup,
    sign_in,
    system,
    users,
)
from recovery.daemon.call import Call, Handler
from recovery.daemon.paths import Paths
from recovery.daemon.request import Request
from recovery.model.mapping import MEMBER, ORGS, OWNER

API: Final = "/api/v2"
_RESOURCES: Final = f"{API}/resources"
_FLAGS: Final = f"{API}/flags"
_AUTHS: Final = f"{API}/authorizations"
_USERS: Final = f"{API}/users"
_ORGS: Final = f"{API}/orgs"
_BUCKETS: Final = f"{API}/buckets"
_V1: Final = "/private/legacy/authorizations"

_OTHERS: Final = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT")
METHODS: Final = ("GET", "HEAD", "OPTIONS", *_OTHERS)
"""What the router of the server knows; any other is refused in front of everything else."""

LIGHT: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/health", system.health),
    ("HEAD", "/health", system.health),
    ("GET", "/ping", system.ping),
    ("HEAD", "/ping", system.ping),
    ("OPTIONS", "/ping", system.ping_methods),
    *((method, "/ping", system.ping_refused) for method in _OTHERS),
    ("GET", "/ready", system.ready),
    ("HEAD", "/ready", system.ready),
    *((method, API, system.links) for method in ("GET", "HEAD", *_OTHERS)),
)
"""Routes that need no store and no authentication."""

ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", _RESOURCES, system.resources),
    ("HEAD", _RESOURCES, system.resources),
    ("GET", _FLAGS, system.flags),
    ("HEAD", _FLAGS, system.flags),
    ("GET", f"{API}/config", system.configuration),
    ("GET", f"{API}/me", users.me),
    ("PUT", f"{API}/me/password", passwords.change_own),
    ("GET", f"{API}/setup", setup.is_allowed),
    ("POST", f"{API}/setup", setup.set_up),
    ("POST", f"{API}/signin", sign_in.sign_in),
    ("POST", f"{API}/signout", sign_in.sign_out),
    ("GET", _AUTHS, authorizations.list_all),
    ("POST", _AUTHS, authorizations.create),
    ("GET", f"{_AUTHS}/{{id}}", authorizations.show),
    ("PATCH", f"{_AUTHS}/{{id}}", authorizations.update),
    ("DELETE", f"{_AUTHS}/{{id}}", authorizations.delete),
    ("GET", _USERS, users.list_all),
    ("POST", _USERS, users.create),
    ("PUT", f"{_USERS}/password", passwords.change_of_user),
    ("GET", f"{_USERS}/{{id}}", users.show),
    ("PATCH", f"{_USERS}/{{id}}", users.update),
    ("DELETE", f"{_USERS}/{{id}}", users.delete),
    ("GET", f"{_USERS}/{{id}}/permissions", users.permissions),
    ("POST", f"{_USERS}/{{id}}/password", passwords.set_of_user),
    ("PUT", f"{_USERS}/{{id}}/password", passwords.change_of_user),
    ("GET", _ORGS, organizations.list_all),
    ("POST", _ORGS, organizations.create),
    ("GET", f"{_ORGS}/{{id}}", organizations.show),
    ("PATCH", f"{_ORGS}/{{id}}", organizations.update),
    ("DELETE", f"{_ORGS}/{{id}}", organizations.delete),
    ("GET", f"{_ORGS}/{{id}}/members", members.listing(ORGS, MEMBER)),
    ("POST", f"{_ORGS}/{{id}}/members", members.adding(MEMBER)),
    ("DELETE", f"{_ORGS}/{{id}}/members/{{user}}", members.remove),
    ("GET", f"{_ORGS}/{{id}}/owners", members.listing(ORGS, OWNER)),
    ("POST", f"{_ORGS}/{{id}}/owners", members.adding(OWNER)),
    ("DELETE", f"{_ORGS}/{{id}}/owners/{{user}}", members.remove),
    ("GET", _BUCKETS, buckets.list_all),
    ("POST", _BUCKETS, buckets.create),
    ("GET", f"{_BUCKETS}/{{id}}", buckets.show),
    ("PATCH", f"{_BUCKETS}/{{id}}", buckets.update),
    ("DELETE", f"{_BUCKETS}/{{id}}", buckets.delete),
    ("GET", f"{_BUCKETS}/{{id}}/members", members.listing("buckets", MEMBER)),
    ("GET", f"{_BUCKETS}/{{id}}/owners", members.listing("buckets", OWNER)),
    ("GET", f"{_BUCKETS}/{{id}}/labels", buckets.labels),
    ("GET", _V1, legacy.list_all),
    ("POST", _V1, legacy.create),
    ("GET", f"{_V1}/{{id}}", legacy.show),
    ("PATCH", f"{_V1}/{{id}}", legacy.update),
    ("DELETE", f"{_V1}/{{id}}", legacy.delete),
    ("POST", f"{_V1}/{{id}}/password", passwords.set_of_legacy),
    ("GET", changes.PATH, changes.list_all),
    ("POST", f"{changes.PATH}/{{number}}/undo", changes.undo),
)
"""The others."""

OPEN: Final = frozenset(
    {
        ("GET", API),
        ("GET", f"{API}/setup"),
        ("POST", f"{API}/setup"),
        ("POST", f"{API}/signin"),
        ("POST", f"{API}/signout"),
        ("GET", f"{API}/swagger.json"),
    }
)
"""What is asked for without authentication below /api/v2; a slash at the end makes it another."""

ELSEWHERE: Final = frozenset(
    {
        "annotations", "backup", "checks", "dashboards", "dbrps", "delete", "documents", "labels",
        "maps", "notebooks", "notificationEndpoints", "notificationRules", "packages", "query",
        "remotes", "replications", "restore", "scrapers", "sources", "stacks", "streams", "tasks",
        "telegraf", "telegrafs", "templates", "variables", "write",
    }
)  # fmt: skip
"""What influxd has below /api/v2 and this has not."""

PATH_NOT_FOUND: Final = ApiError("not found", "path not found")
NOT_SERVED: Final = ApiError(
    "unavailable",
    "influxd is stopped: influx-recovery serves tokens, users, organizations and buckets only",
)
_OF_SECRETS: Final = frozenset({"GET", "PATCH", "POST", "DELETE"})
_MOUNTED: Final = (f"{_RESOURCES}/", f"{_FLAGS}/", "/health/", "/ready/")
"""What answers on every path below it."""
_ONE_SLASH: Final = re.compile(
    rf"(?:{API}|/password|/permissions|/(?:members|owners)/[^/]+)/\Z", re.DOTALL
)
_NAMED_PASSWORD: Final = f"{_USERS}/password//"
_OF_API: Final = (API, "/private/", "/v1")
_V1_DATA: Final = frozenset({"/write", "/query"})


class Found(NamedTuple):
    """What was found for a path.

    Attributes:
        handler: Its function; None when there is none for this method, or at all.
        is_known: Whether another method is served there.
        is_light: Whether the function needs no store.
        is_elsewhere: Whether influxd serves it and this does not.
        gate: Looks for the resource whose part this is, and refuses; None where nothing does.
    """

    handler: Handler | None = None
    parts: Mapping[str, str] = {}
    is_known: bool = False
    is_light: bool = False
    is_elsewhere: bool = False
    gate: Callable[[Call], object] | None = None


_PATHS: Final = Paths(
    (method, path, (handler, is_light))
    for is_light, routes in ((True, LIGHT), (False, ROUTES))
    for method, path, handler in routes
)


def find_route(method: str, path: str) -> Found:
    """Find what answers a request."""
    bare = _without_slashes(path)
    found = _PATHS.find(method, bare)
    if found.target is not None:
        handler, is_light = found.target
        return Found(handler, found.parts, is_known=True, is_light=is_light)
    steps = bare.split("/")[1:]
    served = path in _V1_DATA or _is_elsewhere(method, steps)
    is_known = served is False or (served is None and found.is_known)
    parts, gate = _gate(steps, is_known=is_known)
    return Found(None, parts, is_known, is_elsewhere=served is True, gate=gate)


def _gate(
    steps: list[str], *, is_known: bool
) -> tuple[Mapping[str, str], Callable[[Call], object] | None]:
    """Find what looks for a resource in front of its parts, and its ID."""
    match steps:
        case ["api", "v2", "orgs", one, "members" | "owners" | "secrets", *_]:
            return {"id": one}, members.organization_with_parts
        case ["api", "v2", "buckets", one, "labels", *_] if is_known:
            return {"id": one}, buckets.refuse_method_of_labels
        case ["api", "v2", "buckets", one, "members" | "owners" | "labels", *_]:
            return {"id": one}, buckets.bucket_with_parts
        case ["api", "v2", "config", *_]:
            return {}, system.require_operator
        case _:
            return {}, None


def _without_slashes(path: str) -> str:
    """Take away what slashes a server takes at the end: two, one behind some, three at labels."""
    for mounted in _MOUNTED:
        if path.startswith(mounted):
            return mounted[:-1]
    if path == _NAMED_PASSWORD:
        return f"{_USERS}/{{id}}"  # taken for an ID there, and it is none
    bare = path.removesuffix("/")
    if bare.endswith("/labels//"):
        return bare[:-2]
    if bare.removesuffix("/") == "/ping":
        return path
    return bare if _ONE_SLASH.search(bare) else bare.removesuffix("/")


def _is_elsewhere(method: str, parts: list[str]) -> bool | None:
    """Tell whether influxd serves what this does not; False for another method of that path."""
    match parts:
        case ["api", "v2", name, *_] if name in ELSEWHERE:
            return True
        case ["api", "v2", "orgs", _, "secrets", *_]:
            return method in _OF_SECRETS
        case ["api", "v2", "buckets", _, "members" | "owners" | "labels", one] if one:
            return method == "DELETE"
        case ["api", "v2", "buckets", _, "members" | "owners" | "labels"]:
            return True if method == "POST" else None
        case _:
            return None


def needs_caller(request: Request) -> bool:
    """Tell whether a request is answered only to somebody."""
    path = request.path
    if path in _V1_DATA:
        return True
    if request.method == "OPTIONS":
        return False  # the server answers it in front of everything else
    return is_of_api(path) and (request.method, path) not in OPEN


def is_of_api(path: str) -> bool:
    """Tell whether a path begins like what only somebody is answered on."""
    return path.startswith(_OF_API)
