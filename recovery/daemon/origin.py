"""From where a request may come.

Lives here: the checks of `Host` and `Origin`. Must not live here: who asks
(`recovery.daemon.access`).

Invariants: a page of another site must neither read nor change anything here: a request that names
another host is refused, because a name can be made to lead to this machine, and so is one that a
page of another origin sent. Both come before authentication.

Source: spec admin-daemon 1.13 and 2.3.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from recovery.daemon.answer import ApiError
from recovery.daemon.request import Request

_HOST: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?\Z", re.IGNORECASE)
UNKNOWN_HOST: Final = "unknown host: use 127.0.0.1 or localhost"
CROSS_ORIGIN: Final = "cross-origin requests are not served"


def require_own_host(request: Request) -> None:
    """Refuse a request that names another host.

    Raises:
        ApiError: 403.
    """
    for name in ("host", "x-forwarded-host"):
        host = request.headers.get(name)
        if host is not None and not _HOST.match(host):
            raise ApiError("forbidden", UNKNOWN_HOST)


def require_own_origin(request: Request) -> None:
    """Refuse a request of a page of another origin.

    Raises:
        ApiError: 403.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return
    try:
        found = urlsplit(origin)
    except ValueError:
        found = urlsplit("")
    host = request.headers.get("host", "")
    if found.scheme != "http" or found.netloc.lower() != host.lower():
        raise ApiError("forbidden", CROSS_ORIGIN)
