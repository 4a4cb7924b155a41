"""Tokens: how they are made, hashed, stored and looked up.

Lives here: the token itself, its hashes, and the server's rule of finding a record by it. Must not
live here: the record (`recovery.model.authorization`), and what shows a token to anybody.

Source: InfluxDB v2.9.1 rand/token.go, pkg/crypt/algorithm/influxdb2/, authorization/storage.go.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from enum import StrEnum, unique
from typing import Final

from recovery.model.ids import Id, parse_id
from recovery.ports import Rng
from recovery.secret import Secret

TOKEN_SIZE_BYTES: Final = 64
LEVEL_HASHED: Final = 21
"""First schema level that knows hashed tokens (InfluxDB 2.8)."""
SHA256: Final = "influxdb2-sha256"
SHA512: Final = "influxdb2-sha512"
_DIGESTS: Final = {SHA256: "sha256", SHA512: "sha512"}
_DIGEST_SIZE_BYTES: Final = {SHA256: 32, SHA512: 64}
_JWT_PARTS: Final = 3


@unique
class TokenForm(StrEnum):
    """How a record keeps its token."""

    RAW = "raw"
    SHA256 = "sha256"
    SHA512 = "sha512"
    UNKNOWN = "unknown hash"
    BOTH = "raw and hashed"
    NONE = "none"


def new_token(rng: Rng) -> Secret:
    """Make a token as the server does: 64 random bytes, 88 characters."""
    return Secret(urlsafe_b64encode(rng.token_bytes(TOKEN_SIZE_BYTES)).decode("ascii"))


def hash_token(token: Secret, variant: str = SHA256) -> Secret:
    """Hash a token as the server stores it: one unsalted round over its characters.

    Args:
        token: The token as the client sends it; it is not decoded.
        variant: `SHA256` or `SHA512`.
    """
    import hashlib  # noqa: PLC0415 - listing needs no hash

    digest = hashlib.new(_DIGESTS[variant], token.reveal().encode()).digest()
    return Secret(f"${variant}${urlsafe_b64encode(digest).decode('ascii')}")


def hash_variant(hashed: str) -> str | None:
    """Return the variant of a stored hash, or None when the server could not use it."""
    parts = hashed.split("$")
    if len(parts) != _JWT_PARTS or parts[0] or parts[1] not in _DIGESTS:
        return None
    try:
        digest = urlsafe_b64decode(parts[2])
    except ValueError:
        return None
    is_canonical = urlsafe_b64encode(digest).decode("ascii") == parts[2]
    return parts[1] if is_canonical and len(digest) == _DIGEST_SIZE_BYTES[parts[1]] else None


def token_form(token: Secret | None, hashed: Secret | None) -> TokenForm:
    """Say how a record keeps its token."""
    if hashed is None:
        return TokenForm.NONE if token is None else TokenForm.RAW
    if token is not None:
        return TokenForm.BOTH
    variant = hash_variant(hashed.reveal())
    return {SHA256: TokenForm.SHA256, SHA512: TokenForm.SHA512}.get(
        variant or "", TokenForm.UNKNOWN
    )


def looks_like_jwt(token: Secret) -> bool:
    """Tell whether the server would take a token for a JWT, and so never look it up."""
    parts = token.reveal().split(".")
    if len(parts) != _JWT_PARTS:
        return False
    try:
        header = urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4))
    except ValueError:
        return False
    return header.lstrip().startswith(b"{")


def look_up(
    token: Secret,
    *,
    raw_index: Callable[[bytes], bytes | None],
    hashed_index: Callable[[bytes], bytes | None] | None,
) -> Id | None:
    """Find the authorization of a token as a server of 2.8 or later does: raw first, then hashed.

    The record has to be compared with the token afterwards; up to 2.7 servers do not even do that.

    Args:
        token: What a client would send.
        raw_index: Reads `authorizationindexv1`.
        hashed_index: Reads `authorizationhashedindexv1`; None where the store has none.

    Returns:
        The ID that an index gives, or None.
    """
    found = raw_index(token.reveal().encode())
    if not found and hashed_index is not None:
        for variant in (SHA256, SHA512):
            found = hashed_index(hash_token(token, variant).reveal().encode())
            if found:
                break
    return parse_id(found) if found else None


def record_matches(token: Secret, *, stored: Secret | None, hashed: Secret | None) -> bool:
    """Compare a token with a record, in constant time."""
    if stored is not None:
        return stored.matches(token)
    if hashed is None:
        return False
    variant = hash_variant(hashed.reveal())
    return variant is not None and hashed.matches(hash_token(token, variant))
