"""Random sequences of all changes: every index stays one to one, every check stays clean."""

from pathlib import Path
from random import Random

import pytest

from recovery.errors import RecoveryError
from recovery.metastore.store import MetaStore
from tests.support.doctor import examined, words
from tests.support.drawing import Draw, exported
from tests.support.invariants import assert_invariants
from tests.support.stores import (
    LEVELS,
    MemoryDestination,
    change,
    make_store,
)

STEPS = 14


def run_sequence(tmp_path: Path, level: int, seed: int) -> int:
    """Make a sequence of changes; return how many changed something."""
    random = Random(seed)
    path = tmp_path / "influxd.bolt"
    export = exported(make_store(path, level=level))
    changed = 0
    for _ in range(STEPS):
        before = path.read_bytes()
        with MetaStore.open(path, write=False) as store, store.view() as tx:
            planner = Draw(random, tx, export).planner()
        try:
            outcome = change(path, planner, destination=MemoryDestination())
        except RecoveryError:
            assert path.read_bytes() == before
        else:
            changed += outcome.is_changed
            assert outcome.is_changed or path.read_bytes() == before
        assert_invariants(path)
        assert words(examined(path)) == ()
    return changed


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("level", LEVELS)
def test_no_sequence_of_changes_breaks_an_invariant(tmp_path: Path, level: int, seed: int) -> None:
    assert run_sequence(tmp_path, level, seed) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 60))
@pytest.mark.parametrize("level", LEVELS)
def test_no_sequence_of_changes_breaks_an_invariant_in_a_long_campaign(
    tmp_path: Path, level: int, seed: int
) -> None:
    assert run_sequence(tmp_path, level, seed) > 0
