"""What the freelists on the pages of a file say about the trees in it.

Lives here: `FreePages`, one freelist as a salvager reads it, how well it fits a tree, and which
pages neither of them has. Must not live here: what is done about it.

A tree and the freelist of the same transaction share no page, and together they are all pages from
2 on. Random pairs of the two never are, which is how a snapshot without its meta is found.

Source: spec section 3.5, cases A and D.
"""

from dataclasses import dataclass
from typing import Final

from bolt_store.codec.layout import META_PAGE_COUNT
from bolt_store.salvaging.scan import Scan
from bolt_store.salvaging.survey import Survey

LISTED: Final = 1
OWN_RUN: Final = 2
"""Values of `FreePages.mask`."""


class FreePages:
    """One freelist.

    Attributes:
        pgid: Its first page.
        page_count: Length of its own run.
        mask: A byte for each page of the file: 0, or one of the values above.
        beyond_count: Number of ids behind the end of the file.
        lists_itself: Whether its own run is listed, which no freelist does.
        id_count: Number of ids, also those behind the end of the file.
        high_water_mark_min: One more than the largest id, its own run included.
    """

    def __init__(self, scan: Scan, pgid: int) -> None:
        """Read a freelist.

        Args:
            pgid: A readable freelist page.
        """
        ids = scan.freelist(pgid)
        self.pgid = pgid
        self.page_count = scan.run_length(pgid)
        self.mask = bytearray(scan.page_count)
        self.beyond_count = sum(free >= scan.page_count for free in ids)
        for free in ids:
            if free < scan.page_count:
                self.mask[free] = LISTED
        self.lists_itself = any(self.mask[pgid : pgid + self.page_count])
        self.mask[pgid : pgid + self.page_count] = bytes([OWN_RUN]) * self.page_count
        self.id_count = len(ids)
        self.high_water_mark_min = max(pgid + self.page_count, ids[-1] + 1 if ids else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a tree and a freelist go together.

    Attributes:
        conflict_count: Pages that both have.
        uncovered_count: Pages below the high water mark that neither has.
        high_water_mark: One more than the largest page of both.
    """

    conflict_count: int
    uncovered_count: int
    high_water_mark: int


def fit(survey: Survey, free: FreePages) -> Fit:
    """Compare a tree with a freelist.

    Returns:
        How they go together.
    """
    reach = survey.reach
    conflicts = shared_count(reach, free.mask)
    last = len(reach.rstrip(b"\0"))
    high = max(last, free.high_water_mark_min, META_PAGE_COUNT)
    covered = survey.page_count + free.id_count + free.page_count - conflicts
    return Fit(
        conflict_count=conflicts + free.lists_itself,
        uncovered_count=max(high - META_PAGE_COUNT - covered, 0),
        high_water_mark=high,
    )


def shared_count(first: bytes | bytearray, second: bytes | bytearray) -> int:
    """Count the pages that two masks have in common, without looking at one after the other."""
    return (page_set(first) & page_set(second)).bit_count()


def page_set(mask: bytes | bytearray) -> int:
    """Return a number with one bit set for each page that a mask has."""
    return int.from_bytes(mask.translate(_IS_SET), "little")


_IS_SET: Final = bytes([0]) + bytes([1]) * 255
