r"""JSON as Go's standard encoder writes it, and read as leniently as Go reads it.

Lives here: encoding of new records, the fields of stored ones, changing a field and keeping the
rest, and times. Must not live here: which fields a record has.

Invariants: `encode` gives the bytes that Go gives for the same values in the same order: no spaces,
UTF-8, `<`, `>`, `&`, U+2028 and U+2029 escaped. What is read is what Go would read: any order of
keys, unknown keys, keys that differ in letter case, a repeated key (the last value counts), broken
UTF-8 (as U+FFFD), null as an absent value. `patched` keeps every byte of the values that it does
not change. No error holds a byte of a document, be it in its text, its fields or its context.

The plain way is msgspec's, which is fast and strict. Only what it refuses is read a second time
with the standard json module, after mending what Go would have mended.

Source: Go encoding/json encode.go (appendString, with HTML escaping), decode.go (object, unquote),
fold.go; time format_rfc3339.go. Short escapes for backspace and form feed are those of Go 1.22 and
later, which InfluxDB is built with from 2.7.11 on; older servers read them all the same.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from recovery.model.ids import Id, parse_id

Json: TypeAlias = "str | int | bool | msgspec.Raw | Sequence[Json] | Mapping[str, Json] | None"
"""What can be encoded. A `Raw` is taken as it is; it must be valid JSON."""

Fields: TypeAlias = Mapping[str, msgspec.Raw]
"""A stored object: values by name, the names folded by `fold`."""

_INT64_MIN: Final = -(1 << 63)
_INT64_MAX: Final = (1 << 63) - 1

_CONSTANTS: Final = {None: b"null", False: b"false", True: b"true"}
_ESCAPES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_ESCAPED: Final = '[\x00-\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]'
_SURROGATE: Final = "[\ud800-\udfff]"
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

_MOST_DAYS: Final = (
    r"(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31"
)
_CLOCK: Final = (
    r"T(?:[01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.,][0-9]+)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-4]):(?:[0-5][0-9]|60))"
)
MOST_TIMES: Final = rf"[0-9]{{4}}-(?:{_MOST_DAYS}){_CLOCK}"
"""Matches each text that `is_time` accepts, but for those of a leap day."""

_TIME: Final = rf"[0-9]{{4}}-(?:{_MOST_DAYS}|(?P<leap_day>02-29)){_CLOCK}\Z"
"""What Go's time.Time reads: RFC 3339, and the few liberties that its parser takes."""

_PLACE_OF_T: Final = len("2020-01-31")

_NULL: Final = msgspec.Raw(b"null")
_EMPTIED_BY_NULL: Final = (b"n", b"[", b"{")
"""How the values begin that a null behind them replaces; others are left as they are by Go."""
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str | None)
_INTEGER: Final = rb"-?[0-9]{1,19}\Z"


class UndecodableError(ValueError):
    """The server could not decode a stored value.

    Attributes:
        problem: Why, as a clause, without a byte of the value.
    """

    def __init__(self, *, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


def encode(value: Json) -> bytes:
    """Encode a value as Go would.

    Args:
        value: Mappings keep their order. Lone surrogates, which stand for bytes that are no UTF-8,
            become what Go writes for such bytes.

    Returns:
        UTF-8, without a trailing newline.
    """
    match value:
        case None | bool():
            return _CONSTANTS[value]
        case str():
            return encode_text(value)
        case int():
            return str(value).encode("ascii")
        case msgspec.Raw():
            return bytes(value)
        case Mapping():
            return _object((name, encode(item)) for name, item in value.items())
        case _:
            return b"[" + b",".join(encode(item) for item in value) + b"]"


def encode_text(text: str) -> bytes:
    """Encode a text, lone surrogates included, as Go would."""
    return f'"{re.sub(_ESCAPED, _escape, text)}"'.encode()


@lru_cache(maxsize=1024)  # the few names that servers write come a million times
def fold(name: str) -> str:
    """Make names equal that Go takes for the same.

    Args:
        name: A key of an object.

    Returns:
        The name to compare. Go folds by simple case folding, where two letters outside of ASCII
        meet ASCII ones: the long s, and the Kelvin sign, which `lower` already knows.
    """
    return name.lower().replace("\N{LATIN SMALL LETTER LONG S}", "s")


def decode_fields(document: bytes) -> Fields:
    """Take a stored object apart into valid JSON by folded name, or raise `UndecodableError`.

    Of a field that is there twice the last value counts; a null only after a list or an object.
    """
    fields = {fold(name): value for name, value in _members(document).items()}
    if _is_plain(document, fields) or len(members := all_members(document)) == len(fields):
        return fields
    fields = {}
    for name, value in members:
        if value != b"null" or bytes(fields.get(name, _NULL))[:1] in _EMPTIED_BY_NULL:
            fields[name] = msgspec.Raw(value)
    return fields


def repeats(document: bytes) -> bool:
    """Tell whether an object may have a field twice; raise `UndecodableError` where it is none.

    A server decodes both values, and refuses the record where it cannot.
    """
    return not _is_plain(document, {fold(name): one for name, one in _members(document).items()})


def all_members(document: bytes) -> list[tuple[str, bytes]]:
    """List folded names and values of an object, as often as they are; raise `UndecodableError`."""
    members = [(fold(name), bytes(value)) for name, value in _members(document).items()]
    if _is_plain(document, dict(members)):
        return members
    import json  # noqa: PLC0415 # only for documents that no server has written

    text = re.sub(_SURROGATE, _REPLACEMENT, document.decode("utf-8", "surrogateescape"))
    try:
        found = json.loads(text, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number)
        return [(fold(name), _written(value)) for name, value in found]
    except (ValueError, RecursionError):
        return members


def _is_plain(document: bytes, fields: Mapping[str, bytes | msgspec.Raw]) -> bool:
    """Tell whether an object is as long as its parts, as whatever a server writes is.

    No field is there twice then: two quotes, a colon and a comma or the last brace belong to each,
    and the first brace.
    """
    return len(document) == 1 + sum(len(name) + len(fields[name]) + 4 for name in fields)


class _Pairs(list[tuple[str, object]]):
    """An object with all that it says more than once."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def _written(value: object) -> bytes:
    match value:
        case _Pairs():
            parts = (encode_text(name) + b":" + _written(item) for name, item in value)
            return b"{" + b",".join(parts) + b"}"
        case list():
            return b"[" + b",".join(map(_written, value)) + b"]"
        case _Number():
            return value.encode()
        case str():
            return encode_text(value)
        case _:
            return encode(bool(value) if value is not None else None)


def mended(document: bytes) -> bytes:
    """Rewrite a document that Go reads and a strict decoder refuses.

    Go reads each byte that is no UTF-8, and each escaped half of a surrogate pair, as U+FFFD.

    Args:
        document: The value as stored.

    Returns:
        The same document in plain JSON; `document` itself when it is no JSON to Go either.
    """
    import json  # noqa: PLC0415 # only for documents that no server has written

    text = re.sub(_SURROGATE, _REPLACEMENT, document.decode("utf-8", "surrogateescape"))
    try:
        plain = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return document
    return re.sub(_SURROGATE, _REPLACEMENT, plain).encode()


def text_field(fields: Fields, name: str) -> str:
    """Read a text; absent and null are the empty text, as in Go, and others `UndecodableError`."""
    raw = fields.get(fold(name), _NULL)
    try:
        return _TEXT.decode(raw) or ""
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    raise UndecodableError(problem=f"{name} is no text")


def id_field(fields: Fields, name: str) -> Id | None:
    """Read an ID, None when absent or null, as zero is in Go; `UndecodableError` for others."""
    raw = fields.get(fold(name), _NULL)
    if bytes(raw) == b"null":
        return None
    found = parse_id(text_field(fields, name))
    if found is None:
        raise UndecodableError(problem=f"{name} is no ID")
    return found


def required_id_field(fields: Fields, name: str) -> Id:
    """Read an ID without which a record is of no use; raise `UndecodableError` for none."""
    found = id_field(fields, name)
    if found is None:
        raise UndecodableError(problem=f"it has no {name}")
    return found


def integer_field(fields: Fields, name: str) -> int:
    """Read a 64-bit integer; absent and null are 0, as in Go, and others `UndecodableError`."""
    raw = bytes(fields.get(fold(name), _NULL))
    if raw == b"null":
        return 0
    number = int(raw) if re.match(_INTEGER, raw) else _INT64_MAX + 1
    if not _INT64_MIN <= number <= _INT64_MAX:
        raise UndecodableError(problem=f"{name} is no 64-bit integer")
    return number


def time_field(fields: Fields, name: str) -> str:
    """Read RFC 3339 as stored, "" when absent; raise `UndecodableError` for what is no time."""
    if bytes(fields.get(fold(name), _NULL)) == b"null":
        return ""
    text = text_field(fields, name)
    if not is_time(text):
        raise UndecodableError(problem=f"{name} is no time")
    return text


def is_time(text: str) -> bool:
    """Tell whether Go reads a text as a time: it is RFC 3339, or near enough for Go."""
    if text[_PLACE_OF_T : _PLACE_OF_T + 1] == "T" and text.endswith("Z"):  # as servers write it
        try:
            msgspec.convert(text, datetime)
        except msgspec.ValidationError:
            pass
        else:
            return True
    found = re.match(_TIME, text)
    if found is None:
        return False
    return found["leap_day"] is None or _is_leap(int(text[:4]))


def patched(document: bytes, changes: Mapping[str, Json], *, order: Sequence[str]) -> bytes:
    """Rewrite a record, keeping its other fields, the unknown ones too, and their order.

    Args:
        document: The record as stored.
        order: The record's fields in the order of the server's struct, for fields to be added.

    Returns:
        The new document. Values that were not changed have the same bytes as before.

    Raises:
        UndecodableError: The stored document is no JSON object.
    """
    encoded = {name: bytes(value) for name, value in _members(document).items()}
    named: dict[str, list[str]] = {}
    for key in encoded:
        named.setdefault(fold(key), []).append(key)
    for name, value in changes.items():
        known = named.get(fold(name), [])
        for key in known if value is None else known[1:]:
            del encoded[key]
        if value is None:
            named.pop(fold(name), None)
        elif known:
            encoded[known[0]] = encode(value)
            named[fold(name)] = known[:1]
        else:
            encoded = _inserted(encoded, name, encode(value), order)
            named[fold(name)] = [name]
    return _object(encoded.items())


def format_time(moment: datetime) -> str:
    """Write an aware time as Go does, in UTC: `2021-09-28T12:55:25.442475Z`."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if '.' in text else text}Z"


def _members(document: bytes) -> dict[str, msgspec.Raw]:
    """Take an object apart by its names as they are."""
    members = _strict_members(document)
    if members is None:
        members = _strict_members(mended(document))
    if members is None:
        raise UndecodableError(problem="it is no JSON object")
    return members


def _strict_members(document: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        document.decode()  # because the decoder does not look inside of the values
        return _MEMBERS.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _object(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Put encoded values together."""
    return b"{" + b",".join(encode_text(name) + b":" + value for name, value in members) + b"}"


def _inserted(
    encoded: dict[str, bytes], name: str, value: bytes, order: Sequence[str]
) -> dict[str, bytes]:
    """Add a field behind the last of those that stand before it in the struct."""
    before = {fold(earlier) for earlier in order[: order.index(name)]}
    places = [place for place, key in enumerate(encoded, start=1) if fold(key) in before]
    items = list(encoded.items())
    items.insert(max(places, default=0), (name, value))
    return dict(items)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    if character in _ESCAPES:
        return _ESCAPES[character]
    if re.match(_SURROGATE, character):
        return "\\ufffd"
    return f"\\u{ord(character):04x}"


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
