"""What a program is told when a command does not do its work."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.run_cli import Cli, Ended
from tests.support.stores import MadeStore


def error_of(done: Ended) -> dict[str, Any]:
    """Return the error of the one document on stdout, which says the same as stderr."""
    document = json.loads(done.stdout)
    error: dict[str, Any] = document["error"]
    assert document["version"] == 1
    assert (error["message"], error["hint"]) == (done.error, done.hint)
    assert error["code"] == done.code
    return {**error, "is_changed": document["is_changed"]}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["auth", "lst"], 2),
        (["user", "list", "--bolt-path", "nowhere"], 3),
        (["auth", "show", "0cff2e27ffffffff"], 3),
        (["auth", "delete", "{reader}"], 7),
        (["auth", "set-active", "{reader}", "--yes", "--output", "{path}"], 7),
    ],
)
def test_an_error_is_one_document_too(
    cli: Cli, made: MadeStore, words: Sequence[str], code: int
) -> None:
    typed = [word.format(reader=made.reader, path=made.path) for word in words]
    store = [] if "--bolt-path" in typed else ["--bolt-path", made.path]
    done = cli.run(*typed, *store, "--json")
    assert done.code == code
    assert error_of(done)["is_changed"] is False


def test_damage_is_told_with_what_was_found(cli: Cli, made: MadeStore) -> None:
    content = bytearray(made.path.read_bytes())
    content[4096 * 4 :] = bytes(len(content) - 4096 * 4)
    made.path.write_bytes(content)
    done = cli.run_here(
        *("auth", "set-inactive", made.reader, "--yes", "--json", "--bolt-path", made.path)
    )
    error = error_of(done)
    assert (done.code, error["is_changed"]) == (5, False)
    assert error["findings"]


def test_a_program_is_told_in_which_file_the_token_is(cli: Cli, made: MadeStore) -> None:
    done = cli.run_here(
        *("auth", "create-operator", "--org", "acme", "--username", "alice", "--yes", "--json"),
        *("--bolt-path", made.path, "--token-file", cli.home / "token"),
    )
    document = json.loads(done.stdout)
    assert (document["is_changed"], document["is_dry_run"]) == (True, False)
    assert document["token_path"] == str(cli.home / "token")
    assert (cli.home / "token").exists()


def test_nothing_but_a_token_is_on_stdout_where_one_is_expected(cli: Cli, made: MadeStore) -> None:
    done = cli.run_here(
        *("auth", "create-operator", "--org", "nowhere", "--username", "alice", "--yes"),
        *("--bolt-path", made.path, "--token-stdout", "--json"),
    )
    assert (done.code, done.stdout) == (2, "")


def test_paths_are_absolute(cli: Cli, made: MadeStore) -> None:
    (cli.home / "influxd.bolt").write_bytes(made.path.read_bytes())
    plain = json.loads(cli.run("user", "list", "--json", "--bolt-path", "influxd.bolt").stdout)
    exported = cli.run("auth", "export", "tokens", "--json", "--bolt-path", "influxd.bolt")
    changed = cli.run(
        *("auth", "set-inactive", made.reader, "--yes", "--json", "--bolt-path", "influxd.bolt"),
        *("--output", "new.bolt"),
    )
    assert plain["store"]["path"] == str(cli.home / "influxd.bolt")
    assert json.loads(exported.stdout)["target_path"] == str(cli.home / "tokens")
    assert json.loads(changed.stdout)["target_path"] == str(cli.home / "new.bolt")


def test_the_schema_is_printed_as_it_is_in_the_package(cli: Cli) -> None:
    done = cli.run_here("schema")
    assert done.code == 0
    assert "auth list" in json.loads(done.stdout)["commands"]
