"""Bolt buckets that are missing as a whole, and stores whose migrations are not as they should."""

from pathlib import Path

import pytest

from recovery.errors import RecoveryError
from recovery.model.schema import buckets_of_level
from recovery.services.doctor.examination import Outlook
from tests.support.doctor import INDEXES, examined, repair, words
from tests.support.full_store import keys_of_file, make_full_store, put, remove_table
from tests.support.stores import LEVELS, change, edit

LOST = {
    "authorizationsv1": "H", "bucketsv1": "F", "dashboardsv2": "H", "organizationsv1": "H",
    "scraperv2": "H", "telegrafv1": "H", "usersv1": "H", "v1_tsm1_metadata": "F",
}  # fmt: skip
"""Bolt buckets that repair cannot bring back."""

FATAL = {
    "authorizationindexv1", "authorizationhashedindexv1", "labelsv1", "labelmappingsv1",
    "labelindexv1", "legacy/authorizationsv1", "legacy/authorizationindexv1", "notificationRulev1",
    "tasksv1", "taskRunsv1", "bucketindexv1",
}  # fmt: skip
REMADE = {"telegrafPluginsv1", "remotesv2", "replicationsv2", "idsv1"}
MADE = sorted(buckets_of_level(21) - set(LOST) - {"migrationsv1"})


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_that_is_missing_is_filled_again_to_the_last_key(
    tmp_path: Path, name: str
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    before = keys_of_file(full.path)
    remove_table(full.path, name)
    assert ("I3 F" if name in FATAL else "I3 M",) == words(examined(full.path))
    change(full.path, repair())
    assert words(examined(full.path)) == ()
    assert before == keys_of_file(full.path)


@pytest.mark.parametrize("name", MADE)
def test_a_bucket_that_is_missing_is_made_and_nothing_else_is_wrong_then(
    tmp_path: Path, name: str
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    remove_table(full.path, name)
    found = examined(full.path)
    severity = "F" if name in FATAL else "L" if name in REMADE else "M"
    assert f"I3 {severity}" in words(found)
    assert (severity == "F") is (found.verdict.outlook is Outlook.DOES_NOT_START)
    change(full.path, repair())
    left = {one.identity for one in found.findings if not one.is_mendable}
    assert left >= {one.identity for one in examined(full.path).findings}


@pytest.mark.parametrize(("name", "severity"), LOST.items())
def test_a_bucket_whose_records_are_lost_is_left_and_nothing_is_judged_by_its_absence(
    tmp_path: Path, name: str, severity: str
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    remove_table(full.path, name)
    before = keys_of_file(full.path)
    found = examined(full.path)
    assert f"I3 {severity}" in words(found)
    assert {one.number for one in found.findings if one.is_mendable} == set()
    assert change(full.path, repair()).is_changed is False
    assert before == keys_of_file(full.path)


def test_a_store_without_migrations_is_examined_and_not_repaired(tmp_path: Path) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    remove_table(full.path, "migrationsv1")
    assert "I2 M" in words(examined(full.path))
    with pytest.raises(RecoveryError):
        change(full.path, repair())


@pytest.mark.parametrize("level", LEVELS)
def test_a_bucket_of_a_later_level_is_not_missed(tmp_path: Path, level: int) -> None:
    full = make_full_store(tmp_path / "influxd.bolt", level=level)
    assert words(examined(full.path)) == ()


def test_an_absent_instance_id_is_drawn_by_the_server(tmp_path: Path) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    edit(full.path, lambda tx: tx.table("idsv1").delete(b"id"))
    assert words(examined(full.path)) == ()


def test_a_new_instance_id_is_one(tmp_path: Path) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    edit(full.path, lambda tx: put(tx, "idsv1", "id", "odd"))
    change(full.path, repair("I4"))
    stored = keys_of_file(full.path)["idsv1", b"id"]
    assert len(stored) == 16
    assert int(stored, 16) > 0
