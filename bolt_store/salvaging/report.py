"""What salvage did, as data and as sentences.

Lives here: `SalvageReport` and its parts. Must not live here: how any of it was found out.

Invariants: neither a sentence nor a repr holds a byte of a key or a value. Places are pages and
element indexes, which `describe_page` shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final, Literal, NamedTuple

from bolt_store.salvaging.survey import MISPLACED, Flaw

DAMAGED_CODES: Final = frozenset({"page.damaged", "bucket.inline"})
"""Codes of pages of which only the sound elements were taken."""

RANGES_SHOWN_MAX: Final = 20
"""Longest list of page ids in one sentence."""


@unique
class SalvageMethod(StrEnum):
    """Where the content of the new file comes from."""

    CLEAN = "clean snapshot"
    """A snapshot that a meta names and in which nothing is wrong."""
    FOUND = "found snapshot"
    """A whole snapshot that no meta names; root and freelist were found on the pages."""
    REPAIRED = "repaired snapshot"
    """A damaged snapshot that a meta names, as far as it can be read and put together."""
    GUESSED = "guessed root"
    """A tree that no meta and no freelist vouches for: what most can be reached from, alone or as
    one of several parts of a lost root."""
    CHOSEN = "given root"
    """The root page that the caller named."""
    NOTHING = "nothing"
    """No root was found. No file was made; what single leaves hold can be listed."""


class SalvageSentence(NamedTuple):
    """A part of a report in words, without a full stop.

    Attributes:
        code: Of what is lost or doubtful the reason, as in `Finding.code`.
    """

    text: str
    code: str | None = None

    def __str__(self) -> str:
        return self.text if self.code is None else f"{self.text} [{self.code}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """One state of the file that was looked at.

    Attributes:
        slot: The meta that names it; None when it was found without one.
        txid: Its transaction id; None when it is not known.
        root_pgid: Its root page; 0 for the parts of a root that is lost.
        freelist_pgid: Its freelist; None when it has none or it cannot be used.
        bucket_count: Buckets that can be reached.
        key_count: Keys with plain values that can be reached.
        lost_count: Places where something cannot be reached.
        flaw_count: Pages that break a rule and can be read.
        conflict_count: Pages used and listed as free at the same time; None without a freelist.
        is_freelist_lost: Whether its freelist cannot be read or contradicts its tree; then what is
            cut off from the tree does not show.
        orphan_count: Pages that neither its tree, its freelist nor another snapshot has, and that
            are pages; None where no freelist is stored.
    """

    slot: int | None
    txid: int | None
    root_pgid: int
    freelist_pgid: int | None
    bucket_count: int
    key_count: int
    lost_count: int
    flaw_count: int
    conflict_count: int | None
    is_freelist_lost: bool
    orphan_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRange:
    """Pages that follow one another.

    Attributes:
        origin: "snapshot" when they were reached from the root, "orphan" when they were put back.
    """

    first_pgid: int
    count: int
    origin: Literal["snapshot", "orphan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRange:
    """Keys that are missing in the new file, by where they should have been.

    Attributes:
        place: Page and element index that refer to what is lost; further numbers are element
            indexes in inline buckets, or the position among pages that were put back. Empty for the
            root page.
        lost_pgid: The page that is lost; None when the element itself is.
        code: Why, such as "page.unreadable".
        element_count: How many elements from that one on are lost, where `lost_pgid` is None.
        attached_pgids: Pages that were put back in its place; what they hold is not missing.
    """

    place: tuple[int, ...]
    lost_pgid: int | None
    code: str
    element_count: int
    attached_pgids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What the other snapshot has that the new file has not.

    Attributes:
        missing_count: Keys in ranges that are missing in the new file.
        only_count: Keys that the chosen snapshot does not have, elsewhere.
        changed_count: Keys that both have, with another value.
    """

    other: SnapshotFacts
    missing_count: int
    only_count: int
    changed_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseLeaf:
    """A leaf that is not part of the new file, and can be read.

    Attributes:
        is_listed_free: Whether any freelist of the file lists it, so that it is a left-over.
    """

    pgid: int
    element_count: int
    is_listed_free: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleEntry:
    """A key that the new file does not have, or has with another value. Its repr shows neither.

    Attributes:
        origin: "snapshot": from the other snapshot; "page": from a leaf that nothing leads to.
        place: Page and element indexes.
        path: Names of the bucket that it is in, from the top down; for an entry from a page what
            the classifier says, None when it does not know.
        key: As stored.
        value: As stored; None for a bucket.
        is_missing: Whether it lies in a range that is missing in the new file.
        is_listed_free: Whether a freelist lists its page.
    """

    origin: Literal["snapshot", "page"]
    place: tuple[int, ...]
    path: tuple[bytes, ...] | None = field(repr=False)
    key: bytes = field(repr=False)
    value: bytes | None = field(repr=False)
    is_missing: bool
    is_listed_free: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvageReport:
    """What was taken from where, what is missing, and what is left aside.

    Attributes:
        page_size_bytes: The page size; None when none could be found.
        is_page_size_inferred: Whether it had to be guessed from the pages.
        page_count: Whole pages that the file has.
        is_search_complete: Whether every page and every candidate was looked at.
        snapshots: The states that were looked at; the chosen one first.
        is_newest: Whether the chosen one is known to be the newest state that the file was in.
        key_count: Keys with plain values in the new file.
        stale_key_count: Those of them that come from the other snapshot, because it was asked for.
        unexplained_count: Pages that cannot be read and that are neither free nor known to be lost.
            With a lost branch, they may be what it led to.
        taken: The pages that the content comes from.
        missing: The ranges that are missing, also those that were filled.
        doubts: The pages that were taken and are doubtful.
        differences: What the other snapshot has; None when there is none.
        loose_leaves: The leaves that nothing leads to, by page.
    """

    method: SalvageMethod
    page_size_bytes: int | None
    is_page_size_inferred: bool
    page_count: int
    is_search_complete: bool
    snapshots: tuple[SnapshotFacts, ...]
    is_newest: bool
    bucket_count: int
    key_count: int
    stale_key_count: int
    unexplained_count: int
    taken: tuple[PageRange, ...]
    missing: tuple[MissingRange, ...]
    doubts: tuple[Flaw, ...]
    differences: Differences | None
    loose_leaves: tuple[LooseLeaf, ...]

    @property
    def is_written(self) -> bool:
        """Whether a new file was made."""
        return self.method is not SalvageMethod.NOTHING

    @property
    def is_complete(self) -> bool:
        """Whether nothing is known to be missing, doubtful or uncertain."""
        unfilled = [missing for missing in self.missing if not missing.attached_pgids]
        sure = self.is_newest and self.is_search_complete and not self.orphan_count
        if not self.is_written or self.snapshots[0].is_freelist_lost:
            return False
        if any(missing.code in {MISPLACED, "page.shared"} for missing in self.missing):
            return False  # what was put back may be as misplaced
        return sure and not unfilled and not self.doubts and not self.unexplained_count

    @property
    def orphan_count(self) -> int:
        """Pages of the chosen state that nothing leads to and that are not free, and not put back.

        bbolt's own leaks look like this, and so does what is left of a lost write.
        """
        return (self.snapshots[0].orphan_count or 0) if self.is_written else 0

    def sentences(self) -> Iterator[SalvageSentence]:
        """Tell it all in sentences, without a key or a value.

        Yields:
            One sentence after the other.
        """
        yield from map(SalvageSentence, self._about_what_was_taken())
        yield from map(_about_missing, self.missing)
        yield from map(_about_doubt, self.doubts)
        yield from map(SalvageSentence, self._about_what_is_left())

    def _about_what_was_taken(self) -> Iterator[str]:
        yield from self._about_the_file()
        yield from map(_about_snapshot, self.snapshots)
        if self.is_written:
            yield from self._about_the_content()
        else:
            yield "no root page was found, so no file was made"

    def _about_the_file(self) -> Iterator[str]:
        if self.page_size_bytes is None:
            yield "no page size makes pages of this file"
            return
        how = ", as inferred from its pages" if self.is_page_size_inferred else ""
        pages = "page" if self.page_count == 1 else "pages"
        yield f"the file has {self.page_count} {pages} of {self.page_size_bytes} bytes{how}"
        if not self.is_search_complete:
            yield "so many pages claim to be long or to be roots that not all were looked at"

    def _about_the_content(self) -> Iterator[str]:
        yield (
            f"method: {self.method}; {self.bucket_count} buckets and {self.key_count} keys are in "
            "the new file"
        )
        yield self._why()
        if not self.is_newest:
            yield "the chosen snapshot is not, or not certainly, the newest state of the file"
        for origin in ("snapshot", "orphan"):
            ranges = [taken for taken in self.taken if taken.origin == origin]
            count = sum(taken.count for taken in ranges)
            if count:
                shown = ", ".join(map(_range, ranges[:RANGES_SHOWN_MAX]))
                more = ", …" if len(ranges) > RANGES_SHOWN_MAX else ""
                word = "reached from the root" if origin == "snapshot" else "put back in place"
                yield f"{count} pages were {word}: {shown}{more}"
        if self.orphan_count:
            yield (
                f"{self.orphan_count} pages are neither used nor free: leaked, or all that is left "
                "of a lost write; what is on them is left aside"
            )
        if self.unexplained_count:
            yield (
                f"{_count(self.unexplained_count, 'page')} cannot be read and may have been part "
                "of what a lost page led to"
            )
        if self.stale_key_count:
            yield f"{self.stale_key_count} keys were taken from the other snapshot, as asked for"

    def _why(self) -> str:
        """Say why the chosen state was preferred."""
        facts = self.snapshots[0]
        match self.method:
            case SalvageMethod.CHOSEN:
                reason = "it was asked for"
            case SalvageMethod.CLEAN if self.is_newest:
                reason = "it is the newest state and all of it can be read"
            case SalvageMethod.CLEAN:
                reason = (
                    "a meta names it and all of it can be read, and nothing that may be newer has "
                    "more"
                )
            case SalvageMethod.FOUND:
                reason = (
                    "all of it can be read, and it has more than what the metas name, or comes "
                    "after it"
                )
            case SalvageMethod.GUESSED if not facts.root_pgid:
                return (
                    "the root page is lost; the pages were taken that may have been below it and "
                    "exclude each other in nothing, and they may still be of different states"
                )
            case SalvageMethod.GUESSED if not facts.lost_count:
                reason = "no other one has more; it may be a part of what was there"
            case _ if self.is_newest:
                reason = (
                    "it is the newest state, and no other one that can be trusted gives back more "
                    "of what is lost in it"
                )
            case _:
                reason = "no other state that can be trusted has more"
        return f"root page {facts.root_pgid} was taken, because {reason}"

    def _about_what_is_left(self) -> Iterator[str]:
        found = self.differences
        if found is not None:
            yield (
                f"keys of the other snapshot (root page {found.other.root_pgid}): "
                f"{found.missing_count} in the missing ranges, {found.only_count} more that the "
                f"chosen one has not, {found.changed_count} with another value; none was merged "
                "unasked"
            )
        if self.loose_leaves:
            free = sum(leaf.is_listed_free for leaf in self.loose_leaves)
            count = sum(leaf.element_count for leaf in self.loose_leaves)
            yield (
                f"leaves left aside: {len(self.loose_leaves)}, elements in them: {count}; {free} "
                f"listed as free, {len(self.loose_leaves) - free} not"
            )


def _about_doubt(doubt: Flaw) -> SalvageSentence:
    what = "may be an older state of itself"
    if doubt.code in DAMAGED_CODES:
        what = "is damaged; its sound elements were taken"
    elif doubt.code == "page.sector":
        what = "has a blank sector, as of a disk that could not read it; it was taken as it is"
    return SalvageSentence(f"page {doubt.pgid} {what}", doubt.code)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _range(taken: PageRange) -> str:
    last = taken.first_pgid + taken.count - 1
    return str(last) if taken.count == 1 else f"{taken.first_pgid}-{last}"


def _about_snapshot(facts: SnapshotFacts) -> str:
    name = "a snapshot without a meta" if facts.slot is None else f"meta {facts.slot}"
    root = f"root page {facts.root_pgid}" if facts.root_pgid else "the parts of a lost root"
    txid = "" if facts.txid is None else f", txid {facts.txid}"
    freelist = "no usable freelist"
    if facts.freelist_pgid is not None:
        freelist = (
            f"freelist page {facts.freelist_pgid}, "
            f"{_count(facts.conflict_count or 0, 'page')} used and free, "
            f"{_count(facts.orphan_count or 0, 'orphan')}"
        )
    return (
        f"{name}{txid}: {root}, {_count(facts.bucket_count, 'bucket')}, "
        f"{_count(facts.key_count, 'key')}, {facts.lost_count} lost, {facts.flaw_count} doubtful, "
        f"{freelist}"
    )


def _about_missing(missing: MissingRange) -> SalvageSentence:
    if not missing.place:
        where = "the root"
    else:
        page, *indexes = missing.place
        where = f"page {page}, element {'/'.join(map(str, indexes))}"
    what = f" (page {missing.lost_pgid})" if missing.lost_pgid else ""
    if missing.lost_pgid is None:
        more = f" and {missing.element_count - 1} more" if missing.element_count > 1 else ""
        text = f"{where}{more}: damaged, and left out"
    elif missing.attached_pgids:
        pages = ", ".join(map(str, missing.attached_pgids[:RANGES_SHOWN_MAX]))
        text = f"{where}: what it refers to{what} is lost; put back: {pages}"
    else:
        text = f"{where}: what it refers to{what} is lost, and its range of keys"
    return SalvageSentence(text, missing.code)
