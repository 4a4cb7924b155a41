"""Which paths are the page's.

Lives here: the first parts of its paths, so that the page itself is loaded when somebody opens it.
Must not live here: what is there (`router`).
"""

from typing import Final

TOPS: Final = frozenset(
    {
        "backups", "buckets", "console", "doctor", "keep-open", "keys", "leave", "ledger",
        "ledger.csv", "map", "organizations", "static", "stop", "tokens", "users",
    }
)  # fmt: skip


def is_of_page(path: str) -> bool:
    """Tell whether a path is one of the page's, also one that leads nowhere."""
    return path == "/" or path.removeprefix("/").partition("/")[0] in TOPS
