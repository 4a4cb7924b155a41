"""Text from the store, made safe to look at.

Lives here: `displayed`. Must not live here: tables and colours.

Invariants: what comes out has no control character, no mark that turns the direction of writing,
and no blank that looks like another; so a name cannot forge a line or hide as another name.
"""

import unicodedata
from typing import Final

_SHOWN_AS_THEY_ARE: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd", "Nl", "No"})


def displayed(text: str) -> str:
    """Return `text` with everything that does not show, or shows as something else, escaped.

    A backslash is doubled, so that an escape cannot be mistaken for a name that looks like one.
    Blanks at either end are escaped too, since they cannot be seen there.
    """
    if text.isascii() and text.isprintable() and "\\" not in text and text == text.strip():
        return text
    shown = [_shown(character) for character in text]
    for index in (0, -1):
        if shown and shown[index] == " ":
            shown[index] = "\\x20"
    return "".join(shown)


def _shown(character: str) -> str:
    if character == "\\":
        return "\\\\"
    category = unicodedata.category(character)
    is_visible = category in _SHOWN_AS_THEY_ARE or category[0] in "PS"
    if character == " " or is_visible:
        return character
    return character.encode("unicode_escape").decode("ascii")
