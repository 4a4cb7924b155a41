"""What a client asks for, as the server reads it.

Lives here: `Request`, and the query of a URL by Go's rules. Must not live here: bodies
(`recovery.daemon.bodies`), and who asks (`recovery.daemon.access`).

Invariants: a path is unescaped only where Go would have escaped it in the very same way. Text that
is no UTF-8 is kept in surrogates, as names of a store may hold such bytes.

Source: Go net/url url.go (setPath, shouldEscape, parseQuery, unescape), net/http cookie.go
(readCookies); spec admin-daemon 1.1 and 1.3.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from recovery.daemon.answer import ApiError
from recovery.model.ids import ID_LENGTH, Id, parse_id

_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PLAIN_IN_PATHS: Final = "$&+,/:;=@"
WRONG_LENGTH: Final = "id must have a length of 16 bytes"
WRONG_DIGITS: Final = "invalid ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request with its whole body.

    Attributes:
        path: The path, as `path_of` reads it.
        query: The first value of each name.
        raw_query: What stands behind the question mark, as sent.
        headers: The first value of each header, names in lower case.
        cookies: All Cookie headers, in order.
        body: Its body; empty when there is none.
        peer: Who is at the other end, in words for the ledger; empty when unknown.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    peer: str = ""
    raw_query: str = ""

    def asked(self, name: str) -> str | None:
        """Give a value of the query; None when it is absent or empty, which is the same."""
        return self.query.get(name) or None

    def asked_id(self, name: str) -> Id | None:
        """Give an ID of the query; raise `ApiError` for what is none."""
        text = self.asked(name)
        return None if text is None else to_id(text)

    def cookie(self, name: str) -> str | None:
        """Give the first cookie of a name, whatever else is in the header."""
        for line in self.cookies:
            for part in line.split(";"):
                found, equals, value = part.strip(" \t").partition("=")
                if equals and found == name:
                    return value.removeprefix('"').removesuffix('"')
        return None


def path_of(target: bytes) -> str:
    """Read the path of a target as the server's router does.

    Args:
        target: The path as sent, without a query.

    Returns:
        It, unescaped if it is escaped as Go does it; any other stays as it is.
    """
    if b"%" in target:
        plain = unquote_to_bytes(target)
        if quote(plain, safe=_PLAIN_IN_PATHS).encode() == target:
            target = plain
    return target.decode("utf-8", "surrogateescape")


def parse_query(text: str) -> dict[str, str]:
    """Read a query as Go does.

    Args:
        text: What stands behind the question mark.

    Returns:
        The first value of each name; pairs with a semicolon or a broken escape are dropped.
    """
    found: dict[str, str] = {}
    for pair in text.split("&"):
        if not pair or ";" in pair or _BROKEN_ESCAPE.search(pair):
            continue
        name, _, value = pair.partition("=")
        found.setdefault(_unescaped(name), _unescaped(value))
    return found


def to_id(text: str, *, prefix: str = "") -> Id:
    """Read an ID; `ApiError`, which begins with the prefix, when it is none."""
    found = parse_id(text)
    if found is None:
        raise ApiError("invalid", prefix + id_fault(text))
    return found


def id_fault(text: str) -> str:
    """Say what is wrong with an ID, as the server does."""
    size_bytes = len(text.encode("utf-8", "surrogateescape"))
    return WRONG_LENGTH if size_bytes != ID_LENGTH else WRONG_DIGITS


def _unescaped(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "surrogateescape")
