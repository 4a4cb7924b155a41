"""Several authorizations deleted, or set to a status, at once."""

import pytest

from recovery.errors import NotFoundError
from recovery.model.ids import Id
from recovery.services.authorizations.selection import Selection
from recovery.services.authorizations.several import DeleteSeveral, SetStatusOfSeveral
from tests.support.invariants import assert_invariants
from tests.support.oracle import Oracle
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, MadeStore, change, difference

UNKNOWN = Id("00000000000000ff")


def test_all_but_one_go_with_their_entries(store: MadeStore, oracle: Oracle) -> None:
    before = oracle.dump(store.path)
    planner = DeleteSeveral(selection=Selection(spared=(store.operator,)), is_ensured=False)
    outcome = change(store.path, planner)
    assert not any("nobody" in one for one in outcome.proposal.plan.warnings)
    gone = difference(before, oracle.dump(store.path))
    assert set(gone.places) == {"removed"}
    assert sum(bucket == "authorizationsv1" for bucket, _ in gone.removed) == 3
    assert sum("index" in bucket for bucket, _ in gone.removed) == 3
    assert oracle.check(store.path) == []
    assert_invariants(store.path)
    assert not change(store.path, planner).is_changed


def test_deleting_all_that_let_anybody_in_is_warned_of_as_a_whole(store: MadeStore) -> None:
    both = Selection(ids=(store.operator, store.old_operator, store.reader, store.hashed))
    planner = DeleteSeveral(selection=both, is_ensured=False)
    warnings = change(store.path, planner, is_dry_run=True).proposal.plan.warnings
    assert any("no full operator token is left" in warning for warning in warnings)


def test_one_that_is_missing_stops_all_unless_that_is_well(store: MadeStore) -> None:
    content = store.path.read_bytes()
    which = Selection(ids=(store.reader, UNKNOWN))
    with pytest.raises(NotFoundError, match=UNKNOWN):
        change(store.path, DeleteSeveral(selection=which, is_ensured=False))
    assert store.path.read_bytes() == content
    ensured = DeleteSeveral(selection=which, is_ensured=True)
    assert change(store.path, ensured).proposal.plan.record_ids == (store.reader,)
    assert not change(store.path, ensured).is_changed


@pytest.mark.parametrize("is_active", [True, False])
def test_the_status_of_several_changes_where_it_is_another(
    store: MadeStore, oracle: Oracle, *, is_active: bool
) -> None:
    clock = FixedClock(CHANGED_AT)
    all_but = Selection(spared=(store.operator,))
    change(store.path, SetStatusOfSeveral(selection=all_but, is_active=False, clock=clock))
    which = Selection(ids=(store.reader, store.operator))
    before = oracle.dump(store.path)
    planner = SetStatusOfSeveral(selection=which, is_active=is_active, clock=clock)
    outcome = change(store.path, planner)
    changed = store.reader if is_active else store.operator
    assert outcome.proposal.plan.record_ids == (changed,)
    assert difference(before, oracle.dump(store.path)).places == {"changed": ["authorizationsv1"]}
    assert not change(store.path, planner).is_changed
