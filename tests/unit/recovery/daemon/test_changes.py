"""Changes of one run of the daemon: taken back one by one, and made on a disk that fails."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from recovery.daemon.answer import ApiError
from recovery.daemon.changes import Changes
from recovery.daemon.journal import Author
from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.model.ids import Id
from recovery.ports import SystemRng
from recovery.secret import Secret
from recovery.services.authorizations.changes import DeleteAuthorization, SetStatus
from recovery.services.authorizations.record_changes import IssueAuthorization
from recovery.services.changes.plan import Manner, Proposal
from recovery.services.ledger import read_operations
from recovery.services.session import Session
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser
from recovery.services.tenancy.user_records import AddUser, EditUser, StorePassword
from tests.support import drawing
from tests.support.drawing import Draw, exported
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, ListRecorder, MadeStore, undo

if TYPE_CHECKING:
    from recovery.services.changes.plan import Planner

CLOCK: Final = FixedClock(CHANGED_AT)
AUTHOR: Final = Author(name="console key")
HASH: Final = Secret("$2a$10$PgvhXFogiRsXVHQxcHKEMOBRqI7yhTfiDMIQIKx1FaLMdM6LN0ND6")


@pytest.fixture
def session(made: MadeStore) -> Iterator[Session]:
    with Session.open(made.path, write=True) as session:
        yield session


@pytest.fixture
def changes(session: Session) -> Changes:
    return Changes(session, ListRecorder(), CLOCK, reason=None)


def ledger_beside(made: MadeStore, clock: FixedClock = CLOCK) -> Ledger:
    actor = Actor(host="db1", uid=0, sudo_user=None, tool_version="1")
    return Ledger(path=made.path.with_name("ledger.sqlite"), actor=actor, clock=clock)


def keys_of(session: Session) -> dict[tuple[str, bytes], bytes]:
    with session.view() as view:
        return {
            (name, key): value
            for name in view.tx.table_names()
            for key, value in view.tx.table(name).items()
        }


def add_user(changes: Changes, name: str) -> Id:
    planner = AddUser(name=name, clock=CLOCK, rng=SystemRng())
    return Id(changes.make(planner, AUTHOR).record_ids[0])


def mint(changes: Changes, made: MadeStore, user_id: Id) -> None:
    planner = IssueAuthorization(
        org_id=Id(made.org), user_id=user_id, status="active", description="", permissions=(),
        server_hashes=None, clock=CLOCK, rng=SystemRng(),
    )  # fmt: skip
    changes.make(planner, AUTHOR)


def status(made: MadeStore, *, is_active: bool) -> SetStatus:
    return SetStatus(authorization_id=made.reader, is_active=is_active, clock=CLOCK)


def refusal(changes: Changes, number: int) -> str:
    with pytest.raises(ApiError) as caught:
        changes.undo(number, AUTHOR)
    return caught.value.message


def test_a_change_is_taken_back_and_made_again(
    changes: Changes, session: Session, made: MadeStore
) -> None:
    before = keys_of(session)
    changes.make(DeleteAuthorization(authorization_id=made.reader, is_ensured=False), AUTHOR)
    deleted = keys_of(session)
    assert changes.undo(1, AUTHOR).is_changed
    assert keys_of(session) == before
    assert changes.journal.undone == {1: 2}
    assert "change 1 (serve auth delete) was taken back by change 2" in refusal(changes, 1)
    changes.undo(2, AUTHOR)
    assert keys_of(session) == deleted
    assert changes.journal.undone == {2: 3}
    changes.undo(1, AUTHOR)
    assert keys_of(session) == before
    assert [one.operation for one in changes.journal.entries[1:]] == ["serve undo"] * 3


def test_the_whole_file_is_checked_now_and_then_and_a_large_one_more_seldom(
    changes: Changes, session: Session, made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Changes(session, ListRecorder(), CLOCK, reason=None)
    before.make(status(made, is_active=False), AUTHOR)  # the file grows
    checked: list[bool] = []
    propose = session.propose

    def noted(planner: "Planner", manner: Manner) -> Proposal:
        checked.append(manner.is_whole_file_checked)
        return propose(planner, manner)

    monkeypatch.setattr(session, "propose", noted)
    monkeypatch.setattr("recovery.daemon.changes.CHANGES_BETWEEN_CHECKS", 2)
    for size in (4, 1):  # so many times as large as what is checked for one change
        step = session.store.size_bytes // size
        monkeypatch.setattr("recovery.daemon.changes.CHECKED_BYTES_A_CHANGE", step)
        for number in range(8):
            changes.make(status(made, is_active=not number % 2), AUTHOR)
    assert [at for at, one in enumerate(checked) if one] == [0, 4, 8, 10, 12, 14]


def test_what_a_later_change_touched_is_not_overwritten(
    changes: Changes, session: Session, made: MadeStore
) -> None:
    changes.make(status(made, is_active=False), AUTHOR)
    changes.make(status(made, is_active=True), AUTHOR)
    before = keys_of(session)
    said = refusal(changes, 1)
    assert "because change 2 (serve auth set-active) touched the same records later" in said
    assert "take change 2 back first" in said
    assert keys_of(session) == before
    changes.undo(2, AUTHOR)
    changes.undo(1, AUTHOR)


def test_an_older_change_of_other_records_is_taken_back_alone(
    changes: Changes, session: Session
) -> None:
    ann, ben = add_user(changes, "ann"), add_user(changes, "ben")
    changes.undo(1, AUTHOR)
    names = {key for table, key in keys_of(session) if table == "userindexv1"}
    assert b"ben" in names
    assert b"ann" not in names
    assert ("usersv1", ann.encode()) not in keys_of(session)
    assert ("usersv1", ben.encode()) in keys_of(session)


def test_what_others_need_is_not_taken_away(changes: Changes, made: MadeStore) -> None:
    user_id = add_user(changes, "ann")
    changes.make(StorePassword(user_id=user_id, password_hash=HASH), AUTHOR)
    mint(changes, made, user_id)
    assert "change 2 (serve user update) made something that needs it" in refusal(changes, 1)
    changes.undo(2, AUTHOR)  # the password is kept under the ID of the user, and is no user
    assert "change 3 (serve auth create) made something that needs it" in refusal(changes, 1)
    changes.undo(3, AUTHOR)
    changes.undo(1, AUTHOR)


def test_what_needs_something_that_has_gone_does_not_come_back(
    changes: Changes, made: MadeStore
) -> None:
    user_id = add_user(changes, "ann")
    mint(changes, made, user_id)
    minted = Id(changes.journal.entries[-1].record_ids[0])
    changes.make(SetStatus(authorization_id=minted, is_active=False, clock=CLOCK), AUTHOR)
    changes.make(DeleteAuthorization(authorization_id=minted, is_ensured=False), AUTHOR)
    changes.make(DeleteUser(user=UserChoice(name="ann", user_id=None), with_tokens=False), AUTHOR)
    assert "(serve user delete) removed something that it needs" in refusal(changes, 4)
    changes.undo(5, AUTHOR)
    changes.undo(4, AUTHOR)
    changes.make(DeleteUser(user=UserChoice(name="ann", user_id=None), with_tokens=False), AUTHOR)
    changes.undo(3, AUTHOR)  # the token named that user before and after it


def test_a_change_that_was_not_made_cannot_be_taken_back(changes: Changes) -> None:
    add_user(changes, "ann")
    for number in (0, 2):
        with pytest.raises(ApiError) as caught:
            changes.undo(number, AUTHOR)
        assert caught.value.code == "not found"


def test_a_name_that_was_given_away_is_not_taken_twice(changes: Changes) -> None:
    user_id = add_user(changes, "ann")
    changes.make(EditUser(user_id=user_id, name="ben"), AUTHOR)
    add_user(changes, "ann")
    assert "because change 3 (serve user create)" in refusal(changes, 2)


def count_up() -> Iterator[datetime]:
    return (CHANGED_AT + timedelta(seconds=number) for number in count())


@pytest.mark.parametrize("seed", [13, *(pytest.param(n, marks=pytest.mark.slow) for n in range(4))])
def test_each_of_many_random_changes_leaves_nothing_when_it_is_taken_back(
    made: MadeStore,
    seed: int,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every change is taken back at once and made again; half are taken back again, then all."""
    steps = 250 if request.config.getoption("--slow") else 40
    random, export, before = Random(seed), exported(made), made.path.read_bytes()
    ledger = ledger_beside(made)
    with ledger.open_throughout() as recorder, Session.open(made.path, write=True) as session:
        changes = Changes(session, recorder, CLOCK, reason=None)
        states = [keys_of(session)]
        for moment in count_up():
            if len(states) > steps:
                break
            monkeypatch.setattr(drawing.CLOCK, "moment", moment)  # no ID is drawn twice
            with session.view() as view:
                planner: Planner = Draw(random, view.tx, export, with_passwords=False).planner()
            try:
                if not changes.make(planner, AUTHOR).is_changed:
                    continue
            except ApiError:
                continue
            number = changes.journal.entries[-1].number
            states.append(keys_of(session))
            changes.undo(number, AUTHOR)
            assert keys_of(session) == states[-2], planner
            changes.undo(number + 1, AUTHOR)
            assert keys_of(session) == states[-1], planner
        for state in reversed(states[steps // 2 : -1]):
            undone = changes.journal.undone
            last = next(
                one for one in reversed(changes.journal.entries)
                if one.undoes is None and one.number not in undone
            )  # fmt: skip
            changes.undo(last.number, AUTHOR)
            assert keys_of(session) == state
        changes.end()
    undo(made.path, ledger, CLOCK)
    assert made.path.read_bytes() == before


def test_a_clock_that_is_set_back_between_two_changes_loses_neither(made: MadeStore) -> None:
    before, clock = made.path.read_bytes(), FixedClock(CHANGED_AT)
    ledger = ledger_beside(made, clock)
    with Session.open(made.path, write=True) as session:
        changes = Changes(session, ledger, clock, reason=None)
        for number in range(3):
            changes.make(AddUser(name=f"new {number}", clock=clock, rng=SystemRng()), AUTHOR)
            clock.moment -= timedelta(days=400)
        changes.end()
        users = {value for (table, _), value in keys_of(session).items() if table == "usersv1"}
        assert all(any(f"new {number}".encode() in one for one in users) for number in range(3))
    assert [one.outcome for one in read_operations(ledger)] == ["done"] * 4
    undo(made.path, ledger, clock)
    assert made.path.read_bytes() == before
