"""Which page to write on: the one place where pages are allocated.

Lives here: `Freelist`, the free pages as one write transaction sees them. Must not live here: the
freelist page (`bolt_store.codec.freelist`), and how the ids were found out (`bolt_store.db`).

Three kinds of pages are free in the snapshot that a transaction starts from. *Allocatable* pages
are free in the older snapshot too. *Kept back* pages are still used by the older snapshot: they
stay in the list but are not written on, so that both snapshots are whole until the new meta is
written. *Freed* pages are what this transaction stops using. Whatever does not fit into the
allocatable ones comes from behind the high water mark.

Source: bbolt v1.3.6 freelist.go (arrayAllocate: the lowest run that fits); spec section 2.11.
"""

from bisect import bisect_left

from bolt_store.codec.freelist import freelist_size_bytes
from bolt_store.codec.layout import META_PAGE_COUNT, run_length
from bolt_store.errors import invariant


class Freelist:
    """The free pages of one write transaction. Thrown away when it rolls back.

    Attributes:
        high_water_mark: First page id that was never used; moves up with allocation.
        freed: Pages that this transaction has stopped using.
    """

    __slots__ = (
        "_allocatable",
        "_kept_back",
        "_no_run_below",
        "_start",
        "freed",
        "high_water_mark",
    )

    def __init__(self, *, free: list[int], kept_back: frozenset[int], high_water_mark: int) -> None:
        """Start from the pages that are free in a snapshot.

        Args:
            free: Ascending page ids, none below 2 and none at or above the high water mark.
            kept_back: Those that the older snapshot still uses.
        """
        self._allocatable = [pgid for pgid in free if pgid not in kept_back]
        self._kept_back = kept_back.intersection(free)
        self._start = 0
        self._no_run_below: dict[int, int] = {}  # page count -> page id
        self.freed: set[int] = set()
        self.high_water_mark = high_water_mark

    def allocate(self, page_count: int) -> int:
        """Take a run of pages: the lowest that fits, else a new one at the high water mark.

        Args:
            page_count: Length of the run, at least 1.

        Returns:
            Its first page.
        """
        ids = self._allocatable
        if page_count == 1 and self._start < len(ids):
            # Lowest first, without moving the whole list for each page.
            self._start += 1
            return ids[self._start - 1]
        index = self._find_run(page_count)
        if index is not None:
            pgid = ids[index]
            del ids[index : index + page_count]
            return pgid
        # No run is long enough, although single pages may be free: the file grows.
        pgid = self.high_water_mark
        self.high_water_mark += page_count
        return pgid

    def _find_run(self, page_count: int) -> int | None:
        """Return the index of the lowest run of `page_count` consecutive ids, which is then taken.

        Pages only leave the list, so no run comes into being where one was looked for in vain: each
        search goes on where the last for that length ended, or many changes to a file with many
        single free pages would take the square of the time.
        """
        ids = self._allocatable
        first = start = bisect_left(ids, self._no_run_below.get(page_count, 0), lo=self._start)
        for index in range(first, len(ids)):
            if index > start and ids[index] != ids[index - 1] + 1:
                start = index  # a page in use lies between the two
            if index - start + 1 == page_count:
                self._no_run_below[page_count] = ids[index] + 1
                return start
        self._no_run_below[page_count] = self.high_water_mark
        return None

    def free(self, run: tuple[int, int]) -> None:
        """Note that a run (first page, number of pages) is not used any more."""
        pgid, page_count = run
        invariant(pgid >= META_PAGE_COUNT, "the metas are never freed")
        pages = range(pgid, pgid + page_count)
        invariant(self.freed.isdisjoint(pages), "no page is freed twice")
        self.freed.update(pages)

    def allocate_own_run(self, page_size_bytes: int) -> tuple[int, int]:
        """Take the run for the freelist page itself; nothing may be allocated after it.

        The size is computed before its own pages leave the list, so the run can be a page longer
        than needed, as in bbolt.

        Returns:
            First page and number of pages.
        """
        page_count = run_length(freelist_size_bytes(len(self.ids())), page_size_bytes)
        return self.allocate(page_count), page_count

    def ids(self) -> list[int]:
        """Return all pages that are free once this transaction has committed, ascending."""
        return sorted([*self._allocatable[self._start :], *self._kept_back, *self.freed])
