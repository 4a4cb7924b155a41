"""The program's name and nothing else, at a terminal."""

from pathlib import Path

import pytest

from tests.support.run_cli import Cli
from tests.support.stores import MadeStore, make_store

pytestmark = pytest.mark.pty


@pytest.fixture
def store(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


def test_it_says_what_is_there_and_makes_a_token_by_a_command_that_it_shows(
    cli: Cli, store: MadeStore
) -> None:
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        terminal.wait_for("Which? ")
        for word in ("Store:", "Server:", "Sign-in:", "Operator tokens:"):
            assert word in terminal.text
        terminal.type("1\n")
        terminal.wait_for("Which user gets it? ")
        terminal.type("alice\n")
        terminal.wait_for("Which organization")
        terminal.type("acme\n")
        terminal.wait_for("Type yes")
        terminal.type("yes\n")
        ended = terminal.end()
    assert ended.code == 0
    assert "$ influx-recovery auth create-operator --org acme --username alice" in ended.stdout
    assert "shown only this once" in ended.stdout


@pytest.mark.parametrize(("number", "words"), [("3", "store check"), ("4", "store undo")])
def test_a_number_runs_a_command_on_the_same_store(
    cli: Cli, store: MadeStore, number: str, words: str
) -> None:
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        terminal.wait_for("Which? ")
        terminal.type(f"{number}\n")
        ended = terminal.end()
    assert f"$ influx-recovery {words} --bolt-path {store.path}" in ended.stdout.replace("\n", "")


@pytest.mark.parametrize("answers", ["5\n", "\n", "9\n9\nx\n"])
def test_who_leaves_has_changed_nothing(cli: Cli, store: MadeStore, answers: str) -> None:
    before = store.path.read_bytes()
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        for answer in answers.splitlines():
            terminal.wait_for("Which? ")
            terminal.text = ""
            terminal.type(f"{answer}\n")
        ended = terminal.end()
    assert (ended.code, before) == (0, store.path.read_bytes())
    assert "Nothing was done." in ended.stdout


def test_without_a_store_there_is_the_short_help_and_the_reason(cli: Cli) -> None:
    with cli.at_terminal("--bolt-path", cli.home / "nothing.bolt") as terminal:
        ended = terminal.end()
    assert ended.code == 3
    assert "influx-recovery demo" in ended.stdout
    assert "error:" in ended.stdout
