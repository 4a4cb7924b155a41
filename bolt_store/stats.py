"""What a file consists of: its pages, its buckets, and sums over both.

Lives here: `page_infos`, `bucket_tree`, `db_stats`. Must not live here: judgement, which is
`bolt_store.check`'s, and keys, apart from the names of buckets, which no repr shows.

Pages are described whatever their state. Buckets are walked as a reader walks them, so damage in
a tree is an exception there. A closed database is a `DBClosedError`, a page that cannot be read an
`OSError`.

Source: bbolt v1.3.6 bucket.go (Stats), tx.go (Page), cmd/bbolt (pages, stats).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum, unique

from bolt_store.check import Check
from bolt_store.codec.branch import branch_size_bytes, decode_branch
from bolt_store.codec.bucket import BucketValue, decode_bucket
from bolt_store.codec.layout import (
    BRANCH_FLAG,
    FREELIST_COUNT_LONG,
    FREELIST_FLAG,
    META_PAGE_COUNT,
    PAGE_HEADER,
    PAGE_HEADER_SIZE_BYTES,
    PAGE_KINDS,
    PGID_SIZE_BYTES,
)
from bolt_store.codec.leaf import Leaf, decode_leaf, leaf_size_bytes
from bolt_store.db import DB
from bolt_store.errors import CycleError, PageError
from bolt_store.file.pager import Snapshot
from bolt_store.limits import TREE_DEPTH_MAX
from bolt_store.tree.pages import FREE, REACHABLE


@unique
class PageState(StrEnum):
    """Who uses a page of the newest state."""

    USED = "used"
    FREE = "free"
    """Listed in the freelist; what is on it is left over."""
    UNREACHABLE = "unreachable"
    """Neither used nor listed: leaked, or what a lost write has cut off."""
    CONFLICT = "conflict"
    """Used and listed as free at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageInfo:
    """One run of pages, or one single page that is not in use.

    Attributes:
        kind: "meta", "branch", "leaf" or "freelist", as the page says; "unknown" when it does not
            name itself.
        element_count: Number of its elements; ids on a freelist.
        overflow: Number of further pages in the run; 0 for what is not in use.
    """

    pgid: int
    kind: str
    element_count: int
    overflow: int
    state: PageState


@dataclass(slots=True, kw_only=True)
class TreeStats:
    """Sums over the pages of trees.

    Attributes:
        depth: Levels of the deepest tree; 1 for a single leaf, inline or not.
        branch_page_count: Branch pages, without their overflow pages.
        branch_used_bytes: Bytes on branch pages that mean something.
        leaf_page_count: Leaf pages, without their overflow pages and without inline pages.
        leaf_used_bytes: Bytes on leaf pages that mean something.
        inline_used_bytes: Bytes of inline pages; they are part of a leaf's bytes as well.
        element_count: Elements on leaf pages: keys with plain values, and buckets.
        nested_count: Those of them that are buckets.
    """

    depth: int = 0
    branch_page_count: int = 0
    branch_overflow_count: int = 0
    branch_used_bytes: int = 0
    leaf_page_count: int = 0
    leaf_overflow_count: int = 0
    leaf_used_bytes: int = 0
    inline_used_bytes: int = 0
    element_count: int = 0
    nested_count: int = 0

    def add(self, other: "TreeStats") -> None:
        """Add the sums of another tree; of the depths the larger one counts."""
        depth = max(self.depth, other.depth)
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        self.depth = depth


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketInfo:
    """One bucket, without those in it.

    Attributes:
        name: Its key, not shown by `repr`. Empty for the root bucket.
        nesting_depth: Number of buckets that it is in: 0 for the root bucket, 1 for those at the
            top. With the order, depth first, it tells which bucket it is in.
        root_pgid: Root page of its tree; 0 when it is inline.
        stats: Sums over its own tree.
    """

    name: bytes = field(repr=False)
    nesting_depth: int
    sequence: int
    root_pgid: int
    stats: TreeStats

    @property
    def is_inline(self) -> bool:
        """Whether it lies inside the value that its parent has for it."""
        return self.root_pgid == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DBStats:
    """Sums over a whole file.

    Attributes:
        page_count: Pages below the high water mark, the metas included.
        unreachable_page_count: Pages neither used nor listed.
        freelist_page_count: Pages of the freelist itself; 0 when none is stored.
        bucket_count: Buckets, nested ones included, the root bucket not.
        root: The root bucket's own tree.
        buckets: The trees of all other buckets together.
    """

    file_size_bytes: int
    page_size_bytes: int
    page_count: int
    free_page_count: int
    unreachable_page_count: int
    freelist_page_count: int
    bucket_count: int
    inline_bucket_count: int
    root: TreeStats
    buckets: TreeStats


def page_infos(db: DB) -> Iterator[PageInfo]:
    """Describe every page below the high water mark, in the order of the file.

    Yields:
        Runs that are in use as a whole; every other page on its own.
    """
    states = _states(db)
    page_size = db.pager.page_size_bytes
    pgid = 0
    while pgid < len(states):
        header = db.file.read_at(pgid * page_size, PAGE_HEADER_SIZE_BYTES + PGID_SIZE_BYTES)
        info = _page_info(pgid, header, states)
        yield info
        pgid += 1 + info.overflow


def last_written_pages(db: DB) -> frozenset[int]:
    """Say which pages the last commit has written.

    Returns:
        The pages that the newest state uses and the one before does not; none when the older meta
        cannot be used, so that nothing is known of that state.
    """
    pager = db.pager
    older = pager.older.meta
    if older is None or pager.older.problem is not None:
        return frozenset()
    now, before = (Check(pager, pager.snapshot(meta)) for meta in (pager.meta, older))
    for check in (now, before):
        for _ in check.run():
            pass
    count = min(len(now.pages), len(before.pages))
    return frozenset(
        pgid
        for pgid, state in enumerate(now.pages)
        if state & REACHABLE and not (pgid < count and before.pages[pgid] & REACHABLE)
    )


def bucket_tree(db: DB) -> Iterator[BucketInfo]:
    """Describe every bucket, depth first and in the order of the names, the root bucket first.

    Yields:
        One bucket after the other.

    Raises:
        FormatError: A page is damaged, or is reached twice.
    """
    meta = db.meta
    snapshot = db.pager.snapshot(meta)
    visited = bytearray(META_PAGE_COUNT + -(-db.file.size_bytes() // meta.page_size_bytes))
    root = BucketValue(root_pgid=meta.root_pgid, sequence=meta.root_sequence, inline_page=None)
    pending = [(b"", 0, root)]
    while pending:
        name, nesting_depth, bucket = pending.pop()
        stats, nested = _tree_stats(snapshot, bucket, visited)
        yield BucketInfo(
            name=name,
            nesting_depth=nesting_depth,
            sequence=bucket.sequence,
            root_pgid=bucket.root_pgid,
            stats=stats,
        )
        pending += [(key, nesting_depth + 1, inner) for key, inner in reversed(nested)]


def db_stats(db: DB) -> DBStats:
    """Sum up a whole file; raise `FormatError` for a page that is damaged or reached twice."""
    root, buckets = TreeStats(), TreeStats()
    bucket_count = inline_count = 0
    for info in bucket_tree(db):
        if info.nesting_depth:
            buckets.add(info.stats)
            bucket_count += 1
            inline_count += info.is_inline
        else:
            root.add(info.stats)
    meta = db.meta
    freelist = 0
    if meta.freelist_pgid is not None:
        freelist = len(db.pager.snapshot(meta).page(meta.freelist_pgid)) // meta.page_size_bytes
    states = _states(db)
    return DBStats(
        file_size_bytes=db.file.size_bytes(),
        page_size_bytes=meta.page_size_bytes,
        page_count=meta.high_water_mark,
        free_page_count=states.count(FREE) + states.count(FREE | REACHABLE),
        unreachable_page_count=states.count(0),
        freelist_page_count=freelist,
        bucket_count=bucket_count,
        inline_bucket_count=inline_count,
        root=root,
        buckets=buckets,
    )


def _states(db: DB) -> bytearray:
    """Return a byte for each page that the file has: in use, free, both or neither."""
    pager = db.pager
    check = Check(pager, pager.snapshot(pager.meta))
    for _ in check.run():
        pass
    if check.free is None:
        # Where no freelist is stored, bbolt takes every page for free that is not in use.
        return bytearray(FREE if not state & REACHABLE else state for state in check.pages)
    return check.pages


def _page_info(pgid: int, header: bytes, states: bytearray) -> PageInfo:
    state = _STATES[states[pgid]]
    stored_pgid, flags, count, overflow = PAGE_HEADER.unpack_from(header)
    if stored_pgid != pgid or flags not in PAGE_KINDS:
        return PageInfo(pgid=pgid, kind="unknown", element_count=0, overflow=0, state=state)
    if flags == FREELIST_FLAG and count == FREELIST_COUNT_LONG:
        count = int.from_bytes(header[PAGE_HEADER_SIZE_BYTES:], "little")
    is_run = state is PageState.USED and pgid + overflow < len(states)
    return PageInfo(
        pgid=pgid,
        kind=PAGE_KINDS[flags],
        element_count=count,
        overflow=overflow if is_run else 0,
        state=state,
    )


_STATES = {
    0: PageState.UNREACHABLE,
    REACHABLE: PageState.USED,
    FREE: PageState.FREE,
    REACHABLE | FREE: PageState.CONFLICT,
}


def _tree_stats(
    snapshot: Snapshot, bucket: BucketValue, visited: bytearray
) -> tuple[TreeStats, list[tuple[bytes, BucketValue]]]:
    """Sum up one tree; return the buckets in it, too."""
    stats = TreeStats()
    nested: list[tuple[bytes, BucketValue]] = []
    if bucket.inline_page is not None:
        leaf = decode_leaf(bucket.inline_page, pgid=None)
        stats.depth = 1
        stats.inline_used_bytes = leaf_size_bytes(leaf)
        _add_elements(stats, leaf, nested, None)
    pending = [] if bucket.inline_page is not None else [(bucket.root_pgid, 1)]
    while pending:
        pgid, depth = pending.pop()
        page = snapshot.page(pgid)
        overflow = len(page) // snapshot.page_size_bytes - 1
        _visit(pgid, overflow, depth, visited)
        stats.depth = max(stats.depth, depth)
        if page[8] == BRANCH_FLAG:
            branch = decode_branch(page, pgid=pgid)
            stats.branch_page_count += 1
            stats.branch_overflow_count += overflow
            stats.branch_used_bytes += branch_size_bytes(branch.keys)
            pending += [(child, depth + 1) for child in reversed(branch.children)]
        else:
            leaf = decode_leaf(page, pgid=pgid)
            stats.leaf_page_count += 1
            stats.leaf_overflow_count += overflow
            stats.leaf_used_bytes += leaf_size_bytes(leaf)
            _add_elements(stats, leaf, nested, pgid)
    return stats, nested


def _visit(pgid: int, overflow: int, depth: int, visited: bytearray) -> None:
    """Refuse a page that was walked before; without this a cycle would never end."""
    if depth > TREE_DEPTH_MAX:
        raise CycleError(pgid=pgid)
    run = slice(pgid, pgid + overflow + 1)
    if any(visited[run]):
        raise PageError(pgid=pgid, code="page.shared", problem="is referred to more than once")
    visited[run] = b"\1" * (overflow + 1)


def _add_elements(
    stats: TreeStats, leaf: Leaf, nested: list[tuple[bytes, BucketValue]], pgid: int | None
) -> None:
    stats.element_count += len(leaf.keys)
    for flag, key, value in zip(leaf.flags, leaf.keys, leaf.values, strict=True):
        if flag:
            stats.nested_count += 1
            nested.append((key, decode_bucket(value, pgid=pgid)))
