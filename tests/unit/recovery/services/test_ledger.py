"""Operations, as the rows of a real ledger tell of them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.errors import ExitCode, NotFoundError
from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.services.changes.ports import Intent
from recovery.services.ledger import (
    UNFINISHED,
    find_operation,
    operations_of,
    read_operations,
)
from tests.support.ports import FixedClock

STORE = Path("/var/lib/influxdb/influxd.bolt")
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENDED = datetime(2026, 1, 2, 3, 4, 9, tzinfo=UTC)


def intent(operation: str = "auth delete", *, inode: int = 7, path: Path = STORE) -> Intent:
    return Intent(
        operation=operation,
        store_path=path,
        device=1,
        inode=inode,
        record_ids=("0123456789abcdef",),
        backup_path=Path("/backup"),
        reason="ticket 4711",
    )


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(BEGAN)


@pytest.fixture
def ledger(tmp_path: Path, clock: FixedClock) -> Ledger:
    actor = Actor(host="db1", uid=0, sudo_user="alice", tool_version="1")
    return Ledger(path=tmp_path / "ledger.sqlite", actor=actor, clock=clock)


def test_a_ledger_that_does_not_exist_has_no_operations_and_is_not_made(ledger: Ledger) -> None:
    assert read_operations(ledger) == ()
    assert not ledger.path.exists()


def test_rows_of_one_operation_are_put_together(ledger: Ledger, clock: FixedClock) -> None:
    number = ledger.intend(intent(), txid_before=11)
    clock.moment = ENDED
    ledger.conclude(number, "done", txid_after=12)
    (operation,) = read_operations(ledger)
    assert (number, "auth delete", "done") == (
        operation.number,
        operation.operation,
        operation.outcome,
    )
    assert (operation.started_at, operation.ended_at) == (BEGAN, ENDED)
    assert (operation.txid_before, operation.txid_after) == (11, 12)
    assert (operation.reason, operation.backup_path) == ("ticket 4711", "/backup")


def test_an_intent_without_an_end_is_unfinished(ledger: Ledger) -> None:
    ledger.intend(intent(), txid_before=11)
    (operation,) = read_operations(ledger)
    assert (operation.outcome, operation.ended_at) == (UNFINISHED, None)


def test_the_last_row_says_how_an_operation_ended(ledger: Ledger) -> None:
    number = ledger.intend(intent())
    ledger.conclude(number, "done", txid_after=12)
    ledger.conclude(number, "undelivered", txid_after=12)
    assert [one.outcome for one in read_operations(ledger)] == ["undelivered"]


def test_operations_that_overlap_are_kept_apart(ledger: Ledger) -> None:
    first = ledger.intend(intent("auth delete"))
    second = ledger.intend(intent("auth hash"))
    ledger.conclude(second, "done")
    ledger.conclude(first, "unchanged")
    found = [(one.operation, one.outcome) for one in read_operations(ledger)]
    assert found == [("auth delete", "unchanged"), ("auth hash", "done")]


def test_an_operation_is_found_by_any_of_its_rows(ledger: Ledger) -> None:
    number = ledger.intend(intent())
    ledger.conclude(number, "done")
    assert find_operation(ledger, number) == find_operation(ledger, number + 1)


def test_an_unknown_number_is_refused_with_those_that_exist(ledger: Ledger) -> None:
    number = ledger.intend(intent())
    with pytest.raises(NotFoundError, match=str(number)) as caught:
        find_operation(ledger, 99)
    assert caught.value.exit_code is ExitCode.NOT_FOUND


def test_operations_of_a_store_are_found_by_its_file_or_its_place(ledger: Ledger) -> None:
    ledger.note(intent("auth list", inode=7))
    ledger.note(intent("user list", inode=8))
    ledger.note(intent("org list", inode=7, path=Path("/elsewhere")))
    ledger.note(intent("bucket list", inode=9, path=Path("/elsewhere")))
    found = operations_of(read_operations(ledger), STORE, device=1, inode=7)
    assert [one.operation for one in found] == ["auth list", "user list", "org list"]
