"""The pages of a file, and how its size is divided.

Lives here: `draw_pages`, `draw_shares`. Must not live here: which page is what
(`recovery.services.stores.page_map`).

Invariants: one square a page, 64 a row, as long as the picture stays small; beyond that a square
stands for 2, 4, 8 pages and so on, and shows the rarest kind that must not be overlooked. The
squares of a kind are one path, so that a file of a few runs is a picture of a few hundred bytes.

Source: SVG 2, section 9.3 (path data).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum, unique
from typing import Final

import msgspec

from recovery.drawing.svg import element, picture, text_of

SQUARES_A_ROW: Final = 64
SQUARES_MAX: Final = 16_384
PATHS_SIZE_BYTES_MAX: Final = 30_000
_CELL: Final = 10
_SIDE: Final = 8
_BAR_HEIGHT: Final = 28.0
_BAR_WIDTH: Final = 640.0


@unique
class PageUse(StrEnum):
    """What a page is for."""

    UNREACHABLE = "unreachable"
    """Neither used nor listed as free."""
    META = "meta"
    FREELIST = "freelist"
    BRANCH = "branch"
    LEAF = "leaf"
    OVERFLOW = "overflow"
    """A further page of a run."""
    FREE = "free"


_FIRST: Final = (PageUse.UNREACHABLE, PageUse.META, PageUse.FREELIST)
"""What a square shows even if only one of its pages is that."""
_SHADES: Final = {
    PageUse.UNREACHABLE: 1.0,
    PageUse.META: 1.0,
    PageUse.FREELIST: 0.85,
    PageUse.BRANCH: 0.7,
    PageUse.LEAF: 0.5,
    PageUse.OVERFLOW: 0.35,
    PageUse.FREE: 0.12,
}
"""How dark each is where there is no style sheet."""


class PageRun(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring pages of one use.

    Attributes:
        is_new: Whether the last change wrote them.
    """

    count: int
    use: PageUse
    is_new: bool = False


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a whole.

    Attributes:
        label: What it is, not escaped.
        size: How much, in any unit.
    """

    label: str
    size: int


def draw_pages(runs: Sequence[PageRun], *, sentence: str) -> str:
    """Draw the pages of a file as an `svg` of class "pages", with a sentence for who cannot see."""
    page_count = sum(run.count for run in runs)
    pages_a_square = 1
    while True:
        squares = _squares(runs, pages_a_square)
        is_small = len(squares) <= SQUARES_MAX
        paths = list(_paths(squares)) if is_small else []
        if is_small and sum(map(len, paths)) <= PATHS_SIZE_BYTES_MAX:
            break
        pages_a_square *= 2
    unit = "one square a page" if pages_a_square == 1 else f"one square for {pages_a_square} pages"
    row_count = -(-len(squares) // SQUARES_A_ROW)
    return picture(
        "pages",
        title=f"{page_count} pages of the file, {unit}",
        sentence=sentence,
        size=(SQUARES_A_ROW * _CELL, max(row_count, 1) * _CELL),
        content=paths,
    )


def draw_shares(shares: Sequence[Share], *, title: str) -> str:
    """Draw how a whole is divided, as one bar.

    Args:
        shares: The parts, in the order from left to right; those without size are left out.

    Returns:
        An `svg` element with the class "shares"; its parts have the classes "share-0" and so on, by
        their place in `shares`.
    """
    total = sum(share.size for share in shares)
    return picture(
        "shares",
        title=title,
        sentence=", ".join(f"{one.label} {one.size / total:.0%}" for one in shares if one.size),
        size=(_BAR_WIDTH, _BAR_HEIGHT),
        content=_bars(shares, total),
    )


def _bars(shares: Sequence[Share], total: int) -> Iterator[str]:
    left = 0.0
    for place, share in enumerate(shares):
        if not share.size:
            continue
        width = _BAR_WIDTH * share.size / total
        yield element(
            "rect",
            element("title", text_of(f"{share.label} {share.size / total:.1%}")),
            class_=f"share share-{place}",
            x=round(left, 2),
            y=0,
            width=round(max(width - 1, 0.5), 2),
            height=_BAR_HEIGHT,
            fill="currentColor",
            fill_opacity=round(0.9 - 0.8 * place / max(len(shares), 1), 2),
        )
        left += width


def _squares(runs: Sequence[PageRun], pages_a_square: int) -> list[tuple[PageUse, bool]]:
    """Say what each square shows, and whether the last change wrote in it."""
    squares: list[tuple[PageUse, bool]] = []
    counts: Counter[PageUse] = Counter()
    is_new, room = False, pages_a_square
    for run in runs:
        left = run.count
        while left:
            if room == pages_a_square and left >= pages_a_square:  # whole squares of one use
                whole = left // pages_a_square
                squares += [(run.use, run.is_new)] * whole
                left -= whole * pages_a_square
                continue
            taken = min(left, room)
            counts[run.use] += taken
            is_new |= run.is_new
            left, room = left - taken, room - taken
            if not room:
                squares.append((_shown(counts), is_new))
                counts, is_new, room = Counter(), False, pages_a_square
    if counts:
        squares.append((_shown(counts), is_new))
    return squares


def _shown(counts: Counter[PageUse]) -> PageUse:
    for use in _FIRST:
        if counts[use]:
            return use
    return max(counts, key=lambda use: counts[use])


def _paths(squares: Sequence[tuple[PageUse, bool]]) -> Iterator[str]:
    """Draw the squares of each use as dashed strokes along the rows, and mark the new ones."""
    for use in PageUse:
        data = "".join(_strokes([one is use for one, _ in squares]))
        if data:
            yield element(
                "path",
                element("title", use.value),
                class_=f"page {use}",
                d=data,
                fill="none",
                stroke="currentColor",
                stroke_opacity=_SHADES[use],
                stroke_width=_SIDE,
                stroke_dasharray=f"{_SIDE} {_CELL - _SIDE}",
            )
    frames = "".join(_strokes([is_new for _, is_new in squares]))
    if frames:
        yield element(
            "path",
            element("title", "written by the last change"),
            class_="page new",
            d=frames,
            fill="none",
            stroke="currentColor",
            stroke_width=2,
            transform=f"translate(0 {_CELL // 2})",
        )


def _strokes(marked: Sequence[bool]) -> Iterator[str]:
    """Draw a stroke for each run of marked squares; the dashes begin anew with each."""
    row_count = -(-len(marked) // SQUARES_A_ROW)
    for row in range(row_count):
        start = row * SQUARES_A_ROW
        cells = marked[start : start + SQUARES_A_ROW]
        column = 0
        while column < len(cells):
            if not cells[column]:
                column += 1
                continue
            end = column
            while end < len(cells) and cells[end]:
                end += 1
            length = (end - column) * _CELL - (_CELL - _SIDE)
            yield f"M{column * _CELL + 1} {row * _CELL + _CELL // 2}h{length}"
            column = end
