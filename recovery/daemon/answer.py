"""What is sent back, and how it is written.

Lives here: `Answer`, `ApiError`, JSON as the server escapes it. Must not live here: which answer a
request gets.

Invariants: header names keep the case that influxd gives them, because scripts look for them.
`<`, `>`, `&`, U+2028 and U+2029 are escaped, so that an answer is harmless inside HTML. A 204 has
no body and no type.

Source: InfluxDB v2.9.1 kit/transport/http/api.go, http/errors.go; spec admin-daemon 1.1 and 1.2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from recovery.metastore.transaction import MetaTx

JSON_TYPE: Final = b"application/json; charset=utf-8"
STATUSES: Final = {
    "invalid": HTTPStatus.BAD_REQUEST,
    "empty value": HTTPStatus.BAD_REQUEST,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not found": HTTPStatus.NOT_FOUND,
    "method not allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "request too large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "conflict": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unprocessable entity": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too many requests": HTTPStatus.TOO_MANY_REQUESTS,
    "internal error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of each error code."""

_ESCAPES: Final = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)

Record = TypeVar("Record")
Headers = tuple[tuple[bytes, bytes], ...]


class Slices(Protocol):
    """The rest of a long answer, piece by piece."""

    def next(self, tx: "MetaTx") -> bytes | None:
        """Give the next piece, read from this state of the store; None at the end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer.

    Attributes:
        body: All of it, or its first piece.
        content_type: The type; None for none.
        headers: Further headers, names as they are to be written.
        slices: The rest of the body; None when `body` is all.
        when_lost: Called on the store's thread when the client has gone before it got this answer;
            None when nothing is lost by that.
    """

    status: int
    body: bytes = b""
    content_type: bytes | None = None
    headers: Headers = ()
    slices: Slices | None = None
    when_lost: Callable[[], None] | None = field(default=None, repr=False)


class ApiError(Exception):
    """A request that is answered with an error.

    Attributes:
        code: The error code, one of `STATUSES`.
        message: What a client shows. No secrets.
    """

    def __init__(self, code: str, message: str) -> None:
        """Make it; the message may hold surrogates for bytes that are no UTF-8."""
        self.code = code
        self.message = message
        super().__init__(code)

    def unless(self, record: Record | None) -> Record:
        """Take what was found; raise this where there is none."""
        if record is None:
            raise self
        return record

    def forget(self) -> None:
        """Let go of where it was raised, and of what was in hand there.

        One that is kept to be raised again, as most are, would gather each place.
        """
        self.__traceback__ = self.__context__ = None

    def answer(self) -> Answer:
        """Write it as the server does; it is answered, so forget the rest."""
        self.forget()
        text = self.message.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return Answer(
            status=STATUSES[self.code],
            body=to_json({"code": self.code, "message": text}),
            content_type=JSON_TYPE,
            headers=((b"X-Platform-Error-Code", self.code.encode()),),
        )


def to_json(value: object) -> bytes:
    """Encode what msgspec encodes, with the escapes of Go.

    Args:
        value: Texts in it are valid Unicode.

    Returns:
        One JSON document with a newline behind it.
    """
    return escaped(msgspec.json.encode(value)) + b"\n"


def escaped(document: bytes) -> bytes:
    """Escape in a JSON document what Go escapes; all of it occurs in texts only."""
    for plain, escape in _ESCAPES:
        if plain in document:
            document = document.replace(plain, escape)
    return document


def json_answer(value: object, *, status: int = HTTPStatus.OK) -> Answer:
    """Answer with a JSON document."""
    return Answer(status=status, body=to_json(value), content_type=JSON_TYPE)


NO_CONTENT: Final = Answer(status=HTTPStatus.NO_CONTENT)
NOT_ALLOWED: Final = Answer(status=HTTPStatus.METHOD_NOT_ALLOWED)
"""Without `Allow`, as influxd answers."""


def lose(reply: object) -> None:
    """Take note, on the store's thread, that nobody gets what a request was answered with."""
    if isinstance(reply, Answer) and reply.when_lost is not None:
        reply.when_lost()
