"""Status, deletion, completion and hashing of authorizations."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.errors import NotFoundError, RecordError, RefusedError
from recovery.metastore import authorizations
from recovery.metastore.table import Table
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.model.permission import types_of_level
from recovery.services.authorizations.changes import (
    CompleteOperator,
    DeleteAuthorization,
    SetStatus,
)
from recovery.services.authorizations.hashing import HashTokens
from recovery.services.changes.plan import Planner
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser
from tests.support.invariants import assert_invariants, hash_of, violations
from tests.support.oracle import Oracle
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    CHANGED_AT_TEXT,
    HASHED_TOKEN,
    OLD_OPERATOR_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    Difference,
    MadeStore,
    change,
    difference,
    edit,
    make_store,
)

CLOCK = FixedClock(CHANGED_AT)
UNKNOWN = Id("00000000000000ff")
REAL_OPERATOR = Id("08371db24dcc8000")


@pytest.fixture(params=["level17", "level21"])
def real_store(request: pytest.FixtureRequest, stores_dir: Path, tmp_path: Path) -> Path:
    path = tmp_path / "influxd.bolt"
    shutil.copyfile(stores_dir / f"{request.param}.bolt", path)
    return path


def witnessed(oracle: Oracle, path: Path, planner: Planner) -> Difference:
    """Run a planner; the Go witness says what it did, and that all else is sound."""
    before = oracle.dump(path)
    assert change(path, planner).is_changed
    after = oracle.dump(path)
    assert oracle.check(path) == []
    assert_invariants(path)
    content = path.read_bytes()
    assert not change(path, _again(planner)).is_changed
    assert content == path.read_bytes()
    return difference(before, after)


def _again(planner: Planner) -> Planner:
    if isinstance(planner, DeleteAuthorization):
        return DeleteAuthorization(authorization_id=planner.authorization_id, is_ensured=True)
    return planner


def test_set_inactive_and_back_rewrites_one_record_only(store: MadeStore, oracle: Oracle) -> None:
    key = ("authorizationsv1", store.reader.encode())
    for is_active, status in ((False, "inactive"), (True, "active")):
        planner = SetStatus(authorization_id=store.reader, is_active=is_active, clock=CLOCK)
        changed = witnessed(oracle, store.path, planner)
        assert changed.places == {"changed": ["authorizationsv1"]}
        document = changed.changed[key]
        record = json.loads(document)
        assert (status, CHANGED_AT_TEXT) == (record["status"], record["updatedAt"])
        assert record["createdAt"] == "2024-05-06T07:08:09.123456Z"
        assert [document] == oracle.rewrite_records([("authorization", document)])


def test_a_status_of_a_real_store_changes_and_the_token_stays(
    real_store: Path, oracle: Oracle
) -> None:
    planner = SetStatus(authorization_id=REAL_OPERATOR, is_active=False, clock=CLOCK)
    changed = witnessed(oracle, real_store, planner)
    assert changed.places == {"changed": ["authorizationsv1"]}
    (document,) = changed.changed.values()
    assert [document] == oracle.rewrite_records([("authorization", document)])


def test_set_inactive_warns_that_the_user_stays_an_operator_in_the_interface(
    made: MadeStore,
) -> None:
    planner = SetStatus(authorization_id=made.operator, is_active=False, clock=CLOCK)
    warnings = change(made.path, planner, is_dry_run=True).proposal.plan.warnings
    assert any("no full operator token is left" in warning for warning in warnings)
    assert any("user interface" in warning for warning in warnings)
    planner = SetStatus(authorization_id=made.reader, is_active=False, clock=CLOCK)
    assert change(made.path, planner, is_dry_run=True).proposal.plan.warnings == ()


def test_delete_removes_the_record_and_its_entry(store: MadeStore, oracle: Oracle) -> None:
    planner = DeleteAuthorization(authorization_id=store.hashed, is_ensured=False)
    changed = witnessed(oracle, store.path, planner)
    is_hashed = store.level == 21
    index = "authorizationhashedindexv1" if is_hashed else "authorizationindexv1"
    key = hash_of(HASHED_TOKEN) if is_hashed else HASHED_TOKEN
    assert changed.places == {"removed": sorted([index, "authorizationsv1"])}
    assert {
        ("authorizationsv1", store.hashed.encode()),
        (index, key.encode()),
    } == changed.removed.keys()


def test_delete_of_a_real_operator_removes_two_keys(real_store: Path, oracle: Oracle) -> None:
    planner = DeleteAuthorization(authorization_id=REAL_OPERATOR, is_ensured=False)
    changed = witnessed(oracle, real_store, planner)
    assert changed.places == {"removed": ["authorizationindexv1", "authorizationsv1"]}


def test_delete_removes_stale_entries_too(made: MadeStore) -> None:
    """Such an entry would be a credential again on a server up to 2.7 once an ID comes back."""

    def plant(tx: MetaTx) -> None:
        tx.table("authorizationindexv1").put(b"a stale key", made.reader.encode())

    edit(made.path, plant)
    assert violations(made.path) == ["I25 raw index: 1 extra"]
    change(made.path, DeleteAuthorization(authorization_id=made.reader, is_ensured=False))
    assert_invariants(made.path)


def test_the_indexes_are_walked_once_for_a_deletion(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a tenth of a second where there are many tokens, and everybody else waits."""
    walked: list[str] = []
    walk = authorizations._keys_leading_to  # noqa: SLF001 # what takes the time

    def noted(index: Table, *ids: Id) -> list[bytes]:
        walked.append(index.name)
        return walk(index, *ids)

    monkeypatch.setattr(authorizations, "_keys_leading_to", noted)
    change(made.path, DeleteAuthorization(authorization_id=made.reader, is_ensured=False))
    bob = UserChoice(name="bob", user_id=None)
    change(made.path, DeleteUser(user=bob, with_tokens=True))
    assert walked.count("authorizationindexv1") == walked.count("authorizationhashedindexv1") == 2


def test_delete_removes_a_record_that_cannot_be_decoded(made: MadeStore) -> None:
    edit(
        made.path,
        lambda tx: tx.table("authorizationsv1").put(made.reader.encode(), b'{"id":7}'),
    )
    outcome = change(made.path, DeleteAuthorization(authorization_id=made.reader, is_ensured=False))
    assert "cannot be understood" in outcome.proposal.plan.warnings[0]
    assert_invariants(made.path)


def test_deleting_the_last_operator_warns_and_another_one_ends_the_warning(
    made: MadeStore,
) -> None:
    planner = DeleteAuthorization(authorization_id=made.operator, is_ensured=False)

    def is_warned() -> bool:
        warnings = change(made.path, planner, is_dry_run=True).proposal.plan.warnings
        return any("no full operator token is left" in warning for warning in warnings)

    assert is_warned()
    change(made.path, CompleteOperator(authorization_id=made.old_operator, clock=CLOCK))
    assert not is_warned()


def test_complete_adds_what_the_level_has_and_an_old_operator_lacks(
    store: MadeStore, oracle: Oracle
) -> None:
    planner = CompleteOperator(authorization_id=store.old_operator, clock=CLOCK)
    changed = witnessed(oracle, store.path, planner)
    assert changed.places == {"changed": ["authorizationsv1"]}
    (document,) = changed.changed.values()
    record = json.loads(document)
    later = types_of_level(store.level)[18:]
    added = [(p["resource"]["type"], p["action"]) for p in record["permissions"][36:]]
    assert [(t, a) for t in later for a in ("read", "write")] == added
    assert (record["updatedAt"], record["token"]) == (CHANGED_AT_TEXT, OLD_OPERATOR_TOKEN)
    assert [document] == oracle.rewrite_records([("authorization", document)])


def test_complete_makes_the_operator_of_a_real_store_full_or_leaves_it(
    stores_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "influxd.bolt"
    shutil.copyfile(stores_dir / "level17.bolt", path)
    planner = CompleteOperator(authorization_id=REAL_OPERATOR, clock=CLOCK)
    assert not change(path, planner).is_changed


def test_complete_refuses_what_is_no_operator(made: MadeStore) -> None:
    with pytest.raises(RefusedError, match="no operator token"):
        change(made.path, CompleteOperator(authorization_id=made.reader, clock=CLOCK))


def test_hash_does_to_one_token_what_the_server_does_at_its_start(
    made: MadeStore, oracle: Oracle
) -> None:
    changed = witnessed(oracle, made.path, HashTokens(authorization_id=made.reader))
    assert changed.places == {
        "added": ["authorizationhashedindexv1"],
        "removed": ["authorizationindexv1"],
        "changed": ["authorizationsv1"],
    }
    document = changed.changed["authorizationsv1", made.reader.encode()]
    record = json.loads(document)
    assert hash_of(READER_TOKEN) == record["hashedToken"]
    assert "token" not in record
    assert record["updatedAt"] == record["createdAt"]
    assert [document] == oracle.rewrite_records([("authorization", document)])
    assert READER_TOKEN.encode() not in document


def test_hash_all_leaves_no_raw_token_and_every_token_working(
    made: MadeStore, oracle: Oracle
) -> None:
    changed = witnessed(oracle, made.path, HashTokens(authorization_id=None))
    assert changed.places == {
        "added": ["authorizationhashedindexv1"] * 3,
        "removed": ["authorizationindexv1"] * 3,
        "changed": ["authorizationsv1"] * 3,
    }
    index = oracle.dump(made.path).model[b"authorizationhashedindexv1"]
    assert {
        hash_of(token).encode()
        for token in (OPERATOR_TOKEN, OLD_OPERATOR_TOKEN, READER_TOKEN, HASHED_TOKEN)
    } == set(index)


def test_hash_says_what_takes_it_back(made: MadeStore) -> None:
    outcome = change(made.path, HashTokens(authorization_id=None), is_dry_run=True)
    assert "unless store undo puts the backup back" in outcome.proposal.plan.warnings[0]


def test_hash_all_of_the_real_store_keeps_the_documented_vector(level21_bolt: Path) -> None:
    change(level21_bolt, HashTokens(authorization_id=None))
    assert_invariants(level21_bolt)
    assert b"$influxdb2-sha256$tNQn4VbAQgEgHYEptCwkeC6ov2uYZfzIGj6jRH_-eWI=" in (
        level21_bolt.read_bytes()
    )


def test_hash_is_refused_below_level_21(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=20)
    with pytest.raises(RefusedError, match="know no hashed"):
        change(made.path, HashTokens(authorization_id=None))


def test_hash_mends_a_record_that_has_both_forms(made: MadeStore) -> None:
    """The server leaves such a record, with its raw token, on the disk forever."""

    def double(tx: MetaTx) -> None:
        before = tx.authorizations.load(made.reader)
        assert before is not None
        hashed = hash_of(READER_TOKEN)
        document = before.rewritten({"hashedToken": hashed})
        tx.table("authorizationsv1").put(made.reader.encode(), document)
        tx.table("authorizationhashedindexv1").put(hashed.encode(), made.reader.encode())

    edit(made.path, double)
    assert violations(made.path) != []
    change(made.path, HashTokens(authorization_id=made.reader))
    assert_invariants(made.path)


def test_hash_leaves_a_second_record_with_the_same_token_alone(made: MadeStore) -> None:
    def twin(tx: MetaTx) -> None:
        before = tx.authorizations.load(made.reader)
        assert before is not None
        document = before.rewritten({"id": UNKNOWN})
        tx.table("authorizationsv1").put(UNKNOWN.encode(), document)

    edit(made.path, twin)
    with pytest.raises(RefusedError, match=f"API token {made.reader} has the same value"):
        change(made.path, HashTokens(authorization_id=UNKNOWN))
    outcome = change(made.path, HashTokens(authorization_id=None))
    assert any(UNKNOWN in warning for warning in outcome.proposal.plan.warnings)


@pytest.mark.parametrize(
    "make",
    [
        lambda which: SetStatus(authorization_id=which, is_active=False, clock=CLOCK),
        lambda which: DeleteAuthorization(authorization_id=which, is_ensured=False),
        lambda which: CompleteOperator(authorization_id=which, clock=CLOCK),
        lambda which: HashTokens(authorization_id=which),
    ],
    ids=["set-inactive", "delete", "complete", "hash"],
)
def test_an_authorization_that_does_not_exist_is_refused_with_those_that_do(
    make: Callable[[Id], Planner], made: MadeStore
) -> None:
    content = made.path.read_bytes()
    with pytest.raises(NotFoundError, match=UNKNOWN) as caught:
        change(made.path, make(UNKNOWN))
    assert any(made.operator in one for one in caught.value.existing)
    assert content == made.path.read_bytes()


def test_a_record_that_cannot_be_decoded_is_named_and_left_alone(made: MadeStore) -> None:
    edit(
        made.path,
        lambda tx: tx.table("authorizationsv1").put(made.reader.encode(), b"not JSON"),
    )
    with pytest.raises(RecordError, match=made.reader):
        change(made.path, SetStatus(authorization_id=made.reader, is_active=True, clock=CLOCK))


def test_unknown_fields_of_a_record_are_kept(made: MadeStore) -> None:
    def add_field(tx: MetaTx) -> None:
        table = tx.table("authorizationsv1")
        document = table.get(made.reader.encode())
        assert document is not None
        table.put(made.reader.encode(), document[:-1] + b',"future":{"a": 1}}')

    edit(made.path, add_field)
    change(made.path, SetStatus(authorization_id=made.reader, is_active=False, clock=CLOCK))
    assert b'"future":{"a": 1}}' in made.path.read_bytes()
