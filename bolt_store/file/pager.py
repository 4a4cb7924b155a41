"""From a file to bounds-checked pages.

Lives here: the discovery of the page size, the choice between the two metas, and `Snapshot`, which
reads the pages of one of them. Must not live here: what is on the pages, and caches.

Invariants: no page is read that lies outside of the file, of 2 to the high water mark, or whose
header names another place. Nothing larger than the file is ever allocated.

Source: bbolt v1.3.6 db.go (Open, meta); v1.3.7 db.go (getPageSize); spec sections 1.3 and 1.4.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from bolt_store.codec.layout import META_END_BYTES, META_PAGE_COUNT, PAGE_HEADER
from bolt_store.codec.meta import Meta, decode_meta, implausibility
from bolt_store.codec.page import decode_page_header
from bolt_store.errors import (
    ChecksumError,
    FormatError,
    NotABoltFileError,
    PageError,
    TruncatedError,
    VersionError,
)
from bolt_store.file.block_file import BlockFile
from bolt_store.file.sparse import is_mostly_hole
from bolt_store.limits import PAGE_SIZE_BYTES_MAX, PAGE_SIZE_BYTES_MIN, RUN_SIZE_BYTES_MAX

BLOCK_BYTES_MAX: Final = 1 << 16
"""Read at once of what is wanted next: a read of one page takes as long as the look at it."""

_TREE_PAGE_FLAGS: Final = frozenset({1, 2, 0x10})


class MetaSlot(NamedTuple):
    """What was found in one of the two meta pages.

    Attributes:
        slot: 0 or 1.
        meta: The meta, when magic, version and checksum (or the absence of one) are right.
        problem: Why there is none, or why its numbers cannot be; None when it is usable.
    """

    slot: int
    meta: Meta | None
    problem: FormatError | None
    page: bytes

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Order among usable slots: signed first, then the txid, then slot 0."""
        if self.meta is None or self.problem is not None:
            return (False, -1, -self.slot)
        return (self.meta.is_signed, self.meta.txid, -self.slot)


class Pager:
    """The metas of one open file, and the snapshots that they name."""

    def __init__(self, file: BlockFile) -> None:
        """Read both metas.

        Args:
            file: Stays the caller's to close.

        Raises:
            NotABoltFileError: No page size makes either meta page one.
            VersionError: The metas are of another format version.
            ChecksumError: There are meta pages, and none is usable.
        """
        self.file = file
        self.page_size_bytes: Final = _discover_page_size(file)
        self.slots: tuple[MetaSlot, MetaSlot]
        self.active: MetaSlot
        self.meta: Meta
        self.refresh()

    def refresh(self) -> None:
        """Read both metas again; raise `ChecksumError` when none is usable any more."""
        self.slots = (
            _read_slot(self.file, 0, self.page_size_bytes),
            _read_slot(self.file, 1, self.page_size_bytes),
        )
        self.active = max(self.slots, key=lambda slot: slot.rank)
        if self.active.meta is None or self.active.problem is not None:
            raise _unusable(self.slots)
        self.meta = self.active.meta
        self._size_bytes = self.file.size_bytes()

    @property
    def is_current(self) -> bool:
        """Whether the file still has the metas that were read, and room for what they name.

        A lock keeps out who asks for it: `cp` of a backup over the file does not.
        """
        end = self.meta.high_water_mark * self.page_size_bytes
        return self.file.size_bytes() >= min(end, self._size_bytes) and all(
            _page_of_slot(self.file, known.slot, self.page_size_bytes) == known.page
            or _read_slot(self.file, known.slot, self.page_size_bytes).meta == known.meta
            for known in self.slots
        )

    @property
    def older(self) -> MetaSlot:
        """The slot that does not count; the next meta goes there."""
        return self.slots[1 - self.active.slot]

    def snapshot(self, meta: Meta) -> "Snapshot":
        """Return the pages as `meta` sees them."""
        return Snapshot(self.file, meta, self.page_size_bytes)


class Snapshot:
    """The pages of one meta. Holds no page itself.

    Attributes:
        meta: The meta.
        page_size_bytes: Size of a page.
        page_count: Number of pages below the high water mark that the file really has.
    """

    __slots__ = ("_file", "meta", "page_count", "page_size_bytes")

    def __init__(self, file: BlockFile, meta: Meta, page_size_bytes: int) -> None:
        self._file = file
        self.meta = meta
        self.page_size_bytes = page_size_bytes
        # The mark may be a lie; a file that stays the same does not get more pages either.
        self.page_count = min(meta.high_water_mark, file.size_bytes() // page_size_bytes)

    @property
    def file(self) -> BlockFile:
        """The file that the pages are read from."""
        return self._file

    def page(self, pgid: int) -> bytes:
        """Read one page with its overflow.

        Args:
            pgid: First page of the run.

        Returns:
            `page_size_bytes * (overflow + 1)` bytes whose header has been validated.

        Raises:
            PageError: The id is outside of 2 to the high water mark, the header is not that of this
                page, or the run passes the high water mark.
            TruncatedError: The file ends before the run does.
        """
        page_size = self.page_size_bytes
        if not META_PAGE_COUNT <= pgid < self.page_count:
            raise self._absence(pgid)
        page = self._file.read_at(pgid * page_size, page_size)
        if len(page) < page_size:
            raise self._absence(pgid)
        found, flags, _, overflow = PAGE_HEADER.unpack_from(page)
        if found != pgid or flags not in _TREE_PAGE_FLAGS:
            decode_page_header(page, pgid=pgid)  # raises, unless it is a meta
            problem = "is a meta page inside the data"
            raise PageError(pgid=pgid, code="page.kind", problem=problem)
        if overflow:
            return page + self._overflow(pgid, overflow)
        return page

    def block(self, pgids: Sequence[object], index: int) -> bytes:
        """Read a page and those behind it, as far as they come in this order; look at none of them.

        Args:
            pgids: Pages that are wanted one after the other; whatever is no page ends the block.
            index: Which of them is wanted now.

        Returns:
            Whole pages, `BLOCK_BYTES_MAX` or one; none where the file does not have this one.
        """
        first = pgids[index]
        if not isinstance(first, int) or not META_PAGE_COUNT <= first < self.page_count:
            return b""
        end = first + 1
        for pgid in pgids[index + 1 : index + BLOCK_BYTES_MAX // self.page_size_bytes]:
            if pgid != end or end >= self.page_count:
                break
            end += 1
        size = self.page_size_bytes
        return self._file.read_at(first * size, (end - first) * size)

    def _overflow(self, pgid: int, overflow: int) -> bytes:
        """Read the rest of a run, once it is known to lie inside of the file."""
        end = pgid + overflow + 1
        high = self.meta.high_water_mark
        if end > high:
            problem = f"its run ends at page {end - 1}, the high water mark is {high}"
            raise PageError(pgid=pgid, code="page.overflow", problem=problem)
        if end > self.page_count:
            raise self._absence(end - 1)
        size = overflow * self.page_size_bytes
        if size > RUN_SIZE_BYTES_MAX or is_mostly_hole(
            self._file, (pgid + 1) * self.page_size_bytes, size
        ):
            problem = f"its run would have {size} bytes, most of which were never written"
            raise PageError(pgid=pgid, code="page.overflow", problem=problem)
        rest = self._file.read_at((pgid + 1) * self.page_size_bytes, size)
        if len(rest) < size:
            raise self._absence(end - 1)
        return rest

    def _absence(self, pgid: int) -> FormatError:
        """Say why there is no such page."""
        high = self.meta.high_water_mark
        if not META_PAGE_COUNT <= pgid < high:
            return PageError(pgid=pgid, code="page.range", problem=f"is outside of 2 to {high - 1}")
        expected = (pgid + 1) * self.page_size_bytes
        return TruncatedError(expected_bytes=expected, found_bytes=self._file.size_bytes())


def _page_of_slot(file: BlockFile, slot: int, page_size_bytes: int) -> bytes:
    return bytes(file.read_at(slot * page_size_bytes, META_END_BYTES))


def _read_slot(file: BlockFile, slot: int, page_size_bytes: int) -> MetaSlot:
    """Read one meta page; whatever is wrong with it is data."""
    page = _page_of_slot(file, slot, page_size_bytes)
    try:
        meta = decode_meta(page)
    except FormatError as error:
        return MetaSlot(slot=slot, meta=None, problem=error, page=page)
    problem = implausibility(meta)
    if problem is None and meta.page_size_bytes != page_size_bytes:
        problem = f"page size {meta.page_size_bytes} differs from the place of this page"
    if problem is None:
        return MetaSlot(slot=slot, meta=meta, problem=None, page=page)
    fault = PageError(pgid=slot, code="meta.implausible", problem=problem)
    return MetaSlot(slot=slot, meta=meta, problem=fault, page=page)


def _discover_page_size(file: BlockFile) -> int:
    """Find the page size that one of the two metas confirms, a signed one if there is any."""
    problems: list[FormatError] = []
    unsigned: list[int] = []
    for offset in _meta_offsets(file.size_bytes()):
        try:
            meta = decode_meta(file.read_at(offset, META_END_BYTES))
        except FormatError as error:
            problems.append(error)
            continue
        problem = implausibility(meta)
        if problem is not None:
            problems.append(ChecksumError(problem=problem))
        elif offset in (0, meta.page_size_bytes):
            # A second meta counts only where its own page size puts it, or old data could pass.
            if meta.is_signed:
                return meta.page_size_bytes
            unsigned.append(meta.page_size_bytes)
    if unsigned:
        return unsigned[0]
    raise _no_page_size(file.size_bytes(), problems)


def _meta_offsets(size_bytes: int) -> Iterator[int]:
    """Return where in a file of this size a meta page can start."""
    yield 0
    offset = PAGE_SIZE_BYTES_MIN
    while offset <= min(PAGE_SIZE_BYTES_MAX, size_bytes - META_END_BYTES):
        yield offset
        offset *= 2


def _no_page_size(size_bytes: int, problems: list[FormatError]) -> FormatError:
    """Choose the error that tells most: damage before another version before no bolt file."""
    if not size_bytes:
        return NotABoltFileError(problem="the file is empty")
    kinds = (ChecksumError, VersionError, NotABoltFileError)
    return next(problem for kind in kinds for problem in problems if isinstance(problem, kind))


def _unusable(slots: tuple[MetaSlot, MetaSlot]) -> FormatError:
    """Say of both slots why they cannot be used."""
    reasons = "; ".join(f"meta {slot.slot}: {slot.problem}" for slot in slots)
    return ChecksumError(problem=reasons)
