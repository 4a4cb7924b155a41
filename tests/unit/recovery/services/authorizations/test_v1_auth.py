"""1.x-compatible authorizations: listed, password set, switched, deleted."""

import subprocess
import sys
from pathlib import Path

import pytest

from recovery.errors import NotFoundError, PasswordError, RecordError, RefusedError
from recovery.metastore.store import MetaStore
from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.secret import Secret
from recovery.services.authorizations.v1_auth import (
    DeleteLegacy,
    LegacyRow,
    SetLegacyPassword,
    SetLegacyStatus,
    legacy_rows,
)
from tests.support.invariants import assert_invariants
from tests.support.oracle import Oracle
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    LEGACY_PASSWORD,
    MadeStore,
    change,
    difference,
    edit,
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


def rows_of(path: Path) -> tuple[list[LegacyRow], list[RecordProblem]]:
    problems: list[RecordProblem] = []
    with MetaStore.open(path, write=False) as opened, opened.view() as tx:
        return list(legacy_rows(tx, problems)), problems


def test_a_listing_joins_names_and_says_whether_anybody_can_log_in(store: MadeStore) -> None:
    ((row,), problems) = rows_of(store.path)
    assert problems == []
    assert (row.id, row.username, row.status) == (store.legacy, "grafana", "active")
    assert (row.user, row.organization) == ("bob", "acme")
    assert (row.has_password, row.has_entry) == (True, True)
    assert row.permissions == (f"read:orgs/{store.org}/buckets/{store.bucket}",)


def test_an_undecodable_record_is_a_problem_and_a_lost_entry_shows(made: MadeStore) -> None:
    def harm(tx: MetaTx) -> None:
        tx.table("legacy/authorizationsv1").put(b"00000000000000ff", b"no JSON")
        tx.table("legacy/authorizationindexv1").delete(b"grafana")
        tx.table("legacy/authorizationPasswordv1").put(made.legacy.encode(), b"no bcrypt")

    edit(made.path, harm)
    ((row,), (problem,)) = rows_of(made.path)
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


def test_set_password_gives_one_to_an_authorization_without(made: MadeStore) -> None:
    passwords = "legacy/authorizationPasswordv1"
    edit(made.path, lambda tx: tx.table(passwords).delete(made.legacy.encode()))
    change(
        made.path,
        SetLegacyPassword(which="grafana", password=Secret(NEW_PASSWORD), is_ensured=False),
    )
    assert rows_of(made.path)[0][0].has_password


def test_a_deletion_that_left_a_password_is_noticed_whatever_its_bytes(made: MadeStore) -> None:
    def harm(tx: MetaTx) -> None:
        tx.table("legacy/authorizationPasswordv1").put(made.legacy.encode(), b"\xff")

    def left(tx: MetaTx) -> str | None:
        planned = DeleteLegacy(which="grafana", is_ensured=False).plan(tx)
        tx.table("legacy/authorizationsv1").delete(made.legacy.encode())
        tx.table("legacy/authorizationindexv1").delete(b"grafana")
        return planned.verify(tx)

    edit(made.path, harm)
    ((row,), _) = rows_of(made.path)
    assert not row.has_password
    problems: list[str | None] = []
    edit(made.path, lambda tx: problems.append(left(tx)))
    assert problems == ["the authorization or its password is still there"]


@pytest.mark.parametrize("password", ["short", "x" * 73, "with\0zero-byte"])
def test_a_password_that_servers_do_not_take_is_refused(password: str, made: MadeStore) -> None:
    content = made.path.read_bytes()
    planner = SetLegacyPassword(which="grafana", password=Secret(password), is_ensured=False)
    with pytest.raises(PasswordError) as caught:
        change(made.path, planner)
    assert password not in str(caught.value)
    assert content == made.path.read_bytes()


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


def test_api_tokens_with_the_same_id_are_left_alone(made: MadeStore, oracle: Oracle) -> None:
    """IDs may repeat across the two kinds of authorizations."""

    def twin(tx: MetaTx) -> None:
        table = tx.table("authorizationsv1")
        document = table.get(made.reader.encode())
        assert document is not None
        table.put(made.legacy.encode(), document.replace(made.reader.encode(), b"x" * 16))

    edit(made.path, twin)
    before = oracle.dump(made.path)
    change(made.path, DeleteLegacy(which=made.legacy, is_ensured=False))
    places = difference(before, oracle.dump(made.path)).places
    assert all(place.startswith("legacy/") for place in places["removed"])


def test_two_records_with_one_user_name_have_to_be_told_apart(made: MadeStore) -> None:
    def twin(tx: MetaTx) -> None:
        one = tx.legacy_authorizations.load(made.legacy)
        assert one is not None
        document = one.rewritten({"id": "00000000000000ff"})
        tx.table("legacy/authorizationsv1").put(b"00000000000000ff", document)

    edit(made.path, twin)
    with pytest.raises(RefusedError, match="2 authorizations have the user name grafana"):
        change(made.path, DeleteLegacy(which="grafana", is_ensured=False))
    change(made.path, DeleteLegacy(which="00000000000000ff", is_ensured=False))
    assert_invariants(made.path)


def test_an_undecodable_record_can_be_deleted_by_its_id(made: MadeStore) -> None:
    bucket = "legacy/authorizationsv1"
    edit(made.path, lambda tx: tx.table(bucket).put(made.legacy.encode(), b"no JSON"))
    outcome = change(made.path, DeleteLegacy(which=made.legacy, is_ensured=False))
    assert "cannot be understood" in outcome.proposal.plan.warnings[0]
    assert_invariants(made.path)


def test_an_undecodable_record_is_named(made: MadeStore) -> None:
    bucket = "legacy/authorizationsv1"
    edit(made.path, lambda tx: tx.table(bucket).put(made.legacy.encode(), b"no JSON"))
    with pytest.raises(RecordError, match=made.legacy):
        change(made.path, SetLegacyStatus(which=made.legacy, is_active=True, clock=CLOCK))
