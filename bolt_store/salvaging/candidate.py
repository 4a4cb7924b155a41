"""The states of a damaged file that could be chosen.

Lives here: `Candidate`, one state with what is known of it, and how it comes from a meta, or from
what was found without one. Must not live here: the choice between them (`choose`).

Source: spec section 3.5, cases A and B; section 3.1 for what a lost write leaves.
"""

from dataclasses import dataclass, replace

from bolt_store.codec.layout import FREELIST_FLAG, META_PAGE_COUNT
from bolt_store.codec.meta import Meta
from bolt_store.errors import FormatError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.pager import Pager
from bolt_store.salvaging.content import elements, root_bucket
from bolt_store.salvaging.find import Pair
from bolt_store.salvaging.freelist import OWN_RUN, FreePages, shared_count
from bolt_store.salvaging.knowledge import Knowledge
from bolt_store.salvaging.repair import orphan_pages, repair
from bolt_store.salvaging.report import SnapshotFacts
from bolt_store.salvaging.scan import STRICT, Scan
from bolt_store.salvaging.survey import Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaSlotFacts:
    """A usable meta, and the slot that it is in."""

    slot: int
    meta: Meta

    @property
    def is_root_wrong(self) -> bool:
        """Whether the page that it names as root is none, whatever is there."""
        return self.meta.root_pgid == self.meta.freelist_pgid


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A state of the file that could be chosen.

    Attributes:
        free: Its freelist, None when there is none that can be used.
        named_by: The meta that names its tree or at least its freelist, None when none does.
        high_water_mark: Where the pages of later states begin.
        orphans: Its orphans; None where no freelist is stored, or none fits.
    """

    survey: Survey
    free: FreePages | None
    named_by: MetaSlotFacts | None
    high_water_mark: int
    orphans: tuple[int, ...] | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost or doubtful in its tree."""
        return not self.survey.problem_count

    @property
    def is_torn(self) -> bool:
        """Whether a page of its tree is a former state of itself, so that no range tells of it."""
        return any(flaw.code == "branch.separator" for flaw in self.survey.flaws)

    @property
    def is_named(self) -> bool:
        """Whether a meta names its root."""
        return self.named_by is not None and self.named_by.meta.root_pgid == self.survey.root_pgid

    @property
    def is_proven(self) -> bool:
        """Whether its tree is whole and its freelist has all pages that the tree has not."""
        if not self.is_clean or not self.survey.bucket_count:
            return False
        if self.free is None:
            return self.named_by is not None and self.named_by.meta.freelist_pgid is None
        return self.is_covering

    @property
    def is_covering(self) -> bool:
        """Whether its freelist has all pages that its tree has not, and no other."""
        return self.free is not None and not self.orphans and not self.has_conflicts

    @property
    def is_accounted(self) -> bool:
        """Whether its freelist has all pages that its tree has not or refers to in vain.

        A page that is a former state of itself is not cut off, it only cannot be taken.
        """
        lost = {lost.pgid for lost in self.survey.lost.values()}
        return (
            self.free is not None and not self.has_conflicts and lost.issuperset(self.orphans or ())
        )

    @property
    def has_conflicts(self) -> bool:
        """Whether its freelist lists pages that its tree has."""
        return self.free is not None and bool(shared_count(self.survey.reach, self.free.mask))

    @property
    def is_freelist_lost(self) -> bool:
        """Whether its freelist cannot be read, or contradicts its tree."""
        named_by = self.named_by
        if self.free is None:
            return named_by is not None and named_by.meta.freelist_pgid is not None
        return self.has_conflicts

    @property
    def unexplained_count(self) -> int:
        """Pages that are neither in its tree nor free, and cannot be read, or not whole.

        A lost branch may have led to them, or they are of a later state than its freelist.
        """
        survey, free = self.survey, self.free
        if free is None:
            return 0
        known = {lost.pgid for lost in survey.lost.values()}
        kinds = survey.scan.kinds
        beyond = [pgid for pgid in known if pgid is not None and pgid >= len(kinds)]
        cut_off = self.high_water_mark - len(kinds) - free.beyond_count - len(beyond)
        return max(cut_off, 0) + sum(
            not (survey.reach[pgid] or free.mask[pgid] or kinds[pgid] & STRICT or pgid in known)
            for pgid in range(META_PAGE_COUNT, min(len(survey.reach), self.high_water_mark))
        )

    @property
    def total(self) -> int:
        """How much it has: keys and buckets."""
        return self.survey.total

    def names(self) -> frozenset[bytes]:
        """Return the names of its top-level buckets. Raises as `choose`."""
        survey = self.survey
        return frozenset(element.key for element in elements(survey, root_bucket(survey)))

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
            is_freelist_lost=self.is_freelist_lost,
            orphan_count=None if self.orphans is None else len(self.orphans),
        )


def usable_metas(file: BlockFile) -> tuple[MetaSlotFacts, ...]:
    """Return the metas whose numbers are possible, the newer one first.

    Args:
        file: Read at its first pages.

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


def named_candidates(scan: Scan, metas: tuple[MetaSlotFacts, ...]) -> list[Candidate]:
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
    free = candidate.free
    if free is None:
        meta = candidate.named_by.meta if candidate.named_by else None
        if meta is None or meta.freelist_pgid is None:
            return candidate
    others = bytearray(candidate.survey.scan.page_count)
    for other in candidates:
        if other is not candidate and (free is None or candidate.has_conflicts):
            # A freelist that was not written leaves the former one, in which the pages of the
            # former snapshot are still in use. They are no orphans. Any other freelist lists them,
            # unless the tree has lost what they are in both states.
            listed = other.free.mask if other.free is not None else bytes(len(others))
            for pgid, (used, mark) in enumerate(zip(other.survey.reach, listed, strict=True)):
                others[pgid] |= used or mark == OWN_RUN
    if free is None:
        # Its freelist is lost. What any other one lists was free once, and may be left over.
        for pgid in candidate.survey.scan.freelist_pgids:
            for listed_pgid, mark in enumerate(FreePages(candidate.survey.scan, pgid).mask):
                others[listed_pgid] |= mark
    mask = others if free is None else free.mask
    orphans = orphan_pages(candidate.survey, mask, candidate.high_water_mark, others)
    return replace(candidate, orphans=tuple(orphans))


def from_pair(pair: Pair, metas: tuple[MetaSlotFacts, ...]) -> Candidate:
    """Make a candidate of what was found; the meta that names its freelist is its own."""
    if pair.free is None or pair.fit is None:
        end = pair.survey.scan.page_count
        return Candidate(survey=pair.survey, free=None, named_by=None, high_water_mark=end)
    named_by = [meta for meta in metas if meta.meta.freelist_pgid == pair.free.pgid]
    return Candidate(
        survey=pair.survey,
        free=pair.free,
        named_by=named_by[0] if len(named_by) == 1 else None,
        high_water_mark=pair.fit.high_water_mark,
        orphans=tuple(orphan_pages(pair.survey, pair.free.mask, pair.fit.high_water_mark)),
    )


def repaired(candidate: Candidate, knowledge: Knowledge, named: list[Candidate]) -> Candidate:
    """Put back what is cut off; what the metas name tells where it was. Raises as `choose`."""
    others = [other.survey for other in named if other is not candidate]
    survey = repair(
        candidate.survey,
        candidate.free,
        candidate.high_water_mark,
        knowledge.classify,
        others,
        is_named=candidate.is_named,
    )
    orphans = candidate.orphans
    if survey is not candidate.survey and candidate.free is not None:
        orphans = tuple(orphan_pages(survey, candidate.free.mask, candidate.high_water_mark))
    return replace(candidate, survey=survey, orphans=orphans)
