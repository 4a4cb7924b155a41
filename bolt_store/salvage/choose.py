"""Which state of a damaged file the new one is made from.

Lives here: the choice between what the two metas name and what was found without them. Must not
live here: writing the new file (`run`).

In this order: a snapshot of a meta in which nothing is wrong, the newer one first; a whole snapshot
that no meta names; a damaged one, repaired as far as possible; the root from which most can be
reached. A snapshot with orphans counts less than one without: orphans are what the loss of a whole
branch leaves, which need not show in the tree.

Source: spec section 3.5, step 0 and cases A, B and F; section 3.1 for what a lost write leaves.
"""

from dataclasses import dataclass, replace
from typing import Final

from bolt_store.codec.layout import FREELIST_FLAG
from bolt_store.codec.meta import Meta
from bolt_store.errors import FormatError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.pager import Pager
from bolt_store.salvage.find import Found, Pair, best_pair, find_snapshots, free_lists
from bolt_store.salvage.freelist import OWN_RUN, FreePages, shared_count
from bolt_store.salvage.repair import Classify, orphan_pages, repair
from bolt_store.salvage.report import SalvageMethod, SnapshotFacts
from bolt_store.salvage.scan import Scan
from bolt_store.salvage.survey import Survey

NEWER_SHARE: Final = 10
"""A damaged newer snapshot is preferred while it has nine tenths of the keys of the older one."""

NAMED_SHARE: Final = 2
"""A damaged snapshot that a meta names is preferred to a guess while it has half of its keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaSlotFacts:
    """A usable meta, and the slot that it is in."""

    slot: int
    meta: Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A state of the file that could be chosen.

    Attributes:
        survey: Its tree.
        free: Its freelist, None when there is none that can be used.
        named_by: The meta that names its tree or at least its freelist, None when none does.
        high_water_mark: Where the pages of later states begin.
        orphan_count: Its orphans; None without a freelist.
    """

    survey: Survey
    free: FreePages | None
    named_by: MetaSlotFacts | None
    high_water_mark: int
    orphan_count: int | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost or doubtful in its tree."""
        return not self.survey.problem_count

    @property
    def facts(self) -> SnapshotFacts:
        """What is known of it."""
        survey, free = self.survey, self.free
        return SnapshotFacts(
            slot=self.named_by.slot if self.named_by else None,
            txid=self.named_by.meta.txid if self.named_by else None,
            root_pgid=survey.root_pgid,
            freelist_pgid=free.pgid if free is not None else None,
            bucket_count=survey.bucket_count,
            key_count=survey.key_count,
            lost_count=len(survey.lost),
            flaw_count=len(survey.flaws),
            conflict_count=shared_count(survey.reach, free.mask) if free is not None else None,
            orphan_count=self.orphan_count,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the new file is made from.

    Attributes:
        method: How it was chosen.
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


def usable_metas(file: BlockFile) -> tuple[MetaSlotFacts, ...]:
    """Return the metas whose numbers are possible, the newer one first.

    Args:
        file: The file.

    Returns:
        None, one or two.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        pager = Pager(file)
    except FormatError:
        return ()
    return tuple(
        MetaSlotFacts(slot=slot.slot, meta=slot.meta)
        for slot in sorted(pager.slots, key=lambda slot: slot.rank, reverse=True)
        if slot.meta is not None and slot.problem is None
    )


def choose_root(scan: Scan, root_pgid: int, classify: Classify | None) -> Choice:
    """Take the root that the caller names, with the freelist that fits it best."""
    pair = best_pair(Survey(scan, root_pgid), free_lists(scan))
    chosen = _repaired(_from_pair(pair, ()), classify)
    return Choice(
        method=SalvageMethod.CHOSEN, chosen=chosen, others=(), is_newest=False, is_complete=True
    )


def choose(scan: Scan, metas: tuple[MetaSlotFacts, ...], classify: Classify | None) -> Choice:
    """Choose a state of the file.

    Args:
        scan: Of the file.
        metas: Its usable metas, the newer one first.
        classify: Tells buckets apart where keys do not, for repairs.

    Returns:
        The choice.

    Raises:
        PageError: A page has changed since the scan.
        OSError: A page cannot be read.
    """
    named = _named_candidates(scan, metas)
    clean = [candidate for candidate in named if candidate.is_clean]
    best = min(clean, key=lambda candidate: candidate.orphan_count or 0, default=None)
    if best is not None and not best.orphan_count:
        return _named_choice(best, named, metas, SalvageMethod.CLEAN)
    found = find_snapshots(scan)
    related = [candidate for candidate in _found(found.exact, metas) if candidate.named_by]
    if related:
        return _found_choice(related, named, metas, found)
    if best is not None and best.survey.bucket_count:
        return _named_choice(best, named, metas, SalvageMethod.CLEAN)
    return _damaged_choice(named, found, metas, classify)


def _found(pairs: tuple[Pair, ...], metas: tuple[MetaSlotFacts, ...]) -> list[Candidate]:
    """Return found pairs, the newest first; a meta with a wrong root still names a freelist."""
    candidates = [_from_pair(pair, metas) for pair in pairs]
    return sorted(candidates, key=lambda seen: -seen.named_by.meta.txid if seen.named_by else 1)


def _found_choice(
    candidates: list[Candidate],
    named: list[Candidate],
    metas: tuple[MetaSlotFacts, ...],
    found: Found,
) -> Choice:
    chosen = candidates[0]
    # What no meta names may be followed by a state of which too much is lost to be found.
    is_newest = chosen.named_by is not None and len(metas) > 1 and chosen.named_by == metas[0]
    return Choice(
        method=SalvageMethod.FOUND,
        chosen=chosen,
        others=_others(chosen, [*candidates[1:], *named, *_found(found.best, metas)]),
        is_newest=is_newest,
        is_complete=found.is_complete,
    )


def _damaged_choice(
    named: list[Candidate],
    found: Found,
    metas: tuple[MetaSlotFacts, ...],
    classify: Classify | None,
) -> Choice:
    """Choose where something is lost of what the metas name.

    A whole snapshot that no meta names may be many transactions old, so it counts as a guess.
    """
    mended = [_repaired(candidate, classify) for candidate in named]
    mended = [candidate for candidate in mended if candidate.survey.bucket_count]
    known = mended[0] if mended else None
    if len(mended) > 1 and _keys(mended[1]) * (NEWER_SHARE - 1) > _keys(mended[0]) * NEWER_SHARE:
        known = mended[1]
    whole = _found(found.exact or found.leaky, metas)
    guesses = [*whole, *_found(found.best, metas)]
    guess = _repaired(guesses[0], classify) if guesses else None
    if known is not None and (guess is None or _keys(known) * NAMED_SHARE >= _keys(guess)):
        choice = _named_choice(known, [*named, *guesses], metas, SalvageMethod.REPAIRED)
        return replace(choice, is_complete=found.is_complete)
    if guess is not None and whole:
        return _found_choice([guess, *guesses[1:]], named, metas, found)
    return Choice(
        method=SalvageMethod.NOTHING if guess is None else SalvageMethod.GUESSED,
        chosen=guess,
        others=_others(guess, [*guesses[1:], *named]),
        is_newest=False,
        is_complete=found.is_complete,
    )


def _named_choice(
    chosen: Candidate,
    candidates: list[Candidate],
    metas: tuple[MetaSlotFacts, ...],
    method: SalvageMethod,
) -> Choice:
    # With one meta only, the other one may have been the newer.
    is_newest = len(metas) > 1 and chosen.survey.root_pgid == metas[0].meta.root_pgid
    return Choice(
        method=method,
        chosen=chosen,
        others=_others(chosen, candidates),
        is_newest=is_newest,
        is_complete=True,
    )


def _keys(candidate: Candidate) -> int:
    return candidate.survey.key_count + candidate.survey.bucket_count


def _others(chosen: Candidate | None, candidates: list[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates that have another root than the chosen one, and each root once."""
    seen = set() if chosen is None else {chosen.survey.root_pgid}
    others = []
    for candidate in candidates:
        if candidate.survey.root_pgid not in seen and candidate.survey.bucket_count:
            seen.add(candidate.survey.root_pgid)
            others.append(candidate)
    return tuple(others)


def _named_candidates(scan: Scan, metas: tuple[MetaSlotFacts, ...]) -> list[Candidate]:
    """Look at what the metas name, the newer one first; one tree is looked at once."""
    candidates: list[Candidate] = []
    for named_by in metas:
        pgid = named_by.meta.freelist_pgid
        free = None
        if pgid is not None and scan.kind(pgid) == FREELIST_FLAG:
            free = FreePages(scan, pgid)
        if any(named_by.meta.root_pgid == seen.survey.root_pgid for seen in candidates):
            continue
        survey = Survey(scan, named_by.meta.root_pgid)
        mark = named_by.meta.high_water_mark
        candidates.append(
            Candidate(survey=survey, free=free, named_by=named_by, high_water_mark=mark)
        )
    return [_with_orphans(candidate, candidates) for candidate in candidates]


def _with_orphans(candidate: Candidate, candidates: list[Candidate]) -> Candidate:
    if candidate.free is None:
        return candidate
    others = bytearray(candidate.survey.scan.page_count)
    for other in candidates:
        if other is not candidate:
            # A freelist that was not written leaves the former one, in which the pages of the
            # former snapshot are still in use. They are no orphans.
            listed = other.free.mask if other.free is not None else bytes(len(others))
            for pgid, (used, mark) in enumerate(zip(other.survey.reach, listed, strict=True)):
                others[pgid] |= used or mark == OWN_RUN
    orphans = orphan_pages(candidate.survey, candidate.free, candidate.high_water_mark, others)
    return replace(candidate, orphan_count=len(orphans))


def _from_pair(pair: Pair, metas: tuple[MetaSlotFacts, ...]) -> Candidate:
    if pair.free is None or pair.fit is None:
        end = pair.survey.scan.page_count
        return Candidate(survey=pair.survey, free=None, named_by=None, high_water_mark=end)
    named_by = [meta for meta in metas if meta.meta.freelist_pgid == pair.free.pgid]
    return Candidate(
        survey=pair.survey,
        free=pair.free,
        named_by=named_by[0] if len(named_by) == 1 else None,
        high_water_mark=pair.fit.high_water_mark,
        orphan_count=len(orphan_pages(pair.survey, pair.free, pair.fit.high_water_mark)),
    )


def _repaired(candidate: Candidate, classify: Classify | None) -> Candidate:
    survey = repair(candidate.survey, candidate.free, candidate.high_water_mark, classify)
    return replace(candidate, survey=survey)
