"""What only the older snapshot uses, and a commit has to leave alone.

Lives here: `pages_of_older`. Must not live here: findings; a damaged older snapshot is no news.

Source: spec section 2.11.
"""

from typing import Final

from bolt_store.check.finding import Severity
from bolt_store.check.walk import Check, stretches
from bolt_store.file.pager import Pager
from bolt_store.tree.pages import REACHABLE

_REACHABLE_ONLY: Final = bytes(value & REACHABLE for value in range(256))


def pages_of_older(pager: Pager, reachable: bytearray) -> frozenset[int]:
    """Return the pages that only the older snapshot uses, to keep them whole.

    Where the older tree is damaged, as it may be after a crash, there is nothing to keep.

    Args:
        reachable: A byte for each page, bit 1 set where the newest snapshot uses it. What both
            snapshots share is the same tree, so it is not walked again.

    Returns:
        Page ids.
    """
    meta = pager.older.meta
    if meta is None or pager.older.problem is not None:
        return frozenset()
    walk = Check(pager, pager.snapshot(meta))
    known = bytes(reachable[: len(walk.pages)]).ljust(len(walk.pages), b"\0")
    walk.pages[:] = known.translate(_REACHABLE_ONLY)
    for finding in walk.walk():
        if finding.code != "page.shared" and finding.severity == Severity.FATAL:
            return frozenset()
    walk.mark_freelist()
    return frozenset(
        pgid
        for start, end in stretches(walk.pages, bytes([REACHABLE]))
        for pgid in range(start, end)
        if not known[pgid] & REACHABLE
    )
