"""The one sequence by which anything in a store is changed.

Lives here: `run_change`, the `Plan` that it runs, and what it needs from outside (`Audience`,
`TokenDestination`, `Recorder`). Must not live here: what a particular command writes; that is a
`Planner` in a module of its own.

Invariants: the steps happen in this order and in no other: lock, check, plan, show the plan,
confirm, open the token's destination, verified backup, intent in the ledger, commit, re-open and
verify, done in the ledger, deliver. Up to the commit every failure leaves the store unchanged and
no new file behind. The lock is held from before the first read until after the verification.

Source: spec influxdb-metadata section 14 ("Common"), bbolt-format section 2.11.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from recovery.errors import (
    DeliveryError,
    RecoveryError,
    RefusedError,
    VerificationError,
    WriteFailedError,
)
from recovery.log import get_logger
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.display import displayed
from recovery.ports import Clock
from recovery.secret import Secret
from recovery.services.changes.backup import PartialCopy, backup_path, make_backup, require_free
from recovery.services.store_facts import StoreFacts

LOG: Final = get_logger(__name__)

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"
"""What `Plan.facts` is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a command is going to do, decided and not done yet.

    Attributes:
        operation: The command, as "auth create-operator"; goes into ledger and backup name.
        steps: What will be written, as sentences for a person; names in them are not escaped yet.
        facts: The same for a program. No secrets.
        record_ids: Records that it makes, changes or removes, 16 hex digits each.
        warnings: What a person should know before saying yes, as sentences.
        is_needed: False when the store already is as wanted: then nothing is done.
        apply: Writes it, in the one transaction.
        verify: Looks at the re-opened store and says what is not as planned, as a clause; None
            when all is.
        secret: The token to hand over once it is in force.
        subject_id: The record whose secret that is, to be named if it cannot be delivered.
    """

    operation: str
    steps: tuple[str, ...]
    facts: Mapping[str, Json]
    record_ids: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    is_needed: bool = True
    apply: Callable[[MetaTx], None] = field(repr=False)
    verify: Callable[[MetaTx], str | None] = field(repr=False)
    secret: Secret | None = field(default=None, repr=False)
    subject_id: str | None = None


class Planner(Protocol):
    """A command, before it has seen the store."""

    @property
    def operation(self) -> str:
        """The command, as "auth create-operator"."""
        ...

    @property
    def has_secret(self) -> bool:
        """Whether its plan will have a token to deliver."""
        ...

    def plan(self, store: MetaTx) -> Plan:
        """Decide what to do, reading only; raise a `RecoveryError` to refuse."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """All that is shown before the question.

    Attributes:
        plan: What will be written.
        store: The store that the plan was made for.
        target_path: The file that will be written: the store, or the new copy of `--output`.
        backup_path: Where the copy of the store before the change will be; None with `--output`,
            where the store itself is left alone.
    """

    plan: Plan
    store: StoreFacts
    target_path: Path
    backup_path: Path | None


class Audience(Protocol):
    """Whoever is shown the plan and is asked."""

    def show_plan(self, proposal: Proposal) -> None:
        """Show it. Called exactly once, also for a dry run and when nothing needs to be done."""
        ...

    def confirm(self, proposal: Proposal) -> bool:
        """Return whether to go on. Not called for a dry run or when nothing needs to be done."""
        ...


class TokenDestination(Protocol):
    """The one place that a new token goes to."""

    def open(self) -> None:
        """Make sure that the token can be delivered.

        Called after the confirmation and before the first write; a `RecoveryError` stops the change
        and leaves the store unchanged.
        """
        ...

    def deliver(self, secret: Secret, *, record_id: str) -> None:
        """Hand the token over, after the commit; raise `DeliveryError` when that fails."""
        ...

    def discard(self) -> None:
        """Undo `open`: the change did not happen. Must not raise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the ledger is told before the commit. No secrets.

    Attributes:
        operation: The command.
        store_path: The file that will be written.
        device: Its device.
        inode: Its inode.
        record_ids: Records that will be made, changed or removed.
        backup_path: The verified backup; None with `--output`.
        reason: Why, in the operator's words.
    """

    operation: str
    store_path: Path
    device: int
    inode: int
    record_ids: tuple[str, ...]
    backup_path: Path | None
    reason: str | None


class Recorder(Protocol):
    """The ledger, as a change needs it."""

    def prepare(self, intent: Intent) -> None:
        """Make sure that an intent could be recorded; a `RecoveryError` stops the change.

        Called in front of the question, and for a dry run not at all.
        """
        ...

    def intend(self, intent: Intent, *, txid_before: int | None = None) -> int:
        """Record durably what is about to be done; a `RecoveryError` stops the change."""
        ...

    def conclude(self, intent_id: int, outcome: str, *, txid_after: int | None = None) -> None:
        """Record how it ended: "done", "unchanged", "unknown" or "undelivered"."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a change is to be done, apart from what it is.

    Attributes:
        is_dry_run: Stop after showing the plan; nothing at all is written.
        output_path: Leave the store alone and write a new copy of it here.
        reason: Why, for the ledger.
        lock_timeout_s: How long to try for the lock, in seconds.
    """

    is_dry_run: bool = False
    output_path: Path | None = None
    reason: str | None = None
    lock_timeout_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a change needs from outside.

    Attributes:
        audience: Who sees the plan and says yes.
        recorder: The ledger.
        clock: The time, for the name of the backup.
        destination: Where a new token goes; may be None for changes without one.
        shield: A context in which Ctrl-C waits; held from just before the commit to the end of the
            delivery, so that a token in force is never lost by it.
    """

    audience: Audience
    recorder: Recorder
    clock: Clock
    destination: TokenDestination | None = None
    shield: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a change ended; failures are exceptions.

    Attributes:
        proposal: What was shown.
        is_changed: False for a dry run, and when nothing needed to be done.
        txid: Transaction of the commit, None when there was none.
        backup_path: The verified backup; None when there is none.
        warnings: What went wrong without harm, such as a ledger that could not be closed.
    """

    proposal: Proposal
    is_changed: bool
    txid: int | None
    backup_path: Path | None
    warnings: tuple[str, ...] = ()


def run_change(store_path: Path, planner: Planner, *, manner: Manner, ports: Ports) -> Outcome:
    """Do a change, or its dry run, from the lock to the delivery.

    Args:
        store_path: The store.
        planner: The command.
        manner: How to do it.
        ports: What it needs from outside.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    if planner.has_secret and ports.destination is None and not manner.is_dry_run:
        raise RefusedError(
            reason="there is no place to put the new token",
            hint="name one with --token-file PATH, or use --token-stdout",
        )
    write = not manner.is_dry_run and manner.output_path is None
    with MetaStore.open(store_path, write=write, timeout_s=manner.lock_timeout_s) as store:
        store.require_sound()
        with store.view() as tx:
            plan = planner.plan(tx)
        proposal = _propose(store, plan, manner, ports.clock)
        ports.audience.show_plan(proposal)
        if manner.is_dry_run or not plan.is_needed:
            return Outcome(proposal=proposal, is_changed=False, txid=None, backup_path=None)
        run = _Run(store, proposal, manner, ports)
        run.confirm()
        if proposal.backup_path is None:
            return run.in_copy()
        return run.in_place(proposal.backup_path)


def _propose(store: MetaStore, plan: Plan, manner: Manner, clock: Clock) -> Proposal:
    facts = StoreFacts.of(store)
    if manner.output_path is not None:
        require_free(manner.output_path)
        return Proposal(plan=plan, store=facts, target_path=manner.output_path, backup_path=None)
    backup = backup_path(facts.real_path, operation=plan.operation, moment=clock.now())
    return Proposal(plan=plan, store=facts, target_path=facts.real_path, backup_path=backup)


class _Run:
    """One change on its way from the question to the delivery.

    What has to be undone on failure is registered on a stack, in the order in which it was done;
    the stack is emptied where the change is in force.
    """

    def __init__(self, store: MetaStore, proposal: Proposal, manner: Manner, ports: Ports) -> None:
        self._store = store
        self._proposal = proposal
        self._plan = proposal.plan
        self._manner = manner
        self._ports = ports
        self._destination = ports.destination if self._plan.secret is not None else None
        self._warnings: list[str] = []

    def confirm(self) -> None:
        """See that the ledger is ready, and ask."""
        facts = self._proposal.store
        self._ports.recorder.prepare(self._intent(device=facts.device, inode=facts.inode))
        if not self._ports.audience.confirm(self._proposal):
            raise RefusedError(
                reason="the plan was not confirmed",
                hint="run it again and answer yes, or add --yes in a script",
            )

    def in_place(self, backup: Path) -> Outcome:
        """Back the store up, change it, look at it again, deliver."""
        facts = self._proposal.store
        with _undone_on_failure() as undo:
            self._open_destination(undo)
            make_backup(self._store, backup)
            undo.callback(_remove, backup)
            intent = self._intent(device=facts.device, inode=facts.inode)
            intent_id = self._intend(undo, intent, txid_before=self._store.txid)
            with self._ports.shield():
                self._commit_in_place(undo, intent_id)
                undo.pop_all()
                self._conclude(intent_id, "done", txid_after=self._store.txid)
                self._deliver(intent_id)
        return self._outcome(self._store.txid)

    def in_copy(self) -> Outcome:
        """Copy the store, change the copy, look at it again, give it its name, deliver.

        Whatever fails here, the store is as it was and no copy is left.
        """
        target_path = self._proposal.target_path
        with _undone_on_failure() as undo:
            self._open_destination(undo)
            copy = undo.enter_context(PartialCopy.of(self._store, target_path))
            with MetaStore.open(copy.path, write=True) as target:
                undo.callback(copy.withdraw)
                intent = self._intent(device=target.file.device, inode=target.file.inode)
                intent_id = self._intend(undo, intent, txid_before=target.txid)
                with self._ports.shield():
                    self._commit_in_copy(target)
                    copy.publish()
                    self._conclude(intent_id, "done", txid_after=target.txid)
                    self._deliver_from_copy()
                    undo.pop_all()
                return self._outcome(target.txid)

    def _intent(self, *, device: int, inode: int) -> Intent:
        return Intent(
            operation=self._plan.operation,
            store_path=self._proposal.target_path,
            device=device,
            inode=inode,
            record_ids=self._plan.record_ids,
            backup_path=self._proposal.backup_path,
            reason=self._manner.reason,
        )

    def _open_destination(self, undo: ExitStack) -> None:
        if self._destination is not None:
            self._destination.open()
            undo.callback(self._destination.discard)

    def _intend(self, undo: ExitStack, intent: Intent, *, txid_before: int) -> int:
        intent_id = self._ports.recorder.intend(intent, txid_before=txid_before)
        undo.callback(self._conclude, intent_id, "unchanged", txid_after=txid_before)
        return intent_id

    def _conclude(self, intent_id: int, outcome: str, *, txid_after: int | None) -> None:
        """Record the end; it has happened already, so a ledger that fails is only a warning."""
        try:
            self._ports.recorder.conclude(intent_id, outcome, txid_after=txid_after)
        except RecoveryError as error:
            self._warnings.append(str(error))
            LOG.warning("ledger.failed", operation=self._plan.operation, outcome=outcome)

    def _commit_in_place(self, undo: ExitStack, intent_id: int) -> None:
        """Commit and verify; when the outcome is not certain, keep the backup and say so."""
        txid_before = self._store.txid
        try:
            self._commit(self._store)
            problem = self._verify(self._store)
        except BaseException as error:
            if self._is_unchanged(error, txid_before):
                raise
            self._keep_backup(undo, intent_id)
            if isinstance(error, RecoveryError):
                raise self._uncertain(str(error)) from error
            raise
        if problem is not None:
            self._keep_backup(undo, intent_id)
            raise self._unverified(problem)
        LOG.info("store.changed", operation=self._plan.operation, txid=self._store.txid)

    def _commit_in_copy(self, target: MetaStore) -> None:
        try:
            self._commit(target)
            problem = self._verify(target)
        except RecoveryError as error:
            raise self._copy_failed(str(error)) from error
        if problem is not None:
            raise self._copy_failed(problem)

    def _commit(self, store: MetaStore) -> None:
        with store.update() as tx:
            self._plan.apply(tx)

    def _verify(self, store: MetaStore) -> str | None:
        with store.second_look() as tx:
            return self._plan.verify(tx)

    def _is_unchanged(self, error: BaseException, txid_before: int) -> bool:
        """Tell whether the store certainly is as it was, by looking at it again."""
        if isinstance(error, WriteFailedError) and error.outcome == "unknown":
            return False
        try:
            with self._store.second_look() as tx:
                return tx.txid == txid_before
        except RecoveryError:
            return False

    def _keep_backup(self, undo: ExitStack, intent_id: int) -> None:
        """Undo no more than the token's destination, and record that the outcome is unknown."""
        undo.pop_all()
        if self._destination is not None:
            undo.callback(self._destination.discard)
        undo.callback(self._conclude, intent_id, "unknown", txid_after=None)

    def _uncertain(self, problem: str) -> WriteFailedError:
        return WriteFailedError(
            path=self._shown(self._proposal.target_path),
            problem=problem,
            outcome="unknown",
            hint=self._restore_hint(),
            backup_path=str(self._proposal.backup_path),
        )

    def _unverified(self, problem: str) -> VerificationError:
        return VerificationError(
            path=self._shown(self._proposal.target_path),
            problem=problem,
            hint=self._restore_hint(),
            backup_path=str(self._proposal.backup_path),
        )

    def _restore_hint(self) -> str:
        backup = self._proposal.backup_path or Path()
        target = self._proposal.target_path
        # cp keeps owner and mode of a file that it overwrites.
        return f"restore the backup: cp {shlex.quote(str(backup))} {shlex.quote(str(target))}"

    def _copy_failed(self, problem: str) -> WriteFailedError:
        return WriteFailedError(
            path=self._shown(self._proposal.target_path),
            problem=problem,
            outcome="unchanged",
            hint="look at the disk of that file, and try again",
        )

    def _deliver(self, intent_id: int) -> None:
        try:
            self._hand_over()
        except BaseException:
            self._conclude(intent_id, "undelivered", txid_after=self._store.txid)
            raise

    def _deliver_from_copy(self) -> None:
        try:
            self._hand_over()
        except DeliveryError as error:
            raise self._copy_failed(
                f"the token could not be handed over: {error.problem}"
            ) from error

    def _hand_over(self) -> None:
        secret, record_id = self._plan.secret, self._plan.subject_id
        if self._destination is not None and secret is not None and record_id is not None:
            self._destination.deliver(secret, record_id=record_id)

    def _outcome(self, txid: int) -> Outcome:
        return Outcome(
            proposal=self._proposal,
            is_changed=True,
            txid=txid,
            backup_path=self._proposal.backup_path,
            warnings=tuple(self._warnings),
        )

    @staticmethod
    def _shown(path: Path) -> str:
        return displayed(str(path))


@contextmanager
def _undone_on_failure() -> Iterator[ExitStack]:
    """Give a stack whose callbacks run, last first, when the block fails, and only then.

    Yields:
        The stack. `pop_all` on it forgets what was registered.
    """
    with ExitStack() as undo:
        yield undo
        undo.pop_all()


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
