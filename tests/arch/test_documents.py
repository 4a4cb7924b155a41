"""README, manual and program say the same."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from recovery.cli.main import SHORT_HELP
from recovery.cli.parser import commands, parse_arguments
from recovery.cli.usage import REQUIRED
from recovery.cli.vocabulary import COMMANDS, PROGRAM, load
from recovery.errors import ExitCode, RecoveryError
from tests.support.absent import absent
from tests.support.hints import whole_parser
from tests.support.source import PROJECT

README: Final = (PROJECT / "README.md").read_text()
PAGES: Final = sorted((PROJECT / "man").glob("*.[78]"))


def typed_in_readme() -> list[str]:
    """Give each command of ours in the README: in a line of a block, or in backticks."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", README, re.DOTALL)
    lines = [line.removeprefix("# ") for block in blocks for line in block.splitlines()]
    found = [line for line in lines if line.startswith("influx-recovery ")]
    return found + re.findall(r"`(influx-recovery [^`]+)`", README)


PARSER: Final = whole_parser()


def understood(line: str) -> str:
    """Parse a command and return its words; raises when it is not understood."""
    named = line.removeprefix("influx-recovery ")
    if named in COMMANDS:  # named, not typed out
        return named
    arguments = parse_arguments(shlex.split(line)[1:], PARSER)
    assert arguments.command, line
    words: str = arguments.words
    return words


@pytest.mark.parametrize("line", typed_in_readme())
def test_each_documented_command_can_be_typed(line: str) -> None:
    """What stands for a value is called as in the help of the command."""
    command = PARSER.command(understood(line))
    named = {one for action in command.actions for one in str(action.metavar).split("|")}
    assert {word.rstrip("…") for word in line.split() if word.rstrip("…").isupper()} <= named


def test_the_short_help_can_be_typed() -> None:
    lines = re.findall(r"^  (influx-recovery .*?)(?:  |$)", SHORT_HELP, re.MULTILINE)
    assert len(lines) == 5
    assert max(map(len, SHORT_HELP.splitlines())) <= 80
    for line in lines:
        assert understood(line)


def test_the_readme_mentions_every_command() -> None:
    mentioned = {understood(line) for line in typed_in_readme()}
    assert mentioned == set(COMMANDS)


def test_the_first_screen_of_the_readme_has_the_two_commands_that_are_all_the_set_up() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    environment = "python3 -m venv .venv && .venv/bin/pip install -q"
    assert blocks == [
        f"{environment} . && .venv/bin/influx-recovery demo\n",
        f"{environment} -e '.[dev]' && .venv/bin/python -m pytest\n",
    ]
    assert README.index(blocks[1]) < len("\n".join(README.splitlines()[:24]))


def test_exit_codes_are_the_same_in_program_manual_and_readme() -> None:
    expected = {(int(code), code.meaning) for code in ExitCode}
    readme = re.findall(r"^\| (\d+) \| (.*) \|$", README, re.MULTILINE)
    manual = re.findall(
        r"^\.TP\n\.B (\d+)\n(.*)$", (PROJECT / "man" / "exit_status.inc").read_text(), re.MULTILINE
    )
    assert {(int(code), meaning) for code, meaning in readme} == expected
    assert {(int(code), meaning) for code, meaning in manual} == expected


def test_every_error_has_an_exit_code_that_is_not_success() -> None:
    def below(kind: type[RecoveryError]) -> Iterator[type[RecoveryError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    codes = {kind.__name__: kind.exit_code for kind in below(RecoveryError)}
    assert len(codes) > 10
    assert {name for name, code in codes.items() if code is ExitCode.DONE} == set()


def test_the_manual_is_what_the_parser_says() -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "man" / "generate.py", "--check"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_troff_has_nothing_to_say_about_the_manual(page: Path) -> None:
    if shutil.which("groff") is None:
        absent("no groff: apt-get install groff")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", page], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert "SEE ALSO" in text
    assert page.suffix == ".7" or ("EXAMPLES" in text and "Administration" in text.splitlines()[0])
    noun, shown = page.stem.removeprefix(f"{PROGRAM}-"), " ".join(text.split())
    examples = {load(words).example for words in COMMANDS if words.split()[0] == noun}
    assert {one for one in examples if f"{PROGRAM} {one}" not in shown} == set()


def test_the_main_page_is_short_and_names_every_other() -> None:
    text = (PROJECT / "man" / "influx-recovery.8").read_text().replace("\\-", "-")
    others = {page.stem for page in PAGES} - {"influx-recovery"}
    assert [page for page in sorted(others) if f".BR {page} (8)" not in text] == []
    assert len(text.splitlines()) < 350


def test_the_map_in_the_readme_names_every_room_and_no_other() -> None:
    drawn = README.split("## Map of the code")[1].split("```")[1]
    named = set(re.findall(r"(?:^|  )([a-z_]+(?:/|\.py))(?= )", drawn, re.MULTILINE))
    tops = [PROJECT / "bolt_store", PROJECT / "recovery", PROJECT / "recovery" / "services"]
    there = {one.name for one in tops}
    for top in tops[:2]:
        there |= {one.name for one in top.iterdir()}
    there |= {one.name for one in tops[2].iterdir() if one.is_dir()}
    rooms = {f"{one}/" for one in there if "." not in one} | {
        one for one in there if one.endswith(".py")
    }
    assert named - {"man/", "tests/"} == rooms - {"__pycache__/", "__init__.py", "__main__.py"}


def test_no_help_text_begins_with_what_troff_takes_for_a_request() -> None:
    for command in commands(PARSER):
        for action in command.options.values():
            assert (action.help or "")[:1] not in {".", "'"}
        assert command.epilog is None
        assert (command.description or "").endswith("."), command.prog


def test_the_table_in_the_readme_has_the_words_that_a_command_cannot_do_without() -> None:
    rows = re.findall(r"^\| `influx-recovery (.+?)` \|", README, re.MULTILINE)
    for command in commands(whole_parser()):
        words = command.prog.partition(" ")[2]
        needed = [
            str(action.metavar)
            for action in command.actions
            if not action.option_strings and action.nargs and REQUIRED in (action.help or "")
        ]
        found = next((row for row in rows if f"{row} ".startswith(f"{words} ")), words)
        assert [one for one in needed if one not in found] == [], words
