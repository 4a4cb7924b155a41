"""Known secrets are planted, every command is run, and none of them shows anywhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.cli.vocabulary import COMMANDS
from recovery.model.password import hash_password
from recovery.model.token import hash_token, new_token
from recovery.secret import Secret
from tests.support.backup_folder import write_backup_folder
from tests.support.canaries import forms, leaks
from tests.support.engine_files import write_engine
from tests.support.every_command import EVERY_COMMAND, command_lines
from tests.support.oracle import Oracle, Script
from tests.support.run_cli import PROJECT, Cli, Ended
from tests.support.stores import (
    HASHED_TOKEN,
    LEGACY_PASSWORD,
    OLD_OPERATOR_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    SeededRng,
    edit,
    make_store,
)

PASSWORD = "canary-password-of-alice-98765"
PASTED = new_token(SeededRng()).reveal()
"""A token of the server's own form, put where a person gives a reason."""
TOKENS = (OPERATOR_TOKEN, OLD_OPERATOR_TOKEN, READER_TOKEN, HASHED_TOKEN)


class Planted:
    """A store full of secrets, and what must not show of it."""

    def __init__(self, folder: Path) -> None:
        self.made = make_store(folder / "influxd.bolt", level=21)
        hashed = hash_password(Secret(PASSWORD))
        edit(self.made.path, lambda tx: tx.passwords.put(self.made.alice, hashed))
        with_hashes = [hash_token(Secret(token)).reveal() for token in TOKENS]
        self.secrets = [*TOKENS, PASTED, PASSWORD, LEGACY_PASSWORD, hashed.reveal(), *with_hashes]

    def assert_hidden(self, cli: Cli, done: Ended, words: list[str]) -> None:
        """Check all that the command has left: its output, the ledger, names and other files."""
        what = f"{words}\n{done.stdout}{done.stderr}"
        places = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
        for path in (*cli.home.rglob("*"), *self.made.path.parent.iterdir()):
            places[f"name of {path.name}"] = str(path).encode()
            is_asked_for = path.name in {"token", "operator", "password", "tokens.jsonl"}
            is_store = path.suffix in {".bolt", ".backup"}
            if path.is_file() and not is_asked_for and not is_store:
                places[path.name] = path.read_bytes()
        for place, content in places.items():
            assert leaks(self.secrets, content) == [], f"{place} of {what}"
            assert b"canary" not in content, f"{place} of {what}"


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    """A fresh store with secrets in it."""
    folder = tmp_path / "store"
    folder.mkdir()
    return Planted(folder)


def test_every_command_has_a_line_here() -> None:
    assert set(COMMANDS) == set(EVERY_COMMAND)


@pytest.mark.parametrize("words", sorted(EVERY_COMMAND))
@pytest.mark.parametrize(
    "manner", [["--log-format", "console"], ["--log-format", "json", "--json"]]
)
def test_no_secret_shows_where_it_was_not_asked_for(
    cli: Cli, planted: Planted, words: str, manner: list[str]
) -> None:
    (cli.home / "operator").write_text(f"{OPERATOR_TOKEN}\n")
    write_engine(cli.home / "engine")
    write_backup_folder(cli.home / "backup", planted.made.path)
    (cli.home / "password").write_text(f"{PASSWORD}\n")
    if words in {"completion", "demo"}:  # no documents, see test_schema
        manner = [word for word in manner if word != "--json"]
    for line in command_lines(planted.made, cli.home)[words]:
        full = [*line, *manner, "--log-level", "debug", "--reason", f"why {PASTED}"]
        done = cli.run_here(*full, own_ledger=words != "demo")
        assert done.code == 0, done.stderr
        for new in read_tokens(cli.home / "token"):
            planted.secrets += [new, hash_token(Secret(new)).reveal()]
        planted.assert_hidden(cli, done, full)


def read_tokens(path: Path) -> list[str]:
    """Read a token file, if the command made one: a token, or a list with the columns of rotate."""
    lines = path.read_text().splitlines() if path.exists() else []
    if lines[:1] == ["id,description,token"]:
        return [line.rsplit(",", 1)[1] for line in lines[1:]]
    return lines


def test_no_secret_shows_in_a_refusal(cli: Cli, planted: Planted, oracle: Oracle) -> None:
    path = planted.made.path
    broken = json.dumps({"id": "0000000000001001", "token": READER_TOKEN})[:-2].encode()
    oracle.apply(path, Script().put((b"authorizationsv1",), b"0000000000001001", broken))
    for words in refused_lines(planted.made, cli.home):
        done = cli.run_here(*words, "--bolt-path", str(path), "--log-level", "debug")
        assert done.code not in {0, 70}, done.stderr
        planted.assert_hidden(cli, done, words)


def refused_lines(made: MadeStore, home: Path) -> Iterator[list[str]]:
    """Give command lines that are refused, some with a secret in the wrong place."""
    create = ["auth", "create-operator", "--yes"]
    yield ["auth", "list"]
    yield ["auth", "list", "--json"]
    yield ["auth", "list", OPERATOR_TOKEN * 2]
    yield [*create, "--token-stdout", "--username", "nobody"]
    yield [*create, "--token-stdout", "--org", "nowhere"]
    yield [*create, "--token-file", str(home / "nowhere" / "token")]
    yield [*create, "--token-file", str(made.path)]
    yield [*create, "--token-stdout", "--output", str(made.path)]
    yield ["auth", "verify", PASSWORD]
    yield ["v1-auth", "set-password", "reader", PASSWORD]
    for verb in ("create", "update", "verify-password"):
        yield ["user", verb, "alice", PASSWORD]
        yield ["user", verb, "--username", "alice", PASSWORD]


def test_the_sensor_finds_what_it_should() -> None:
    """A test that cannot fail is worth nothing."""
    for form in forms(OPERATOR_TOKEN):
        assert leaks([OPERATOR_TOKEN], b"before " + form + b" after")
    assert leaks([OPERATOR_TOKEN], b"... " + OPERATOR_TOKEN[5:23].encode())
    assert leaks([OPERATOR_TOKEN], b"nothing here") == []


def test_no_secret_of_the_tests_is_in_the_manual() -> None:
    pages = b"".join(page.read_bytes() for page in (PROJECT / "man").glob("*.[78]"))
    assert leaks([*TOKENS, PASSWORD], pages) == []
