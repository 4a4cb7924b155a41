"""Users made, changed and deleted: exactly the keys of the recipes, on stores of every level."""

import json
from pathlib import Path

import bcrypt
import pytest

from recovery.errors import (
    ConflictError,
    NotFoundError,
    PasswordError,
    RecoveryError,
    RefusedError,
)
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.user import User, decode_user
from recovery.secret import Secret
from recovery.services.changes.plan import Planner
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import (
    DeleteUser,
    RenameUser,
    SetPassword,
    SetUserStatus,
)
from recovery.services.tenancy.user_creation import CreateUser
from recovery.services.tenancy.user_details import describe_user, verify_password
from tests.support.invariants import assert_invariants, violations
from tests.support.oracle import Dump, Oracle
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    LEVELS,
    Difference,
    MadeStore,
    SeededRng,
    change,
    difference,
    edit,
    make_store,
)

PASSWORD = "canary-password-1"
ALICE = UserChoice(name="alice", user_id=None)
BOB = UserChoice(name="bob", user_id=None)


@pytest.fixture(params=LEVELS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=request.param)


@pytest.fixture
def newest(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


def create(
    name: str = "carol",
    *,
    password: str | None = PASSWORD,
    organization: str | None = "acme",
    is_owner: bool = False,
    is_ensured: bool = False,
) -> CreateUser:
    return CreateUser(
        name=name,
        password=None if password is None else Secret(password),
        organization=organization,
        has_role=organization is not None,
        is_owner=is_owner,
        is_ensured=is_ensured,
        clock=FixedClock(CHANGED_AT),
        rng=SeededRng(7),
    )


def changes_of(store: Path, planner: Planner, oracle: Oracle | None = None) -> Difference:
    """Run a change, and return what it did to the keys, as bbolt or else this engine sees it."""
    look = oracle.dump if oracle is not None else Dump.of_file
    before = look(store)
    change(store, planner)
    if oracle is not None:
        assert oracle.check(store) == []
    return difference(before, look(store))


def test_a_new_user_is_five_keys(made: MadeStore, oracle: Oracle) -> None:
    found = changes_of(made.path, create(), oracle)
    assert found.places == {
        "added": [
            "userindexv1",
            "userresourcemappingsbyuserindexv1",
            "userresourcemappingsv1",
            "userspasswordv1",
            "usersv1",
        ]
    }
    records = {bucket: (key, value) for (bucket, key), value in found.added.items()}
    key, document = records["usersv1"]
    assert document == b'{"id":"%s","name":"carol","status":"active"}' % key
    assert records["userindexv1"] == (b"carol", key)
    assert bcrypt.checkpw(PASSWORD.encode(), records["userspasswordv1"][1])
    assert records["userspasswordv1"][1].startswith(b"$2a$10$")
    assert oracle.rewrite_records([("user", document)]) == [document]
    assert_invariants(made.path)


def test_a_new_owner_takes_the_place_in_the_mapping(newest: MadeStore) -> None:
    found = changes_of(newest.path, create(is_owner=True))
    (mapping,) = [v for (name, _), v in found.added.items() if name == "userresourcemappingsv1"]
    assert json.loads(mapping)["userType"] == "owner"
    assert json.loads(mapping)["resourceID"] == newest.org


@pytest.mark.parametrize(
    ("planner", "error"),
    [
        (create("alice"), ConflictError),
        (create(""), RefusedError),
        (create("  "), RefusedError),
        (create("c\udcff"), RefusedError),
        (create("c" * 40_000), RefusedError),
        (create(password="short"), PasswordError),
        (create(password="x" * 73), PasswordError),
        (create(organization="nobody"), NotFoundError),
        (RenameUser(user=BOB, new_name="alice"), ConflictError),
        (RenameUser(user=BOB, new_name=""), RefusedError),
        (
            DeleteUser(user=UserChoice(name="nobody", user_id=None), with_tokens=False),
            NotFoundError,
        ),
    ],
)
def test_a_refused_change_leaves_every_byte(
    newest: MadeStore, planner: Planner, error: type[RecoveryError]
) -> None:
    before = newest.path.read_bytes()
    with pytest.raises(error) as refusal:
        change(newest.path, planner)
    assert "nothing was changed" in str(refusal.value)
    assert newest.path.read_bytes() == before
    assert list(newest.path.parent.iterdir()) == [newest.path]


def test_a_user_that_is_ensured_a_second_time_changes_nothing(newest: MadeStore) -> None:
    assert change(newest.path, create(is_ensured=True)).is_changed
    before = newest.path.read_bytes()
    assert not change(newest.path, create(is_ensured=True)).is_changed
    assert newest.path.read_bytes() == before


def test_a_user_that_is_there_otherwise_is_not_ensured(newest: MadeStore) -> None:
    change(newest.path, create())
    with pytest.raises(RefusedError, match="password is another one"):
        change(newest.path, create(password="canary-password-2", is_ensured=True))


def test_a_new_password_is_one_value(made: MadeStore, oracle: Oracle) -> None:
    planner = SetPassword(
        user=ALICE, password=Secret(PASSWORD), is_activated=False, is_ensured=False
    )
    found = changes_of(made.path, planner, oracle)
    assert found.places == {"added": ["userspasswordv1"]}
    assert bcrypt.checkpw(PASSWORD.encode(), next(iter(found.added.values())))
    assert_invariants(made.path)


def test_a_new_password_can_activate_the_user_of_the_official_recovery(newest: MadeStore) -> None:
    """`influxd recovery user create` leaves the status empty."""
    edit(
        newest.path,
        lambda tx: tx.users.put(
            _with_document(tx.users.get(newest.bob), status=""),
        ),
    )
    assert any("I7" in line for line in violations(newest.path))
    planner = SetPassword(user=BOB, password=Secret(PASSWORD), is_activated=True, is_ensured=True)
    found = changes_of(newest.path, planner)
    assert found.places == {"added": ["userspasswordv1"], "changed": ["usersv1"]}
    assert_invariants(newest.path)
    assert not change(newest.path, planner).is_changed


def _with_document(user: object, *, status: str) -> User:
    assert isinstance(user, User)
    return decode_user(user.rewritten({"status": status}))


def test_a_status_is_one_record_and_keeps_unknown_fields(made: MadeStore, oracle: Oracle) -> None:
    odd = b'{"id":"%s","name":"bob","futureField":[1,2],"status":"active"}' % made.bob.encode()
    edit(made.path, lambda tx: tx.users.put(decode_user(odd)))
    found = changes_of(made.path, SetUserStatus(user=BOB, is_active=False), oracle)
    assert list(found.changed.values()) == [odd.replace(b'"active"', b'"inactive"')]
    assert not change(made.path, SetUserStatus(user=BOB, is_active=False)).is_changed
    back = changes_of(made.path, SetUserStatus(user=BOB, is_active=True), oracle)
    assert list(back.changed.values()) == [odd]


def test_a_rename_moves_the_index_entry(made: MadeStore, oracle: Oracle) -> None:
    found = changes_of(made.path, RenameUser(user=BOB, new_name="robert"), oracle)
    assert found.places == {
        "added": ["userindexv1"],
        "removed": ["userindexv1"],
        "changed": ["usersv1"],
    }
    assert_invariants(made.path)


def test_a_deleted_user_leaves_no_password_and_no_role(made: MadeStore, oracle: Oracle) -> None:
    change(
        made.path,
        SetPassword(user=BOB, password=Secret(PASSWORD), is_activated=False, is_ensured=False),
    )
    found = changes_of(made.path, DeleteUser(user=BOB, with_tokens=False), oracle)
    assert found.places == {
        "removed": [
            "userindexv1",
            "userresourcemappingsbyuserindexv1",
            "userresourcemappingsv1",
            "userspasswordv1",
            "usersv1",
        ]
    }


def test_a_user_deleted_with_its_tokens_leaves_a_sound_store(
    made: MadeStore, oracle: Oracle
) -> None:
    found = changes_of(made.path, DeleteUser(user=BOB, with_tokens=True), oracle)
    gone = found.places["removed"]
    assert gone.count("authorizationsv1") == 2
    assert "legacy/authorizationsv1" in gone
    assert "legacy/authorizationPasswordv1" in gone
    assert_invariants(made.path)


def test_the_details_name_every_reason_why_a_user_cannot_sign_in(newest: MadeStore) -> None:
    def spoil(tx: MetaTx) -> None:
        bob = tx.users.get(newest.bob)
        tx.users.put(_with_document(bob, status="inactive"))
        tx.mappings.delete_of_user(newest.bob)

    edit(newest.path, spoil)
    with MetaStore.open(newest.path, write=False) as store, store.view() as tx:
        details = describe_user(tx, BOB.choose(tx))
        assert not details.can_sign_in
        assert details.because == (
            "it has no password",
            "it is inactive",
            "it has no role in any organization, so it would see nothing",
        )
        assert len(details.tokens) == 2


def test_a_password_is_tried_as_a_sign_in_does(newest: MadeStore) -> None:
    change(newest.path, create())
    with MetaStore.open(newest.path, write=False) as store, store.view() as tx:
        carol = UserChoice(name="carol", user_id=None).choose(tx)
        good = verify_password(tx, carol, Secret(PASSWORD))
        bad = verify_password(tx, carol, Secret("canary-wrong-password"))
    assert (good.matches, good.can_sign_in, good.because) == (True, True, ())
    assert (bad.matches, bad.can_sign_in) == (False, False)
    assert bad.because == ("it is not the password of this user",)


@pytest.mark.parametrize("level", [17, 21])
def test_the_recipes_hold_on_stores_of_real_servers(
    stores_dir: Path, tmp_path: Path, oracle: Oracle, level: int
) -> None:
    store = tmp_path / "influxd.bolt"
    store.write_bytes((stores_dir / f"level{level}.bolt").read_bytes())
    change(store, create(organization="myorg", is_owner=True))
    change(store, RenameUser(user=UserChoice(name="carol", user_id=None), new_name="carl"))
    change(store, SetUserStatus(user=UserChoice(name="carl", user_id=None), is_active=False))
    assert_invariants(store)
    before = oracle.dump(store)
    change(store, DeleteUser(user=UserChoice(name="carl", user_id=None), with_tokens=True))
    assert oracle.check(store) == []
    assert len(difference(before, oracle.dump(store)).removed) == 5
    assert_invariants(store)
