"""What real servers wrote is read, minted in and verified."""

import json
from pathlib import Path

import pytest

import bolt_store
from tests.support.real_stores import REAL_STORES, unpack_real_store
from tests.support.run_cli import Cli

NEVER_SET_UP = {name for name in REAL_STORES if name.endswith("-fresh")}


ORGANIZATIONS = {"plant": "plant", "-deleted": "o"}
"""By the end of a store's name; it is main in the others."""


@pytest.mark.parametrize("name", sorted(set(REAL_STORES) - NEVER_SET_UP))
def test_a_token_minted_in_it_is_an_operator_afterwards(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    store = unpack_real_store(name, tmp_path / "influxd.bolt")
    (before,) = _lists(cli, store, "auth", "authorizations")
    token = tmp_path / "token"
    (org,) = [one for end, one in ORGANIZATIONS.items() if name.endswith(end)] or ["main"]
    words = ("--username", "admin", "--org", org)
    made = cli.run(
        *("auth", "create-operator", *words, "--bolt-path", store, "--yes"),
        *("--token-file", token, "--json"),
    )
    assert made.code == 0, made.stderr
    (after,) = _lists(cli, store, "auth", "authorizations")
    (new,) = (one for one in after if one not in before)
    assert (len(after), new["operator"], new["is_usable"]) == (len(before) + 1, "full", True)
    verified = cli.run("auth", "verify", "--bolt-path", store, "--token-file", token, "--json")
    assert json.loads(verified.stdout)["authorization"]["id"] == new["id"]
    with bolt_store.open(store) as db:
        assert [one for one in db.check() if one.severity >= bolt_store.Severity.WARNING] == []


@pytest.mark.parametrize("name", sorted(NEVER_SET_UP))
def test_one_that_nobody_has_set_up_lists_nothing(cli: Cli, tmp_path: Path, name: str) -> None:
    store = unpack_real_store(name, tmp_path / "influxd.bolt")
    assert _lists(cli, store, "auth", "authorizations", "user", "users") == ([], [])


def _lists(cli: Cli, store: Path, *nouns: str) -> tuple[list[dict[str, object]], ...]:
    found = []
    for noun, field in zip(nouns[::2], nouns[1::2], strict=True):
        done = cli.run(noun, "list", "--bolt-path", store, "--json")
        assert done.code == 0, done.stderr
        found.append(json.loads(done.stdout)[field])
    return tuple(found)
