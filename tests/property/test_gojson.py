"""JSON: what is written is read back, what is read never surprises, what is kept stays."""

import json
from datetime import date, datetime
from typing import TypeAlias

from hypothesis import example, given
from hypothesis import strategies as st

from recovery.model.gojson import (
    UndecodableError,
    decode_fields,
    encode,
    encode_text,
    fold,
    is_time,
    mended,
    patched,
    text_field,
)
from recovery.model.ids import Id, parse_id

Plain: TypeAlias = "bool | int | str | list[Plain] | dict[str, Plain] | None"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Plain] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)


@given(VALUES)
def test_what_is_written_means_the_same_to_another_reader(value: Plain) -> None:
    assert json.loads(encode(value)) == value


@given(VALUES)
def test_what_is_written_has_no_character_that_go_escapes(value: Plain) -> None:
    written = encode(value).decode()
    assert not set(written) & set("<>&\u2028\u2029")
    assert min(written) >= " "


@given(st.text())
def test_any_text_can_be_written_and_read(text: str) -> None:
    """Lone surrogates, which stand for bytes that are no UTF-8, come back as U+FFFD."""
    expected = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    fields = decode_fields(b'{"name":' + encode_text(text) + b"}")
    assert text_field(fields, "name") == expected


@given(st.binary())
def test_any_bytes_inside_a_text_are_read_as_go_does(content: bytes) -> None:
    """Go puts U+FFFD for each byte that is no UTF-8; the reference does it byte by byte."""
    content = bytes(byte for byte in content if byte >= 0x20 and byte not in b'"\\')
    expected, rest = "", content
    while rest:
        for size_bytes in (1, 2, 3, 4):
            try:
                expected += rest[:size_bytes].decode()
            except UnicodeDecodeError:
                continue
            break
        else:
            size_bytes, expected = 1, expected + "\ufffd"
        rest = rest[size_bytes:]
    fields = decode_fields(b'{"name":"' + content + b'"}')
    assert text_field(fields, "name") == expected


@given(OBJECTS)
def test_the_fields_of_an_object_are_its_values_by_folded_name(value: dict[str, Plain]) -> None:
    fields = decode_fields(encode(value))
    assert {name: json.loads(bytes(raw)) for name, raw in fields.items()} == {
        fold(name): item for name, item in value.items()
    }


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_an_object_or_undecodable(document: bytes) -> None:
    try:
        fields = decode_fields(document)
    except UndecodableError:
        return
    assert isinstance(json.loads(mended(document)), dict)
    for raw in fields.values():
        json.loads(bytes(raw))


@given(OBJECTS, TEXTS)
def test_a_change_keeps_all_other_fields_and_their_order(
    value: dict[str, Plain], status: str
) -> None:
    value = {name: item for name, item in value.items() if fold(name) not in {"status", "id"}}
    stored = encode({"id": "1", "status": "x", **value})
    found = patched(stored, {"status": status}, order=("id", "status"))
    assert found == encode({"id": "1", "status": status, **value})


@given(OBJECTS)
def test_nothing_changed_is_the_same_bytes(value: dict[str, Plain]) -> None:
    stored = encode(value)
    assert patched(stored, {}, order=()) == stored


@given(st.text(alphabet="0123456789-:.,TZ+", max_size=40))
@example("2021-02-29T00:00:00Z")
def test_what_counts_as_a_time_has_a_date_that_exists(text: str) -> None:
    if is_time(text) and not text.startswith("0000"):  # a year that Python does not have
        assert date.fromisoformat(text[:10]).isoformat() == text[:10]


@given(st.datetimes())
def test_every_time_counts_as_one(moment: datetime) -> None:
    assert is_time(f"{moment.isoformat()}Z")


@given(st.integers(1, (1 << 64) - 1))
def test_every_id_is_read_back(number: int) -> None:
    assert parse_id(f"{number:016x}") == parse_id(f"{number:016X}") == Id(f"{number:016x}")
