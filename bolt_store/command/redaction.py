"""Keys and values as they may be shown.

Lives here: `Redaction`. Must not live here: who asked for what.

By default only the length is shown, and a fingerprint that tells equal from different: an HMAC
under a key that is made anew for each run, so that nobody can try out what it stands for later.
"""

import hmac
import os
from typing import Final

FINGERPRINT_SIZE_BYTES: Final = 4
KEY_SIZE_BYTES: Final = 32


class Redaction:
    """What may be shown in this run."""

    def __init__(self, *, keys: bool, values: bool) -> None:
        """Make a redaction with a fresh key.

        Args:
            keys: Show keys and the names of buckets as they are.
        """
        self._keys = keys
        self._values = values
        self._secret = os.urandom(KEY_SIZE_BYTES)

    def key(self, key: bytes) -> str:
        """Return a key, or the name of a bucket, as text."""
        return _plain(key) if self._keys else self._hidden(key)

    def value(self, value: bytes) -> str:
        """Return a value as text."""
        return _plain(value) if self._values else self._hidden(value)

    def key_json(self, key: bytes) -> dict[str, object]:
        """Return a key, or the name of a bucket, for JSON."""
        return self._json(key, is_shown=self._keys)

    def value_json(self, value: bytes) -> dict[str, object]:
        """Return a value for JSON."""
        return self._json(value, is_shown=self._values)

    def _hidden(self, data: bytes) -> str:
        return f"len={len(data)} fp={self._fingerprint(data)}"

    def _json(self, data: bytes, *, is_shown: bool) -> dict[str, object]:
        if is_shown:
            return {"size_bytes": len(data), "hex": data.hex()}
        return {"size_bytes": len(data), "fingerprint": self._fingerprint(data)}

    def _fingerprint(self, data: bytes) -> str:
        return hmac.digest(self._secret, data, "sha256")[:FINGERPRINT_SIZE_BYTES].hex()


def _plain(data: bytes) -> str:
    """Quote bytes; what is not printable ASCII is escaped, so that no terminal obeys it."""
    return ascii(data)[1:]
