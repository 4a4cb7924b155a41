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
    checked = cli.run_here("store", "check", "--bolt-path", store, "--json")
    document = json.loads(checked.stdout)
    assert (checked.code, document["findings"], document["advice"]) == (0, [], [])
    outlooks = {one["outlook"] for one in document["verdict"]["forecasts"]}
    assert outlooks == {"starts, and nobody has set it up yet"}
    described = cli.run_here("store", "info", "--bolt-path", store, "--json")
    assert json.loads(described.stdout)["is_set_up"] is False
    for words in (("store", "check"), ("store", "info"), ("auth", "list")):
        told = cli.run_here(*words, "--bolt-path", store)
        said = " ".join((told.stdout + told.stderr).split())
        setup = said.partition("influx-recovery setup ")[2].partition(", to set it up")[0]
        assert {str(store), "--username", "--org", "--bucket"} <= set(setup.split())
        assert "nobody can get in" not in said


def _lists(cli: Cli, store: Path, *nouns: str) -> tuple[list[dict[str, object]], ...]:
    found = []
    for noun, field in zip(nouns[::2], nouns[1::2], strict=True):
        done = cli.run(noun, "list", "--bolt-path", store, "--json")
        assert done.code == 0, done.stderr
        found.append(json.loads(done.stdout)[field])
    return tuple(found)
