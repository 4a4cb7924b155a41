"""The freelist page: the pages that are free in a snapshot.

Lives here: the page, in its short and its long form. Must not live here: which page to allocate
(`bolt_store.tree.freelist`), and whether an id makes sense in this file (`bolt_store.check`).

Source: bbolt v1.3.6 freelist.go (read, write, size).
"""

from struct import pack, unpack_from

from bolt_store.codec.layout import (
    FREELIST_COUNT_LONG,
    FREELIST_FLAG,
    META_PAGE_COUNT,
    PAGE_HEADER_SIZE_BYTES,
    PGID_SIZE_BYTES,
    run_length,
)
from bolt_store.codec.page import PageHeader, decode_page_header, encode_page_header
from bolt_store.errors import PageError, invariant


def decode_freelist(page: bytes, *, pgid: int) -> tuple[int, ...]:
    """Decode a freelist page.

    Range, order and repetition of the ids are deliberately not looked at: bbolt reads them all,
    and `check` reports each.

    Args:
        page: The whole run.
        pgid: Where it was read.

    Returns:
        The page ids as stored.

    Raises:
        PageError: It is no freelist page, or its ids do not fit into it.
    """
    header = decode_page_header(page, pgid=pgid)
    if header.flags != FREELIST_FLAG:
        problem = f"has flags {header.flags:#06x}, expected a freelist"
        raise PageError(pgid=pgid, code="freelist.kind", problem=problem)
    count = header.element_count
    start = PAGE_HEADER_SIZE_BYTES
    if count == FREELIST_COUNT_LONG and len(page) >= start + PGID_SIZE_BYTES:
        (count,) = unpack_from("<Q", page, start)
        start += PGID_SIZE_BYTES
    if start + PGID_SIZE_BYTES * count > len(page):
        problem = f"{count} ids do not fit into {len(page)} bytes"
        raise PageError(pgid=pgid, code="freelist.count", problem=problem)
    return unpack_from(f"<{count}Q", page, start)


def freelist_size_bytes(count: int) -> int:
    """Return the number of bytes that a freelist page with `count` ids takes, header included."""
    long_form = PGID_SIZE_BYTES if count >= FREELIST_COUNT_LONG else 0
    return PAGE_HEADER_SIZE_BYTES + long_form + PGID_SIZE_BYTES * count


def encode_freelist(ids: list[int], *, pgid: int, page_count: int, page_size_bytes: int) -> bytes:
    """Encode a freelist page, zero-filled.

    Args:
        ids: Ascending, without repetition, none below 2.
        page_count: Length of the run in pages. It is set by the caller, who has to allocate the
            run before the ids are final and so may need fewer pages than it has.

    Returns:
        The whole run.
    """
    count = len(ids)
    size = freelist_size_bytes(count)
    invariant(run_length(size, page_size_bytes) <= page_count, "the freelist fits into its run")
    invariant(not ids or ids[0] >= META_PAGE_COUNT, "the metas are never free")
    is_long = count >= FREELIST_COUNT_LONG
    header = PageHeader(
        pgid, FREELIST_FLAG, FREELIST_COUNT_LONG if is_long else count, page_count - 1
    )
    body = pack(f"<{count + 1}Q", count, *ids) if is_long else pack(f"<{count}Q", *ids)
    return (encode_page_header(header) + body).ljust(page_count * page_size_bytes, b"\0")
