"""Routes about the server itself.

Lives here: health, ping, ready, the map of links, resource types, flags, configuration. Must not
live here: records of the store.

Source: InfluxDB v2.9.1 http/health.go, http/ready.go, http/ping_handler.go, http/api_handler.go
(apiLinks), http/config.go, feature/http_handler.go; spec admin-daemon 1.5.
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Final

from recovery.daemon.answer import Answer, ApiError, json_answer, to_json
from recovery.daemon.call import Call
from recovery.daemon.server_options import DEFAULTS
from recovery.model.gojson import format_time
from recovery.model.permission import INSTANCE, LEVEL_INSTANCE, types_of_level

MESSAGE: Final = (
    "influx-recovery: tokens, users, organizations and buckets only; influxd is stopped"
)
_API: Final = "/api/v2"
LINKS: Final = {
    "authorizations": f"{_API}/authorizations",
    "backup": f"{_API}/backup",
    "buckets": f"{_API}/buckets",
    "checks": f"{_API}/checks",
    "dashboards": f"{_API}/dashboards",
    "delete": f"{_API}/delete",
    "external": {"statusFeed": "https://www.influxdata.com/feed/json"},
    "flags": f"{_API}/flags",
    "labels": f"{_API}/labels",
    "me": f"{_API}/me",
    "notificationEndpoints": f"{_API}/notificationEndpoints",
    "notificationRules": f"{_API}/notificationRules",
    "orgs": f"{_API}/orgs",
    "plugins": f"{_API}/telegraf/plugins",
    "query": {
        "analyze": f"{_API}/query/analyze",
        "ast": f"{_API}/query/ast",
        "self": f"{_API}/query",
        "suggestions": f"{_API}/query/suggestions",
    },
    "restore": f"{_API}/restore",
    "scrapers": f"{_API}/scrapers",
    "setup": f"{_API}/setup",
    "signin": f"{_API}/signin",
    "signout": f"{_API}/signout",
    "sources": f"{_API}/sources",
    "swagger": f"{_API}/swagger.json",
    "system": {"debug": "/debug/pprof", "health": "/health", "metrics": "/metrics"},
    "tasks": f"{_API}/tasks",
    "telegrafs": f"{_API}/telegrafs",
    "users": f"{_API}/users",
    "variables": f"{_API}/variables",
    "write": f"{_API}/write",
}
"""The map of the server, which names what it has and this has not, too."""
FLAGS: Final = {
    "appMetrics": False,
    "cursorAtEOF": False,
    "newAutoRefresh": True,
    "refreshSingleCell": True,
    "timeFilterFlags": False,
}
_PING_METHODS: Final = (b"Allow", b"GET, HEAD, OPTIONS")
_PING_VARIES: Final = (b"Vary", b"Accept-Encoding")


def health(call: Call) -> Answer:
    """Say that this is there, and what it is."""
    settings = call.desk.settings
    return json_answer(
        {
            "name": "influxdb",
            "message": MESSAGE,
            "status": "pass",
            "checks": [],
            "version": settings.version,
            "commit": f"influx-recovery-{settings.tool_version}",
        }
    )


def ping(_: Call) -> Answer:
    """Say no more than the headers do."""
    return Answer(status=HTTPStatus.NO_CONTENT, headers=(_PING_VARIES,))


def ping_methods(_: Call) -> Answer:
    """Say how it may be asked."""
    return Answer(status=HTTPStatus.OK, headers=(_PING_METHODS, _PING_VARIES))


def ping_refused(_: Call) -> Answer:
    """Refuse another method, as this one route does it in words."""
    return Answer(
        status=HTTPStatus.METHOD_NOT_ALLOWED,
        body=b"Method Not Allowed\n",
        content_type=b"text/plain; charset=utf-8",
        headers=(_PING_METHODS, _PING_VARIES, (b"X-Content-Type-Options", b"nosniff")),
    )


def ready(call: Call) -> Answer:
    """Say since when this has been there."""
    started = call.desk.settings.started
    up = duration_text(call.desk.clock.now() - started)
    return json_answer({"status": "ready", "started": format_time(started), "up": up})


def links(_: Call) -> Answer:
    """Give the map."""
    return json_answer(LINKS)


def resources(call: Call) -> Answer:
    """List the resource types that a permission may name."""
    level = call.desk.settings.level
    types = [*types_of_level(level), *([INSTANCE] if level >= LEVEL_INSTANCE else [])]
    return Answer(status=HTTPStatus.OK, body=to_json(types), content_type=b"application/json")


def flags(_: Call) -> Answer:
    """List the feature flags, as a server has them that nobody has told of any."""
    return json_answer(FLAGS)


def configuration(call: Call) -> Answer:
    """Show what is known of the server's configuration, to operators."""
    require_operator(call)
    return json_answer({"config": {**DEFAULTS, **call.desk.settings.configuration}})


def require_operator(call: Call) -> None:
    """Refuse to show the configuration to others, whatever the method, by `ApiError` 401."""
    if not call.rights.is_operator(call.desk.settings.level):
        raise ApiError("unauthorized", f"access to {_API}/config requires operator permissions")


def duration_text(duration: timedelta) -> str:
    """Write a duration, not negative, as Go does (time.Duration.String): "1.5s" or "1h0m2s"."""
    total_us = duration // timedelta(microseconds=1)
    if total_us < 1_000_000:  # noqa: PLR2004 # a second
        unit, per_unit = ("ms", 1000) if total_us >= 1000 else ("µs", 1)  # noqa: PLR2004
        return f"{total_us / per_unit:.6f}".rstrip("0").rstrip(".") + unit if total_us else "0s"
    minutes, rest_us = divmod(total_us, 60_000_000)
    seconds = f"{rest_us / 1_000_000:.6f}".rstrip("0").rstrip(".")
    hours, minutes = divmod(minutes, 60)
    text = f"{seconds}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
