"""Values that must not be seen by accident, and names for them that may be.

Lives here: `Secret`, `Fingerprinter`. Must not live here: what a secret is good for.

Invariants: `Secret.reveal` is the only way out. Whatever turns an object into text or bytes
behind one's back (str, format, repr, JSON, pickle, copy, comparison, hash) fails or says nothing.
The allowed callers of `reveal` are listed in tests/arch.
"""

from typing import Final, NoReturn

HIDDEN: Final = "REDACTED"
FINGERPRINT_KEY_SIZE_BYTES: Final = 32
_FINGERPRINT_LENGTH: Final = 8


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
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("a secret must be text that UTF-8 can encode")
        self._text = text

    def reveal(self) -> str:
        """Give the secret away.

        Returns:
            The secret as text.
        """
        return self._text

    def matches(self, other: "Secret") -> bool:
        """Compare in a time that does not depend on where the two differ.

        Args:
            other: Another secret.

        Returns:
            Whether both are the same text.
        """
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


class Fingerprinter:
    """Names secrets so that two mentions of one secret can be recognised within one run.

    The name is an HMAC under a key that lives as long as this object: it cannot be compared with
    the name given by another run, and a guessed secret cannot be tried against it afterwards.
    """

    __slots__ = ("_key",)

    def __init__(self, *, key: bytes) -> None:
        """Take the key of this run.

        Args:
            key: `FINGERPRINT_KEY_SIZE_BYTES` random bytes, drawn for this run and kept nowhere.

        Raises:
            ValueError: The key is shorter: names made with it could be computed by others.
        """
        if len(key) < FINGERPRINT_KEY_SIZE_BYTES:
            raise ValueError(f"a fingerprint key has {FINGERPRINT_KEY_SIZE_BYTES} bytes")
        self._key = key

    def fingerprint(self, secret: Secret) -> str:
        """Name a secret.

        Args:
            secret: The secret.

        Returns:
            Its length and name, such as `len=88 fp=3fa1c2d0`.
        """
        return self.fingerprint_bytes(secret.reveal().encode())

    def fingerprint_bytes(self, content: bytes) -> str:
        """Name a key or value of a store, which may hold a secret.

        Args:
            content: The bytes.

        Returns:
            Their length and name, such as `len=88 fp=3fa1c2d0`.
        """
        import hmac  # noqa: PLC0415 # costs 3 ms, and most commands never name a secret

        name = hmac.digest(self._key, content, "sha256").hex()[:_FINGERPRINT_LENGTH]
        return f"len={len(content)} fp={name}"

    def __repr__(self) -> str:
        return "<Fingerprinter>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Fingerprinter cannot be pickled: its key must not outlive the run")
