"""The picture of who can reach what."""

from xml.etree import ElementTree as ET

import pytest

from recovery.drawing.reach import Box, Line, Strength, draw_reach

USERS = (Box(key="u1", label="admin"), Box(key="u2", label="iot", is_faded=True))
WAYS = (
    Box(key="w1", label="lost", is_faded=True),
    Box(key="w2", label="operator", href="/tokens/1", note="full"),
)
REACH = (Box(key="r1", label="main / telemetry"), Box(key="r2", label="everything"))
LINES = (
    Line(source="u1", target="w2", strength=Strength.OPERATOR),
    Line(source="w2", target="r2", strength=Strength.OPERATOR),
    Line(source="u2", target="w1", strength=Strength.BROKEN),
    Line(source="w1", target="r1", strength=Strength.WORKS),
)


def drawn(*lines: Line) -> ET.Element:
    return ET.fromstring(draw_reach((USERS, WAYS, REACH), lines, sentence="s"))


def tops(svg: ET.Element) -> dict[str, float]:
    """Where each box stands, by its label."""
    return {
        group.findall("text")[0].text or "": float(group.find("rect").get("y") or 0)  # type: ignore[union-attr] # each has one
        for group in svg.iter("g")
    }


def test_each_box_and_each_line_is_drawn_once() -> None:
    svg = drawn(*LINES, *LINES)
    assert {"admin", "iot", "lost", "operator", "main / telemetry", "everything"} == set(tops(svg))
    assert len(svg.findall("path")) == 4


def test_a_box_stands_beside_those_that_lead_to_it() -> None:
    found = tops(drawn(*LINES))
    assert found["operator"] == found["admin"] == found["everything"]
    assert found["lost"] == found["iot"] == found["main / telemetry"]


@pytest.mark.parametrize(
    ("strength", "dashes", "width"),
    [
        (Strength.OPERATOR, None, "4"),
        (Strength.WORKS, None, "1.5"),
        (Strength.BROKEN, "3 5", "1.5"),
    ],
)
def test_a_line_shows_by_its_form_what_it_is_worth(
    strength: Strength, dashes: str | None, width: str
) -> None:
    (path,) = drawn(Line(source="u1", target="w1", strength=strength)).findall("path")
    assert (dashes, width) == (path.get("stroke-dasharray"), path.get("stroke-width"))
    assert f"way {strength}" == path.get("class")


def test_lines_that_work_lie_over_those_that_do_not() -> None:
    classes = [path.get("class") for path in drawn(*LINES).findall("path")]
    assert classes == ["way broken", "way works", "way operator", "way operator"]


def test_a_line_to_nowhere_is_left_out() -> None:
    assert drawn(Line(source="u1", target="gone", strength=Strength.WORKS)).findall("path") == []


def test_a_box_leads_where_it_is_told() -> None:
    assert [link.get("href") for link in drawn().iter("a")] == ["/tokens/1"]


def test_nothing_at_all_is_a_picture_too() -> None:
    svg = ET.fromstring(draw_reach(((), (), ()), (), sentence="nobody"))
    assert svg[1].text == "nobody"
