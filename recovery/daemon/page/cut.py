"""One page of a list.

Lives here: `Cut`. Must not live here: what is in the list.
"""

from collections.abc import Sequence
from typing import Final, Self

import msgspec

PAGE_ROWS: Final = 100


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list.

    Attributes:
        first: Number of the first of them, from 1; 0 when there is none.
        usual: Rows of a page, unless they are too long for it.
        name: What tells it from the other list of the same page; "" where there is one.
    """

    rows: Sequence[object]
    first: int
    last: int
    total: int
    number: int
    page_count: int
    size: int
    usual: int
    whole: Sequence[object]
    name: str = ""

    @classmethod
    def of(
        cls,
        rows: Sequence[object],
        asked: str,
        size: int = PAGE_ROWS,
        *,
        wanted: str = "",
        name: str = "",
    ) -> Self:
        """Cut a page out of a list.

        Args:
            asked: The number of the page, as it was asked for; anything else means the first.
            wanted: Fewer rows of a page, as they were asked for; anything else means `size`.
            name: Tells it from the other list of the same page.

        Returns:
            The page; the last one when there are not so many.
        """
        usual, size = size, min(_natural(wanted) or size, size)
        page_count = max(1, -(-len(rows) // size))
        number = min(max(_natural(asked), 1), page_count)
        start = (number - 1) * size
        shown = rows[start : start + size]
        return cls(
            rows=shown,
            first=start + 1 if shown else 0,
            last=start + len(shown),
            total=len(rows),
            number=number,
            page_count=page_count,
            size=size,
            usual=usual,
            whole=rows,
            name=name,
        )

    def halved(self) -> Self:
        """Cut half as much, beginning with the same row or a little before it."""
        size = max(self.size // 2, 1)
        number = str((self.first - 1) // size + 1)
        return self.of(self.whole, number, self.usual, wanted=str(size), name=self.name)

    def query(self, number: int) -> str:
        """Write what a link asks for to lead to a page of this list."""
        rows = f"&{prefixed(self.name, 'rows')}={self.size}" * (self.size != self.usual)
        return f"{prefixed(self.name, 'page')}={number}{rows}"

    @property
    def here(self) -> str:
        """What asks for this page of the list; "" for the first."""
        return self.query(self.number) if self.number > 1 else ""


def prefixed(name: str, field: str) -> str:
    """Name the field of a URL that asks for something of the list with this name."""
    return f"{name}-{field}" if name else field


def _natural(text: str) -> int:
    """Read a number that was asked for; 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 # digits enough
