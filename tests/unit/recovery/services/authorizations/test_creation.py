"""Making an authorization with any permissions and with a given token."""

import json
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from recovery.errors import NotFoundError, RefusedError
from recovery.metastore.store import MetaStore
from recovery.model.ids import Id
from recovery.model.permission import Permission, types_of_level
from recovery.secret import Secret
from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest
from recovery.services.authorizations.request_body import RequestBody
from tests.support.invariants import assert_invariants, hash_of
from tests.support.oracle import Oracle
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    CHANGED_AT_TEXT,
    HASHED_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    MemoryDestination,
    SeededRng,
    change,
    difference,
    edit,
    make_store,
)

GIVEN = "a-token-that-clients-have-already"
READ_SENSORS = PermissionRequest(read_buckets=("sensors",))


def planner(request: PermissionRequest = READ_SENSORS, **fields: object) -> CreateAuthorization:
    made = CreateAuthorization(
        username="bob",
        organization="acme",
        description="",
        request=request,
        form=FormChoice.BY_STORE,
        server_hashes=None,
        token=None,
        is_ensured=False,
        clock=FixedClock(CHANGED_AT),
        rng=SeededRng(7),
    )
    return replace(made, **fields)


def permissions_of(path: Path, planned: CreateAuthorization) -> list[Permission]:
    """Plan on a store and read what the new record would permit."""
    with MetaStore.open(path, write=False) as opened, opened.view() as tx:
        user = tx.users.indexed_id("bob")
        assert user is not None
        org = next(one for one in tx.organizations.walk([]) if one.name == "acme")
        return planned.request.resolve(tx, organization=org, user_id=user)


def test_one_record_and_one_index_entry_are_added_and_the_go_witness_agrees(
    store: MadeStore, oracle: Oracle
) -> None:
    before = oracle.dump(store.path)
    destination = MemoryDestination()
    outcome = change(store.path, planner(), destination=destination)
    changed = difference(before, oracle.dump(store.path))
    is_hashed = store.level == 21
    index = "authorizationhashedindexv1" if is_hashed else "authorizationindexv1"
    assert {"added": sorted([index, "authorizationsv1"])} == changed.places
    (record_id,) = outcome.proposal.plan.record_ids
    document = changed.added["authorizationsv1", record_id.encode()]
    (token,) = destination.delivered
    key = hash_of(token.reveal()) if is_hashed else token.reveal()
    assert record_id.encode() == changed.added[index, key.encode()]
    assert {
        "id": record_id,
        "hashedToken" if is_hashed else "token": key,
        "status": "active",
        "description": "",
        "orgID": store.org,
        "userID": store.bob,
        "permissions": [
            {
                "action": "read",
                "resource": {"type": "buckets", "id": store.bucket, "orgID": store.org},
            }
        ],
        "createdAt": CHANGED_AT_TEXT,
        "updatedAt": CHANGED_AT_TEXT,
    } == json.loads(document)
    assert [document] == oracle.rewrite_records([("authorization", document)])
    assert oracle.check(store.path) == []
    assert_invariants(store.path)


@pytest.mark.parametrize("name", ["level17", "level21"])
def test_a_real_store_gets_the_new_record_and_nothing_else(
    name: str, stores_dir: Path, tmp_path: Path, oracle: Oracle
) -> None:
    path = tmp_path / "influxd.bolt"
    shutil.copyfile(stores_dir / f"{name}.bolt", path)
    before = oracle.dump(path)
    made = planner(PermissionRequest(is_all_access=True), username=None, organization=None)
    change(path, made, destination=MemoryDestination())
    places = difference(before, oracle.dump(path)).places
    assert [*places] == ["added"]
    assert len(places["added"]) == 2
    assert_invariants(path)


def test_an_operator_has_all_types_of_the_level_in_both_actions(store: MadeStore) -> None:
    found = permissions_of(store.path, planner(PermissionRequest(is_operator=True)))
    assert {(a, t) for t in types_of_level(store.level) for a in ("read", "write")} == {
        (p.action, p.type) for p in found if p.is_global
    }
    assert len(found) == {17: 40, 18: 40}.get(store.level, 44)


def test_all_access_has_the_number_of_permissions_that_the_influx_command_sends(
    store: MadeStore,
) -> None:
    found = permissions_of(store.path, planner(PermissionRequest(is_all_access=True)))
    assert len(found) == {17: 39, 18: 39}.get(store.level, 43)
    assert Permission(action="read", type="orgs", id=store.org) in found
    assert Permission(action="write", type="orgs", id=store.org) not in found
    assert Permission(action="write", type="users", id=store.bob) in found
    assert Permission(action="write", type="buckets", org_id=store.org) in found


def test_typed_permissions_are_bound_to_the_organization_except_orgs_and_users(
    made: MadeStore,
) -> None:
    request = PermissionRequest(read_types=("users", "buckets"), write_types=("buckets", "orgs"))
    assert [
        Permission(action="read", type="buckets", org_id=made.org),
        Permission(action="write", type="buckets", org_id=made.org),
        Permission(action="write", type="orgs"),
        Permission(action="read", type="users"),
    ] == permissions_of(made.path, planner(request))


def test_a_bucket_is_named_by_its_id_or_its_name_and_counts_once(made: MadeStore) -> None:
    request = PermissionRequest(read_buckets=("sensors", made.bucket), write_buckets=("_tasks",))
    found = permissions_of(made.path, planner(request))
    assert [permission.action for permission in found] == ["read", "write"]
    assert made.bucket == found[0].id
    assert {made.org} == {permission.org_id for permission in found}


def test_a_bucket_in_the_array_of_the_http_api_is_the_one_that_is_named(
    made: MadeStore,
) -> None:
    resource = {"type": "buckets", "name": "sensors", "org": "acme"}
    document = json.dumps([{"action": "write", "resource": resource}]).encode()
    assert [
        Permission(action="write", type="buckets", id=made.bucket, org_id=made.org)
    ] == permissions_of(made.path, planner(PermissionRequest(document=document)))


@pytest.mark.parametrize(
    "resource",
    [
        {"type": "buckets", "name": "nothing of this name"},
        {"type": "tasks", "name": "one"},
        {"type": "buckets", "org": "other"},
        {"type": "buckets", "bucket": "sensors"},
        {"type": "buckets", "bucketID": "0000000000000001"},
    ],
)
def test_an_array_that_names_what_is_not_understood_never_permits_more(
    made: MadeStore, resource: dict[str, str]
) -> None:
    document = json.dumps([{"action": "read", "resource": resource}]).encode()
    with pytest.raises((RefusedError, NotFoundError)):
        permissions_of(made.path, planner(PermissionRequest(document=document)))


def test_a_permission_for_all_organizations_is_warned_of(made: MadeStore) -> None:
    resources = [{"type": "tasks", "orgID": made.org}, {"type": "buckets"}]
    document = json.dumps([{"action": "read", "resource": one} for one in resources]).encode()
    with MetaStore.open(made.path, write=False) as opened, opened.view() as tx:
        plan = planner(PermissionRequest(document=document)).plan(tx)
    (warning,) = (one for one in plan.warnings if "every organization" in one)
    assert warning.startswith("read:buckets: no orgID is named")


def test_the_whole_body_of_a_request_is_read() -> None:
    body = RequestBody.of(
        b'{"status":"active","description":"d","orgID":"0000000000000001",'
        b'"userID":"0000000000000002","permissions":[]}'
    )
    assert body == RequestBody(
        permissions=b"[]",
        description="d",
        org_id=Id("0000000000000001"),
        user_id=Id("0000000000000002"),
    )


@pytest.mark.parametrize(
    "body", [b'{"status":"inactive"}', b'{"token":"x"}', b'{"orgID":"acme"}', b'{"status":1}']
)
def test_a_body_that_asks_for_what_is_not_done_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError):
        RequestBody.of(body)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (PermissionRequest(), "no permission was named"),
        (PermissionRequest(is_operator=True, is_all_access=True), "cannot be given together"),
        (PermissionRequest(is_operator=True, read_types=("tasks",)), "cannot be combined"),
        (PermissionRequest(is_all_access=True, read_buckets=("sensors",)), "cannot be combined"),
        (PermissionRequest(read_types=("flows",)), "know no resource type flows"),
        (PermissionRequest(document=b"{}"), "cannot be understood"),
        (PermissionRequest(document=b"[]"), "empty"),
        (PermissionRequest(document=b'[{"action":"grab","resource":{"type":"tasks"}}]'), "action"),
        (PermissionRequest(document=b'[{"action":"read","resource":{"type":"instance"}}]'), "inst"),
        (PermissionRequest(document=b'[{"action":"read","resource":{"type":"flows"}}]'), "type"),
        (
            PermissionRequest(
                document=b'[{"action":"read","resource":{"type":"tasks",'
                b'"orgID":"00000000000000ff"}}]'
            ),
            "organization 00000000000000ff",
        ),
    ],
)
def test_impossible_permissions_are_refused_with_a_sentence(
    request_: PermissionRequest, words: str, made: MadeStore
) -> None:
    content = made.path.read_bytes()
    with pytest.raises(RefusedError, match=words):
        change(made.path, planner(request_), destination=MemoryDestination())
    assert content == made.path.read_bytes()


def test_a_type_that_came_later_is_refused(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=18)
    with pytest.raises(RefusedError, match="level 18 know no resource type remotes"):
        permissions_of(made.path, planner(PermissionRequest(read_types=("remotes",))))


def test_a_bucket_of_another_organization_is_not_found(made: MadeStore) -> None:
    with pytest.raises(NotFoundError, match="sensors") as caught:
        change(made.path, planner(organization="other"), destination=MemoryDestination())
    assert sorted(caught.value.existing) == ["_monitoring", "_tasks"]


def test_an_inactive_user_is_refused(made: MadeStore) -> None:
    def deactivate(tx: object) -> None:
        table = tx.table("usersv1")  # type: ignore[attr-defined] # a MetaTx
        table.put(
            made.bob.encode(),
            table.get(made.bob.encode()).replace(b'"active"', b'"inactive"'),
        )

    edit(made.path, deactivate)
    with pytest.raises(RefusedError, match="inactive"):
        change(made.path, planner(), destination=MemoryDestination())


def test_a_given_token_works_and_is_delivered_to_nobody(store: MadeStore) -> None:
    change(store.path, planner(token=Secret(GIVEN)))
    with MetaStore.open(store.path, write=False) as opened, opened.view() as tx:
        found = tx.authorizations.find(Secret(GIVEN))
    assert found is not None
    assert store.bob == found.user_id
    assert_invariants(store.path)


@pytest.mark.parametrize("token", [OPERATOR_TOKEN, READER_TOKEN, HASHED_TOKEN])
def test_a_token_that_is_there_in_any_form_is_refused(token: str, store: MadeStore) -> None:
    with pytest.raises(RefusedError, match="exists already") as caught:
        change(store.path, planner(token=Secret(token)))
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("short", "guessed"),
        ("x" * 5000, "5000"),
        ("sixteen letters and blanks", "blanks"),
        ("sixteen\u00e9-letters-and-more", "HTTP"),
        (hash_of("something"), "hash"),
        ("e30.e30.signature-that-nobody-checks", "JSON web token"),
    ],
)
def test_a_token_that_clients_could_not_use_is_refused(
    token: str, words: str, made: MadeStore
) -> None:
    with pytest.raises(RefusedError, match=words) as caught:
        change(made.path, planner(token=Secret(token)))
    assert token not in str(caught.value)


def test_ensuring_a_given_token_twice_changes_nothing_the_second_time(store: MadeStore) -> None:
    ensured = planner(token=Secret(GIVEN), is_ensured=True)
    assert change(store.path, ensured).is_changed
    content = store.path.read_bytes()
    assert not change(store.path, ensured).is_changed
    assert content == store.path.read_bytes()


def test_ensuring_a_token_with_other_permissions_is_refused_and_says_what_differs(
    made: MadeStore,
) -> None:
    request = PermissionRequest(read_types=("tasks",))
    wanted = planner(request, token=Secret(READER_TOKEN), is_ensured=True, username="alice")
    with pytest.raises(RefusedError, match="another user and has other permissions"):
        change(made.path, wanted)


def test_a_hash_is_refused_below_level_21(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=20)
    with pytest.raises(RefusedError, match="know no hashed tokens"):
        change(made.path, planner(form=FormChoice.HASHED), destination=MemoryDestination())


def test_a_dry_run_writes_nothing_at_all(made: MadeStore) -> None:
    content = made.path.read_bytes()
    outcome = change(made.path, planner(), is_dry_run=True)
    assert not outcome.is_changed
    assert content == made.path.read_bytes()
    assert [made.path] == list(made.path.parent.iterdir())
