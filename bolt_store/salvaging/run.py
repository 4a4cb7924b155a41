"""Salvage from beginning to end: look, choose, write, verify, report.

Lives here: `salvage`. Must not live here: how a state is found (`find`), chosen (`choose`) or
mended (`repair`), and what is left aside (`stale`).

Invariants: the source is only read. The new file holds what the chosen state leads to and nothing
else, unless the caller asks for more in words; whatever else could be read is listed apart. The
new file is walked again before it gets its name.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Final, Literal

from bolt_store.bulk import BulkWriter
from bolt_store.codec.meta import Meta, is_page_size
from bolt_store.errors import CommitError, LimitError, invariant
from bolt_store.file.block_file import BlockFile
from bolt_store.file.new_file import NewFile
from bolt_store.salvaging.candidate import Candidate, MetaSlotFacts, usable_metas
from bolt_store.salvaging.choose import Choice, choose, choose_root
from bolt_store.salvaging.compare import Move, sequence_of, walk
from bolt_store.salvaging.content import Element
from bolt_store.salvaging.knowledge import NO_KNOWLEDGE, Knowledge
from bolt_store.salvaging.report import (
    MissingRange,
    PageRange,
    SalvageMethod,
    SalvageReport,
)
from bolt_store.salvaging.scan import BLANK_SECTOR, Progress, Scan, infer_page_size
from bolt_store.salvaging.stale import find_differences, find_loose_leaves
from bolt_store.salvaging.survey import ATTACHED, IN_TREE, Flaw, Lost, Survey

_ORIGINS: Final[dict[int, Literal["snapshot", "orphan"]]] = {
    IN_TREE: "snapshot",
    ATTACHED: "orphan",
}


def salvage(
    source: BlockFile,
    target: str | os.PathLike[str],
    *,
    page_size_bytes: int | None = None,
    root_pgid: int | None = None,
    use_older: bool = False,
    knowledge: Knowledge = NO_KNOWLEDGE,
    progress: Progress | None = None,
) -> SalvageReport:
    """Write what can be got out of a damaged file into a new one.

    Owner and mode are kept. Nothing is written when no root is found; then `stale_entries` still
    gives what single leaves hold.

    Args:
        source: The damaged file. Stays the caller's to close.
        target: Where nothing may be yet.
        page_size_bytes: Its page size; by default what a meta says, else what the pages say.
        root_pgid: Take this page as the root, whatever the metas and the search say.
        use_older: Fill the missing ranges with what the other snapshot has there. It may be
            outdated or have been deleted since.
        progress: Called now and then with the pages done and the pages in all, while looking.

    Returns:
        What was done. Its `is_written` tells whether there is a new file.

    Raises:
        LimitError: The page size given is impossible.
        FileExistsError: Something has the name of the target.
        CommitError: The target cannot be written; nothing is left of it.
        PageError: The source has changed meanwhile.
        OSError: The source cannot be read.
    """
    if page_size_bytes is not None and not is_page_size(page_size_bytes):
        raise LimitError(f"{page_size_bytes} bytes is no page size")
    with NewFile(target, like=source) as new:
        metas = usable_metas(source)
        named_size = metas[0].meta.page_size_bytes if metas else None
        size = page_size_bytes or named_size or infer_page_size(source)
        if size is None:
            return NOTHING_FOUND
        if size != named_size:
            metas = ()
        scan = Scan(source, size, progress, knowledge.plausible)
        if root_pgid is None:
            choice = choose(scan, metas, knowledge)
        else:
            choice = choose_root(scan, metas, root_pgid, knowledge)
        is_inferred = not page_size_bytes and not named_size
        writer = BulkWriter(new.file, page_size_bytes=size)
        if choice.chosen is None:
            return _report(scan, choice, writer, is_inferred=is_inferred)
        _write(writer, choice.chosen, choice.others[:1] if use_older else ())
        _verify(new.file, _finish(writer, choice.chosen, metas), writer)
        report = _report(scan, choice, writer, is_inferred=is_inferred)
        new.publish()
        return report


# -- the new file ------------------------------------------------------------------------------


def _write(writer: BulkWriter, chosen: Candidate, others: tuple[Candidate, ...]) -> None:
    """Write the chosen state, and what another one has in the ranges that are missing in it."""
    for step in walk(chosen.survey, others[0].survey if others else None):
        element = step.left or (step.right if step.is_missing else None)
        if element is not None:
            _write_step(writer, step.move, element)
    if not others:
        counted = (writer.bucket_count, writer.key_count)
        if counted != (chosen.survey.bucket_count, chosen.survey.key_count):
            raise _not_as_planned("the file has changed meanwhile")


def _write_step(writer: BulkWriter, move: Move, element: Element) -> None:
    match move:
        case Move.ENTER:
            writer.open_bucket(element.key, sequence=sequence_of(element))
        case Move.LEAVE:
            writer.close_bucket()
        case Move.KEY:
            invariant(isinstance(element.value, bytes), "a key has a value")
            if isinstance(element.value, bytes):
                writer.put(element.key, element.value)


def _finish(writer: BulkWriter, chosen: Candidate, metas: tuple[MetaSlotFacts, ...]) -> Meta:
    """Write the metas: as those of the chosen state, or newer than all that are known."""
    named_by = chosen.named_by
    if named_by is not None:
        return writer.finish(
            txid=max(named_by.meta.txid, 1),
            root_sequence=named_by.meta.root_sequence,
            meta_flags=named_by.meta.flags,
        )
    txid = max((known.meta.txid for known in metas), default=0) + 1
    return writer.finish(txid=txid)


def _verify(file: BlockFile, meta: Meta, writer: BulkWriter) -> None:
    """Walk what was written as if it were damaged, and count."""
    survey = Survey(Scan(file, meta.page_size_bytes, None, is_own=True), meta.root_pgid)
    counted = (survey.bucket_count, survey.key_count)
    if survey.problem_count or counted != (writer.bucket_count, writer.key_count):
        raise _not_as_planned("what was written does not read back")


def _not_as_planned(problem: str) -> CommitError:
    return CommitError(phase="data", outcome="unchanged", problem=problem)


# -- the report --------------------------------------------------------------------------------


def _report(scan: Scan, choice: Choice, writer: BulkWriter, *, is_inferred: bool) -> SalvageReport:
    candidates = [*([choice.chosen] if choice.chosen else []), *choice.others]
    surveys = [candidate.survey for candidate in candidates]
    report = replace(
        NOTHING_FOUND,
        method=choice.method,
        page_size_bytes=scan.page_size_bytes,
        is_page_size_inferred=is_inferred,
        page_count=scan.page_count,
        is_search_complete=choice.is_complete and scan.is_complete,
        snapshots=tuple(candidate.facts for candidate in candidates),
        loose_leaves=tuple(find_loose_leaves(scan, surveys[:2])),
    )
    if choice.chosen is None:
        return report
    survey = choice.chosen.survey
    return replace(
        report,
        is_newest=choice.is_newest,
        bucket_count=writer.bucket_count,
        key_count=writer.key_count,
        stale_key_count=writer.key_count - survey.key_count,
        unexplained_count=choice.chosen.unexplained_count,
        taken=tuple(_taken(survey)),
        missing=tuple(_missing(survey, lost) for lost in survey.lost.values()),
        doubts=tuple(_doubts(survey)),
        differences=find_differences(choice.chosen, choice.others[0]) if choice.others else None,
    )


def _taken(survey: Survey) -> Iterator[PageRange]:
    """Give the pages that were reached, as ranges."""
    pgid = 0
    for mark, run in groupby(survey.reach):
        count = sum(1 for _ in run)
        if mark:
            yield PageRange(first_pgid=pgid, count=count, origin=_ORIGINS[mark])
        pgid += count


def _doubts(survey: Survey) -> Iterator[Flaw]:
    """Give the pages that break a rule, and those that a disk may have given back in part."""
    yield from survey.flaws
    for pgid, kind in enumerate(survey.scan.kinds):
        if kind & BLANK_SECTOR and survey.reach[pgid]:
            yield Flaw(pgid=pgid, code="page.sector")


def _missing(survey: Survey, lost: Lost) -> MissingRange:
    return MissingRange(
        place=lost.place,
        lost_pgid=lost.pgid,
        code=lost.code,
        element_count=lost.element_count,
        attached_pgids=tuple(page.pgid for page in survey.attached.get(lost.place, ())),
    )


NOTHING_FOUND: Final = SalvageReport(
    method=SalvageMethod.NOTHING,
    page_size_bytes=None,
    is_page_size_inferred=False,
    page_count=0,
    is_search_complete=True,
    snapshots=(),
    is_newest=False,
    bucket_count=0,
    key_count=0,
    stale_key_count=0,
    unexplained_count=0,
    taken=(),
    missing=(),
    doubts=(),
    differences=None,
    loose_leaves=(),
)
"""Of a file in which no page size makes a page."""
