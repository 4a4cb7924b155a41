"""The grammar: what is understood, and the quick way to understand it."""

import argparse
import contextlib
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

import recovery.cli.commands
from recovery.cli.options import Command, Options
from recovery.cli.parser import build_parser, commands, parse_arguments, understand
from recovery.cli.pasted import explained
from recovery.cli.plain import COMMON_DEFAULTS, plainly_typed
from recovery.cli.usage import UsageError
from recovery.cli.vocabulary import COMMANDS, NOUNS, load
from recovery.cli.words import is_required
from recovery.errors import ExitCode
from tests.support.hints import whole_parser
from tests.support.source import PROJECT

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
    assert vars(parse_arguments(argv, whole_parser())) == vars(quick)


@pytest.mark.parametrize("line", MISTAKES)
def test_the_quick_way_words_mistakes_as_the_whole_grammar_does(line: str) -> None:
    argv = shlex.split(line)
    with pytest.raises(UsageError) as whole:
        parse_arguments(argv, whole_parser())
    with pytest.raises(UsageError) as quick:
        understand(argv)
    assert (str(whole.value), whole.value.hint) == (str(quick.value), quick.value.hint)
    assert quick.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("words", COMMANDS)
def test_what_is_plain_is_understood_as_argparse_does(words: str) -> None:
    """Each option alone and all together, with values of every kind; None is never wrong."""
    options = build_parser(only=words).command(words).options
    lines: list[list[str]] = [[]]
    for name, action in options.items():
        if action.nargs == 0:
            lines += [[name], [f"{name}=x"]]
            continue
        for value in (value_of(action), "x", "", "-", "-1", "--json", "~/x", "x/", " 7", "help"):
            lines += [[name, value], [f"{name}={value}"]]
        lines.append([name])
    everything = [word for line in lines[1::2] for word in line if words == "user list"]
    for line in [*lines, everything]:
        argv = [*words.split(), *line]
        plain = plainly_typed(argv)
        if plain is not None:
            assert plain == vars(understand(argv)[0]), argv


def test_a_listing_as_it_is_mostly_typed_is_plain() -> None:
    for line in ("user list", "auth list --bolt-path=x --json", "org list --bolt-path x --limit 3"):
        assert plainly_typed(line.split()) is not None
    for line in (*MISTAKES, "auth list --help", "auth list --version", "auth ls", "help"):
        assert plainly_typed(shlex.split(line)) is None


@pytest.mark.parametrize(
    ("line", "is_refused"),
    [
        ("--bolt-path a auth --bolt-path b list", True),
        ("auth list --bolt-path a --bolt-path=b", True),
        ("--bolt-path a auth list --bolt-path=a", False),
        ("auth create-operator --username a --username b --dry-run", True),
        ("auth create-operator --username a -u b --dry-run", True),
        ("auth create -o a -o b --all-access", True),
        ("user update --username a --password secret1 --password secret2", True),
        ("auth list --limit 2 --limit 2", False),
        ("auth list --limit 2 --limit 3", True),
        ("auth list --limit 0 --limit 3", True),
        ("auth create --org a --read-bucket a --read-bucket b", False),
        ("auth delete --all-but 1 --all-but 2", False),
        ("store rebuild new --engine-path e --names a --names b", False),
    ],
)
def test_what_has_one_value_is_not_given_two(line: str, *, is_refused: bool) -> None:
    with pytest.raises(UsageError) if is_refused else contextlib.nullcontext() as refused:
        understand(line.split())
    assert plainly_typed(line.split()) is None or not is_refused
    if refused is not None:
        assert "secret" not in f"{refused.value}{refused.value.hint}"


def test_every_command_is_told_its_options_as_argparse_finds_them() -> None:
    """Each field is an option and each option a field, of the type that it is said to have."""
    common = {*COMMON_DEFAULTS, "words", "command"}
    for words in COMMANDS:
        argv = complete(words)
        arguments, parser = understand(argv)
        options = load(words).options
        found = msgspec.convert(vars(arguments), options)
        assert isinstance(found, Options)
        own = set(vars(arguments)) - common
        assert own == set(options.__struct_fields__) - set(Options.__struct_fields__), words
        for action in parser.command(words).options.values():
            if action.nargs == 0:
                continue
            value = value_of(action)
            more, _ = understand([*argv, action.option_strings[0], value])
            msgspec.convert(vars(more), options)


def complete(words: str) -> list[str]:
    """Type a command with all that it cannot do without."""
    argv = words.split()
    if words == "auth hash":
        argv.append("x")  # or --all
    if load(words).needs_path:
        argv += ["--bolt-path", "x"]
    for action in build_parser(only=words).command(words).actions:
        if is_required(action) and action.nargs != "*":
            argv += [*action.option_strings[:1], value_of(action)]
    return argv


def value_of(action: argparse.Action) -> str:
    """Something that an option takes."""
    return "1" if action.type is int else str(next(iter(action.choices or ["x"])))


def test_every_module_of_commands_is_in_the_table_and_named_as_its_words() -> None:
    folder = Path(recovery.cli.commands.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules == {entry.module for entry in COMMANDS.values()}
    constants = {
        (module, name)
        for module in modules
        for name, value in vars(import_module(f"recovery.cli.commands.{module}")).items()
        if isinstance(value, Command)
    }
    named = {(entry.module, name_of(words)) for words, entry in COMMANDS.items()}
    assert constants == named
    for words, entry in COMMANDS.items():
        assert entry.module.startswith(words.split()[0].replace("-", "_")), words
    assert set(NOUNS) == {words.split()[0] for words in COMMANDS if " " in words}


def name_of(words: str) -> str:
    return words.rsplit(maxsplit=1)[-1].replace("-", "_").upper()


@pytest.mark.parametrize("words", ["user list", "auth create-operator", "store check"])
def test_only_the_command_that_is_typed_is_imported(words: str) -> None:
    report = (
        "import sys; from recovery.cli.parser import understand; understand(sys.argv[1:]);"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", report, *words.split()],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    start = "recovery.cli.commands."
    found = {name for name in done.stdout.split() if name.startswith(start)}
    assert found == {start + COMMANDS[words].module}


def test_help_of_a_noun_lists_its_commands_and_imports_none() -> None:
    for argv in (["auth"], ["--reason", "user", "auth"]):
        _, parser = understand(argv)
        text = parser.children["auth"].format_help()
        assert "\ncommands:\n  list  " in text, "nothing stands between"
        verbs = [words.split()[1] for words in COMMANDS if words.startswith("auth ")]
        assert [verb for verb in verbs if f"\n  {verb} " not in text] == []


def test_every_command_has_the_common_options_and_help_for_each_of_its_own() -> None:
    common = {f"--{name.replace('_', '-')}" for name in COMMON_DEFAULTS}
    for command in commands(whole_parser()):
        assert common <= set(command.options), command.prog
        for action in command.options.values():
            assert action.help, f"{command.prog} {action.option_strings}"


def test_no_option_takes_a_value_in_one_command_and_none_in_another() -> None:
    """Unknown options are found before argparse reads the line, by one table for all commands."""
    seen: dict[str, bool] = {}
    for command in commands(whole_parser()):
        for name, action in command.options.items():
            takes_value = action.nargs != 0
            assert seen.setdefault(name, takes_value) == takes_value, f"{command.prog} {name}"


@pytest.mark.parametrize("secret", ["x" * 88, "$2a$10$" + "y" * 53])
def test_long_words_are_not_repeated(secret: str) -> None:
    for argv in (["auth", secret], ["auth", "list", secret], [secret]):
        with pytest.raises(UsageError) as caught:
            understand(argv)
        assert secret not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    "line",
    [
        *("hunter22x", "--password hunter22x user updat", "auth list hunter22x", "auth hunter22x"),
        *("user update -u a -phunter22x", "user update -u a hunter22x", "auth lst hunter22x"),
        *("create user a with password hunter22x", "user chpass hunter22x", "passwort hunter22x"),
        *("PASSWORD=hunter22x auth list", "auth create --pas hunter22x", "alter user a hunter22x"),
    ],
)
def test_what_may_be_a_password_is_not_repeated(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        understand(line.split())
    error = explained(line.split(), caught.value)
    assert "hunter22x" not in f"{caught.value}{caught.value.hint}{error}{error.hint}"


def test_what_is_repeated_is_escaped() -> None:
    with pytest.raises(UsageError) as caught:
        understand(["auth", "li\x1b[31mst"])
    assert str(caught.value).isprintable()
