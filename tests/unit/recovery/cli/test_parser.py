"""The grammar: what is understood, and the quick way to understand it."""

import importlib
import shlex

import pytest

from recovery.cli.arguments.shared import COMMON_DEFAULTS
from recovery.cli.parser import build_parser, commands, parse_arguments, understand
from recovery.cli.usage import UsageError
from recovery.errors import ExitCode

LINES = (
    "",
    "--version",
    "auth",
    "auth list",
    "--json auth list --operators",
    "auth --json list",
    "auth list --user user --org org",
    "--reason auth user list",
    "user list --reason 'org list'",
    "auth create-operator --org a --username b --hashed --token-file c --yes",
    "demo",
)
MISTAKES = (
    "frobnicate",
    "auth lst",
    "user list --operators",
    "auth list --frobnicate",
    "--reason auth usr list",
    "auth create-operator --hashed --raw",
    "auth list extra",
    "--log-level loud auth list",
    "auth list --json=1",
    "auth create-operator --org",
)


@pytest.mark.parametrize("line", LINES)
def test_the_quick_way_understands_the_same_as_the_whole_grammar(line: str) -> None:
    argv = shlex.split(line)
    quick, _ = understand(argv)
    assert vars(parse_arguments(argv, build_parser())) == vars(quick)


@pytest.mark.parametrize("line", MISTAKES)
def test_the_quick_way_words_mistakes_as_the_whole_grammar_does(line: str) -> None:
    argv = shlex.split(line)
    with pytest.raises(UsageError) as whole:
        parse_arguments(argv, build_parser())
    with pytest.raises(UsageError) as quick:
        understand(argv)
    assert (str(whole.value), whole.value.hint) == (str(quick.value), quick.value.hint)
    assert quick.value.exit_code is ExitCode.USAGE


def test_the_last_place_of_a_common_option_wins() -> None:
    arguments, _ = understand(["--bolt-path", "a", "auth", "--bolt-path", "b", "list"])
    assert arguments.bolt_path == "b"
    arguments, _ = understand(["--bolt-path", "a", "auth", "list"])
    assert arguments.bolt_path == "a"


def test_every_command_names_a_function_that_exists() -> None:
    for command in commands(build_parser()):
        module, _, function = command.get_default("run").partition(":")
        found = importlib.import_module(f"recovery.cli.commands.{module}")
        assert callable(getattr(found, function))


def test_every_command_has_the_common_options_and_help_for_each_of_its_own() -> None:
    common = {f"--{name.replace('_', '-')}" for name in COMMON_DEFAULTS if name != "run"}
    for command in commands(build_parser()):
        assert common <= set(command.options), command.prog
        for action in command.options.values():
            assert action.help, f"{command.prog} {action.option_strings}"


def test_no_option_takes_a_value_in_one_command_and_none_in_another() -> None:
    """Unknown options are found before argparse reads the line, by one table for all commands."""
    seen: dict[str, bool] = {}
    for command in commands(build_parser()):
        for name, action in command.options.items():
            takes_value = action.nargs != 0
            assert seen.setdefault(name, takes_value) == takes_value, f"{command.prog} {name}"


@pytest.mark.parametrize("secret", ["x" * 88, "$2a$10$" + "y" * 53])
def test_long_words_are_not_repeated(secret: str) -> None:
    for argv in (["auth", secret], ["auth", "list", secret], [secret]):
        with pytest.raises(UsageError) as caught:
            understand(argv)
        assert secret not in str(caught.value) + caught.value.hint


def test_what_is_repeated_is_escaped() -> None:
    with pytest.raises(UsageError) as caught:
        understand(["auth", "li\x1b[31mst"])
    assert str(caught.value).isprintable()
