"""Tables of a file as boltdb's own tool makes them, made from what `bolt_store` decodes."""

from collections import Counter
from collections.abc import Iterator

import bolt_store
from bolt_store.codec.branch import decode_branch
from bolt_store.codec.bucket import decode_bucket
from bolt_store.codec.layout import BUCKET_FLAG, LEAF_FLAG, PAGE_KINDS
from bolt_store.codec.leaf import Leaf, decode_leaf
from bolt_store.codec.page import PageHeader, decode_page_header
from bolt_store.file.pager import Snapshot
from tests.support.bolt_tool import ToolPage

BRANCH_PAGES = "Number of logical branch pages"
BRANCH_OVERFLOW = "Number of physical branch overflow pages"
LEAF_PAGES = "Number of logical leaf pages"
LEAF_OVERFLOW = "Number of physical leaf overflow pages"
KEYS = "Number of keys/value pairs"
BUCKETS = "Total number of buckets"
INLINE = "Total number on inlined buckets"
TOP_LEVEL = "buckets"
COUNTED = (
    BRANCH_PAGES,
    BRANCH_OVERFLOW,
    LEAF_PAGES,
    LEAF_OVERFLOW,
    KEYS,
    BUCKETS,
    INLINE,
    TOP_LEVEL,
)


def page_table(db: bolt_store.DB) -> list[ToolPage]:
    """Return every run below the high water mark, and every free page, by page id."""
    check = bolt_store.Check(db.pager, db.pager.snapshot(db.meta))
    list(check.run())
    free = set(check.free or ())
    snapshot = db.pager.snapshot(db.meta)
    table = [ToolPage(pgid, "meta", 0, 0) for pgid in (0, 1)]
    pgid = 2
    while pgid < db.meta.high_water_mark:
        if pgid in free:
            table.append(ToolPage(pgid, "free", 0, 0))
            pgid += 1
            continue
        header = decode_page_header(snapshot.page(pgid), pgid=pgid)
        kind = PAGE_KINDS[header.flags]
        table.append(ToolPage(pgid, kind, header.element_count, header.overflow))
        pgid += header.overflow + 1
    return table


def stats(db: bolt_store.DB) -> dict[str, int]:
    """Return the counts over all buckets, the root bucket left out, in the tool's words."""
    snapshot = db.pager.snapshot(db.meta)
    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    values = list(_bucket_values(_leaves(snapshot, snapshot.meta.root_pgid, Counter())))
    counts[TOP_LEVEL] = len(values)
    while values:
        bucket = decode_bucket(values.pop(), pgid=None)
        counts[BUCKETS] += 1
        if bucket.inline_page is not None:
            counts[INLINE] += 1
            counts[KEYS] += len(decode_leaf(bucket.inline_page, pgid=None).keys)
            continue
        for leaf in _leaves(snapshot, bucket.root_pgid, counts):
            counts[KEYS] += len(leaf.keys)
            values += _bucket_values([leaf])
    return dict(counts)


def _bucket_values(leaves: Iterator[Leaf] | list[Leaf]) -> Iterator[bytes]:
    for leaf in leaves:
        for flag, value in zip(leaf.flags, leaf.values, strict=True):
            if flag == BUCKET_FLAG:
                yield value


def _leaves(snapshot: Snapshot, root_pgid: int, counts: Counter[str]) -> Iterator[Leaf]:
    """Walk one tree, and count its pages."""
    pending = [root_pgid]
    while pending:
        pgid = pending.pop()
        page = snapshot.page(pgid)
        header: PageHeader = decode_page_header(page, pgid=pgid)
        if header.flags == LEAF_FLAG:
            counts[LEAF_PAGES] += 1
            counts[LEAF_OVERFLOW] += header.overflow
            yield decode_leaf(page, pgid=pgid)
        else:
            counts[BRANCH_PAGES] += 1
            counts[BRANCH_OVERFLOW] += header.overflow
            pending += decode_branch(page, pgid=pgid).children
