"""From where a request may come.

Lives here: the checks of `Host`, `Origin` and `Sec-Fetch-Site`. Must not live here: who asks
(`recovery.daemon.access`).

Invariants: a page of another site, or of another port of this machine, must neither read nor change
anything here. A request that names another host is refused, because a name can be made to lead to
this machine, and so is one that a page of another origin sent. A page cannot add a token header
without sending its origin, so for requests with one the origin is enough. All of it comes before
authentication.

Source: Fetch Metadata Request Headers, section 2.3; Fetch standard, "HTTP extensions"; spec
admin-daemon 1.13 and 2.3.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from recovery.daemon.answer import ApiError
from recovery.daemon.request import Request

_HOST: Final = re.compile(
    r"(?:127\.0\.0\.1|localhost|\[::1\])(?::(?P<port>[0-9]{1,5}))?\Z", re.IGNORECASE
)
_NO_DOMAIN: Final = re.compile(r"[a-z0-9_-]*(?::[0-9]{1,5})?\Z", re.IGNORECASE)
"""What people write before the path where the socket is what leads there; no such name is sold."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
UNKNOWN_HOST: Final = "unknown host: use 127.0.0.1 or localhost"
CROSS_ORIGIN: Final = "cross-origin requests are not served"


def require_own_host(request: Request, *, port: int | None) -> None:
    """Refuse a request that names another host, by `ApiError` 403.

    Args:
        port: The port that it came to; None on a Unix socket, to which any port may lead
            (`ssh -L 8086:/run/…`), so that there a name can be made to lead to it, too.
    """
    for name in ("host", "x-forwarded-host"):
        host = request.headers.get(name)
        if host is None or (port is None and _NO_DOMAIN.match(host)):
            continue
        found = _HOST.match(host)
        if found is None or (port is not None and found["port"] not in {None, str(port)}):
            raise ApiError("forbidden", UNKNOWN_HOST)


def require_own_origin(request: Request, *, has_token: bool) -> None:
    """Refuse a request of a page of another origin, by `ApiError` 403.

    Args:
        has_token: Whether it has a token header.
    """
    origin = request.headers.get("origin")
    if origin is not None and not _is_own(origin, request.headers.get("host", "")):
        raise ApiError("forbidden", CROSS_ORIGIN)
    site = request.headers.get("sec-fetch-site")
    if site is None or has_token or request.method in _SAFE_METHODS:
        return
    if site.lower() not in _OWN_SITES:
        raise ApiError("forbidden", CROSS_ORIGIN)


def _is_own(origin: str, host: str) -> bool:
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    return found.scheme == "http" and bool(host) and found.netloc.lower() == host.lower()
