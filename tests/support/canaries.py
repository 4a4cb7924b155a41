"""Secrets that must not show, and every form in which they could.

Lives here: the forms of a secret, and looking for them. The secrets themselves are planted by
`tests.support.stores`.
"""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Iterable, Iterator
from functools import lru_cache

PART_LENGTH = 16
"""This many characters of a secret in one piece are a leak, too."""


def forms(secret: str) -> Iterator[bytes]:
    """Write a secret in every way in which a program could."""
    raw = secret.encode()
    yield raw
    yield raw[::-1]
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield urllib.parse.quote(secret, safe="").encode()
    yield json.dumps(secret)[1:-1].encode()
    yield repr(secret)[1:-1].encode()
    yield raw.decode().encode("utf-16-le")
    for shift in range(3):  # base64 of the secret anywhere inside of something longer
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * shift + raw)[4:-4]
    yield hashlib.sha256(raw).hexdigest().encode()
    yield base64.urlsafe_b64encode(hashlib.sha256(raw).digest())


def leaks(secrets: Iterable[str], content: bytes) -> list[str]:
    """Return the start of each secret that shows in some content."""
    return [
        f"{secret[:8]}… as {form[:24]!r}"
        for secret in secrets
        for form in _forms_and_parts(secret)
        if form in content
    ]


@lru_cache
def _forms_and_parts(secret: str) -> frozenset[bytes]:
    return frozenset({*forms(secret), *_parts(secret)})


def _parts(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    for start in range(len(raw) - PART_LENGTH + 1):
        yield raw[start : start + PART_LENGTH]
