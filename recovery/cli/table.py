"""Tables for people, fitted to the terminal.

Lives here: measuring, wrapping and aligning of text. Must not live here: writing it anywhere, and
anything about what the text means.

Invariants: a column with `minimum` 0 is never wrapped or cut, so that an ID can always be copied.
Nothing is wider than `width_max` unless such a column alone is. Text has been escaped before: no
character here moves the cursor.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Final, NamedTuple

GAP: Final = "  "
CELL_LINES_MAX: Final = 6
"""A longer cell ends in "..."; the whole text is in --json."""
ELLIPSIS: Final = "..."
_UNIT: Final = r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)|."
"""A character as `recovery.model.display` writes it; compiled where a word has to be broken."""
TAB: Final = 8
SAMPLE_ROWS: Final = 20
LAID_OUT_ROWS: Final = 10_000
"""Rows that are held to find out how wide the columns have to be."""


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        minimum: The narrowest that it may become by wrapping; 0 when it must not be wrapped.
        is_spare: Whether it is left out where another would have to be wrapped for it.
    """

    title: str
    minimum: int = 0
    is_spare: bool = False


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    *,
    width_max: int | None,
    has_headings: bool = True,
) -> Iterator[str]:
    """Lay out rows below aligned headings.

    Args:
        columns: The headings. A column that is empty in each row is left out.
        rows: Their cells, as many in each as there are columns. Of a longer list than
            `LAID_OUT_ROWS`, those rows decide about the columns, and the others are not held: a
            wider cell among them is wrapped at a terminal, and elsewhere moves what is behind it.
        width_max: Columns of the terminal, or None for a file or a pipe, where nothing is wrapped.

    Yields:
        Lines without a line feed. A terminal too narrow for the table gets one block a row.
    """
    rest = iter(rows)
    cells = list(islice(rest, LAID_OUT_ROWS))
    distinct = [set(column) for column in zip(*cells, strict=True)] or [{""} for _ in columns]
    # Of what is not known to be empty in each row, nothing is left out.
    may_be_more = len(cells) == LAID_OUT_ROWS
    kept = [i for i in range(len(columns)) if may_be_more or not cells or distinct[i] != {""}]
    needed = {i: max(text_width(columns[i].title), *map(text_width, distinct[i])) for i in kept}
    if width_max is not None and sum(needed.values()) + len(GAP) * (len(kept) - 1) > width_max:
        kept = [i for i in kept if not columns[i].is_spare]
    heads = [columns[i] for i in kept]
    pick = _picker(kept)
    widths = [needed[i] for i in kept]
    if width_max is not None:
        fitted = _fit(heads, widths, [pick(row) for row in cells], width_max)
        if fitted is None:
            yield from _blocks(heads, map(pick, chain(cells, rest)), width_max)
            return
        widths = fitted
    if has_headings:
        yield from _line_up([head.title for head in heads], widths)
    template = GAP.join(f"%-{width}s" for width in widths)
    length = sum(widths) + len(GAP) * (len(widths) - 1)
    for row in map(pick, chain(cells, rest)):
        line = template % row
        # A line has this length only where each cell fits into its column.
        if len(line) == length and line.isascii():
            yield line.rstrip()
        elif width_max is None:
            yield GAP.join(map(_padded, row, widths)).rstrip()
        else:
            yield from _line_up(row, widths)


def tabbed(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lay out rows as `influxd recovery` does: between two cells there are tabs alone.

    Source: influxdb v2.9.1 cmd/influxd/recovery; Go text/tabwriter with cells of tabs.

    Yields:
        Lines without a line feed: the headings, then one for each row.
    """
    lines = [titles, *rows]
    stops = [max(map(len, column)) // TAB + 1 for column in zip(*lines, strict=True)]
    for *cells, last in lines:
        padded = (
            cell + "\t" * (stop - len(cell) // TAB)
            for cell, stop in zip(cells, stops, strict=False)  # the last has no end
        )
        yield "".join(padded) + last


def _picker(kept: Sequence[int]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Make what takes the cells of these columns out of a row."""
    if len(kept) == 1:
        (only,) = kept
        return lambda row: (row[only],)
    return itemgetter(*kept)


def text_width(text: str) -> int:
    """Measure text without control characters in columns of a terminal; wide letters take two."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(character) in {"Mn", "Me"}
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def wrap(text: str, width: int, *, breaks_words: bool = True) -> list[str]:
    """Break text into lines, at blanks where there are any.

    Args:
        width: Columns that a line may take, at least 2.
        breaks_words: Whether a word longer than that is broken. In prose it is not, because it may
            be a path that somebody wants to copy.
    """
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        rest = f"{line} {word}" if line else word
        if line and text_width(rest) > width:
            lines.append(line)
            rest = word
        while breaks_words and text_width(rest) > width:
            head = _head(rest, width)
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line]


def _head(text: str, width: int) -> str:
    """Take what fits, but no part of an escaped character, nor a letter without its marks.

    Where not even the first fits, it is broken.
    """
    end, room = 0, 0
    for unit in re.finditer(_UNIT, text, re.DOTALL):
        room += text_width(unit[0])
        if room > width:
            break
        end = unit.end()
    return text[: end or width]


def _fit(
    heads: Sequence[Column], widths: Sequence[int], body: Sequence[Sequence[str]], width_max: int
) -> list[int] | None:
    """Take width from columns until all fit, where it costs the fewest lines; None if none do."""
    fitted = list(widths)
    excess = sum(fitted) + len(GAP) * (len(fitted) - 1) - width_max
    sample = _sample(body)
    while excess > 0:
        spare = [
            i
            for i, head in enumerate(heads)
            if head.minimum and fitted[i] > max(head.minimum, text_width(head.title))
        ]
        if not spare:
            return None
        narrowed = {i: [*fitted[:i], fitted[i] - 1, *fitted[i + 1 :]] for i in spare}
        best = min(spare, key=lambda i: (*_cost(sample, narrowed[i]), -fitted[i]))
        fitted = narrowed[best]
        excess -= 1
    return fitted


def _sample(body: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Choose rows to judge widths by: those at the top, and the longest."""
    longest = sorted(body, key=lambda row: sum(map(len, row)), reverse=True)
    return [*body[:SAMPLE_ROWS], *longest[:SAMPLE_ROWS]]


def _cost(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> tuple[int, int]:
    """Count the lines that rows take, and the cells in which a word is broken."""
    lines, broken = 0, 0
    for row in rows:
        lines += max(len(_cell_lines(cell, width)) for cell, width in zip(row, widths, strict=True))
        broken += sum(
            len(cell) > width and max(map(text_width, cell.split(" "))) > width
            for cell, width in zip(row, widths, strict=True)
        )
    return lines, broken


def _line_up(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    wrapped = [_cell_lines(cell, width) for cell, width in zip(row, widths, strict=True)]
    for i in range(max(map(len, wrapped), default=0)):
        parts = [
            _padded(lines[i] if i < len(lines) else "", width)
            for lines, width in zip(wrapped, widths, strict=True)
        ]
        yield GAP.join(parts).rstrip()


def _cell_lines(cell: str, width: int) -> list[str]:
    if text_width(cell) <= width:
        return [cell]
    lines = wrap(cell, width)
    if len(lines) <= CELL_LINES_MAX:
        return lines
    last = _head(lines[CELL_LINES_MAX - 1], max(width - len(ELLIPSIS), 1)).rstrip() + ELLIPSIS
    return [*lines[: CELL_LINES_MAX - 1], last]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - text_width(text))


def _blocks(
    heads: Sequence[Column], body: Iterable[Sequence[str]], width_max: int
) -> Iterator[str]:
    """Lay out each row as lines of a name and a value, with an empty line between rows."""
    name_width = max(text_width(head.title) for head in heads)
    room = max(width_max - name_width - len(GAP), 16)
    is_first = True
    for row in body:
        if not is_first:
            yield ""
        is_first = False
        for head, cell in zip(heads, row, strict=True):
            if not cell:
                continue
            lines = [cell] if not head.minimum else wrap(cell, room)
            yield _padded(head.title, name_width) + GAP + lines[0]
            yield from (" " * (name_width + len(GAP)) + line for line in lines[1:])
