"""Deleted users come back with what belongs to them."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from recovery.errors import NotFoundError, RefusedError
from recovery.metastore.store import MetaStore
from recovery.model.ids import Id
from recovery.model.mapping import MEMBER, OWNER, Mapping
from recovery.model.password import password_matches
from recovery.remedy import Run
from recovery.secret import Secret
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser, RenameUser, SetPassword
from recovery.services.undeletion.traces import Place
from recovery.services.undeletion.users import DeletedUser, UndeleteUser, list_deleted_users
from tests.support.real_stores import unpack_real_store
from tests.support.stores import (
    MadeStore,
    all_keys,
    change,
    edit,
    make_store,
    traces_of,
)

BOB = UserChoice(name="bob", user_id=None)
GRAFANA = Id("11b4fe5c8b8e3000")
GRAF = "11b4fe5d140e3000"


def undeletion(
    path: Path, user: UserChoice = BOB, *copies: Path, with_tokens: bool = False
) -> UndeleteUser:
    return UndeleteUser(user=user, traces=traces_of(path, *copies), with_tokens=with_tokens)


def listed(path: Path, *copies: Path) -> dict[str, DeletedUser]:
    traces = traces_of(path, *copies)
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return {one.id: one for one in list_deleted_users(tx, traces, {})}


def test_a_user_comes_back_byte_for_byte(made: MadeStore) -> None:
    change(
        made.path,
        SetPassword(user=BOB, password=Secret("canary-pw-1"), is_activated=False, is_ensured=False),
    )
    before = all_keys(made.path)
    change(made.path, DeleteUser(user=BOB, with_tokens=False))
    row = listed(made.path)[made.bob]
    assert (row.place, row.has_password, row.roles) == (Place.OLDER, True, ("member of acme",))
    change(made.path, undeletion(made.path))
    assert all_keys(made.path) == before


def test_with_tokens_all_but_1x_logins_come_back(made: MadeStore) -> None:
    before = all_keys(made.path)
    change(made.path, DeleteUser(user=BOB, with_tokens=True))
    assert set(listed(made.path)[made.bob].token_ids) == {made.reader, made.hashed}
    change(made.path, undeletion(made.path, with_tokens=True))
    after = all_keys(made.path)
    assert {bucket for bucket, _ in before.keys() - after.keys()} == {
        "legacy/authorizationsv1",
        "legacy/authorizationindexv1",
        "legacy/authorizationPasswordv1",
    }


def test_a_user_that_a_real_server_deleted_can_sign_in_again(tmp_path: Path) -> None:
    path = unpack_real_store("influxd-2.9.1-user-deleted", tmp_path / "influxd.bolt")
    (row,) = listed(path).values()
    assert (row.id, row.name, row.roles, row.token_ids) == (
        GRAFANA,
        "grafana",
        ("member of o",),
        (GRAF,),
    )
    user = UserChoice(name="grafana", user_id=None)
    change(path, undeletion(path, user, with_tokens=True))
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        stored = tx.passwords.get(GRAFANA)
        assert stored is not None
        assert password_matches(Secret("password2"), stored)
        assert tx.users.indexed_id("grafana") == GRAFANA
        assert [one.user_type for one in tx.mappings.of_user(GRAFANA)] == [MEMBER]
        found = tx.authorizations.load(Id(GRAF))
        assert found is not None
        assert tx.authorizations.leads_home(found)


def test_a_name_that_is_taken_is_refused_and_the_way_out_works(made: MadeStore) -> None:
    change(made.path, DeleteUser(user=BOB, with_tokens=False))
    change(made.path, RenameUser(user=UserChoice(name="alice", user_id=None), new_name="bob"))
    assert listed(made.path)[made.bob].because == f"user {made.alice} has its name"
    with pytest.raises(RefusedError, match="has its name") as caught:
        change(made.path, undeletion(made.path))
    assert isinstance(caught.value.hint, Run)
    assert caught.value.hint.operation == "user rename"


def test_a_user_that_is_there_is_refused_and_ensured(made: MadeStore) -> None:
    with pytest.raises(RefusedError, match="there is a user"):
        change(made.path, undeletion(made.path))
    ensured = replace(undeletion(made.path), is_ensured=True)
    assert not change(made.path, ensured).is_changed


def test_a_user_that_was_never_there_is_not_found(made: MadeStore) -> None:
    change(made.path, DeleteUser(user=BOB, with_tokens=False))
    with pytest.raises(NotFoundError, match=f"{made.bob} bob"):
        change(made.path, undeletion(made.path, UserChoice(name="carol", user_id=None)))
    with pytest.raises(NotFoundError):
        change(made.path, undeletion(made.path, UserChoice(name=None, user_id=Id("0" * 15 + "f"))))


def test_a_role_in_what_is_gone_is_left_out(made: MadeStore) -> None:
    role = Mapping(
        user_id=made.bob, user_type=OWNER, resource_type="orgs", resource_id=made.other_org
    )
    edit(made.path, lambda tx: tx.mappings.put(role))
    change(made.path, DeleteUser(user=BOB, with_tokens=False))
    edit(made.path, lambda tx: tx.table("organizationsv1").delete(made.other_org.encode()))
    copy = next(made.path.parent.glob("*.backup"))
    outcome = change(made.path, undeletion(made.path, BOB, copy))
    assert any(one.startswith("left out: owner") for one in outcome.proposal.plan.warnings)
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        assert [one.resource_id for one in tx.mappings.of_user(made.bob)] == [made.org]


def test_a_role_that_is_still_there_is_no_role_that_is_lost(made: MadeStore) -> None:
    """As after the bolt bucket of the users was lost, and nothing else."""
    edit(made.path, lambda tx: tx.table("usersv1").delete(made.bob.encode()))
    edit(made.path, lambda tx: tx.table("userindexv1").delete(b"bob"))
    plan = change(made.path, undeletion(made.path)).proposal.plan
    assert any(one.startswith("leave the role that is still there (before: ") for one in plan.steps)
    assert not [one for one in plan.warnings if "no role" in one or one.startswith("left out")]


def test_a_user_without_a_password_is_told_the_next_step(made: MadeStore) -> None:
    change(made.path, DeleteUser(user=BOB, with_tokens=False))
    plan = change(made.path, undeletion(made.path)).proposal.plan
    assert any("cannot sign in yet" in one for one in plan.warnings)
    (way,) = plan.afterwards
    assert isinstance(way, Run)
    assert way.operation == "user update"


def test_two_deleted_users_of_one_name_are_told_apart_by_id(
    made: MadeStore, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.bolt"
    other = make_store(copy, level=20)
    change(made.path, DeleteUser(user=BOB, with_tokens=False))
    backup = next(made.path.parent.glob("influxd.bolt.*.backup"))
    with pytest.raises(RefusedError, match="several deleted users") as caught:
        change(made.path, undeletion(made.path, BOB, copy, backup))
    assert str(other.bob) in str(caught.value)
    by_id = UserChoice(name=None, user_id=made.bob)
    assert change(made.path, undeletion(made.path, by_id, copy, backup)).is_changed
