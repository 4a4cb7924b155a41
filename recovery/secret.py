"""A secret that hides itself.

Lives here: `Secret`, and the fingerprint that may be shown instead. Must not live here: how tokens
are made or hashed (`recovery.model.token`).

Invariants: neither `str`, `format`, `repr`, JSON, pickle, `==` nor `hash` gives anything away.
`reveal` is the only way out, and a test lists every call of it.
"""

import secrets
from typing import Final, NoReturn

HIDDEN: Final = "REDACTED"
_FINGERPRINT_KEY: Final = secrets.token_bytes(32)


class Secret:
    """A token, a password or a hash of one. Not a string, so that nothing takes it for one."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def matches(self, other: "Secret") -> bool:
        """Compare in constant time."""
        return secrets.compare_digest(self._value.encode(), other.reveal().encode())

    def fingerprint(self) -> str:
        """Return length and a keyed digest, the same for equal secrets within one run only."""
        import hashlib  # noqa: PLC0415 # few runs need it, and it loads OpenSSL
        import hmac  # noqa: PLC0415

        digest = hmac.new(_FINGERPRINT_KEY, self._value.encode(), hashlib.sha256).hexdigest()
        return f"len={len(self._value)} fp={digest[:8]}"

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

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets cannot be pickled")
