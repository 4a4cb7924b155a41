"""Tables: everything fits, no ID is broken, and nothing is lost without a sign."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recovery.cli.table as room
from recovery.cli.table import ELLIPSIS, Column, table, text_width, wrap

COLUMNS = (Column("ID"), Column("Name", 6), Column("Words", 6))
WORDS = st.text(st.sampled_from("ab é漢 "), max_size=40)


def lines(*rows: tuple[str, ...], width: int | None = None) -> list[str]:
    """Lay out some rows below the three headings."""
    return list(table(COLUMNS, rows, width_max=width))


def test_cells_stand_below_their_headings() -> None:
    assert lines(("1", "ann", "x y"), ("22", "bo", "z")) == [
        "ID  Name  Words",
        "1   ann   x y",
        "22  bo    z",
    ]


def test_a_column_without_content_is_left_out() -> None:
    assert lines(("1", "", "x"), ("2", "", "y")) == ["ID  Words", "1   x", "2   y"]


def test_no_rows_leave_the_headings() -> None:
    assert lines() == ["ID  Name  Words"]


def test_wide_characters_count_twice_and_combining_ones_not_at_all() -> None:
    assert text_width("漢字") == 4
    assert text_width("e\N{COMBINING ACUTE ACCENT}") == 1
    assert lines(("1", "漢", "x"), ("2", "abc", "y"))[1:] == ["1   漢    x", "2   abc   y"]


def test_long_cells_are_wrapped_at_blanks_until_the_table_fits() -> None:
    assert lines(("1", "ann", "one two three four"), width=20) == [
        "ID  Name  Words",
        "1   ann   one two",
        "          three four",
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (r"abcd\x1bef", ["abcd", r"\x1bef"]),
        (r"ab\u202ecd", ["ab", r"\u202e", "cd"]),
        (r"abcde\\\\f", ["abcde", r"\\\\f"]),
        (r"abc\U000e0041", ["abc", r"\U000e", "0041"]),  # as wide as two columns
        ("abcde\N{COMBINING ACUTE ACCENT}f", ["abcde\N{COMBINING ACUTE ACCENT}f"]),
        ("abcdef\N{COMBINING ACUTE ACCENT}g", ["abcdef\N{COMBINING ACUTE ACCENT}", "g"]),
        ("कुकुकुकुकुकुक", ["कुकुकुकुकुकु", "क"]),
        ("漢字漢字", ["漢字漢", "字"]),
    ],
)
def test_no_character_is_broken(cell: str, expected: list[str]) -> None:
    assert wrap(cell, 6) == expected


def test_a_cell_of_many_lines_ends_with_a_sign() -> None:
    found = lines(("1", "ann", "word " * 40), width=20)
    assert found[-1].endswith(ELLIPSIS)
    assert len(found) == 7


def test_a_narrow_terminal_gets_one_block_a_row() -> None:
    assert lines(("123456789012", "ann", "x y"), ("1", "bo", ""), width=20) == [
        "ID     123456789012",
        "Name   ann",
        "Words  x y",
        "",
        "ID     1",
        "Name   bo",
    ]


@given(st.lists(st.tuples(st.just("0123456789abcdef"), WORDS, WORDS), max_size=5))
def test_a_table_that_can_fit_does_fit_and_ids_stay_whole(rows: list[tuple[str, str, str]]) -> None:
    found = list(table(COLUMNS, rows, width_max=40))
    assert all(text_width(line) <= 40 for line in found)
    assert sum("0123456789abcdef" in line for line in found) == len(rows)


@given(WORDS, st.integers(2, 30))
def test_wrapping_loses_nothing_but_blanks(text: str, width: int) -> None:
    found = wrap(text, width)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert all(text_width(line) <= width for line in found)


@given(WORDS)
def test_prose_never_breaks_a_word(text: str) -> None:
    assert " ".join(wrap(text, 4, breaks_words=False)).split() == text.split()


def test_a_column_is_narrowed_where_no_word_is_broken_for_it() -> None:
    columns = (Column("Org", 3), Column("Description", 11))
    rows = [("example-org", "a token for the dashboard")]
    assert list(table(columns, rows, width_max=30)) == [
        "Org          Description",
        "example-org  a token for the",
        "             dashboard",
    ]


def test_a_long_list_is_laid_out_by_its_first_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes later is whole: moved in a file, wrapped at a terminal, and no column lacks."""
    monkeypatch.setattr(room, "LAID_OUT_ROWS", 2)
    rows = (("1", "ann", ""), ("2", "bo", ""), ("3", "charlotte", "late"), ("4", "漢", "x"))
    assert lines(*rows) == [
        "ID  Name  Words",
        "1   ann",
        "2   bo",
        "3   charlotte  late",
        "4   漢    x",
    ]
    assert lines(*rows, width=20)[3:] == ["3   char  late", "    lott", "    e", "4   漢    x"]
    assert lines(*rows[:2]) == ["ID  Name  Words", "1   ann", "2   bo"]


def test_a_list_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LAID_OUT_ROWS", 2)
    taken: list[int] = []

    def rows() -> Iterator[tuple[str, ...]]:
        for number in range(9):
            taken.append(number)
            yield (str(number), "ann", "x")

    found = table(COLUMNS, rows(), width_max=None)
    assert next(found) == "ID  Name  Words"
    assert len(taken) == 2
    assert len(list(found)) == 9
