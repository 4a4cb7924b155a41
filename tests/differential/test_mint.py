"""Minting, seen by bbolt: sound, exactly the new keys, and a file that bbolt can go on with."""

from pathlib import Path

import pytest

from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest
from tests.support.oracle import Dump, Oracle, Script
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    LEVELS,
    MemoryDestination,
    SeededRng,
    change,
    difference,
    make_store,
)


def mint(path: Path, *, form: FormChoice, username: str | None, organization: str | None) -> str:
    """Mint a token; return the ID of its record."""
    planner = CreateAuthorization(
        operation="auth create-operator",
        request=PermissionRequest(is_operator=True),
        username=username,
        organization=organization,
        description=None,
        form=form,
        server_hashes=None,
        clock=FixedClock(CHANGED_AT),
        rng=SeededRng(),
    )
    outcome = change(path, planner, destination=MemoryDestination())
    return outcome.proposal.plan.record_ids[0]


def assert_only_the_token_was_added(
    oracle: Oracle, path: Path, before: Dump, record_id: str, index: str
) -> None:
    """Compare two dumps that bbolt has made."""
    assert oracle.check(path) == []
    found = difference(before, oracle.dump(path))
    assert (found.removed, found.changed) == ({}, {})
    assert found.places == {"added": sorted([index, "authorizationsv1"])}
    assert ("authorizationsv1", record_id.encode()) in found.added
    assert [value for (name, _), value in found.added.items() if name == index] == [
        record_id.encode()
    ]


@pytest.mark.parametrize("form", [FormChoice.BY_STORE, FormChoice.RAW])
@pytest.mark.parametrize("level", [17, 21])
def test_in_the_real_stores_exactly_a_record_and_an_index_entry_are_new(
    oracle: Oracle, level17_bolt: Path, level21_bolt: Path, level: int, form: FormChoice
) -> None:
    path = {17: level17_bolt, 21: level21_bolt}[level]
    before = oracle.dump(path)
    record_id = mint(path, form=form, username=None, organization=None)
    is_hashed = level == 21 and form is FormChoice.BY_STORE
    index = "authorizationhashedindexv1" if is_hashed else "authorizationindexv1"
    assert_only_the_token_was_added(oracle, path, before, record_id, index)


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_in_a_store_of_each_level(oracle: Oracle, tmp_path: Path, level: int) -> None:
    path = make_store(tmp_path / "influxd.bolt", level=level).path
    before = oracle.dump(path)
    assert oracle.check(path) == []
    record_id = mint(path, form=FormChoice.BY_STORE, username="alice", organization="acme")
    index = "authorizationhashedindexv1" if level == 21 else "authorizationindexv1"
    assert_only_the_token_was_added(oracle, path, before, record_id, index)


def test_the_backup_is_what_bbolt_read_before(oracle: Oracle, level21_bolt: Path) -> None:
    before = oracle.dump(level21_bolt)
    mint(level21_bolt, form=FormChoice.BY_STORE, username=None, organization=None)
    (backup,) = level21_bolt.parent.glob("*.backup")
    assert oracle.check(backup) == []
    assert oracle.dump(backup) == before


def test_bbolt_goes_on_with_the_file(oracle: Oracle, level21_bolt: Path) -> None:
    """As a server does at its next start: it hashes raw tokens, which deletes and puts."""
    record_id = mint(level21_bolt, form=FormChoice.RAW, username=None, organization=None)
    dump = oracle.dump(level21_bolt)
    tables = ("authorizationsv1", "authorizationindexv1")
    script = Script()
    for (path, key), value in dump.plain:
        if path[0].decode() in tables:
            script.delete(path, key).put(path, key + b"'", value + value)
    oracle.apply(level21_bolt, script, Script().put((b"idsv1",), b"id", b"00000000000003e9"))
    assert oracle.check(level21_bolt) == []
    after = Dump.of_file(level21_bolt)
    assert after == oracle.dump(level21_bolt)
    assert ((b"authorizationsv1",), f"{record_id}'".encode()) in dict(after.plain)
