"""The sequence of every change: its order, and what is left when each of its steps fails."""

import errno
import io
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

import bolt_store
from recovery import log
from recovery.errors import (
    ConflictError,
    DeliveryError,
    ExitCode,
    LedgerError,
    RecoveryError,
    RefusedError,
    StoreBusyError,
    StoreDamagedError,
    VerificationError,
    WriteFailedError,
)
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.secret import Secret
from recovery.services.changes import backup
from recovery.services.changes.backup import mark_backup, mark_of
from recovery.services.changes.backup_rule import BackupEachChange, BackupOnce, BackupRule
from recovery.services.changes.plan import Manner, Outcome, Plan, Proposal
from recovery.services.changes.ports import Intent, Ports
from recovery.services.changes.sequence import TORN_META, make_ready
from recovery.services.session import Session
from tests.support.hints import hint_of
from tests.support.locks import locked
from tests.support.mounts import mounted
from tests.support.oracle import Dump
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, run_change
from tests.support.surgery import Patient

KEY = b"id"
BEFORE = b"08371d968ca4b000"
AFTER = b"0000000000000009"
TXID = 131
RECORD_ID = "00000000000003e9"
SECRET = "canary-secret-0123456789"
BACKUP_NAME = "level21.bolt.20260102T030405Z.test-set.backup"
ORDER = [
    "prepare",
    "show",
    "confirm",
    "open",
    "apply",
    "foresee",
    "intend",
    "shield",
    "verify",
    "conclude done",
    "deliver",
    "unshield",
]


@dataclass
class Witness:
    """All ports at once: writes down what is called, and fails where it is told to.

    Attributes:
        path: The store.
        fails: What each call raises, by its name.
        events: The calls so far.
        looks: Called at each event, before anything is raised.
        answer: What `confirm` returns.
        content: What the planned change writes.
        problem: What its verification finds when it is committed.
        foreseen: What it finds before that.
        is_needed: Whether there is anything to do.
        with_secret: Whether there is something to deliver.
        rule: Which backups are made.
    """

    path: Path
    fails: dict[str, BaseException] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    looks: Callable[[str], None] = lambda _: None
    answer: bool = True
    content: bytes = AFTER
    problem: str | None = None
    foreseen: str | None = None
    is_needed: bool = True
    with_secret: bool = True
    intents: list[Intent] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    opened_with: tuple[str, ...] = ()
    rule: BackupRule = field(default_factory=lambda: BackupEachChange(FixedClock(CHANGED_AT)))

    def note(self, event: str) -> None:
        self.events.append(event)
        self.looks(event)
        if event in self.fails:
            raise self.fails[event]

    # -- the planner

    @property
    def operation(self) -> str:
        return "test set"

    def plan(self, store: MetaTx) -> Plan:
        assert store.table("idsv1").get(KEY) == BEFORE
        return Plan(
            operation=self.operation,
            steps=("set the ID of the instance",),
            facts={"user_id": AFTER.decode()},
            record_ids=(RECORD_ID,),
            is_needed=self.is_needed,
            apply=self.apply,
            verify=self.verify,
            secret=Secret(SECRET) if self.with_secret else None,
            subject_id=RECORD_ID,
        )

    def apply(self, tx: MetaTx) -> None:
        tx.table("idsv1").put(KEY, self.content)
        self.note("apply")

    def verify(self, tx: MetaTx) -> str | None:
        is_ahead = self.events[-1] == "apply"
        self.note("foresee" if is_ahead else "verify")
        assert tx.table("idsv1").get(KEY) == self.content
        return self.foreseen if is_ahead else self.problem

    # -- the audience

    def show_plan(self, proposal: Proposal) -> None:
        self.proposals.append(proposal)
        self.note("show")

    def confirm(self, proposal: Proposal) -> bool:
        assert proposal is self.proposals[-1]
        self.note("confirm")
        return self.answer

    # -- the recorder

    def prepare(self, intent: Intent) -> None:
        assert intent.record_ids == (RECORD_ID,)
        self.note("prepare")

    def intend(self, intent: Intent, *, txid_before: int | None = None) -> int:
        assert txid_before == TXID
        self.intents.append(intent)
        self.note("intend")
        return 77

    def conclude(self, intent_id: int, outcome: str, *, txid_after: int | None = None) -> None:
        assert intent_id == 77
        assert txid_after == {"done": TXID + 1, "unchanged": TXID}.get(outcome, txid_after)
        self.note(f"conclude {outcome}")

    # -- the destination

    def open(self, secret: Secret) -> tuple[str, ...]:
        assert secret.reveal() == SECRET
        self.note("open")
        return self.opened_with

    def deliver(self, secret: Secret, *, record_id: str) -> tuple[str, ...]:
        assert record_id == RECORD_ID
        self.note("deliver")
        self.delivered.append(secret.reveal())
        return ()

    def discard(self) -> None:
        self.note("discard")

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Hold Ctrl-C back."""
        self.note("shield")
        yield
        self.note("unshield")

    def ports(self, *, has_destination: bool = True) -> Ports:
        return Ports(
            audience=self,
            recorder=self,
            destination=self if has_destination else None,
            shield=self.shield,
        )

    def run(self, manner: Manner | None = None, *, has_destination: bool = True) -> Outcome:
        return run_change(
            self.path,
            self,
            manner=replace(manner or Manner(), backups=self.rule),
            timeout_s=0,
            ports=self.ports(has_destination=has_destination),
        )

    def fail(self, manner: Manner | None = None) -> RecoveryError:
        with pytest.raises(RecoveryError) as caught:
            self.run(manner)
        return caught.value


@pytest.fixture
def witness(level21_bolt: Path) -> Witness:
    """The ports of a change of a real store."""
    return Witness(level21_bolt)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every store for a large one, which is checked while it is copied."""
    monkeypatch.setattr(backup, "BESIDE_BYTES_MIN", 0)


def value(path: Path) -> bytes | None:
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return tx.table("idsv1").get(KEY)


def names(witness: Witness) -> list[str]:
    """Return what is in the folder of the store."""
    return sorted(one.name for one in witness.path.parent.iterdir())


def backup_of(witness: Witness) -> Path:
    return witness.path.with_name(BACKUP_NAME)


# -- all goes well -------------------------------------------------------------------------------


def test_the_steps_come_in_their_order(witness: Witness) -> None:
    outcome = witness.run()
    # The ledger is asked whether it can be written before anybody is asked to confirm.
    assert [event for event in witness.events if event != "prepare"] == [
        event for event in ORDER if event != "prepare"
    ]
    assert witness.events.index("prepare") < witness.events.index("confirm")
    assert value(witness.path) == AFTER
    assert witness.delivered == [SECRET]
    assert outcome.is_changed
    assert (outcome.txid, outcome.backup_path) == (TXID + 1, backup_of(witness))
    assert outcome.warnings == ()


def test_the_lock_is_held_from_the_plan_to_the_delivery(witness: Witness) -> None:
    def look(_: str) -> None:
        with pytest.raises(StoreBusyError):
            MetaStore.open(witness.path, write=False, timeout_s=0)

    witness.looks = look
    witness.run()
    MetaStore.open(witness.path, write=True).close()


def test_the_backup_is_there_before_the_ledger_and_the_commit_after_it(witness: Witness) -> None:
    original = witness.path.read_bytes()
    backups = {}

    def look(event: str) -> None:
        backups[event] = backup_of(witness).exists()
        if event in {*ORDER[: ORDER.index("verify")]}:
            assert witness.path.read_bytes() == original

    witness.looks = look
    witness.run()
    assert not backups["open"]
    assert backups["intend"]
    assert backup_of(witness).read_bytes() == original
    assert witness.path.read_bytes() != original


def test_the_ledger_is_told_everything_but_the_secret(witness: Witness) -> None:
    witness.run(Manner(reason="locked out"))
    status = witness.path.stat()
    assert witness.intents == [
        Intent(
            operation="test set",
            store_path=witness.path,
            device=status.st_dev,
            inode=status.st_ino,
            record_ids=(RECORD_ID,),
            backup_path=backup_of(witness),
            reason="locked out",
            digest=witness.intents[0].digest,
        )
    ]
    assert re.fullmatch("[0-9a-f]{64}.[0-9a-f]{64}", witness.intents[0].digest or "")
    assert SECRET not in repr((witness.intents, witness.proposals))


def test_the_backup_bears_the_mark_of_the_commit_where_it_can(witness: Witness) -> None:
    probe = witness.path.with_name("probe")
    probe.touch()
    witness.run()
    digest = witness.intents[0].digest
    assert digest is not None
    mark_backup(probe, digest)
    assert mark_of(backup_of(witness)) == mark_of(probe)


def test_inode_owner_group_mode_and_link_stay(witness: Witness, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(witness.path, 1234, 2345)
    witness.path.chmod(0o640)
    before = witness.path.stat()
    link = tmp_path / "link"
    link.symlink_to(witness.path)
    Witness(link).run()
    after = witness.path.stat()
    assert link.is_symlink()
    assert (after.st_ino, after.st_uid, after.st_gid, after.st_mode) == (
        before.st_ino,
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    assert value(witness.path) == AFTER
    assert backup_of(witness).exists()


def test_a_change_without_a_secret_needs_no_destination(witness: Witness) -> None:
    witness.with_secret = False
    witness.run(has_destination=False)
    assert value(witness.path) == AFTER
    assert "deliver" not in witness.events


def test_a_destination_is_not_used_for_a_change_without_a_secret(witness: Witness) -> None:
    witness.with_secret = False
    witness.run()
    assert {"open", "deliver", "discard"}.isdisjoint(witness.events)


# -- nothing is done -----------------------------------------------------------------------------


def unchanged(witness: Witness, original: bytes) -> None:
    """Assert that nothing was changed and nothing is left."""
    assert witness.path.read_bytes() == original
    assert names(witness) == ["level21.bolt"]
    assert witness.delivered == []


def test_a_dry_run_shows_the_plan_and_touches_nothing(witness: Witness) -> None:
    original = witness.path.read_bytes()
    os.utime(witness.path, ns=(1, 10**18))
    status = witness.path.stat()
    outcome = witness.run(Manner(is_dry_run=True), has_destination=False)
    assert witness.events == ["show"]
    assert (outcome.is_changed, outcome.txid, outcome.backup_path) == (False, None, None)
    assert outcome.proposal.backup_path == backup_of(witness)
    assert witness.path.stat() == status
    unchanged(witness, original)


@pytest.mark.parametrize(
    ("is_needed", "is_dry_run", "asked"),
    [(True, False, ["prepare"]), (True, True, []), (False, False, [])],
)
def test_the_ledger_is_tried_beforehand_only_for_what_will_be_written(
    witness: Witness, *, is_needed: bool, is_dry_run: bool, asked: list[str]
) -> None:
    witness.is_needed = is_needed
    with Session.open(witness.path) as session:
        make_ready(session.propose(witness, Manner(is_dry_run=is_dry_run)), witness.ports())
    assert witness.events == asked


def test_a_dry_run_needs_no_more_than_a_shared_lock(witness: Witness) -> None:
    with locked(witness.path, exclusive=False):
        witness.run(Manner(is_dry_run=True))


def test_when_all_is_as_wanted_nothing_is_asked_or_written(witness: Witness) -> None:
    original = witness.path.read_bytes()
    witness.is_needed = False
    outcome = witness.run()
    assert witness.events == ["show"]
    assert not outcome.is_changed
    unchanged(witness, original)


class AsWanted(Witness):
    """Has nothing to do."""

    def plan(self, store: MetaTx) -> Plan:  # noqa: ARG002 # of the protocol
        return Plan.nothing("test set", "it is as wanted", facts={}, record_ids=(RECORD_ID,))


def test_a_plan_of_nothing_is_one_that_is_not_needed(level21_bolt: Path) -> None:
    witness = AsWanted(level21_bolt)
    original = witness.path.read_bytes()
    assert not witness.run().is_changed
    assert witness.proposals[-1].plan.steps == ("it is as wanted",)
    assert witness.events == ["show"]
    unchanged(witness, original)


def test_a_no_stops_it(witness: Witness) -> None:
    original = witness.path.read_bytes()
    witness.answer = False
    error = witness.fail()
    assert isinstance(error, RefusedError)
    assert error.exit_code == ExitCode.REFUSED
    assert "intend" not in witness.events
    unchanged(witness, original)


def test_without_a_place_for_the_token_nothing_is_shown_or_asked(witness: Witness) -> None:
    original = witness.path.read_bytes()
    with pytest.raises(RefusedError, match="no place to put the new token"):
        witness.run(has_destination=False)
    assert witness.events == []
    unchanged(witness, original)


def test_a_reader_elsewhere_keeps_a_change_from_starting(witness: Witness) -> None:
    original = witness.path.read_bytes()
    with locked(witness.path, exclusive=False):
        assert isinstance(witness.fail(), StoreBusyError)
    assert witness.events == []
    unchanged(witness, original)


# -- a step fails --------------------------------------------------------------------------------


REFUSAL = RefusedError(reason="told to", hint="do not worry")
LEDGER = LedgerError(path="ledger", problem="is full", changed=False, hint="make room")


@pytest.mark.parametrize(
    ("event", "error", "cleanup"),
    [
        ("show", REFUSAL, []),
        ("prepare", LEDGER, []),
        ("confirm", KeyboardInterrupt(), []),
        ("open", REFUSAL, []),
        ("apply", REFUSAL, ["discard"]),
        ("apply", KeyboardInterrupt(), ["discard"]),
        ("apply", ZeroDivisionError(), ["discard"]),
        ("intend", LEDGER, ["discard"]),
        ("intend", KeyboardInterrupt(), ["discard"]),
        ("shield", KeyboardInterrupt(), ["conclude unchanged", "discard"]),
    ],
)
def test_a_failure_before_the_commit_leaves_everything_as_it_was(
    witness: Witness, event: str, error: BaseException, cleanup: list[str]
) -> None:
    original = witness.path.read_bytes()
    witness.fails[event] = error
    with pytest.raises(type(error)) as caught:
        witness.run()
    assert caught.value is error
    assert witness.events[witness.events.index(event) + 1 :] == cleanup
    unchanged(witness, original)


@pytest.mark.damages
def test_a_store_that_others_write_in_spite_of_the_lock_is_left_to_them(witness: Witness) -> None:
    """They emptied it: nothing of ours was begun, and the backup is the last whole copy."""
    original = witness.path.read_bytes()

    def look(event: str) -> None:
        if event == "shield":
            witness.path.write_bytes(b"")

    witness.looks = look
    assert isinstance(witness.fail(), StoreBusyError)
    assert witness.events[-2:] == ["conclude unchanged", "discard"]
    assert witness.path.read_bytes() == b""
    assert backup_of(witness).read_bytes() == original


class WritesNothing(Witness):
    """Finds that there is nothing to write only when it comes to it."""

    def apply(self, tx: MetaTx) -> None:  # noqa: ARG002 # of the protocol
        self.note("apply")

    def conclude(self, intent_id: int, outcome: str, *, txid_after: int | None = None) -> None:
        assert (intent_id, outcome, txid_after) == (77, "done", TXID)


def test_a_change_that_writes_nothing_has_no_commit_to_be_told_by(level21_bolt: Path) -> None:
    witness = WritesNothing(level21_bolt, content=BEFORE)
    witness.run()
    assert [intent.digest for intent in witness.intents] == [None]
    assert mark_of(backup_of(witness)) is None


def test_a_disk_without_room_for_the_backup_stops_it(tmp_path: Path, level21_bolt: Path) -> None:
    with mounted(tmp_path / "small", size_bytes=100 << 10) as folder:
        path = folder / "level21.bolt"
        shutil.copyfile(level21_bolt, path)
        original = path.read_bytes()
        witness = Witness(path)
        error = witness.fail()
        assert error.exit_code == ExitCode.WRITE_FAILED
        assert not witness.events  # also nobody was asked
        unchanged(witness, original)


def test_a_disk_without_room_is_no_matter_where_nothing_is_written(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs

    def full(path: Path) -> os.statvfs_result:
        return os.statvfs_result((*real(path)[:3], 0, 0, *real(path)[5:]))

    monkeypatch.setattr(os, "statvfs", full)
    assert witness.fail().exit_code == ExitCode.WRITE_FAILED
    witness.is_needed = False
    assert not witness.run().is_changed


def test_a_disk_that_is_full_at_the_commit_leaves_the_store_as_it_was(
    tmp_path: Path, level21_bolt: Path
) -> None:
    """The space for all pages is reserved before the first of them is written."""

    def fill(event: str) -> None:
        if event == "intend":
            with (folder / "other").open("wb", buffering=0) as other, suppress(OSError):
                while other.write(bytes(4096)):
                    pass

    with mounted(tmp_path / "small", size_bytes=4 << 20) as folder:
        path = folder / "level21.bolt"
        shutil.copyfile(level21_bolt, path)
        before = Dump.of_file(path)
        witness = Witness(path, looks=fill, content=bytes(1 << 20))
        error = witness.fail()
        assert isinstance(error, WriteFailedError)
        assert error.exit_code == ExitCode.WRITE_FAILED
        assert witness.events[-2:] == ["conclude unchanged", "discard"]
        assert Dump.of_file(path) == before
        assert sorted(one.name for one in folder.iterdir()) == ["level21.bolt", "other"]


def failing_sync(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Make one of the two syncs of a commit fail."""
    real, count = os.fdatasync, 0

    def sync(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)


def test_a_disk_error_before_the_meta_leaves_the_store_as_it_was(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_sync(monkeypatch, 1)
    error = witness.fail()
    assert error.exit_code == ExitCode.WRITE_FAILED
    assert "Input/output error" in str(error)
    assert "nothing was changed" in str(error)
    assert witness.events[-2:] == ["conclude unchanged", "discard"]
    assert value(witness.path) == BEFORE
    assert names(witness) == ["level21.bolt"]


def test_a_disk_error_at_the_meta_keeps_the_backup_and_says_how_to_restore_it(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = witness.path.read_bytes()
    failing_sync(monkeypatch, 2)
    error = witness.fail()
    assert isinstance(error, WriteFailedError)
    assert error.exit_code == ExitCode.OUTCOME_UNKNOWN
    assert str(error) == (
        f"writing {witness.path} failed (Input/output error); "
        "it is not known whether it was changed"
    )
    assert error.backup_path == str(backup_of(witness))
    assert hint_of(error) == f"restore the backup: cp {backup_of(witness)} {witness.path}"
    assert witness.events[-2:] == ["deliver", "conclude unknown"]
    assert witness.delivered == [SECRET]
    assert error.__notes__ == ["its token is where it was to go, and works if it was"]
    assert backup_of(witness).read_bytes() == original


def test_a_meta_that_cannot_be_written_leaves_the_outcome_unknown(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file looks as before, and nobody knows what the disk did with the write."""
    real = os.pwrite

    def write(descriptor: int, data: bytes, offset: int) -> int:
        if offset in {0, 4096} and witness.events[-1] == "shield":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", write)
    assert witness.fail().exit_code == ExitCode.OUTCOME_UNKNOWN
    assert witness.events[-2:] == ["deliver", "conclude unknown"]
    assert value(witness.path) == BEFORE
    assert backup_of(witness).exists()


def test_a_token_that_may_be_in_force_and_cannot_be_handed_over_is_named(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_sync(monkeypatch, 2)
    witness.fails["deliver"] = DeliveryError(authorization_id=RECORD_ID, problem="", hint="")
    error = witness.fail()
    assert error.exit_code == ExitCode.OUTCOME_UNKNOWN
    assert error.__notes__ == [f"if it was, delete {RECORD_ID}, whose token is lost"]


def test_the_backup_of_an_unknown_outcome_stays_that_of_its_session(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness.rule = BackupOnce(FixedClock(CHANGED_AT), operation="serve")
    failing_sync(monkeypatch, 2)
    error = witness.fail()
    assert isinstance(error, WriteFailedError)
    kept = Path(error.backup_path or "")
    assert kept.exists()
    assert witness.rule.choose(witness.path, "test set") == kept


@pytest.mark.damages
def test_what_cannot_be_read_again_after_the_commit_is_not_known(witness: Witness) -> None:
    original = witness.path.read_bytes()

    def look(event: str) -> None:
        if event == "verify":
            witness.path.write_bytes(b"")
            raise KeyboardInterrupt

    witness.looks = look
    with pytest.raises(KeyboardInterrupt):
        witness.run()
    assert witness.events[-2:] == ["deliver", "conclude unknown"]
    assert backup_of(witness).read_bytes() == original


@pytest.mark.damages
def test_a_file_that_took_the_place_of_the_store_is_not_to_be_overwritten(witness: Witness) -> None:
    def look(event: str) -> None:
        if event == "verify":
            other = witness.path.with_name("other")
            other.write_bytes(b"of somebody else")
            other.replace(witness.path)

    witness.looks = look
    witness.problem = "the key has another value"
    hint = hint_of(witness.fail())
    assert hint is not None
    assert hint.startswith("leave alone what is there now")
    assert str(backup_of(witness)) in hint


def test_the_restoring_command_can_be_pasted(tmp_path: Path, level21_bolt: Path) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    path = folder / "level21.bolt"
    shutil.copyfile(level21_bolt, path)
    error = Witness(path, problem="something is odd").fail()
    command = hint_of(error).removeprefix("restore the backup: ")
    assert os.system(command) == 0  # noqa: S605 # as a person would paste it
    assert path.read_bytes() == level21_bolt.read_bytes()


def test_a_change_that_does_not_come_out_as_planned_is_not_written(witness: Witness) -> None:
    witness.foreseen = "the key has another value"
    error = witness.fail()
    assert (error.exit_code, error.changed) == (ExitCode.WRITE_FAILED, False)
    assert "the key has another value" in str(error)
    assert "intend" not in witness.events
    assert (value(witness.path), names(witness)) == (BEFORE, ["level21.bolt"])


def test_a_result_that_is_not_as_planned_keeps_the_backup(witness: Witness) -> None:
    witness.problem = "the key has another value"
    error = witness.fail()
    assert isinstance(error, VerificationError)
    assert error.exit_code == ExitCode.OUTCOME_UNKNOWN
    assert "the key has another value" in str(error)
    assert witness.events[-2:] == ["deliver", "conclude unknown"]
    assert witness.delivered == [SECRET]
    assert error.__notes__ == ["its token is where it was to go, and works if it was"]
    assert names(witness) == ["level21.bolt", BACKUP_NAME]


def test_damage_met_by_the_second_look_keeps_the_backup(witness: Witness) -> None:
    """As when somebody who ignores locks writes into the file at the worst moment."""
    original = witness.path.read_bytes()

    def look(event: str) -> None:
        if event == "verify":
            raise StoreDamagedError(path="it", problem="is damaged", hint="stop that")

    witness.looks = look
    error = witness.fail()
    assert error.exit_code == ExitCode.OUTCOME_UNKNOWN
    assert backup_of(witness).read_bytes() == original


def test_a_token_that_cannot_be_delivered_is_named_and_the_change_stays(witness: Witness) -> None:
    witness.fails["deliver"] = DeliveryError(
        authorization_id=RECORD_ID, problem="the pipe is closed", hint="delete it"
    )
    error = witness.fail()
    assert error.exit_code == ExitCode.NOT_DELIVERED
    assert RECORD_ID in str(error)
    assert witness.events[-3:] == ["conclude done", "deliver", "conclude undelivered"]
    assert value(witness.path) == AFTER
    assert backup_of(witness).exists()


@pytest.mark.parametrize("outcome", ["done", "undelivered"])
def test_a_ledger_that_fails_after_the_commit_stops_nothing(witness: Witness, outcome: str) -> None:
    failure = LedgerError(path="ledger", problem="is full", changed=True, hint="make room")
    witness.fails[f"conclude {outcome}"] = failure
    if outcome == "undelivered":
        witness.fails["deliver"] = DeliveryError(
            authorization_id=RECORD_ID, problem="the pipe is closed", hint="delete it"
        )
        assert isinstance(witness.fail(), DeliveryError)
    else:
        assert witness.run().warnings == (str(failure),)
        assert witness.delivered == [SECRET]
    assert value(witness.path) == AFTER


def test_a_change_and_a_ledger_that_fails_are_logged(witness: Witness) -> None:
    stream = io.StringIO()
    log.configure(log_format="json", level="info", stream=stream)
    try:
        witness.fails["conclude done"] = LEDGER
        witness.run()
    finally:
        log.configure(level="error", stream=io.StringIO())
    made, changed, failed = map(json.loads, stream.getvalue().splitlines())
    assert (made["event"], made["path"]) == ("backup.made", str(backup_of(witness)))
    assert (changed["event"], changed["operation"]) == ("store.changed", "test set")
    assert (changed["level"], changed["txid"]) == ("info", TXID + 1)
    assert (failed["event"], failed["level"]) == ("ledger.failed", "warning")
    assert (failed["operation"], failed["outcome"]) == ("test set", "done")


def test_an_unknown_outcome_concerns_no_destination_that_is_not_needed(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness.with_secret = False
    failing_sync(monkeypatch, 2)
    witness.fails["verify"] = LEDGER
    witness.fail()
    assert "discard" not in witness.events


def test_a_ledger_that_fails_hides_no_other_error(witness: Witness) -> None:
    witness.fails["shield"] = REFUSAL
    witness.fails["conclude unchanged"] = LEDGER
    assert witness.fail() is REFUSAL
    assert names(witness) == ["level21.bolt"]


# -- with --output -------------------------------------------------------------------------------


@pytest.fixture
def to_copy(witness: Witness) -> Manner:
    """Leave the store alone and write a copy."""
    return Manner(output_path=witness.path.with_name("copy"))


def test_the_copy_is_changed_and_the_store_is_not_even_read_in_a_way_that_shows(
    witness: Witness, to_copy: Manner
) -> None:
    original = witness.path.read_bytes()
    if os.geteuid() == 0:
        os.chown(witness.path, 1234, 2345)
    os.utime(witness.path, ns=(1, 10**18))
    status = witness.path.stat()
    outcome = witness.run(to_copy)
    assert witness.path.stat() == status
    assert witness.path.read_bytes() == original
    copy = witness.path.with_name("copy")
    assert value(copy) == AFTER
    assert (outcome.is_changed, outcome.txid, outcome.backup_path) == (True, TXID + 1, None)
    assert outcome.proposal.target_path == copy
    assert names(witness) == ["copy", "level21.bolt"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert (copy.stat().st_uid, copy.stat().st_gid) == (status.st_uid, status.st_gid)
    (intent,) = witness.intents
    assert (intent.store_path, intent.inode) == (copy, copy.stat().st_ino)
    assert intent.backup_path is None
    assert witness.delivered == [SECRET]


def test_a_copy_can_be_made_while_others_read(witness: Witness, to_copy: Manner) -> None:
    with locked(witness.path, exclusive=False):
        witness.run(to_copy)


def test_an_output_that_exists_is_refused_before_the_plan_is_shown(
    witness: Witness, to_copy: Manner
) -> None:
    copy = witness.path.with_name("copy")
    copy.write_bytes(b"precious")
    assert isinstance(witness.fail(to_copy), ConflictError)
    assert witness.events == []
    assert copy.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["level21.bolt", "level21.bolt.tmp"])
def test_the_store_itself_and_the_name_that_influxd_deletes_are_no_outputs(
    witness: Witness, name: str
) -> None:
    original = witness.path.read_bytes()
    witness.fail(Manner(output_path=witness.path.with_name(name)))
    unchanged(witness, original)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ("confirm", KeyboardInterrupt()),
        ("open", REFUSAL),
        ("intend", LEDGER),
        ("apply", KeyboardInterrupt()),
        ("apply", REFUSAL),
        ("verify", KeyboardInterrupt()),
        (
            "deliver",
            DeliveryError(authorization_id=RECORD_ID, problem="pipe closed", hint="delete it"),
        ),
        ("deliver", KeyboardInterrupt()),
    ],
)
def test_no_failure_leaves_a_copy(
    witness: Witness, to_copy: Manner, event: str, error: BaseException
) -> None:
    original = witness.path.read_bytes()
    witness.fails[event] = error
    with pytest.raises((RecoveryError, KeyboardInterrupt)) as caught:
        witness.run(to_copy)
    if isinstance(caught.value, RecoveryError):
        assert caught.value.exit_code in {ExitCode.REFUSED, ExitCode.WRITE_FAILED}
        assert "nothing was changed" in str(caught.value)
    unchanged(witness, original)


def test_a_copy_that_is_not_as_planned_never_has_its_name(
    witness: Witness, to_copy: Manner
) -> None:
    original = witness.path.read_bytes()
    seen: list[str] = []
    witness.looks = lambda event: seen.extend(names(witness) if "conclude" in event else ())
    witness.problem = "the key has another value"
    error = witness.fail(to_copy)
    assert error.exit_code == ExitCode.WRITE_FAILED
    assert "the key has another value" in str(error)
    assert seen
    assert "copy" not in seen
    unchanged(witness, original)


def test_a_disk_error_in_the_copy_is_none_of_the_store(
    witness: Witness, to_copy: Manner, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = witness.path.read_bytes()
    failing_sync(monkeypatch, 2)
    assert witness.fail(to_copy).exit_code == ExitCode.WRITE_FAILED
    unchanged(witness, original)


@pytest.mark.damages
def test_a_store_that_can_be_read_and_not_safely_written_is_refused_first(
    witness: Witness, to_copy: Manner
) -> None:
    """A free page that is in use: nothing that a listing would meet."""
    patient = Patient(witness.path.read_bytes(), page_size_bytes=4096)
    start = patient.freelist * 4096 + 16
    patient.content[start : start + 8] = patient.root.to_bytes(8, "little")
    witness.path.write_bytes(patient.content)
    for manner in (Manner(), to_copy, Manner(is_dry_run=True)):
        error = witness.fail(manner)
        assert isinstance(error, StoreDamagedError)
        assert f"page {patient.root}" in str(error)
    assert witness.events == []


@pytest.mark.damages
def test_all_of_a_store_is_checked_again_unless_a_session_has_done_so(witness: Witness) -> None:
    """Damage where the change writes nothing, by somebody who ignores the lock."""
    whole = witness.path.read_bytes()
    elsewhere = Patient(whole, page_size_bytes=4096).bucket_root(b"authorizationsv1")

    def look(event: str) -> None:
        if event == "apply":
            with witness.path.open("r+b") as file:
                file.seek(elsewhere * 4096)
                file.write(bytes(8))

    witness.looks = look
    assert f"page {elsewhere}" in str(witness.fail())
    witness.path.write_bytes(whole)
    assert witness.run(Manner(is_whole_file_checked=False)).is_changed


@pytest.mark.damages
@pytest.mark.usefixtures("beside")
def test_a_large_store_checked_beside_its_copying_is_refused_all_the_same(
    witness: Witness,
) -> None:
    """Nothing but the plan was shown by then: no intent, no copy, no place for a token."""
    patient = Patient(witness.path.read_bytes(), page_size_bytes=4096)
    start = patient.freelist * 4096 + 16
    patient.content[start : start + 8] = patient.root.to_bytes(8, "little")
    witness.path.write_bytes(patient.content)
    for manner in (Manner(), Manner(is_confirmed=True, is_dry_run=True)):
        assert isinstance(witness.fail(manner), StoreDamagedError)
    assert witness.events == []

    error = witness.fail(Manner(is_confirmed=True))
    assert isinstance(error, StoreDamagedError)
    assert f"page {patient.root}" in str(error)
    assert witness.events == ["show", "prepare", "confirm", "open", "discard"]
    assert names(witness) == ["level21.bolt"]
    assert witness.path.read_bytes() == bytes(patient.content)


class Refuses(Witness):
    """Finds something in the store that keeps it from planning."""

    def plan(self, store: MetaTx) -> Plan:  # noqa: ARG002 # of the protocol
        raise RefusedError(reason="there is no such user", hint="name another")


@pytest.mark.damages
@pytest.mark.usefixtures("beside")
def test_a_plan_that_damage_keeps_from_being_made_is_refused_for_the_damage(
    level21_bolt: Path,
) -> None:
    witness, confirmed = Refuses(level21_bolt), Manner(is_confirmed=True)
    assert isinstance(witness.fail(confirmed), RefusedError)
    patient = Patient(level21_bolt.read_bytes(), page_size_bytes=4096)
    start = patient.freelist * 4096 + 16
    patient.content[start : start + 8] = patient.root.to_bytes(8, "little")
    level21_bolt.write_bytes(patient.content)
    assert isinstance(witness.fail(confirmed), StoreDamagedError)
    assert witness.events == []


@pytest.mark.damages
@pytest.mark.usefixtures("beside")
def test_a_large_store_of_which_nothing_is_copied_is_checked_at_once(witness: Witness) -> None:
    patient = Patient(witness.path.read_bytes(), page_size_bytes=4096)
    start = patient.freelist * 4096 + 16
    patient.content[start : start + 8] = patient.root.to_bytes(8, "little")
    witness.path.write_bytes(patient.content)
    witness.is_needed = False
    assert isinstance(witness.fail(Manner(is_confirmed=True)), StoreDamagedError)
    assert witness.events == []


@pytest.mark.usefixtures("beside")
def test_the_steps_come_in_their_order_with_a_large_store_too(witness: Witness) -> None:
    before = witness.path.read_bytes()
    witness.run(Manner(is_confirmed=True))
    assert value(witness.path) == AFTER
    assert witness.path.with_name(BACKUP_NAME).read_bytes() == before


@pytest.mark.damages
def test_a_torn_meta_is_told_of_where_the_change_writes_over_it(
    witness: Witness, to_copy: Manner
) -> None:
    assert TORN_META not in witness.run(Manner(is_dry_run=True)).proposal.plan.warnings
    patient = Patient(witness.path.read_bytes(), page_size_bytes=4096)
    patient.set_meta(1 - patient.newest, checksum=1)
    for manner, is_needed, is_told in (
        (Manner(is_dry_run=True), True, True),
        (Manner(is_dry_run=True), False, False),
        (to_copy, True, False),
        (Manner(), True, True),
    ):
        witness.path.write_bytes(patient.content)
        witness.is_needed = is_needed
        witness.run(manner)
        assert (TORN_META in witness.proposals[-1].plan.warnings) is is_told


def test_a_damaged_store_is_refused_before_anything_is_planned(
    witness: Witness, to_copy: Manner
) -> None:
    with bolt_store.open(witness.path) as db:
        root = db.meta.root_pgid
    content = bytearray(witness.path.read_bytes())
    whole = bytes(content)
    content[root * 4096 + 10] = 0
    witness.path.write_bytes(content)
    for manner in (Manner(), to_copy, Manner(is_dry_run=True)):
        assert isinstance(witness.fail(manner), StoreDamagedError)
    assert witness.events == []
    witness.path.write_bytes(whole)
