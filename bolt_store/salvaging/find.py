"""Snapshots without a meta: root pages and freelists that belong together.

Lives here: the search for roots (case A) and the order in time of what was found. Must not live
here: mending (`repair`), the choice between what the metas say and what was found (`run`).

A root is a leaf with buckets only, or a branch above such leaves. Each candidate is walked; those
that nothing is lost in are compared with every freelist. Exact pairs are snapshots. Besides, the
candidates that reach most are given: they may be newer, with something lost from them or from their
freelist. The inner pages of an intact tree of buckets look like roots, too, and are none.

Source: spec section 3.5, case A, with the trials made for it.
"""

from dataclasses import dataclass
from heapq import nlargest
from typing import Final

from bolt_store.codec.layout import BRANCH_FLAG, LEAF_FLAG, META_PAGE_COUNT
from bolt_store.limits import TREE_DEPTH_MAX
from bolt_store.salvaging.freelist import LISTED, Fit, FreePages, fit, page_set
from bolt_store.salvaging.scan import BUCKETS_ONLY, Path, Scan
from bolt_store.salvaging.survey import Survey

WALK_FACTOR: Final = 64
"""The search ends when it has walked so many times the pages of the file. A file in use has 2 to 16
candidates, most of which share their pages (spec section 3.5)."""

FREELIST_COUNT_MAX: Final = 256
"""Freelists kept at a time: one byte for each page of the file each. The largest are kept: as a
file grows, so does its list."""

SURVEY_COUNT_MAX: Final = 64
"""Candidates kept at a time."""

CHAIN_COUNT_MAX: Final = 6
"""Snapshots whose order is found by comparing each with each."""

SKIPPED_COUNT_MAX: Final = 16
"""Freelists that are looked at for a state whose pages a writer may have skipped."""

LARGE_SHARE: Final = 10
"""A root counts as large when it reaches nine tenths of what the largest one reaches."""

BEST_COUNT_MAX: Final = 4
"""Damaged trees that are given when no snapshot is found."""

LEAK_COUNT_MIN: Final = 4
LEAK_SHARE: Final = 50
"""Uncovered pages that bbolt's own leaks explain: four, or one in fifty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A tree and a freelist that go together.

    Attributes:
        free: The freelist; None when none fits.
        fit: How they go together; None without a freelist.
    """

    survey: Survey
    free: FreePages | None
    fit: Fit | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the search has found.

    Attributes:
        exact: Pairs that are a snapshot, the newest first.
        leaky: Pairs that would be one, but for a few pages that neither has; the newest first.
        best: The roots from which most can be reached and that are no such pair.
        most: The root pages from which most can be reached, also those in other trees.
        tops: What looks like a root and is in no other tree.
        claims: The buckets that pages are in, in any tree.
        parents: Branches above the pages that look like roots and are inner pages of a tree.
        is_order_certain: Whether the order of the pairs follows from the pages.
        is_complete: Whether every candidate was looked at.
    """

    exact: tuple[Pair, ...]
    leaky: tuple[Pair, ...]
    best: tuple[Pair, ...]
    most: tuple[int, ...]
    tops: tuple[Survey, ...]
    claims: dict[int, set[Path]]
    parents: dict[int, int]
    is_order_certain: bool
    is_complete: bool


def find_snapshots(scan: Scan) -> Found:
    """Search a file for snapshots, without its metas."""
    surveys: list[Survey] = []
    credit = WALK_FACTOR * scan.page_count
    is_complete = True
    claims: dict[int, set[Path]] = {}
    candidates = root_candidates(scan)
    parents = inner_pages(scan, candidates)
    for pgid in reversed(candidates):
        if credit < 0:
            is_complete = False
            break
        survey = Survey(scan, pgid)
        credit -= survey.page_count + survey.problem_count + 1
        for owned, bucket in survey.owners.items():
            claims.setdefault(owned, set()).add(bucket.path)
        survey.forget_details()
        # What leads to no bucket is worth nothing, and many a page looks like an empty root.
        if survey.bucket_count:
            surveys.append(survey)
            surveys = _keep_best(surveys)
    lists = free_lists(scan)
    pairs = [best_pair(survey, lists) for survey in surveys if not survey.problem_count]
    exact, leaky = _snapshots(scan, pairs)
    leaky, halves = _without_halves(leaky, surveys, lists)
    parents |= halves
    ordered, is_certain = _newest_first(exact or leaky)
    paired = {pair.survey.root_pgid for pair in ordered}
    others = [
        survey
        for survey in surveys
        if survey.root_pgid not in paired and survey.root_pgid not in parents
    ]
    tops = [survey for survey in others if _is_top(survey, others)]
    best = _ranked(tops or others)
    most = nlargest(BEST_COUNT_MAX, surveys, key=lambda survey: survey.total)
    return Found(
        exact=tuple(ordered) if exact else (),
        leaky=() if exact else tuple(ordered),
        best=tuple(
            best_pair(Survey(scan, survey.root_pgid), lists) for survey in best[:BEST_COUNT_MAX]
        ),
        most=tuple(survey.root_pgid for survey in most),
        tops=tuple(tops),
        claims=claims,
        parents=parents,
        is_order_certain=is_certain,
        is_complete=is_complete and scan.is_complete,
    )


def root_candidates(scan: Scan) -> list[int]:
    """Return the pages that may be the root of the root bucket, ascending."""
    return [
        pgid
        for pgid in range(META_PAGE_COUNT, scan.page_count)
        if scan.kinds[pgid] & BUCKETS_ONLY
        or (scan.kind(pgid) == BRANCH_FLAG and _begins_with_buckets(scan, pgid))
    ]


def inner_pages(scan: Scan, candidates: list[int]) -> dict[int, int]:
    """Find the pages that only look like roots: those that an intact branch has as its children.

    A branch that is left over from a former state may name a page that was used again since, even
    as the root of a later state, whose first key is the same. That is a branch then.

    Returns:
        For each of these pages the branch.
    """
    found: dict[int, int] = {}
    for pgid in candidates:
        if scan.kind(pgid) != BRANCH_FLAG or scan.is_damaged(pgid):
            continue
        branch = scan.branch(pgid)
        is_even = len({scan.kind(child) for child in branch.children}) == 1
        if is_even and all(map(scan.is_first_key, branch.children, branch.keys)):
            found.update(dict.fromkeys(branch.children, pgid))
    return found


def _begins_with_buckets(scan: Scan, pgid: int) -> bool:
    """Tell whether the first leaf below a branch has buckets only; a walk looks at the others."""
    for _ in range(TREE_DEPTH_MAX):
        kind = scan.kind(pgid)
        if kind == LEAF_FLAG:
            return bool(scan.kinds[pgid] & BUCKETS_ONLY)
        if kind != BRANCH_FLAG:
            return False
        pgid = next(iter(scan.branch(pgid).children), 0)
    return False


def free_lists(scan: Scan) -> list[FreePages]:
    """Return the freelists of a file, the largest ones where there are very many."""
    pgids = scan.freelist_pgids
    if len(pgids) > FREELIST_COUNT_MAX:
        pgids = nlargest(FREELIST_COUNT_MAX, pgids, key=lambda pgid: len(scan.freelist(pgid)))
    return [FreePages(scan, pgid) for pgid in pgids]


def best_pair(survey: Survey, lists: list[FreePages]) -> Pair:
    """Find the freelist of a tree: it shares no page with it and leaves the fewest uncovered."""
    fits = [(fit(survey, free), free) for free in lists]
    possible = [
        (found.uncovered_count, index)
        for index, (found, _) in enumerate(fits)
        if not found.conflict_count
    ]
    if not possible:
        return Pair(survey=survey, free=None, fit=None)
    found, free = fits[min(possible)[1]]
    return Pair(survey=survey, free=free, fit=found)


def _snapshots(scan: Scan, pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs that cover all pages, and those that leave no more than a leak."""
    tolerance = max(LEAK_COUNT_MIN, scan.page_count // LEAK_SHARE)
    exact, leaky = [], []
    for pair in pairs:
        if pair.fit is not None and not pair.fit.uncovered_count:
            exact.append(pair)
        elif pair.fit is not None and pair.fit.uncovered_count <= tolerance:
            leaky.append(pair)
    return exact, leaky


def _without_halves(
    leaky: list[Pair], surveys: list[Survey], lists: list[FreePages]
) -> tuple[list[Pair], dict[int, int]]:
    """Drop what is a part of a damaged tree that leaves less uncovered; return the roots of that.

    Below a root with a lost child, each other child is a tree that nothing is lost in; but its
    freelist does not have the root and what is below the other children.
    """
    kept: list[Pair] = []
    parents: dict[int, int] = {}
    for pair in leaky:
        root = pair.survey.root_pgid
        above = [
            survey.root_pgid
            for survey in surveys
            if survey.problem_count and root in survey.root_pages and survey.root_pgid != root
            if _is_better_covered(best_pair(survey, lists), pair)
        ]
        if above:
            parents[root] = above[0]
        else:
            kept.append(pair)
    return kept, parents


def _is_better_covered(whole: Pair, part: Pair) -> bool:
    if whole.fit is None or part.fit is None:
        return False
    return whole.fit.uncovered_count < part.fit.uncovered_count


def _keep_best(surveys: list[Survey]) -> list[Survey]:
    """Bound the number of candidates that are kept: each has a byte for each page."""
    if len(surveys) <= SURVEY_COUNT_MAX:
        return surveys
    worst = min(surveys, key=lambda survey: (not survey.problem_count, survey.page_count))
    return [survey for survey in surveys if survey is not worst]


def _ranked(tops: list[Survey]) -> list[Survey]:
    """Return the candidates that reach most, those before that nothing is lost in.

    A small root that nothing is lost in is a left-over from the beginning of the file, not better
    than a large one with a hole.
    """
    most = max((survey.total for survey in tops), default=0)
    large = [survey for survey in tops if survey.total * LARGE_SHARE >= most * (LARGE_SHARE - 1)]
    return sorted(large, key=lambda survey: (survey.problem_count > 0, -survey.total))


def _is_top(survey: Survey, surveys: list[Survey]) -> bool:
    """Tell whether a candidate is neither in another root's tree nor has another root in its own.

    What another one reaches is a nested bucket. But where both have the same buckets, the one that
    reaches is a left-over whose page for some bucket has become the root of a later state.
    """
    for other in surveys:
        if other is survey or other.root_pgid == survey.root_pgid:
            continue
        if other.root_pgid in survey.root_pages:
            continue  # an inner page of this very tree
        if survey.root_pgid in other.root_pages:
            return False
        if other.reach[survey.root_pgid] and not _is_alike(survey, other):
            return False
        if survey.reach[other.root_pgid] and _is_alike(survey, other):
            return False
    return True


def _is_alike(first: Survey, second: Survey) -> bool:
    """Tell whether two roots have more than half of the names in their first leaves in common."""
    names = [_first_names(survey.scan, survey.root_pgid) for survey in (first, second)]
    return 2 * len(names[0] & names[1]) > min(map(len, names))


def _first_names(scan: Scan, pgid: int) -> frozenset[bytes]:
    for _ in range(TREE_DEPTH_MAX):
        if scan.kind(pgid) == LEAF_FLAG:
            return frozenset(scan.leaf(pgid).keys)
        if scan.kind(pgid) != BRANCH_FLAG:
            break
        pgid = next(iter(scan.branch(pgid).children), 0)
    return frozenset()


# -- which is newer ----------------------------------------------------------------------------


def _newest_first(pairs: list[Pair]) -> tuple[list[Pair], bool]:
    """Order snapshots in time; tell whether the pages allow no other newest one.

    The high water mark never falls. Under equal ones, bbolt's allocation tells which can follow
    which: what a transaction wrote lies on the lowest pages that were free before. The newest is
    the end of the longest chain, for of a file at rest the last two are whole, and follow.
    """
    ordered = sorted(pairs, key=_high_water_mark, reverse=True)
    if not ordered:
        return ordered, False
    top = _high_water_mark(ordered[0])
    group = [pair for pair in ordered if _high_water_mark(pair) == top][:CHAIN_COUNT_MAX]
    if len(group) == 1:
        return ordered, True
    lengths = _chain_lengths(group, ordered[len(group) :])
    ranked = sorted(range(len(group)), key=lambda index: -lengths[index])
    is_certain = lengths[ranked[0]] > lengths[ranked[1]]
    return [group[index] for index in ranked] + ordered[len(group) :], is_certain


def _chain_lengths(group: list[Pair], before: list[Pair]) -> list[int]:
    """Return for each snapshot how many can have been written one on top of the other up to it.

    What was freed and written again is lost to all states before. So in the order of time no page
    of a whole state is in use, then free, then in use again.
    """
    used = [_pages_in_use(pair) for pair in group]
    lists = [_list_pgid(pair) for pair in group]
    unsure = frozenset(group[0].survey.scan.freelist_pgids) - set(map(_list_pgid, before))
    lengths = [1] * len(group)
    chains: list[tuple[tuple[int, ...], int]] = [((index,), 0) for index in range(len(group))]
    while chains:
        chain, freed = chains.pop()
        last = chain[-1]
        lengths[last] = max(lengths[last], len(chain))
        # What is not before in the chain is no state whose pages could have been skipped.
        after = frozenset(pgid for index, pgid in enumerate(lists) if index not in chain)
        chains += [
            ((*chain, index), freed | (used[last] & ~used[index]))
            for index, pair in enumerate(group)
            if index not in chain
            and not used[index] & freed
            and (
                _may_follow(pair, group[last], after)
                # What the first one skipped may be written over, and the list of it.
                or (len(chain) == 1 and not _may_follow(group[last], pair, unsure, is_sure=True))
            )
        ]
    return lengths


def _list_pgid(pair: Pair) -> int:
    return pair.free.pgid if pair.free is not None else 0


def _pages_in_use(pair: Pair) -> int:
    """Return a number with a bit set for each page of a tree and of its freelist."""
    own = pair.free.mask if pair.free is not None else bytes(len(pair.survey.reach))
    return page_set(pair.survey.reach) | page_set(own.replace(bytes([LISTED]), b"\0"))


def _high_water_mark(pair: Pair) -> int:
    return pair.fit.high_water_mark if pair.fit is not None else 0


def _may_follow(newer: Pair, older: Pair, after: frozenset[int], *, is_sure: bool = False) -> bool:
    if newer.free is None or older.free is None:
        return True
    ends = _high_water_mark(newer), _high_water_mark(older)
    scan = newer.survey.scan
    return may_follow(scan, newer.free, older.free, ends, after, is_sure=is_sure)


def may_follow(
    scan: Scan,
    newer: FreePages,
    older: FreePages,
    ends: tuple[int, int],
    after: frozenset[int] = frozenset(),
    *,
    is_sure: bool = False,
) -> bool:
    """Tell whether one state can have been written on top of another one by bbolt.

    Only their freelists are looked at, so that it can be told of damaged trees, too.

    Args:
        newer: The freelist of what may be newer.
        older: The freelist of what may be older.
        ends: The high water marks of the two.
        after: Freelists of states that were not before the older one.
        is_sure: Require that the pages show it, where by default they must not show the contrary.
    """
    new_end, old_end = ends
    if new_end != old_end:
        # The mark never falls.
        return new_end > old_end
    free = [pgid for pgid, mark in enumerate(older.mask) if mark == LISTED]
    new = [pgid for pgid in free if newer.mask[pgid] != LISTED]
    if any(scan.run_length(pgid) > 1 or not scan.kind(pgid) for pgid in new):
        # A run goes where it fits, which need not be lowest.
        return not is_sure
    if new == free[: len(new)]:
        return True
    # A writer that keeps the state before, for a reader or to go back to it, skips its pages.
    pgids = [pgid for pgid in scan.freelist_pgids if pgid < old_end and pgid not in after]
    lists = (scan.freelist(pgid) for pgid in pgids[:SKIPPED_COUNT_MAX])
    skipped = (set(ids) for ids in lists if not ids or ids[-1] < old_end)
    return any(new == [pgid for pgid in free if pgid in listed][: len(new)] for listed in skipped)
