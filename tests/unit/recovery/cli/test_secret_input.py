"""Secrets that are read from files."""

import io
from pathlib import Path

import pytest

from recovery.cli.output import Output
from recovery.cli.secret_input import read_secret
from recovery.errors import RefusedError


def spoken(said: io.StringIO) -> Output:
    return Output(stdout=io.StringIO(), stderr=said, environ={})


def read(path: Path, content: bytes, said: io.StringIO | None = None) -> str:
    path.write_bytes(content)
    output = spoken(io.StringIO() if said is None else said)
    return read_secret(str(path), what="password", output=output).reveal()


@pytest.mark.parametrize("content", [b"pass word", b"pass word\n", b"pass word\r\n"])
def test_one_line_end_is_no_part_of_it(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path / "p", content) == "pass word"


def test_a_byte_order_mark_is_no_part_of_it(tmp_path: Path) -> None:
    assert read(tmp_path / "p", b"\xef\xbb\xbfsecret-1\n") == "secret-1"


ODDITIES = {
    " secret-1": "begins with a blank",
    "secret-1 \r\n": "ends with a blank",
    "secret-1\N{NO-BREAK SPACE}": "ends with U+00A0 (no-break space)",
    "\N{ZERO WIDTH SPACE}secret-1": "begins with U+200B (zero width space)",
    "secret\N{SOFT HYPHEN}-1\n": "has U+00AD (soft hyphen) in it",
    "secret\N{IDEOGRAPHIC SPACE}1": "has U+3000 (ideographic space) in it",
    "secret-1\N{ZERO WIDTH NO-BREAK SPACE}": "ends with U+FEFF (zero width no-break space)",
    '"secret-1"\n': "is in quotation marks",
    "“secret-1”": "is in quotation marks",
    "'secret-1' ": "ends with a blank",
    " 'secret-1'": "begins with a blank",
    "secre\u0301t-1": "has accents apart from their letters, which no keyboard sends",
    " secret-1 ": "begins with a blank and ends with a blank",
}


@pytest.mark.parametrize(("text", "oddity"), ODDITIES.items(), ids=ascii)
def test_what_is_odd_is_said_and_stays(tmp_path: Path, text: str, oddity: str) -> None:
    said = io.StringIO()
    assert read(tmp_path / "p", text.encode(), said) == text.rstrip("\r\n")
    assert said.getvalue() == (
        f"warning: the password from {tmp_path / 'p'} {oddity}; that is taken as it is, as a part "
        "of it\n"
    )


@pytest.mark.parametrize("text", ["pass word", "päss-wörd", "d'accord'", '"', "密码密码密码"])
def test_what_is_not_odd_is_not_spoken_of(tmp_path: Path, text: str) -> None:
    said = io.StringIO()
    assert read(tmp_path / "p", text.encode(), said) == text
    assert not said.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"secret-1\nsecret-2\n", "has more than one line"),
        (b"secret-1\n\n", "has more than one line"),
        (b"secret-1\rsecret-2", "has more than one line"),
        (b"secret\t-1", "has a control character"),
        (b"secret\x00-1", "has a control character"),
        (b"secret\x7f", "has a control character"),
        ("secret\u009b".encode(), "has a control character"),
        ("secret\u2028".encode(), "has a control character"),
        (b"\xef\xbb\xbf\xef\xbb\xbfsecret-1", "begins with a byte order mark"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\xff\xfes\0e\0c\0", "is not UTF-8"),
    ],
)
def test_what_nobody_types_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(RefusedError, match=problem) as caught:
        read(tmp_path / "p", content)
    assert "secret" not in str(caught.value)


def test_a_document_has_many_lines(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"[\n\t1\n]\n")
    found = read_secret(str(tmp_path / "p"), what="list", output=None, is_line=False)
    assert found.reveal() == "[\n\t1\n]"


@pytest.mark.parametrize("typed", ["S3cret", "/no/such/S3cret", "S3cret\0", "S3cret" * 100])
def test_a_secret_in_the_place_of_a_file_is_not_shown(typed: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_secret(typed, what="password", output=spoken(io.StringIO()))
    assert "S3cret" not in f"{caught.value}{caught.value.hint}"


def test_a_file_that_is_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="Is a directory"):
        read_secret(str(tmp_path), what="password", output=spoken(io.StringIO()))
