"""Who can reach what: users, their tokens and roles, and what those reach.

Lives here: `draw_reach`. Must not live here: what a token may do (`recovery.services.reach`).

Invariants: three columns from left to right; a line never goes back. What works and what does not
differs by the form of the line, not by its colour alone.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum, unique
from html import escape
from typing import Final

import msgspec

from recovery.drawing.svg import element, fitted_text, picture, shortened
from recovery.model.display import displayed

_WIDTH: Final = 1000.0
_BOX_WIDTH: Final = 270.0
_BOX_HEIGHT: Final = 52.0
_STEP: Final = 68.0
_TOP: Final = 44.0
_LEFTS: Final = (0.0, 365.0, 730.0)
_HEADINGS: Final = ("Users", "Tokens and roles", "Reach")
_LABEL_SIZE: Final = 15
_TITLE_COLUMNS: Final = 90
_NOTE_SIZE: Final = 12
_TEXT_WIDTH: Final = _BOX_WIDTH - 28
_LEGEND: Final = "solid: works now · dashed: does not · thick: an operator's"


@unique
class Strength(StrEnum):
    """How good a way is."""

    OPERATOR = "operator"
    """Works now, and reaches everything."""
    WORKS = "works"
    """Works now."""
    BROKEN = "broken"
    """Does not work: inactive, its user gone, or no look-up leads to it."""


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A user, a token or role, or what is reached.

    Attributes:
        key: Unique in the picture.
        label: Its name; shortened where it does not fit.
        note: A second line, smaller; "" for none.
        href: Where a click on it leads; None for nowhere.
        is_faded: Whether it is worth nothing now.
        is_shown: Whether names in the label are escaped already.
    """

    key: str
    label: str
    note: str = ""
    href: str | None = None
    is_faded: bool = False
    is_shown: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A way from a box to one in the next column.

    Attributes:
        source: Key of the box that it comes from.
        target: Key of the box that it leads to.
    """

    source: str
    target: str
    strength: Strength


def draw_reach(
    columns: tuple[Sequence[Box], Sequence[Box], Sequence[Box]],
    lines: Sequence[Line],
    *,
    sentence: str,
) -> str:
    """Draw who can reach what.

    Args:
        columns: Users, their tokens and roles, what those reach. The order of the first is kept;
            the others are ordered so that lines seldom cross.
        lines: The ways. One whose ends are not among the boxes is left out.
        sentence: What the picture shows, for those who do not see it.

    Returns:
        An `svg` element with the class "reach".
    """
    placed = _placed(columns, lines)
    row_count = max(1, *(len(column) for column in columns))
    height = _TOP + row_count * _STEP + 28
    return picture(
        "reach",
        title="Who can reach what",
        sentence=sentence,
        size=(_WIDTH, height),
        has_links=any(box.href is not None for column in columns for box in column),
        content=(*_headings(), *_ways(placed, lines), *_boxes(placed), _legend(height)),
    )


class _Place(msgspec.Struct, frozen=True):
    """Where a box stands."""

    box: Box
    left: float
    top: float

    @property
    def middle(self) -> float:
        """Its height, where lines end."""
        return self.top + _BOX_HEIGHT / 2


def _placed(
    columns: tuple[Sequence[Box], Sequence[Box], Sequence[Box]], lines: Sequence[Line]
) -> dict[str, _Place]:
    """Give each box a place: near the middle of those that lead to it."""
    sources: dict[str, list[str]] = {}
    for line in lines:
        sources.setdefault(line.target, []).append(line.source)
    rows: dict[str, int] = {}
    placed: dict[str, _Place] = {}
    for left, column in zip(_LEFTS, columns, strict=True):
        known = {
            box.key: [rows[one] for one in sources.get(box.key, ()) if one in rows]
            for box in column
        }
        ordered = sorted(
            column,
            key=lambda box: (
                sum(known[box.key]) / len(known[box.key]) if known[box.key] else len(rows)
            ),
        )
        for row, box in enumerate(ordered):
            rows[box.key] = row
            placed[box.key] = _Place(box, left, _TOP + row * _STEP)
    return placed


def _headings() -> Iterator[str]:
    for left, heading in zip(_LEFTS, _HEADINGS, strict=True):
        yield element(
            "text",
            heading,
            class_="heading",
            x=left + 2,
            y=24,
            fill="currentColor",
            font_size=15,
            font_weight=600,
        )


def _legend(height: float) -> str:
    return element(
        "text", _LEGEND, class_="note", x=2, y=height - 8, fill="currentColor", font_size=13
    )


def _ways(placed: dict[str, _Place], lines: Sequence[Line]) -> Iterator[str]:
    """Draw the lines, those that do not work first, so that the others lie over them."""
    order = (Strength.BROKEN, Strength.WORKS, Strength.OPERATOR)
    for line in sorted(dict.fromkeys(lines), key=lambda line: order.index(line.strength)):
        source, target = placed.get(line.source), placed.get(line.target)
        if source is None or target is None:
            continue
        start, end = source.left + _BOX_WIDTH, target.left
        half = (start + end) / 2
        path = f"M{start:g} {source.middle:g}C{half:g} {source.middle:g} {half:g} "
        yield element(
            "path",
            d=f"{path}{target.middle:g} {end:g} {target.middle:g}",
            class_=f"way {line.strength}",
            fill="none",
            stroke="currentColor",
            stroke_width=4 if line.strength is Strength.OPERATOR else 1.5,
            stroke_dasharray="3 5" if line.strength is Strength.BROKEN else None,
        )


def _boxes(placed: dict[str, _Place]) -> Iterator[str]:
    for place in placed.values():
        box = place.box
        label = box.label if box.is_shown else displayed(box.label)
        content = element(
            "title", escape(f"{shortened(label, _TITLE_COLUMNS)} {displayed(box.note)}".strip())
        )
        content += element(
            "rect",
            x=place.left + 1,
            y=place.top,
            width=_BOX_WIDTH - 2,
            height=_BOX_HEIGHT,
            rx=8,
            fill="none",
            stroke="currentColor",
            stroke_dasharray="3 4" if box.is_faded else None,
        )
        label_y = place.middle + (-3 if box.note else 5)
        left = place.left + 14
        content += _text(label, left, label_y, _LABEL_SIZE, "label")
        if box.note:
            note = displayed(box.note)
            content += _text(note, left, place.middle + 16, _NOTE_SIZE, "note")
        group = element("g", content, class_="box faded" if box.is_faded else "box")
        yield group if box.href is None else element("a", group, href=box.href)


def _text(text: str, x: float, y: float, size: int, name: str) -> str:
    return element(
        "text",
        fitted_text(text, _TEXT_WIDTH / size),
        class_=name,
        x=x,
        y=y,
        fill="currentColor",
        font_size=size,
    )
