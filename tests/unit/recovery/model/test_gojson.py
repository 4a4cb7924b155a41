"""JSON as Go writes and reads it."""

import traceback
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from recovery.model.gojson import (
    Json,
    UndecodableError,
    decode_fields,
    encode,
    encode_text,
    fold,
    format_time,
    id_field,
    integer_field,
    is_time,
    mended,
    patched,
    required_id_field,
    text_field,
    time_field,
)

# Made with Go 1.26, json.Marshal(string(…)).
TEXTS = [
    pytest.param("plain", b'"plain"', id="plain"),
    pytest.param('quote " backslash \\', b'"quote \\" backslash \\\\"', id="quotes"),
    pytest.param(
        "<a href='x'>&</a>", b"\"\\u003ca href='x'\\u003e\\u0026\\u003c/a\\u003e\"", id="html"
    ),
    pytest.param("\n\r\t\b\f", b'"\\n\\r\\t\\b\\f"', id="short"),
    pytest.param("\x00\x01\x1b\x1f", b'"\\u0000\\u0001\\u001b\\u001f"', id="control"),
    pytest.param("\x7f\x80\x9f", b'"\x7f\xc2\x80\xc2\x9f"', id="unescaped control"),
    pytest.param("\u2028\u2029", b'"\\u2028\\u2029"', id="separators"),
    pytest.param("Zürich 東京 🙂", '"Zürich 東京 🙂"'.encode(), id="beyond ASCII"),
    pytest.param("\ufffd", b'"\xef\xbf\xbd"', id="replacement character"),
    pytest.param("a\udcffb\udc80", b'"a\\ufffdb\\ufffd"', id="bytes that are no UTF-8"),
    pytest.param("\\u003c", b'"\\\\u003c"', id="an escape as text"),
    pytest.param("/", b'"/"', id="slash"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_a_text_is_written_as_go_does(text: str, expected: bytes) -> None:
    assert encode_text(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, b"null"),
        (True, b"true"),
        (False, b"false"),
        (0, b"0"),
        (1, b"1"),
        (-9223372036854775808, b"-9223372036854775808"),
        ([], b"[]"),
        ((), b"[]"),
        ({}, b"{}"),
        ([1, "a", None, [True]], b'[1,"a",null,[true]]'),
        ({"b": 1, "a": {"<": []}}, b'{"b":1,"a":{"\\u003c":[]}}'),
        ([msgspec.Raw(b'{"x": 1}')], b'[{"x": 1}]'),
    ],
)
def test_a_value_is_written_compactly_in_its_own_order(value: Json, expected: bytes) -> None:
    assert encode(value) == expected


def test_names_are_folded_as_go_does() -> None:
    assert fold("orgID") == fold("ORGid")
    assert fold("\N{LATIN SMALL LETTER LONG S}tatus") == fold("status")
    assert fold("to\N{KELVIN SIGN}en") == fold("token")
    assert fold("statu\N{LATIN SMALL LETTER SHARP S}") != fold("statuss")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(b'{"name":"a"}', "a", id="plain"),
        pytest.param(b' {\n"x" : {"name":"b"} , "name" : "a" }\t', "a", id="spaces, other keys"),
        pytest.param(b'{"NAME":"a"}', "a", id="letter case"),
        pytest.param(b'{"name":"b","name":"a"}', "a", id="repeated"),
        pytest.param(b'{"name":"b","Name":"a"}', "a", id="repeated in other letters"),
        pytest.param(b'{"n\\u0061me":"\\u0061"}', "a", id="escapes"),
        pytest.param(b'{"name":null}', "", id="null"),
        pytest.param(b"{}", "", id="absent"),
        pytest.param(b'{"name":"a\xff\xfeb"}', "a\ufffd\ufffdb", id="broken UTF-8"),
        pytest.param(b'{"name":"\xe2\x82"}', "\ufffd\ufffd", id="cut UTF-8, one for each byte"),
        pytest.param(b'{"name":"\xed\xa0\x80"}', "\ufffd" * 3, id="surrogate in UTF-8"),
        pytest.param(b'{"name":"a","\xff":1}', "a", id="broken UTF-8 in another key"),
        pytest.param(b'{"name":"\\ud800x"}', "\ufffdx", id="half a pair"),
        pytest.param(b'{"name":"\\ud83d\\ude42"}', "🙂", id="a pair"),
        pytest.param(b'{"name":"\\ude42\\ud83d"}', "\ufffd\ufffd", id="a pair turned around"),
        pytest.param(b'{"x":1e400,"name":"a"}', "a", id="a number that no float holds"),
    ],
)
def test_a_text_field_is_read_as_go_does(document: bytes, expected: str) -> None:
    assert text_field(decode_fields(document), "name") == expected


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"canary"', id="text"),
        pytest.param(b'{"a":"canary"', id="cut"),
        pytest.param(b'{"a":"canary"}x', id="more behind"),
        pytest.param(b'{"a":"canary\n"}', id="line end in a text"),
        pytest.param(b'{"a":"canary","b":NaN}', id="NaN"),
        pytest.param(b'{"a":"canary","b":01}', id="octal"),
        pytest.param(b"{'a':'canary'}", id="single quotes"),
        pytest.param(b'{"a":"canary",}', id="comma at the end"),
        pytest.param(b'\xef\xbb\xbf{"a":"canary"}', id="byte order mark"),
        pytest.param(b'{"a":"canary\\x"}', id="unknown escape"),
        pytest.param(b'{"a":"canary\xff\\x"}', id="broken UTF-8 and broken JSON"),
        pytest.param(b'{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", id="deep"),
        pytest.param(b"\x00" * 100, id="zeros"),
    ],
)
def test_what_is_no_object_is_refused_without_repeating_it(document: bytes) -> None:
    with pytest.raises(UndecodableError, match="no JSON object") as caught:
        decode_fields(document)
    context: BaseException | None = caught.value
    while context is not None:
        assert "canary" not in f"{context!r} {vars(context)}"
        context = context.__context__
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("value", [b"1", b"true", b"[]", b"{}", b'["canary"]'])
def test_a_text_field_that_is_something_else_is_refused(value: bytes) -> None:
    with pytest.raises(UndecodableError, match=r"^name is no text$") as caught:
        text_field(decode_fields(b'{"name":' + value + b"}"), "name")
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"0", 0),
        (b"-0", 0),
        (b"null", 0),
        (b"604800000000000", 604800000000000),
        (b"-1", -1),
        (b"9223372036854775807", (1 << 63) - 1),
        (b"-9223372036854775808", -(1 << 63)),
    ],
)
def test_an_integer_field_has_64_bits(value: bytes, expected: int) -> None:
    assert integer_field(decode_fields(b'{"type":' + value + b"}"), "type") == expected


def test_an_absent_integer_is_zero() -> None:
    assert integer_field(decode_fields(b"{}"), "type") == 0


@pytest.mark.parametrize(
    "value",
    [
        b"1.0",
        b"1e3",
        b"9223372036854775808",
        b"-9223372036854775809",
        b"1" + b"0" * 5000,
        b'"1"',
        b"true",
        b"[]",
    ],
)
def test_an_integer_field_that_is_something_else_is_refused(value: bytes) -> None:
    with pytest.raises(UndecodableError, match=r"^type is no 64-bit integer$"):
        integer_field(decode_fields(b'{"type":' + value + b"}"), "type")


def test_an_id_field_becomes_lower_case() -> None:
    assert id_field(decode_fields(b'{"id":"08371DB1DD8C8000"}'), "id") == "08371db1dd8c8000"


@pytest.mark.parametrize("document", [b"{}", b'{"id":null}'])
def test_an_absent_id_is_none_and_may_be_required(document: bytes) -> None:
    fields = decode_fields(document)
    assert id_field(fields, "id") is None
    with pytest.raises(UndecodableError, match=r"^it has no id$"):
        required_id_field(fields, "id")


@pytest.mark.parametrize("value", [b'""', b'"0000000000000000"', b'"08371db1dd8c800"', b"1"])
def test_an_id_field_that_is_something_else_is_refused(value: bytes) -> None:
    with pytest.raises(UndecodableError, match=r"^id is no"):
        id_field(decode_fields(b'{"id":' + value + b"}"), "id")


@pytest.mark.parametrize(
    "text",
    [
        "2021-09-28T12:55:25.442475Z",
        "2021-09-28T08:55:25.75109-04:00",
        "2025-02-05T21:01:39.331257096Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999+14:00",
        "2020-02-29T00:00:00Z",
        "2000-02-29T00:00:00Z",
        "2021-04-30T00:00:00Z",
        "2021-12-31T00:00:00Z",
    ],
)
def test_a_time_is_read(text: str) -> None:
    assert is_time(text)
    assert time_field(decode_fields(f'{{"createdAt":"{text}"}}'.encode()), "createdAt") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "datetime('now')",
        "2021-09-28",
        "2021-09-28 12:55:25Z",
        "2021-09-28T12:55:25",
        "2021-09-28t12:55:25z",
        "2021-13-01T00:00:00Z",
        "2021-00-01T00:00:00Z",
        "2021-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2021-02-30T00:00:00Z",
        "2021-04-31T00:00:00Z",
        "2021-01-32T00:00:00Z",
        "2021-01-00T00:00:00Z",
        "2021-01-01T24:00:00Z",
        "2021-01-01T00:60:00Z",
        "2021-01-01T00:00:60Z",
        "2021-01-01T00:00:00.Z",
        "2021-01-01T00:00:00+0000",
        "2021-01-01T00:00:00Z\n",
        "12021-01-01T00:00:00Z",
        "2021-01-01T00:00:00\u0661Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    assert not is_time(text)
    with pytest.raises(UndecodableError, match=r"^createdAt is no t"):
        time_field(decode_fields(encode({"createdAt": text})), "createdAt")


@pytest.mark.parametrize("document", [b"{}", b'{"createdAt":null}'])
def test_an_absent_time_is_empty(document: bytes) -> None:
    assert time_field(decode_fields(document), "createdAt") == ""


ORDER = ("id", "name", "status", "updatedAt")

STATUS = {"status": "b"}


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        pytest.param(b'{"id":"1","status":"a"}', STATUS, b'{"id":"1","status":"b"}', id="one"),
        pytest.param(b'{"status":"a","id":"1"}', STATUS, b'{"status":"b","id":"1"}', id="order"),
        pytest.param(
            b'{"id":"1","new":{"a": [1.50, 1e2]},"status":"a"}',
            STATUS,
            b'{"id":"1","new":{"a": [1.50, 1e2]},"status":"b"}',
            id="unknown fields keep their bytes",
        ),
        pytest.param(
            b'{"name":"\xff<","status":"a"}',
            STATUS,
            b'{"name":"\xef\xbf\xbd<","status":"b"}',
            id="broken UTF-8 is mended",
        ),
        pytest.param(
            b'{"id":"\\u0031","status":"a"}',
            STATUS,
            b'{"id":"\\u0031","status":"b"}',
            id="escapes stay",
        ),
        pytest.param(b'{"Status":"a"}', STATUS, b'{"Status":"b"}', id="letter case stays"),
        pytest.param(
            b'{"status":"a","Status":"c"}', STATUS, b'{"status":"b"}', id="twice becomes once"
        ),
        pytest.param(
            b'{"id":"1","updatedAt":"t","x":1}',
            STATUS,
            b'{"id":"1","status":"b","updatedAt":"t","x":1}',
            id="added in its place",
        ),
        pytest.param(b'{"x":1}', {"id": "1"}, b'{"id":"1","x":1}', id="added in front"),
        pytest.param(b"{}", STATUS, b'{"status":"b"}', id="added to nothing"),
        pytest.param(b'{"id":"1","status":"a"}', {"status": None}, b'{"id":"1"}', id="removed"),
        pytest.param(b'{"id":"1"}', {"status": None}, b'{"id":"1"}', id="removed nothing"),
        pytest.param(b'{"Status":"a","status":"c"}', {"status": None}, b"{}", id="removed both"),
        pytest.param(b' { "id" : "1" } ', {}, b'{"id":"1"}', id="nothing changed but blanks"),
    ],
)
def test_a_rewritten_record_keeps_what_was_not_changed(
    before: bytes, changes: dict[str, Json], after: bytes
) -> None:
    assert patched(before, changes, order=ORDER) == after


def test_what_is_no_object_cannot_be_rewritten() -> None:
    with pytest.raises(UndecodableError, match="no JSON object"):
        patched(b"[]", {"status": "b"}, order=ORDER)


def test_what_is_no_json_is_not_mended() -> None:
    assert mended(b"\xff{") == b"\xff{"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2021, 9, 28, 12, 55, 25, 442475, tzinfo=UTC), "2021-09-28T12:55:25.442475Z"),
        (datetime(2021, 9, 28, 12, 55, 25, 100000, tzinfo=UTC), "2021-09-28T12:55:25.1Z"),
        (datetime(2021, 9, 28, 12, 55, 25, 1, tzinfo=UTC), "2021-09-28T12:55:25.000001Z"),
        (datetime(2021, 9, 28, 12, 55, 20, tzinfo=UTC), "2021-09-28T12:55:20Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (
            datetime(2021, 9, 28, 8, 55, tzinfo=timezone(timedelta(hours=-4))),
            "2021-09-28T12:55:00Z",
        ),
    ],
)
def test_a_time_is_written_as_go_does(moment: datetime, expected: str) -> None:
    assert format_time(moment) == expected
