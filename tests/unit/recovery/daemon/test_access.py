"""For whom the console key acts."""

from pathlib import Path

import pytest

from recovery.daemon.access import Access, ConsoleKey, user_permissions
from recovery.daemon.sessions import Sessions
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.metastore.users import Users
from recovery.model.ids import Id
from recovery.model.mapping import INSTANCE, Mapping, by_user_key, instance_owner, mapping_key
from recovery.model.user import decode_user
from recovery.ports import SystemRng
from recovery.secret import Secret
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, edit, make_store


def chosen(store: MetaStore, as_user: Id | None = None) -> Id | None:
    sessions = Sessions(FixedClock(CHANGED_AT), SystemRng())
    access = Access(sessions, console_key=ConsoleKey.of(Secret("key")), as_user=as_user)
    with store.view() as tx:
        return access.console_caller(tx).user_id


def test_the_console_key_acts_for_the_first_owner_and_looks_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    with MetaStore.open(made.path, write=True) as store:
        assert chosen(store) == made.alice  # owner of an organization
        assert chosen(store, made.bob) == made.bob
        with store.update() as tx:
            tx.mappings.put(instance_owner(made.bob))
            monkeypatch.setattr(Users, "walk", _too_slow)
        assert chosen(store) == made.bob
        assert chosen(store, made.alice) == made.alice


def test_an_inactive_owner_is_passed_over(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    with MetaStore.open(made.path, write=True) as store:
        with store.update() as tx:
            tx.mappings.put(instance_owner(made.bob))
            bob = tx.users.get(made.bob)
            assert bob is not None
            tx.users.update(bob, decode_user(bob.rewritten({"status": "inactive"})))
        assert chosen(store) == made.alice
        assert chosen(store, made.bob) is None


def test_the_role_of_another_user_gives_nothing(tmp_path: Path) -> None:
    """As on the server, which looks into what the index leads to."""
    made = make_store(tmp_path / "influxd.bolt", level=21)
    edit(made.path, lambda tx: _lead_to_role_of(tx, made.bob, instance_owner(made.alice)))
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        assert INSTANCE in {one.type for one in user_permissions(tx, made.alice)}
        assert INSTANCE not in {one.type for one in user_permissions(tx, made.bob)}


def _lead_to_role_of(tx: MetaTx, user_id: Id, role: Mapping) -> None:
    tx.mappings.put(role)
    tx.table("userresourcemappingsbyuserindexv1").put(
        by_user_key(role.resource_id, user_id), mapping_key(role.resource_id, role.user_id)
    )


def _too_slow(*_: object) -> None:
    raise AssertionError("all users are walked, after each change")
