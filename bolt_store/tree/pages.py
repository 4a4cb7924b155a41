"""Decoded pages of one snapshot.

Lives here: `Pages`, which decodes pages and keeps some. Must not live here: changed nodes.

Invariants: bound to one snapshot, so nothing kept can be stale; what is kept is bounded, and is
shared, so nobody changes it. A look-up searches the bytes of a leaf in place; decoding it takes
five times as long, and pays from the second look-up on. A walk keeps no leaf: that would only make
it slower.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from bolt_store.codec.branch import Branch, decode_branch
from bolt_store.codec.keys import ascend
from bolt_store.codec.layout import BRANCH_FLAG
from bolt_store.codec.leaf import Leaf, decode_leaf, lone_places
from bolt_store.file.pager import Snapshot

ChildT = TypeVar("ChildT")

REACHABLE: Final = 1
FREE: Final = 2
"""What the byte of a page says where each page has one; a sound page has one of the two bits."""

BRANCHES_KEPT_MAX: Final = 2048
"""Decoded branches kept; at 4 KiB a page they lead to some 100,000 leaves."""

LEAVES_KEPT_BYTES_MAX: Final = 4 << 20
"""Size of the leaves kept, on their pages; decoded they take three times as much."""


class Pages:
    """Reads and decodes the pages of a snapshot."""

    __slots__ = (
        "_branches",
        "_leaf_room_bytes",
        "_leaves",
        "_searched",
        "page_size_bytes",
        "snapshot",
    )

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.page_size_bytes = snapshot.page_size_bytes
        self._branches: dict[int, Branch[int]] = {}
        self._leaves: dict[int, Leaf] = {}
        self._leaf_room_bytes = LEAVES_KEPT_BYTES_MAX
        self._searched: set[int] = set()

    def node_or_page(self, pgid: int) -> Branch[int] | Leaf | bytes:
        """Return a page of a tree for a look-up: decoded where that pays, or its bytes."""
        kept = self._branches.get(pgid) or self._leaves.get(pgid)
        if kept is not None:
            return kept
        page = self.snapshot.page(pgid)
        if page[8] == BRANCH_FLAG:
            return self._keep_branch(pgid, page)
        if pgid in self._searched:
            leaf = self._leaves[pgid] = decode_leaf(page, pgid=pgid)
            return leaf
        if len(page) <= self._leaf_room_bytes:
            # The first leaves that are searched get the room. Where more come than fit, hardly any
            # comes again soon enough to be worth its decoding.
            self._leaf_room_bytes -= len(page)
            self._searched.add(pgid)
        return page

    def decode(self, pgid: int) -> Branch[int] | Leaf:
        """Return a page of a tree decoded. It is shared: do not change it.

        Raises:
            FormatError: The page is damaged or is neither branch nor leaf.
        """
        kept = self._branches.get(pgid) or self._leaves.get(pgid)
        if kept is not None:
            return kept
        page = self.snapshot.page(pgid)
        if page[8] == BRANCH_FLAG:
            return self._keep_branch(pgid, page)
        return decode_leaf(page, pgid=pgid)

    def ahead(self, children: Sequence[ChildT]) -> Iterator[ChildT | Leaf]:
        """Give the children of a branch for a walk, decoded where that is quickly done.

        Of large records each has a leaf for itself, and these are read in blocks and given as one
        leaf each, up to the first child that is another one. Whoever walks no further than one leaf
        reads no more than that.
        """
        yield from children[:1]
        size, done = self.page_size_bytes, 1
        while done < len(children):
            first = children[done]
            if not isinstance(first, int):
                break
            block = self.snapshot.block(children, done)
            places = lone_places(block, size, pgid=first)
            keys = [block[key:value] for key, value, _ in places]
            if not (keys and ascend(keys)):
                break
            yield Leaf([0] * len(keys), keys, [block[value:end] for _, value, end in places])
            done += len(keys)
            if len(keys) * size < len(block):
                break
        yield from children[done:]

    def run_length(self, pgid: int) -> int:
        """Return the number of pages of the run that starts at `pgid`."""
        return len(self.snapshot.page(pgid)) // self.page_size_bytes

    def _keep_branch(self, pgid: int, page: bytes) -> Branch[int]:
        """Decode a branch and keep it, in the place of the oldest where there are too many."""
        branch = decode_branch(page, pgid=pgid)
        if len(self._branches) >= BRANCHES_KEPT_MAX:
            self._branches.pop(next(iter(self._branches)))
        self._branches[pgid] = branch
        return branch
