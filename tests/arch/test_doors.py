"""Two doors: only the command line knows what is typed; below it, what would help is data."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from recovery.cli.hints import FIELDS, actions_for, command_line
from recovery.cli.parser import commands
from recovery.cli.vocabulary import COMMANDS, NOUNS, PROGRAM
from recovery.remedy import Input
from tests.support.hints import complaint, whole_parser
from tests.support.source import modules

PARSER: Final = whole_parser()
OPTIONS: Final = {name for command in commands(PARSER) for name in command.options if "--" in name}
FIRST_WORDS: Final = {*NOUNS, *(words.split()[0] for words in COMMANDS)}
OF_OTHERS: Final = {
    "recovery.daemon.page.token_making": {"--read-bucket", "--write-bucket"},
    "recovery.lock_holder": {"--user"},
    "recovery.discovery.servers": {
        "--bolt-path",
        "--engine-path",
        "--sqlite-path",
        "--use-hashed-tokens",
    },
}
"""Options of influx, of systemctl, and of the server, which are read from its command line."""


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Give each text of a module that is no docstring, with its line."""
    tree = ast.parse(path.read_text())
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in documented:
            continue
        if isinstance(node.value, str):
            yield node.lineno, node.value


def test_nothing_below_the_command_line_knows_what_is_typed() -> None:
    found = []
    for name, path in modules("recovery"):
        if name.startswith(("recovery.cli", "recovery.__main__")):
            continue
        is_worth_parsing = re.search(rf"--[a-z]|{PROGRAM} ", path.read_text())
        for line, text in texts(path) if is_worth_parsing else ():
            options = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)) & OPTIONS
            options -= OF_OTHERS.get(name, set())
            named = set(re.findall(rf"{PROGRAM} ([\w-]+)", text)) & FIRST_WORDS
            found += [f"{name}:{line} {word}" for word in (*options, *named)]
    assert found == []


def test_every_input_can_be_given_to_some_command() -> None:
    assert set(FIELDS) == set(Input)
    known = {action.dest for command in commands(PARSER) for action in command.actions}
    for what, fields in FIELDS.items():
        assert all(set(one.split()) <= known for one in fields), what


def runs() -> Iterator[tuple[str, str, str, tuple[Input, ...]]]:
    """Find each operation that is proposed anywhere, what for, and the inputs named with it."""
    for name, path in modules("recovery"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if "Run(" in text else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Run" and node.args:
                words = ast.literal_eval(node.args[0])
                inputs = re.findall(r"\bInput\.([A-Z_]+)", ast.unparse(node))
                purpose = [one for arg in node.args[1:2] for one in ast.walk(arg)]
                texts = [str(one.value) for one in purpose if isinstance(one, ast.Constant)]
                yield name, words, "".join(texts[:1]), tuple(Input[one] for one in inputs)


RUNS: Final = tuple(runs())


@pytest.mark.parametrize(("module", "words", "purpose", "inputs"), RUNS)
def test_each_operation_that_would_help_can_be_typed(
    module: str, words: str, purpose: str, inputs: tuple[Input, ...]
) -> None:
    assert words in COMMANDS, module
    assert purpose == "" or purpose.startswith("to "), "where does the command end?"
    assert [what for what in inputs if not actions_for(PARSER.command(words), what)] == []
    choices = {one: actions_for(PARSER.command(words), one)[0].choices for one in inputs}
    line = command_line(words, {one: str([*(found or "x")][-1]) for one, found in choices.items()})
    assert complaint(f"type {line} {purpose}".rstrip(), words) is None


def test_more_than_a_few_operations_are_proposed() -> None:
    assert len(RUNS) > 20
