"""The way back over many transactions: an older state becomes whole in its file again.

Lives here: `plan_bridge`, `apply_bridge`, and `is_same_state`. Must not live here: the last step,
which is the way back over one transaction (`bolt_store.rewind`), and whose the transactions are.

One transaction leaves all pages alone that the state before it uses. Several do not: what the
first has freed, the next may write on. So there is no place for the older state but its own, which
the newest state is using. It is led over a bridge, in the order of a commit:

1. the pages of the older state that were written on since go behind the last page of the file, with
   every page that leads to one of them, and a freelist; nothing else of it has changed. All that is
   synced, and checked where it lies;
2. a meta for that goes into the slot that does not count, and is synced: from here on the records
   are those of the older state. Then one into the other slot, so that nothing needs the newest
   state any more;
3. the pages of the older state get their former bytes where they were. The bridge uses none of
   them. They are synced;
4. the older state's own meta goes into its slot, and is synced. The bridge, in the other slot, has
   the higher transaction id, and still counts.

The file is then what one transaction makes of the older state, and `bolt_store.rewind` takes that
one back, the bridge with it. A power cut leaves the newest state or the bridge, each whole and with
the right transaction id for a program that goes on with it; running it again begins with whichever
counts.

Source: bbolt v1.3.6 db.go (meta: the higher transaction id counts), page.go, bucket.go (the value
of a bucket begins with its root page).
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, NamedTuple

from bolt_store.check import Check
from bolt_store.codec.freelist import encode_freelist, freelist_size_bytes
from bolt_store.codec.layout import (
    BRANCH_ELEMENT,
    BRANCH_FLAG,
    BUCKET_FLAG,
    ELEMENT_SIZE_BYTES,
    LEAF_ELEMENT,
    META_PAGE_COUNT,
    PAGE_HEADER,
    PAGE_HEADER_SIZE_BYTES,
    PGID_SIZE_BYTES,
    run_length,
)
from bolt_store.codec.meta import Meta, encode_meta
from bolt_store.db import DB
from bolt_store.file.block_file import BlockFile
from bolt_store.file.pager import Snapshot
from bolt_store.tree.tx import Tx, next_txid

_CHILD: Final = BRANCH_ELEMENT.size - PGID_SIZE_BYTES


class _Link(NamedTuple):
    """Where a run of pages is named: at a byte of another; of the root, in the meta."""

    pgid: int
    page_count: int
    parent: int | None
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """What has to be written so that an older state is whole again.

    Attributes:
        metas: By slot, in the order in which they are written.
        moved: The new place of each run that moves.
        links: All runs that move, each behind the one that leads to it.
        freelist: The pages of the list; none where the older state stores none.
        pgids: The pages that the older state gets back, ascending.
        own_slot: Where its own meta goes.
    """

    page_size_bytes: int
    metas: tuple[tuple[int, Meta], ...]
    moved: dict[int, int]
    links: tuple[_Link, ...]
    freelist: bytes
    pgids: tuple[int, ...]
    own_slot: int

    @property
    def page_count(self) -> int:
        """Number of pages to write besides those that the older state gets back."""
        moved = sum(link.page_count for link in self.links)
        return moved + len(self.freelist) // self.page_size_bytes + len(self.metas) + 1


def plan_bridge(after: DB, before: DB, written_on: frozenset[int]) -> Bridge:
    """Say what makes a state whole again in a file that has been written on since.

    Args:
        after: The file as it is now.
        before: A copy of it as it was, checked.
        written_on: The pages that the older state uses and the newest one has other bytes on.

    Raises:
        LimitError: No transaction id is left.
    """
    size, old = before.meta.page_size_bytes, before.meta
    links = {link.pgid: link for link in _links(before.pager.snapshot(old), old.root_pgid)}
    moving: set[int] = set()
    for link in links.values():
        pages = range(link.pgid, link.pgid + link.page_count)
        up = None if written_on.isdisjoint(pages) else link.pgid
        while up is not None and up not in moving:
            moving.add(up)
            up = links[up].parent
    first = end = max(
        old.high_water_mark,
        run_length(before.file.size_bytes(), size),
        *(slot.meta.high_water_mark for slot in after.pager.slots if slot.meta is not None),
    )
    moved = {}
    for pgid in (pgid for pgid in links if pgid in moving):
        moved[pgid], end = end, end + links[pgid].page_count
    used = bytearray(first)
    for link in links.values():
        if link.pgid not in moved:
            used[link.pgid : link.pgid + link.page_count] = b"\1" * link.page_count
    free = [pgid for pgid in range(META_PAGE_COUNT, first) if not used[pgid]]
    freelist, freelist_pgid = b"", None
    if old.freelist_pgid is not None:
        count = run_length(freelist_size_bytes(len(free)), size)
        freelist_pgid, end = end, end + count
        freelist = encode_freelist(free, pgid=freelist_pgid, page_count=count, page_size_bytes=size)
    slots = (after.pager.older.slot, after.pager.active.slot)
    txid, metas = after.meta.txid, []
    for slot in slots:
        txid = next_txid(txid, slot)
        meta = old._replace(
            root_pgid=moved.get(old.root_pgid, old.root_pgid),
            freelist_pgid=freelist_pgid,
            high_water_mark=end,
            txid=txid,
            is_signed=True,
        )
        metas.append((slot, meta))
    return Bridge(
        page_size_bytes=size,
        metas=tuple(metas),
        moved=moved,
        links=tuple(links[pgid] for pgid in moved),
        freelist=freelist,
        pgids=tuple(sorted(written_on)),
        own_slot=before.pager.active.slot,
    )


def apply_bridge(bridge: Bridge, file: BlockFile, backup: BlockFile) -> None:
    """Write what was planned, in the order that makes it safe.

    Raises:
        OSError: It cannot be written, or is not read as it was written.
    """
    size = bridge.page_size_bytes
    _, meta = bridge.metas[0]
    end = meta.high_water_mark * size
    if end > file.size_bytes():
        file.resize(end)
    for pgid, run in _moved_runs(bridge, backup):
        file.write_at(pgid * size, run)
    if meta.freelist_pgid is not None:
        file.write_at(meta.freelist_pgid * size, bridge.freelist)
    file.sync()
    pager = DB(file, write=False).pager
    findings = Check(pager, pager.snapshot(meta)).run()
    if any(one.forbids_writing and not one.code.startswith("meta.") for one in findings):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    for slot, meta in bridge.metas:
        file.write_at(slot * size, encode_meta(meta, slot=slot))
        file.sync()
    for pgid in bridge.pgids:
        file.write_at(pgid * size, backup.read_at(pgid * size, size))
    file.sync()
    own = bridge.own_slot * size
    file.write_at(own, backup.read_at(own, size))
    file.sync()


def is_same_state(one: DB, other: DB) -> bool:
    """Compare all that two files hold: buckets, their sequences, keys and values."""
    with one.view() as left, other.view() as right:
        return all(mine == theirs for mine, theirs in zip_longest(_content(left), _content(right)))


def _content(tx: Tx) -> Iterator[object]:
    pending = list(tx.buckets())
    while pending:
        name, bucket = pending.pop()
        yield name, bucket.sequence
        yield from bucket.items()
        pending.extend(bucket.buckets())


def _links(snapshot: Snapshot, root_pgid: int) -> Iterator[_Link]:
    """Walk a sound tree, each run in front of those that it leads to."""
    pending: list[tuple[int, int | None, int]] = [(root_pgid, None, 0)]
    while pending:
        pgid, parent, offset = pending.pop()
        page = snapshot.page(pgid)
        yield _Link(pgid, len(page) // snapshot.page_size_bytes, parent, offset)
        for place in _child_places(page):
            child = int.from_bytes(page[place : place + PGID_SIZE_BYTES], "little")
            if child:  # a bucket that lies inline has no page
                pending.append((child, pgid, place))


def _child_places(page: bytes) -> Iterator[int]:
    """Give the places on a page where another is named."""
    _, flags, count, _ = PAGE_HEADER.unpack_from(page)
    end = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count
    if flags == BRANCH_FLAG:
        yield from range(PAGE_HEADER_SIZE_BYTES + _CHILD, end, ELEMENT_SIZE_BYTES)
        return
    table = memoryview(page)[PAGE_HEADER_SIZE_BYTES:end]
    if any(table.cast("I")[::4]):  # most pages have no bucket
        for index, (flag, pos, key_size, _) in enumerate(LEAF_ELEMENT.iter_unpack(table)):
            if flag == BUCKET_FLAG:
                yield PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * index + pos + key_size


def _moved_runs(bridge: Bridge, backup: BlockFile) -> Iterator[tuple[int, bytes]]:
    """Give what is written behind the file: each run with its new place on it and below it."""
    below: dict[int, list[_Link]] = {}
    for link in bridge.links:
        if link.parent is not None:
            below.setdefault(link.parent, []).append(link)
    size = bridge.page_size_bytes
    for link in bridge.links:
        run = bytearray(backup.read_at(link.pgid * size, link.page_count * size))
        pgid = bridge.moved[link.pgid]
        for place, target in (
            (0, pgid),
            *((c.offset, bridge.moved[c.pgid]) for c in below.get(link.pgid, ())),
        ):
            run[place : place + PGID_SIZE_BYTES] = target.to_bytes(PGID_SIZE_BYTES, "little")
        yield pgid, bytes(run)
