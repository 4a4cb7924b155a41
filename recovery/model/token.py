"""Tokens: how they are made, hashed, stored and looked up.

Lives here: the token itself, its hashes, the form in which to store one, and the server's rule of
finding a record by it. Must not live here: the record (`recovery.model.authorization`), and what
shows a token to anybody.

Invariants: tokens and hashes come in and go out as `Secret`; comparisons take constant time.

Source: InfluxDB v2.9.1 rand/token.go, pkg/crypt/algorithm/influxdb2/, authorization/storage.go,
authorization/hasher.go, http/authentication_middleware.go; golang-jwt parser.go (ParseUnverified).
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from enum import StrEnum, unique
from typing import Final

from recovery.model.gojson import UndecodableError, decode_fields
from recovery.model.ids import Id, parse_id
from recovery.ports import Rng
from recovery.secret import Secret

TOKEN_SIZE_BYTES: Final = 64
LEVEL_HASHED: Final = 21
"""First schema level that knows hashed tokens (InfluxDB 2.8)."""
SHA256: Final = "influxdb2-sha256"
SHA512: Final = "influxdb2-sha512"
VARIANTS: Final = (SHA256, SHA512)
"""The hashes that servers know, the one that they use first."""

_ALGORITHMS: Final = {SHA256: "sha256", SHA512: "sha512"}
_HASH: Final = re.compile(
    rf"\$(?:{SHA256}\$[A-Za-z0-9_-]{{42}}[AEIMQUYcgkosw048]="
    rf"|{SHA512}\$[A-Za-z0-9_-]{{85}}[AQgw]==)\Z"
)
"""A stored hash. The last digit before the padding has bits that no digest fills: they are 0."""

_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL_SAFE: Final = bytes.maketrans(b"-_+/", b"+/!!")  # which makes + and / invalid
_BASE64_GROUP: Final = 4
_JWT_PART_COUNT: Final = 3


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
    """Make a token as the server does: 64 random bytes in URL-safe base64, 88 characters."""
    return Secret(_to_base64(rng.token_bytes(TOKEN_SIZE_BYTES)))


def hash_token(token: Secret, variant: str = SHA256) -> Secret:
    """Hash a token as the server stores it: one unsalted round.

    Args:
        variant: `SHA256` or `SHA512`.

    Returns:
        The whole text that is stored, which is also the key in the index.
    """
    import hashlib  # noqa: PLC0415 # costs 3 ms, and listings need no hash

    digest = hashlib.new(_ALGORITHMS[variant], token.reveal().encode()).digest()
    return Secret(f"${variant}${_to_base64(digest)}")


def hash_variant(hashed: str) -> str | None:
    """Tell by which hash a stored text was made; None when no server could match it."""
    if _HASH.match(hashed) is None:
        return None
    return SHA256 if hashed.startswith(SHA256, len("$")) else SHA512


def token_form(token: Secret | None, hashed: Secret | None) -> TokenForm:
    """Say how a record keeps its token; `UNKNOWN` is a hash that no server could use."""
    if hashed is None:
        return TokenForm.NONE if token is None else TokenForm.RAW
    if token is not None:
        return TokenForm.BOTH
    variant = hash_variant(hashed.reveal())
    if variant is None:
        return TokenForm.UNKNOWN
    return TokenForm.SHA256 if variant == SHA256 else TokenForm.SHA512


def form_to_write(level: int, *, has_hashed: bool, server_hashes: bool | None) -> TokenForm:
    """Choose the form of a new token by what the store and its server know.

    A hash is valid on each server of 2.8 and later, whatever its setting, and leaves no secret on
    disk. Raw is for older servers, which know nothing else, and for a server that is configured to
    store raw tokens and has never stored another.

    Args:
        has_hashed: Whether any record or index of the store holds a hash.
        server_hashes: `use-hashed-tokens` of the server's configuration; None when unknown.

    Returns:
        `TokenForm.RAW` or `TokenForm.SHA256`.
    """
    if level < LEVEL_HASHED:
        return TokenForm.RAW
    if server_hashes is False and not has_hashed:
        return TokenForm.RAW
    return TokenForm.SHA256


def looks_like_jwt(token: Secret) -> bool:
    """Tell whether a server would take a token for a JSON web token, and so never look it up.

    That is three parts with dots between, of which the first two are JSON objects.
    """
    parts = token.reveal().split(".")
    return len(parts) == _JWT_PART_COUNT and all(_is_json_segment(part) for part in parts[:2])


def look_up(
    token: Secret,
    *,
    raw_index: Callable[[bytes], bytes | None],
    hashed_index: Callable[[bytes], bytes | None] | None,
) -> Id | None:
    """Find the authorization of a token as a server of 2.8 or later does: raw first, then hashed.

    The record has to be compared with the token afterwards, by `record_matches`; up to 2.7 servers
    do not even do that.

    Args:
        raw_index: Reads `authorizationindexv1`.
        hashed_index: Reads `authorizationhashedindexv1`; None where the store has none.

    Returns:
        The ID that an index gives, or None.
    """
    if looks_like_jwt(token):
        return None
    found = raw_index(token.reveal().encode())
    if not found and hashed_index is not None:
        for variant in VARIANTS:
            found = hashed_index(hash_token(token, variant).reveal().encode())
            if found:
                break
    return parse_id(found) if found else None


def record_matches(token: Secret, *, stored: Secret | None, hashed: Secret | None) -> bool:
    """Compare a token with a record as a server of 2.8 or later does, in constant time.

    Args:
        stored: The raw token in the record; where there is one, the hash does not count.
        hashed: The hash in the record.

    Returns:
        Whether the server lets the client in.
    """
    if stored is not None:
        return stored.matches(token)
    if hashed is None:
        return False
    variant = hash_variant(hashed.reveal())
    return variant is not None and hashed.matches(hash_token(token, variant))


def _to_base64(content: bytes) -> str:
    return b2a_base64(content, newline=False).translate(_TO_URL_SAFE).decode("ascii")


def _is_json_segment(segment: str) -> bool:
    """Tell whether a part of a token is the base64 of a JSON object, padded or not."""
    padding = "=" * (-len(segment) % _BASE64_GROUP)
    encoded = f"{segment}{padding}".encode().translate(_FROM_URL_SAFE)
    if encoded.endswith(b"==="):  # Python 3.11 lets more padding pass than Go and Python 3.13
        return False
    try:
        content = a2b_base64(encoded, strict_mode=True)
    except Base64Error:
        return False
    if content.strip() == b"null":
        return True
    try:
        decode_fields(content)
    except UndecodableError:
        return False
    return True
