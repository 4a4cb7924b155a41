"""Stores with one to three invariants broken at random."""

import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from recovery.errors import RecoveryError
from recovery.services.changes.facts import PlanFacts
from recovery.services.doctor.repair import RepairStore
from tests.support.breakages import BREAKAGES
from tests.support.doctor import RECORDS, examined, repair
from tests.support.full_store import FullStore, keys_of_file, make_full_store
from tests.support.stores import change, edit
from tests.support.workings import Keys, workings

USED = [
    one for one in BREAKAGES if 21 in one.levels and not any(w.startswith("I2 ") for w in one.found)
]


def broken(path: Path, draw: Random) -> tuple[FullStore, list[str]]:
    """Make a store and break it; a breakage that another one has made impossible is left out."""
    full = make_full_store(path)
    done = []
    for breakage in draw.sample(USED, draw.randint(1, 3)):
        try:
            edit(path, lambda tx, one=breakage: one.break_(tx, full))  # type: ignore[misc] # a default binds it
        except (AssertionError, ValueError):
            continue
        done.append(breakage.name)
    return full, done


def assert_planned(before: Keys, after: Keys, facts: PlanFacts) -> None:
    """Assert that the plan counts each key that is gone, by bolt bucket."""
    gone = Counter(table for table, _ in before.keys() - after.keys())
    planned = facts["removed"]
    assert isinstance(planned, list)
    assert gone == {one["bucket"]: one["count"] for one in planned}


def assert_repaired(path: Path, draw: Random, planner: RepairStore) -> None:
    whole = keys_of_file(make_full_store(path).path)
    _, done = broken(path, draw)
    damaged = keys_of_file(path)
    before = examined(path)
    worked = workings(path)
    outcome = change(path, planner)
    assert worked <= workings(path), done
    assert_planned(damaged, keys_of_file(path), outcome.proposal.plan.facts)
    assert change(path, planner).is_changed is False, done
    after = {one.identity for one in examined(path).findings}
    unmendable = {one.identity for one in before.findings if not one.is_mendable}
    assert after <= unmendable, done
    repaired = keys_of_file(path)
    lost = {
        key
        for key, value in whole.items()
        if key[0] in RECORDS and damaged.get(key) == value != repaired.get(key)
    }
    assert lost == set(), done


@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_of_ten_damaged_stores_was_declared_and_nothing_undamaged_is_lost(
    tmp_path: Path, seed: int
) -> None:
    draw = Random(seed)
    for _ in range(10):
        assert_repaired(tmp_path / "influxd.bolt", draw, repair())
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8, 180))
def test_the_same_of_many_more(tmp_path: Path, seed: int) -> None:
    draw = Random(seed)
    for _ in range(10):
        assert_repaired(tmp_path / "influxd.bolt", draw, repair())
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()


@pytest.mark.parametrize("seed", range(5))
def test_a_repair_of_one_invariant_leaves_the_other_findings(tmp_path: Path, seed: int) -> None:
    draw = Random(seed)
    path = tmp_path / "influxd.bolt"
    broken(path, draw)
    before = examined(path)
    numbers = sorted({one.number for one in before.findings})
    try:
        change(path, repair(numbers[0]))
    except RecoveryError as error:
        pytest.fail(str(error))
    after = {one.identity for one in examined(path).findings}
    # A task that was asked to be taken out can be that of a check, which the plan says.
    new = after - {one.identity for one in before.findings}
    assert all(problem.endswith("whose task does not exist") for *_, problem in new)
    others = [one for one in before.findings if one.number != numbers[0]]
    assert after >= {one.identity for one in others if one.mend is None}
