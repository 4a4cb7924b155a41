"""Export and import, as a person runs them."""

import json
import stat
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from tests.support.invariants import assert_invariants
from tests.support.run_cli import Cli
from tests.support.stores import HASHED_TOKEN, OPERATOR_TOKEN, READER_TOKEN, MadeStore, make_store


@pytest.fixture
def store(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


@pytest.mark.parametrize(
    ("named", "shell"),
    [
        (None, None),
        ("-", 'exec "$@" <"$0"'),
        ("/dev/stdin", 'cat "$0" | "$@"'),  # a pipe, which cannot be read twice
    ],
    ids=["file", "stdin", "pipe"],
)
def test_a_deleted_token_comes_back_from_an_export(
    cli: Cli, store: MadeStore, named: str | None, shell: str | None
) -> None:
    place = cli.home / "tokens.jsonl"
    bolt = ("--bolt-path", store.path)
    done = cli.run("auth", "export", place, "--user", "bob", "--with-tokens", *bolt)
    assert done.code == 0
    assert "2 authorizations" in done.stdout
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    for one in (store.reader, store.hashed):
        assert cli.run("auth", "delete", one, "--yes", *bolt).code == 0
    done = cli.run(
        "auth",
        "import",
        named or place,
        "--yes",
        "--json",
        *bolt,
        prefix=() if shell is None else ["sh", "-c", shell, str(place)],
    )
    assert (done.code, json.loads(done.stdout)["record_ids"]) == (0, [store.reader, store.hashed])
    for token in (READER_TOKEN, HASHED_TOKEN):
        secret = cli.home / "secret"
        secret.write_text(token)
        assert cli.run("auth", "verify", "--token-file", secret, *bolt).code == 0
        assert token not in done.stdout + done.stderr
    assert_invariants(store.path)


def test_conflicts_are_listed_and_nothing_is_changed(cli: Cli, store: MadeStore) -> None:
    place = cli.home / "tokens.jsonl"
    bolt = ("--bolt-path", store.path)
    cli.run("auth", "export", place, "--with-tokens", *bolt)
    content = store.path.read_bytes()
    done = cli.run("auth", "import", place, "--yes", *bolt)
    assert done.code == ExitCode.REFUSED
    assert "4 of 4 authorizations cannot be imported" in done.error
    cause = "its ID is that of another authorization, or of the same with other rights"
    assert done.error.count(cause) == 1
    assert "lines 1, 2, 3, 4: its ID" in done.error
    assert content == store.path.read_bytes()
    done = cli.run("auth", "import", place, "--yes", "--ensure", "--json", *bolt)
    assert (done.code, json.loads(done.stdout)["is_changed"]) == (0, False)


def test_only_an_export_with_tokens_is_recorded_and_its_secrets_are_nowhere_else(
    cli: Cli, store: MadeStore
) -> None:
    bolt = ("--bolt-path", store.path)
    done = cli.run("auth", "export", cli.home / "plain", *bolt)
    assert done.code == 0
    assert not cli.ledger.exists()
    assert OPERATOR_TOKEN not in (cli.home / "plain").read_text()
    done = cli.run("auth", "export", cli.home / "secret", "--with-tokens", "--json", *bolt)
    assert json.loads(done.stdout)["has_tokens"] is True
    ledger = cli.ledger.read_bytes()
    assert b"auth export --with-tokens" in ledger
    assert OPERATOR_TOKEN.encode() not in ledger + done.stdout.encode() + done.stderr.encode()
    assert OPERATOR_TOKEN in (cli.home / "secret").read_text()


def test_an_export_never_overwrites(cli: Cli, store: MadeStore) -> None:
    place = cli.home / "mine"
    place.write_text("precious")
    done = cli.run("auth", "export", place, "--bolt-path", store.path)
    assert (done.code, place.read_text()) == (ExitCode.REFUSED, "precious")


def test_an_import_of_nothing_says_what_to_name(cli: Cli, store: MadeStore) -> None:
    done = cli.run("auth", "import", "/nowhere/x", "--yes", "--bolt-path", store.path)
    assert done.code == ExitCode.REFUSED
    assert "auth export" in done.hint


def test_an_export_that_does_not_fit_leaves_nothing(cli: Cli, store: MadeStore) -> None:
    place = cli.home / "tokens.jsonl"
    done = cli.run(
        *("auth", "export", place, "--bolt-path", store.path),
        prefix=["prlimit", "--fsize=1000", "--"],
        environ={"PYTHONDONTWRITEBYTECODE": "1"},  # Python 3.11 would leave cut ones behind
    )
    assert done.code == ExitCode.WRITE_FAILED
    assert "nothing was changed" in done.error
    assert not place.exists()
