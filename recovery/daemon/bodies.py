"""Bodies of requests, read as Go reads them.

Lives here: `read_body`, and `Body`: an object of it, and its fields by type. Must not live here:
which fields a request has, and what a wrong one is answered with.

Invariants: names fit without regard to case. Where a name is repeated, each value must have the
right type; the last counts, and objects are laid over one another. null leaves a field as it is, or
unset where the server keeps a pointer to it. Unknown names are ignored, and only the first value of
the body is read. Of several faults the one is told of that ends Go's decoder, else the first in the
body. A `BodyError` says what Go's decoder says where a client may look at it, and nothing that was
sent beyond one character, the names of types, and what should be a time.

Source: Go encoding/json decode.go (unmarshal, saveError, literalStore, array), stream.go,
time/format.go (parse, quote); InfluxDB v2.9.1 kit/platform/id.go (UnmarshalText); spec admin-daemon
1.2.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, TypeVar

from recovery.daemon.request import id_fault
from recovery.model.gojson import fold, is_time
from recovery.model.ids import Id, parse_id
from recovery.model.permission import Permission

T = TypeVar("T")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INTEGER: Final = re.compile(r"-?[0-9]+\Z")
_INT64: Final = 1 << 63
_ENDS: Final = (
    "00000",  # of a number, or of an escape like \\u0041
    *(word[place:] for word in ("true", "false", "null") for place in range(1, len(word))),
)
"""What what was cut can go on with."""
_CUT_MAX: Final = len("u0041")
"""The longest piece of it that Python does not read."""
_GOES_ON: Final = re.compile(r"-?[0-9]+(\.|(\.[0-9]+)?[eE])\Z")
"""A number with a character that must be followed by a digit."""
_LAYOUT: Final = "2006-01-02T15:04:05Z07:00"
_PARTS_OF_TIME: Final[tuple[Any, ...]] = (
    ("2006", "[0-9]{4}"),
    ("-", "-"),
    ("01", "([0-9]{2})", ("month", 1, 12)),
    ("-", "-"),
    ("02", "[0-9]{2}"),
    ("T", "T"),
    ("15", "([0-9]{1,2})", ("hour", 0, 23)),
    (":", ":"),
    ("04", "([0-9]{2})", ("minute", 0, 59)),
    (":", ":"),
    ("05", "([0-9]{2})(?:[.,][0-9]+)?", ("second", 0, 59)),
    (
        "Z07:00",
        "Z|[+-]([0-9]{2}):([0-9]{2})",
        ("time zone offset hour", 0, 24),
        ("time zone offset minute", 0, 60),
    ),
)
"""Each part of `_LAYOUT`, what it takes, and in which range the numbers must be."""


class BodyError(ValueError):
    """A body that Go could not decode; its text is what the decoder says.

    Attributes:
        is_last: Whether the decoder reads on, and says so at the end if nothing else ended it.
    """

    def __init__(self, words: str, *, is_last: bool = False) -> None:
        self.is_last = is_last
        super().__init__(words)


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


_Value = tuple[tuple[int, ...], object]
"""A value behind its place: how many go before it in each of what it is in."""
_Object = dict[str, list[tuple[int, object]]]
"""All values of each folded name, with how many members go before them."""


class _Faults:
    """Values that do not fit; the least of them is told of, and no other one kept."""

    def __init__(self) -> None:
        self._least: tuple[bool, tuple[int, ...], str] | None = None

    def add(self, place: tuple[int, ...], error: BodyError) -> None:
        one = (error.is_last, place, str(error))
        if self._least is None or one < self._least:
            self._least = one

    def raise_least(self) -> None:
        if self._least is not None:
            raise BodyError(self._least[-1])


class Body:
    """One JSON object of a body."""

    __slots__ = ("_faults", "_objects")

    def __init__(self, objects: list[tuple[tuple[int, ...], _Object]], faults: _Faults) -> None:
        """Take what is laid over one another; `read_body` is the way to get one."""
        self._objects = objects
        self._faults = faults

    def text(self, name: str, *, is_pointer: bool = False) -> str | None:
        """Give a text; None when it is absent or null.

        Args:
            is_pointer: Whether null takes away what was in front of it.
        """
        return self._typed(name, _as_text, is_pointer=is_pointer)

    def id(self, name: str, *, is_pointer: bool = False) -> Id | None:
        """Give an ID. As `text`."""
        return self._typed(name, _as_id, is_pointer=is_pointer)

    def moment(self, name: str) -> str | None:
        """Give a time; None when it is absent or null."""
        return self._typed(name, _as_moment)

    def integer(self, name: str, *, is_pointer: bool = False) -> int | None:
        """Give a 64-bit integer. As `text`."""
        return self._typed(name, _as_integer, is_pointer=is_pointer)

    def body(self, name: str) -> "Body":
        """Give an object; an empty one when it is absent or null."""
        return _body_of(self._values(name), name, self._faults)

    def bodies(self, name: str, read: Callable[["Body"], T]) -> list[T]:
        """Read a list of objects; an empty one when it is absent or null.

        Args:
            read: Takes what it needs from one object. It is shown those as well that a later list
                of that name leaves no room for, because of their faults.
        """
        found: list[list[_Value]] = []
        gone: list[list[_Value]] = []
        for place, content in self._values(name):
            if isinstance(content, list):
                gone += found[len(content) :]
                del found[len(content) :]
                found += [[] for _ in content[len(found) :]]
                self._lay_over(found, place, content, name)
            elif content is None:
                gone, found = gone + found, []
            else:
                self._faults.add(place, _wrong(content, name, "[]"))
        nothing = read(Body([], self._faults))
        for values in gone:
            read(_body_of(values, name, self._faults))
        return [
            read(_body_of(values, name, self._faults)) if values else nothing for values in found
        ]

    def _lay_over(
        self, found: list[list[_Value]], place: tuple[int, ...], content: list[object], name: str
    ) -> None:
        """Put what says something into its place; of what does not fit the first is told of."""
        has_misfit = False
        for number, one in enumerate(content):
            if isinstance(one, dict):
                if one:
                    found[number].append(((*place, number), one))
            elif one is not None and not has_misfit:
                self._faults.add((*place, number), _wrong(one, name, "struct"))
                has_misfit = True

    def permissions(self) -> list[Permission]:
        """Give the field `permissions`; types and actions may be anything."""
        return self.bodies("permissions", Body.permission)

    def permission(self) -> Permission:
        """Read this object as a permission."""
        resource = self.body("resource")
        return Permission(
            action=self.text("action") or "",
            type=resource.text("type") or "",
            id=resource.id("id", is_pointer=True),
            org_id=resource.id("orgID", is_pointer=True),
        )

    def _typed(
        self, name: str, read: Callable[[object, str], T], *, is_pointer: bool = False
    ) -> T | None:
        found = None
        for place, content in self._values(name):
            if content is None:
                found = None if is_pointer else found
                continue
            try:
                found = read(content, name)
            except BodyError as error:
                self._faults.add(place, error)
        return found

    def _values(self, name: str) -> Iterable[_Value]:
        folded = fold(name)
        for _, members in self._objects:
            if folded in members:
                break
        else:  # a body may have a hundred thousand objects with nothing in them that is asked for
            return ()
        return [
            ((*place, number), one)
            for place, members in self._objects
            for number, one in members.get(folded, ())
        ]


def read_body(document: bytes, read: Callable[[Body], T]) -> T:
    """Read the first value of a body.

    Args:
        read: Takes what it needs from the object; an empty one for null.

    Raises:
        BodyError: It is no JSON object, or something that was taken is not as it should be.
    """
    text = document.decode("utf-8", "surrogateescape").lstrip(" \t\r\n")
    if not text:
        raise BodyError("EOF")
    try:
        content, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise BodyError(_words_of(text, _place_of(text, error))) from None
    except RecursionError:
        raise BodyError(f"invalid character '{text[0]}' exceeded max depth") from None
    if isinstance(content, _Number) and _GOES_ON.match(content + text[end : end + 1]):
        raise BodyError(_words_of(text, end))
    faults = _Faults()
    found = read(_body_of([((), content)], "", faults))
    faults.raise_least()
    return found


def _body_of(values: Iterable[_Value], name: str, faults: _Faults) -> Body:
    """Lay objects over one another, as they are decoded into the same struct."""
    objects = []
    for place, content in values:
        if isinstance(content, dict):
            objects.append((place, content))
        elif content is not None:
            faults.add(place, _wrong(content, name, "struct"))
    return Body(objects, faults)


def _words_of(text: str, position: int) -> str:
    """Say where JSON ends, as Go begins to say it, when it can be read up to the position."""
    rest = len(text) - position
    if not rest or (rest <= _CUT_MAX and any(_goes_on(text, end) for end in _ENDS)):
        return "unexpected EOF"
    character = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text[position])
    shown = character if character.isprintable() else f"\\x{ord(character):02x}"
    return f"invalid character '{shown}' looking for beginning of value"


def _goes_on(text: str, end: str) -> bool:
    """Tell whether a text can be read to where it was cut if it is made longer."""
    longer = text + end
    try:
        return _DECODER.raw_decode(longer)[1] > len(text)
    except json.JSONDecodeError as error:
        return _place_of(longer, error) > len(text)


def _place_of(text: str, error: json.JSONDecodeError) -> int:
    """Give how far JSON can be read; of a string without its end Python names the beginning."""
    return len(text) if error.msg.startswith("Unterminated string") else error.pos


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError("not JSON", name, 0)


def _object(pairs: list[tuple[str, object]]) -> _Object:
    """Keep all values of each name, with their places."""
    found: _Object = {}
    for number, (name, value) in enumerate(pairs):
        found.setdefault(fold(name), []).append((number, value))
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
    words = f"json: cannot unmarshal {_kind_of(value)} into {place} of type {wanted}"
    return BodyError(words, is_last=True)


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
        raise BodyError(f"parsing time {_quoted(text)}{_fault_of_time(text)}")
    return text


def _fault_of_time(text: str) -> str:
    """Say what Go says of a text that is no time: the first part that it cannot read."""
    for part, pattern, *ranges in _PARTS_OF_TIME:
        found = re.match(pattern, text)
        if found is None:
            return f" as {_quoted(_LAYOUT)}: cannot parse {_quoted(text)} as {_quoted(part)}"
        for number, (name, least, most) in zip(found.groups(default="0"), ranges, strict=True):
            if not least <= int(number) <= most:
                return f": {name} out of range"
        text = text[found.end() :]
    return f": extra text: {_quoted(text)}" if text else ": day out of range"


def _quoted(text: str) -> str:
    """Quote a text as Go's package time does."""
    escaped = re.sub(r'["\\]', r"\\\g<0>", text)
    hexed = re.sub(
        "[^ -\x7f]", lambda one: "".join(rf"\x{byte:02x}" for byte in one[0].encode()), escaped
    )
    return f'"{hexed}"'


def _as_integer(value: object, name: str) -> int:
    if isinstance(value, _Number) and _INTEGER.match(value):
        number = int(value) if len(value) <= len(str(_INT64)) + 1 else _INT64
        if -_INT64 <= number < _INT64:
            return number
    raise _wrong(value, name, "int64")
