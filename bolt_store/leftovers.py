"""What lies on the pages that the newest state does not use.

Lives here: `leftover_leaves`. Must not live here: which of it is worth anything, and the older
snapshot as a tree, which `DB.view_older` reads.

A commit frees pages and leaves their bytes until it needs the room, so what was deleted last is
still there, most often whole. Such a page tells neither its bucket nor its time; only an inline
bucket lies under its name, in the leaf of the bucket that it is in.

Invariants: nothing is believed but the elements themselves, each of which lies inside of its run,
and a run ends where a page of the newest state begins.

Source: bbolt v1.3.6 freelist.go (free, release), tx.go (Commit); spec section 3.5, case G.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from bolt_store.check import Check
from bolt_store.codec.bucket import decode_bucket
from bolt_store.codec.layout import LEAF_FLAG, META_PAGE_COUNT, PAGE_HEADER, PAGE_HEADER_SIZE_BYTES
from bolt_store.codec.leaf import Leaf, decode_leaf
from bolt_store.db import DB
from bolt_store.errors import PageError
from bolt_store.salvaging.partial import sound_elements
from bolt_store.tree.pages import REACHABLE

LEFTOVER_RUN_BYTES_MAX: Final = 1 << 24
"""A longer run is forged, or holds one value of a size that nobody looks for here."""


class LeftoverLeaf(NamedTuple):
    """The plain elements of a leaf, or of an inline bucket in one. It holds secrets.

    Attributes:
        bucket: Name of the inline bucket; None for a page that does not tell its bucket.
        keys: Ascending; buckets are left out.
    """

    pgid: int
    bucket: bytes | None
    keys: list[bytes]
    values: list[bytes]

    def __repr__(self) -> str:
        return f"LeftoverLeaf(pgid={self.pgid})"


def leftover_leaves(db: DB) -> Iterator[LeftoverLeaf]:
    """Read every leaf page that the newest state does not use.

    Yields:
        By page; of a damaged one, or one whose end has been written over, what is sound.
    """
    pager = db.pager
    check = Check(pager, pager.snapshot(pager.meta))
    for _ in check.run():
        pass
    page_size = pager.page_size_bytes
    page_count = db.file.size_bytes() // page_size
    in_use = bytes(check.pages).ljust(page_count, b"\0")
    for pgid in range(META_PAGE_COUNT, page_count):
        if in_use[pgid] & REACHABLE:
            continue
        header = db.file.read_at(pgid * page_size, PAGE_HEADER_SIZE_BYTES)
        if len(header) < PAGE_HEADER_SIZE_BYTES:
            return
        found, flags, _, overflow = PAGE_HEADER.unpack(header)
        if found != pgid or flags != LEAF_FLAG:
            continue
        end = min(pgid + overflow + 1, page_count, pgid + LEFTOVER_RUN_BYTES_MAX // page_size)
        end = next((one for one in range(pgid, end) if in_use[one] & REACHABLE), max(end, pgid + 1))
        run = db.file.read_at(pgid * page_size, (end - pgid) * page_size)
        yield from _parts(pgid, _leaf(run, pgid, page_count), page_count)


def _leaf(run: bytes, pgid: int | None, page_count: int) -> Leaf:
    try:
        return decode_leaf(run, pgid=pgid)
    except PageError:
        partial = sound_elements(run, page_count)
        return Leaf([], [], []) if partial is None else partial.leaf


def _parts(pgid: int, leaf: Leaf, page_count: int) -> Iterator[LeftoverLeaf]:
    plain = LeftoverLeaf(pgid, None, [], [])
    for flag, key, value in zip(leaf.flags, leaf.keys, leaf.values, strict=True):
        if not flag:
            plain.keys.append(key)
            plain.values.append(value)
            continue
        try:
            inline = decode_bucket(value, pgid=pgid).inline_page
        except PageError:
            continue
        if inline is not None:
            inner = _leaf(inline, None, page_count)
            found = [
                (inner_key, inner_value)
                for inner_flag, inner_key, inner_value in zip(
                    inner.flags, inner.keys, inner.values, strict=True
                )
                if not inner_flag
            ]
            yield LeftoverLeaf(pgid, key, [one for one, _ in found], [one for _, one in found])
    if plain.keys:
        yield plain
