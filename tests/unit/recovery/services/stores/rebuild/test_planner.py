"""Making a lost store again from the engine's folder."""

import errno
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

import bolt_store
from recovery.discovery.candidate import Files
from recovery.errors import ConflictError, RefusedError
from recovery.metastore.store import MetaStore
from recovery.model.bucket import DAY_NS, HOUR_NS, Bucket
from recovery.model.ids import Id
from recovery.model.password import password_matches
from recovery.model.shard_groups import TIME_NS_MIN, Span, window
from recovery.secret import Secret
from recovery.services.doctor.check import Outlook, examine
from recovery.services.session import Session
from recovery.services.shard_mapping import ShardName
from recovery.services.stores.rebuild import unblocking
from recovery.services.stores.rebuild.parts import Wishes
from recovery.services.stores.rebuild.planner import missing, read_engine
from tests.support.engine_files import Blocks, wal_entry, wal_write, write_shard
from tests.support.plant import ALARMS, CLIMATE, POWER, unpack, unpack_engine
from tests.support.ports import FixedClock
from tests.support.rebuilding import PASSWORD, catalogue_of, rebuild
from tests.support.stores import CHANGED_AT, MemoryDestination, SeededRng, make_store

ONE, TWO, THREE = Id("0a11111111111111"), Id("0b22222222222222"), Id("0c33333333333333")
WEEK_NS = 7 * DAY_NS
MONDAY_NS = int(datetime.fromisoformat("2025-11-24T00:00:00+00:00").timestamp()) * 10**9


def _keys(*times_ns: int, measurement: bytes = b"m,t=1") -> dict[bytes, Blocks]:
    return {measurement + b"#!~#f": [(min(times_ns), max(times_ns))]}


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """Two buckets: one of weeks, one of hours; four shards."""
    folder = tmp_path / "engine"
    write_shard(folder, ONE, 1, keys=_keys(MONDAY_NS, MONDAY_NS + 6 * DAY_NS))
    write_shard(folder, ONE, 4, keys=_keys(MONDAY_NS + WEEK_NS, MONDAY_NS + 12 * DAY_NS))
    write_shard(folder, TWO, 2, keys=_keys(MONDAY_NS, measurement=b"h"))
    late = wal_entry(wal_write(b"h#!~#f", 1, [(MONDAY_NS + HOUR_NS, 1.5)]))
    write_shard(folder, TWO, 9, wal=late)
    return folder


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine's folder of a real server; it is only read."""
    return unpack_engine(tmp_path_factory.mktemp("plant"))


def _buckets(path: Path) -> dict[str, Bucket]:
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return {bucket.id: bucket for bucket in tx.buckets.walk([])}


def _groups(path: Path, bucket_id: str) -> dict[int, Span]:
    database = catalogue_of(path).database(bucket_id)
    assert database is not None
    return {group.shard_ids[0]: group.span for group in database.groups}


def _assert_starts(path: Path) -> None:
    with Session.open(path) as session:
        found = examine(session, files=Files(), clock=FixedClock(CHANGED_AT), rng=SeededRng())
    assert found.findings == ()
    assert found.verdict.outlook is Outlook.STARTS


def test_every_shard_is_in_a_group_that_holds_it(engine: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.bolt"
    rebuild(engine, target)
    assert _groups(target, ONE) == {
        1: Span(first_ns=MONDAY_NS, last_ns=MONDAY_NS + WEEK_NS - 1),
        4: Span(first_ns=MONDAY_NS + WEEK_NS, last_ns=MONDAY_NS + 2 * WEEK_NS - 1),
    }
    assert _groups(target, TWO) == {
        2: Span(first_ns=MONDAY_NS, last_ns=MONDAY_NS + HOUR_NS - 1),
        9: Span(first_ns=MONDAY_NS + HOUR_NS, last_ns=MONDAY_NS + 2 * HOUR_NS - 1),
    }
    buckets = _buckets(target)
    assert (buckets[ONE].name, buckets[ONE].retention_ns) == (f"recovered-{ONE}", 0)
    assert (buckets[ONE].shard_group_ns, buckets[TWO].shard_group_ns) == (WEEK_NS, HOUR_NS)
    _assert_starts(target)


def test_the_next_shard_of_the_server_meets_none_that_is_there(
    engine: Path, tmp_path: Path
) -> None:
    write_shard(engine, THREE, 77)
    rebuild(engine, tmp_path / "new.bolt")
    catalogue = catalogue_of(tmp_path / "new.bolt")
    assert catalogue.shard_id_max == 77
    assert catalogue.group_id_max >= 9
    assert catalogue.index > 1


def test_the_owner_can_sign_in_and_has_an_operator_token(engine: Path, tmp_path: Path) -> None:
    destination = MemoryDestination()
    target = tmp_path / "new.bolt"
    wishes = Wishes(username="eve", organization="acme", organization_id=THREE)
    rebuild(engine, target, wishes=wishes, destination=destination)
    (token,) = destination.delivered
    with MetaStore.open(target, write=False) as store, store.view() as tx:
        user_id = tx.users.indexed_id("eve")
        assert user_id is not None
        stored = tx.passwords.get(user_id)
        assert stored is not None
        assert password_matches(Secret(PASSWORD), stored)
        assert tx.organizations.indexed_id("acme") == THREE
        found = tx.authorizations.find(token)
        assert found is not None
        assert (found.user_id, found.org_id) == (user_id, THREE)


@pytest.mark.parametrize("level", [11, 17, 20, 21])
def test_a_store_for_an_older_server_is_one(engine: Path, tmp_path: Path, level: int) -> None:
    target = tmp_path / "new.bolt"
    rebuild(engine, target, level=level)
    with MetaStore.open(target, write=False) as store:
        assert store.level == level
    _assert_starts(target)


def test_the_folder_of_a_real_server_is_mapped_as_that_server_had_it(
    plant: Path, tmp_path: Path
) -> None:
    """Every group of the lost store comes back, or one that holds the same data."""
    target, lost = tmp_path / "new.bolt", unpack("lost.bolt", tmp_path)
    rebuild(plant, target)
    for bucket_id in (POWER, CLIMATE, ALARMS):
        assert _groups(target, bucket_id) == _groups(lost, bucket_id)
    _assert_starts(target)


def test_an_older_store_brings_names_retention_and_organizations(
    plant: Path, tmp_path: Path
) -> None:
    target, lost = tmp_path / "new.bolt", unpack("lost.bolt", tmp_path)
    rebuild(plant, target, names=[lost])
    before, after = _buckets(lost), _buckets(target)
    assert set(after) == set(before)
    for bucket_id, bucket in before.items():
        found = after[bucket_id]
        assert (found.name, found.org_id, found.type) == (bucket.name, bucket.org_id, bucket.type)
        assert found.retention_ns == bucket.retention_ns
        assert found.shard_group_ns == bucket.shard_group_ns
    _assert_starts(target)


@pytest.mark.parametrize("page", [3, 6, 9, 11])
def test_a_damaged_store_is_filled_from_the_engine(plant: Path, tmp_path: Path, page: int) -> None:
    lost, target = unpack("lost.bolt", tmp_path), tmp_path / "new"
    whole = lost.read_bytes()
    lost.write_bytes(whole[: page * 4096] + bytes(2 * 4096) + whole[(page + 2) * 4096 :])
    rebuild(plant, target, damaged=lost)
    for bucket_id, count in ((POWER, 7), (CLIMATE, 59), (ALARMS, 21)):
        assert len(_groups(target, bucket_id)) == count
    with Session.open(target) as session, session.view() as view:
        assert list(missing(view.tx, read_engine(plant))) == []
        found = examine(session, files=Files(), clock=FixedClock(CHANGED_AT), rng=SeededRng())
    assert found.verdict.outlook is Outlook.STARTS


@pytest.mark.parametrize("name", [None, "acme"])
@pytest.mark.parametrize("is_damaged", [True, False])
def test_an_organization_of_which_only_buckets_are_left_keeps_its_id(
    plant: Path, tmp_path: Path, name: str | None, *, is_damaged: bool
) -> None:
    """A bucket of an organization that is not there can neither be queried nor deleted."""
    lost, target = unpack("lost.bolt", tmp_path), tmp_path / "new"
    buckets = _buckets(lost)
    (org_id,) = {bucket.org_id for bucket in buckets.values()}
    with bolt_store.open(lost, write=True) as db, db.update() as tx:
        for table in (b"organizationsv1", b"organizationindexv1"):
            tx.delete_bucket(table)
            tx.create_bucket(table)
    known = {"damaged": lost} if is_damaged else {"names": [lost]}
    rebuild(plant, target, wishes=Wishes(organization=name), **known)
    with MetaStore.open(target, write=False) as store, store.view() as tx:
        found = list(tx.organizations.walk([]))
    assert [(one.id, one.name) for one in found] == [(org_id, name or f"recovered-{org_id}")]
    assert {bucket.org_id for bucket in _buckets(target).values()} == {org_id}
    assert set(_buckets(target)) >= set(buckets)
    _assert_starts(target)


def test_what_cannot_be_salvaged_is_made_new(engine: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(b"noise" * 10_000)
    rebuild(engine, tmp_path / "new.bolt", damaged=noise)
    _assert_starts(tmp_path / "new.bolt")


def test_system_buckets_are_known_by_what_only_they_hold(engine: Path, tmp_path: Path) -> None:
    runs = b"runs,status=success,taskID=0a"
    statuses = b"statuses,_check_id=0a,_level=ok"
    write_shard(engine, THREE, 20, keys=_keys(MONDAY_NS, measurement=runs))
    write_shard(engine, Id("0d44444444444444"), 21, keys=_keys(MONDAY_NS, measurement=statuses))
    target = tmp_path / "new.bolt"
    rebuild(engine, target)
    buckets = _buckets(target)
    assert (buckets[THREE].name, buckets[THREE].type) == ("_tasks", 1)
    assert buckets["0d44444444444444"].name == "_monitoring"
    assert len(buckets) == 4
    assert buckets[THREE].retention_ns == 0
    _assert_starts(target)


def test_of_two_that_look_like_a_system_bucket_none_is_guessed(
    engine: Path, tmp_path: Path
) -> None:
    runs = b"runs,status=success,taskID=0a"
    write_shard(engine, THREE, 20, keys=_keys(MONDAY_NS, measurement=runs))
    write_shard(engine, Id("0d44444444444444"), 21, keys=_keys(MONDAY_NS, measurement=runs))
    outcome = rebuild(engine, tmp_path / "new.bolt")
    names = {bucket.id: bucket.name for bucket in _buckets(tmp_path / "new.bolt").values()}
    assert names[THREE] == f"recovered-{THREE}"
    assert any("all look like _tasks" in one for one in outcome.proposal.plan.warnings)
    rebuild(engine, tmp_path / "b.bolt", wishes=Wishes(names={THREE: "_tasks"}))
    assert _buckets(tmp_path / "b.bolt")[THREE].name == "_tasks"
    _assert_starts(tmp_path / "b.bolt")


def test_two_shards_of_one_number_are_refused_and_named(engine: Path, tmp_path: Path) -> None:
    write_shard(engine, THREE, 4, keys=_keys(MONDAY_NS))
    with pytest.raises(RefusedError) as caught:
        rebuild(engine, tmp_path / "new.bolt")
    assert f"{ONE}/4" in str(caught.value)
    assert f"{THREE}/4" in str(caught.value)
    assert not (tmp_path / "new.bolt").exists()
    left_out = frozenset({ShardName(bucket_id=THREE, shard_id=4)})
    rebuild(engine, tmp_path / "new.bolt", wishes=Wishes(left_out=left_out))
    assert _groups(tmp_path / "new.bolt", THREE) == {}


def test_two_shards_of_one_time_are_refused_and_mapped_on_request(
    engine: Path, tmp_path: Path
) -> None:
    write_shard(engine, ONE, 5, keys=_keys(MONDAY_NS + DAY_NS, MONDAY_NS + 2 * DAY_NS))
    with pytest.raises(RefusedError, match="same time"):
        rebuild(engine, tmp_path / "new.bolt")
    rebuild(engine, tmp_path / "new.bolt", wishes=Wishes(allows_overlaps=True))
    groups = _groups(tmp_path / "new.bolt", ONE)
    assert groups[5].holds(Span(first_ns=MONDAY_NS + DAY_NS, last_ns=MONDAY_NS + 2 * DAY_NS))
    assert groups[1].holds(Span(first_ns=MONDAY_NS, last_ns=MONDAY_NS + 6 * DAY_NS))


@pytest.mark.parametrize("days", [1, 3, 7])
def test_of_the_first_window_of_all_time_every_shard_is_mapped(tmp_path: Path, days: int) -> None:
    """The server makes another one there after each start, whatever time they are of."""
    engine, first = tmp_path / "engine", window(TIME_NS_MIN, days * DAY_NS)
    for number, hours in enumerate((1, 3, 2, 5, 30), 1):
        at = min(TIME_NS_MIN + hours * HOUR_NS, first.last_ns - number)
        write_shard(engine, ONE, number, keys=_keys(at, first.last_ns - 5 * (number % 2)))
    for number in range(6, 10):
        at = first.last_ns + 1 + number * days * DAY_NS
        write_shard(engine, ONE, number, keys=_keys(at, at + days * DAY_NS - 1))
    outcome = rebuild(engine, tmp_path / "new.bolt")
    assert set(_groups(tmp_path / "new.bolt", ONE)) == set(range(1, 10))
    (bucket,) = outcome.proposal.plan.facts["buckets"]
    assert bucket["shard_group_ns"] == days * DAY_NS
    _assert_starts(tmp_path / "new.bolt")


def test_a_damaged_file_is_told_and_the_rest_is_mapped(engine: Path, tmp_path: Path) -> None:
    folder = write_shard(engine, ONE, 8, keys=_keys(MONDAY_NS))
    (folder / "000000001-000000001.tsm").write_bytes(b"torn")
    outcome = rebuild(engine, tmp_path / "new.bolt")
    said = "\n".join(outcome.proposal.plan.warnings)
    assert "too short for a TSM file" in said
    assert f"bucket {ONE}, shard 8: no point can be read" in said
    assert set(_groups(tmp_path / "new.bolt", ONE)) == {1, 4}


def test_a_name_that_is_taken_is_refused_when_it_was_wished(engine: Path, tmp_path: Path) -> None:
    with pytest.raises(ConflictError):
        rebuild(engine, tmp_path / "new.bolt", wishes=Wishes(names={ONE: "same", TWO: "same"}))
    with pytest.raises(RefusedError, match="neither on disk"):
        rebuild(engine, tmp_path / "new.bolt", wishes=Wishes(names={THREE: "other"}))
    with pytest.raises(RefusedError, match="system buckets"):
        rebuild(engine, tmp_path / "new.bolt", wishes=Wishes(names={ONE: "_mine"}))


def test_whose_a_bucket_is_is_asked_where_several_organizations_are_known(
    engine: Path, tmp_path: Path
) -> None:
    names = make_store(tmp_path / "old.bolt", level=21).path
    with pytest.raises(RefusedError, match="several organizations"):
        rebuild(engine, tmp_path / "new.bolt", names=[names])
    rebuild(engine, tmp_path / "new.bolt", names=[names], wishes=Wishes(organization="acme"))
    with MetaStore.open(tmp_path / "new.bolt", write=False) as store, store.view() as tx:
        acme = tx.organizations.indexed_id("acme")
    buckets = _buckets(tmp_path / "new.bolt")
    assert {buckets[ONE].org_id, buckets[TWO].org_id} == {acme}
    _assert_starts(tmp_path / "new.bolt")


def test_what_a_known_retention_lets_expire_is_told(engine: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    names.write_text(f"{ONE},weeks,24h\n")
    outcome = rebuild(engine, tmp_path / "new.bolt", names=[names])
    assert any("will delete 2 of its shards" in one for one in outcome.proposal.plan.warnings)
    assert _buckets(tmp_path / "new.bolt")[ONE].retention_ns == DAY_NS


def test_the_new_store_belongs_to_whom_the_engine_belongs(engine: Path, tmp_path: Path) -> None:
    rebuild(engine, tmp_path / "new.bolt")
    status, owner = (tmp_path / "new.bolt").stat(), engine.stat()
    assert (status.st_uid, status.st_gid) == (owner.st_uid, owner.st_gid)
    assert status.st_mode & 0o777 == 0o600


def test_what_keeps_influxd_from_opening_a_shard_is_taken_out_of_its_way(
    engine: Path, tmp_path: Path
) -> None:
    """A real server loses such a shard, or never comes up; after this it has every point."""
    for number in (18, 19):
        point = wal_entry(wal_write(b"m#!~#f", 1, [(MONDAY_NS - number * WEEK_NS, 1.5)]))
        write_shard(engine, ONE, number, wal=point).rmdir()
    shards = engine / "data" / ONE / "autogen"
    torn = shards / "1" / "000000002-000000001.tsm"
    torn.write_bytes(b"torn")
    torn.with_name(f"{torn.name}.bad").write_bytes(b"an older one")
    (shards / "4" / "index").mkdir()
    strays = [
        engine / "data" / folder / "000000001-000000001.tsm"
        for folder in (f"{ONE}/weekly/70", "telegraf/autogen/71")
    ]
    for stray in strays:
        stray.parent.mkdir(parents=True)
        stray.write_bytes(b"torn")
    outcome = rebuild(engine, tmp_path / "new.bolt", is_engine_mended=False)
    assert {1, 4, 18, 19} <= set(_groups(tmp_path / "new.bolt", ONE))
    facts = outcome.proposal.plan.facts
    changed = [*facts["renamed_in_engine"], *facts["made_in_engine"]]
    assert [one.removeprefix(f"data/{ONE}/autogen/") for one in changed] == [
        "1/000000002-000000001.tsm", "4/index",
        *(str(stray.relative_to(engine)) for stray in strays), "18", "19",
    ]  # fmt: skip
    assert sum("is too short" in one for one in outcome.proposal.plan.warnings) == 3
    assert torn.exists()
    said = outcome.proposal.plan.steps
    assert all(any(path in step for step in said) for path in changed)
    assert rebuild(engine, tmp_path / "again.bolt").warnings == ()
    assert not (shards / "4" / "index").exists()
    assert not any(one.exists() for one in (torn, *strays))
    assert torn.with_name(f"{torn.name}.bad").read_bytes() == b"an older one"
    assert torn.with_name(f"{torn.name}.bad1").read_bytes() == b"torn"
    assert (shards / "18").stat().st_mode == shards.stat().st_mode
    last = rebuild(engine, tmp_path / "last.bolt").proposal.plan.facts
    assert not [*last["renamed_in_engine"], *last["made_in_engine"]]


def test_nothing_is_changed_behind_a_link_that_influxd_does_not_follow(
    engine: Path, tmp_path: Path
) -> None:
    point = wal_entry(wal_write(b"m#!~#f", 1, [(MONDAY_NS - WEEK_NS, 1.5)]))
    write_shard(engine, ONE, 18, wal=point).rmdir()
    torn = [
        engine / "data" / bucket_id / "autogen" / shard / "000000002-000000001.tsm"
        for bucket_id, shard in ((ONE, "1"), (TWO, "2"))
    ]
    for one in torn:
        one.write_bytes(b"torn")
    moved = (engine / "data" / ONE).rename(tmp_path / "elsewhere")
    (engine / "data" / ONE).symlink_to(moved)
    (engine / "data").rename(tmp_path / "data")  # a link of all is followed
    (engine / "data").symlink_to(tmp_path / "data")
    before = sorted(moved.rglob("*"))
    rebuild(engine, tmp_path / "new.bolt")
    assert sorted(moved.rglob("*")) == before
    assert [one.exists() for one in torn] == [True, False]
    assert 1 in _groups(tmp_path / "new.bolt", ONE)


def test_what_cannot_be_changed_in_the_engine_is_told_with_a_command_that_works(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = wal_entry(wal_write(b"m#!~#f", 1, [(MONDAY_NS, 1.5)]))
    write_shard(engine, TWO, 18, wal=point).rmdir()
    torn = engine / "data" / ONE / "autogen" / "1" / "it's.tsm"
    torn.write_bytes(b"torn")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(unblocking, "rename_new", refuse)
        patched.setattr(Path, "mkdir", refuse)
        told = list(read_engine(engine).unblocking.carry_out(engine))
    assert len(told) == 2
    for one in told:
        subprocess.run(["sh", "-ec", one.partition("as its user: ")[2]], check=True, timeout=10)
    assert not read_engine(engine).unblocking.damaged
    assert not read_engine(engine).unblocking.lacking
