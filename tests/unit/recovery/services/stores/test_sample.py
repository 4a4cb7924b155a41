"""The sample store: valid, level 21, nobody an operator."""

import stat
from pathlib import Path

import pytest

import bolt_store
from recovery.errors import ConflictError
from recovery.metastore.store import MetaStore
from recovery.model.bucket import SYSTEM_BUCKETS
from recovery.model.catalogue import decode_catalogue
from recovery.model.schema import buckets_of_level
from recovery.services.authorizations.listing import (
    OperatorState,
    list_authorizations,
)
from recovery.services.stores.sample import make_sample_store
from recovery.services.tenancy.organization_listing import list_organizations
from recovery.services.tenancy.user_listing import list_users
from tests.support.invariants import assert_invariants
from tests.support.ports import FixedClock
from tests.support.stores import MADE_AT, SeededRng, open_view


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sample store."""
    path = tmp_path / "influxd.bolt"
    made = make_sample_store(path, clock=FixedClock(MADE_AT), rng=SeededRng())
    assert made.path == path
    assert made.organization == "example-org"
    assert made.usernames == ("alice", "bob")
    return path


def test_it_is_sound_and_keeps_every_invariant(path: Path) -> None:
    with bolt_store.open(path) as db:
        assert list(db.check()) == []
    assert_invariants(path)


def test_it_is_for_its_owner_only(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["influxd.bolt"]


def test_it_has_the_buckets_of_a_real_store_of_its_level(path: Path, level21_bolt: Path) -> None:
    def names(store: Path) -> list[bytes]:
        with bolt_store.open(store) as db, db.view() as tx:
            return [name for name, _ in tx.buckets()]

    assert names(path) == names(level21_bolt)
    assert len(names(path)) == len(buckets_of_level(21)) == 54


def test_it_has_two_users_and_no_operator(path: Path) -> None:
    with open_view(path) as view:
        users = list(list_users(view.tx).rows)
        (organization,) = list_organizations(view.tx).rows
        listing = list_authorizations(view.tx)
        (authorization,) = listing.rows
    assert [(user.name, user.status, user.has_password) for user in users] == [
        ("alice", "active", False),
        ("bob", "active", False),
    ]
    assert [one.user for one in organization.owners] == ["alice"]
    assert [one.user for one in organization.members] == ["bob"]
    assert authorization.operator is OperatorState.NO
    assert authorization.is_usable
    assert authorization.user == "bob"


def test_each_of_its_buckets_is_known_to_the_engine(path: Path) -> None:
    """Otherwise influxd would exit at its start."""
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        buckets = list(tx.buckets.walk([]))
        catalogue = tx.catalogue.read()
    assert catalogue is not None
    assert sorted(one.name for one in decode_catalogue(catalogue).databases) == sorted(
        bucket.id for bucket in buckets
    )
    assert {bucket.name for bucket in buckets} == {
        *(system.name for system in SYSTEM_BUCKETS),
        "sensors",
    }


def test_the_same_clock_and_randomness_make_the_same_bytes(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_sample_store(other, clock=FixedClock(MADE_AT), rng=SeededRng())
    assert other.read_bytes() == path.read_bytes()


def test_no_file_is_ever_replaced(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ConflictError):
        make_sample_store(path, clock=FixedClock(MADE_AT), rng=SeededRng())
    assert path.read_bytes() == before
