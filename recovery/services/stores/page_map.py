"""The file of a store as a map: one square a page, and a bar of what takes how much.

Lives here: `PageMap`. Must not live here: how pages are found out (`recovery.metastore.pages`), and
how pictures are written (`recovery.drawing`).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, Self

import msgspec

from recovery.drawing.pages import PageRun, PageUse, Share, draw_pages, draw_shares
from recovery.metastore.pages import BucketSize, PageUsage, page_usage
from recovery.services.session import Session

SHARES_MAX: Final = 6
MEANINGS: Final = {
    PageUse.META: "the two pages that say which state counts",
    PageUse.FREELIST: "the list of free pages",
    PageUse.BRANCH: "lead to other pages",
    PageUse.LEAF: "hold keys and values",
    PageUse.OVERFLOW: "go on where one page was not enough",
    PageUse.FREE: "may be written over; what was deleted can still be on them",
    PageUse.UNREACHABLE: "neither used nor listed as free: cut off or damaged",
}


class PageMap(msgspec.Struct, frozen=True, kw_only=True):
    """The pages of one state of a store.

    Attributes:
        counts: How many pages each use has, the uses in the order of `PageUse`.
        new_count: How many of them the last change wrote.
        buckets: The bolt buckets, the largest first.
        runs: All pages, in the order of the file.
    """

    page_size_bytes: int
    counts: tuple[tuple[PageUse, int], ...]
    new_count: int
    buckets: tuple[BucketSize, ...]
    runs: tuple[PageRun, ...]

    @classmethod
    def of(cls, session: Session) -> Self:
        """Look at every page of an open store."""
        return cls.from_usage(page_usage(session.store))

    @classmethod
    def from_usage(cls, usage: PageUsage) -> Self:
        """Arrange what was found out about pages."""
        runs = tuple(
            PageRun(count=run.page_count, use=PageUse(run.use), is_new=run.is_new)
            for run in usage.runs
        )
        counts: Counter[PageUse] = Counter()
        for run in runs:
            counts[run.use] += run.count
        return cls(
            page_size_bytes=usage.page_size_bytes,
            counts=tuple((use, counts[use]) for use in PageUse),
            new_count=sum(run.count for run in runs if run.is_new),
            buckets=tuple(
                sorted(usage.buckets, key=lambda one: (-one.page_count, -one.used_bytes))
            ),
            runs=runs,
        )

    @property
    def page_count(self) -> int:
        """All pages."""
        return sum(count for _, count in self.counts)

    @property
    def sentence(self) -> str:
        """What the picture shows."""
        parts = [f"{count:,} {use}" for use, count in self.counts if count]
        new = f"; the last change wrote {self.new_count:,}" if self.new_count else ""
        return f"{self.page_count:,} pages: {', '.join(parts)}{new}"

    def picture(self) -> str:
        """Draw the pages, as an `svg` element."""
        return draw_pages(self.runs, sentence=self.sentence)

    def bar(self) -> str:
        """Draw what takes how much of the file, as an `svg` element."""
        return draw_shares(self.shares, title="What takes how much of the file")

    @property
    def shares(self) -> tuple[Share, ...]:
        """The largest buckets, the rest of them, free pages and what the file itself needs."""
        return tuple(self._shares())

    def _shares(self) -> Iterator[Share]:
        shown, rest = self.buckets[:SHARES_MAX], self.buckets[SHARES_MAX:]
        for one in shown:
            yield Share(label=one.name, size=one.page_count)
        yield Share(label="other buckets", size=sum(one.page_count for one in rest))
        free = dict(self.counts)[PageUse.FREE]
        yield Share(label="free", size=free)
        taken = sum(one.page_count for one in self.buckets) + free
        yield Share(label="the file itself", size=max(self.page_count - taken, 0))
