"""Where a file begins that lies somewhere in other bytes, or whose own first bytes are gone.

Lives here: `named_beginnings`, by metas, and `likely_beginnings`, by the numbers of pages. Must not
live here: what has moved it, and how it is moved back.

Source: spec sections 1.2 and 1.3; section 3.5, step 1, for what a page number proves.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from bolt_store.codec.layout import (
    MAGIC,
    META,
    META_END_BYTES,
    META_FLAG,
    META_PAGE_COUNT,
    PAGE_HEADER,
    VERSION,
)
from bolt_store.codec.meta import Meta, decode_meta, implausibility
from bolt_store.codec.page import PageHeader, encode_page_header
from bolt_store.errors import FormatError

PAGE_SIZES: Final = (4096, 16384, 65536, 8192, 32768, 2048, 1024)
"""Sizes of pages to be tried, the usual ones first."""
_MARK: Final = META.pack(MAGIC, VERSION, *[0] * 8)[:8]
_STARTS: Final = tuple(
    encode_page_header(PageHeader(slot, META_FLAG, 0, 0)) + _MARK for slot in range(META_PAGE_COUNT)
)
"""Of the two metas."""
_HEADER: Final = rb"(?s)(?=.{4}\0{4}[\x01\x02\x10]\0.{4}\0\0)"
"""Of a page of data: a number of four bytes, one kind, any count, fewer than 65,536 more pages."""


def named_beginnings(content: bytes) -> Iterator[tuple[int, Meta]]:
    """Find metas that are signed.

    Yields:
        Where the file begins that it is a meta of, before the content where that is negative; and
        the meta.
    """
    for slot, start in enumerate(_STARTS):
        at = content.find(start)
        while at >= 0:
            try:
                meta = decode_meta(content[at : at + META_END_BYTES])
            except FormatError:
                meta = None
            if meta is not None and meta.is_signed and implausibility(meta) is None:
                yield at - slot * meta.page_size_bytes, meta
            at = content.find(start, at + 1)


def likely_beginnings(content: bytes) -> Counter[int]:
    """Count for each place where a file can begin the pages that have their own number from there.

    Returns:
        The counts, without what only one page speaks for.
    """
    votes: Counter[tuple[int, int]] = Counter()
    for found in re.finditer(_HEADER, content):
        pgid = PAGE_HEADER.unpack_from(content, found.start())[0]
        if pgid >= META_PAGE_COUNT:
            votes.update((found.start() - pgid * size, size) for size in PAGE_SIZES)
    counts: Counter[int] = Counter()
    for (beginning, _), count in votes.items():
        counts[beginning] = max(counts[beginning], count)
    return Counter({beginning: count for beginning, count in counts.items() if count > 1})
