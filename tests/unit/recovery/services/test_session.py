"""One session: the lock is held, and what is seen is always the newest state."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from recovery.errors import RecoveryError, RefusedError, StoreBusyError, WriteFailedError
from recovery.metastore.transaction import MetaTx
from recovery.services.authorizations.changes import SetStatus
from recovery.services.authorizations.listing import (
    list_authorizations,
)
from recovery.services.changes.backup_rule import BackupEachChange, BackupOnce, BackupRule
from recovery.services.changes.plan import Manner, Outcome, Plan, Planner
from recovery.services.changes.ports import Ports
from recovery.services.session import Session
from recovery.services.tenancy.organization_listing import list_organizations
from recovery.services.tenancy.user_listing import list_users
from tests.support.drawing import Draw, exported
from tests.support.oracle import Dump
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    ListRecorder,
    MadeStore,
    MemoryDestination,
    YesAudience,
    make_store,
)

CLOCK = FixedClock(CHANGED_AT)
STEPS = 200


@pytest.fixture
def session(made: MadeStore) -> Iterator[Session]:
    with Session.open(made.path, write=True) as session:
        yield session


def ports(recorder: ListRecorder | None = None) -> Ports:
    return Ports(
        audience=YesAudience(),
        recorder=recorder or ListRecorder(),
        destination=MemoryDestination(),
    )


def status(made: MadeStore, *, is_active: bool) -> SetStatus:
    return SetStatus(authorization_id=made.reader, is_active=is_active, clock=CLOCK)


def change(session: Session, planner: Planner, backups: BackupRule | None = None) -> Outcome:
    manner = Manner(backups=backups or BackupEachChange(CLOCK))
    return session.carry_out(session.propose(planner, manner), ports())


# -- the same as one session each ----------------------------------------------------------------


class Player:
    """Reads and changes a store at random, in one session or in one each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.export = path.with_name("export.jsonl")
        self.random = Random(5)
        self.backups = BackupOnce(CLOCK, operation="serve")
        self.session: Session | None = None

    @contextmanager
    def opened(self) -> Iterator[Session]:
        if self.session is not None:
            yield self.session
            return
        with Session.open(self.path, write=True) as session:
            yield session

    def step(self) -> object:
        """Do one thing; say what came of it."""
        with self.opened() as session:
            if self.random.random() < 0.5:
                return self.read(session)
            with session.view() as view:
                draw = Draw(self.random, view.tx, self.export, with_passwords=False)
                planner = draw.planner()
            try:
                outcome = change(session, planner, self.backups)
            except RecoveryError as error:
                return type(error), str(error)
            return planner.operation, outcome.is_changed, outcome.txid

    def read(self, session: Session) -> object:
        with session.view() as view:
            rows = list_authorizations(view.tx).rows
            return (
                view.facts.txid,
                view.facts.size_bytes == self.path.stat().st_size,
                [(row.id, row.status, row.user) for row in rows],
                [(row.name, row.memberships) for row in list_users(view.tx).rows],
                [row.name for row in list_organizations(view.tx).rows],
            )


@pytest.mark.timeout(300)
def test_two_hundred_reads_and_changes_in_one_session_are_as_in_one_each(tmp_path: Path) -> None:
    players: list[Player] = []
    for name in ("one", "each"):
        folder = tmp_path / name
        folder.mkdir()
        if players:
            for file in players[0].path.parent.iterdir():
                shutil.copyfile(file, folder / file.name)
        else:
            exported(make_store(folder / "influxd.bolt", level=21))
        players.append(Player(folder / "influxd.bolt"))
    one, each = players
    one.session = Session.open(one.path, write=True)
    seen = []
    for number in range(STEPS):
        found = [repr(player.step()).replace(str(player.path.parent), "") for player in players]
        assert found[0] == found[1], number
        seen.append(found[0])
    one.session.close()
    assert Dump.of_file(one.path) == Dump.of_file(each.path)
    assert sum("', True, " in text for text in seen) > 15
    names = [sorted(one.name for one in player.path.parent.iterdir()) for player in players]
    assert names[0] == names[1] == ["export.jsonl", "influxd.bolt", names[0][2]]
    assert names[0][2].endswith("serve.backup")


# -- what is seen --------------------------------------------------------------------------------


def test_facts_are_of_this_moment(made: MadeStore, session: Session) -> None:
    before = session.facts()
    for number in range(12):
        change(session, Big(number), BackupOnce(CLOCK, operation="serve"))
        facts = session.facts()
        assert facts.size_bytes == made.path.stat().st_size
        assert facts.txid == before.txid + number + 1
        with session.view() as view:
            assert view.facts == facts
    assert session.facts().size_bytes > before.size_bytes


class Big:
    """Writes something large under a new key."""

    operation = "test set"

    def __init__(self, number: int) -> None:
        self.number = number

    def plan(self, store: MetaTx) -> Plan:
        key, value = b"key %d" % self.number, bytes(60_000)
        assert store.table("secretsv1").get(key) is None
        return Plan(
            operation=self.operation,
            steps=("write",),
            facts={},
            record_ids=(),
            apply=lambda tx: tx.table("secretsv1").put(key, value),
            verify=lambda tx: (
                None if tx.table("secretsv1").get(key) == value else "it is not there"
            ),
        )


def test_a_session_keeps_the_lock_between_two_changes(made: MadeStore, session: Session) -> None:
    for is_active in (False, True):
        change(session, status(made, is_active=is_active))
        with pytest.raises(StoreBusyError):
            Session.open(made.path, timeout_s=0)


def test_a_proposal_made_before_another_change_is_refused(
    made: MadeStore, session: Session
) -> None:
    early = session.propose(status(made, is_active=False), Manner())
    change(session, status(made, is_active=False))
    content = made.path.read_bytes()
    with pytest.raises(RefusedError, match="was changed after this plan was made"):
        session.carry_out(early, ports())
    assert made.path.read_bytes() == content


def test_after_an_unknown_outcome_the_session_reads_again_and_goes_on(
    made: MadeStore, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = os.fdatasync, 0

    def sync(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    change(session, status(made, is_active=False))
    change(session, status(made, is_active=True))  # the file is large enough now
    before = session.facts().txid
    recorder = ListRecorder()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", sync)
        proposal = session.propose(status(made, is_active=False), Manner())
        with pytest.raises(WriteFailedError) as caught:
            session.carry_out(proposal, ports(recorder))
    assert caught.value.outcome == "unknown"
    assert recorder.outcomes == ["unknown"]
    # The meta had reached the file, so the change is seen, under the same lock.
    with session.view() as view:
        assert view.facts.txid == before + 1
        found = view.tx.authorizations.get(made.reader)
        assert found is not None
        assert not found.is_active
    with pytest.raises(StoreBusyError):
        Session.open(made.path, timeout_s=0)
    assert change(session, status(made, is_active=True)).txid == before + 2


# -- one backup a session ------------------------------------------------------------------------


def backups(made: MadeStore) -> list[Path]:
    return sorted(made.path.parent.glob("*.backup"))


def test_one_backup_is_made_before_the_first_change_that_comes_about(
    made: MadeStore, session: Session
) -> None:
    rule = BackupOnce(CLOCK, operation="serve")
    original = made.path.read_bytes()

    class Failing(ListRecorder):
        def intend(self, *_: object, **__: object) -> int:
            assert len(backups(made)) == 1
            raise RefusedError(reason="the ledger is full", hint="make room")

    proposal = session.propose(status(made, is_active=False), Manner(backups=rule))
    with pytest.raises(RefusedError):
        session.carry_out(proposal, ports(Failing()))
    assert backups(made) == []
    paths = {
        change(session, status(made, is_active=one), rule).backup_path for one in (False, True)
    }
    assert paths == set(backups(made))
    assert backups(made)[0].read_bytes() == original
