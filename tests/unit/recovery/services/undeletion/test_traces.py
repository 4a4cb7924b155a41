"""Where deleted records are looked for."""

from pathlib import Path

import pytest

import bolt_store
from recovery.errors import StoreDamagedError
from recovery.model.mapping import MEMBER, OWNER, Mapping
from recovery.secret import Secret
from recovery.services.authorizations.changes import DeleteAuthorization
from recovery.services.session import Session
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser, SetPassword
from recovery.services.undeletion.traces import CopyFile, Place, Traces, gather
from tests.support.stores import MadeStore, change, edit, traces_of

BOB = UserChoice(name="bob", user_id=None)


def spoil_older_meta(path: Path) -> None:
    """Leave what was deleted to the freed pages alone."""
    with bolt_store.open(path) as db:
        at = db.slot * db.meta.page_size_bytes + 70
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_store_from_which_nothing_was_deleted_has_no_traces(made: MadeStore) -> None:
    traces = traces_of(made.path)
    assert (traces.tokens, traces.users) == ({}, {})


def test_of_contradicting_passwords_none_counts(made: MadeStore) -> None:
    for number in (1, 2):
        password = Secret(f"canary-password-{number}")
        change(
            made.path,
            SetPassword(user=BOB, password=password, is_activated=False, is_ensured=False),
        )
    change(made.path, DeleteUser(user=BOB, with_tokens=False))
    (older,) = traces_of(made.path).users[made.bob]
    assert older.password is not None
    spoil_older_meta(made.path)
    (freed,) = traces_of(made.path).users[made.bob]
    assert (freed.origin.place, freed.password) == (Place.FREED, None)
    assert freed.user.document == older.user.document


def test_of_two_roles_in_one_resource_freed_pages_give_the_lesser(made: MadeStore) -> None:
    role = Mapping(user_id=made.bob, user_type=OWNER, resource_type="orgs", resource_id=made.org)
    edit(made.path, lambda tx: tx.mappings.put(role))
    change(made.path, DeleteUser(user=BOB, with_tokens=False))
    (older,) = traces_of(made.path).users[made.bob]
    assert [one.user_type for one in older.roles] == [OWNER]
    spoil_older_meta(made.path)
    (freed,) = traces_of(made.path).users[made.bob]
    assert [one.user_type for one in freed.roles] == [MEMBER]


def look(made: MadeStore, copy: Path, *, is_named: bool) -> Traces:
    with Session.open(made.path) as session:
        file = CopyFile(path=copy, made_at=None, is_named=is_named)
        return gather(session.store, [file], has_own=False)


def test_a_copy_beside_the_store_that_cannot_be_read_is_told_and_passed_over(
    made: MadeStore, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.bolt"
    copy.write_bytes(b"junk" * 5000)
    (problem,) = look(made, copy, is_named=False).problems
    assert str(copy) in problem
    with pytest.raises(StoreDamagedError):
        look(made, copy, is_named=True)


def test_freed_pages_of_a_named_copy_are_looked_at(made: MadeStore, tmp_path: Path) -> None:
    copy = tmp_path / "copy.bolt"
    change(made.path, DeleteAuthorization(authorization_id=made.operator, is_ensured=False))
    copy.write_bytes(made.path.read_bytes())
    assert made.operator not in look(made, copy, is_named=False).tokens
    (trace,) = look(made, copy, is_named=True).tokens[made.operator]
    assert trace.origin.path == copy
    assert trace.origin.place is Place.OLDER
    assert str(trace.origin) == f"the older snapshot of {copy}"


def test_an_older_state_whose_pages_were_used_again_is_no_error(made: MadeStore) -> None:
    change(made.path, DeleteAuthorization(authorization_id=made.operator, is_ensured=False))
    with bolt_store.open(made.path) as db:
        older, size = db.pager.older.meta, db.meta.page_size_bytes
    assert older is not None
    content = bytearray(made.path.read_bytes())
    content[older.root_pgid * size : (older.root_pgid + 1) * size] = bytes(size)
    made.path.write_bytes(content)
    (trace,) = traces_of(made.path).tokens[made.operator]
    assert trace.origin.place is Place.FREED
