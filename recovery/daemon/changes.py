"""Changes of the store, as the daemon makes them.

Lives here: `Changes`: one backup a session, one transaction, two ledger rows and one entry of the
journal a change. Must not live here: the order of the steps of a change
(`recovery.services.changes.sequence`), and what a change is (its planner).

Invariants: a change is carried out on the thread of the store. When the outcome of a write is not
known, nothing is written any more. The journal is in memory only, because it holds secrets.

Source: spec admin-daemon 2.7 and 2.8.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from recovery.daemon.answer import ApiError
from recovery.errors import (
    ConflictError,
    NotFoundError,
    PasswordError,
    RecoveryError,
    RefusedError,
    StoreDamagedError,
    WriteFailedError,
)
from recovery.log import get_logger
from recovery.metastore.table import KeyChange
from recovery.metastore.transaction import MetaTx
from recovery.ports import Clock
from recovery.remedy import advice
from recovery.secret import Secret
from recovery.services.changes.backup_rule import BackupOnce
from recovery.services.changes.plan import Manner, Outcome, Plan, Planner, Proposal
from recovery.services.changes.ports import Intent, Ports, Recorder
from recovery.services.session import Session

LOG: Final = get_logger(__name__)
OPERATION: Final = "serve"
JOURNAL_CHANGES_MAX: Final = 10_000
JOURNAL_SIZE_BYTES_MAX: Final = 64 << 20
CLIENT_LENGTH_MAX: Final = 60
READ_ONLY: Final = "the store is open for reading only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who makes a change.

    Attributes:
        name: "console key", "token ID", "session of USER".
        peer: Who is at the other end of the connection; empty when unknown.
        client: What the client calls itself; empty when it does not.
    """

    name: str
    peer: str = ""
    client: str = ""

    @property
    def reason(self) -> str:
        """All of it, for the ledger."""
        parts = (self.name, self.peer, self.client[:CLIENT_LENGTH_MAX])
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One change that was made, with what is needed to take it back.

    Attributes:
        number: Counts the changes of the run, from 1.
        operation: The command that would have done the same.
        steps: What was written, as sentences; names in them are not escaped.
        record_ids: Records that were made, changed or removed.
        author: Who made it.
        moment: When, RFC 3339.
        intent_id: Its row in the ledger.
        keys: Every key that it touched, with the value before and after. Secret.
    """

    number: int
    operation: str
    steps: tuple[str, ...]
    record_ids: tuple[str, ...]
    author: Author
    moment: str
    intent_id: int
    keys: tuple[KeyChange, ...] = field(repr=False)

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        return sum(one.size_bytes for one in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A change that was made.

    Attributes:
        facts: What was done, for a program.
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
        count: How many were made.
        stopped_by: Why nothing is written any more; None while all is well.
    """

    def __init__(self, session: Session, recorder: Recorder, clock: Clock) -> None:
        """Get ready.

        Args:
            session: The store, open for writing or for reading.
            recorder: The ledger.
            clock: The time.
        """
        self._session = session
        self._recorder = recorder
        self._clock = clock
        self._backups = BackupOnce(clock, operation=OPERATION)
        self._journal: deque[JournalEntry] = deque()
        self._journal_size_bytes = 0
        self.count = 0
        self.stopped_by: str | None = None

    @property
    def journal(self) -> tuple[JournalEntry, ...]:
        """The changes that can be taken back, the oldest first."""
        return tuple(self._journal)

    def make(self, planner: Planner, author: Author) -> Made:
        """Make a change. Runs on the thread of the store.

        Args:
            planner: The change.
            author: Who wants it.

        Returns:
            What was done; it is on the disk.

        Raises:
            ApiError: It was refused or it failed; the message says whether anything was changed.
        """
        if not self._session.store.is_writable:
            raise ApiError("unavailable", READ_ONLY)
        if self.stopped_by is not None:
            raise ApiError("unavailable", f"writing was stopped: {self.stopped_by}")
        watched = _Watched(planner)
        ports = _Ports(self._recorder)
        manner = Manner(
            reason=author.reason, backups=self._backups, is_whole_file_checked=self.count == 0
        )
        try:
            proposal = self._session.propose(watched, manner)
            outcome = self._session.carry_out(proposal, ports.all)
        except RecoveryError as error:
            raise self._refused(error) from error
        if outcome.is_changed:
            self._note(proposal, outcome, watched, ports.recorder.intent_id, author)
        return Made(
            facts=proposal.plan.facts,
            record_ids=proposal.plan.record_ids,
            secret=ports.destination.secret,
            is_changed=outcome.is_changed,
            mark_lost=lambda: self._mark_lost(ports.recorder.intent_id, outcome),
        )

    def _note(
        self,
        proposal: Proposal,
        outcome: Outcome,
        watched: "_Watched",
        intent_id: int,
        author: Author,
    ) -> None:
        """Write the journal; the oldest entries go when it is full."""
        self.count += 1
        entry = JournalEntry(
            number=self.count,
            operation=proposal.plan.operation,
            steps=proposal.plan.steps,
            record_ids=proposal.plan.record_ids,
            author=author,
            moment=self._clock.now().isoformat(),
            intent_id=intent_id,
            keys=watched.keys,
        )
        self._journal.append(entry)
        self._journal_size_bytes += entry.size_bytes
        while (
            len(self._journal) > JOURNAL_CHANGES_MAX
            or self._journal_size_bytes > JOURNAL_SIZE_BYTES_MAX
        ):
            self._journal_size_bytes -= self._journal.popleft().size_bytes
        for warning in outcome.warnings:
            LOG.warning("change.warned", operation=entry.operation, problem=warning)

    def _refused(self, error: RecoveryError) -> ApiError:
        """Say what went wrong, and stop writing when it is not known what is in the store now."""
        message = f"{error}; {advice(error.hint)}"
        if error.changed is not False:
            self.stopped_by = message
        match error:
            case WriteFailedError() | StoreDamagedError():
                return ApiError("unavailable", message)
            case NotFoundError():
                return ApiError("not found", message)
            case ConflictError():
                return ApiError("conflict", message)
            case PasswordError():
                return ApiError("invalid", message)
            case RefusedError():
                return ApiError("unprocessable entity", message)
            case _:
                return ApiError("unavailable", message)

    def _mark_lost(self, intent_id: int, outcome: Outcome) -> None:
        """Record that a token is in force and nobody has it."""
        try:
            self._recorder.conclude(intent_id, "undelivered", txid_after=outcome.txid)
        except RecoveryError as error:
            LOG.warning("ledger.failed", operation="undelivered", problem=str(error))


class _Watched:
    """A planner whose change is watched, key by key."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
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

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.intent_id = 0

    def prepare(self, intent: Intent) -> None:
        """As `Recorder.prepare`."""
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

    def open(self) -> Sequence[str]:
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

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = _Recording(recorder)
        self.destination = _Client()
        self.all = Ports(
            audience=self.destination, recorder=self.recorder, destination=self.destination
        )
