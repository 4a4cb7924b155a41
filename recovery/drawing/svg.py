"""Texts and elements of SVG.

Lives here: escaping, shortening, elements. Must not live here: what is drawn.

Invariants: whatever comes from a store is escaped twice over: what nobody could see becomes
visible, and what SVG would read as markup becomes text.

Source: SVG 2, sections 5 (document structure) and 11 (text); Unicode Standard Annex 11 (width).
"""

import unicodedata
from collections.abc import Iterable
from html import escape
from typing import Final

from recovery.model.display import displayed

_WIDE: Final = frozenset("WF")


def element(name: str, content: str = "", **attributes: str | float | None) -> str:
    """Write one element.

    Args:
        content: What is in it: further elements, or a text from `text_of`.
        attributes: `_` in a name stands for `-`, and one at its end for nothing, as in `class_`.
            None leaves an attribute out.
    """
    written = "".join(
        f' {key.removesuffix("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text_of(text: str) -> str:
    """Make a text of a store safe to look at and to write into a picture."""
    return escape(displayed(text))


def fitted_text(text: str, width_em: float) -> str:
    """Cut a text to a width in the picture.

    Args:
        text: As `displayed` gives it.
        width_em: In sizes of the font. Widths of letters are those of a wide sans serif, in bold.

    Returns:
        The text, safe to write into a picture.
    """
    room, fitting = width_em, 0
    for place, character in enumerate(text):
        room -= _width_em(character)
        if room < 0:
            return escape(text[:fitting] + "…")
        if room >= 1:  # the dots have room behind it
            fitting = place + 1
    return escape(text)


def _width_em(character: str) -> float:
    if columns_of(character) > 1 or character in "mwMW@%…":
        return 1.05
    if character in "iljtfrI.,:;'|![]() -":
        return 0.42
    return 0.8 if character.isupper() else 0.68


def shortened(text: str, width: int) -> str:
    """Cut a text to a width in columns of a terminal, mark that, and make it printable."""
    shown: list[str] = []
    room = width
    whole = displayed(text)
    for character in whole:
        room -= columns_of(character)
        if room < 0:
            return "".join(shown[:-1]) + "…"
        shown.append(character)
    return whole


def columns_of(text: str) -> int:
    """Say how wide a text is, in columns of a terminal."""
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in _WIDE
        else 1
        for character in text
    )


def picture(
    name: str,
    *,
    title: str,
    sentence: str,
    size: tuple[float, float],
    content: Iterable[str],
    has_links: bool = False,
) -> str:
    """Write a whole picture.

    Args:
        name: A name for its classes and IDs, unique on its page: letters and hyphens.
        sentence: What it shows, for those who do not see it.
        has_links: Whether parts of it lead somewhere; an image has no parts for those who do not
            see it, so it is a group then.

    Returns:
        An `svg` element that fits into any width.
    """
    head = element("title", escape(title), id=f"{name}-title")
    head += element("desc", text_of(sentence), id=f"{name}-sentence")
    return element(
        "svg",
        head + "".join(content),
        class_=name,
        viewBox=f"0 0 {_number(size[0])} {_number(size[1])}",
        role="group" if has_links else "img",
        aria_labelledby=f"{name}-title {name}-sentence",
    )


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"
