"""What could be read and is not in the new file.

Lives here: the differences to the other snapshot, the leaves that nothing leads to, and the entries
in both. Must not live here: any way for them into the new file.

Such entries may be older values, deleted ones, or the only trace of lost ones; their pages cannot
tell (case G). In the field that decides about access, nobody should merge them unseen.

Source: spec section 3.5, cases C and G.
"""

from collections.abc import Iterator

from bolt_store.codec.layout import LEAF_FLAG, META_PAGE_COUNT
from bolt_store.file.block_file import BlockFile
from bolt_store.salvaging.candidate import Candidate
from bolt_store.salvaging.compare import Move, Step, walk
from bolt_store.salvaging.content import Element
from bolt_store.salvaging.freelist import LISTED
from bolt_store.salvaging.knowledge import NO_KNOWLEDGE, Knowledge
from bolt_store.salvaging.report import Differences, LooseLeaf, SalvageReport, StaleEntry
from bolt_store.salvaging.scan import DAMAGED, STRICT, Scan
from bolt_store.salvaging.survey import Attachment, Survey


def find_differences(chosen: Candidate, other: Candidate) -> Differences:
    """Count what another snapshot has that the chosen one has not.

    Returns:
        The counts; buckets are not counted, the keys in them are.
    """
    missing = only = changed = 0
    for step in _differing(chosen.survey, other.survey):
        if step.left is not None:
            changed += 1
        elif step.is_missing:
            missing += 1
        else:
            only += 1
    return Differences(
        other=other.facts, missing_count=missing, only_count=only, changed_count=changed
    )


def _differing(chosen: Survey, other: Survey) -> Iterator[Step]:
    """Walk the keys that the other snapshot has and the chosen one has not, or has otherwise."""
    for step in walk(chosen, other):
        if step.move is Move.KEY and _differs(step):
            yield step


def _differs(step: Step) -> bool:
    if step.right is None:
        return False
    return step.left is None or step.left.value != step.right.value


def find_loose_leaves(scan: Scan, surveys: list[Survey]) -> Iterator[LooseLeaf]:
    """Find the leaves that none of some trees has.

    Yields:
        Strict and damaged leaves with elements, ascending by page.
    """
    listed = bytearray(scan.page_count)
    for pgid in scan.freelist_pgids:
        for free in scan.freelist(pgid):
            if free < scan.page_count:
                listed[free] = LISTED
    for pgid in range(META_PAGE_COUNT, scan.page_count):
        if scan.kind(pgid) != LEAF_FLAG or not scan.kinds[pgid] & (STRICT | DAMAGED):
            continue
        if not any(survey.reach[pgid] for survey in surveys):
            count = len(scan.leaf(pgid).keys)
            if count:
                yield LooseLeaf(pgid=pgid, element_count=count, is_listed_free=bool(listed[pgid]))


def stale_entries(
    source: BlockFile, report: SalvageReport, *, knowledge: Knowledge = NO_KNOWLEDGE
) -> Iterator[StaleEntry]:
    """Give every entry that could be read and is not in the new file.

    First come those of the other snapshot, in the order of their keys, then those of the leaves
    that nothing leads to, by page. One key may come several times, with the values that it had.

    Args:
        source: The damaged file, unchanged since the report.
        report: What `salvage` returned for it.
        knowledge: What salvage was told, too.

    Raises:
        PageError: The file has changed since.
        OSError: The file cannot be read.
    """
    if report.page_size_bytes is None:
        return
    scan = Scan(source, report.page_size_bytes, None, knowledge.plausible)
    listed = {leaf.pgid: leaf.is_listed_free for leaf in report.loose_leaves}
    if report.differences is not None:
        yield from _other_entries(scan, report, report.differences)
    for pgid, is_listed_free in listed.items():
        scan.revive(pgid)
        leaf = scan.leaf(pgid)
        for index, (flag, key, value) in enumerate(
            zip(leaf.flags, leaf.keys, leaf.values, strict=True)
        ):
            yield StaleEntry(
                origin="page",
                place=(pgid, index),
                path=knowledge.classify(key, value) if knowledge.classify and not flag else None,
                key=key,
                value=None if flag else value,
                is_missing=False,
                is_listed_free=is_listed_free,
            )


def _other_entries(
    scan: Scan, report: SalvageReport, differences: Differences
) -> Iterator[StaleEntry]:
    """Join the chosen and the other snapshot once more, this time for the entries themselves."""
    attached = {
        missing.place: tuple(
            Attachment(pgid, _first_key(scan, pgid), is_itself=len(missing.attached_pgids) == 1)
            for pgid in missing.attached_pgids
        )
        for missing in report.missing
        if missing.attached_pgids
    }
    chosen = Survey(scan, report.snapshots[0].root_pgid, attached)
    other = Survey(scan, differences.other.root_pgid)
    path: list[bytes] = []
    for step in walk(chosen, other):
        element = step.left or step.right
        match step.move:
            case Move.ENTER:
                path.append(element.key if element else b"")
            case Move.LEAVE:
                path.pop()
            case Move.KEY:
                if step.right is not None and _differs(step):
                    yield _entry(step.right, tuple(path), is_missing=step.is_missing)


def _entry(element: Element, path: tuple[bytes, ...], *, is_missing: bool) -> StaleEntry:
    return StaleEntry(
        origin="snapshot",
        place=element.place,
        path=path,
        key=element.key,
        value=element.value if isinstance(element.value, bytes) else None,
        is_missing=is_missing,
        is_listed_free=False,
    )


def _first_key(scan: Scan, pgid: int) -> bytes:
    return scan.first_key(pgid) or b""
