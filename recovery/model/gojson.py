r"""JSON as Go's standard encoder writes it, and read as leniently as Go reads it.

Lives here: the encoder and the decoder of whole documents, and times. Must not live here: which
fields a record has.

Invariants: `encode` gives the bytes that Go's `encoding/json` gives for the same values in the same
order: no spaces, UTF-8, `<`, `>`, `&`, U+2028 and U+2029 escaped. `decode` accepts what Go accepts
where that matters: any order of keys, unknown keys, a repeated key (the last one counts), broken
UTF-8 (as U+FFFD).

Source: Go encoding/json (encode.go, appendString; HTML escaping on), time (RFC3339Nano).
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
"""A decoded JSON value."""

_ESCAPES: Final = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
    # The standard json module has short escapes for these two; InfluxDB's binaries up to 2.7.10
    # were built with a Go that has none, and every Go reads this form.
    "\b": "\\u0008",
    "\f": "\\u000c",
}
_ESCAPED: Final = re.compile("[<>&\u2028\u2029]|\\\\b|\\\\f|\\\\\\\\")


def encode(value: Json) -> bytes:
    """Encode a value as Go would.

    Args:
        value: Dictionaries keep their order.

    Returns:
        UTF-8, without a trailing newline.
    """
    import json  # noqa: PLC0415 - only writers need it

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = _ESCAPED.sub(_escape, text)
    return text.encode("utf-8", "replace")


def _escape(match: re.Match[str]) -> str:
    found = match.group()
    if found == "\\b":
        return _ESCAPES["\b"]
    if found == "\\f":
        return _ESCAPES["\f"]
    return _ESCAPES.get(found, found)


def decode(document: bytes) -> Json:
    """Decode a document as leniently as Go does.

    Args:
        document: UTF-8, which may be broken inside strings.

    Raises:
        ValueError: It is no JSON. The text of the error is not shown to anybody: it may quote.
    """
    import json  # noqa: PLC0415 - only the slow way and writers need it

    try:
        value: Json = json.loads(document.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def field(record: dict[str, Json], name: str) -> Json:
    """Return a field as Go finds it: by its exact name, else by one that differs in case only."""
    if name in record:
        return record[name]
    folded = name.casefold()
    for key, value in record.items():
        if key.casefold() == folded:
            return value
    return None


def text_field(record: dict[str, Json], name: str) -> str:
    """Return a text field; absent and null are the empty text, as in Go.

    Raises:
        ValueError: It is something else.
    """
    value = field(record, name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def decode_record(document: bytes) -> dict[str, Json]:
    """Decode a record, which is a JSON object.

    Raises:
        ValueError: It is no JSON, or no object.
    """
    record = decode(document)
    if not isinstance(record, dict):
        raise ValueError("the record is no JSON object")
    return record


def patched(document: bytes, changes: dict[str, Json], *, order: Sequence[str]) -> bytes:
    """Rewrite a record, keeping its other fields, the unknown ones too, and their order.

    Args:
        document: The record as stored.
        changes: New values by field name; None removes the field.
        order: The record's fields in the order of the server's struct, for fields to be added.

    Returns:
        The new document.

    Raises:
        ValueError: The stored document is no JSON object.
    """
    record = decode_record(document)
    for name, value in changes.items():
        known = [key for key in record if key.casefold() == name.casefold()]
        for key in known[1:] if value is not None else known:
            del record[key]
        if value is not None and known:
            record[known[0]] = value
        elif value is not None:
            record = _inserted(record, name, value, order)
    return encode(record)


def _inserted(
    record: dict[str, Json], name: str, value: Json, order: Sequence[str]
) -> dict[str, Json]:
    """Add a field behind the last of those that stand before it in the struct."""
    before = set(order[: order.index(name)])
    keys = list(record)
    place = max((index + 1 for index, key in enumerate(keys) if key in before), default=0)
    items = list(record.items())
    return dict([*items[:place], (name, value), *items[place:]])


def format_time(moment: datetime, nanosecond: int | None = None) -> str:
    """Write a time as Go does: RFC 3339, up to nine digits of a second, no trailing zeros.

    Args:
        moment: Aware; written in UTC.
        nanosecond: Digits below the second in nanoseconds, where more than microseconds are known.
    """
    moment = moment.astimezone(UTC)
    digits = moment.microsecond * 1000 if nanosecond is None else nanosecond
    fraction = f".{digits:09d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"
