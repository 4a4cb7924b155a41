"""Texts and elements of a picture."""

from xml.etree import ElementTree as ET

import pytest

from recovery.drawing.svg import columns_of, element, fitted_text, picture, shortened, text_of


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("telemetry", 9, "telemetry"),
        ("telemetry", 8, "telemet…"),
        ("", 3, ""),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日…"),
        ("a\n", 9, "a\\n"),
    ],
)
def test_a_text_is_cut_to_the_columns_that_it_takes(text: str, width: int, expected: str) -> None:
    assert expected == shortened(text, width)
    assert columns_of(shortened(text, width)) <= width


def test_what_a_name_carries_never_becomes_markup() -> None:
    name = "<script>\u202e'\"&\x00"
    parsed = ET.fromstring(element("text", text_of(name), x=1))
    assert parsed.text == "<script>\\u202e'\"&\\x00"


def test_an_attribute_is_escaped_and_named_as_svg_names_it() -> None:
    written = element("a", "x", href='/?q="<', class_="b", font_size=1.5, fill=None)
    assert written == '<a href="/?q=&quot;&lt;" class="b" font-size="1.5">x</a>'


def test_a_picture_says_what_it_shows() -> None:
    parsed = ET.fromstring(
        picture("map", title="A map", sentence="two < three", size=(10, 5.5), content=["<g/>"])
    )
    assert (parsed.get("role"), parsed.get("viewBox")) == ("img", "0 0 10 5.5")
    assert [one.text for one in parsed[:2]] == ["A map", "two < three"]
    assert parsed.get("aria-labelledby") == " ".join(one.get("id", "") for one in parsed[:2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iot-center", "iot-center"),
        ("i" * 24, "i" * 24),
        ("w" * 11, "wwwwwwwww…"),
        ("\N{FACE WITH TEARS OF JOY}" * 11, "\N{FACE WITH TEARS OF JOY}" * 9 + "…"),
        ("<" * 20, "&lt;" * 13 + "…"),
    ],
)
def test_a_text_in_a_picture_is_cut_by_the_width_of_its_letters(text: str, expected: str) -> None:
    assert fitted_text(text, 10.5) == expected
