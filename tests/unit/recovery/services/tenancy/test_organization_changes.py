"""Organizations and roles: exactly the keys of the recipes, on stores of every level."""

import json
from pathlib import Path

import pytest

from recovery.errors import (
    AmbiguousError,
    ConflictError,
    NotFoundError,
    RecoveryError,
    RefusedError,
)
from recovery.metastore.store import MetaStore
from recovery.model.bucket import DAY_NS
from recovery.model.catalogue import decode_catalogue
from recovery.model.mapping import MEMBER, OWNER
from recovery.services.changes.plan import Planner
from recovery.services.tenancy.organization_changes import (
    CreateOrganization,
    RemoveRole,
    RenameOrganization,
    SetInstanceOwner,
    SetRole,
)
from tests.support.invariants import assert_invariants
from tests.support.oracle import Kind, Oracle
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    CHANGED_AT_TEXT,
    LEVELS,
    Difference,
    MadeStore,
    SeededRng,
    change,
    difference,
    make_store,
)


@pytest.fixture(params=LEVELS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=request.param)


@pytest.fixture
def newest(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


def create(
    name: str = "third", *, owner: str | None = "bob", is_ensured: bool = False
) -> CreateOrganization:
    return CreateOrganization(
        name=name,
        description="what it is for",
        owner=owner,
        is_ensured=is_ensured,
        clock=FixedClock(CHANGED_AT),
        rng=SeededRng(8),
    )


def changes_of(store: Path, planner: Planner, oracle: Oracle) -> Difference:
    before = oracle.dump(store)
    change(store, planner)
    assert oracle.check(store) == []
    return difference(before, oracle.dump(store))


def test_a_new_organization_has_all_that_influxd_needs_to_start(
    made: MadeStore, oracle: Oracle
) -> None:
    """The official command leaves the catalogue out, and the server does not start."""
    found = changes_of(made.path, create("  third "), oracle)
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
        "changed": ["v1_tsm1_metadata"],
    }
    kinds: dict[str, Kind] = {
        "organizationsv1": "org",
        "bucketsv1": "bucket",
        "userresourcemappingsv1": "mapping",
    }
    written = [(kinds[n], value) for (n, _), value in found.added.items() if n in kinds]
    assert oracle.rewrite_records(written) == [value for _, value in written]
    assert_invariants(made.path)
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        catalogue = decode_catalogue(tx.catalogue.read() or b"")
        ours = [one for one in tx.organizations.walk([]) if one.name == "third"]
        retentions = {b.name: b.retention_ns for b in tx.buckets.walk([]) if b.org_id == ours[0].id}
    assert len(ours) == 1
    assert retentions == {"_tasks": 3 * DAY_NS, "_monitoring": 7 * DAY_NS}
    assert len(catalogue.databases) == 7


def test_a_new_organization_belongs_to_its_owner(newest: MadeStore, oracle: Oracle) -> None:
    found = changes_of(newest.path, create(), oracle)
    (mapping,) = [v for (name, _), v in found.added.items() if name == "userresourcemappingsv1"]
    assert (json.loads(mapping)["userID"], json.loads(mapping)["userType"]) == (
        newest.bob,
        "owner",
    )


def test_an_organization_that_is_ensured_a_second_time_changes_nothing(newest: MadeStore) -> None:
    assert change(newest.path, create(is_ensured=True)).is_changed
    before = newest.path.read_bytes()
    assert not change(newest.path, create(is_ensured=True)).is_changed
    assert newest.path.read_bytes() == before


@pytest.mark.parametrize(
    ("planner", "error"),
    [
        (create("acme"), ConflictError),
        (create(" acme\t"), ConflictError),
        (create(" "), RefusedError),
        (create(owner=None), AmbiguousError),
        (create(owner="nobody"), NotFoundError),
        (
            RenameOrganization(name="acme", new_name="other", clock=FixedClock(CHANGED_AT)),
            ConflictError,
        ),
        (RenameOrganization(name=None, new_name="x", clock=FixedClock(CHANGED_AT)), AmbiguousError),
        (SetRole(username="nobody", organization="acme", role=OWNER), NotFoundError),
        (SetRole(username="bob", organization="nobody", role=OWNER), NotFoundError),
        (RemoveRole(username="bob", organization="other"), NotFoundError),
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


def test_a_rename_moves_the_index_entry_and_stamps_the_time(
    made: MadeStore, oracle: Oracle
) -> None:
    planner = RenameOrganization(name="acme", new_name=" acme2 ", clock=FixedClock(CHANGED_AT))
    found = changes_of(made.path, planner, oracle)
    assert found.places == {
        "added": ["organizationindexv1"],
        "removed": ["organizationindexv1"],
        "changed": ["organizationsv1"],
    }
    record = json.loads(next(iter(found.changed.values())))
    assert (record["name"], record["updatedAt"]) == ("acme2", CHANGED_AT_TEXT)
    assert_invariants(made.path)
    again = RenameOrganization(name="acme2", new_name="acme2", clock=FixedClock(CHANGED_AT))
    assert not change(made.path, again).is_changed


def test_a_rename_in_case_only_keeps_one_index_entry(newest: MadeStore, oracle: Oracle) -> None:
    planner = RenameOrganization(name="acme", new_name="ACME", clock=FixedClock(CHANGED_AT))
    changes_of(newest.path, planner, oracle)
    assert_invariants(newest.path)


def test_a_role_takes_the_place_of_another_one(made: MadeStore, oracle: Oracle) -> None:
    found = changes_of(made.path, SetRole(username="bob", organization="acme", role=OWNER), oracle)
    assert found.places == {"changed": ["userresourcemappingsv1"]}
    assert b'"userType":"owner"' in next(iter(found.changed.values()))
    assert_invariants(made.path)
    assert not change(
        made.path, SetRole(username="bob", organization="acme", role=OWNER)
    ).is_changed


def test_a_first_role_is_a_mapping_and_its_index_entry(made: MadeStore, oracle: Oracle) -> None:
    planner = SetRole(username="bob", organization="other", role=MEMBER)
    assert changes_of(made.path, planner, oracle).places == {
        "added": ["userresourcemappingsbyuserindexv1", "userresourcemappingsv1"]
    }
    assert_invariants(made.path)


def test_the_end_of_a_role_removes_both(made: MadeStore, oracle: Oracle) -> None:
    planner = RemoveRole(username="bob", organization="acme")
    assert changes_of(made.path, planner, oracle).places == {
        "removed": ["userresourcemappingsbyuserindexv1", "userresourcemappingsv1"]
    }
    assert_invariants(made.path)


def test_the_end_of_the_only_owner_is_warned_of(newest: MadeStore) -> None:
    done = change(newest.path, RemoveRole(username="alice", organization="other"), is_dry_run=True)
    assert any("only owner" in warning for warning in done.proposal.plan.warnings)


def test_an_owner_of_the_instance_needs_a_server_that_knows_one(
    made: MadeStore, oracle: Oracle
) -> None:
    planner = SetInstanceOwner(username="alice")
    if made.level < 20:
        with pytest.raises(RefusedError, match="level"):
            change(made.path, planner)
        return
    found = changes_of(made.path, planner, oracle)
    (mapping,) = [v for (name, _), v in found.added.items() if name == "userresourcemappingsv1"]
    assert json.loads(mapping) == {
        "userID": made.alice,
        "userType": "owner",
        "mappingType": "user",
        "resourceType": "instance",
        "resourceID": "0000000000000001",
    }
    assert_invariants(made.path)
    assert not change(made.path, planner).is_changed


@pytest.mark.parametrize("level", [17, 21])
def test_the_recipes_hold_on_stores_of_real_servers(
    stores_dir: Path, tmp_path: Path, oracle: Oracle, level: int
) -> None:
    store = tmp_path / "influxd.bolt"
    store.write_bytes((stores_dir / f"level{level}.bolt").read_bytes())
    before = oracle.dump(store)
    change(store, create("second", owner=None))
    assert oracle.check(store) == []
    assert_invariants(store)
    found = difference(before, oracle.dump(store))
    assert (len(found.added), found.removed) == (8, {})
    assert [name for name, _ in found.changed] == ["v1_tsm1_metadata"]
