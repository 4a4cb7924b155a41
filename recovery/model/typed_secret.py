"""What a secret has in it that is easily there by mistake.

Lives here: `oddity_of`. Must not live here: what is done about it: nothing is ever taken away from
a secret, and who typed it is told.
"""

import unicodedata
from typing import Final

from recovery.secret import Secret

TAKEN_AS_IT_IS: Final = "that is taken as it is, as a part of it"
_QUOTES: Final = frozenset(
    {'""', "''", "``", "\u2018\u2019", "\u201c\u201d", "\u201e\u201c", "\xab\xbb"}
)


def oddity_of(secret: Secret) -> str | None:
    """Say what nobody means to type, as a clause whose subject is the secret; None for nothing.

    Shows no other character of it than blanks and signs that cannot be seen.
    """
    text = secret.reveal()
    if not text:
        return None
    oddities = [
        *(
            f"{verb} with {_named(one)}"
            for verb, one in (("begins", text[0]), ("ends", text[-1]))
            if _is_unseen(one)
        ),
        *(f"has {_named(one)} in it" for one in sorted({*text[1:-1]} - {" "}) if _is_unseen(one)),
    ]
    if len(text) > 1 and text[0] + text[-1] in _QUOTES:
        oddities.append("is in quotation marks")
    if not unicodedata.is_normalized("NFC", text):
        oddities.append("has accents apart from their letters, which no keyboard sends")
    return " and ".join(oddities) or None


def _is_unseen(one: str) -> bool:
    return unicodedata.category(one) in {"Zs", "Cf"}


def _named(one: str) -> str:
    if one == " ":
        return "a blank"
    return f"U+{ord(one):04X} ({unicodedata.name(one, 'without a name').lower()})"
