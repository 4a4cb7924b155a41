"""What can be typed, and what is said when it is mistyped, by the real program."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from recovery import __version__
from recovery.cli.parser import command_parser
from recovery.cli.vocabulary import COMMANDS
from recovery.errors import ExitCode
from tests.support.run_cli import PROJECT, Cli
from tests.support.stores import make_store


def test_version_is_printed_and_stands_in_one_place_only(cli: Cli) -> None:
    done = cli.run("--version")
    assert (0, f"influx-recovery {__version__}\n", "") == (done.code, done.stdout, done.stderr)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["dynamic"] == ["version"]
    assert "version" not in project


def test_no_command_gives_short_help_on_stderr_and_2(cli: Cli) -> None:
    done = cli.run()
    assert (done.code, done.stdout) == (2, "")
    assert "influx-recovery auth create-operator" in done.stderr


def test_a_noun_alone_gives_its_help_on_stderr_and_2(cli: Cli) -> None:
    done = cli.run("auth")
    assert (done.code, done.stdout) == (2, "")
    assert "create-operator" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["auth", "--help"], ["auth", "list", "--help"]])
def test_help_is_a_result(cli: Cli, words: list[str]) -> None:
    done = cli.run(*words)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: influx-recovery")


def test_help_says_what_a_command_alone_has_then_an_example_and_the_way_to_the_rest(
    cli: Cli,
) -> None:
    done = cli.run_here("auth", "create", "--help")
    places = [done.stdout.index(f"\n{word}") for word in ("permissions:", "example:", "common ")]
    assert places == sorted(places)
    assert "--ledger" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("common options: --bolt-path FILE")


@pytest.mark.parametrize(
    "typed",
    [
        *("auth create --help all", "auth create -h all", "help auth create all"),
        *("auth create --help-all", "token create --help all"),
    ],
)
def test_help_all_explains_the_common_options_too(cli: Cli, typed: str) -> None:
    done = cli.run_here(*typed.split())
    assert done.stdout.startswith("usage: influx-recovery auth create [options]\n")
    assert "\ncommon options:\n  --bolt-path FILE " in done.stdout


@pytest.mark.parametrize("typed", ["help all", "--help all"])
def test_help_all_alone_lists_every_command(cli: Cli, typed: str) -> None:
    lines = cli.run_here(*typed.split()).stdout.splitlines()
    listed = [
        line.strip().split("  ")[0]
        for line in lines[lines.index("every command:") + 1 :]
        if not line.startswith("   ")
    ]
    assert listed == list(COMMANDS)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        ("org rename", "org rename --new-name NAME [options]"),
        ("user rename", "user rename (--username NAME | --id ID) --new-name NAME [options]"),
        ("auth hash", "auth hash (ID | --all) [options]"),
        ("auth undelete", "auth undelete [ID ...] [options]"),
        ("serve", "serve [COMMAND ...] [options]"),
        ("user undelete", "user undelete [options]"),
        ("auth set-active", "auth set-active ID [ID ...] [options]"),
        ("store diff", "store diff A B [options]"),
        ("auth show", "auth show ID [options]"),
        ("auth delete", "auth delete (ID [ID ...] | --all-but ID [ID ...]) [options]"),
        ("auth", "auth COMMAND ... [options]"),
    ],
)
def test_what_is_required_is_not_in_brackets(cli: Cli, words: str, usage: str) -> None:
    done = cli.run_here(*words.split(), "--help")
    shown = " ".join(done.stdout.partition("\n\n")[0].split())
    assert shown == f"usage: influx-recovery {usage}"


@pytest.mark.parametrize("words", COMMANDS)
def test_help_says_required_of_what_the_usage_shows_without_brackets(words: str) -> None:
    command = command_parser(words)
    usage = (
        command.format_help()
        .partition("\n\n")[0]
        .replace("ID [ID ...]", "ID")
        .replace(" ...]", "]")
    )
    for action in command.actions:
        name = (action.option_strings or [f"[{action.metavar}"])[0]
        is_shown = name in re.split(r"[\s()]", usage)
        is_said = "required)" in (action.help or "")
        assert is_said == (is_shown if action.option_strings else f"{name}]" not in usage), name


@pytest.mark.parametrize(
    "words",
    [
        ["auth", "list", "--id"], ["auth", "show"], ["user", "show", "--id"], ["user", "show"],
        ["user", "list", "--id"], ["org", "list", "--id"], ["bucket", "list", "--id"],
        ["v1-auth", "list", "--id"], ["org", "delete", "--org"], ["auth", "delete", "--all-but"],
        ["bucket", "list", "--org"], ["bucket", "list", "--org-id"],
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("typed", "slip"),
    [
        ("08371db1dd8c80", "it has 14 digits, and an ID has 16"),
        ("08371db1dd8c8o00", "o is no hex digit (0-9, a-f)"),
    ],
)
def test_what_is_wrong_with_an_id_is_said_the_same_everywhere(
    cli: Cli, tmp_path: Path, words: list[str], typed: str, slip: str
) -> None:
    sample = make_store(tmp_path / "influxd.bolt", level=21).path
    done = cli.run_here(*words, typed, "--bolt-path", sample)
    assert done.code in {2, 3}
    assert f"is no ID: {slip}" in done.error


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["auht", "list"], "influx-recovery auth list"),
        (["auth", "create-oprator"], "influx-recovery auth create-operator"),
        (["users", "lst"], "influx-recovery user list"),
        (
            ["--bolt-path", "x", "auth", "lsit", "--oeprators"],
            "influx-recovery auth list",
        ),
        (["create-operator"], "influx-recovery auth create-operator"),
        (["auth", "list", "--bolt_path", "x"], "--bolt-path"),
        (["auth", "list", "-bolt-path", "x"], "--bolt-path"),
        (["auth", "list", "\N{EN DASH}bolt-path", "x"], "--bolt-path"),
        (["user", "list", "--operators"], "influx-recovery auth list"),
    ],
)
def test_a_slip_is_answered_with_what_was_probably_meant(
    cli: Cli, words: list[str], meant: str
) -> None:
    done = cli.run(*words)
    assert (done.code, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 2
    assert done.error.endswith("; nothing was done")
    assert meant in done.hint


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_common_option_may_stand_before_within_and_after_the_command(
    cli: Cli, level21_bolt: Path, place: int
) -> None:
    words: list[object] = ["user", "list"]
    words[place:place] = ["--json", "--bolt-path", level21_bolt]
    done = cli.run(*words)
    assert done.code == 0
    assert json.loads(done.stdout)["users"][0]["name"] == "testuser"


@pytest.mark.parametrize(
    "words",
    [
        "auth export",
        "auth create-operator --yes --output",
        "auth rotate --all --yes --token-file",
        "store compact",
        "store export",
        "store report",
        "store salvage",
        "store backup",
        "serve --key-file",
        "setup --username a --org b --bucket c --no-password --no-token --bolt-path",
        "auth list --ledger",
    ],
)
@pytest.mark.parametrize("glue", [" ", "="])
def test_no_file_is_made_that_is_called_like_a_stream(cli: Cli, words: str, glue: str) -> None:
    typed = f"{words}{glue if '--' in words.rsplit(maxsplit=1)[-1] else ' '}-".split()
    done = cli.run(*typed, own_ledger="--ledger" not in words)
    assert done.code == ExitCode.USAGE
    assert done.hint.startswith("name a file; ./- is") or "a value is missing" in done.error
    assert not (cli.home / "-").exists()


def test_options_that_clash_are_refused_before_anything_is_read(cli: Cli) -> None:
    done = cli.run("auth", "create-operator", "--json", "--token-stdout", "--yes")
    assert done.code == 2
    assert "--token-file" in done.hint


def test_a_pasted_secret_in_the_wrong_place_is_not_repeated(cli: Cli) -> None:
    done = cli.run("auth", "list", "A9Ovdl8SmP-" * 8)
    assert done.code == 2
    assert "A9Ovdl8SmP" not in done.stderr
    assert "88 characters" in done.error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("hunterhunter", "unknown command, a word of 12 characters"),
        ("auth show hunterhunter", "a word of 12 characters is no ID"),
        ("auth delete --id hunterhunter", "a word of 12 characters is no ID"),
        ("auth delete --all-but hunterhunter", "a word of 12 characters is no ID"),
        ("auth delete one hunterhunter", "'one' and a word of 12 characters are no IDs"),
        ("auth show 0cff2e2708da000", "'0cff2e2708da000' is no ID: it has 15 digits"),
        ("auth show 0cff2e2708daOOO3", "'0cff2e2708daOOO3' is no ID: O is no hex digit (0-9"),
        ("auth show 0xcff2e2708da00w3", "'0xcff2e2708da00w3' is no ID: x and w are no hex digits"),
        ("auth delete 0000000000000000", "is no ID: it has nothing but zeros"),
        (
            "user show --id 08371db1dd8cBOOO",
            "there is no user 08371db1dd8cBOOO, and that is no ID: O is no hex digit",
        ),
        ("auth list --limit hunter2hunter", "expected a whole number, found a word of 13"),
        ("auth list --sort hunterhunter", "--sort a word of 12 characters: expected one of"),
        ("auth list --sort craeted", "--sort 'craeted': expected one of"),
        ("bucket create a --retention hunter2hunter", "--retention a word of 13 characters is"),
        ("store rebuild x --engine-path . --name hunter2hunter", "--name a word of 13 characters"),
        ("store rebuild x --engine-path . --leave-out hunter2hunter", "a word of 13 characters"),
        ("ledger show hunter2hunter", "a word of 13 characters is no number"),
        ("store repair --only hunter2hunter", "--only a word of 13 characters: there is no"),
        ("completion hunter2hunter", "there is nothing for a word of 13 characters"),
        (f"auth import {'hunter' * 14}22==", "(88 characters) cannot be read"),
        (f"auth undelete --from ./{'hunter' * 14}22==", "(88 characters) does not exist"),
        ("auth hunterhunter", "a word of 12 characters"),
        ("user lists", "'lists'"),
        ("create-oprator", "'create-oprator'"),
        ("auth delete hunter2hunter", "a word of 13 characters"),
        ("user update --id hunterhunter", "there is no user that --id names (there"),
        ("user show --id=hunterhunter", "there is no user that --id names (there"),
        (
            "org update --id hunterhunter --name x",
            "there is no organization that --id names (there",
        ),
        ("bucket list --id hunterhunter", "--id"),
        ("auth list --id hunterhunter", "--id"),
        ("org list --id hunterhunter", "--id"),
        ("user list --id hunterhunter", "--id"),
        ("user create --username a --id hunterhunter", "the value of --id is no ID"),
        ("bucket create a --org b --id hunterhunter", "the value of --id is no ID"),
        ("auth create --org-id hunterhunter --all-access", "the value of --org-id is no ID"),
        ("store rebuild x --engine-path . --org-id hunterhunter", "the value of --org-id is no ID"),
    ],
)
def test_a_word_that_may_be_a_password_is_repeated_only_where_it_is_like_one_of_ours(
    cli: Cli, level17_bolt: Path, words: str, said: str
) -> None:
    done = cli.run(*words.split(), "--bolt-path", level17_bolt)
    assert said in done.error
    assert "hunter" not in done.stderr


def test_the_words_of_influxd_recovery_are_understood(cli: Cli, level17_bolt: Path) -> None:
    for words in (["auth", "list"], ["user", "list"], ["org", "list"]):
        assert cli.run(*words, "--bolt-path", level17_bolt).code == 0
    done = cli.run(
        "auth", "create-operator", "--org", "myorg", "--username", "testuser", "--yes",
        "--token-stdout", "--bolt-path", level17_bolt,
    )  # fmt: skip
    assert (done.code, len(done.stdout)) == (0, 89)


def test_a_stderr_that_takes_nothing_leaves_the_exit_code_as_it_is(cli: Cli) -> None:
    """Python itself would make it 120."""
    line = shlex.join(cli.command("auth", "show", "none"))
    done = subprocess.run(
        ["sh", "-c", f"exec {line} 2>/dev/full"], env=cli.environ(), check=False, cwd=cli.home
    )
    assert done.returncode == 2


def test_a_file_with_a_slash_behind_it_is_named_without_it(cli: Cli, level21_bolt: Path) -> None:
    done = cli.run("auth", "list", "--bolt-path", f"{level21_bolt}/")
    assert (done.code, "leave out the / at its end" in done.hint) == (2, True)


def test_a_password_that_is_like_an_id_is_not_repeated_either(cli: Cli, tmp_path: Path) -> None:
    store = make_store(tmp_path / "influxd.bolt", level=21)
    done = cli.run_here("user", "password", "cafe1234beefzz12", "--bolt-path", store.path)
    assert done.error.startswith("there is no user of that name (there are: alice, bob)")
    assert "zz" not in done.stderr
    assert "z is no" not in done.stderr
