"""Names of a store as a person sees them."""

import shlex
import subprocess

import pytest

from recovery.model.display import displayed, quoted


@pytest.mark.parametrize(
    "text", ["", "myorg", "my org", "Zürich", "東京", "a-b_c.d", "naïve café", "🙂"]
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert text == displayed(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\x1b[2Jb", "a\\x1b[2Jb", id="escape sequence"),
        pytest.param("a\x9b2Jb", "a\\x9b2Jb", id="eight-bit escape sequence"),
        pytest.param("a\nb\rc\td", "a\\nb\\rc\\td", id="line ends"),
        pytest.param("a\x00b\x7f", "a\\x00b\\x7f", id="zero and delete"),
        pytest.param("admin\u202enimda", "admin\\u202enimda", id="right-to-left override"),
        pytest.param("a\u2066b\u200fc\u061c", "a\\u2066b\\u200fc\\u061c", id="isolates, marks"),
        pytest.param("my\u00a0org", "my\\xa0org", id="no-break space"),
        pytest.param("my\u3000org\u2009", "my\\u3000org\\u2009", id="wide and thin space"),
        pytest.param("a\u200bb\ufeffc\u00ad", "a\\u200bb\\ufeffc\\xad", id="zero width"),
        pytest.param("a\u2028b\u2029", "a\\u2028b\\u2029", id="line separators"),
        pytest.param("a\u3164b\u2800c", "a\\u3164b\\u2800c", id="blank letters"),
        pytest.param("a\ufe0fb\U000e0101", "a\\ufe0fb\\U000e0101", id="variation selectors"),
        pytest.param("a\U000e0041", "a\\U000e0041", id="tag characters"),
        pytest.param("a\ue000", "a\\ue000", id="private use"),
        pytest.param("a\udcff", "a\\udcff", id="lone surrogate"),
        pytest.param("a\\nb", "a\\\\nb", id="backslash"),
        pytest.param(" a", "\\x20a", id="blank in front"),
        pytest.param("a ", "a\\x20", id="blank behind"),
        pytest.param("a  b", "a \\x20b", id="two blanks"),
        pytest.param(" ", "\\x20", id="nothing but a blank"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, expected: str) -> None:
    assert expected == displayed(text)


def test_different_texts_never_look_the_same() -> None:
    texts = ["a b", "a  b", "a\u00a0b", "a\\x20b", "a\\\\x20b", "a\tb", "a\\tb", " a b", "a b "]
    assert len(texts) == len({displayed(text) for text in texts})


@pytest.mark.parametrize("name", ["plain", "two words", "it's", "a\nb\x1b[2J", "\udcff/x", "ä"])
def test_a_shell_gives_back_what_was_quoted(name: str) -> None:
    assert quoted(name).isprintable()
    done = subprocess.run(
        ["bash", "-c", f"printf %s {quoted(name)}"], capture_output=True, check=True
    )
    assert done.stdout == name.encode(errors="surrogateescape")
    assert shlex.split(quoted("two words")) == ["two words"]
