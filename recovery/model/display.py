"""Text from the store, made safe to look at.

Lives here: `displayed`, `quoted` for what is to be typed, and sizes and times in words. Must not
live here: tables, colours, widths.

Whoever may create a user or an organization chooses its name freely, so a name may try to move the
cursor, to reorder the line, to forge another line, or to look like another name.

Invariants: what comes out is printable; blanks and invisible characters show; and escaping can be
undone, because the backslash is escaped too, so two different texts never come out the same.

Facts: Unicode categories through `str.isprintable`, which is false for control, format, surrogate,
private and unassigned characters and for every separator but the ASCII blank; Unicode TR36,
section 3 (invisible characters, bidirectional marks).
"""

from datetime import datetime
from typing import Final

_SHORT: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INVISIBLE: Final = frozenset(
    "\N{BRAILLE PATTERN BLANK}\N{HANGUL FILLER}\N{HANGUL CHOSEONG FILLER}"
    "\N{HANGUL JUNGSEONG FILLER}\N{HALFWIDTH HANGUL FILLER}\N{COMBINING GRAPHEME JOINER}"
    "\N{KHMER VOWEL INHERENT AQ}\N{KHMER VOWEL INHERENT AA}"
)
"""Letters and marks that count as printable and show nothing."""

_SELECTORS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810))
"""Variation selectors: printable by category, invisible by purpose."""

_BYTE_MAX: Final = 0xFF
_BMP_MAX: Final = 0xFFFF


def displayed(text: str) -> str:
    """Escape what a person could not see or could mistake.

    Blanks at either end and blanks after a blank are escaped too: the server tells `x` from `x `.

    Returns:
        Printable text; `text` itself when nothing in it needs escaping.
    """
    if (
        text.isascii()
        and text.isprintable()
        and "\\" not in text
        and "  " not in text
        and text.strip(" ") == text
    ):
        return text
    last = len(text) - 1
    return "".join(
        _escaped(character)
        if _is_hidden(character)
        or (character == " " and (index in (0, last) or text[index - 1] == " "))
        else character
        for index, character in enumerate(text)
    )


def is_typeable(text: str) -> bool:
    """Tell whether a person who sees a text can type it: nothing in it is hidden."""
    return displayed(text) == text.replace("\\", "\\\\")


def _is_hidden(character: str) -> bool:
    if character == "\\" or character in _INVISIBLE:
        return True
    return not character.isprintable() or any(ord(character) in part for part in _SELECTORS)


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    if number <= _BYTE_MAX:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= _BMP_MAX else f"\\U{number:08x}"


def quoted(text: str) -> str:
    """Quote a value so that a shell gives it back, in ASCII where a terminal might not."""
    if text.isprintable():
        import shlex  # noqa: PLC0415 # most output has nothing to be typed

        return shlex.quote(text)
    inner = "".join(_as_bytes(character) for character in text)
    return f"$'{inner}'"


def _as_bytes(character: str) -> str:
    if character.isprintable() and character not in "'\\":
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))


_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_KIBI: Final = 1024


def size_text(size_bytes: int) -> str:
    """Write a size for a person, as "128.0 KiB"."""
    number, unit = float(size_bytes), 0
    while number >= _KIBI and unit < len(_UNITS) - 1:
        number, unit = number / _KIBI, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"


def plural(count: int, noun: str) -> str:
    """Put a number before a noun that has a regular plural, as "1 user" or "2 users"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def with_article(noun: str) -> str:
    """Put the indefinite article before a noun, as "a member" or "an owner"."""
    return f"{'an' if noun[:1] in set('aeiou') else 'a'} {noun}"


def moment_text(moment: datetime) -> str:
    """Write a time, in UTC, as RFC 3339, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
