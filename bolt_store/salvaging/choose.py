"""Which state of a damaged file the new one is made from.

Lives here: the choice between what the two metas name and what was found without them. Must not
live here: writing the new file (`run`).

The newest state that is proven whole, by a freelist that has all that its tree has not, is taken at
once. Otherwise the states are held against one another, the newest first, and a later one takes the
place of an earlier one only when it gives back more:

- than a damaged one that a meta names: when it has more in the ranges that are lost there than it
  lacks elsewhere. What the newer state has deleted is no gain: a revoked token is not given back. A
  state that no meta names must be whole for that or have far more, and agree on what belongs where:
  its pages may have been used again.
- than a whole one that a meta names: when that is in doubt and far poorer, lacks buckets, begins
  at an inner page of another tree, or most of what its orphans hold is missing in it: then they
  are what a lost page led to. Of a leaked page most is in the tree, in a newer state.
- than one that no meta names: when it has more, and nothing says that it is older. Of whole states
  the order of their pages says so, as far as it is certain.

A state that covers its freelist and can only have been written later is later, whatever the metas
say: in a copy of a live file they are older than its pages. One that lacks only pages that another
one lacks as well is whole but for them. What is a page below a lost root is put together with the
others (`joining`).

Where pages of the newest state that a meta names were used again, the file is a copy that was made
while many transactions went on. Then nothing tells which state is newer, and of those that are not
older than what the metas name, the one that has most is taken, without the pages that belong to
other buckets (`claims`).

Without a meta, what most is reached from is taken where all that stand alone are far poorer.

Above all stands what the caller knows to be essential: a state without these buckets loses against
one that has them, unless that is far poorer. A state without a bucket is none.

Source: spec section 3.5, step 0 and cases A, B and F; section 3.1 for what a lost write leaves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from bolt_store.codec.layout import LEAF_FLAG
from bolt_store.salvaging.candidate import (
    Candidate,
    MetaSlotFacts,
    from_pair,
    named_candidates,
    repaired,
)
from bolt_store.salvaging.claims import foreign_pages
from bolt_store.salvaging.compare import Move, walk
from bolt_store.salvaging.find import (
    SURVEY_COUNT_MAX,
    Found,
    best_pair,
    find_snapshots,
    free_lists,
    may_follow,
)
from bolt_store.salvaging.freelist import LISTED, OWN_RUN
from bolt_store.salvaging.joining import joined
from bolt_store.salvaging.knowledge import Knowledge
from bolt_store.salvaging.repair import WRONG_REFERENCES
from bolt_store.salvaging.report import SalvageMethod
from bolt_store.salvaging.scan import BUCKETS_ONLY, STRICT, Scan
from bolt_store.salvaging.survey import IN_TREE, Survey

POOR_SHARE: Final = 2
"""A state is far poorer than another one when it has less than half of its keys and buckets."""

STATE_COUNT: Final = 2
"""States of a file that are kept whole: the newest, and the one before."""

PART_SHARE: Final = 10
"""One transaction seldom deletes a tenth of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the new file is made from.

    Attributes:
        chosen: The state; None when there is none.
        others: Further states that were looked at, the best first, each with another root.
        is_newest: Whether it is known to be the newest state.
        is_complete: Whether all candidates were looked at.
    """

    method: SalvageMethod
    chosen: Candidate | None
    others: tuple[Candidate, ...]
    is_newest: bool
    is_complete: bool


def choose_root(
    scan: Scan, metas: tuple[MetaSlotFacts, ...], root_pgid: int, knowledge: Knowledge
) -> Choice:
    """Take the root that the caller names, with the freelist that fits it best."""
    named = named_candidates(scan, metas)
    given = [candidate for candidate in named if candidate.survey.root_pgid == root_pgid]
    if not given:
        given = _at(scan, (root_pgid,), ())
    chosen = repaired(given[0], knowledge, named)
    return Choice(
        method=SalvageMethod.CHOSEN,
        chosen=chosen,
        others=_others(chosen, named, {}),
        is_newest=_is_newest(chosen, named, metas),
        is_complete=True,
    )


def choose(
    scan: Scan,
    metas: tuple[MetaSlotFacts, ...],
    knowledge: Knowledge,
) -> Choice:
    """Choose a state of the file.

    Args:
        metas: Its usable metas, the newer one first.
    """
    named = named_candidates(scan, metas)
    essential = knowledge.essential
    # Where one meta is lost, the state that it named may be the newer one, and still be there.
    is_newest = len(metas) > 1 and bool(named) and named[0].named_by == metas[0]
    is_sure = is_newest and named[0].is_proven and not _lacks_more(named[0], named, essential)
    # Pages past its mark are of a later state: of a transaction that never ended, or of those that
    # went on while the file was copied. Nothing tells which, so that is looked for, and offered.
    if is_sure and not any(kind & STRICT for kind in scan.kinds[named[0].high_water_mark :]):
        return _made(named[0], named, metas, {}, is_complete=True)
    found = find_snapshots(scan)
    scan.foreign = foreign_pages(scan, found.claims, knowledge)
    if scan.foreign:
        named, found = named_candidates(scan, metas), find_snapshots(scan)
    ordered = _in_order(named, found, metas)
    pool = [repaired(candidate, knowledge, ordered) for candidate in ordered]
    best: Candidate | None = None
    for candidate in pool:
        if candidate.survey.bucket_count and (
            best is None
            or _is_better(candidate, best, found, essential, is_meta_lost=len(metas) < STATE_COUNT)
        ):
            best = candidate
    is_overtaken = bool(named) and _is_overtaken(named[0], found)
    if best is not None and (not named or is_overtaken or not named[0].survey.bucket_count):
        further = [repaired(seen, knowledge, ordered) for seen in _at(scan, found.most, metas)]
        later = [
            seen for seen in (*pool, *further) if all(_may_be_after(seen, other) for other in named)
        ]
        most = max([best, *later], key=lambda seen: (seen.total, seen.is_proven))
        is_whole = best.is_clean and best.named_by in metas[:1]
        best = most if _is_poor(best, most) or (is_overtaken and not is_whole) else best
    if best is not None and not best.is_named and not best.is_proven:
        # What looks like a root may be one of several pages below a lost one.
        # With a freelist, the others are its orphans.
        cut_off = [pgid for pgid in best.orphans or () if scan.kinds[pgid] & BUCKETS_ONLY]
        beside = [Survey(scan, pgid) for pgid in cut_off[:SURVEY_COUNT_MAX]]
        whole = joined(best.survey, [*found.tops, *beside])
        best = best if whole is None else replace(best, survey=whole, orphans=None)
    if best is None:
        # A new file has no bucket yet, and is whole.
        best = next((seen for seen in pool if seen.is_named and seen.is_clean), None)
    return _made(best, pool, metas, found.parents, is_complete=found.is_complete)


def _at(scan: Scan, root_pgids: Iterable[int], metas: tuple[MetaSlotFacts, ...]) -> list[Candidate]:
    """Give the states of roots, each with the freelist that fits it best."""
    lists = free_lists(scan)
    return [from_pair(best_pair(Survey(scan, pgid), lists), metas) for pgid in root_pgids]


def _in_order(
    named: list[Candidate], found: Found, metas: tuple[MetaSlotFacts, ...]
) -> list[Candidate]:
    """Put all states into one order, as far as it is known the newest first.

    A meta with a wrong root still names a freelist, and the tree that fits that exactly is its
    state. So is the tree of which a meta names an inner page: the meta is older than its page.
    """
    exact = [from_pair(pair, metas) for pair in found.exact]
    others = [from_pair(pair, metas) for pair in (*found.leaky, *found.best)]
    unnamed = [*exact, *others]
    pool: list[Candidate] = []
    if len(metas) == 1:
        pool += [seen for seen in exact if _may_be_newer(seen, named, found)]
    for meta in metas:
        root = meta.meta.root_pgid
        own = [seen for seen in named if seen.named_by == meta]
        # Else that freelist is a former one in the same place, as is its tree.
        fitting = [seen for seen in exact if seen.named_by == meta and meta.is_root_wrong]
        pool += own + fitting if own and own[0].is_clean else fitting + own
        pool += [seen for seen in unnamed if seen.survey.root_pgid == found.parents.get(root)]
    roots: set[int] = set()
    once = []
    for candidate in [*pool, *unnamed]:
        if candidate.survey.root_pgid not in roots:
            roots.add(candidate.survey.root_pgid)
            once.append(candidate)
    return once


def _is_overtaken(newest: Candidate, found: Found) -> bool:
    """Tell whether pages of the newest state that a meta names were used again since.

    No transaction does that before the next meta is written. So the file is a copy that was made
    while transactions went on, and its pages are of more states than its metas know.
    """
    scan = newest.survey.scan
    root = newest.survey.root_pgid
    if root in found.parents or (not newest.survey.bucket_count and _is_sound(scan, root)):
        return True
    # What it has elsewhere is in its own place there.
    reach = newest.survey.reach
    pages = {lost.pgid for lost in newest.survey.holes if lost.code != "page.unreadable"}
    if newest.free is None and newest.named_by is not None:
        pages.add(newest.named_by.meta.freelist_pgid)
    return (newest.has_conflicts and not newest.is_clean) or any(
        pgid is not None and _is_sound(scan, pgid) and not reach[pgid] for pgid in pages
    )


def _is_sound(scan: Scan, pgid: int) -> bool:
    """Tell whether a page is one that bbolt writes, so that it was used again if it is not ours."""
    return pgid < scan.page_count and bool(scan.kinds[pgid] & STRICT)


def _may_be_newer(seen: Candidate, named: list[Candidate], found: Found) -> bool:
    """Tell whether a whole state can be the one that a lost meta named, and newer than the other.

    The two metas name states that follow each other. Which one can follow which, their freelists
    say; where that is either, more content counts as newer.
    """
    roots = [pair.survey.root_pgid for pair in found.exact]
    for other in named:
        root = other.survey.root_pgid
        if found.is_order_certain and root in roots:
            return roots.index(seen.survey.root_pgid) < roots.index(root)
        if root == seen.survey.root_pgid or not _may_be_after(seen, other):
            return False
        if _may_be_after(other, seen) and not _has_more(seen, other):
            return False
    return True


def _may_be_after(newer: Candidate, older: Candidate) -> bool:
    """Tell whether nothing says that the second of two states was written on top of the first."""
    return _may_follow(newer, older) or not _may_follow(older, newer)


def _is_after(newer: Candidate, older: Candidate) -> bool:
    """Tell whether a state that no meta names was written later, as in a copy of a live file.

    The metas are copied first, so that pages may be of a state that they do not know.
    """
    is_sure = newer.is_accounted and older.free is not None
    return is_sure and _may_follow(newer, older) and not _may_follow(older, newer)


def _is_part(part: Candidate, whole: Candidate) -> bool:
    """Tell whether a state is the inner page of the tree of another one, and no state itself."""
    bucket = whole.survey.owners.get(part.survey.root_pgid)
    return bucket is not None and bucket.above is None and not part.is_covering


def _may_follow(newer: Candidate, older: Candidate) -> bool:
    if newer.free is None or older.free is None:
        return True
    ends = newer.high_water_mark, older.high_water_mark
    return may_follow(newer.survey.scan, newer.free, older.free, ends)


def _is_better(
    other: Candidate,
    best: Candidate,
    found: Found,
    essential: frozenset[bytes],
    *,
    is_meta_lost: bool,
) -> bool:
    """Tell whether a state is to be preferred to one that is as new or newer.

    Where a meta is lost, what no meta names may well be the newer state.
    """
    # Without users and organizations nobody gets in, however much else there is.
    if _lacks_more(best, [other], essential):
        return not _is_poor(other, best)
    if _lacks_more(other, [best], essential):
        return _is_poor(best, other)
    if best.named_by is None or (
        # A lost meta may have named what follows the state of the other one.
        is_meta_lost and not other.is_named and _may_be_after(other, best)
    ):
        return _is_better_than_unnamed(other, best, found, is_meta_lost=is_meta_lost)
    if best.is_clean:
        return _has_more(other, best) and _is_better_than_whole(other, best, found)
    is_as_whole = other.is_covering and not best.is_covering and _has_no_other_loss(other, best)
    if (other.is_proven or is_as_whole) and (
        # Pages that its freelist gives to others, or that a whole state has in another bucket, are
        # not its own: what it has may be theirs. Where it has lost nothing else, its freelist is
        # what is wrong. So it is with what was put back, when most of what should have been put
        # back is still missing.
        (best.has_conflicts and not _has_no_other_loss(best, other))
        or not _agree(best, other)
        or (
            _attached_count(best) < len(best.orphans or ())
            and (_attached_count(best) or _is_poorer(best, other))
            and _is_cut_off(best)
        )
    ):
        return not _is_poor(other, best)
    return _has_more(other, best) and (
        (other.is_proven and (best.is_torn or _lacks_what_it_wrote(best, other)))
        or _gives_back(other, best)
        or _is_after(other, best)
        # A former page in the place of the root hides what is below the one that was there.
        or (other.is_named and bool(other.names() - best.names()) and _is_cut_off(best))
    )


def _is_better_than_unnamed(
    other: Candidate, best: Candidate, found: Found, *, is_meta_lost: bool
) -> bool:
    """Tell whether a state is to be preferred to one of which nothing says when it was."""
    if _is_poor(best, other) or (_has_more(other, best) and _is_part(best, other)):
        return True
    # Both are states that the file was in: the order of the pages decides, where it can.
    if best.is_proven and other.is_proven:
        return not found.is_order_certain and _has_more(other, best)
    if not _has_more(other, best) or _leads_astray(other, best) or not _agree(best, other):
        return False
    if best.is_proven or best.is_named:
        return is_meta_lost
    # Of what is left over from former states, the order of the search is the best guess, but what
    # has lost a part without showing it is a part itself.
    if other.is_covering and not best.is_covering and _is_cut_off(best):
        return True
    # Pages of the newest state are lost by damage alone, its freelist like any other.
    return best.free is None and other.is_accounted


def _is_better_than_whole(other: Candidate, best: Candidate, found: Found) -> bool:
    """Tell whether a state with more is to be preferred to a newer one that seems to be whole."""
    if best.is_proven and best.is_named:
        return False
    if not other.is_clean:
        # A page of another place that is sound hides that all below the right one is lost.
        if not other.is_named or best.is_proven or not _is_poorer(best, other):
            return False
        # Without a freelist nothing tells what is cut off.
        return _is_cut_off(best) or (best.is_freelist_lost and _is_poor(best, other))
    # A whole tree below another root is half of what that leads to.
    if best.survey.root_pgid in found.parents or _is_poor(best, other):
        return True
    if not other.is_named and not other.is_proven:
        return False  # left over, as far as anybody can tell
    is_doubtful = best.is_freelist_lost or not best.is_named
    return (
        (other.is_proven and is_doubtful and _is_poorer(best, other))
        or bool(other.names() - best.names())
        or _is_cut_off(best)
        or (other.is_proven and _lacks_what_it_wrote(best, other))
    )


def _leads_astray(other: Candidate, best: Candidate) -> bool:
    """Tell whether a state refers to pages that another one has for something else by now."""
    used = best.survey.reach
    own = best.free.mask if best.free is not None else bytes(len(used))
    return any(
        lost.code in WRONG_REFERENCES
        and lost.pgid is not None
        and lost.pgid < len(used)
        and (used[lost.pgid] == IN_TREE or own[lost.pgid] == OWN_RUN)
        for lost in other.survey.lost.values()
    )


def _has_more(first: Candidate, second: Candidate) -> bool:
    return first.total > second.total


def _is_poor(first: Candidate, second: Candidate) -> bool:
    """Tell whether the first is far poorer than the second."""
    return first.total * POOR_SHARE < second.total


def _is_poorer(first: Candidate, second: Candidate) -> bool:
    """Tell whether the first lacks so much that one transaction can hardly have deleted it."""
    return first.total * PART_SHARE < second.total * (PART_SHARE - 1)


def _lacks_more(first: Candidate, others: list[Candidate], essential: frozenset[bytes]) -> bool:
    """Tell whether any of some states has more of the essential buckets than the first."""
    if not essential:
        return False
    has_count = len(essential & first.names())
    return any(len(essential & other.names()) > has_count for other in others)


def _is_cut_off(candidate: Candidate) -> bool:
    """Tell whether most keys on the orphans of a state are not in its tree."""
    scan = candidate.survey.scan
    keys: set[bytes] = set()
    for pgid in candidate.orphans or ():
        if scan.kind(pgid) == LEAF_FLAG:
            keys.update(scan.leaf(pgid).keys)
    absent = set(keys)
    for step in walk(candidate.survey, None):
        if step.left is not None:
            absent.discard(step.left.key)
    return 2 * len(absent) > len(keys)


def _attached_count(candidate: Candidate) -> int:
    return sum(map(len, candidate.survey.attached.values()))


def _lacks_what_it_wrote(newer: Candidate, older: Candidate) -> bool:
    """Tell whether a state has taken free pages of the one before for what its tree has not.

    bbolt leaks pages that were in use before, never such as it has just taken.
    """
    if newer.free is None or older.free is None or not _may_follow(newer, older):
        return False
    listed, end = older.free.mask, older.high_water_mark
    unknown = set(newer.orphans or ()) - {lost.pgid for lost in newer.survey.lost.values()}
    return any(listed[pgid] == LISTED or pgid >= end for pgid in unknown)


def _gives_back(other: Candidate, best: Candidate) -> bool:
    """Tell whether a state has more of what is lost in a newer one than it lacks of the rest."""
    is_whole = other.is_clean or other.is_covering or _has_no_other_loss(other, best)
    is_left_over = not is_whole or _leads_astray(other, best) or _has_cut_off(other, best)
    # Of what is left over, little more is no proof of anything.
    is_left_over = is_left_over and not _is_poorer(best, other)
    if not other.is_named and (is_left_over or not _agree(best, other)):
        return False
    gained = lacking = 0
    # What was put back where pages are left may not be all that belongs there.
    are_filled_missing = bool(best.orphans or best.unexplained_count)
    for step in walk(best.survey, other.survey, are_filled_missing=are_filled_missing):
        if step.move is Move.LEAVE:
            continue
        if step.left is None:
            gained += step.is_missing
        elif step.right is None or (step.move is Move.KEY and step.left.value != step.right.value):
            lacking += 1
    return gained > lacking


def _has_cut_off(other: Candidate, best: Candidate) -> bool:
    """Tell whether a state has pages cut off that a newer one has not: others took their place."""
    return not set(other.orphans or ()) <= set(best.orphans or ())


def _has_no_other_loss(other: Candidate, best: Candidate) -> bool:
    """Tell whether a state lacks only pages that another one lacks, too: it is whole but for them.

    A state whose pages were used again lacks others.
    """
    pages = {lost.pgid for lost in best.survey.lost.values()} - {None}
    return not other.survey.flaws and pages.issuperset(
        lost.pgid for lost in other.survey.lost.values()
    )


def _agree(first: Candidate, second: Candidate) -> bool:
    """Tell whether each page that two states share belongs to the same bucket in both.

    Where it does not, the page was used again since the older one, whose tree leads astray.
    """
    owners = second.survey.owners
    return all(
        bucket.path == owners[pgid].path
        for pgid, bucket in first.survey.owners.items()
        if pgid in owners
    )


def _made(
    chosen: Candidate | None,
    candidates: list[Candidate],
    metas: tuple[MetaSlotFacts, ...],
    parents: dict[int, int],
    *,
    is_complete: bool,
) -> Choice:
    method = SalvageMethod.NOTHING
    if chosen is not None and chosen.is_named:
        method = SalvageMethod.CLEAN if chosen.is_clean else SalvageMethod.REPAIRED
    elif chosen is not None:
        # Without a freelist nothing tells a whole tree from one below a lost root.
        is_found = chosen.is_clean and chosen.free is not None
        method = SalvageMethod.FOUND if is_found else SalvageMethod.GUESSED
    return Choice(
        method=method,
        chosen=chosen,
        others=_others(chosen, candidates, parents),
        is_newest=chosen is not None and _is_newest(chosen, candidates, metas),
        is_complete=is_complete,
    )


def _is_newest(
    chosen: Candidate, candidates: list[Candidate], metas: tuple[MetaSlotFacts, ...]
) -> bool:
    """Tell whether a state is known to be the newest: with one meta only, the other may be it.

    Where pages of the newest one were not written, former ones may be in their places: a freelist,
    with the tree of its time; or both, which the whole state before is not followed by.
    """
    if len(metas) < STATE_COUNT or chosen.named_by != metas[0]:
        return False
    before = [seen for seen in candidates if seen.is_named and seen.named_by == metas[1]]
    is_in_order = all(_may_follow(chosen, seen) for seen in before if seen.is_proven)
    return is_in_order and (chosen.is_named or metas[0].is_root_wrong)


def _others(
    chosen: Candidate | None, candidates: list[Candidate], parents: dict[int, int]
) -> tuple[Candidate, ...]:
    """Return the candidates with another root than the chosen one, but for parts of other trees."""
    owners = {} if chosen is None else chosen.survey.owners
    seen = {pgid for pgid, bucket in owners.items() if bucket.above is None}
    seen.update(() if chosen is None else (chosen.survey.root_pgid,))
    others = []
    for candidate in candidates:
        root = candidate.survey.root_pgid
        if root not in seen and root not in parents and candidate.survey.bucket_count:
            seen.add(root)
            others.append(candidate)
    return tuple(others)
