"""Authorizations outside of a store: one JSON object a line.

Lives here: the form of a line, reading and writing it. Must not live here: the stores at both ends
(`authorization_export`, `authorization_import`).

A line has the record as it is stored, without its token and hash unless those were asked for, and
beside it the names that its IDs stand for, so that it can be matched on a server where the same
things have other IDs.

Invariants: `repr` gives no line away. No error holds a byte of one.

Source: spec influxdb-metadata section 4.6; the form itself is ours.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

import msgspec

from recovery.model.authorization import Authorization, AuthorizationDecoder
from recovery.model.gojson import Json, UndecodableError, encode, mended
from recovery.model.ids import Id, parse_id
from recovery.model.permission import Permission

VERSION: Final = 1
KIND: Final = "authorization"


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What the IDs of an authorization stand for.

    Attributes:
        user: Its user; None when there is no such user.
        organization: Its organization; None when there is no such organization.
        buckets: Buckets that it names by ID, by that ID.
    """

    user: str | None
    organization: str | None
    buckets: Mapping[Id, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One authorization on its way.

    Attributes:
        number: Which line it is, from 1.
        permissions: What it permits; not to be changed, because like lines share it.
        is_plain: Whether its record lies as a server writes it: each field once, none missing.
    """

    number: int
    authorization: Authorization = field(repr=False)
    permissions: Sequence[Permission]
    is_plain: bool
    names: Names


class LineError(ValueError):
    """A line that cannot be understood.

    Attributes:
        number: Which line, from 1.
        problem: What is wrong, as a clause without a byte of it.
    """

    def __init__(self, *, number: int, problem: str) -> None:
        self.number = number
        self.problem = problem
        super().__init__(f"line {number}: {problem}")


def encode_line(authorization: Authorization, names: Names, *, with_token: bool) -> bytes:
    """Write an authorization as one JSON object and a line feed.

    Args:
        names: What its IDs stand for.
        with_token: Whether the token or its hash goes with it.
    """
    record = authorization.document
    if not with_token:
        record = authorization.rewritten({"token": None, "hashedToken": None})
    line: dict[str, Json] = {
        "version": VERSION,
        "kind": KIND,
        "user": names.user,
        "organization": names.organization,
        "buckets": {str(key): name for key, name in names.buckets.items()},
        "record": msgspec.Raw(_on_one_line(record)),
    }
    return encode(line) + b"\n"


def _on_one_line(record: bytes) -> bytes:
    """Take out the white space between values, where a line feed could be."""
    try:
        return msgspec.json.format(record, indent=-1)
    except msgspec.MsgspecError:
        return msgspec.json.format(mended(record), indent=-1)


def decode_lines(file: BinaryIO) -> Iterator[Line | LineError]:
    """Read all lines but empty ones, or what is wrong with them, from the first byte of a file."""
    decoder = _LineDecoder()
    file.seek(0)
    for number, text in enumerate(file, start=1):
        if text.strip():
            try:
                yield decoder.decode(number, text)
            except LineError as error:
                yield error


class _Outer(msgspec.Struct):
    """A line as it lies there."""

    version: int
    kind: str
    record: msgspec.Raw
    user: str | None = None
    organization: str | None = None
    buckets: dict[str, str] = {}  # msgspec copies it


_OUTER: Final = msgspec.json.Decoder(_Outer)


class _LineDecoder:
    """Decodes many lines; the permissions of those that permit the same once."""

    def __init__(self) -> None:
        self._decoder = AuthorizationDecoder()
        self._last: tuple[bytes | None, list[Permission]] = (None, [])

    def decode(self, number: int, text: bytes) -> Line:
        """Decode one; raise `LineError` if it cannot be understood."""
        try:
            outer = _OUTER.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            outer = None
        if outer is None:
            raise LineError(number=number, problem="it is no line of an export")
        if outer.version != VERSION or outer.kind != KIND:
            raise LineError(number=number, problem="it is of another kind or version")
        problem = None
        authorization = None
        permissions: list[Permission] = []
        try:
            authorization = self._decoder.decode(bytes(outer.record))
            permissions = self._permissions(authorization)
        except UndecodableError as error:
            problem = error.problem
        if authorization is None or problem is not None:
            raise LineError(number=number, problem=f"its record cannot be understood ({problem})")
        buckets = {found: name for key, name in outer.buckets.items() if (found := parse_id(key))}
        names = Names(user=outer.user, organization=outer.organization, buckets=buckets)
        return Line(
            number=number,
            authorization=authorization,
            permissions=permissions,
            is_plain=self._decoder.was_known,
            names=names,
        )

    def _permissions(self, authorization: Authorization) -> list[Permission]:
        if authorization.permissions_json != self._last[0]:
            self._last = (authorization.permissions_json, authorization.permissions())
        return self._last[1]
