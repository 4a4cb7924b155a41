"""The header that starts every run of pages.

Lives here: the 16-byte header. Must not live here: what follows it (`leaf`, `branch`, `freelist`,
`meta`), and whether the run fits into the file (`bolt_store.file.pager`).
"""

from typing import NamedTuple

from bolt_store.codec.layout import PAGE_HEADER, PAGE_HEADER_SIZE_BYTES, PAGE_KINDS
from bolt_store.errors import PageError, invariant
from bolt_store.limits import ELEMENT_COUNT_MAX


class PageHeader(NamedTuple):
    """The fields of a page header as stored.

    A named tuple, not a dataclass: one is made for each page that is read.
    """

    pgid: int
    flags: int
    element_count: int
    overflow: int


def decode_page_header(page: bytes, *, pgid: int | None) -> PageHeader:
    """Decode the header of a page.

    Args:
        page: At least the first 16 bytes of the page.
        pgid: Where the page was read; None for an inline page, whose stored id is 0.

    Returns:
        The header. Its id is the expected one and its flags are one known page kind.

    Raises:
        PageError: The bytes are too short, or id or flags are not as the format wants them.

    Source: bbolt v1.3.6 page.go; the strict form is that of v1.3.7 and later.
    """
    if len(page) < PAGE_HEADER_SIZE_BYTES:
        raise PageError(
            pgid=pgid,
            code="page.truncated",
            problem=f"has {len(page)} bytes, a page header needs {PAGE_HEADER_SIZE_BYTES}",
        )
    header = PageHeader._make(PAGE_HEADER.unpack_from(page))
    expected = pgid or 0
    if header.pgid != expected:
        raise PageError(
            pgid=pgid,
            code="page.id",
            problem=f"says that it is page {header.pgid}, expected {expected}",
        )
    if header.flags not in PAGE_KINDS:
        raise PageError(
            pgid=pgid,
            code="page.flags",
            problem=f"has flags {header.flags:#06x}, which are no known kind of page",
        )
    return header


def encode_page_header(header: PageHeader) -> bytes:
    """Encode a page header.

    Args:
        header: Its flags are one page kind. A count above 65,534 is the caller's business only on
            freelists, where 0xFFFF means the long form.

    Returns:
        16 bytes.
    """
    invariant(header.flags in PAGE_KINDS, "a page has exactly one kind")
    invariant(header.element_count <= ELEMENT_COUNT_MAX + 1, "a page's count fits 16 bits")
    return PAGE_HEADER.pack(*header)
