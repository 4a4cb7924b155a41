"""What lies on the pages of a file of which nothing is believed.

Lives here: the page size by evidence, and `Scan`, which says of every page whether it can be a
page. Must not live here: which pages belong together (`survey`), and what is current.

A page is *readable* when its header names its own place, its run lies inside of the file and every
element lies inside of its run, in order. It is *strict* when, besides, encoding what was read gives
the same bytes, as it does for everything that bbolt writes. It is *damaged* when some of its
elements are sound (`partial`). Random bytes practically never look like a page; left-overs of
former states do, and so may the inside of a run.

Invariants: reads go through the block file, never through a map. Kept are a byte for each page and
a bounded number of branches. Runs that overlap, which no sound file has, are read only so often.

Source: spec section 3.5, step 1; section 1.4 for page sizes.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, TypeAlias

from bolt_store.codec.branch import Branch, branch_size_bytes, decode_branch, encode_branch
from bolt_store.codec.freelist import decode_freelist, freelist_size_bytes
from bolt_store.codec.layout import (
    BRANCH_ELEMENT,
    BRANCH_FLAG,
    BUCKET_FLAG,
    ELEMENT_SIZE_BYTES,
    FREELIST_COUNT_LONG,
    FREELIST_FLAG,
    LEAF_ELEMENT,
    LEAF_FLAG,
    META_PAGE_COUNT,
    PAGE_HEADER,
    PAGE_HEADER_SIZE_BYTES,
)
from bolt_store.codec.leaf import (
    Leaf,
    decode_leaf,
    decode_leaf_keys,
    encode_leaf,
    leaf_size_bytes,
)
from bolt_store.codec.meta import is_page_size
from bolt_store.errors import PageError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.sparse import end_of_data, is_mostly_hole
from bolt_store.limits import ELEMENT_COUNT_MAX, PAGE_SIZE_BYTES_MIN, TREE_DEPTH_MAX
from bolt_store.salvaging.knowledge import Plausible
from bolt_store.salvaging.partial import (
    Partial,
    Reference,
    has_blank_sector,
    has_lost_bucket,
    longest_ascent,
    sound_elements,
    sound_references,
)

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with the pages done and the pages in all."""

Path: TypeAlias = tuple[bytes, ...]
"""Names of a bucket from the top down."""

KIND_MASK: Final = BRANCH_FLAG | LEAF_FLAG | FREELIST_FLAG
STRICT: Final = 0x20
"""Set beside the kind of a page that is as bbolt writes it."""
BUCKETS_ONLY: Final = 0x40
"""Set beside the kind of a leaf that has elements, all of them buckets."""
BLANK_SECTOR: Final = 0x08
"""Set beside the kind of a leaf that can be decoded and has a sector as a disk gives back for one
that it cannot read. A long value may have it, too."""
DAMAGED: Final = 0x80
"""Set beside the kind of a page of which only some elements are sound."""

WINDOW_SIZE_BYTES: Final = 1 << 20
"""Read at once while scanning."""

OVERFLOW_READ_FACTOR: Final = 8
"""How often the file's own size is read for runs of several pages, at most. Runs in use do not
overlap, and of the left-over ones few do."""

BRANCHES_KEPT_MAX: Final = 1024

_KINDS: Final = frozenset({BRANCH_FLAG, LEAF_FLAG, FREELIST_FLAG})


def infer_page_size(file: BlockFile) -> int | None:
    """Find the page size for which most page headers name their own place.

    Args:
        file: Looked at as far as something is stored in it.

    Returns:
        The page size, or None when no header names its place under any.

    Raises:
        OSError: The file cannot be read.
    """
    votes: Counter[int] = Counter()
    for offset in _stored_windows(file, WINDOW_SIZE_BYTES):
        window = file.read_at(offset, WINDOW_SIZE_BYTES)
        for start in range(0, len(window) - PAGE_HEADER_SIZE_BYTES + 1, PAGE_SIZE_BYTES_MIN):
            pgid, flags, _, _ = PAGE_HEADER.unpack_from(window, start)
            if flags in _KINDS and pgid >= META_PAGE_COUNT and not (offset + start) % pgid:
                votes[(offset + start) // pgid] += 1
    sizes = [(count, size) for size, count in votes.items() if is_page_size(size)]
    return max(sizes)[1] if sizes else None


class Scan:
    """Every page of a file, looked at once.

    Attributes:
        page_count: Whole pages that the file has, without those in the hole that it may end in.
        kinds: A byte for each page: 0, or the kind with the marks above.
        freelist_pgids: The pages that can be a freelist.
        misplaced_pgids: Those that were revived in vain because they are pages of another place.
        foreign: Pages that are sound and do not belong to the buckets given with them.
        is_complete: Whether every run could be looked at.
    """

    def __init__(
        self,
        file: BlockFile,
        page_size_bytes: int,
        progress: Progress | None,
        plausible: Plausible | None = None,
        *,
        is_own: bool = False,
    ) -> None:
        """Look at every page.

        Args:
            file: Stays the caller's to close.
            progress: Called now and then with the pages done and the pages in all.
            plausible: Judges the elements of damaged pages; by default all are plausible.
            is_own: Whether this package has just written the file: no disk has lost a sector of it.

        Raises:
            OSError: The file cannot be read.
        """
        self._plausible: Final = plausible
        self._is_own: Final = is_own
        self.file: Final = file
        self.page_size_bytes: Final = page_size_bytes
        self.page_count: Final = (
            min(file.size_bytes(), end_of_data(file) + page_size_bytes - 1) // page_size_bytes
        )
        self.kinds: Final = bytearray(self.page_count)
        self.freelist_pgids: Final[list[int]] = []
        self.misplaced_pgids: Final[set[int]] = set()
        self.foreign: dict[int, frozenset[Path]] = {}
        self.is_complete = True
        self._overflows: Final[dict[int, int]] = {}
        self._credit = OVERFLOW_READ_FACTOR * self.page_count
        self._branches: Final[dict[int, Branch[int]]] = {}
        self._tried: Final[set[int]] = set()
        window_pages = max(WINDOW_SIZE_BYTES // page_size_bytes, 1)
        for offset in _stored_windows(file, window_pages * page_size_bytes):
            first = offset // page_size_bytes
            self._scan_window(first, min(window_pages, self.page_count - first))
            if progress is not None:
                progress(min(first + window_pages, self.page_count), self.page_count)

    def run_length(self, pgid: int) -> int:
        """Return the number of pages of the run that starts at a readable page."""
        return 1 + self._overflows.get(pgid, 0)

    def kind(self, pgid: int) -> int:
        """Return the kind of a page, 0 when it is not readable or not in the file."""
        if META_PAGE_COUNT <= pgid < self.page_count:
            return self.kinds[pgid] & KIND_MASK
        return 0

    def run(self, pgid: int) -> bytes:
        """Read the whole run of a readable page. Raises `OSError` when that fails."""
        size = self.page_size_bytes
        return self.file.read_at(pgid * size, self.run_length(pgid) * size)

    def is_damaged(self, pgid: int) -> bool:
        """Tell whether only some elements of a page are sound."""
        return bool(self.kinds[pgid] & DAMAGED)

    def leaf(self, pgid: int) -> Leaf:
        """Decode a readable leaf; of a damaged one, what is sound.

        Raises:
            PageError: It has changed since the scan.
            OSError: It cannot be read.
        """
        if self.is_damaged(pgid):
            return self.partial(pgid).leaf
        return decode_leaf(self.run(pgid), pgid=pgid)

    def partial(self, pgid: int) -> Partial:
        """Decode what is sound of a damaged leaf. Raises as `leaf`."""
        found = sound_elements(self.run(pgid), self.page_count)
        if found is None:
            raise PageError(pgid=pgid, code="page.unreadable", problem="has changed meanwhile")
        return found

    def revive(self, pgid: int) -> None:
        """Look for sound elements on a page that does not say what it is, but is referred to.

        Args:
            pgid: The page. When it has any, its kind is known afterwards.

        Raises:
            OSError: It cannot be read.
        """
        is_unknown = META_PAGE_COUNT <= pgid < self.page_count and not self.kinds[pgid]
        if not is_unknown or pgid in self._tried:
            return
        self._tried.add(pgid)
        page = self.file.read_at(pgid * self.page_size_bytes, self.page_size_bytes)
        (stated, flags, _, _) = PAGE_HEADER.unpack_from(page)
        # A whole page of another place was written here by mistake: none of it belongs here.
        if flags in _KINDS and stated != pgid and _kind_of(page, stated):
            self.misplaced_pgids.add(pgid)
        else:
            self.kinds[pgid] = _damaged_kind(page, self.page_count)

    def doubt(self, pgid: int) -> bool:
        """Take a leaf that bbolt did not write so for a damaged one; tell whether it is one now."""
        kind = self.kinds[pgid]
        if kind & (STRICT | DAMAGED) or sound_elements(self.run(pgid), self.page_count) is None:
            return False
        self.kinds[pgid] = kind | DAMAGED
        return True

    def is_plausible(self, path: tuple[bytes, ...], key: bytes, value: bytes) -> bool:
        """Tell whether an element of a damaged page can be one."""
        return self._plausible is None or self._plausible(path, key, value)

    def first_key(self, pgid: int) -> bytes | None:
        """Return the first key of a page; None when it has none, or is no page of a tree."""
        kind = self.kind(pgid)
        if kind not in (LEAF_FLAG, BRANCH_FLAG):
            return None
        keys = self.leaf(pgid).keys if kind == LEAF_FLAG else self.branch(pgid).keys
        return keys[0] if keys else None

    def is_first_key(self, pgid: int, key: bytes) -> bool:
        """Tell whether a page of a tree begins with a key."""
        return self.first_key(pgid) == key

    def branch(self, pgid: int) -> Branch[int]:
        """Decode a readable branch; of a damaged one, all elements, as far as they can be known.

        What a damaged one does not tell is put in from its children. Then keys may be equal, and
        children no pages. Shared: do not change it. Raises as `leaf`.
        """
        branch = self._branches.get(pgid)
        if branch is None:
            if self.is_damaged(pgid):
                branch = self._mended(sound_references(self.run(pgid)) or [])
            else:
                branch = decode_branch(self.run(pgid), pgid=pgid)
            if len(self._branches) >= BRANCHES_KEPT_MAX:
                self._branches.pop(next(iter(self._branches)))
            self._branches[pgid] = branch
        return branch

    def freelist(self, pgid: int) -> tuple[int, ...]:
        """Decode a readable freelist. Raises as `leaf`."""
        return decode_freelist(self.run(pgid), pgid=pgid)

    def _mended(self, references: list[Reference]) -> Branch[int]:
        """Give each reference of a damaged branch a key: that of its child, else its own.

        What disagrees with the order of most is put in as a reference to nothing, with the keys
        that may be missing there; so what is lost is known to be lost.
        """
        keys = [self._stored_first_key(ref.child) or ref.key for ref in references]
        known = [index for index, key in enumerate(keys) if key is not None]
        ascent = longest_ascent([keys[index] or b"" for index in known])
        sound = {known[position] for position in ascent}
        mended: Branch[int] = Branch([], [])
        above: bytes | None = b""
        for index, (ref, key) in enumerate(zip(references, keys, strict=True)):
            if index in sound and key is not None:
                mended.keys.append(key)
                mended.children.append(ref.child)
                above = self._last_key(ref.child)
            elif above is not None:
                # Where the keys of the child before cannot be read to their end, no range is known.
                mended.keys.append(above + b"\0")
                mended.children.append(0)
                above = None
        return mended

    def _stored_first_key(self, pgid: int) -> bytes | None:
        """Read the first key of a child. A damaged branch is not mended for it: no recursion."""
        self.revive(pgid)
        if self.kind(pgid) == BRANCH_FLAG and self.is_damaged(pgid):
            return (sound_references(self.run(pgid)) or [Reference(None, 0)])[0].key
        return self.first_key(pgid)

    def _last_key(self, pgid: int) -> bytes | None:
        """Read the last key below a child, as far as nothing on the way is damaged."""
        for _ in range(TREE_DEPTH_MAX):
            kind = self.kind(pgid)
            if kind == LEAF_FLAG:
                keys = self.leaf(pgid).keys
                return keys[-1] if keys else None
            if kind != BRANCH_FLAG or self.is_damaged(pgid):
                return None
            pgid = self.branch(pgid).children[-1]
        return None

    # -- the scan ----------------------------------------------------------------------------

    def _scan_window(self, first: int, count: int) -> None:
        size = self.page_size_bytes
        window = self.file.read_at(first * size, count * size)
        for index in range(len(window) // size):
            pgid, flags, _, overflow = PAGE_HEADER.unpack_from(window, index * size)
            if pgid != first + index or flags not in _KINDS or pgid < META_PAGE_COUNT:
                continue
            page = window[index * size : (index + 1) * size]
            overflow = self._sound_overflow(page, pgid, overflow)
            if pgid + overflow >= self.page_count:
                continue
            if overflow:
                run_bytes = size * (overflow + 1)
                if (
                    not _may_be_a_run(page, run_bytes)
                    or is_mostly_hole(self.file, pgid * size, run_bytes)
                    or not self._pay(overflow + 1)
                ):
                    continue
                page = self.file.read_at(pgid * size, size * (overflow + 1))
            kind = _kind_of(page, pgid, is_own=self._is_own) or (
                _damaged_kind(page, self.page_count) if flags != FREELIST_FLAG else 0
            )
            if kind:
                self.kinds[pgid] = kind
                if overflow:
                    self._overflows[pgid] = overflow
                if kind & FREELIST_FLAG:
                    self.freelist_pgids.append(pgid)

    def _sound_overflow(self, page: bytes, pgid: int, stated: int) -> int:
        """Return how many pages follow: what the elements need where the header contradicts them.

        One wrong bit in it takes the pages of others, or leads beyond the end of the file.
        """
        size = self.page_size_bytes
        end = _end_of_elements(page)
        needed = (end - 1) // size
        # A run whose last page is just full may be followed by an empty one.
        if not end or needed <= stated <= end // size or pgid + needed >= self.page_count:
            return stated
        if needed and not self._pay(needed + 1):
            return stated
        run = self.file.read_at(pgid * size, (needed + 1) * size) if needed else page
        return needed if _kind_of(run, pgid, is_own=self._is_own) & STRICT else stated

    def _pay(self, page_count: int) -> bool:
        """Bound what overlapping runs cost; tell whether this one may be read."""
        self._credit -= page_count
        if self._credit < 0:
            self.is_complete = False
        return self._credit >= 0


def _stored_windows(file: BlockFile, size_bytes: int) -> Iterator[int]:
    """Give the multiples of `size_bytes` at which a window has something stored in it."""
    done = 0
    for start, end in file.data_ranges():
        for offset in range(max(start // size_bytes * size_bytes, done), end, size_bytes):
            yield offset
            done = offset + size_bytes


def _end_of_elements(page: bytes) -> int:
    """Tell from the first page of a run where its last element ends; 0 when that cannot be told."""
    _, flags, count, _ = PAGE_HEADER.unpack_from(page)
    at = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * (count - 1)
    if flags == FREELIST_FLAG or not count or at + ELEMENT_SIZE_BYTES > len(page):
        return 0
    if flags == LEAF_FLAG:
        _, pos, key_size, value_size = LEAF_ELEMENT.unpack_from(page, at)
    else:
        pos, key_size, _ = BRANCH_ELEMENT.unpack_from(page, at)
        value_size = 0
    return int(at + pos + key_size + value_size)


def _may_be_a_run(page: bytes, size_bytes: int) -> bool:
    """Tell from its first page whether a long run is worth reading."""
    _, flags, count, _ = PAGE_HEADER.unpack_from(page)
    start = PAGE_HEADER_SIZE_BYTES
    if flags == FREELIST_FLAG:
        if count == FREELIST_COUNT_LONG:
            count = int.from_bytes(page[start : start + 8], "little")
        return freelist_size_bytes(count) <= size_bytes
    table_end = start + ELEMENT_SIZE_BYTES * count
    if not count or table_end > size_bytes:
        return not count
    if flags == LEAF_FLAG:
        flag, pos, key_size, value_size = LEAF_ELEMENT.unpack_from(page, start)
    else:
        pos, key_size, _ = BRANCH_ELEMENT.unpack_from(page, start)
        flag = value_size = 0
    end = start + pos + key_size + value_size
    return bool(flag <= BUCKET_FLAG and start + pos >= table_end and end <= size_bytes)


def _kind_of(page: bytes, pgid: int, *, is_own: bool = False) -> int:
    """Return the kind of a run with its marks; 0 when it is not readable."""
    flags = page[8]
    try:
        if flags == LEAF_FLAG:
            return _kind_of_leaf(page, pgid, is_own=is_own)
        if flags == BRANCH_FLAG:
            return _kind_of_branch(page, pgid)
        ids = decode_freelist(page, pgid=pgid)
    except PageError:
        return 0
    is_ascending = all(first < second for first, second in pairwise(ids))
    is_strict = is_ascending and (not ids or ids[0] >= META_PAGE_COUNT)
    return FREELIST_FLAG | STRICT if is_strict else 0


def _damaged_kind(page: bytes, page_count: int) -> int:
    """Return the kind of a damaged page by its sound elements; 0 when it has none."""
    found = sound_elements(page, page_count)
    if found is not None:
        buckets = BUCKETS_ONLY if all(found.leaf.flags) else 0
        return LEAF_FLAG | DAMAGED | buckets
    return BRANCH_FLAG | DAMAGED if sound_references(page) is not None else 0


def _kind_of_leaf(page: bytes, pgid: int, *, is_own: bool) -> int:
    leaf = decode_leaf(page, pgid=pgid)
    kind = LEAF_FLAG
    if len(leaf.keys) > ELEMENT_COUNT_MAX:
        return kind
    size = leaf_size_bytes(leaf)
    if has_blank_sector(page[:size]):
        kind |= BLANK_SECTOR
    if not is_own and any(leaf.flags) and has_lost_bucket(leaf):
        raise PageError(pgid=pgid, code="bucket.inline", problem="has lost a sector")
    again = encode_leaf(leaf, pgid=0, page_size_bytes=0)
    if again[PAGE_HEADER_SIZE_BYTES:] == page[PAGE_HEADER_SIZE_BYTES:size]:
        kind |= STRICT
    elif not is_own and not decode_leaf_keys(page, pgid=pgid)[2]:
        raise PageError(pgid=pgid, code="element.place", problem="has elements with gaps")
    if leaf.flags and all(leaf.flags):
        kind |= BUCKETS_ONLY
    return kind


def _kind_of_branch(page: bytes, pgid: int) -> int:
    branch = decode_branch(page, pgid=pgid)
    if not 1 < len(branch.keys) <= ELEMENT_COUNT_MAX:
        return BRANCH_FLAG
    size = branch_size_bytes(branch.keys)
    again = encode_branch(branch, pgid=pgid, page_size_bytes=PAGE_SIZE_BYTES_MIN)
    is_strict = again[PAGE_HEADER_SIZE_BYTES:size] == page[PAGE_HEADER_SIZE_BYTES:size]
    return BRANCH_FLAG | STRICT if is_strict else BRANCH_FLAG
