"""What is said of a store as a whole."""

from pathlib import Path

import pytest

from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.metastore.transaction import MetaTx
from recovery.model.password import hash_password
from recovery.model.token import TokenForm
from recovery.secret import Secret
from recovery.services.authorizations.changes import SetStatus
from recovery.services.authorizations.listing import OperatorState
from recovery.services.changes.backup_rule import BackupEachChange
from recovery.services.changes.plan import Manner
from recovery.services.changes.ports import Ports
from recovery.services.session import Session
from recovery.services.stores.info import StoreInfo, describe_store
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    LEVELS,
    MadeStore,
    YesAudience,
    edit,
    make_store,
    run_change,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    actor = Actor(host="db1", uid=0, sudo_user=None, tool_version="1")
    return Ledger(path=tmp_path / "ledger.sqlite", actor=actor, clock=FixedClock(CHANGED_AT))


def info(path: Path, ledger: Ledger, *, sqlite_path: Path | None = None) -> StoreInfo:
    with Session.open(path) as session:
        return describe_store(session, sqlite_path=sqlite_path, ledger=ledger)


def test_a_real_store_is_counted(level21_bolt: Path, ledger: Ledger) -> None:
    found = info(level21_bolt, ledger)
    contents = found.contents
    assert (contents.organization_count, contents.user_count, contents.bucket_count) == (1, 1, 3)
    assert (contents.authorization_count, contents.token_forms) == (2, {TokenForm.RAW: 2})
    assert (found.facts.level, found.page_size_bytes, contents.problems) == (21, 4096, ())


@pytest.mark.parametrize("level", LEVELS)
def test_every_operator_token_is_named_with_what_it_lacks(
    tmp_path: Path, ledger: Ledger, level: int
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=level)
    full, partial = info(made.path, ledger).contents.operators
    assert (full.id, full.state, full.lacks) == (made.operator, OperatorState.FULL, ())
    assert (partial.id, partial.state) == (made.old_operator, OperatorState.PARTIAL)
    assert "read:notebooks" in partial.lacks


def test_a_user_without_a_password_cannot_sign_in_and_one_with_it_can(
    made: MadeStore, ledger: Ledger
) -> None:
    hashed = hash_password(Secret("a good password"))
    edit(made.path, lambda tx: tx.passwords.put(made.alice, hashed))
    alice, bob = info(made.path, ledger).users
    assert (alice.name, alice.obstacles) == ("alice", ())
    assert (bob.name, bob.obstacles) == ("bob", ("it has no password",))


def test_a_user_without_a_role_is_told_apart(made: MadeStore, ledger: Ledger) -> None:
    def drop(tx: MetaTx) -> None:
        tx.mappings.delete_of_user(made.bob)

    edit(made.path, drop)
    _, bob = info(made.path, ledger).users
    assert "it has no role in any organization, so it would see nothing" in bob.obstacles


def test_hashed_tokens_are_what_a_downgrade_loses_first(made: MadeStore, ledger: Ledger) -> None:
    first, *_ = info(made.path, ledger).losses
    assert first.startswith("Below 2.8: the index of hashes, so 1 hashed token")


def test_a_store_of_2_1_loses_only_what_2_1_brought(tmp_path: Path, ledger: Ledger) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=18)
    (loss,) = info(made.path, ledger).losses
    assert loss.startswith("Below 2.1:")


def test_the_last_operations_of_this_store_are_shown(made: MadeStore, ledger: Ledger) -> None:
    clock = FixedClock(CHANGED_AT)
    for number in range(7):
        planner = SetStatus(authorization_id=made.reader, is_active=number % 2 == 1, clock=clock)
        ports = Ports(audience=YesAudience(), recorder=ledger)
        manner = Manner(backups=BackupEachChange(clock))
        run_change(made.path, planner, manner=manner, ports=ports)
    found = info(made.path, ledger)
    assert [one.number for one in found.operations] == [5, 7, 9, 11, 13]


def test_a_record_that_cannot_be_understood_is_reported(made: MadeStore, ledger: Ledger) -> None:
    edit(made.path, lambda tx: tx.table("usersv1").put(b"0000000000001001", b"{"))
    (problem,) = info(made.path, ledger).contents.problems
    assert (problem.bucket, problem.id) == ("usersv1", "0000000000001001")


def test_nothing_secret_is_in_it(made: MadeStore, ledger: Ledger) -> None:
    assert "canary" not in repr(info(made.path, ledger))
