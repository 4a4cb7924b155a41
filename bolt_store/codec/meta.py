"""The meta page: which tree, which freelist and which transaction a file is at.

Lives here: one meta page, its checksum, and whether its numbers are plausible. Must not live here:
which of two metas counts (`bolt_store.file.pager`).

Source: bbolt v1.3.6 db.go, type meta, meta.validate, meta.sum64.
"""

from typing import NamedTuple

from bolt_store.codec.fnv import fnv1a_64
from bolt_store.codec.layout import (
    FREELIST_NOT_STORED,
    HIGH_WATER_MARK_MIN,
    MAGIC,
    MAGIC_BIG_ENDIAN,
    META,
    META_END_BYTES,
    META_FLAG,
    META_PAGE_COUNT,
    META_SIGNED_BYTES,
    PAGE_HEADER_SIZE_BYTES,
    VERSION,
)
from bolt_store.codec.page import PageHeader, encode_page_header
from bolt_store.errors import ChecksumError, NotABoltFileError, VersionError, invariant
from bolt_store.limits import PAGE_SIZE_BYTES_MAX, PAGE_SIZE_BYTES_MIN


class Meta(NamedTuple):
    """The content of one meta page.

    Attributes:
        page_size_bytes: Size of every page of the file.
        flags: 0, or 4 after bbolt's `surgery meta update`; kept, never interpreted.
        root_pgid: Root page of the root bucket's tree.
        root_sequence: Sequence of the root bucket; 0 in practice, kept.
        freelist_pgid: First page of the freelist, or None where the file stores none.
        high_water_mark: First page id that was never used.
        txid: The transaction that wrote this meta.
        is_signed: Whether the stored checksum is right. False: it is 0, which bbolt up to v1.3.6
            accepts and later versions refuse.
    """

    page_size_bytes: int
    flags: int
    root_pgid: int
    root_sequence: int
    freelist_pgid: int | None
    high_water_mark: int
    txid: int
    is_signed: bool = True


def decode_meta(page: bytes) -> Meta:
    """Decode one meta page.

    The page header in front of it is deliberately not looked at: bbolt does not either when it
    opens a file, and `check` reports it.

    Args:
        page: At least the first 80 bytes of the page.

    Returns:
        The meta; `is_signed` tells a right checksum from an absent one.

    Raises:
        NotABoltFileError: The magic number is missing.
        VersionError: The format version is not 2.
        ChecksumError: The checksum is neither right nor 0.
    """
    if len(page) < META_END_BYTES:
        raise NotABoltFileError(problem=f"a meta page needs {META_END_BYTES} bytes")
    magic, version, page_size, flags, root, sequence, freelist, high, txid, checksum = (
        META.unpack_from(page, PAGE_HEADER_SIZE_BYTES)
    )
    if magic == MAGIC_BIG_ENDIAN:
        raise NotABoltFileError(problem="it was written on a big-endian machine")
    if magic != MAGIC:
        raise NotABoltFileError(problem="the magic number of a meta page is missing")
    if version != VERSION:
        raise VersionError(found=version, expected=VERSION)
    if checksum and checksum != fnv1a_64(page[META_SIGNED_BYTES]):
        raise ChecksumError(problem="checksum does not match the content")
    return Meta(
        page_size_bytes=page_size,
        flags=flags,
        root_pgid=root,
        root_sequence=sequence,
        freelist_pgid=None if freelist == FREELIST_NOT_STORED else freelist,
        high_water_mark=high,
        txid=txid,
        is_signed=checksum != 0,
    )


def is_page_size(size_bytes: int) -> bool:
    """Tell whether a file may have pages of this size: a power of two, 512 bytes to 16 MiB."""
    return (
        PAGE_SIZE_BYTES_MIN <= size_bytes <= PAGE_SIZE_BYTES_MAX
        and size_bytes & (size_bytes - 1) == 0
    )


def implausibility(meta: Meta) -> str | None:
    """Say what makes the numbers of a meta impossible, or None when nothing does.

    bbolt believes every meta with a right checksum. A wrong root in one is nevertheless seen in the
    field, so nothing of it is trusted before this test.
    """
    high = meta.high_water_mark
    if not is_page_size(meta.page_size_bytes):
        return f"page size {meta.page_size_bytes} is no power of two from 512 to {1 << 24}"
    if high < HIGH_WATER_MARK_MIN:
        return f"high water mark {high} is below {HIGH_WATER_MARK_MIN}"
    if not META_PAGE_COUNT <= meta.root_pgid < high:
        return f"root page {meta.root_pgid} is outside of 2 to {high - 1}"
    freelist = meta.freelist_pgid
    if freelist is not None and not META_PAGE_COUNT <= freelist < high:
        return f"freelist page {freelist} is outside of 2 to {high - 1}"
    return None


def encode_meta(meta: Meta, *, slot: int) -> bytes:
    """Encode a whole meta page, zero-filled and signed.

    Args:
        meta: Plausible numbers.
        slot: 0 or 1, the page it is for.

    Returns:
        `meta.page_size_bytes` bytes.
    """
    invariant(slot in {0, 1}, "there are two meta slots")
    invariant(implausibility(meta) is None, "only plausible metas are written")
    freelist = FREELIST_NOT_STORED if meta.freelist_pgid is None else meta.freelist_pgid
    header = encode_page_header(PageHeader(slot, META_FLAG, 0, 0))
    body = META.pack(
        MAGIC,
        VERSION,
        meta.page_size_bytes,
        meta.flags,
        meta.root_pgid,
        meta.root_sequence,
        freelist,
        meta.high_water_mark,
        meta.txid,
        0,
    )
    unsigned = header + body
    checksum = fnv1a_64(unsigned[META_SIGNED_BYTES])
    signed = unsigned[: META_SIGNED_BYTES.stop] + checksum.to_bytes(8, "little")
    return signed.ljust(meta.page_size_bytes, b"\0")
