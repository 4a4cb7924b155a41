"""The commands on 1.x-compatible authorizations, as a person runs them."""

import json
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from tests.support.invariants import assert_invariants
from tests.support.run_cli import Cli, Ended
from tests.support.stores import LEGACY_PASSWORD, MadeStore, make_store

NEW_PASSWORD = "canary-new-password"


@pytest.fixture
def store(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


def v1_auth(cli: Cli, store: MadeStore, verb: str, *words: object) -> Ended:
    return cli.run("v1-auth", verb, "--bolt-path", store.path, *words)


def test_list_shows_the_user_name_and_no_hash(cli: Cli, store: MadeStore) -> None:
    done = v1_auth(cli, store, "list")
    assert done.code == 0
    assert "grafana" in done.stdout
    assert "1 InfluxDB 1.x authorization." in done.stderr
    assert "$2a$" not in done.stdout
    done = v1_auth(cli, store, "list", "--json")
    (row,) = json.loads(done.stdout)["legacy_authorizations"]
    assert (row["id"], row["username"], row["has_password"]) == (store.legacy, "grafana", True)


def test_a_password_comes_from_a_file_and_shows_nowhere(cli: Cli, store: MadeStore) -> None:
    place = cli.home / "password"
    place.write_text(f"{NEW_PASSWORD}\n")
    words = ("grafana", "--password-file", place, "--yes")
    done = v1_auth(cli, store, "set-password", *words, "--log-level", "debug")
    assert done.code == 0
    said = (done.stdout + done.stderr).encode() + cli.ledger.read_bytes()
    assert [p for p in (NEW_PASSWORD, LEGACY_PASSWORD, "$2a$") if p.encode() in said] == []
    done = v1_auth(cli, store, "set-password", *words, "--ensure", "--json")
    assert (done.code, json.loads(done.stdout)["is_changed"]) == (0, False)
    typed = ("grafana", "--password", NEW_PASSWORD, "--yes", "--ensure", "--json")
    done = v1_auth(cli, store, "set-password", *typed)
    assert (done.code, json.loads(done.stdout)["is_changed"]) == (0, False)
    assert "can be seen by everybody" in done.stderr
    assert_invariants(store.path)


@pytest.mark.pty
@pytest.mark.parametrize(
    ("again", "code"), [(NEW_PASSWORD, 0), ("something else", ExitCode.REFUSED)]
)
def test_a_password_is_typed_twice_and_does_not_show(
    cli: Cli, store: MadeStore, again: str, code: int
) -> None:
    words = ("v1-auth", "set-password", "grafana", "--yes", "--bolt-path", store.path)
    with cli.at_terminal(*words) as terminal:
        for attempt in range(1 if again == NEW_PASSWORD else 3):
            terminal.wait_for("New password: ")
            terminal.type(f"{NEW_PASSWORD}\n")
            terminal.wait_for("again: ")
            assert NEW_PASSWORD not in terminal.text, attempt
            terminal.text = ""
            terminal.type(f"{again}\n")
        done = terminal.end()
    assert done.code == code
    assert NEW_PASSWORD not in done.stdout


def test_status_and_deletion_by_name(cli: Cli, store: MadeStore) -> None:
    for verb in ("set-inactive", "set-active", "delete"):
        assert v1_auth(cli, store, verb, "grafana", "--yes").code == 0
        assert_invariants(store.path)
    done = v1_auth(cli, store, "delete", "grafana", "--yes")
    assert done.code == ExitCode.NOT_FOUND
    done = v1_auth(cli, store, "delete", "grafana", "--yes", "--ensure", "--json")
    assert (done.code, json.loads(done.stdout)["is_changed"]) == (0, False)


def test_an_unknown_name_is_answered_with_those_that_exist(cli: Cli, store: MadeStore) -> None:
    done = v1_auth(cli, store, "set-active", "nobody", "--yes")
    assert done.code == ExitCode.NOT_FOUND
    assert f"{store.legacy} grafana" in done.error


def test_the_user_that_is_missing_is_named_by_another_option_than_the_user_name(
    cli: Cli, store: MadeStore
) -> None:
    typed = ("v1", "auth", "create", "--username", "pump", "--read-bucket", store.bucket)
    words = (*typed, "--org", "acme", "--no-password", "--dry-run", "--bolt-path", store.path)
    done = cli.run(*words)
    assert (done.code, "--user NAME" in done.hint) == (ExitCode.REFUSED, True)
    assert cli.run(*words, "--user", "alice").code == 0
