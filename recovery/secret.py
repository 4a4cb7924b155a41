"""Values that must not be seen by accident.

Lives here: `Secret`. Must not live here: what a secret is good for.

Invariants: `Secret.reveal` is the only way out. Whatever turns an object into text or bytes
behind one's back (str, format, repr, JSON, pickle, copy, comparison, hash) fails or says nothing.
The allowed callers of `reveal` are listed in tests/arch.
"""

from typing import Final, NoReturn

HIDDEN: Final = "REDACTED"


class Secret:
    """A token, a token's hash or a password.

    It is not a `str` and cannot be compared with `==`: a plain comparison takes longer the more of
    the secret was guessed right. As text it says REDACTED and does not fail, because a message that
    cannot be built after a commit would be worse than one that says too little.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Hide a text.

        Args:
            text: The secret. It must be encodable as UTF-8, as every text in a store is; an
                encoding error raised later would carry the secret in its fields.

        Raises:
            ValueError: The text holds a lone surrogate.
        """
        # An error of `encode`, even one that is caught, would keep the secret.
        if not text.isascii() and (
            text.encode("utf-8", "ignore") != text.encode("utf-8", "surrogatepass")
        ):
            raise ValueError("a secret must be text that UTF-8 can encode")
        self._text = text

    def reveal(self) -> str:
        """Give the secret away, as text."""
        return self._text

    def matches(self, other: "Secret") -> bool:
        """Compare in a time that does not depend on where the two differ."""
        from hmac import compare_digest  # noqa: PLC0415 # costs 3 ms, and listings never compare

        return compare_digest(self._text.encode(), other.reveal().encode())

    @property
    def length_bytes(self) -> int:
        """How long the secret is in UTF-8."""
        return len(self._text.encode())

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secrets are compared with matches()")

    def __hash__(self) -> NoReturn:
        raise TypeError("secrets have no hash")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("secrets can be neither pickled nor copied")
