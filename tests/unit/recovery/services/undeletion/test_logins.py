"""Deleted 1.x logins come back with their password."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.errors import NotFoundError, RefusedError
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.remedy import Run, ways
from recovery.secret import Secret
from recovery.services.authorizations.v1_auth import DeleteLegacy, SetLegacyPassword
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser
from recovery.services.undeletion.logins import DeletedLogin, UndeleteLogin, list_deleted_logins
from recovery.services.undeletion.traces import Place
from tests.support.stores import MadeStore, all_keys, change, edit, traces_of


def undeletion(path: Path, which: str = "grafana", *copies: Path) -> UndeleteLogin:
    return UndeleteLogin(which=which, traces=traces_of(path, *copies))


def listed(path: Path, *copies: Path) -> dict[str, DeletedLogin]:
    traces = traces_of(path, *copies)
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return {one.id: one for one in list_deleted_logins(tx, traces, {})}


def delete(path: Path, which: str = "grafana") -> None:
    change(path, DeleteLegacy(which=which, is_ensured=False))


@pytest.mark.parametrize("by_name", [True, False])
def test_a_login_comes_back_byte_for_byte(made: MadeStore, *, by_name: bool) -> None:
    before = all_keys(made.path)
    delete(made.path)
    (row,) = listed(made.path).values()
    assert (row.id, row.username, row.place) == (made.legacy, "grafana", Place.OLDER)
    assert (row.has_password, row.because) == (True, None)
    change(made.path, undeletion(made.path, "grafana" if by_name else made.legacy))
    assert all_keys(made.path) == before


def test_it_is_found_on_freed_pages(made: MadeStore) -> None:
    """Another commit, and the older snapshot does not hold it any more."""
    before = all_keys(made.path)
    delete(made.path)
    edit(made.path, lambda tx: tx.table("variablesv1").put(b"x", b"x"))
    assert listed(made.path)[made.legacy].place is Place.FREED
    change(made.path, undeletion(made.path))
    edit(made.path, lambda tx: tx.table("variablesv1").delete(b"x"))
    assert all_keys(made.path) == before


def test_it_is_found_in_a_copy(made: MadeStore, tmp_path: Path) -> None:
    copy = tmp_path / "copy.bolt"
    copy.write_bytes(made.path.read_bytes())
    password = Secret("canary-another-password")
    change(made.path, SetLegacyPassword(which="grafana", password=password, is_ensured=False))
    delete(made.path)
    row = listed(made.path, copy)[made.legacy]
    assert (row.place, row.source_path, row.has_password) == (Place.COPY, copy, True)


def test_with_ensure_what_is_there_is_well(made: MadeStore) -> None:
    delete(made.path)
    traces = traces_of(made.path)
    change(made.path, UndeleteLogin(which="grafana", traces=traces))
    before = made.path.read_bytes()
    again = UndeleteLogin(which="grafana", traces=traces_of(made.path), is_ensured=True)
    change(made.path, again)
    assert made.path.read_bytes() == before
    with pytest.raises(RefusedError, match="there is a 1"):
        change(made.path, undeletion(made.path))


def _same_name(tx: MetaTx, made: MadeStore) -> None:
    taken = tx.legacy_authorizations
    record = taken.load(Id(made.legacy))
    assert record is not None
    document = record.document.replace(made.legacy.encode(), b"00000000000000aa")
    tx.table("legacy/authorizationsv1").put(b"00000000000000aa", document)
    tx.table("legacy/authorizationindexv1").put(b"grafana", b"00000000000000aa")
    taken.delete(Id(made.legacy))


def _no_organization(tx: MetaTx, made: MadeStore) -> None:
    tx.table("organizationsv1").delete(made.org.encode())


@pytest.mark.parametrize(
    ("spoil", "problem", "command"),
    [
        (_same_name, "00000000000000aa has its user name", "v1-auth delete"),
        (_no_organization, "its organization", "store undo"),
    ],
)
def test_what_contradicts_the_store_is_refused(
    made: MadeStore,
    tmp_path: Path,
    spoil: Callable[[MetaTx, MadeStore], None],
    problem: str,
    command: str,
) -> None:
    copy = tmp_path / "copy.bolt"
    copy.write_bytes(made.path.read_bytes())
    if spoil is not _same_name:
        delete(made.path)
    edit(made.path, lambda tx: spoil(tx, made))
    with pytest.raises(RefusedError, match=problem) as refused:
        change(made.path, undeletion(made.path, made.legacy, copy))
    hints = ways(refused.value.hint)
    assert command in [one.operation for one in hints if isinstance(one, Run)]


def test_its_user_comes_back_first(made: MadeStore) -> None:
    change(made.path, DeleteUser(user=UserChoice(name="bob", user_id=None), with_tokens=True))
    (row,) = listed(made.path).values()
    assert "its user bob" in str(row.because)
    with pytest.raises(RefusedError, match="is deleted, too"):
        change(made.path, undeletion(made.path))


def test_what_never_was_is_not_found(made: MadeStore) -> None:
    delete(made.path)
    with pytest.raises(NotFoundError, match="grafana"):
        change(made.path, undeletion(made.path, "nobody"))


def test_a_token_is_never_shown_as_a_user_name(made: MadeStore) -> None:
    """Both records look alike; where nothing tells which it is, it is left alone."""
    edit(made.path, lambda tx: tx.authorizations.delete_all((Id(made.reader),)))
    assert listed(made.path) == {}
