"""The walk over everything in one snapshot.

Lives here: `Check`. Must not live here: writing, and the raising of errors about damage.

Invariants: no finding holds a byte of a key or a value. Every page is visited once in the whole
walk, so cycles across buckets end too. Memory is one byte a page, and the pages on the way.

Source: bbolt v1.3.6 tx.go (check), v1.3.7 tx_check.go; spec sections 1.11, 3.1 and 3.2.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from bolt_store.check.finding import Finding, Severity
from bolt_store.check.metas import check_metas
from bolt_store.codec.branch import Branch, decode_branch, is_packed_branch
from bolt_store.codec.bucket import decode_bucket
from bolt_store.codec.freelist import decode_freelist
from bolt_store.codec.layout import (
    BRANCH_ELEMENT,
    BRANCH_FLAG,
    BUCKET_FLAG,
    ELEMENT_SIZE_BYTES,
    LEAF_FLAG,
    META_PAGE_COUNT,
    PAGE_HEADER,
    PAGE_HEADER_SIZE_BYTES,
    PAGE_KINDS,
)
from bolt_store.codec.leaf import (
    decode_leaf_element,
    decode_leaf_keys,
    leaf_element_count,
    leaf_room_bytes,
    lone_places,
)
from bolt_store.errors import FormatError, PageError
from bolt_store.file.pager import Pager, Snapshot
from bolt_store.limits import FILE_SIZE_BYTES_MAX, INLINE_DEPTH_MAX, TREE_DEPTH_MAX
from bolt_store.tree.node import KEYS_PER_PAGE_MIN
from bolt_store.tree.pages import FREE, REACHABLE

Progress = Callable[[int, int], None]
"""Called now and then with the pages done and the pages in all."""

PROGRESS_PAGES: Final = 1024
PATH_PAGES_MAX: Final = 256
"""A finding names so many pages of its way at most; buckets may nest by the thousand."""

HOLE_TOLD_BYTES: Final = 1 << 30
"""bbolt reserves 16 MiB behind its pages (AllocSize); a gigabyte is somebody else's."""


class _Way(NamedTuple):
    """The pages from the root to one page, shared by all that are below it."""

    pgid: int
    above: "_Way | None"

    def path(self) -> tuple[int, ...]:
        pgids: list[int] = []
        way: _Way | None = self
        while way is not None and len(pgids) < PATH_PAGES_MAX:
            pgids.append(way.pgid)
            way = way.above
        return tuple(reversed(pgids))


class _Tree:
    """What is known of one bucket's tree.

    Attributes:
        is_root_bucket: Whether it may hold buckets only.
        inline_depth: Number of inline buckets around each other that this is the innermost of.
        leaf_depth: Depth of the first leaf seen; all others must have it too.
    """

    __slots__ = ("inline_depth", "is_root_bucket", "leaf_depth")

    def __init__(self, *, is_root_bucket: bool, inline_depth: int = 0) -> None:
        self.is_root_bucket = is_root_bucket
        self.inline_depth = inline_depth
        self.leaf_depth: int | None = None


class _Visit(NamedTuple):
    """One page to look at, and what its parent says about it.

    Attributes:
        pgid: The page; None for an inline page.
        depth: Its depth in the tree, 0 for the root.
        first_key: What its first key must be; None for a root.
        end_key: What all its keys must be below; None where there is no bound.
        above: The way to its parent, None for a root.
    """

    tree: _Tree
    pgid: int | None
    depth: int
    first_key: bytes | None
    end_key: bytes | None
    above: _Way | None
    inline_page: bytes | None = None


_Stack = list[Iterator[_Visit]]
"""What is still to be visited, the next last."""


def _alone(visit: _Visit) -> Iterator[_Visit]:
    return iter((visit,))


class Check:
    """One run of the check over one snapshot.

    Attributes:
        pages: After the run, a byte for each page below the high water mark: bit 1 for reachable,
            bit 2 for listed as free.
        free: After the run, the ids of the stored freelist that are in range, ascending and unique;
            None when the file stores none or it cannot be read.
    """

    def __init__(self, pager: Pager, snapshot: Snapshot, progress: Progress | None = None) -> None:
        """Prepare a run.

        Args:
            pager: Of the file, for its metas and its size.
            progress: Called every thousand pages or so.
        """
        self._pager = pager
        self._snapshot = snapshot
        self._progress = progress
        self._visited_count = 0
        self._found: list[Finding] = []
        # The mark may be a lie, and a page that the file does not have needs no byte.
        stored = -(-pager.file.size_bytes() // snapshot.page_size_bytes)
        self._page_count = min(snapshot.meta.high_water_mark, stored)
        self.pages = bytearray(self._page_count)
        self.free: list[int] | None = None

    def run(self) -> Iterator[Finding]:
        """Look at everything."""
        yield from check_metas(self._pager)
        yield from self._check_size()
        yield from self._check_freelist()
        yield from self.walk()
        yield from self._check_against_freelist()
        if self._progress is not None:
            self._progress(self._page_count, self._page_count)

    # -- metas, size, freelist ---------------------------------------------------------------

    def _check_size(self) -> Iterator[Finding]:
        expected = self._snapshot.meta.high_water_mark * self._snapshot.page_size_bytes
        found = self._pager.file.size_bytes()
        if found < expected:
            problem = f"the file has {found} bytes, its pages need {expected}"
            # bbolt makes a file longer that is only cut, as far as a file can be.
            code = "file.truncated" if expected <= FILE_SIZE_BYTES_MAX else "meta.mark"
            yield Finding(code=code, severity=Severity.FATAL, pgid=None, problem=problem)
        elif found - expected >= HOLE_TOLD_BYTES:
            problem = f"the file has {found} bytes, its pages end at byte {expected}"
            yield Finding(code="file.length", severity=Severity.WARNING, pgid=None, problem=problem)

    def _check_freelist(self) -> Iterator[Finding]:
        pgid = self._snapshot.meta.freelist_pgid
        self.pages[:META_PAGE_COUNT] = bytes([REACHABLE]) * min(META_PAGE_COUNT, self._page_count)
        if pgid is None:
            problem = "the file stores no freelist"
            yield Finding(
                code="freelist.absent", severity=Severity.INFO, pgid=None, problem=problem
            )
            return
        try:
            page = self._snapshot.page(pgid)
            ids = decode_freelist(page, pgid=pgid)
        except FormatError as error:
            yield _from_error(error, pgid, Severity.UNSAFE)
            return
        self._mark_run(pgid, len(page) // self._snapshot.page_size_bytes)
        yield from self._check_free_ids(pgid, ids)

    def mark_freelist(self) -> None:
        """Mark the pages of the stored freelist as reachable, if it can be read."""
        pgid = self._snapshot.meta.freelist_pgid
        if pgid is not None:
            with suppress(FormatError):
                page = self._snapshot.page(pgid)
                self._mark_run(pgid, len(page) // self._snapshot.page_size_bytes)

    def _check_free_ids(self, pgid: int, ids: tuple[int, ...]) -> Iterator[Finding]:
        high = self._snapshot.meta.high_water_mark
        unique_ids = sorted(set(ids))
        in_range = [free for free in unique_ids if META_PAGE_COUNT <= free < high]
        if len(in_range) < len(unique_ids):
            problem = f"{len(unique_ids) - len(in_range)} free pages are outside of 2 to {high - 1}"
            yield Finding(
                code="freelist.range", severity=Severity.UNSAFE, pgid=pgid, problem=problem
            )
        if len(unique_ids) < len(ids):
            problem = f"{len(ids) - len(unique_ids)} ids are listed more than once"
            yield Finding(
                code="freelist.duplicate", severity=Severity.UNSAFE, pgid=pgid, problem=problem
            )
        elif list(ids) != unique_ids:
            yield Finding(
                code="freelist.order",
                severity=Severity.INFO,
                pgid=pgid,
                problem="the ids do not ascend",
            )
        pages = self.pages
        for free in in_range:
            if free < self._page_count:
                if pages[free] & REACHABLE:
                    yield Finding(
                        code="freelist.itself",
                        severity=Severity.UNSAFE,
                        pgid=free,
                        problem="is part of the freelist and listed in it",
                    )
                pages[free] |= FREE
        self.free = in_range

    def _check_against_freelist(self) -> Iterator[Finding]:
        """Compare what is reachable with what is free, and report each stretch of pages once."""
        if self.free is None:
            return
        both = bytes([REACHABLE | FREE])
        for start, end in stretches(self.pages, both):
            yield Finding(
                code="freelist.reachable",
                severity=Severity.UNSAFE,
                pgid=start,
                problem=f"{_pages(start, end)} in use and listed as free",
            )
        for start, end in stretches(self.pages, b"\0"):
            yield Finding(
                code="page.unreachable",
                severity=Severity.WARNING,
                pgid=start,
                problem=f"{_pages(start, end)} neither in use nor listed as free",
            )

    # -- the trees ---------------------------------------------------------------------------

    def walk(self) -> Iterator[Finding]:
        """Walk the trees of all buckets, without looking at the metas and the freelist."""
        root = _Tree(is_root_bucket=True)
        stack = [_alone(_Visit(root, self._snapshot.meta.root_pgid, 0, None, None, None))]
        found = self._found
        while stack:
            visit = next(stack[-1], None)
            if visit is None:
                stack.pop()
                continue
            page = self._enter(visit)
            if page is not None:
                is_branch = page[8] == BRANCH_FLAG and visit.pgid is not None
                look = self._look_at_branch if is_branch else self._look_at_leaf
                look(visit, page, stack)
            if found:
                yield from found
                found.clear()

    def _report(self, visit: _Visit, code: str, severity: Severity, problem: str) -> None:
        path = visit.above.path() if visit.above else ()
        pgid = visit.pgid
        if pgid is None:
            pgid = path[-1] if path else None
            problem = f"an inline bucket: {problem}"
        else:
            path = (*path, pgid)
        self._found.append(
            Finding(code=code, severity=severity, pgid=pgid, problem=problem, path=path)
        )

    def _enter(self, visit: _Visit) -> bytes | None:
        """Read the page of a visit and mark its run; None when it cannot be looked at."""
        pgid = visit.pgid
        if pgid is None:
            self._look_at_inline_header(visit)
            return visit.inline_page
        if self._is_marked(pgid):
            self._report(visit, "page.shared", Severity.FATAL, "is referred to more than once")
            return None
        if visit.depth > TREE_DEPTH_MAX:
            self._report(visit, "tree.depth", Severity.FATAL, "lies deeper than any tree can be")
            return None
        try:
            page = self._snapshot.page(pgid)
        except FormatError as error:
            self._found.append(_from_error(error, pgid, Severity.FATAL, visit.above))
            self._mark_run(pgid, 1)  # whatever it holds, the tree refers to it
            return None
        flags = page[8]
        if flags not in (BRANCH_FLAG, LEAF_FLAG):
            self._mark_run(pgid, 1)
            problem = f"is a {PAGE_KINDS[flags]} page, expected a branch or a leaf"
            self._report(visit, "page.kind", Severity.FATAL, problem)
            return None
        if not self._mark_run(pgid, len(page) // self._snapshot.page_size_bytes):
            problem = "its overflow is part of another page's run"
            self._report(visit, "page.shared", Severity.FATAL, problem)
        return page

    def _look_at_inline_header(self, visit: _Visit) -> None:
        """Look at what decoding an inline page leaves out, because nobody uses it."""
        (_, _, _, overflow) = PAGE_HEADER.unpack_from(visit.inline_page or b"")
        if overflow:
            problem = f"has an overflow of {overflow} pages, expected 0"
            self._report(visit, "inline.overflow", Severity.INFO, problem)

    def _is_marked(self, pgid: int) -> bool:
        return pgid < self._page_count and bool(self.pages[pgid] & REACHABLE)

    def _mark_run(self, pgid: int, page_count: int) -> bool:
        """Mark a run as reachable; tell whether none of its pages was marked before."""
        pages = self.pages
        if page_count == 1 and pgid < self._page_count:
            pages[pgid] |= REACHABLE
            return True
        is_new = True
        for page in range(pgid, min(pgid + page_count, self._page_count)):
            is_new = is_new and not pages[page] & REACHABLE
            pages[page] |= REACHABLE
        return is_new

    def _look_at_branch(self, visit: _Visit, page: bytes, stack: _Stack) -> None:
        pgid = visit.pgid or 0
        try:
            branch = decode_branch(page, pgid=pgid)
        except FormatError as error:
            self._found.append(_from_error(error, pgid, Severity.FATAL, visit.above))
            branch = _readable_children(page, self._page_count)
            stack.append(self._children(visit._replace(end_key=None), branch, are_sound=False))
            return
        if len(branch.keys) < KEYS_PER_PAGE_MIN:
            problem = "is a branch with one child, expected two or more"
            self._report(visit, "branch.count", Severity.UNSAFE, problem)
        if not is_packed_branch(page):
            self._report(visit, "element.gap", Severity.INFO, "has bytes between its keys")
        self._look_at_bounds(visit, branch.keys)
        stack.append(self._children(visit, branch, are_sound=True))

    def _children(self, visit: _Visit, branch: Branch[int], *, are_sound: bool) -> Iterator[_Visit]:
        """Give the children in which there may be something; a damaged branch's keys bind nothing.

        Most pages are leaves with nothing to be said of them: to visit each takes twice as long,
        and as long as each has one record only, it is known from the block that they are read in.
        """
        way = _Way(visit.pgid or 0, visit.above)
        tree, depth = visit.tree, visit.depth + 1
        keys: list[bytes | None] = [*branch.keys] if are_sound else [None] * len(branch.children)
        ends = [*keys[1:], visit.end_key]
        index, are_lone = 0, True
        while index < len(keys):
            child, key, end_key = branch.children[index], keys[index], ends[index]
            if depth == tree.leaf_depth and not tree.is_root_bucket and key is not None:
                count = self._mark_lone_leaves(visit, branch, index) if are_lone else 0
                are_lone = count > 0
                if count or self._is_plain_leaf(child, key, end_key):
                    index += count or 1
                    continue
            yield _Visit(tree, child, depth, key, end_key, way)
            index += 1
        self._visited_count += len(keys)
        if self._progress is not None and self._visited_count % PROGRESS_PAGES < len(keys):
            self._progress(self._visited_count, self._page_count)

    def _mark_lone_leaves(self, visit: _Visit, branch: Branch[int], index: int) -> int:
        """Mark and count the leaves of the next block that have one faultless record each."""
        first = branch.children[index]
        block = self._snapshot.block(branch.children, index)
        places = lone_places(block, self._snapshot.page_size_bytes, pgid=first)
        keys = [block[key:value] for key, value, _ in places]
        end = index + len(keys)
        is_below = end < len(branch.keys) or visit.end_key is None or keys[-1:] < [visit.end_key]
        if (
            keys != branch.keys[index:end]
            or not is_below
            or any(self.pages[first : first + len(keys)])
        ):
            return 0
        self.pages[first : first + len(keys)] = bytes((REACHABLE,)) * len(keys)
        return len(keys)

    def _is_plain_leaf(self, pgid: int, first_key: bytes, end_key: bytes | None) -> bool:
        """Tell whether a page is a leaf with nothing to be said of it; if so, mark its run."""
        try:
            page = self._snapshot.page(pgid)
            keys, has_buckets, is_packed = decode_leaf_keys(page, pgid=pgid)
        except FormatError:
            return False
        end = pgid + len(page) // self._snapshot.page_size_bytes
        if (
            not is_packed
            or has_buckets
            or not keys
            or keys[0] != first_key
            or (end_key is not None and keys[-1] >= end_key)
            or any(self.pages[pgid:end])
        ):
            return False
        self._mark_run(pgid, end - pgid)
        return True

    def _look_at_leaf(self, visit: _Visit, page: bytes, stack: _Stack) -> None:
        tree = visit.tree
        if tree.leaf_depth is None:
            tree.leaf_depth = visit.depth
        elif tree.leaf_depth != visit.depth:
            problem = f"is a leaf at depth {visit.depth}, others are at {tree.leaf_depth}"
            self._report(visit, "tree.uneven", Severity.UNSAFE, problem)
        try:
            keys, has_buckets, is_packed = decode_leaf_keys(page, pgid=visit.pgid)
        except FormatError:
            self._look_at_elements(visit, page, stack)
            return
        if not is_packed:
            self._report(visit, "element.gap", Severity.INFO, "has bytes between its elements")
        self._look_at_bounds(visit, keys)
        if not keys and visit.depth:
            problem = "is an empty leaf below a branch"
            self._report(visit, "leaf.empty", Severity.UNSAFE, problem)
        if has_buckets or tree.is_root_bucket:
            for index in range(len(keys)):
                flag, _, value = decode_leaf_element(page, index, pgid=visit.pgid)
                self._look_at_value(visit, index, flag, value, stack)

    def _look_at_elements(self, visit: _Visit, page: bytes, stack: _Stack) -> None:
        """Look at a damaged leaf element by element, and go on with what is sound."""
        try:
            count = leaf_element_count(page, pgid=visit.pgid)
        except PageError as error:
            self._report(visit, error.code, Severity.FATAL, error.problem)
            return
        previous = b""
        room = leaf_room_bytes(page, count)
        for index in range(count):
            try:
                flag, key, value = decode_leaf_element(page, index, pgid=visit.pgid)
            except PageError as error:
                self._report(visit, error.code, Severity.FATAL, error.problem)
                continue
            room -= len(key) + len(value)
            if room < 0:
                problem = f"element {index} shares bytes with another"
                self._report(visit, "element.overlap", Severity.FATAL, problem)
                return
            if key <= previous:
                problem = f"key {index} is not above the one before it"
                self._report(visit, "key.order", Severity.FATAL, problem)
            previous = key
            self._look_at_value(visit, index, flag, value, stack)

    def _look_at_bounds(self, visit: _Visit, keys: list[bytes]) -> None:
        """Compare the keys of a page with what its parent says about them."""
        if not keys:
            return
        if visit.first_key is not None and keys[0] != visit.first_key:
            is_lost = keys[0] < visit.first_key
            self._report(
                visit,
                "branch.separator",
                Severity.FATAL if is_lost else Severity.UNSAFE,
                "its first key is not the one that its parent has for it",
            )
        if visit.end_key is not None and keys[-1] >= visit.end_key:
            problem = "its last key is not below the next key of its parent"
            self._report(visit, "key.range", Severity.FATAL, problem)

    def _look_at_value(
        self, visit: _Visit, index: int, flag: int, value: bytes, stack: _Stack
    ) -> None:
        """Look at one value of a leaf; go into it when it is a bucket."""
        if flag != BUCKET_FLAG:
            if visit.tree.is_root_bucket:
                problem = f"element {index} of the root bucket is no bucket"
                self._report(visit, "bucket.plain", Severity.UNSAFE, problem)
            return
        try:
            bucket = decode_bucket(value, pgid=visit.pgid)
        except PageError as error:
            problem = f"element {index}: {error.problem}"
            self._report(visit, error.code, Severity.FATAL, problem)
            return
        way = visit.above if visit.pgid is None else _Way(visit.pgid, visit.above)
        if bucket.inline_page is None:
            tree = _Tree(is_root_bucket=False)
            stack.append(_alone(_Visit(tree, bucket.root_pgid, 0, None, None, way)))
            return
        tree = _Tree(is_root_bucket=False, inline_depth=visit.tree.inline_depth + 1)
        if tree.inline_depth > INLINE_DEPTH_MAX:
            problem = f"element {index} is nested deeper than {INLINE_DEPTH_MAX} inline buckets"
            self._report(visit, "bucket.depth", Severity.UNSAFE, problem)
            return
        stack.append(_alone(_Visit(tree, None, 0, None, None, way, bucket.inline_page)))


def _from_error(
    error: FormatError, pgid: int, severity: Severity, above: _Way | None = None
) -> Finding:
    """Make a finding of an error met while reading a page."""
    code, problem = "file.truncated", str(error)
    if isinstance(error, PageError):
        code, problem = error.code, error.problem
    return Finding(
        code=code,
        severity=severity,
        pgid=pgid,
        problem=problem,
        path=(*(above.path() if above else ()), pgid),
    )


def _readable_children(page: bytes, page_count: int) -> Branch[int]:
    """Return the children that a damaged branch page still names, without their keys.

    Whatever is no page of the file is left out: the page has its finding already.
    """
    (_, _, count, _) = PAGE_HEADER.unpack_from(page)
    fitting = min(count, (len(page) - PAGE_HEADER_SIZE_BYTES) // ELEMENT_SIZE_BYTES)
    end = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * fitting
    elements = BRANCH_ELEMENT.iter_unpack(page[PAGE_HEADER_SIZE_BYTES:end])
    children = dict.fromkeys(
        child for _, _, child in elements if META_PAGE_COUNT <= child < page_count
    )
    return Branch([b""] * len(children), list(children))


def stretches(pages: bytearray, value: bytes) -> Iterator[tuple[int, int]]:
    """Find the stretches of pages that have exactly this byte, as half-open ranges."""
    for match in re.finditer(re.escape(value) + b"+", pages):
        yield match.span()


def _pages(start: int, end: int) -> str:
    count = end - start
    return "this page is" if count == 1 else f"this page and {count - 1} following are"
