"""Bodies of requests, read as Go reads them.

Lives here: `Body`, the first JSON object of a body, and its fields by type. Must not live here:
which fields a request has, and what a wrong one is answered with.

Invariants: names fit without regard to case, the last of a repeated name counts, but each must have
the right type, null leaves a field as it is, or unset where the server keeps a pointer to it,
unknown names are ignored, and only the first value of the body is read. A `BodyError`
says what Go's decoder says where a client may look at it, and nothing that was sent beyond one
character and the names of types.

Source: Go encoding/json decode.go, stream.go; InfluxDB v2.9.1 kit/platform/id.go (UnmarshalText);
spec admin-daemon 1.2.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeVar

from recovery.daemon.request import id_fault
from recovery.model.gojson import fold, is_time
from recovery.model.ids import Id, parse_id
from recovery.model.permission import Permission

T = TypeVar("T")

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INTEGER: Final = re.compile(r"-?[0-9]+\Z")
_INT64: Final = 1 << 63


class BodyError(ValueError):
    """A body that Go could not decode; its text is what the decoder says."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class Body:
    """One JSON object of a body."""

    def __init__(self, fields: Mapping[str, list[object]]) -> None:
        """Take its values by folded name; `read_body` is the way to get one."""
        self._fields = fields

    def text(self, name: str) -> str | None:
        """Give a text; None when it is absent or null."""
        return self._typed(name, _as_text)

    def new_text(self, name: str) -> str | None:
        """Give a text that a record shall have; None when it is absent, or null at the end."""
        found = self.text(name)
        return None if self._fields.get(fold(name), [None])[-1] is None else found

    def id(self, name: str) -> Id | None:
        """Give an ID; None when it is absent or null."""
        return self._typed(name, _as_id)

    def moment(self, name: str) -> str | None:
        """Give a time; None when it is absent or null."""
        return self._typed(name, _as_moment)

    def integer(self, name: str) -> int | None:
        """Give a 64-bit integer; None when it is absent or null."""
        return self._typed(name, _as_integer)

    def body(self, name: str) -> "Body":
        """Give an object; an empty one when it is absent or null."""
        return self._typed(name, _as_body) or Body({})

    def bodies(self, name: str) -> list["Body"]:
        """Give a list of objects; an empty one when it is absent or null."""
        found = self._typed(name, _as_list) or []
        return [Body({}) if one is None else _as_body(one, name) for one in found]

    def permissions(self) -> list[Permission]:
        """Give the field `permissions`; types and actions may be anything."""
        return [one.permission() for one in self.bodies("permissions")]

    def permission(self) -> Permission:
        """Read this object as a permission."""
        resource = self.body("resource")
        return Permission(
            action=self.text("action") or "",
            type=resource.text("type") or "",
            id=resource.id("id"),
            org_id=resource.id("orgID"),
        )

    def _typed(self, name: str, read: Callable[[object, str], T]) -> T | None:
        found = [one for one in self._fields.get(fold(name), ()) if one is not None]
        return [read(one, name) for one in found][-1] if found else None


def read_body(document: bytes) -> Body:
    """Read the first value of a body.

    Args:
        document: The body.

    Returns:
        The object; an empty one for null.

    Raises:
        BodyError: It is no JSON object. What is wrong inside of it is noticed when it is asked for.
    """
    text = document.decode("utf-8", "surrogateescape")
    begin = _SPACE.match(text)
    start = begin.end() if begin else 0
    if start == len(text):
        raise BodyError("EOF")
    try:
        found, _ = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise BodyError(_words_of(text, error.pos)) from None
    except RecursionError:
        raise BodyError(f"invalid character '{text[start]}' exceeded max depth") from None
    return Body({}) if found is None else _as_body(found, "")


def _words_of(text: str, position: int) -> str:
    """Say where JSON ends, as Go begins to say it."""
    if position >= len(text) or not text[position:].strip(" \t\r\n"):
        return "unexpected EOF"
    character = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text[position])
    if character == '"' and '"' not in text[position + 1 :]:
        return "unexpected EOF"
    shown = character if character.isprintable() else f"\\x{ord(character):02x}"
    return f"invalid character '{shown}' looking for beginning of value"


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError("not JSON", name, 0)


def _object(pairs: list[tuple[str, object]]) -> dict[str, list[object]]:
    """Keep all values of each name, in their order."""
    found: dict[str, list[object]] = {}
    for name, value in pairs:
        found.setdefault(fold(name), []).append(value)
    return found


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_Number,
    parse_int=_Number,
    parse_constant=_refuse_constant,
)


def _kind_of(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case _Number():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _wrong(value: object, name: str, wanted: str) -> BodyError:
    place = f"Go struct field .{name}" if name else "Go value"
    return BodyError(f"json: cannot unmarshal {_kind_of(value)} into {place} of type {wanted}")


def _as_text(value: object, name: str) -> str:
    if not isinstance(value, str) or isinstance(value, _Number):
        raise _wrong(value, name, "string")
    # Each byte that is no UTF-8, and each half of a surrogate pair, is read as U+FFFD.
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)


def _as_id(value: object, name: str) -> Id:
    if not isinstance(value, str) or isinstance(value, _Number):
        raise _wrong(value, name, "platform.ID")
    text = _as_text(value, name)
    found = parse_id(text)
    if found is None:
        raise BodyError(id_fault(text))
    return found


def _as_moment(value: object, name: str) -> str:
    if not isinstance(value, str) or isinstance(value, _Number):
        raise BodyError("Time.UnmarshalJSON: input is not a JSON string")
    text = _as_text(value, name)
    if not is_time(text):
        raise BodyError("json: cannot unmarshal string into Go value of type time.Time")
    return text


def _as_integer(value: object, name: str) -> int:
    if isinstance(value, _Number) and _INTEGER.match(value):
        number = int(value) if len(value) <= len(str(_INT64)) + 1 else _INT64
        if -_INT64 <= number < _INT64:
            return number
    raise _wrong(value, name, "int64")


def _as_list(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise _wrong(value, name, "[]")
    return value


def _as_body(value: object, name: str) -> Body:
    if not isinstance(value, dict):
        raise _wrong(value, name, "struct")
    return Body(value)
