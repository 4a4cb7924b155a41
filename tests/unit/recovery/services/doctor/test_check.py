"""Each invariant, broken in each direction: what is found, and what of it is mended."""

import tracemalloc
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

import bolt_store
from recovery.ports import SystemRng
from recovery.services.doctor.check import Outlook
from recovery.services.stores.sample import make_sample_store
from tests.support.breakages import BREAKAGES, Breakage
from tests.support.doctor import examined, repair, words
from tests.support.full_store import make_full_store
from tests.support.large_store import make_large_store
from tests.support.oracle import Dump, Oracle
from tests.support.ports import FixedClock
from tests.support.real_stores import real_store_bytes, unpack_real_store
from tests.support.stores import CHANGED_AT, LEVELS, change, edit, make_store
from tests.support.surgery import Patient

NOT_OPENED_FOR_WRITING = {"I2"}
"""Invariants without which a store is not opened for writing at all."""

CASES = [(breakage, level) for breakage in BREAKAGES for level in breakage.levels]
REPAIRS = [
    (breakage, level)
    for breakage, level in CASES
    if not NOT_OPENED_FOR_WRITING & {word.split()[0] for word in breakage.found}
]


def named(cases: list[tuple[Breakage, int]]) -> list[ParameterSet]:
    return [pytest.param(one, level, id=f"{one.name} at {level}") for one, level in cases]


@pytest.mark.parametrize(("breakage", "level"), named(CASES))
def test_what_is_broken_is_found_and_nothing_else(
    tmp_path: Path, breakage: Breakage, level: int
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt", level=level)
    edit(full.path, lambda tx: breakage.break_(tx, full))
    examination = examined(full.path)
    assert breakage.found == words(examination)
    is_fatal = any(word.endswith("F") for word in breakage.found)
    assert is_fatal is (examination.verdict.outlook is Outlook.DOES_NOT_START)


@pytest.mark.parametrize(
    ("table", "outlook"),
    [
        ("authorizationsv1", Outlook.DOES_NOT_START),
        ("bucketsv1", Outlook.DOES_NOT_START),
        ("migrationsv1", Outlook.DOES_NOT_START),
        ("tasksv1", Outlook.DOES_NOT_START),
        ("usersv1", Outlook.STARTS),
        ("userindexv1", Outlook.STARTS),
    ],
)
def test_a_bucket_in_the_place_of_a_record_is_one_that_no_server_can_read(
    tmp_path: Path, table: str, outlook: Outlook
) -> None:
    """As influxd 2.9.1 did with each."""
    full = make_full_store(tmp_path / "influxd.bolt")
    with bolt_store.open(full.path, write=True) as db, db.update() as tx:
        tx.bucket(table.encode()).create_bucket(b"f" * 16)
    examination = examined(full.path)
    assert examination.verdict.outlook is outlook
    assert any(finding.bucket == table for finding in examination.findings)


@pytest.mark.parametrize("page_size_bytes", [0, 1 << 31])
def test_influxd_will_not_start_where_it_believes_the_page_size_of_an_older_meta(
    tmp_path: Path, page_size_bytes: int
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    patient = Patient(full.path.read_bytes(), page_size_bytes=4096)
    patient.set_meta(0, page_size=page_size_bytes, txid=patient.meta(1, "txid") - 1)
    full.path.write_bytes(patient.content)
    assert examined(full.path).verdict.outlook is Outlook.DOES_NOT_START


def test_influxd_will_not_start_without_the_meta_that_tells_it_the_page_size(
    tmp_path: Path,
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    small = tmp_path / "small.bolt"
    with bolt_store.open(full.path) as db, db.view() as tx:
        content: bolt_store.Content = [
            (
                name,
                bolt_store.BucketContent(
                    items=[(key, value) for key, value in bucket.items() if value is not None]
                ),
            )
            for name, bucket in tx.buckets()
        ]
        bolt_store.rebuild(content, small, page_size_bytes=1024)
    patient = Patient(small.read_bytes(), page_size_bytes=1024)
    patient.set_meta(0, checksum=1)
    small.write_bytes(patient.content)
    examination = examined(small)
    assert examination.verdict.outlook is Outlook.DOES_NOT_START
    assert "influxd does not find the pages" in examination.verdict.sentence


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_found_in_a_store_in_which_all_is_well(tmp_path: Path, level: int) -> None:
    for make in (make_store, make_full_store):
        made = make(tmp_path / "influxd.bolt", level=level)
        examination = examined(made.path)
        assert words(examination) == ()
        assert examination.verdict.outlook is Outlook.STARTS


def test_nothing_is_found_in_the_stores_of_real_servers(
    level17_bolt: Path, level21_bolt: Path
) -> None:
    for path in (level17_bolt, level21_bolt):
        assert words(examined(path)) == ()
        assert examined(path).verdict.outlook is Outlook.STARTS


@pytest.mark.parametrize("name", ["influxd-2.9.1-lively", "influxd-2.7.12-lively"])
def test_nothing_is_found_in_a_store_of_a_server_that_was_used_and_killed(
    tmp_path: Path, name: str
) -> None:
    path = unpack_real_store(name, tmp_path / "influxd.bolt")
    examination = examined(path)
    assert words(examination) == ()
    assert examination.verdict.outlook is Outlook.STARTS
    assert change(path, repair()).is_changed is False


def test_what_a_server_leaves_of_what_it_deletes_is_no_finding(tmp_path: Path) -> None:
    path = unpack_real_store("influxd-2.9.1-left-behind", tmp_path / "influxd.bolt")
    examination = examined(path)
    assert words(examination) == ()
    told = {(one.bucket, one.is_on_request) for one in examination.advice}
    assert told == {
        ("authorizationsv1", True),
        ("dbrpv1", False),
        ("labelmappingsv1", True),
        ("legacy/authorizationPasswordv1", True),
        ("legacy/authorizationsv1", False),
        ("secretsv1", False),
        ("taskRunsv1", True),
    }
    assert change(path, repair()).is_changed is False
    change(path, repair("I24", "I27", "I29", "I32"))
    assert not any(one.is_on_request for one in examined(path).advice)


@pytest.mark.parametrize(
    ("fields", "is_refused"),
    [
        ({"page_size": 8192}, True),
        ({"page_size": 0}, True),
        ({"checksum": 0}, True),
        ({"high": 5000}, False),
        ({}, False),
    ],
)
def test_influxd_starts_where_bbolt_does_not_look_at_what_is_wrong(
    tmp_path: Path, fields: dict[str, int], *, is_refused: bool
) -> None:
    """As seen with 2.9.1; after the odd page size once only."""
    patient = Patient(real_store_bytes("influxd-2.9.1-setup"), page_size_bytes=4096)
    patient.set_meta(1, txid=patient.meta(0, "txid") + 1)
    for name in ("root", "freelist", "high"):
        patient.set_meta(1, **{name: patient.meta(0, name)})
    patient.set_meta(1, **fields)
    if not fields:
        patient.set_header(1, id=0, flags=2)
    path = tmp_path / "influxd.bolt"
    path.write_bytes(patient.content)
    examination = examined(path)
    assert examination.verdict.outlook is Outlook.STARTS
    assert examination.is_damaged is is_refused


def test_nothing_is_wrong_with_the_sample_store_but_nobody_can_get_in(tmp_path: Path) -> None:
    path = tmp_path / "influxd.bolt"
    make_sample_store(path, clock=FixedClock(CHANGED_AT), rng=SystemRng())
    examination = examined(path)
    assert words(examination) == ()
    assert examination.verdict.outlook is Outlook.STARTS_LOCKED
    assert "I25" in {one.number for one in examination.advice}


@pytest.mark.parametrize(("breakage", "level"), named(REPAIRS))
def test_what_is_mendable_is_mended_and_the_rest_is_left(
    tmp_path: Path, breakage: Breakage, level: int
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt", level=level)
    edit(full.path, lambda tx: breakage.break_(tx, full))
    before = examined(full.path)
    change(full.path, repair())
    after = {one.identity for one in examined(full.path).findings}
    assert after <= {one.identity for one in before.findings if not one.is_mendable}
    assert breakage.is_mended is (after == set())
    assert change(full.path, repair()).is_changed is False


@pytest.mark.parametrize(
    ("breakage", "level"), named([case for case in REPAIRS if case[0].is_mended and case[1] == 21])
)
def test_bbolt_finds_a_mended_store_sound_and_reads_the_same(
    tmp_path: Path, oracle: Oracle, breakage: Breakage, level: int
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt", level=level)
    edit(full.path, lambda tx: breakage.break_(tx, full))
    change(full.path, repair())
    assert oracle.check(full.path) == []
    assert oracle.dump(full.path) == Dump.of_file(full.path)


def test_memory_does_not_grow_with_the_tokens_of_a_healthy_store(tmp_path: Path) -> None:
    """What their records want takes more than 300 bytes each where it is kept."""
    peaks = []
    for count in (1, 1_000, 5_000):  # the first one fills what is filled once
        path = tmp_path / f"{count}.bolt"
        make_large_store(path, count=count, permission_count=1)
        tracemalloc.start()
        try:
            assert not [one for one in words(examined(path)) if one.startswith("I25")]
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[2] - peaks[1] < 4_000 * 100
