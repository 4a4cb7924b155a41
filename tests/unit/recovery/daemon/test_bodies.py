"""Where JSON is cut and where it is wrong, as Go tells the two apart."""

import tracemalloc
from typing import Final

import pytest

from recovery.daemon.bodies import Body, BodyError, read_body

CUT: Final = "unexpected EOF"
WRONG: Final = "invalid character "
WHOLE: Final = r'{"name": "a\"b\u00e9\ud83d\ude00", "x": [-0.5e-3, true, false, null, {"y": 1E+9}]}'


def test_a_body_that_is_cut_is_told_from_one_that_is_wrong() -> None:
    places = range(1, len(WHOLE))
    assert {_words(WHOLE[:end]) for end in places} == {CUT}
    assert {_words(WHOLE[:end] + "\x01")[: len(WRONG)] for end in places} == {WRONG}
    assert _words(WHOLE) == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("-", CUT),
        ("1.", CUT),
        ("1.5e", CUT),
        ("tru", CUT),
        ("1.x", WRONG),
        ("1.5.", "json: cannot unmarshal number"),
        ('{"name": - ', WRONG),
        ('{"name": 1.5.', WRONG),
        ('{"name": trux', WRONG),
        (r'{"name": "\u12G', WRONG),
        ('["a" "b', WRONG),
        ('{"name": "a\n', WRONG),
    ],
)
def test_go_has_these_words(body: str, words: str) -> None:
    """As its encoding/json says them."""
    assert _words(body).startswith(words)


def _words(text: str) -> str:
    try:
        read_body(text.encode(), lambda body: body.text("name"))
    except BodyError as error:
        return str(error)
    return ""


def test_what_says_nothing_is_read_once_however_often_it_is_sent() -> None:
    shown: list[object] = []

    def counted(body: Body) -> int | None:
        shown.append(body)
        return body.integer("n")

    document = b'{"a":[{},null,{"N":1},' + b"{}," * 1000 + b"{}]}"
    found = read_body(document, lambda body: body.bodies("a", counted))
    assert (found[:3], found[3:], len(shown)) == ([None, None, 1], [None] * 1001, 2)


@pytest.mark.parametrize("one", [b"1", b'"x"', b"[]"])
def test_a_fault_is_told_of_once_however_often_it_is_made(one: bytes) -> None:
    document = b'{"a":[' + (one + b",") * 10_000 + one + b"]}"
    tracemalloc.start()
    try:
        with pytest.raises(BodyError, match="cannot unmarshal"):
            read_body(document, lambda body: body.bodies("a", lambda each: each.integer("n")))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 10_000 * 250
