"""Decoded pages of one snapshot.

Lives here: `Pages`, which decodes pages and keeps the branches. Must not live here: changed nodes.

Invariants: bound to one snapshot, so nothing kept can be stale; the number of kept branches is
bounded. Leaves are not kept: a point look-up searches their bytes in place, and iteration reads
each of them once.
"""

from typing import Final

from bolt_store.codec.branch import Branch, decode_branch
from bolt_store.codec.layout import BRANCH_FLAG
from bolt_store.codec.leaf import Leaf, decode_leaf
from bolt_store.file.pager import Snapshot

BRANCHES_KEPT_MAX: Final = 2048
"""Decoded branches kept; at 4 KiB a page they lead to some 100,000 leaves."""


class Pages:
    """Reads and decodes the pages of a snapshot."""

    __slots__ = ("_branches", "page_size_bytes", "snapshot")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.page_size_bytes = snapshot.page_size_bytes
        self._branches: dict[int, Branch[int]] = {}

    def branch_or_page(self, pgid: int) -> Branch[int] | bytes:
        """Return a branch page decoded, and the bytes of any other page.

        Args:
            pgid: A page of a tree.

        Raises:
            FormatError: The page is damaged.
            OSError: The page cannot be read.
        """
        branch = self._branches.get(pgid)
        if branch is not None:
            return branch
        page = self.snapshot.page(pgid)
        if page[8] != BRANCH_FLAG:
            return page
        branch = decode_branch(page, pgid=pgid)
        if len(self._branches) >= BRANCHES_KEPT_MAX:
            self._branches.pop(next(iter(self._branches)))
        self._branches[pgid] = branch
        return branch

    def decode(self, pgid: int) -> Branch[int] | Leaf:
        """Return a page of a tree decoded. A branch is shared: do not change it.

        Args:
            pgid: A page of a tree.

        Raises:
            FormatError: The page is damaged or is neither branch nor leaf.
            OSError: The page cannot be read.
        """
        found = self.branch_or_page(pgid)
        if isinstance(found, bytes):
            return decode_leaf(found, pgid=pgid)
        return found

    def run_length(self, pgid: int) -> int:
        """Return the number of pages of the run that starts at `pgid`."""
        return len(self.snapshot.page(pgid)) // self.page_size_bytes
