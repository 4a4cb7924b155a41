"""Deleted authorizations come back, and their tokens work; what contradicts the store does not."""

from pathlib import Path

import pytest
from msgspec.structs import replace

import bolt_store
from recovery.errors import NotFoundError, RefusedError
from recovery.metastore.store import MetaStore
from recovery.model.authorization import decode_authorization
from recovery.model.ids import Id
from recovery.remedy import Run, ways
from recovery.secret import Secret
from recovery.services.authorizations.changes import DeleteAuthorization, SetStatus
from recovery.services.authorizations.verification import TokenVerdict, verify_token
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser
from recovery.services.undeletion.tokens import DeletedToken, UndeleteTokens, list_deleted_tokens
from recovery.services.undeletion.traces import Place
from tests.support.ports import FixedClock
from tests.support.real_stores import unpack_real_store
from tests.support.stores import (
    CHANGED_AT,
    HASHED_TOKEN,
    LEVELS,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    all_keys,
    change,
    edit,
    make_store,
    traces_of,
)

SECOND_OP = Id("11b4fe5c734e3000")
SECOND_OP_TOKEN = (
    "JNHUTd0yTFyEV4FiEuVBkhSqD-ZKlcKtYoAuY9WqlVc4c7bQzRs4m3p7PHCWF0eUy0x36KcwejrYPVi5Uqn3zw=="
)
GRAF = Id("11b4fe5d140e3000")


def delete(made: MadeStore, *ids: Id) -> None:
    for one in ids:
        change(made.path, DeleteAuthorization(authorization_id=one, is_ensured=False))


def undeletion(path: Path, *ids: Id, copies: tuple[Path, ...] = ()) -> UndeleteTokens:
    return UndeleteTokens(ids=ids, traces=traces_of(path, *copies), deletions={})


def listed(path: Path, *copies: Path) -> dict[str, DeletedToken]:
    traces = traces_of(path, *copies)
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return {one.id: one for one in list_deleted_tokens(tx, traces, {})}


def accepts(path: Path, token: str) -> bool:
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return verify_token(tx, Secret(token)).answer is TokenVerdict.ACCEPTED


@pytest.mark.parametrize("level", LEVELS)
def test_what_was_deleted_last_comes_back_byte_for_byte(tmp_path: Path, level: int) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=level)
    before = all_keys(made.path)
    for one, token in ((made.operator, OPERATOR_TOKEN), (made.hashed, HASHED_TOKEN)):
        delete(made, one)
        assert not accepts(made.path, token)
        assert listed(made.path)[one].place is Place.OLDER
        change(made.path, undeletion(made.path, one))
        assert accepts(made.path, token)
        assert all_keys(made.path) == before


def test_a_token_that_a_real_server_deleted_works_again(tmp_path: Path) -> None:
    path = unpack_real_store("influxd-2.9.1-token-deleted", tmp_path / "influxd.bolt")
    (row,) = listed(path).values()
    assert (row.id, row.description, row.user, row.organization) == (
        SECOND_OP,
        "second op",
        "admin",
        "o",
    )
    assert (row.operator, row.permission_count, row.because) == ("full", 44, None)
    assert not accepts(path, SECOND_OP_TOKEN)
    change(path, undeletion(path, SECOND_OP))
    assert accepts(path, SECOND_OP_TOKEN)


def test_what_is_on_freed_pages_is_found_and_its_user_is_missing(tmp_path: Path) -> None:
    path = unpack_real_store("influxd-2.9.1-user-deleted", tmp_path / "influxd.bolt")
    row = listed(path)[GRAF]
    assert (row.place, row.user, row.source_path) == (Place.FREED, "grafana", None)
    assert row.because == "its user grafana (11b4fe5c8b8e3000) is deleted, too"
    with pytest.raises(RefusedError) as caught:
        change(path, undeletion(path, GRAF))
    (way,) = ways(caught.value.hint)
    assert isinstance(way, Run)
    assert way.operation == "user undelete"


def test_several_come_back_in_one_transaction(made: MadeStore, tmp_path: Path) -> None:
    copy = tmp_path / "copy.bolt"
    copy.write_bytes(made.path.read_bytes())
    delete(made, made.reader, made.hashed, made.operator)
    outcome = change(
        made.path, undeletion(made.path, made.reader, made.hashed, made.operator, copies=(copy,))
    )
    assert outcome.proposal.plan.facts["authorization_ids"] == [
        made.reader,
        made.hashed,
        made.operator,
    ]
    assert all(accepts(made.path, token) for token in (OPERATOR_TOKEN, READER_TOKEN, HASHED_TOKEN))


def test_one_that_is_there_is_refused_and_ensured(made: MadeStore) -> None:
    with pytest.raises(RefusedError, match="there is an authorization"):
        change(made.path, undeletion(made.path, made.reader))
    ensured = replace(undeletion(made.path, made.reader), is_ensured=True)
    assert not change(made.path, ensured).is_changed


def test_one_that_was_never_there_is_not_found_and_the_others_are_named(made: MadeStore) -> None:
    delete(made, made.operator)
    with pytest.raises(NotFoundError, match="alice's Token"):
        change(made.path, undeletion(made.path, Id("0000000000000abc")))


@pytest.mark.parametrize("form", ["raw", "hashed"])
def test_a_token_that_another_record_has_is_refused(made: MadeStore, form: str) -> None:
    taken = made.operator if form == "raw" else made.hashed
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        record = tx.authorizations.load(taken)
        assert record is not None
    delete(made, taken)
    other = decode_authorization(record.rewritten({"id": "0000000000000abc"}))
    edit(made.path, lambda tx: tx.authorizations.insert(other))
    assert listed(made.path)[taken].because == "its token is that of authorization 0000000000000abc"
    with pytest.raises(RefusedError, match="its token is that of authorization"):
        change(made.path, undeletion(made.path, taken))


def test_a_hash_of_a_token_that_is_there_raw_is_refused(made: MadeStore) -> None:
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        record = tx.authorizations.load(made.hashed)
        assert record is not None
    delete(made, made.hashed)
    raw = {"id": "0000000000000abc", "token": HASHED_TOKEN, "hashedToken": None}
    other = decode_authorization(record.rewritten(raw))
    edit(made.path, lambda tx: tx.authorizations.insert(other))
    assert listed(made.path)[made.hashed].because is not None


def test_a_hash_is_refused_where_servers_know_none(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    old = make_store(tmp_path / "old.bolt", level=18)
    because = listed(old.path, made.path)[made.hashed].because
    assert because == "its token is hashed, and servers of level 18 know no hashes"


def test_a_missing_organization_is_named(made: MadeStore) -> None:
    delete(made, made.operator)
    edit(made.path, lambda tx: tx.table("organizationsv1").delete(made.org.encode()))
    assert listed(made.path)[made.operator].because == f"its organization {made.org} is missing"
    with pytest.raises(RefusedError, match="is missing"):
        change(made.path, undeletion(made.path, made.operator))


def test_a_user_of_whom_nothing_is_left_is_named(made: MadeStore, tmp_path: Path) -> None:
    change(made.path, DeleteUser(user=UserChoice(name="bob", user_id=None), with_tokens=False))
    compacted = tmp_path / "compacted.bolt"
    with bolt_store.open(made.path) as db:
        bolt_store.compact(db, compacted)
    delete(made, made.reader)
    because = listed(made.path, compacted)[made.reader].because
    assert because == f"its user {made.bob} is missing, and nothing of it was found"


def test_of_two_states_the_one_that_was_changed_last_comes_back(
    made: MadeStore, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.bolt", tmp_path / "second.bolt"
    first.write_bytes(made.path.read_bytes())
    clock = FixedClock(CHANGED_AT)
    change(made.path, SetStatus(authorization_id=made.reader, is_active=False, clock=clock))
    second.write_bytes(made.path.read_bytes())
    delete(made, made.reader)
    outcome = change(made.path, undeletion(made.path, made.reader, copies=(first, second)))
    warnings = " ".join(outcome.proposal.plan.warnings)
    assert "2 states" in warnings
    assert "was inactive when it was deleted" in warnings
    assert not accepts(made.path, READER_TOKEN)


def test_a_copy_that_was_named_alone_decides(made: MadeStore, tmp_path: Path) -> None:
    first = tmp_path / "first.bolt"
    first.write_bytes(made.path.read_bytes())
    clock = FixedClock(CHANGED_AT)
    change(made.path, SetStatus(authorization_id=made.reader, is_active=False, clock=clock))
    delete(made, made.reader)
    change(made.path, undeletion(made.path, made.reader, copies=(first,)))
    assert accepts(made.path, READER_TOKEN)


def test_a_record_of_a_1x_client_never_becomes_a_token(made: MadeStore) -> None:
    """Its user name is no secret, and it would be the token."""
    edit(made.path, lambda tx: tx.legacy_authorizations.delete(made.legacy))
    assert made.legacy not in listed(made.path)
    long_name = "a-user-name-of-more-than-thirty-two-characters"
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        reader = tx.authorizations.load(made.reader)
        assert reader is not None
    ids = [f"00000000000000{number:02x}" for number in range(20, 50)]
    for one in ids:
        changes = {"id": one, "token": f"{long_name}{one}"}
        legacy = decode_authorization(reader.rewritten(changes))
        edit(made.path, lambda tx, legacy=legacy: tx.legacy_authorizations.insert(legacy))  # type: ignore[misc] # bound now
    for one in ids:
        edit(made.path, lambda tx, one=one: tx.legacy_authorizations.delete(Id(one)))  # type: ignore[misc] # bound now
    assert not set(ids) & listed(made.path).keys()


def test_nothing_that_is_listed_holds_a_secret(made: MadeStore) -> None:
    delete(made, made.operator)
    delete(made, made.hashed)
    text = repr(listed(made.path)) + repr(traces_of(made.path))
    assert OPERATOR_TOKEN not in text
    assert "$influxdb2-" not in text


def test_a_rotated_token_comes_back_with_a_warning(made: MadeStore) -> None:
    delete(made, made.operator)
    deletions = {str(made.operator): "auth rotate of 2026-01-02T03:04:05Z"}
    planner = replace(undeletion(made.path, made.operator), deletions=deletions)
    warnings = change(made.path, planner).proposal.plan.warnings
    assert any("perhaps it has leaked" in one for one in warnings)


def test_a_token_of_a_user_that_is_back_works(made: MadeStore) -> None:
    change(made.path, DeleteUser(user=UserChoice(name="bob", user_id=None), with_tokens=True))
    row = listed(made.path)[made.reader]
    assert row.because == f"its user bob ({made.bob}) is deleted, too"
