"""The shards on disk, and the groups of the engine's catalogue: I37 to I40, I10 and I13."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from recovery.discovery.candidate import Files
from recovery.errors import ConflictError
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import DAY_NS, HOUR_NS
from recovery.model.catalogue import (
    KEY,
    decode_catalogue,
    empty_catalogue,
    with_database,
    with_groups,
)
from recovery.model.ids import Id
from recovery.model.shard_groups import ShardGroup, Span
from recovery.services.changes.plan import Manner, Outcome, Planner
from recovery.services.changes.ports import Ports
from recovery.services.doctor.check import Outlook, examine
from recovery.services.doctor.finding import Finding
from recovery.services.doctor.repair import RepairStore
from recovery.services.session import Session
from recovery.services.tenancy.bucket_changes import CreateBucket
from recovery.services.tenancy.choosing import choose_organization
from recovery.services.tenancy.organization_records import AddOrganization
from tests.support.engine_files import wal_entry, wal_write, write_shard
from tests.support.plant import ALARMS, CLIMATE, POWER, unpack, unpack_engine
from tests.support.ports import FixedClock
from tests.support.rebuilding import catalogue_of
from tests.support.stores import (
    CHANGED_AT,
    ListRecorder,
    SeededRng,
    YesAudience,
    edit,
    run_change,
)

CATALOGUE = "v1_tsm1_metadata"
STRANGE = Id("0d44444444444444")
POINT_NS = 1_764_000_000 * 10**9


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine's folder of a real server; tests write only into folders of their own."""
    return unpack_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The store that belongs to it."""
    return unpack("lost.bolt", tmp_path)


def _examined(store: Path, engine: Path) -> tuple[list[Finding], Outlook]:
    files = Files(engine_path=engine)
    with Session.open(store, needs_schema=False) as session:
        found = examine(
            session, files=files, clock=FixedClock(CHANGED_AT), rng=SeededRng(), reads_series=True
        )
    findings = [one for one in found.findings if one.number != "I35"]
    return findings, found.verdict.outlook


def _numbers(store: Path, engine: Path) -> list[str]:
    return [one.number for one in _examined(store, engine)[0]]


def _repaired(store: Path, engine: Path, *only: str) -> Outcome:
    planner = RepairStore(
        only=frozenset(only) or None,
        engine_path=engine,
        clock=FixedClock(CHANGED_AT),
        rng=SeededRng(),
    )
    return _changed(store, planner)


def _changed(store: Path, planner: Planner) -> Outcome:
    ports = Ports(audience=YesAudience(), recorder=ListRecorder())
    return run_change(store, planner, manner=Manner(), ports=ports)


def _groups(store: Path, bucket_id: str) -> dict[int, Span]:
    database = catalogue_of(store).database(bucket_id)
    assert database is not None
    return {one: group.span for group in database.groups for one in group.shard_ids}


def _changing(change: Callable[[bytes], bytes]) -> Callable[[MetaTx], None]:
    return lambda tx: tx.catalogue.write(change(tx.catalogue.read() or b""))


def _without_groups(name: str, shard_ids: set[int]) -> Callable[[bytes], bytes]:
    """Forget the groups of some shards."""

    def change(catalogue: bytes) -> bytes:
        database = decode_catalogue(catalogue).database(name)
        assert database is not None
        gone = {one.id for one in database.groups if shard_ids.intersection(one.shard_ids)}
        return with_groups(catalogue, name=name, added=(), removed=gone)

    return change


def _without_database(name: str) -> Callable[[bytes], bytes]:
    """Make a catalogue that lacks a database."""

    def change(catalogue: bytes) -> bytes:
        made = empty_catalogue(SeededRng())
        for database in decode_catalogue(catalogue).databases:
            if database.name != name and database.policy is not None:
                made = with_database(
                    made,
                    name=Id(database.name),
                    retention_ns=database.policy.retention_ns,
                    shard_group_ns=database.policy.shard_group_ns,
                    groups=database.groups,
                )
        return made

    return change


def test_a_store_and_its_own_folder_agree(store: Path, engine: Path) -> None:
    assert _examined(store, engine) == ([], Outlook.STARTS)


def test_shards_that_the_catalogue_does_not_know_are_mapped_on_request(
    store: Path, engine: Path
) -> None:
    before = _groups(store, CLIMATE)
    edit(store, _changing(_without_groups(CLIMATE, {3, 20, 87})))
    (found,), _ = _examined(store, engine)
    assert (found.number, found.id, found.is_mendable) == ("I37", CLIMATE, False)
    assert "(3, 20, 87)" in found.problem
    assert not _repaired(store, engine).is_changed
    assert _repaired(store, engine, "I37").is_changed
    assert _groups(store, CLIMATE) == before
    assert _numbers(store, engine) == []


def test_a_missing_entry_gets_the_shards_that_are_there(store: Path, engine: Path) -> None:
    before = _groups(store, CLIMATE)
    edit(store, _changing(_without_database(CLIMATE)))
    assert _numbers(store, engine) == ["I10"]
    assert _repaired(store, engine).is_changed
    assert _groups(store, CLIMATE) == before
    assert _examined(store, engine) == ([], Outlook.STARTS)
    assert catalogue_of(store).shard_id_max == 87


@pytest.mark.parametrize("is_table_lost", [False, True])
def test_a_missing_catalogue_is_made_from_the_folder(
    store: Path, engine: Path, *, is_table_lost: bool
) -> None:
    before = {bucket: _groups(store, bucket) for bucket in (POWER, CLIMATE, ALARMS)}
    if is_table_lost:
        _lose_table(store)
    else:
        edit(store, lambda tx: tx.table(CATALOGUE).delete(KEY))
    assert _examined(store, engine)[1] is Outlook.DOES_NOT_START
    assert _repaired(store, engine).is_changed
    assert {bucket: _groups(store, bucket) for bucket in before} == before
    assert catalogue_of(store).shard_id_max == 87
    assert _examined(store, engine)[1] is Outlook.STARTS


def test_without_the_folder_a_missing_catalogue_is_not_made(store: Path, tmp_path: Path) -> None:
    edit(store, lambda tx: tx.table(CATALOGUE).delete(KEY))
    assert not _repaired(store, tmp_path / "nowhere").is_changed


def test_a_folder_without_a_record_gets_a_bucket_on_request(store: Path, tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    write_shard(engine, STRANGE, 200, keys={b"m,t=1#!~#f": [(POINT_NS, POINT_NS + HOUR_NS)]})
    found = next(one for one in _examined(store, engine)[0] if one.number == "I40")
    assert (found.id, found.is_mendable) == (STRANGE, False)
    assert _repaired(store, engine, "I40").is_changed
    (span,) = _groups(store, STRANGE).values()
    assert span.holds(Span(first_ns=POINT_NS, last_ns=POINT_NS + HOUR_NS))
    assert catalogue_of(store).shard_id_max == 200
    assert "I40" not in _numbers(store, engine)
    with Session.open(store) as session, session.view() as view:
        bucket = next(one for one in view.tx.buckets.walk([]) if one.id == STRANGE)
    assert (bucket.name, bucket.retention_ns) == (f"recovered-{STRANGE}", 0)


def test_a_folder_of_one_of_two_organizations_is_mapped_once_somebody_says_whose_it_is(
    store: Path, tmp_path: Path
) -> None:
    engine = tmp_path / "engine"
    write_shard(engine, STRANGE, 200, keys={b"m,t=1#!~#f": [(POINT_NS, POINT_NS + HOUR_NS)]})
    clock, rng = FixedClock(CHANGED_AT), SeededRng()
    second = AddOrganization(name="second", description="", owner_id=None, clock=clock, rng=rng)
    _changed(store, second)
    found = next(one for one in _examined(store, engine)[0] if one.number == "I40")
    assert found.mend is None
    assert found.operations == ("bucket create",)
    with Session.open(store) as session, session.view() as view:
        org_id = choose_organization(view.tx, "second").id
    planner = CreateBucket(org_id=org_id, name="b", bucket_id=STRANGE, clock=clock, rng=rng)
    _changed(store, planner)
    assert _repaired(store, engine, "I37").is_changed
    (span,) = _groups(store, STRANGE).values()
    assert span.holds(Span(first_ns=POINT_NS, last_ns=POINT_NS + HOUR_NS))
    assert catalogue_of(store).shard_id_max == 200
    assert not {"I37", "I40"}.intersection(_numbers(store, engine))
    with pytest.raises(ConflictError, match=STRANGE):
        _changed(store, msgspec.structs.replace(planner, name="c"))


def test_groups_without_shards_are_removed(store: Path, engine: Path) -> None:
    bare = ShardGroup(id=500, start_ns=0, end_ns=DAY_NS, shard_ids=())
    edit(store, _changing(lambda one: with_groups(one, name=CLIMATE, added=[bare])))
    assert _numbers(store, engine) == ["I38"]
    assert _repaired(store, engine).is_changed
    assert _numbers(store, engine) == []


def test_a_shard_takes_the_place_of_a_group_without_one(store: Path, engine: Path) -> None:
    before = _groups(store, CLIMATE)
    edit(store, _changing(_without_groups(CLIMATE, {20})))
    span = before[20]
    bare = ShardGroup(id=500, start_ns=span.first_ns, end_ns=span.last_ns + 1, shard_ids=())
    edit(store, _changing(lambda one: with_groups(one, name=CLIMATE, added=[bare])))
    assert sorted(_numbers(store, engine)) == ["I37", "I38"]
    _repaired(store, engine, "I37")
    assert _groups(store, CLIMATE) == before
    assert _numbers(store, engine) == []


def test_all_shards_missing_is_a_finding_and_some_are_advice(store: Path, tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    (engine / "data").mkdir(parents=True)
    assert set(_numbers(store, engine)) == {"I39"}
    write_shard(engine, CLIMATE, 3, keys={b"m#!~#f": [(POINT_NS, POINT_NS)]})
    assert CLIMATE not in {one.id for one in _examined(store, engine)[0]}


def test_lost_series_beside_living_indexes_are_told(store: Path, engine: Path) -> None:
    policy = engine / "data" / POWER / "autogen"
    indexes = [shard / "index" for shard in policy.iterdir()]
    try:
        for index in indexes:
            index.mkdir()
        (found,) = _examined(store, engine)[0]
        assert (found.number, found.severity, found.id) == ("I39", "H", POWER)
        assert "data/<bucket>/autogen/*/index" in found.remedy
    finally:
        for index in indexes:
            index.rmdir()
    assert _numbers(store, engine) == []


def test_files_that_influxd_cannot_open_are_told_by_bucket(store: Path, engine: Path) -> None:
    """Of shards that the catalogue knows, and of folders that are no bucket's."""
    shard = next((engine / "data" / POWER / "autogen").glob("[1-9]*"))
    stray = engine / "data" / "telegraf" / "autogen" / "999"
    stray.mkdir(parents=True)
    torn = [folder / "000000009-000000001.tsm" for folder in (shard, stray)]
    for file in torn:
        file.write_bytes(b"torn")
    old = torn[0].with_name("000000008-000000001.tsm.bad")
    try:
        told = [one for one in _examined(store, engine)[0] if "cannot open" in one.problem]
        for file in torn:
            file.rename(old)
        findings, outlook = _examined(store, engine)
    finally:
        old.unlink()
        shutil.rmtree(stray.parents[1])
    assert [(one.number, one.severity.word, one.id) for one in told] == [
        ("I39", "high", POWER),
        ("I39", "high", None),
    ]
    for finding, file in zip(told, torn, strict=True):
        assert str(file.relative_to(engine)) in finding.problem
    assert (findings, outlook) == ([], Outlook.STARTS)


def test_shards_that_are_in_wal_only_are_told_with_their_numbers(
    store: Path, tmp_path: Path
) -> None:
    engine = unpack_engine(tmp_path / "own")
    point = wal_entry(wal_write(b"m#!~#f", 1, [(POINT_NS, 1.5)]))
    assert _numbers(store, engine) == []
    shutil.rmtree(engine / "data" / CLIMATE / "autogen" / "20")
    log = engine / "wal" / CLIMATE / "autogen" / "20"
    log.mkdir(parents=True, exist_ok=True)
    (log / "_00001.wal").write_bytes(point)
    (found,) = _examined(store, engine)[0]
    assert (found.number, found.severity, found.id, found.mend) == ("I39", "H", CLIMATE, None)
    assert "(20)" in found.problem
    (engine / "data" / CLIMATE / "autogen" / "20").mkdir()
    assert _numbers(store, engine) == []


def _changed_folder(
    tmp_path: Path, bucket_id: str, shard_id: int, first_ns: int, last_ns: int
) -> Path:
    engine = unpack_engine(tmp_path / "own")
    write_shard(engine, bucket_id, shard_id, keys={b"m#!~#f": [(first_ns, last_ns)]})
    return engine


def test_shards_of_one_time_are_named_and_left(store: Path, tmp_path: Path) -> None:
    span = _groups(store, CLIMATE)[20]
    engine = _changed_folder(tmp_path, CLIMATE, 300, span.first_ns + 5, span.first_ns + 9)
    (found,), _ = _examined(store, engine)
    assert (found.number, found.mend) == ("I37", None)
    assert "time" in found.problem
    assert "(300)" in found.problem
    assert not _repaired(store, engine, "I37").is_changed


def test_shards_of_one_number_are_named_and_left(store: Path, tmp_path: Path) -> None:
    engine = _changed_folder(
        tmp_path, CLIMATE, 66, POINT_NS - 900 * DAY_NS, POINT_NS - 900 * DAY_NS
    )
    (found,), _ = _examined(store, engine)
    assert (found.number, found.mend) == ("I37", None)
    assert "numbers other shards have (66)" in found.problem


def test_shards_that_would_expire_at_once_are_left(store: Path, tmp_path: Path) -> None:
    old_ns = POINT_NS - 900 * DAY_NS
    engine = _changed_folder(tmp_path, POWER, 300, old_ns, old_ns)
    (found,), _ = _examined(store, engine)
    assert (found.number, found.mend) == ("I37", None)
    assert "older than" in found.problem


@pytest.mark.parametrize("kind", ["time", "number", "old"])
def test_a_missing_entry_is_mended_beside_shards_that_are_left(
    store: Path, tmp_path: Path, kind: str
) -> None:
    """What cannot be mapped stays a finding of its own, and does not stop the repair."""
    span = _groups(store, POWER)[60]
    old_ns = POINT_NS - 900 * DAY_NS
    shard_id, first_ns = {
        "time": (300, span.first_ns + 5 * DAY_NS),
        "number": (66, span.first_ns + 365 * DAY_NS),
        "old": (300, old_ns),
    }[kind]
    engine = _changed_folder(tmp_path, POWER, shard_id, first_ns, first_ns + 3 * DAY_NS)
    edit(store, _changing(_without_database(POWER)))
    assert _repaired(store, engine).is_changed
    findings, outlook = _examined(store, engine)
    assert outlook is Outlook.STARTS
    assert {one.number for one in findings} <= {"I37"}
    assert len(_groups(store, POWER)) >= 5


def _lose_table(store: Path) -> None:
    import bolt_store  # noqa: PLC0415 # the one test that needs it

    with bolt_store.open(store, write=True) as db, db.update() as tx:
        tx.delete_bucket(CATALOGUE.encode())
