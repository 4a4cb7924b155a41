"""Changes of the store, as the daemon makes them.

Lives here: `Changes`: one backup a session, one transaction, two ledger rows and one entry of the
journal a change. Must not live here: the order of the steps of a change
(`recovery.services.changes.sequence`), and what a change is (its planner).

Invariants: a change is carried out on the thread of the store. When the outcome of a write is not
known, nothing is written any more.

Source: spec admin-daemon 2.7 and 2.8.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from recovery.daemon.answer import ApiError
from recovery.daemon.journal import Author, Journal, JournalEntry, TakeBack
from recovery.errors import (
    ConflictError,
    NotFoundError,
    PasswordError,
    RecoveryError,
    RefusedError,
    StoreBusyError,
    StoreDamagedError,
    StoreNotFoundError,
    WriteFailedError,
)
from recovery.log import get_logger
from recovery.metastore.transaction import MetaTx
from recovery.ports import Clock
from recovery.remedy import advice
from recovery.secret import Secret
from recovery.services.changes.backup_rule import BackupOnce
from recovery.services.changes.plan import Manner, Outcome, Plan, Planner, Proposal
from recovery.services.changes.ports import Intent, Ports, Recorder
from recovery.services.session import Session

if TYPE_CHECKING:
    from recovery.metastore.table import KeyChange

LOG: Final = get_logger(__name__)
OPERATION: Final = "serve"
CHANGES_BETWEEN_CHECKS: Final = 100
CHECKED_BYTES_A_CHANGE: Final = 1 << 18
"""A check reads as much in a quarter of the time of a change; it comes seldom on a large store, so
that clients pay for their changes and not for it."""
READ_ONLY: Final = "the store is open for reading only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A change that was made.

    Attributes:
        record_ids: Records that were made, changed or removed.
        secret: The token that was made; None without one.
        is_changed: False when nothing needed to be done.
    """

    facts: Mapping[str, object]
    record_ids: tuple[str, ...]
    secret: Secret | None = field(repr=False)
    is_changed: bool
    mark_lost: Callable[[], None] = field(repr=False)


class Changes:
    """Makes the changes of one run.

    Attributes:
        journal: What can be taken back.
        stopped_by: Why nothing is written any more; None while all is well.
        backup_path: The store as it was before the first; None before that.
    """

    def __init__(
        self, session: Session, recorder: Recorder, clock: Clock, *, reason: str | None
    ) -> None:
        """Get ready.

        Args:
            session: The store, open for writing or for reading.
            reason: Why all of it is done, for the ledger.
        """
        self._session = session
        self._recorder = recorder
        self._clock = clock
        self._backups = BackupOnce(clock, operation=OPERATION)
        self._next_check = 0
        self.journal: Final = Journal()
        self.count = 0
        self.stopped_by: RecoveryError | None = None
        self.backup_path: Path | None = None
        self._row = _SessionRow(session, recorder, reason)

    def make(self, planner: Planner, author: Author) -> Made:
        """Make a change, on the thread of the store; what is returned is on the disk."""
        if not self._session.store.is_writable:
            raise ApiError("unavailable", READ_ONLY)
        if self.stopped_by is not None:
            message = f"writing was stopped: {worded(self.stopped_by)}"
            raise ApiError("unavailable", message)
        watched = _Watched(planner)
        ports = _Ports(self._recorder, is_known_good=self.count > 0)
        manner = Manner(
            reason=author.reason,
            backups=self._backups,
            is_whole_file_checked=self.count >= self._next_check,
        )
        try:
            proposal = self._session.propose(watched, manner)
            if proposal.plan.is_needed:
                self._row.begin(proposal.work.backup_path)
            outcome = self._session.carry_out(proposal, ports.all)
        except RecoveryError as error:
            refused = self._refused(error)
            if not self.count:  # its backup has gone again, and the next change has another
                self._row.end(0, is_known=self.stopped_by is None)
            raise refused from error
        if outcome.is_changed:
            self._note(proposal, outcome, watched, ports.recorder.intent_id, author)
        return Made(
            facts=proposal.plan.facts,
            record_ids=proposal.plan.record_ids,
            secret=ports.destination.secret,
            is_changed=outcome.is_changed,
            mark_lost=lambda: self._mark_lost(ports.recorder.intent_id, outcome),
        )

    def undo(self, number: int, author: Author) -> Made:
        """Take one change of this run back, by a change of its own. As `make`.

        A deleted token works again with its old value; a minted one works no more.

        Raises:
            ApiError: It cannot be taken back, because of a later change that the message names; or
                it failed.
        """
        try:
            taken_back = self.journal.take_back(number)
        except RecoveryError as error:
            raise self._refused(error) from error
        return self.make(taken_back, author)

    @property
    def running_intent_id(self) -> int | None:
        """Number of the ledger's row that stands for this run; None before the first change."""
        return self._row.intent_id

    def look(self) -> None:
        """Check the whole file, and write nothing any more when it is not sound."""
        if self.count and self.stopped_by is None:
            try:
                self._session.store.require_sound()
            except RecoveryError as error:
                LOG.error("store.unsound", problem=str(error))  # noqa: TRY400 # ours has no exception()
                self.stopped_by = error

    def end(self) -> None:
        """Check the file a last time, and write the end of the session into the ledger."""
        self.look()
        self._row.end(self.count, is_known=self.stopped_by is None)

    def _note(
        self,
        proposal: Proposal,
        outcome: Outcome,
        watched: "_Watched",
        intent_id: int,
        author: Author,
    ) -> None:
        """Count it, and write it into the journal."""
        if proposal.manner.is_whole_file_checked:
            beyond = self._session.store.size_bytes // CHECKED_BYTES_A_CHANGE
            self._next_check = self.count + max(CHANGES_BETWEEN_CHECKS, beyond)
        self.count += 1
        self.backup_path = outcome.backup_path
        entry = JournalEntry(
            number=self.count,
            operation=proposal.plan.operation,
            steps=proposal.plan.steps,
            record_ids=proposal.plan.record_ids,
            author=author,
            moment=self._clock.now().isoformat(),
            intent_id=intent_id,
            undoes=watched.undoes,
            warnings=proposal.plan.warnings,
            keys=watched.keys,
        )
        self.journal.add(entry)
        for warning in outcome.warnings:
            LOG.warning("change.warned", operation=entry.operation, problem=warning)

    def _refused(self, error: RecoveryError) -> ApiError:
        """Say what went wrong, and stop writing when it is not known what is in the store now."""
        is_taken = isinstance(error, StoreBusyError | StoreNotFoundError)  # it was ours before
        if error.changed is not False or is_taken:
            self.stopped_by = error
        return refusal(error)

    def _mark_lost(self, intent_id: int, outcome: Outcome) -> None:
        """Record that a token is in force and nobody has it."""
        try:
            self._recorder.conclude(intent_id, "undelivered", txid_after=outcome.txid)
        except RecoveryError as error:
            LOG.warning("ledger.failed", operation="undelivered", problem=str(error))


def refusal(error: RecoveryError) -> ApiError:
    """Give the answer to a request that an error has ended, with the error as its cause."""
    match error:
        case WriteFailedError() | StoreDamagedError():
            code = "unavailable"
        case NotFoundError():
            code = "not found"
        case ConflictError():
            code = "conflict"
        case PasswordError():
            code = "invalid"
        case RefusedError():
            code = "unprocessable entity"
        case _:
            code = "unavailable"
    answer = ApiError(code, worded(error))
    answer.__cause__ = error
    return answer


def worded(error: RecoveryError) -> str:
    """Say what went wrong and what to do, in one line."""
    return f"{error}; {advice(error.hint)}"


class _SessionRow:
    """The row of the ledger that stands for the whole session."""

    def __init__(self, session: Session, recorder: Recorder, reason: str | None) -> None:
        self._session = session
        self._recorder = recorder
        self._reason = reason
        self.intent_id: int | None = None

    def begin(self, backup_path: Path | None) -> None:
        """Write it, before the first change."""
        if self.intent_id is not None:
            return
        facts = self._session.facts()
        intent = Intent(
            operation=OPERATION,
            store_path=facts.real_path,
            device=facts.device,
            inode=facts.inode,
            record_ids=(),
            backup_path=backup_path,
            reason=self._reason,
            digest=None,
        )
        self.intent_id = self._recorder.intend(intent, txid_before=facts.txid)

    def end(self, count: int, *, is_known: bool) -> None:
        """Write how it ended; a ledger that fails by now is only a warning."""
        if self.intent_id is None:
            return
        intent_id, self.intent_id = self.intent_id, None
        outcome = ("done" if count else "unchanged") if is_known else "unknown"
        txid = self._session.store.txid if is_known else None
        try:
            self._recorder.conclude(intent_id, outcome, txid_after=txid)
        except RecoveryError as error:
            LOG.warning("ledger.failed", operation=OPERATION, problem=str(error))


class _Watched:
    """A planner whose change is watched, key by key."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self.undoes = planner.entry.number if isinstance(planner, TakeBack) else None
        self.keys: tuple[KeyChange, ...] = ()

    @property
    def operation(self) -> str:
        """The command, as the ledger has it."""
        return f"{OPERATION} {self._planner.operation}"

    def plan(self, store: MetaTx) -> Plan:
        """Plan as the planner does, and note what the change touches when it is applied."""
        plan = self._planner.plan(store)

        def apply(tx: MetaTx) -> None:
            with tx.watched() as keys:
                plan.apply(tx)
            self.keys = tuple(keys)

        return replace(plan, operation=self.operation, apply=apply)


class _Recording:
    """The ledger, which remembers the row of the change in hand."""

    def __init__(self, recorder: Recorder, *, is_known_good: bool) -> None:
        self._recorder = recorder
        self._is_known_good = is_known_good
        self.intent_id = 0

    def prepare(self, intent: Intent) -> None:
        """As `Recorder.prepare`; nobody is asked in between, so one good try is enough."""
        if not self._is_known_good:
            self._recorder.prepare(intent)

    def intend(self, intent: Intent, *, txid_before: int | None = None) -> int:
        """As `Recorder.intend`."""
        self.intent_id = self._recorder.intend(intent, txid_before=txid_before)
        return self.intent_id

    def conclude(self, intent_id: int, outcome: str, *, txid_after: int | None = None) -> None:
        """As `Recorder.conclude`."""
        self._recorder.conclude(intent_id, outcome, txid_after=txid_after)


class _Client:
    """Whoever sent the request: the request is the yes, and the answer takes the token."""

    secret: Secret | None = None

    def show_plan(self, proposal: Proposal) -> None:
        """Show nothing: the answer says what was done."""

    def confirm(self, proposal: Proposal) -> bool:  # noqa: ARG002 # of the protocol
        """Say yes."""
        return True

    def open(self, secret: Secret) -> Sequence[str]:  # noqa: ARG002 # of the protocol
        """Do nothing: the connection is open."""
        return ()

    def deliver(
        self,
        secret: Secret,
        *,
        record_id: str,  # noqa: ARG002 # of the protocol
    ) -> Sequence[str]:
        """Keep the token for the answer."""
        self.secret = secret
        return ()

    def discard(self) -> None:
        """Forget it."""
        self.secret = None


class _Ports:
    """What one change needs from outside."""

    def __init__(self, recorder: Recorder, *, is_known_good: bool) -> None:
        self.recorder = _Recording(recorder, is_known_good=is_known_good)
        self.destination = _Client()
        self.all = Ports(
            audience=self.destination, recorder=self.recorder, destination=self.destination
        )
