"""Struct formats, magic numbers and sizes of the bolt file format.

Lives here: the constants of the format, verified when this module is imported. Must not live here:
code that reads or writes pages. The format itself is written out in `bolt_store.codec`.

Source: bbolt v1.3.6 page.go, db.go, bucket.go.
"""

from struct import Struct
from typing import Final

from bolt_store.errors import invariant

PAGE_HEADER: Final = Struct("<QHHI")
"""id, flags, count, overflow."""

META: Final = Struct("<IIIIQQQQQQ")
"""magic, version, page size, flags, root, root sequence, freelist, high water mark, txid, sum."""

LEAF_ELEMENT: Final = Struct("<IIII")
"""flags, pos, key size, value size."""

HEADER_AND_ELEMENT: Final = Struct("<QHHIIIII")
"""A page header, and behind it the first element of a leaf."""

BRANCH_ELEMENT: Final = Struct("<IIQ")
"""pos, key size, child page."""

BUCKET_HEADER: Final = Struct("<QQ")
"""root page, sequence."""

PAGE_HEADER_SIZE_BYTES: Final = 16
ELEMENT_SIZE_BYTES: Final = 16
BUCKET_HEADER_SIZE_BYTES: Final = 16
META_END_BYTES: Final = 80
META_SIGNED_BYTES: Final = slice(16, 72)
PGID_SIZE_BYTES: Final = 8

BRANCH_FLAG: Final = 0x01
LEAF_FLAG: Final = 0x02
META_FLAG: Final = 0x04
FREELIST_FLAG: Final = 0x10
PAGE_KINDS: Final = {
    BRANCH_FLAG: "branch",
    LEAF_FLAG: "leaf",
    META_FLAG: "meta",
    FREELIST_FLAG: "freelist",
}

BUCKET_FLAG: Final = 0x01
"""Flag of a leaf element whose value is a bucket."""

MAGIC: Final = 0xED0CDAED
MAGIC_BIG_ENDIAN: Final = 0xEDDA0CED
"""What a file from a big-endian machine shows when read as little-endian."""

VERSION: Final = 2
FREELIST_NOT_STORED: Final = (1 << 64) - 1
FREELIST_COUNT_LONG: Final = 0xFFFF
META_PAGE_COUNT: Final = 2
HIGH_WATER_MARK_MIN: Final = 4

invariant(PAGE_HEADER.size == PAGE_HEADER_SIZE_BYTES, "a page header has 16 bytes")
invariant(META.size + PAGE_HEADER.size == META_END_BYTES, "a meta ends at byte 80 of its page")
invariant(LEAF_ELEMENT.size == ELEMENT_SIZE_BYTES, "a leaf element has 16 bytes")
invariant(BRANCH_ELEMENT.size == ELEMENT_SIZE_BYTES, "a branch element has 16 bytes")
invariant(BUCKET_HEADER.size == BUCKET_HEADER_SIZE_BYTES, "a bucket header has 16 bytes")


def inline_size_bytes_max(page_size_bytes: int) -> int:
    """Return the largest inline page, header included, that bbolt writes.

    Source: bbolt v1.3.6 bucket.go, maxInlineBucketSize.
    """
    return page_size_bytes // 4


def run_length(size_bytes: int, page_size_bytes: int) -> int:
    """Return the number of pages that hold `size_bytes`."""
    return -(-size_bytes // page_size_bytes)
