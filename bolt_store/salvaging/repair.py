"""Putting back what a lost branch or a damaged reference led to.

Lives here: the orphans of a snapshot, and which hole each of them belongs into (cases D, E). Must
not live here: stale content, which is never put anywhere by itself.

An orphan is a strict page that the tree does not reach and the freelist does not list: pages leave
a tree only through its freelist, so what is in neither has been cut off by a lost page, and with
the topmost orphan come all pages below. One alone goes back where its first key is the separator of
the hole, or where the reference to the root of a bucket is wrong; these are pages that are whole
and that nothing names any more. As the children of a lost branch, orphans go back where their keys
lie in the missing range of one hole alone, none overlaps another, all have the same height, and
there are at least two, for no branch has less. Where there is a choice, nothing is put back, nor
without a readable freelist or with one that contradicts the tree: what is current could not be
told from what is left over.

A sound page may have been written to the place of another one, or be a former state of itself. Then
the pages below the right one are orphans. A page with something wrong below it is taken for such a
one when without it fewer pages are left unexplained.

Source: spec section 3.5, case D, with 720 trials in which nothing was lost and nothing wrong.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from bolt_store.codec.branch import Branch
from bolt_store.codec.bucket import decode_bucket
from bolt_store.codec.layout import BRANCH_FLAG, LEAF_FLAG, META_PAGE_COUNT
from bolt_store.codec.leaf import Leaf
from bolt_store.errors import PageError
from bolt_store.limits import TREE_DEPTH_MAX
from bolt_store.salvaging.compare import Move, walk
from bolt_store.salvaging.freelist import FreePages, shared_count
from bolt_store.salvaging.knowledge import Classify
from bolt_store.salvaging.scan import STRICT, Path, Scan
from bolt_store.salvaging.survey import Attachment, Attachments, Lost, Place, Survey

Paths: TypeAlias = Mapping[int, frozenset[Path]]
"""The buckets that orphans can belong to, by their page; of those that are not here, any."""

ROUND_COUNT_MAX: Final = 8
"""A lost branch below a lost branch takes a round more; trees are seldom deeper."""

COMPARISON_COUNT_MAX: Final = 1_000_000
"""Orphans times holes that are compared; a file with more damage than that needs a person."""

CHILD_COUNT_MIN: Final = 2

WRONG_PAGE_COUNT_MAX: Final = 4
"""Pages of one state that are taken for misplaced at most."""

SUSPECT_COUNT_MAX: Final = 16
"""Pages of which each is left out in turn: each costs a walk."""

SUSPECT_HEIGHT_MAX: Final = 3
"""A misplaced page is found by what is wrong in it, below it, and in the buckets that it names."""

WRONG_REFERENCES: Final = frozenset({"page.range", "page.kind", "page.shared", "key.range"})
"""Why something is lost although the page that was meant may be whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A topmost orphan: the root of a subtree that has lost its parent.

    Attributes:
        height: Levels below it; 0 for a leaf.
        last_key: Its last key, as far as the way there can be read.
        has_buckets_only: Whether its first leaf holds nothing but buckets.
        sample: Key and value of its first element that is no bucket; None when there is none.
    """

    pgid: int
    height: int
    first_key: bytes = field(repr=False)
    last_key: bytes = field(repr=False)
    has_buckets_only: bool
    sample: tuple[bytes, bytes] | None = field(repr=False)


def repair(
    survey: Survey,
    free: FreePages | None,
    high_water_mark: int,
    classify: Classify | None,
    others: Sequence[Survey] = (),
    *,
    is_named: bool = False,
) -> Survey:
    """Put orphans back into the holes of a tree, as far as there is no choice.

    Args:
        free: Its freelist; None when there is no usable one.
        high_water_mark: Where the pages of later states begin.
        classify: Tells buckets apart where keys do not.
        others: Other states of the file, in which the keys of an orphan may still be in place.
        is_named: Whether a meta names both tree and freelist, so that a page of which much is lost
            may be taken for a misplaced one. Of a left-over tree, pages were used again.

    Returns:
        The survey after that; the same one when nothing was put back.
    """
    if free is None:
        return survey
    mend = _Mend(free, high_water_mark, classify, others)
    best = mend.put_back(survey)
    for _ in range(WRONG_PAGE_COUNT_MAX if is_named else 0):
        unexplained = mend.unexplained_count(best)
        better = None
        for pgid in _suspects(best, free) if unexplained and best.problem_count else ():
            wrong = best.wrong_pgids | {pgid}
            other = mend.put_back(Survey(best.scan, best.root_pgid, None, wrong))
            left = mend.unexplained_count(other)
            if left < unexplained and (other.total >= best.total or not left):
                better, unexplained = other, left
        if better is None:
            break
        best = better
    return best


class _Mend(NamedTuple):
    """What orphans are put back by. The fields are the arguments of `repair`."""

    free: FreePages
    high_water_mark: int
    classify: Classify | None
    others: Sequence[Survey]

    def put_back(self, survey: Survey) -> Survey:
        """Put orphans back, unless the freelist contradicts the tree."""
        if shared_count(survey.reach, self.free.mask):
            return survey
        for _ in range(ROUND_COUNT_MAX):
            holes = [lost for lost in survey.holes if lost.pgid is not None]
            pgids = self._orphans(survey) if holes else []
            orphans = top_orphans(survey, pgids)
            paths = _paths_of(survey.scan, orphans, self.classify, self.others) if orphans else {}
            found = _assign(holes, orphans, paths)
            if not found:
                break
            attached = {**survey.attached, **found}
            survey = Survey(survey.scan, survey.root_pgid, attached, survey.wrong_pgids)
        return survey

    def unexplained_count(self, survey: Survey) -> int:
        """Count the pages that are in neither the tree nor the freelist, or in both."""
        return len(self._orphans(survey)) + shared_count(survey.reach, self.free.mask)

    def _orphans(self, survey: Survey) -> list[int]:
        return orphan_pages(survey, self.free.mask, self.high_water_mark)


def _suspects(survey: Survey, free: FreePages) -> list[int]:
    """Return the pages that may not be what should be there, those with most wrong below first.

    A page that was written to the place of another one, or a former state of the page itself, is
    sound; but what it refers to is lost, or free, or belongs to others.
    """
    scan = survey.scan
    above: dict[int, int] = {}
    for pgid in survey.owners:
        for below in _references(scan, pgid):
            above.setdefault(below, pgid)
    # What a page refers to rightly may be destroyed.
    lost = (one for one in survey.lost.values() if one.place and one.code != "page.unreadable")
    wrong = [one.place[0] for one in lost]
    wrong += [flaw.pgid for flaw in survey.flaws]
    wrong += [pgid for pgid in survey.owners if free.mask[pgid]]
    votes: Counter[int] = Counter()
    for pgid in wrong:
        page: int | None = pgid
        for _ in range(SUSPECT_HEIGHT_MAX):
            if page is None:
                break
            votes[page] += 1
            page = above.get(page)
    votes.pop(survey.root_pgid, None)
    return [pgid for pgid, _ in votes.most_common(SUSPECT_COUNT_MAX)]


def orphan_pages(
    survey: Survey,
    free: bytes | bytearray,
    high_water_mark: int,
    others: bytes | bytearray = b"",
) -> list[int]:
    """Return the orphans of a snapshot, ascending.

    Args:
        free: A byte for each page, not 0 where its freelist has it.
        high_water_mark: Where the pages of later states begin.
        others: A byte for each page, not 0 where another snapshot uses it; such a page is none.

    Returns:
        First pages of runs.
    """
    scan = survey.scan
    found = []
    end = META_PAGE_COUNT
    for pgid in range(META_PAGE_COUNT, min(scan.page_count, high_water_mark)):
        kind = scan.kinds[pgid]
        if pgid < end or not kind & STRICT or not kind & (BRANCH_FLAG | LEAF_FLAG):
            continue
        run = slice(pgid, pgid + scan.run_length(pgid))
        if pgid not in survey.wrong_pgids and not (
            any(survey.reach[run]) or any(free[run]) or any(others[run])
        ):
            found.append(pgid)
            # Inside of a run there may be left-overs that look like pages.
            end = run.stop
    return found


def top_orphans(survey: Survey, pgids: list[int]) -> list[Orphan]:
    """Describe the orphans that no other orphan refers to."""
    scan = survey.scan
    below: set[int] = set()
    for pgid in pgids:
        below.update(_references(scan, pgid))
    orphans = (describe(scan, pgid) for pgid in pgids if pgid not in below)
    return [orphan for orphan in orphans if orphan is not None]


def _references(scan: Scan, pgid: int) -> Iterator[int]:
    """Give the pages that a page refers to: children, or roots of buckets."""
    if scan.kind(pgid) == BRANCH_FLAG:
        yield from scan.branch(pgid).children
        return
    leaf = scan.leaf(pgid)
    for flag, value in zip(leaf.flags, leaf.values, strict=True):
        if flag:
            try:
                yield decode_bucket(value, pgid=pgid).root_pgid
            except PageError:
                continue


def describe(scan: Scan, pgid: int) -> Orphan | None:
    """Walk down both edges of a subtree; None for an empty leaf and for what has no leaf."""
    first, height = _edge(scan, pgid, 0)
    last, _ = _edge(scan, pgid, -1)
    if not isinstance(first, Leaf) or not first.keys:
        return None
    top = scan.branch(pgid).keys if height else first.keys
    plain = [index for index, flag in enumerate(first.flags) if not flag]
    return Orphan(
        pgid=pgid,
        height=height,
        first_key=top[0],
        last_key=last.keys[-1] if last.keys else top[-1],
        has_buckets_only=not plain,
        sample=(first.keys[plain[0]], first.values[plain[0]]) if plain else None,
    )


def _edge(scan: Scan, pgid: int, index: int) -> tuple[Leaf | Branch[int], int]:
    """Go down along the first or the last children, as far as they can be read."""
    for depth in range(TREE_DEPTH_MAX):
        if scan.kind(pgid) == LEAF_FLAG:
            return scan.leaf(pgid), depth
        branch = scan.branch(pgid)
        child = branch.children[index] if branch.children else 0
        if scan.kind(child) not in (BRANCH_FLAG, LEAF_FLAG):
            return branch, depth
        pgid = child
    return scan.branch(pgid), TREE_DEPTH_MAX


def _paths_of(
    scan: Scan, orphans: list[Orphan], classify: Classify | None, others: Sequence[Survey]
) -> Paths:
    """Find out which buckets orphans can belong to: by what they hold, and where that was before.

    A bucket of which nothing shows that a part is lost gives no hole. Without this, all of it would
    go where something else is missing.
    """
    found: dict[int, frozenset[Path]] = {}
    keys: dict[int, list[bytes]] = {}
    for orphan in orphans:
        path = classify(*orphan.sample) if classify is not None and orphan.sample else None
        if path is not None:
            found[orphan.pgid] = frozenset({path})
        else:
            leaf, _ = _edge(scan, orphan.pgid, 0)
            keys[orphan.pgid] = leaf.keys
    wanted = {key for some in keys.values() for key in some}
    known: dict[bytes, set[Path]] = {}
    for other in others if wanted else ():
        for path, key in _keyed(other):
            if key in wanted:
                known.setdefault(key, set()).add(path)
    for pgid, some in keys.items():
        seen = [known[key] for key in some if key in known]
        if seen and 2 * len(seen) >= len(some):
            found[pgid] = frozenset[Path]().union(*seen)
    return found


def _keyed(survey: Survey) -> Iterator[tuple[Path, bytes]]:
    """Give all keys of a state with the bucket that they are in."""
    path: list[bytes] = []
    for step in walk(survey, None):
        if step.move is Move.LEAVE:
            path.pop()
        elif step.left is not None:
            yield tuple(path), step.left.key
            if step.move is Move.ENTER:
                path.append(step.left.key)


def _assign(holes: list[Lost], orphans: list[Orphan], paths: Paths) -> Attachments:
    """Decide which orphans go into which hole."""
    if len(holes) * len(orphans) > COMPARISON_COUNT_MAX:
        return {}
    itself = _one_to_one(holes, orphans, paths)
    taken = {orphan.pgid for orphan in itself.values()}
    found: dict[Place, tuple[Attachment, ...]] = {
        place: (Attachment(orphan.pgid, orphan.first_key, is_itself=True),)
        for place, orphan in itself.items()
    }
    open_holes = {
        hole.place: hole for hole in holes if hole.place not in itself and hole.height != 0
    }
    children: dict[Place, list[Orphan]] = {}
    for orphan in orphans:
        if orphan.pgid not in taken:
            hole = _parent_of(orphan, list(open_holes.values()), paths)
            if hole is not None:
                children.setdefault(hole.place, []).append(orphan)
    for place, given in children.items():
        level = _fitting(open_holes[place], given)
        if len(level) >= CHILD_COUNT_MIN:
            found[place] = tuple(
                Attachment(orphan.pgid, orphan.first_key, is_itself=False) for orphan in level
            )
    return found


def _one_to_one(holes: list[Lost], orphans: list[Orphan], paths: Paths) -> dict[Place, Orphan]:
    """Find the orphans that are themselves what a hole should refer to."""
    fits = [
        (hole, orphan)
        for hole in holes
        for orphan in orphans
        if _may_be(orphan, hole) and _may_be_in(orphan, hole, paths)
    ]
    by_hole = Counter(hole.place for hole, _ in fits)
    by_orphan = Counter(orphan.pgid for _, orphan in fits)
    return {
        hole.place: orphan
        for hole, orphan in fits
        if by_hole[hole.place] == 1 and by_orphan[orphan.pgid] == 1
    }


def _may_be(orphan: Orphan, hole: Lost) -> bool:
    """Tell whether an orphan can be the page that a damaged reference was meant for."""
    if not _is_in_range(orphan, hole):
        return False
    if hole.first_key is not None:
        return orphan.first_key == hole.first_key and orphan.height == hole.height
    # The root of a bucket has no separator. Where its page is destroyed, no orphan is it.
    return hole.code in WRONG_REFERENCES


def _parent_of(orphan: Orphan, holes: list[Lost], paths: Paths) -> Lost | None:
    """Return the one hole that an orphan can be a child of; None when there is a choice or none."""
    possible = [
        hole for hole in holes if _may_be_below(orphan, hole) and _may_be_in(orphan, hole, paths)
    ]
    if len(possible) > 1:
        exact = [hole for hole in possible if hole.first_key == orphan.first_key]
        if len(exact) == 1:
            return exact[0]
    return possible[0] if len(possible) == 1 else None


def _may_be_in(orphan: Orphan, hole: Lost, paths: Paths) -> bool:
    possible = paths.get(orphan.pgid)
    return possible is None or hole.tree.bucket.path in possible


def _may_be_below(orphan: Orphan, hole: Lost) -> bool:
    is_level = hole.height is None or orphan.height == hole.height - 1
    return is_level and _is_in_range(orphan, hole)


def _is_in_range(orphan: Orphan, hole: Lost) -> bool:
    if hole.tree.is_root and not orphan.has_buckets_only:
        return False
    if hole.first_key is not None and orphan.first_key < hole.first_key:
        return False
    return hole.end_key is None or orphan.last_key < hole.end_key


def _fitting(hole: Lost, given: list[Orphan]) -> list[Orphan]:
    """Keep, in the order of their keys, those of one height of which none overlaps another."""
    height = hole.height
    if height is None:
        height = Counter(orphan.height for orphan in given).most_common(1)[0][0] + 1
    level = sorted(
        (orphan for orphan in given if orphan.height == height - 1),
        key=lambda orphan: orphan.first_key,
    )
    kept = []
    reached: bytes | None = None
    for index, orphan in enumerate(level):
        is_behind = reached is None or orphan.first_key > reached
        following = level[index + 1].first_key if index + 1 < len(level) else None
        is_before = following is None or orphan.last_key < following
        if is_behind and is_before:
            kept.append(orphan)
        reached = orphan.last_key if reached is None else max(reached, orphan.last_key)
    return kept
