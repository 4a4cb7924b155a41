"""New tokens for old ones, in one transaction."""

import csv
import io
import json
from pathlib import Path

import pytest

from recovery.errors import NotFoundError, RefusedError
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.secret import Secret
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.rotation import RotateTokens
from recovery.services.authorizations.selection import Selection
from recovery.services.changes.plan import Manner, Outcome
from recovery.services.changes.ports import Ports
from tests.support.invariants import assert_invariants
from tests.support.oracle import Oracle
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    CHANGED_AT_TEXT,
    HASHED_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    ListRecorder,
    MadeStore,
    MemoryDestination,
    SeededRng,
    YesAudience,
    change,
    edit,
    run_change,
)


def rotation(selection: Selection, *, keeps_inactive: bool = False) -> RotateTokens:
    return RotateTokens(
        selection=selection,
        keeps_inactive=keeps_inactive,
        form=FormChoice.BY_STORE,
        server_hashes=None,
        clock=FixedClock(CHANGED_AT),
        rng=SeededRng(),
    )


def rotate(path: Path, planner: RotateTokens) -> tuple[Outcome, list[dict[str, str]]]:
    """Run it, and read what was handed over."""
    destination = MemoryDestination()
    ports = Ports(audience=YesAudience(), recorder=ListRecorder(), destination=destination)
    outcome = run_change(path, planner, manner=Manner(), ports=ports)
    (handed_over,) = destination.delivered
    return outcome, list(csv.DictReader(io.StringIO(handed_over.reveal())))


def records(path: Path) -> dict[str, dict[str, object]]:
    with MetaStore.open(path, write=False) as opened, opened.view() as tx:
        return {
            key.decode(): json.loads(value) for key, value in tx.table("authorizationsv1").items()
        }


def test_all_that_is_the_same_stays_the_same(store: MadeStore, oracle: Oracle) -> None:
    before = records(store.path)
    outcome, rows = rotate(store.path, rotation(Selection()))
    after = records(store.path)
    assert oracle.check(store.path) == []
    assert_invariants(store.path)
    turned = json.loads(json.dumps(outcome.proposal.plan.facts["rotated"]))
    assert [one["old_id"] for one in turned] == sorted(before)
    assert sorted(after) == sorted(one["new_id"] for one in turned) == sorted(r["id"] for r in rows)
    assert not set(before) & set(after)
    for one in turned:
        old, new = before[one["old_id"]], after[one["new_id"]]
        for field in ("token", "hashedToken", "id", "createdAt", "updatedAt"):
            old.pop(field, None)
        assert new.pop("createdAt") == new.pop("updatedAt") == CHANGED_AT_TEXT
        for field in ("token", "hashedToken", "id"):
            new.pop(field, None)
        assert old == new
    descriptions = {row["id"]: row["description"] for row in rows}
    assert descriptions == {one["new_id"]: one["description"] for one in turned}


def test_the_new_tokens_are_found_and_the_old_are_not(store: MadeStore) -> None:
    chosen = Selection(ids=(store.operator, store.hashed, store.operator))
    _, rows = rotate(store.path, rotation(chosen))
    assert [row["description"] for row in rows] == ["alice's Token", "reads buckets"]

    def look(tx: MetaTx) -> None:
        known = tx.authorizations
        for row in rows:
            found = known.find(Secret(row["token"]))
            assert found is not None
            assert found.id == row["id"]
        assert known.find(Secret(OPERATOR_TOKEN)) is None
        assert not known.is_known(Secret(HASHED_TOKEN))
        assert known.find(Secret(READER_TOKEN)) is not None

    edit(store.path, look)


def test_old_ones_can_stay_inactive_and_an_inactive_one_has_an_inactive_successor(
    store: MadeStore,
) -> None:
    rotate(store.path, rotation(Selection(ids=(store.reader,)), keeps_inactive=True))
    after = records(store.path)
    assert after[store.reader]["status"] == "inactive"
    _, rows = rotate(store.path, rotation(Selection(ids=(store.reader,))))
    assert records(store.path)[rows[0]["id"]]["status"] == "inactive"


def test_what_is_spared_or_of_others_stays(store: MadeStore) -> None:
    before = records(store.path)
    rotate(store.path, rotation(Selection(user="alice", spared=(store.operator,))))
    after = records(store.path)
    assert set(before) - set(after) == {store.old_operator}


def test_a_slip_among_the_spared_is_refused(store: MadeStore) -> None:
    content = store.path.read_bytes()
    with pytest.raises(NotFoundError, match="00000000000000ff"):
        change(store.path, rotation(Selection(spared=(Id("00000000000000ff"),))))
    assert store.path.read_bytes() == content


def test_without_a_place_nothing_is_rotated(store: MadeStore) -> None:
    content = store.path.read_bytes()
    ports = Ports(audience=YesAudience(), recorder=ListRecorder(), destination=None)
    with pytest.raises(RefusedError, match="no place to put the new token"):
        run_change(store.path, rotation(Selection()), manner=Manner(), ports=ports)
    assert store.path.read_bytes() == content


def test_no_plan_shows_a_token(store: MadeStore) -> None:
    plan = change(store.path, rotation(Selection()), is_dry_run=True).proposal.plan
    assert plan.secret is not None
    for row in csv.DictReader(io.StringIO(plan.secret.reveal())):
        assert row["token"] not in f"{plan!r}{plan.steps}{plan.facts}{plan.warnings}"
