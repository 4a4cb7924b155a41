"""Recipes: each writes one thing with everything that the server needs beside it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.errors import StoreDamagedError
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import DAY_NS, TYPE_USER
from recovery.model.catalogue import KEY, decode_catalogue
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource
from recovery.model.mapping import MEMBER, OWNER
from recovery.services.tenancy.writing import (
    BucketWish,
    write_bucket,
    write_organization,
    write_role,
    write_user,
)
from tests.support.invariants import assert_invariants
from tests.support.oracle import Dump
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    LEVELS,
    Difference,
    MadeStore,
    SeededRng,
    difference,
    edit,
    make_store,
)

Writer = Callable[[MetaTx], None]
CATALOGUE = "v1_tsm1_metadata"
NOW = format_time(CHANGED_AT)
WISH = BucketWish(name="new", description="", kind=TYPE_USER, retention_ns=DAY_NS)


@pytest.fixture(params=LEVELS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> MadeStore:
    """A store of each level."""
    return make_store(tmp_path / "influxd.bolt", level=request.param)


def ids() -> IdSource:
    """Return a source of IDs that no store has seen."""
    return IdSource(FixedClock(CHANGED_AT), SeededRng(99))


def test_a_user_is_a_record_and_an_index_entry(made: MadeStore) -> None:
    def write(tx: MetaTx) -> None:
        write_user(tx, name="Ölaf", ids=ids())

    found = changed_by(made, write)
    assert found.places == {"added": ["userindexv1", "usersv1"]}
    assert found.added["userindexv1", "Ölaf".encode()] in {key for _, key in found.added}
    assert_invariants(made.path)


def test_an_organization_comes_with_buckets_catalogue_entries_and_an_owner(
    made: MadeStore,
) -> None:
    def write(tx: MetaTx) -> None:
        write_organization(
            tx, name=" spaced ", description="d", owner_id=made.bob, ids=ids(), now=NOW
        )

    found = changed_by(made, write)
    assert found.places == {
        "added": [
            "bucketindexv1",
            "bucketindexv1",
            "bucketsv1",
            "bucketsv1",
            "organizationindexv1",
            "organizationsv1",
            "userresourcemappingsbyuserindexv1",
            "userresourcemappingsv1",
        ],
        "changed": [CATALOGUE],
    }
    assert ("organizationindexv1", b"spaced") in found.added
    catalogue = decode_catalogue(found.changed[CATALOGUE, KEY])
    databases = [one.name for one in catalogue.databases]
    buckets = [key.decode() for name, key in found.added if name == "bucketsv1"]
    assert set(buckets) <= set(databases)
    assert_invariants(made.path)


def changed_by(made: MadeStore, write: Writer) -> Difference:
    """Return what a recipe does to the keys of a store."""
    before = Dump.of_file(made.path)
    edit(made.path, write)
    return difference(before, Dump.of_file(made.path))


def test_a_bucket_is_a_record_an_index_entry_and_a_catalogue_entry(made: MadeStore) -> None:
    found = changed_by(made, new_bucket(made.org))
    assert found.places == {"added": ["bucketindexv1", "bucketsv1"], "changed": [CATALOGUE]}
    assert_invariants(made.path)


def test_a_role_takes_the_place_of_another(made: MadeStore) -> None:
    found = changed_by(
        made, lambda tx: write_role(tx, org_id=made.org, user_id=made.bob, role=OWNER)
    )
    assert found.places == {"changed": ["userresourcemappingsv1"]}
    found = changed_by(
        made, lambda tx: write_role(tx, org_id=made.other_org, user_id=made.bob, role=MEMBER)
    )
    assert found.places == {
        "added": ["userresourcemappingsbyuserindexv1", "userresourcemappingsv1"]
    }
    assert_invariants(made.path)


@pytest.mark.parametrize("value", [None, b"\xff\xff\xff", b"\x08"])
def test_a_store_whose_catalogue_is_lost_or_odd_gets_no_bucket(
    level21_bolt: Path, value: bytes | None
) -> None:
    """A bucket without its entry would keep influxd from starting."""

    def spoil(tx: MetaTx) -> None:
        if value is None:
            tx.table(CATALOGUE).delete(KEY)
        else:
            tx.table(CATALOGUE).put(KEY, value)

    edit(level21_bolt, spoil)
    before = level21_bolt.read_bytes()
    with MetaStore.open(level21_bolt, write=True) as store:
        with pytest.raises(StoreDamagedError, match="catalogue"), store.update() as tx:
            new_bucket(Id("dd7cd2292f6e974a"))(tx)
        assert level21_bolt.read_bytes() == before


def new_bucket(org_id: Id) -> Writer:
    def write(tx: MetaTx) -> None:
        write_bucket(tx, WISH, org_id=org_id, ids=ids(), now=NOW)

    return write
