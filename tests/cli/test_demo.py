"""The demonstration: the README's first command."""

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from recovery.cli.parser import parse_arguments
from recovery.errors import ExitCode
from tests.bench.recording import TARGET, broken, drawn
from tests.support.hints import whole_parser
from tests.support.run_cli import Cli

CHANCE: Final = re.compile(r"(?<=demo-)\w{8}|\b[0-9a-f]{16}\b|[0-9]{8}T[0-9]{6}Z")
"""What differs from run to run."""


def test_the_demonstration_does_the_whole_job_and_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    environ = {"TMPDIR": str(folder), "INFLUXD_BOLT_PATH": "/nowhere", "INFLUXD_CONFIG_PATH": "/x"}
    done = cli.run("demo", environ=environ, own_ledger=False)
    assert (done.code, done.stderr) == (0, "")
    assert "it is no full operator token" in done.stdout
    assert re.search(r"^[\w-]{86}==$", done.stdout, re.MULTILINE)
    assert "1 full operator token that a server would accept" in done.stdout
    assert list(folder.iterdir()) == []
    assert list(cli.home.iterdir()) == []


def test_each_command_that_the_demonstration_shows_can_be_typed(cli: Cli) -> None:
    done = cli.run("demo", own_ledger=False)
    shown = [line.removeprefix("$ ") for line in done.stdout.splitlines() if line[:2] == "$ "]
    commands = [shlex.split(line) for line in shown if line.startswith("influx-recovery ")]
    assert len(commands) == 5
    for words in commands:
        assert parse_arguments(words[1:], whole_parser()).command


@pytest.mark.parametrize("words", [["--json"], ["--bolt-path", "x"], ["--ledger", "x"]])
def test_the_demonstration_takes_no_other_store(cli: Cli, words: list[str]) -> None:
    done = cli.run("demo", *words, own_ledger=False)
    assert done.code == ExitCode.USAGE
    assert words[0] in done.error


@pytest.mark.pty
def test_the_demonstration_fits_a_terminal(cli: Cli) -> None:
    with cli.at_terminal("demo", environ={"NO_COLOR": "1"}, own_ledger=False) as terminal:
        done = terminal.end()
    assert done.code == 0
    whole = re.compile(r"/|==|^\$ ")  # paths, the token and commands are never broken
    prose = [line for line in done.stdout.splitlines() if not whole.search(line)]
    assert max(map(len, prose)) <= 80
    shown, recorded = (
        CHANCE.sub("", text) for text in (drawn(broken(done.stdout)), TARGET.read_text())
    )
    assert shown == recorded  # else: python -m tests.bench.recording
