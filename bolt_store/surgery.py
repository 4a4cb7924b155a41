"""Repairs of a file's outermost structure, each on a copy, and a close look at one page.

Lives here: `revert`, `rebuild_freelist`, `describe_page`. Must not live here: anything that changes
keys or values; lost content is `bolt_store.salvaging`'s.

Invariants: the source is only read. A copy gets its name when its check is clean. In a copy, no
page of the source is written on but the meta that does not count; what is new goes there or behind
the last page. A damaged meta is never signed anew, which bbolt's own `surgery freelist abandon`
does. A copy holds every byte of the source, freed pages included: `compact` is what drops them.

Source: bbolt v1.3.7 cmd/bbolt (surgery revert-meta-page), v1.4.0 (surgery freelist rebuild); spec
section 3.3.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from bolt_store.check import Check, Finding, Progress
from bolt_store.codec.freelist import decode_freelist, encode_freelist, freelist_size_bytes
from bolt_store.codec.layout import (
    BRANCH_ELEMENT,
    BRANCH_FLAG,
    BUCKET_FLAG,
    ELEMENT_SIZE_BYTES,
    FREELIST_COUNT_LONG,
    FREELIST_FLAG,
    LEAF_FLAG,
    PAGE_HEADER,
    PAGE_HEADER_SIZE_BYTES,
    PAGE_KINDS,
    PGID_SIZE_BYTES,
    run_length,
)
from bolt_store.codec.leaf import decode_leaf_element
from bolt_store.codec.meta import Meta, decode_meta, encode_meta
from bolt_store.db import DB
from bolt_store.errors import (
    CommitError,
    FormatError,
    PageError,
    SurgeryError,
    TruncatedError,
)
from bolt_store.file.new_file import NewFile, chunks, extend, write
from bolt_store.file.pager import Pager
from bolt_store.tree.pages import REACHABLE
from bolt_store.tree.tx import next_txid


@dataclass(frozen=True, slots=True, kw_only=True)
class SurgeryReport:
    """What a repair did.

    Attributes:
        free_page_count_before: Pages in the freelist of the source; None when it cannot be read.
        free_page_count_after: Pages in the freelist of the copy; None when it stores none.
    """

    before: Meta
    after: Meta
    free_page_count_before: int | None
    free_page_count_after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageElement:
    """One element of a page. Its repr shows sizes only.

    Attributes:
        index: Its place on the page, 0-based.
        key: Its key; empty on a freelist and where it cannot be read.
        value: Its value; empty on a branch and where it cannot be read.
        child_pgid: The child of a branch element, the id of a freelist element; None otherwise.
        problem: Why it cannot be read; None when it can.
    """

    index: int
    key: bytes = field(default=b"", repr=False)
    value: bytes = field(default=b"", repr=False)
    is_bucket: bool = False
    child_pgid: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageDescription:
    """One page as it lies in the file, whether it makes sense or not.

    Attributes:
        pgid: Where it was read.
        stored_pgid: What it says that it is.
        kind: "meta", "branch", "leaf" or "freelist"; "unknown" for all other flags.
        flags: As stored.
        element_count: As stored; on a long freelist the count in front of its ids.
        overflow: As stored.
        problem: Why its elements cannot be shown, or what is wrong with its header; None when
            nothing is.
        meta: The meta on it, when it is one that can be read.
    """

    pgid: int
    stored_pgid: int
    kind: str
    flags: int
    element_count: int
    overflow: int
    problem: str | None
    meta: Meta | None
    elements: tuple[PageElement, ...]


def revert(
    source: DB, target: str | os.PathLike[str], *, progress: Progress | None = None
) -> SurgeryReport:
    """Copy a file and make its older snapshot count again, which undoes the last transaction.

    The older meta is written as a new transaction into its own slot, so that the copy keeps both
    trees, and a program that goes on with it counts on from there.

    Args:
        target: Where nothing may be yet.
        progress: Called now and then with the pages done and the pages in all.

    Raises:
        SurgeryError: There is no older meta, it names the tree that counts already, or its tree
            does not check clean.
    """
    pager = source.pager
    older = pager.older.meta
    if older is None or pager.older.problem is not None:
        raise SurgeryError(problem=f"the other meta is no meta: {pager.older.problem}")
    if older.root_pgid == pager.meta.root_pgid:
        raise SurgeryError(problem="both metas name the same tree")
    if older.txid > pager.meta.txid:
        raise SurgeryError(problem="the other meta is the newer one")
    check = Check(pager, pager.snapshot(older), progress)
    _require_clean(check.run(), "the older tree")
    meta = older._replace(txid=next_txid(pager.meta.txid, pager.older.slot), is_signed=True)
    with NewFile(target, like=source.file) as new:
        _copy_all(source, new, progress)
        return _finish(source, new, meta)


def rebuild_freelist(
    source: DB, target: str | os.PathLike[str], *, progress: Progress | None = None
) -> SurgeryReport:
    """Copy a file and give it a freelist made from what its trees do not use.

    Pages that were neither used nor listed become free, too. They may be all that is left of a
    lost write: look at the check, or salvage, before.

    Args:
        source: An open file, whose freelist does not matter.
        target: Where nothing may be yet.
        progress: Called now and then with the pages done and the pages in all.

    Raises:
        SurgeryError: The trees do not check clean.
    """
    pager = source.pager
    before = pager.meta
    # Without its freelist, the file is looked at as one that stores none.
    unlisted = before._replace(freelist_pgid=None)
    check = Check(pager, pager.snapshot(unlisted), progress)
    _require_clean(check.run(), "the file")
    free = [pgid for pgid, state in enumerate(check.pages) if not state & REACHABLE]
    size = before.page_size_bytes
    # The run of the list lies behind all pages, so that nothing of the source is written on.
    page_count = run_length(freelist_size_bytes(len(free)), size)
    pgid = before.high_water_mark
    page = encode_freelist(free, pgid=pgid, page_count=page_count, page_size_bytes=size)
    meta = before._replace(
        freelist_pgid=pgid,
        high_water_mark=pgid + page_count,
        txid=next_txid(before.txid, pager.older.slot),
        is_signed=True,
    )
    with NewFile(target, like=source.file) as new:
        _copy_all(source, new, progress)
        write(new.file, pgid * size, page)
        return _finish(source, new, meta)


def _require_clean(findings: Iterator[Finding], what: str) -> None:
    for finding in _unsafe(findings):
        raise SurgeryError(problem=f"{what} does not check clean: {finding}")


def _unsafe(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Keep what makes writing unsafe; what concerns the metas is judged by whoever chose one."""
    for finding in findings:
        if finding.forbids_writing and not finding.code.startswith("meta."):
            yield finding


def _copy_all(source: DB, new: NewFile, progress: Progress | None) -> None:
    file = source.file
    size = file.size_bytes()
    page_size = source.meta.page_size_bytes
    for offset, data in chunks(file, size):
        write(new.file, offset, data)
        if progress is not None:
            progress((offset + len(data)) // page_size, -(-size // page_size))
    extend(new.file, size)


def _finish(source: DB, new: NewFile, meta: Meta) -> SurgeryReport:
    """Write the new meta into the copy, check it, and give it its name."""
    slot = source.pager.older.slot
    write(new.file, slot * meta.page_size_bytes, encode_meta(meta, slot=slot))
    pager = Pager(new.file)
    unsafe = list(_unsafe(Check(pager, pager.snapshot(meta)).run()))
    if unsafe or pager.meta != meta:
        problem = f"the copy does not check clean: {unsafe[0] if unsafe else 'its meta'}"
        raise CommitError(phase="data", outcome="unchanged", problem=problem)
    after = _free_page_count(pager)
    new.publish()
    return SurgeryReport(
        before=source.meta,
        after=meta,
        free_page_count_before=_free_page_count(source.pager),
        free_page_count_after=after,
    )


def _free_page_count(pager: Pager) -> int | None:
    pgid = pager.meta.freelist_pgid
    if pgid is None:
        return None
    try:
        return len(decode_freelist(pager.snapshot(pager.meta).page(pgid), pgid=pgid))
    except FormatError:
        return None


# -- one page ----------------------------------------------------------------------------------


def describe_page(db: DB, pgid: int) -> PageDescription:
    """Describe one page as it lies in the file, damaged or not, in use or not.

    Args:
        pgid: The page; continuation pages of a run have no header, and show as unknown.

    Returns:
        What is on it. Its repr shows no keys and no values; its fields hold them.

    Raises:
        TruncatedError: The file has no such page.
    """
    size = db.pager.page_size_bytes
    found = db.file.size_bytes()
    if not 0 <= pgid * size <= found - PAGE_HEADER_SIZE_BYTES:
        raise TruncatedError(expected_bytes=(pgid + 1) * size, found_bytes=found)
    page = db.file.read_at(pgid * size, size)
    stored_pgid, flags, count, overflow = PAGE_HEADER.unpack_from(page)
    kind = PAGE_KINDS.get(flags, "unknown")
    problem = None
    if kind == "unknown":
        problem = f"its flags {flags:#06x} are no known kind of page"
    elif stored_pgid != pgid:
        problem = f"it says that it is page {stored_pgid}"
    if (pgid + overflow + 1) * size > found:
        problem = problem or "its run ends outside of the file"
    elif kind != "unknown" and overflow:
        page += db.file.read_at((pgid + 1) * size, overflow * size)
    if kind == "freelist" and count == FREELIST_COUNT_LONG:
        count = int.from_bytes(page[PAGE_HEADER_SIZE_BYTES:][:PGID_SIZE_BYTES], "little")
    return PageDescription(
        pgid=pgid,
        stored_pgid=stored_pgid,
        kind=kind,
        flags=flags,
        element_count=count,
        overflow=overflow,
        problem=problem,
        meta=_meta(page) if kind == "meta" else None,
        elements=tuple(_elements(page, flags)),
    )


def _meta(page: bytes) -> Meta | None:
    try:
        return decode_meta(page)
    except FormatError:
        return None


def _elements(page: bytes, flags: int) -> Iterator[PageElement]:
    """Read the elements of a page one by one, so that a damaged one hides no other."""
    if flags == FREELIST_FLAG:
        yield from _freelist_elements(page)
        return
    if flags not in (LEAF_FLAG, BRANCH_FLAG):
        return
    _, _, count, _ = PAGE_HEADER.unpack_from(page)
    fitting = (len(page) - PAGE_HEADER_SIZE_BYTES) // ELEMENT_SIZE_BYTES
    read = _leaf_element if flags == LEAF_FLAG else _branch_element
    for index in range(min(count, fitting)):
        yield read(page, index)


def _freelist_elements(page: bytes) -> Iterator[PageElement]:
    _, _, count, _ = PAGE_HEADER.unpack_from(page)
    start = PAGE_HEADER_SIZE_BYTES
    if count == FREELIST_COUNT_LONG:
        count = int.from_bytes(page[start : start + PGID_SIZE_BYTES], "little")
        start += PGID_SIZE_BYTES
    for index in range(min(count, (len(page) - start) // PGID_SIZE_BYTES)):
        place = start + PGID_SIZE_BYTES * index
        free = int.from_bytes(page[place : place + PGID_SIZE_BYTES], "little")
        yield PageElement(index=index, child_pgid=free)


def _leaf_element(page: bytes, index: int) -> PageElement:
    try:
        flag, key, value = decode_leaf_element(page, index, pgid=None)
    except PageError as error:
        return PageElement(index=index, problem=error.problem)
    return PageElement(index=index, key=key, value=value, is_bucket=flag == BUCKET_FLAG)


def _branch_element(page: bytes, index: int) -> PageElement:
    place = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * index
    pos, key_size, child = BRANCH_ELEMENT.unpack_from(page, place)
    start = place + pos
    if start + key_size > len(page):
        problem = f"element {index} ends outside of the page"
        return PageElement(index=index, child_pgid=child, problem=problem)
    return PageElement(index=index, key=page[start : start + key_size], child_pgid=child)
