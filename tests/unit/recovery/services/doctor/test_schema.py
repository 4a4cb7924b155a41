"""Bolt buckets that are missing as a whole, and stores whose migrations are not as they should."""

from pathlib import Path

import pytest

from recovery.errors import RecoveryError
from recovery.metastore.transaction import MetaTx
from recovery.model.organization import Organization, decode_organization
from recovery.model.schema import buckets_of_level
from recovery.services.doctor.check import Outlook
from recovery.services.doctor.schema import WITNESSES
from tests.support.doctor import INDEXES, examined, repair, words
from tests.support.full_store import (
    keys_of_file,
    make_full_store,
    open_tables,
    put,
    remove_table,
)
from tests.support.stores import LEVELS, change, edit

FATAL = {
    "authorizationindexv1", "authorizationhashedindexv1", "labelsv1", "labelmappingsv1",
    "labelindexv1", "legacy/authorizationsv1", "legacy/authorizationindexv1", "notificationRulev1",
    "tasksv1", "taskRunsv1", "bucketindexv1",
}  # fmt: skip
LOST = {
    "authorizationsv1", "checksv1", "dashboardcellviewsv1", "dashboardsv2", "dbrpv1",
    "legacy/authorizationPasswordv1", "notificationEndpointv1", "organizationsv1", "scraperv2",
    "secretsv1", "sourcesv1", "telegrafv1", "userresourcemappingsv1", "userspasswordv1", "usersv1",
    "v1_pkger_stacks", "variablesv1",
}  # fmt: skip
"""Bolt buckets of records without which a server starts."""
LOST_FATAL = {
    "labelsv1", "labelmappingsv1", "legacy/authorizationsv1", "notificationRulev1", "taskRunsv1",
    "tasksv1", "bucketsv1",
}  # fmt: skip
"""Bolt buckets of records without which no server starts."""
ACCESS = {"userindexv1", "userresourcemappingsbyuserindexv1"}
REMADE = {"telegrafPluginsv1", "remotesv2", "replicationsv2", "idsv1"}
MADE = sorted(buckets_of_level(21) - LOST - LOST_FATAL - {"migrationsv1", "v1_tsm1_metadata"})


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_that_is_missing_is_filled_again_to_the_last_key(
    tmp_path: Path, name: str
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    before = keys_of_file(full.path)
    remove_table(full.path, name)
    assert ("I3 F" if name in FATAL else "I3 H" if name in ACCESS else "I3 M",) == words(
        examined(full.path)
    )
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
    severity = "F" if name in FATAL else "L" if name in REMADE else "H" if name in ACCESS else "M"
    assert f"I3 {severity}" in words(found)
    assert (severity == "F") is (found.verdict.outlook is Outlook.DOES_NOT_START)
    change(full.path, repair())
    left = {one.identity for one in found.findings if not one.is_mendable}
    assert left >= {one.identity for one in examined(full.path).findings}


@pytest.mark.parametrize("name", sorted(LOST))
def test_a_bucket_whose_records_are_lost_is_made_on_request_only(tmp_path: Path, name: str) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    remove_table(full.path, name)
    before = keys_of_file(full.path)
    found = examined(full.path)
    assert {"I3 H", "I3 F"} & set(words(found))
    assert {one.number for one in found.findings if one.is_mendable} == set()
    assert change(full.path, repair()).is_changed is False
    assert before == keys_of_file(full.path)


def organizations(path: Path) -> list[Organization]:
    with open_tables(path) as store, store.view() as tx:
        return [
            decode_organization(document) for _, document in tx.table("organizationsv1").items()
        ]


def test_a_field_that_is_said_twice_has_to_be_right_both_times(tmp_path: Path) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    key = full.org.encode()

    def say_twice(tx: MetaTx) -> None:
        document = tx.table("organizationsv1").get(key) or b""
        tx.table("organizationsv1").put(key, document.replace(b"{", b'{"id":[1],', 1))

    edit(full.path, say_twice)
    problems = [one.problem for one in examined(full.path).findings]
    assert "is an organization that cannot be understood" in problems


def test_lost_organizations_are_made_again_of_their_index(tmp_path: Path) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    before = {org.id: org.name for org in organizations(full.path)}
    remove_table(full.path, "organizationsv1")
    change(full.path, repair("I3"))
    assert {org.id: org.name for org in organizations(full.path)} == before
    assert words(examined(full.path)) == ("I3 H",)
    assert change(full.path, repair()).is_changed is False
    change(full.path, repair(accepted=("I3",)))
    assert words(examined(full.path)) == ()


MADE_AGAIN = {"bucketsv1", "organizationsv1"}


@pytest.mark.parametrize("name", sorted((LOST | LOST_FATAL) - MADE_AGAIN))
def test_a_lost_bucket_that_was_made_is_a_finding_until_the_loss_is_accepted(
    tmp_path: Path, name: str
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    remove_table(full.path, name)
    before = keys_of_file(full.path)
    change(full.path, repair("I3"))
    assert before == keys_of_file(full.path), "nothing is judged by what is not known any more"
    assert "I3 H" in words(examined(full.path))
    assert change(full.path, repair()).is_changed is False
    change(full.path, repair(accepted=("I3",)))
    assert "I3 H" not in words(examined(full.path))
    assert before == keys_of_file(full.path)


@pytest.mark.parametrize("name", sorted(LOST_FATAL))
def test_a_lost_bucket_without_which_influxd_does_not_start_is_made_empty(
    tmp_path: Path, name: str
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    remove_table(full.path, name)
    assert "I3 F" in words(examined(full.path))
    outcome = change(full.path, repair())
    assert "asked for" not in outcome.proposal.plan.steps[0]
    examination = examined(full.path)
    assert examination.verdict.outlook is Outlook.STARTS
    assert "I3 H" in words(examination)


def test_buckets_that_are_lost_are_made_again_of_their_index_and_the_catalogue(
    tmp_path: Path,
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    before = keys_of_file(full.path)
    remove_table(full.path, "bucketsv1")
    change(full.path, repair())
    assert before.keys() == keys_of_file(full.path).keys()
    assert words(examined(full.path)) == ("I3 H",)


def test_a_lost_bucket_is_made_without_a_finding_where_the_loss_is_accepted(
    tmp_path: Path,
) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    remove_table(full.path, "secretsv1")
    change(full.path, repair(accepted=("I3",)))
    assert words(examined(full.path)) == ()


@pytest.mark.parametrize("name", ["checksv1", "legacy/authorizationsv1", "userspasswordv1"])
def test_a_bucket_that_had_nothing_in_it_is_no_loss(tmp_path: Path, name: str) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    remove_table(full.path, name)
    for witness in WITNESSES[name]:
        edit(full.path, lambda tx, witness=witness: _empty(tx, witness))  # type: ignore[misc] # a default binds it
    change(full.path, repair())
    assert not {one.bucket for one in examined(full.path).findings if one.number == "I3"}


def _empty(tx: MetaTx, name: str) -> None:
    for key in [key for key, _ in tx.table(name).items()]:
        tx.table(name).delete(key)


def test_a_lost_catalogue_is_left(tmp_path: Path) -> None:
    full = make_full_store(tmp_path / "influxd.bolt")
    remove_table(full.path, "v1_tsm1_metadata")
    assert words(examined(full.path)) == ("I3 F",)
    assert change(full.path, repair()).is_changed is False


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


def test_without_migrations_and_catalogue_influxd_misses_the_metadata_of_buckets(
    tmp_path: Path,
) -> None:
    """What is salvaged of a cut file may be so: seen with a real 2.9.1, "Missing metadata"."""
    full = make_full_store(tmp_path / "influxd.bolt")
    for name in ("migrationsv1", "v1_tsm1_metadata"):
        remove_table(full.path, name)
    found = examined(full.path)
    assert "I13 F" in words(found)
    assert found.verdict.outlook is Outlook.DOES_NOT_START
