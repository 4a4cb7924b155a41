"""Taking back what was done last: what is taken back, and what is refused."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

import bolt_store
from bolt_store.file.os_file import OsFile
from recovery.daemon.changes import Changes
from recovery.daemon.journal import Author
from recovery.errors import (
    ExitCode,
    RefusedError,
    StoreBusyError,
    StoreDamagedError,
    WriteFailedError,
)
from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.metastore.transaction import MetaTx
from recovery.services.authorizations.changes import DeleteAuthorization, SetStatus
from recovery.services.changes import backup as backup_module
from recovery.services.changes.backup_rule import BackupEachChange
from recovery.services.changes.plan import Manner, Outcome, Plan, Proposal
from recovery.services.changes.ports import Intent, Ports
from recovery.services.session import Session
from recovery.services.stores.undo import OPERATION, UndoProposal
from tests.support.hints import hint_of
from tests.support.locks import locked
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    MadeStore,
    YesAudience,
    edit,
    make_store,
    run_change,
    undo,
)


@dataclass
class Audience:
    """Sees the proposal and says what it was told to say."""

    answer: bool = True
    proposals: list[Proposal] = field(default_factory=list)

    def show_plan(self, proposal: Proposal) -> None:
        self.proposals.append(proposal)

    def confirm(self, proposal: Proposal) -> bool:
        assert proposal in self.proposals
        return self.answer


@dataclass
class World:
    """A store, a ledger and a clock that moves on."""

    made: MadeStore
    ledger: Ledger
    clock: FixedClock
    audience: Audience = field(default_factory=Audience)

    def content(self) -> bytes:
        return self.made.path.read_bytes()

    def names(self) -> set[str]:
        return {path.name for path in self.made.path.parent.iterdir()}

    def deactivate(self) -> Path:
        """Switch a token off; give the backup."""
        return self.run(
            SetStatus(authorization_id=self.made.reader, is_active=False, clock=self.clock)
        )

    def delete(self) -> Path:
        """Delete another one; give the backup."""
        return self.run(DeleteAuthorization(authorization_id=self.made.operator, is_ensured=False))

    def run(self, planner: SetStatus | DeleteAuthorization) -> Path:
        self.clock.moment += timedelta(seconds=1)
        ports = Ports(audience=YesAudience(), recorder=self.ledger)
        manner = Manner(backups=BackupEachChange(self.clock))
        outcome = run_change(self.made.path, planner, manner=manner, ports=ports)
        assert outcome.backup_path is not None
        return outcome.backup_path

    def serve(self, count: int) -> Path:
        """Make changes in one session; give its backup."""
        self.clock.moment += timedelta(seconds=1)
        with Session.open(self.made.path, write=True) as session:
            changes = Changes(session, self.ledger, self.clock, reason=None)
            for number in range(count):
                planner = SetStatus(
                    authorization_id=self.made.operator, is_active=number % 2 > 0, clock=self.clock
                )
                changes.make(planner, Author(name="console key"))
            changes.end()
            assert changes.backup_path is not None
            return changes.backup_path

    def undo(self, *, is_dry_run: bool = False) -> tuple[UndoProposal, Outcome]:
        self.clock.moment += timedelta(seconds=1)
        return undo(
            self.made.path,
            self.ledger,
            self.clock,
            audience=self.audience,
            is_dry_run=is_dry_run,
            reason="a mistake",
        )

    def outcomes(self) -> list[tuple[str, str]]:
        return [(entry.operation, entry.outcome) for entry in self.ledger.entries()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = tmp_path / "store"
    folder.mkdir()
    clock = FixedClock(CHANGED_AT)
    actor = Actor(host="db1", uid=0, sudo_user=None, tool_version="1")
    return World(
        made=make_store(folder / "influxd.bolt", level=21),
        ledger=Ledger(path=tmp_path / "ledger.sqlite", actor=actor, clock=clock),
        clock=clock,
    )


def test_the_store_is_again_what_it_was_byte_for_byte_in_the_same_file(world: World) -> None:
    world.made.path.chmod(0o640)
    before, inode = world.content(), world.made.path.stat().st_ino
    world.deactivate()
    assert world.content() != before
    assert world.undo()[1].is_changed
    assert world.content() == before
    status = world.made.path.stat()
    assert (status.st_ino, status.st_mode & 0o777) == (inode, 0o640)


def test_what_was_changed_is_shown_before_the_question(world: World) -> None:
    world.deactivate()
    world.undo()
    (proposal,) = world.audience.proposals
    assert isinstance(proposal, UndoProposal)
    (change,) = proposal.changes
    assert (change.id, change.action) == (world.made.reader, "changed")
    assert (proposal.operation.operation, proposal.is_resumed) == ("auth set-inactive", False)


def test_the_state_that_is_given_up_is_backed_up_and_the_ledger_knows(world: World) -> None:
    world.deactivate()
    after = world.content()
    proposal, _ = world.undo()
    assert proposal.backup_path is not None
    assert proposal.backup_path.read_bytes() == after
    assert world.outcomes()[-2:] == [(OPERATION, "pending"), (OPERATION, "done")]
    last = world.ledger.entries()[-1]
    assert (last.txid_before, last.txid_after) == (proposal.store.txid, proposal.store.txid - 1)
    assert last.reason == "a mistake"


def test_operations_are_taken_back_one_by_one(world: World) -> None:
    first = world.content()
    world.deactivate()
    second = world.content()
    world.delete()
    world.undo()
    assert world.content() == second
    world.undo()
    assert world.content() == first
    with pytest.raises(RefusedError, match="knows of nothing done to"):
        world.undo()


def test_an_operation_after_an_undo_is_taken_back_next(world: World) -> None:
    world.deactivate()
    world.undo()
    before = world.content()
    world.delete()
    world.undo()
    assert world.content() == before


def test_a_dry_run_writes_nothing(world: World) -> None:
    world.deactivate()
    content, names, outcomes = world.content(), world.names(), world.outcomes()
    assert not world.undo(is_dry_run=True)[1].is_changed
    assert (world.content(), world.names(), world.outcomes()) == (content, names, outcomes)


def test_without_a_yes_nothing_is_written(world: World) -> None:
    world.deactivate()
    content, names, outcomes = world.content(), world.names(), world.outcomes()
    world.audience.answer = False
    with pytest.raises(RefusedError, match="not confirmed"):
        world.undo()
    assert (world.content(), world.names(), world.outcomes()) == (content, names, outcomes)


def test_a_store_that_nothing_was_done_to_is_refused(world: World) -> None:
    with pytest.raises(RefusedError, match="knows of nothing done to") as caught:
        world.undo()
    assert caught.value.exit_code is ExitCode.REFUSED
    assert not world.ledger.path.exists()


def test_a_store_that_something_else_has_written_is_refused(world: World) -> None:
    world.deactivate()
    edit(world.made.path, lambda tx: tx.table("secretsv1").put(b"k", b"v"))
    before = world.content()
    with pytest.raises(RefusedError, match="has been written by something else"):
        world.undo()
    assert world.content() == before


def test_a_store_that_was_altered_without_a_transaction_is_refused(world: World) -> None:
    backup = world.deactivate()
    data, old = bytearray(world.content()), backup.read_bytes()
    place = data.index(b"alice")
    assert old[place : place + 5] == b"alice"
    data[place] ^= 1
    world.made.path.write_bytes(data)
    with pytest.raises(RefusedError, match="has been written by something else"):
        world.undo()
    assert world.content() == bytes(data)


def test_a_backup_that_is_gone_is_named(world: World) -> None:
    backup = world.deactivate()
    backup.unlink()
    with pytest.raises(RefusedError, match=backup.name):
        world.undo()


def test_a_backup_of_another_time_is_refused(world: World) -> None:
    early = world.deactivate()
    late = world.delete()
    shutil.copyfile(early, late)
    with pytest.raises(RefusedError, match="is not the store as it was before operation"):
        world.undo()


@pytest.mark.parametrize("alter", [lambda d: d[:8192], lambda d: d[:8192] + bytes(len(d) - 8192)])
def test_a_damaged_backup_is_refused(world: World, alter: Callable[[bytes], bytes]) -> None:
    backup = world.deactivate()
    backup.write_bytes(alter(backup.read_bytes()))
    before = world.content()
    with pytest.raises((RefusedError, StoreDamagedError)):
        world.undo()
    assert world.content() == before


@pytest.mark.parametrize("change_count", [0, 1, 2], ids=["alone", "session", "changes"])
@pytest.mark.parametrize("place", ["older meta", "free", "value"])
def test_a_backup_with_another_byte_than_it_was_made_with_is_refused(
    world: World, place: str, change_count: int
) -> None:
    """Nothing else proves what the store has written over: of several changes, all of it."""
    world.deactivate()  # so that there are free pages
    before = bytearray(world.content())
    backup = world.serve(change_count) if change_count else world.delete()
    with bolt_store.open(backup) as db:
        older = (1 - db.pager.active.slot) * db.meta.page_size_bytes
        free = next(one.pgid for one in bolt_store.page_infos(db) if one.state.value == "free")
        places = {"older meta": older, "free": free * db.meta.page_size_bytes + 99}
    at = places.get(place) or before.index(b"description") + 16
    before[at] ^= 1
    backup.write_bytes(before)
    after = world.content()
    with pytest.raises(RefusedError, match="has other bytes than it was made with"):
        world.undo()
    assert world.content() == after
    before[at] ^= 1
    backup.write_bytes(before)
    assert world.undo()[1].is_changed


@pytest.mark.parametrize("place", ["older meta", "newer meta", "end"])
def test_a_large_backup_with_other_metas_than_it_was_made_with_is_refused(
    world: World, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not all of it is told by a digest; all that the metas lead to is proven by the store."""
    monkeypatch.setattr(backup_module, "BESIDE_BYTES_MIN", 0)
    world.deactivate()
    before = bytearray(world.content())
    backup = world.delete()
    with bolt_store.open(backup) as db:
        slot = db.pager.active.slot
    at = {"older meta": 1 - slot, "newer meta": slot}.get(place)
    altered = before + bytes(4096) if at is None else bytearray(before)
    if at is not None:
        altered[at * 4096 + 99] ^= 1
    backup.write_bytes(altered)
    after = world.content()
    with pytest.raises(RefusedError, match="has other bytes than it was made with"):
        world.undo()
    assert world.content() == after
    backup.write_bytes(before)
    assert world.undo()[1].is_changed
    assert world.content() == bytes(before)


def test_a_store_in_use_is_refused(world: World) -> None:
    world.deactivate()
    with locked(world.made.path, exclusive=True), pytest.raises(StoreBusyError):
        world.undo()


def test_an_operation_that_never_wrote_is_passed_over(world: World) -> None:
    before = world.content()
    world.deactivate()
    txid = world.ledger.entries()[-1].txid_after
    intent = _intent(world)
    world.ledger.intend(intent, txid_before=txid)
    world.undo()
    assert world.content() == before


def _intent(world: World) -> Intent:
    status = world.made.path.stat()
    return Intent(
        operation="auth delete",
        store_path=world.made.path,
        device=status.st_dev,
        inode=status.st_ino,
        record_ids=(),
        backup_path=world.made.path.with_name("never-made"),
        reason=None,
    )


def test_an_undo_that_was_cut_off_is_ended_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.content()
    world.deactivate()
    synced = OsFile.sync

    def fail(file: OsFile) -> None:
        synced(file)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(OsFile, "sync", fail)
        with pytest.raises(WriteFailedError) as caught:
            world.undo()
    assert caught.value.exit_code is ExitCode.OUTCOME_UNKNOWN
    assert world.outcomes()[-1] == (OPERATION, "unknown")
    assert world.content() != before
    assert world.undo()[0].is_resumed
    assert world.content() == before


def test_an_undo_that_fails_before_its_first_write_has_changed_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.content()
    world.deactivate()
    after = world.content()

    def fail(_file: OsFile, _offset: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(OsFile, "write_at", fail)
        with pytest.raises(WriteFailedError, match="nothing was changed") as caught:
            world.undo()
    assert caught.value.exit_code is ExitCode.WRITE_FAILED
    assert world.outcomes()[-1] == (OPERATION, "unchanged")
    assert world.content() == after
    world.undo()
    assert world.content() == before


def _forget_digest(world: World, record_ids: list[str] | None = None) -> None:
    """Make the ledger one of an older version, which recorded no digests."""
    with closing(sqlite3.connect(world.ledger.path)) as connection, connection:
        connection.execute("DROP TRIGGER entries_are_never_changed")
        connection.execute("UPDATE entries SET digest = NULL")
        if record_ids is not None:
            connection.execute("UPDATE entries SET record_ids = ?", (json.dumps(record_ids),))


def test_an_operation_of_an_older_ledger_is_taken_back_by_its_records(world: World) -> None:
    before = world.content()
    world.deactivate()
    _forget_digest(world)
    world.undo()
    assert world.content() == before


@pytest.mark.parametrize("record_ids", [[], ["0bad0bad0bad0bad"]])
def test_an_operation_of_an_older_ledger_whose_records_are_not_concerned_is_refused(
    world: World, record_ids: list[str]
) -> None:
    """The only child of a backup need not be ours: a server may have made it."""
    world.deactivate()
    _forget_digest(world, record_ids)
    after = world.content()
    with pytest.raises(RefusedError, match="does not concern") as caught:
        world.undo()
    assert "store diff" in hint_of(caught.value, "store undo")
    assert world.content() == after


@dataclass(frozen=True)
class Replaced:
    """Switches a token off, and finds another file in the place of the store afterwards."""

    planner: SetStatus
    path: Path
    content: bytes
    looks: list[MetaTx] = field(default_factory=list)

    @property
    def operation(self) -> str:
        return self.planner.operation

    def plan(self, store: MetaTx) -> Plan:
        return replace(self.planner.plan(store), verify=self._put)

    def _put(self, tx: MetaTx) -> str | None:
        self.looks.append(tx)
        if len(self.looks) == 1:  # in front of the commit
            return None
        other = self.path.with_name("other")
        other.write_bytes(self.content)
        other.rename(self.path)
        return "a record is not as planned"


def test_what_was_put_in_the_place_of_the_store_meanwhile_is_left_alone(world: World) -> None:
    """Its outcome is not known, and nobody is told to copy the backup over the other file."""
    planner = SetStatus(authorization_id=world.made.reader, is_active=False, clock=world.clock)
    ports = Ports(audience=YesAudience(), recorder=world.ledger)
    manner = Manner(backups=BackupEachChange(world.clock))
    with pytest.raises(WriteFailedError) as caught:
        run_change(
            world.made.path,
            Replaced(planner, world.made.path, b"other"),
            manner=manner,
            ports=ports,
        )
    error = caught.value
    assert error.exit_code is ExitCode.OUTCOME_UNKNOWN
    assert "nothing was changed" not in str(error)
    assert "cp " not in hint_of(error)
    assert f"store info --bolt-path {error.backup_path}" in hint_of(error)
    assert world.content() == b"other"
    assert world.outcomes()[-1] == ("auth set-inactive", "unknown")
