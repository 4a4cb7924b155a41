"""The picture of the pages of a file."""

import re
from random import Random
from xml.etree import ElementTree as ET

import pytest

from recovery.drawing.pages import (
    PATHS_SIZE_BYTES_MAX,
    SQUARES_MAX,
    PageRun,
    PageUse,
    Share,
    draw_pages,
    draw_shares,
)


def squares(*runs: PageRun) -> dict[str, int]:
    """How many squares of each class a picture has, from the lengths of its strokes."""
    svg = ET.fromstring(draw_pages(runs, sentence=""))
    return {
        path.get("class", "").removeprefix("page "): sum(
            (int(length) + 2) // 10 for length in re.findall(r"h(\d+)", path.get("d", ""))
        )
        for path in svg.findall("path")
    }


def title(*runs: PageRun) -> str:
    return ET.fromstring(draw_pages(runs, sentence=""))[0].text or ""


def test_each_page_is_a_square_of_its_use() -> None:
    runs = (
        PageRun(count=2, use=PageUse.META),
        PageRun(count=100, use=PageUse.LEAF),
        PageRun(count=3, use=PageUse.LEAF, is_new=True),
        PageRun(count=30, use=PageUse.FREE),
    )
    assert squares(*runs) == {"meta": 2, "leaf": 103, "free": 30, "new": 3}
    assert title(*runs) == "135 pages of the file, one square a page"


def test_a_stroke_ends_with_its_row() -> None:
    svg = ET.fromstring(draw_pages([PageRun(count=65, use=PageUse.LEAF)], sentence=""))
    assert [path.get("d") for path in svg.findall("path")] == ["M1 5h638M1 15h8"]
    assert svg.get("viewBox") == "0 0 640 20"


@pytest.mark.parametrize("rare", [PageUse.UNREACHABLE, PageUse.META, PageUse.FREELIST])
def test_one_page_that_matters_is_seen_among_very_many(rare: PageUse) -> None:
    runs = (
        PageRun(count=SQUARES_MAX + 1, use=PageUse.LEAF),
        PageRun(count=1, use=rare, is_new=True),
        PageRun(count=SQUARES_MAX, use=PageUse.FREE),
    )
    found = squares(*runs)
    assert (found[rare], found["new"]) == (1, 1)
    assert title(*runs).endswith("one square for 4 pages")
    assert sum(found.values()) - 1 == -(-(2 * SQUARES_MAX + 2) // 4)


@pytest.mark.parametrize("count", [0, 1, 4096, 40_000])
def test_the_picture_stays_small_whatever_the_file(count: int) -> None:
    draw = Random(count)
    runs = [PageRun(count=1, use=draw.choice(list(PageUse))) for _ in range(count)]
    assert len(draw_pages(runs, sentence="")) < PATHS_SIZE_BYTES_MAX + 2000


def test_a_bar_is_divided_as_the_sizes_are() -> None:
    shares = [Share(label="a", size=3), Share(label="none", size=0), Share(label="b", size=1)]
    svg = ET.fromstring(draw_shares(shares, title="t"))
    assert {rect.get("class"): rect.get("width") for rect in svg.findall("rect")} == {
        "share share-0": "479",
        "share share-2": "159",
    }
    assert svg[1].text == "a 75%, b 25%"


def test_a_bar_of_nothing_is_empty() -> None:
    assert ET.fromstring(draw_shares([], title="t")).findall("rect") == []
