"""1.x-compatible authorizations: listed, password set, switched, deleted."""

import subprocess
import sys
from pathlib import Path

import pytest

from recovery.errors import NotFoundError, PasswordError, RecordError, RefusedError
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.secret import Secret
from recovery.services.authorizations.v1_auth import (
    DeleteLegacy,
    LegacyRow,
    SetLegacyPassword,
    SetLegacyStatus,
    legacy_rows,
)
from recovery.services.listing import Problem
from tests.support.invariants import assert_invariants
from tests.support.oracle import Oracle
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    LEGACY_PASSWORD,
    LEVELS,
    MadeStore,
    change,
    difference,
    edit,
    make_store,
)

CLOCK = FixedClock(CHANGED_AT)
NEW_PASSWORD = "canary-new-password"

_CRYPT = """
import ctypes, ctypes.util, sys
crypt = ctypes.CDLL(ctypes.util.find_library("crypt")).crypt
crypt.restype = ctypes.c_char_p
password, stored = sys.stdin.buffer.read().split(b"\\0")
sys.exit(crypt(password, stored) != stored)
"""


def is_password(password: str, stored: bytes) -> bool:
    """Verify with the C library's bcrypt, which has not made the hash."""
    command = [sys.executable, "-c", _CRYPT]
    text = password.encode() + b"\0" + stored
    return subprocess.run(command, input=text, check=False).returncode == 0


@pytest.fixture(params=LEVELS, ids="level{}".format)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=request.param)


@pytest.fixture
def level21(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


def rows_of(path: Path) -> tuple[list[LegacyRow], list[Problem]]:
    problems: list[Problem] = []
    with MetaStore.open(path, write=False) as opened, opened.view() as tx:
        return list(legacy_rows(tx, problems)), problems


def test_a_listing_joins_names_and_says_whether_anybody_can_log_in(store: MadeStore) -> None:
    ((row,), problems) = rows_of(store.path)
    assert problems == []
    assert (row.id, row.username, row.status) == (store.legacy, "grafana", "active")
    assert (row.user, row.organization) == ("bob", "acme")
    assert (row.has_password, row.has_entry) == (True, True)
    assert row.permissions == (f"read:orgs/{store.org}/buckets/{store.bucket}",)


def test_an_undecodable_record_is_a_problem_and_a_lost_entry_shows(level21: MadeStore) -> None:
    def harm(tx: MetaTx) -> None:
        tx.table("legacy/authorizationsv1").put(b"00000000000000ff", b"no JSON")
        tx.table("legacy/authorizationindexv1").delete(b"grafana")
        tx.table("legacy/authorizationPasswordv1").put(level21.legacy.encode(), b"no bcrypt")

    edit(level21.path, harm)
    ((row,), (problem,)) = rows_of(level21.path)
    assert (row.has_password, row.has_entry) == (False, False)
    assert (problem.bucket, problem.id) == ("legacy/authorizationsv1", "00000000000000ff")


@pytest.mark.parametrize("by_name", [True, False])
def test_set_password_replaces_one_key_by_a_hash_that_others_verify(
    store: MadeStore, oracle: Oracle, *, by_name: bool
) -> None:
    before = oracle.dump(store.path)
    which = "grafana" if by_name else store.legacy
    planner = SetLegacyPassword(which=which, password=Secret(NEW_PASSWORD), is_ensured=True)
    assert change(store.path, planner).is_changed
    changed = difference(before, oracle.dump(store.path))
    assert changed.places == {"changed": ["legacy/authorizationPasswordv1"]}
    (stored,) = changed.changed.values()
    assert stored.startswith(b"$2a$10$")
    assert is_password(NEW_PASSWORD, stored)
    assert not is_password(LEGACY_PASSWORD, stored)
    assert oracle.check(store.path) == []
    assert_invariants(store.path)
    assert not change(store.path, planner).is_changed


def test_set_password_gives_one_to_an_authorization_without(level21: MadeStore) -> None:
    passwords = "legacy/authorizationPasswordv1"
    edit(level21.path, lambda tx: tx.table(passwords).delete(level21.legacy.encode()))
    change(
        level21.path,
        SetLegacyPassword(which="grafana", password=Secret(NEW_PASSWORD), is_ensured=False),
    )
    assert rows_of(level21.path)[0][0].has_password


def test_a_deletion_that_left_a_password_is_noticed_whatever_its_bytes(level21: MadeStore) -> None:
    def harm(tx: MetaTx) -> None:
        tx.table("legacy/authorizationPasswordv1").put(level21.legacy.encode(), b"\xff")

    def left(tx: MetaTx) -> str | None:
        planned = DeleteLegacy(which="grafana", is_ensured=False).plan(tx)
        tx.table("legacy/authorizationsv1").delete(level21.legacy.encode())
        tx.table("legacy/authorizationindexv1").delete(b"grafana")
        return planned.verify(tx)

    edit(level21.path, harm)
    ((row,), _) = rows_of(level21.path)
    assert not row.has_password
    problems: list[str | None] = []
    edit(level21.path, lambda tx: problems.append(left(tx)))
    assert problems == ["the authorization or its password is still there"]


@pytest.mark.parametrize("password", ["short", "x" * 73, "with\0zero-byte"])
def test_a_password_that_servers_do_not_take_is_refused(password: str, level21: MadeStore) -> None:
    content = level21.path.read_bytes()
    planner = SetLegacyPassword(which="grafana", password=Secret(password), is_ensured=False)
    with pytest.raises(PasswordError) as caught:
        change(level21.path, planner)
    assert password not in str(caught.value)
    assert content == level21.path.read_bytes()


def test_a_status_changes_one_record_and_can_be_set_back(store: MadeStore, oracle: Oracle) -> None:
    for is_active in (False, True):
        before = oracle.dump(store.path)
        planner = SetLegacyStatus(which="grafana", is_active=is_active, clock=CLOCK)
        assert change(store.path, planner).is_changed
        changed = difference(before, oracle.dump(store.path))
        assert changed.places == {"changed": ["legacy/authorizationsv1"]}
        (document,) = changed.changed.values()
        assert [document] == oracle.rewrite_records([("authorization", document)])
        assert not change(store.path, planner).is_changed
        assert_invariants(store.path)


def test_delete_removes_record_entry_and_password(store: MadeStore, oracle: Oracle) -> None:
    before = oracle.dump(store.path)
    assert change(store.path, DeleteLegacy(which="grafana", is_ensured=False)).is_changed
    assert difference(before, oracle.dump(store.path)).places == {
        "removed": [
            "legacy/authorizationPasswordv1",
            "legacy/authorizationindexv1",
            "legacy/authorizationsv1",
        ]
    }
    assert_invariants(store.path)
    with pytest.raises(NotFoundError):
        change(store.path, DeleteLegacy(which="grafana", is_ensured=False))
    assert not change(store.path, DeleteLegacy(which="grafana", is_ensured=True)).is_changed


def test_api_tokens_with_the_same_id_are_left_alone(level21: MadeStore, oracle: Oracle) -> None:
    """IDs may repeat across the two kinds of authorizations."""

    def twin(tx: MetaTx) -> None:
        table = tx.table("authorizationsv1")
        document = table.get(level21.reader.encode())
        assert document is not None
        table.put(level21.legacy.encode(), document.replace(level21.reader.encode(), b"x" * 16))

    edit(level21.path, twin)
    before = oracle.dump(level21.path)
    change(level21.path, DeleteLegacy(which=level21.legacy, is_ensured=False))
    places = difference(before, oracle.dump(level21.path)).places
    assert all(place.startswith("legacy/") for place in places["removed"])


def test_two_records_with_one_user_name_have_to_be_told_apart(level21: MadeStore) -> None:
    def twin(tx: MetaTx) -> None:
        one = tx.legacy_authorizations.load(level21.legacy)
        assert one is not None
        document = one.rewritten({"id": "00000000000000ff"})
        tx.table("legacy/authorizationsv1").put(b"00000000000000ff", document)

    edit(level21.path, twin)
    with pytest.raises(RefusedError, match="2 authorizations have the user name grafana"):
        change(level21.path, DeleteLegacy(which="grafana", is_ensured=False))
    change(level21.path, DeleteLegacy(which="00000000000000ff", is_ensured=False))
    assert_invariants(level21.path)


def test_an_undecodable_record_can_be_deleted_by_its_id(level21: MadeStore) -> None:
    bucket = "legacy/authorizationsv1"
    edit(level21.path, lambda tx: tx.table(bucket).put(level21.legacy.encode(), b"no JSON"))
    outcome = change(level21.path, DeleteLegacy(which=level21.legacy, is_ensured=False))
    assert "cannot be understood" in outcome.proposal.plan.warnings[0]
    assert_invariants(level21.path)


def test_an_undecodable_record_is_named(level21: MadeStore) -> None:
    bucket = "legacy/authorizationsv1"
    edit(level21.path, lambda tx: tx.table(bucket).put(level21.legacy.encode(), b"no JSON"))
    with pytest.raises(RecordError, match=level21.legacy):
        change(level21.path, SetLegacyStatus(which=level21.legacy, is_active=True, clock=CLOCK))
