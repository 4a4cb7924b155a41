"""What the pages of a store are used for, and how much each bolt bucket takes.

Lives here: `page_usage`. Must not live here: what is made of it (`recovery.services.stores`).

Source: bbolt v1.3.6 tx.go (Page), bucket.go (Stats).
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

import msgspec

import bolt_store
from bolt_store import DB, PageInfo, PageState
from recovery.metastore.store import MetaStore

_OVERFLOW: Final = "overflow"


class PageRun(NamedTuple):
    """Neighbouring pages that are used alike.

    Attributes:
        use: "meta", "freelist", "branch", "leaf", "overflow", "free" or "unreachable".
        is_new: Whether the last commit wrote them.
    """

    page_count: int
    use: str
    is_new: bool


class BucketSize(NamedTuple):
    """What one bolt bucket takes, with those nested in it.

    Attributes:
        page_count: Its pages; 0 when all of it lies inside a page of the root bucket.
        used_bytes: Bytes that mean something.
    """

    name: str
    page_count: int
    used_bytes: int
    key_count: int


class PageUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the pages of a store are used for.

    Attributes:
        runs: All pages, in the order of the file.
        buckets: What each bolt bucket takes, in the order of the names.
    """

    page_size_bytes: int
    runs: tuple[PageRun, ...]
    buckets: tuple[BucketSize, ...]


def page_usage(store: MetaStore) -> PageUsage:
    """Look at every page of a store."""
    return store.described(_usage)


def _usage(db: DB) -> PageUsage:
    new = bolt_store.last_written_pages(db)
    pages = ((use, pgid in new) for info in bolt_store.page_infos(db) for pgid, use in _uses(info))
    return PageUsage(
        page_size_bytes=db.meta.page_size_bytes,
        runs=tuple(
            PageRun(sum(1 for _ in group), use, is_new) for (use, is_new), group in groupby(pages)
        ),
        buckets=tuple(_bucket_sizes(db)),
    )


def _uses(info: PageInfo) -> Iterator[tuple[int, str]]:
    if info.state is PageState.FREE:
        yield info.pgid, PageState.FREE.value
        return
    is_used = info.state is PageState.USED and info.kind != "unknown"
    yield info.pgid, info.kind if is_used else PageState.UNREACHABLE.value
    for further in range(info.pgid + 1, info.pgid + 1 + info.overflow):
        yield further, _OVERFLOW


def _bucket_sizes(db: DB) -> Iterator[BucketSize]:
    """Sum up each bucket of the root with all that is nested in it."""
    name, sums = "", bolt_store.TreeStats()
    for info in bolt_store.bucket_tree(db):
        if info.nesting_depth == 0:
            continue
        if info.nesting_depth == 1:
            if name:
                yield _size(name, sums)
            name, sums = info.name.decode("utf-8", "backslashreplace"), bolt_store.TreeStats()
        sums.add(info.stats)
    if name:
        yield _size(name, sums)


def _size(name: str, sums: bolt_store.TreeStats) -> BucketSize:
    return BucketSize(
        name=name,
        page_count=sums.branch_page_count
        + sums.branch_overflow_count
        + sums.leaf_page_count
        + sums.leaf_overflow_count,
        used_bytes=sums.branch_used_bytes + sums.leaf_used_bytes + sums.inline_used_bytes,
        key_count=sums.element_count - sums.nested_count,
    )
