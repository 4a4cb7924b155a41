"""What can be reached from one root page, and where something is lost.

Lives here: `Survey`, a walk that believes nothing. Must not live here: where lost pages have gone
(`repair`), what the walk has found (`content`), writing.

A page that something refers to is taken only when it is readable, is not in use elsewhere, and its
keys lie in the range that its parent has for it; then everything in it is in its place. Of a
damaged page the sound elements in that range are taken, if the caller finds them plausible.
Whatever is not taken is *lost*, with its place and the range of keys that is missing with it. What
is taken and yet breaks a rule that bbolt keeps is a *flaw*: it may be an older state of the page
that should be there.

Where two refer to one page, the one whose separator equals the page's first key keeps it.

Invariants: each page is visited once, so that the walk ends whatever the pages say; no recursion.
A second walk is begun only when a page has been given to the wrong one of two, and so often only.

Source: spec sections 1.11, 3.2 and 3.5 (case E).
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from bolt_store.codec.bucket import decode_bucket
from bolt_store.codec.layout import BRANCH_FLAG, LEAF_FLAG
from bolt_store.codec.leaf import Leaf, decode_leaf, leaf_size_bytes
from bolt_store.errors import PageError
from bolt_store.limits import KEY_SIZE_BYTES_MAX, TREE_DEPTH_MAX
from bolt_store.salvaging.partial import sound_elements
from bolt_store.salvaging.scan import Scan

INLINE_DEPTH_MAX: Final = 16
"""Inline buckets in inline buckets are copied once a level. bbolt reads them and writes none."""

RESTART_COUNT_MAX: Final = 4
"""Each walk finds all pages that were given to the wrong one, but for those below them."""

MISPLACED: Final = "page.misplaced"
"""Code of a place in which a page of another place was written, so that others may be as well."""

IN_TREE: Final = 1
ATTACHED: Final = 2
"""Values of `Survey.reach`: found from the root, and put back in its place by salvage."""

Place: TypeAlias = tuple[int, ...]
"""Where something is referred to: page and element index; for what lies in inline buckets also the
element index in each of them; empty for the root of all."""


class Attachment(NamedTuple):
    """A page that is put in the place of a lost one.

    Attributes:
        is_itself: Whether it is what should have been referred to; else a child of that.
    """

    pgid: int
    first_key: bytes
    is_itself: bool


Attachments: TypeAlias = Mapping[Place, tuple[Attachment, ...]]
"""What is put in the place of lost pages, in the order of the keys."""


@dataclass(frozen=True, slots=True, eq=False)
class BucketPlace:
    """One bucket, by where it is.

    Attributes:
        place: Of the element that holds it; empty for the root bucket.
        above: The bucket that it is in; None for the root bucket.
    """

    place: Place
    name: bytes = field(repr=False)
    above: "BucketPlace | None" = field(repr=False)

    @property
    def path(self) -> tuple[bytes, ...]:
        """The names from the top down to this bucket."""
        names = []
        bucket: BucketPlace | None = self
        while bucket is not None and bucket.above is not None:
            names.append(bucket.name)
            bucket = bucket.above
        return tuple(reversed(names))


@dataclass(slots=True, eq=False)
class Tree:
    """The tree of one bucket, as far as it was walked.

    Attributes:
        bucket: Whose tree it is.
        leaf_depth: Depth of its leaves, None when none was seen.
    """

    bucket: BucketPlace
    leaf_depth: int | None = None

    @property
    def is_root(self) -> bool:
        """Whether it may hold buckets only."""
        return self.bucket.above is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Something that cannot be read where it is referred to.

    Attributes:
        pgid: The page referred to; None when the element itself is what cannot be used.
        depth: Depth that the page should have in it.
        first_key: The range of keys that is missing with it; None for no bound.
        end_key: Where that range ends; None for no bound.
        element_count: How many elements that follow one another, where `pgid` is None.
    """

    place: Place
    pgid: int | None
    code: str
    tree: Tree
    depth: int
    first_key: bytes | None = field(repr=False)
    end_key: bytes | None = field(repr=False)
    element_count: int = 1

    @property
    def height(self) -> int | None:
        """Levels below the lost page: 0 for a leaf; None when its tree has no other leaf."""
        return None if self.tree.leaf_depth is None else self.tree.leaf_depth - self.depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A page that was taken although it breaks a rule: it may be an older state of itself.

    Attributes:
        code: The rule, as in `Finding.code`.
    """

    pgid: int
    code: str


class Elements(NamedTuple):
    """Elements of a leaf, and where they lie on its page.

    Attributes:
        indexes: The index of each on its page, ascending.
    """

    leaf: Leaf
    indexes: Sequence[int]
    element_count: int


class _Ref(NamedTuple):
    """A page to visit, and what its parent says about it."""

    place: Place
    pgid: int
    first_key: bytes | None
    end_key: bytes | None
    depth: int
    tree: Tree
    mark: int
    is_exact: bool


class _Inline(NamedTuple):
    """An inline bucket to visit."""

    place: Place
    page: bytes
    tree: Tree
    mark: int
    inline_depth: int


class Survey:
    """One walk from one root.

    Attributes:
        root_pgid: The root page of the root bucket.
        attached: What was put in the place of lost branches.
        wrong_pgids: Pages that are not what should be there, however sound they look.
        reach: A byte for each page of the file: 0, or how it was reached.
        owners: The bucket that each page that was taken belongs to.
        lost: What was lost, by its place.
        flaws: What was taken and is doubtful.
        root_pages: Pages of the tree of the root bucket itself, once the details are forgotten.
        problem_count: Number of places where something is lost or doubtful.
        key_count: Keys with plain values.
        bucket_count: Buckets, the root bucket not included.
    """

    def __init__(
        self,
        scan: Scan,
        root_pgid: int,
        attached: Attachments | None = None,
        wrong_pgids: frozenset[int] = frozenset(),
    ) -> None:
        """Walk.

        Args:
            root_pgid: Where to begin; any number.
            attached: What to put in the place of lost branches.
            wrong_pgids: Pages to take for lost.
        """
        self.scan: Final = scan
        self.root_pgid: Final = root_pgid
        self.attached: Final = attached or {}
        self.wrong_pgids: Final = wrong_pgids
        self._bounds: dict[int, tuple[bytes | None, bytes | None]] = {}
        self._denied: set[Place] = set()
        for _ in range(RESTART_COUNT_MAX):
            self._begin()
            denied_count = len(self._denied)
            self._walk()
            if len(self._denied) == denied_count:
                break
        self.problem_count = len(self.lost) + len(self.flaws)
        self.root_pages: frozenset[int] = frozenset()
        self._weak_claims.clear()

    def forget_details(self) -> None:
        """Drop what was lost and doubtful, but for its number, to save memory."""
        if not self.root_pages:
            tops = (pgid for pgid, bucket in self.owners.items() if bucket.above is None)
            self.root_pages = frozenset(tops)
        self.lost.clear()
        self.flaws.clear()
        self.owners.clear()
        self._denied.clear()

    def _begin(self) -> None:
        self.reach = bytearray(self.scan.page_count)
        self.lost: dict[Place, Lost] = {}
        self.flaws: list[Flaw] = []
        self.owners: dict[int, BucketPlace] = {}
        self.key_count = 0
        self.bucket_count = 0
        self._weak_claims: dict[int, Place] = {}
        self._bounds.clear()
        self._buckets: list[_Ref | _Inline] = []

    @property
    def page_count(self) -> int:
        """Number of pages reached, overflow pages included."""
        return len(self.reach) - self.reach.count(0)

    @property
    def total(self) -> int:
        """How much was reached: keys and buckets."""
        return self.key_count + self.bucket_count

    @property
    def holes(self) -> list[Lost]:
        """The lost pages that nothing was put in the place of."""
        return [lost for place, lost in self.lost.items() if place not in self.attached]

    # -- the walk ----------------------------------------------------------------------------

    def _walk(self) -> None:
        top = Tree(BucketPlace((), b"", None))
        stack = [_Ref((), self.root_pgid, None, None, 0, top, IN_TREE, is_exact=False)]
        while stack or self._buckets:
            # A separator says more than the place of a bucket: all of a tree before what is in it.
            visit = stack.pop() if stack else self._buckets.pop()
            if isinstance(visit, _Inline):
                self._visit_inline(visit)
            else:
                self._visit(visit, stack)

    def _visit(self, ref: _Ref, stack: list[_Ref]) -> None:
        code = self._refusal(ref)
        if code is None:
            if self.scan.kind(ref.pgid) == LEAF_FLAG:
                if self.scan.is_damaged(ref.pgid):
                    self._bounds[ref.pgid] = (ref.first_key, ref.end_key)
                found = self.elements_of(ref.pgid)
                code = self._take(ref, found.leaf.keys)
                if code == "key.range" and self.scan.doubt(ref.pgid):
                    # One wrong key or length is no reason to lose a whole page.
                    self._bounds[ref.pgid] = (ref.first_key, ref.end_key)
                    found = self.elements_of(ref.pgid)
                    code = self._take(ref, found.leaf.keys)
                if code is None:
                    self._look_at_leaf(ref, found)
            else:
                branch = self.scan.branch(ref.pgid)
                keys = branch.keys
                if self.scan.is_damaged(ref.pgid):
                    # A key that does not belong here makes its child fail; the others are taken.
                    keys = [_clipped(key, ref) for key in keys]
                code = self._take(ref, keys)
                if code is None:
                    self._push_children(ref, keys, branch.children, stack)
        if code is not None:
            self._lose(ref, code, stack)

    def _refusal(self, ref: _Ref) -> str | None:
        """Say why a page cannot be taken, as far as that shows without its keys."""
        if ref.place in self._denied:
            return "page.shared"
        self.scan.revive(ref.pgid)
        foreign = self.scan.foreign.get(ref.pgid, ())
        is_wrong = ref.pgid in self.wrong_pgids or ref.tree.bucket.path in foreign
        if not self.scan.kind(ref.pgid) or is_wrong:
            return self._why_unreadable(ref.pgid)
        if self.scan.kind(ref.pgid) not in (BRANCH_FLAG, LEAF_FLAG):
            return "page.kind"
        if ref.depth > TREE_DEPTH_MAX:
            return "tree.depth"
        if any(self.reach[ref.pgid : ref.pgid + self.scan.run_length(ref.pgid)]):
            self._dispute(ref)
            return "page.shared"
        return None

    def _why_unreadable(self, pgid: int) -> str:
        if pgid in self.scan.misplaced_pgids or self.scan.kind(pgid):
            return MISPLACED
        return "page.unreadable" if 1 < pgid < self.scan.page_count else "page.range"

    def _dispute(self, ref: _Ref) -> None:
        """Take a page away from one that fits less, and note that the walk must begin again."""
        holder = self._weak_claims.get(ref.pgid)
        if holder is not None and ref.is_exact and self.scan.first_key(ref.pgid) == ref.first_key:
            self._denied.add(holder)

    def elements_of(self, pgid: int) -> Elements:
        """Decode a leaf that was taken; of a damaged one, what is sound and in its range."""
        if not self.scan.is_damaged(pgid):
            leaf = self.scan.leaf(pgid)
            return Elements(leaf, range(len(leaf.keys)), len(leaf.keys))
        found = self.scan.partial(pgid)
        first_key, end_key = self._bounds.get(pgid, (None, None))
        keys = found.leaf.keys
        start = bisect_left(keys, first_key) if first_key is not None else 0
        end = bisect_left(keys, end_key) if end_key is not None else len(keys)
        part = slice(start, end)
        leaf = Leaf(found.leaf.flags[part], keys[part], found.leaf.values[part])
        return Elements(leaf, found.indexes[part], found.element_count)

    def _take(self, ref: _Ref, keys: list[bytes]) -> str | None:
        """Compare a page with its place and mark it as reached, or say why it is refused."""
        if not keys:
            if ref.depth:
                return "leaf.empty"
        elif (ref.first_key is not None and keys[0] < ref.first_key) or (
            ref.end_key is not None and keys[-1] >= ref.end_key
        ):
            return "key.range"
        is_damaged = self.scan.is_damaged(ref.pgid)
        if is_damaged:
            self.flaws.append(Flaw(pgid=ref.pgid, code="page.damaged"))
        if not ref.is_exact or keys[0] != ref.first_key:
            self._weak_claims[ref.pgid] = ref.place
            if ref.is_exact and not is_damaged:
                self.flaws.append(Flaw(pgid=ref.pgid, code="branch.separator"))
        self.owners[ref.pgid] = ref.tree.bucket
        length = self.scan.run_length(ref.pgid)
        self.reach[ref.pgid : ref.pgid + length] = bytes([ref.mark]) * length
        return None

    def _lose(self, ref: _Ref, code: str, stack: list[_Ref]) -> None:
        """Note a lost page, and go on with what was put in its place."""
        self.lost[ref.place] = Lost(
            place=ref.place,
            pgid=ref.pgid,
            code=code,
            tree=ref.tree,
            depth=ref.depth,
            first_key=ref.first_key,
            end_key=ref.end_key,
        )
        end_key = ref.end_key
        given = self.attached.get(ref.place, ())
        for index in range(len(given) - 1, -1, -1):
            child = ref._replace(
                place=(*ref.place, index),
                pgid=given[index].pgid,
                first_key=given[index].first_key,
                end_key=end_key,
                depth=ref.depth if given[index].is_itself else ref.depth + 1,
                mark=ATTACHED,
                is_exact=True,
            )
            stack.append(child)
            end_key = child.first_key

    def _push_children(
        self, ref: _Ref, keys: list[bytes], children: list[int], stack: list[_Ref]
    ) -> None:
        if len(keys) == 1:
            self.flaws.append(Flaw(pgid=ref.pgid, code="branch.count"))
        end_key = ref.end_key
        for index in range(len(keys) - 1, -1, -1):
            child = ref._replace(
                place=(ref.pgid, index),
                pgid=children[index],
                first_key=keys[index],
                end_key=end_key,
                depth=ref.depth + 1,
                is_exact=True,
            )
            stack.append(child)
            end_key = keys[index]

    def _look_at_leaf(self, ref: _Ref, found: Elements) -> None:
        tree = ref.tree
        if tree.leaf_depth is None:
            tree.leaf_depth = ref.depth
        elif tree.leaf_depth != ref.depth:
            self.flaws.append(Flaw(pgid=ref.pgid, code="tree.uneven"))
        if tree.is_root and not all(found.leaf.flags):
            self.flaws.append(Flaw(pgid=ref.pgid, code="bucket.plain"))
        is_damaged = self.scan.is_damaged(ref.pgid)
        if is_damaged:
            self._note_gaps((ref.pgid,), found, tree, ref.first_key, ref.end_key)
        self._look_at_elements((ref.pgid,), found, tree, ref.mark, 0, is_damaged=is_damaged)

    def _visit_inline(self, visit: _Inline) -> None:
        found, is_damaged = inline_elements(self.scan, visit.place, visit.page)
        if found is None:
            self._lose_bucket(visit.place, visit.tree, "bucket.inline")
            return
        if is_damaged:
            self.flaws.append(Flaw(pgid=visit.place[0], code="bucket.inline"))
            self._note_gaps(visit.place, found, visit.tree, None, None)
        depth = visit.inline_depth + 1
        self._look_at_elements(
            visit.place, found, visit.tree, visit.mark, depth, is_damaged=is_damaged
        )

    def _note_gaps(
        self,
        place: Place,
        found: Elements,
        tree: Tree,
        first_key: bytes | None,
        end_key: bytes | None,
    ) -> None:
        """Note the elements of a damaged leaf that are not sound, those side by side as one."""
        keys = found.leaf.keys
        ends = [-1, *found.indexes, found.element_count]
        after = [first_key, *(key + b"\0" for key in keys)]
        before = [*keys, end_key]
        for (left, right), low, high in zip(pairwise(ends), after, before, strict=True):
            if right - left > 1:
                self._lose_element(
                    (*place, left + 1), tree, "element.damaged", (low, high), right - left - 1
                )

    def _look_at_elements(
        self,
        place: Place,
        found: Elements,
        tree: Tree,
        mark: int,
        inline_depth: int,
        *,
        is_damaged: bool,
    ) -> None:
        """Count the keys of a leaf, and put the buckets in it on the stack."""
        leaf = found.leaf
        if (
            not any(leaf.flags)
            and not tree.is_root
            and not is_damaged
            and max(map(len, leaf.keys), default=0) <= KEY_SIZE_BYTES_MAX
        ):
            self.key_count += len(leaf.keys)
            return
        below: list[_Ref | _Inline] = []
        for at, (index, flag, key, value) in enumerate(
            zip(found.indexes, leaf.flags, leaf.keys, leaf.values, strict=True)
        ):
            where = (*place, index)
            if flag:
                inner = Tree(BucketPlace(where, key, tree.bucket))
                if not self._add_bucket(inner, value, mark, inline_depth, below):
                    # Where the value of a bucket is none, its name may be wrong, too.
                    low = leaf.keys[at - 1] + b"\0" if at else key
                    end = leaf.keys[at + 1] if at + 1 < len(leaf.keys) else key + b"\0"
                    self._lose_element(where, tree, "bucket.value", (low, end))
            elif len(key) > KEY_SIZE_BYTES_MAX:
                # No file may hold it, so that no range of keys is missing with it.
                self._lose_element(where, tree, "key.size", (b"", b""))
            elif is_damaged and not self.scan.is_plausible(tree.bucket.path, key, value):
                self._lose_element(where, tree, "element.implausible", (key, key + b"\0"))
            elif not tree.is_root:
                self.key_count += 1
        self._buckets += reversed(below)

    def _add_bucket(
        self,
        tree: Tree,
        value: bytes,
        mark: int,
        inline_depth: int,
        below: list[_Ref | _Inline],
    ) -> bool:
        """Count a bucket and put it on the stack; tell whether its value can be one."""
        place = tree.bucket.place
        self.bucket_count += 1
        try:
            bucket = decode_bucket(value, pgid=None)
        except PageError:
            return False
        if bucket.inline_page is None:
            below.append(_Ref(place, bucket.root_pgid, None, None, 0, tree, mark, is_exact=False))
        elif inline_depth < INLINE_DEPTH_MAX:
            below.append(_Inline(place, bucket.inline_page, tree, mark, inline_depth))
        else:
            self._lose_bucket(place, tree, "bucket.nesting")
        return True

    def _lose_bucket(self, place: Place, tree: Tree, code: str) -> None:
        """Note a bucket whose name is all that can be read of it."""
        self.lost[place] = Lost(
            place=place, pgid=None, code=code, tree=tree, depth=0, first_key=None, end_key=None
        )

    def _lose_element(
        self,
        place: Place,
        tree: Tree,
        code: str,
        keys: tuple[bytes | None, bytes | None],
        element_count: int = 1,
    ) -> None:
        """Note elements that cannot be taken, and the range of keys that is missing with them."""
        self.lost[place] = Lost(
            place=place,
            pgid=None,
            code=code,
            tree=tree,
            depth=0,
            first_key=keys[0],
            end_key=keys[1],
            element_count=element_count,
        )


def inline_elements(scan: Scan, place: Place, page: bytes) -> tuple[Elements | None, bool]:
    """Decode an inline page; of a damaged one, what is sound.

    Args:
        page: From its header on, without the header of the bucket.

    Returns:
        Its elements, None when there are none to be had; and whether it is damaged.

    Raises:
        OSError: The page that it lies on cannot be read.
    """
    try:
        leaf = decode_leaf(page, pgid=None)
    except PageError:
        leaf = None
    if leaf is not None and leaf_size_bytes(leaf) == len(page):
        return Elements(leaf, range(len(leaf.keys)), len(leaf.keys)), False
    # Which sectors it shares with the rest of its page tells what was lost together.
    offset = max(scan.run(place[0]).find(page), 0)
    found = sound_elements(page, scan.page_count, offset)
    return (Elements(*found) if found is not None else None), True


def _clipped(key: bytes, ref: _Ref) -> bytes:
    if ref.first_key is not None and key < ref.first_key:
        return ref.first_key
    return key if ref.end_key is None or key < ref.end_key else ref.end_key
