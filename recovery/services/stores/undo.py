"""Taking back what was done last to a store.

Lives here: `undo`, and which operation it takes back. Must not live here: how bytes go back
(`recovery.metastore.rewind`), and how the difference is found
(`recovery.services.stores.comparison`).

Invariants: the order of steps is that of every change (`recovery.services.changes.sequence`): lock,
check, find the operation, prove, show, confirm, verified backup, intent in the ledger, write,
verify, done in the ledger. The lock is held throughout. Nothing is written unless the ledger, the
transaction ids and the pages agree that nothing else has written since.

An operation that was taken back counts no more, so the next `undo` takes back the one before it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from recovery.errors import RecoveryError, RefusedError, StoreNotFoundError, VerificationError
from recovery.log import get_logger
from recovery.metastore.rewind import Rewind, Rewinder
from recovery.metastore.store import MetaStore
from recovery.model.display import displayed
from recovery.ports import Clock
from recovery.services.changes.backup import backup_path, make_backup
from recovery.services.changes.sequence import Intent, Recorder
from recovery.services.store_facts import StoreFacts
from recovery.services.stores.comparison import BucketCount, Change, compare_counts, compare_records
from recovery.services.stores.history import (
    UNFINISHED,
    Entries,
    Operation,
    operations_of,
    read_operations,
)

LOG: Final = get_logger(__name__)
OPERATION: Final = "store undo"
_CHANGED: Final = frozenset({"done", "undelivered"})
_PERHAPS: Final = frozenset({"unknown", UNFINISHED})


class LedgerOfStore(Entries, Recorder, Protocol):
    """A ledger that is read and written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoProposal:
    """All that is shown before the question.

    Attributes:
        store: The store.
        operation: What will be taken back.
        source_path: The backup that the store will be again, byte for byte.
        backup_path: Where the copy of the store as it is now will be.
        changes: What the operation changed, as seen from before it.
        counts: The same for buckets that are only counted.
        page_count: Number of pages that will be written.
        is_resumed: Whether this ends an earlier undo that was cut off.
    """

    store: StoreFacts
    operation: Operation
    source_path: Path
    backup_path: Path
    changes: tuple[Change, ...]
    counts: tuple[BucketCount, ...]
    page_count: int
    is_resumed: bool


class UndoAudience(Protocol):
    """Whoever is shown the proposal and is asked."""

    def show_undo(self, proposal: UndoProposal) -> None:
        """Show it. Called exactly once."""
        ...

    def confirm_undo(self, proposal: UndoProposal) -> bool:
        """Return whether to go on. Not called for a dry run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPorts:
    """What it needs from outside.

    Attributes:
        ledger: What was done, and where this is recorded.
        audience: Who sees the proposal and says yes.
        clock: The time, for the name of the backup.
        shield: A context in which Ctrl-C waits.
    """

    ledger: LedgerOfStore
    audience: UndoAudience
    clock: Clock
    shield: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoOutcome:
    """How it ended; failures are exceptions.

    Attributes:
        proposal: What was shown.
        is_changed: False for a dry run.
        warnings: What went wrong without harm.
    """

    proposal: UndoProposal
    is_changed: bool
    warnings: tuple[str, ...] = ()


def undo(
    store_path: Path,
    *,
    ports: UndoPorts,
    is_dry_run: bool,
    reason: str | None = None,
    lock_timeout_s: float = 1.0,
) -> UndoOutcome:
    """Take back the last operation, or show what that would mean.

    Args:
        store_path: The store.
        ports: What it needs from outside.
        is_dry_run: Stop after showing; nothing at all is written.
        reason: Why, for the ledger.
        lock_timeout_s: How long to try for the lock, in seconds.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    with MetaStore.open(store_path, write=not is_dry_run, timeout_s=lock_timeout_s) as store:
        store.require_sound()
        operation, is_resumed = _operation(store, read_operations(ports.ledger))
        with (
            _opened_backup(operation) as backup,
            Rewinder(store.file, backup.file, write=not is_dry_run) as rewinder,
        ):
            rewind = rewinder.plan()
            proposal = _propose(store, backup, operation, rewind, is_resumed, ports.clock)
            ports.audience.show_undo(proposal)
            if is_dry_run:
                return UndoOutcome(proposal=proposal, is_changed=False)
            run = _Undo(store, proposal, ports, reason)
            run.confirm()
            return run.write(lambda: rewinder.apply(rewind))


def last_operation(operations: Iterable[Operation], *, txid: int) -> Operation | None:
    """Find the last operation that has not been taken back.

    Args:
        operations: All that was done to the store, oldest first.
        txid: Its newest transaction, which tells whether what was cut off had written anything.

    Returns:
        The operation, or None when there is none.
    """
    standing: list[Operation] = []
    for one in operations:
        if one.operation == OPERATION:
            if one.outcome in _CHANGED and standing:
                standing.pop()
        elif one.outcome in _CHANGED | _PERHAPS:
            standing.append(one)
    while standing and standing[-1].outcome in _PERHAPS and _never_wrote(standing[-1], txid):
        standing.pop()
    return standing[-1] if standing else None


def _never_wrote(operation: Operation, txid: int) -> bool:
    return operation.txid_before is None or txid <= operation.txid_before


def _operation(store: MetaStore, operations: Iterable[Operation]) -> tuple[Operation, bool]:
    """Choose what to take back.

    Returns:
        The operation, and whether taking it back was begun before and cut off.

    Raises:
        RefusedError: There is nothing to take back, or something else has written since.
    """
    file = store.file
    own = operations_of(operations, file.real_path, device=file.device, inode=file.inode)
    name = displayed(str(file.real_path))
    found = last_operation(own, txid=store.txid)
    if found is None:
        raise RefusedError(
            reason=f"the ledger knows of nothing that was done to {name} and stands",
            hint="name the ledger with --ledger FILE, or type influx-recovery ledger list",
        )
    if found.backup_path is None or found.txid_before is None:
        raise RefusedError(
            reason=f"operation {found.number}, {found.operation}, was made without a backup",
            hint=f"type influx-recovery ledger show {found.number}",
        )
    if store.txid == found.txid_before and _was_begun(found, own):
        return found, True
    expected = found.txid_before + 1 if found.txid_after is None else found.txid_after
    if store.txid != expected or expected != found.txid_before + 1:
        raise RefusedError(
            reason=f"{name} has been written by something else since operation {found.number}, "
            f"{found.operation}: its transaction is {store.txid}, expected {expected}",
            hint="see what it was: influx-recovery store diff BACKUP STORE",
        )
    return found, False


def _was_begun(operation: Operation, own: Iterable[Operation]) -> bool:
    """Tell whether an undo of this operation was begun, and its end is not known."""
    return any(
        one.operation == OPERATION and one.outcome in _PERHAPS and one.number > operation.number
        for one in own
    )


@contextmanager
def _opened_backup(operation: Operation) -> Iterator[MetaStore]:
    path = Path(operation.backup_path or "")
    try:
        backup = MetaStore.open(path, write=False)
    except StoreNotFoundError as error:
        raise RefusedError(
            reason=f"the backup of operation {operation.number} is gone: {error.path} "
            f"{error.problem}",
            hint="put it back under that name",
        ) from error
    with backup:
        if backup.txid != operation.txid_before:
            raise RefusedError(
                reason=f"{displayed(str(path))} is not the backup of operation "
                f"{operation.number}: its transaction is {backup.txid}, expected "
                f"{operation.txid_before}",
                hint="put the backup back under that name",
            )
        yield backup


def _propose(
    store: MetaStore,
    backup: MetaStore,
    operation: Operation,
    rewind: Rewind,
    is_resumed: bool,  # noqa: FBT001 # private, and named by its only caller
    clock: Clock,
) -> UndoProposal:
    with backup.view() as before, store.view() as after:
        changes = tuple(compare_records(before, after))
        counts = tuple(compare_counts(before, after))
    facts = StoreFacts.of(store)
    return UndoProposal(
        store=facts,
        operation=operation,
        source_path=backup.file.real_path,
        backup_path=backup_path(facts.real_path, operation=OPERATION, moment=clock.now()),
        changes=changes,
        counts=counts,
        page_count=rewind.page_count,
        is_resumed=is_resumed,
    )


class _Undo:
    """One undo on its way from the question to the end."""

    def __init__(
        self, store: MetaStore, proposal: UndoProposal, ports: UndoPorts, reason: str | None
    ) -> None:
        self._store = store
        self._proposal = proposal
        self._ports = ports
        self._warnings: list[str] = []
        self._intent = Intent(
            operation=OPERATION,
            store_path=proposal.store.real_path,
            device=proposal.store.device,
            inode=proposal.store.inode,
            record_ids=proposal.operation.record_ids,
            backup_path=proposal.backup_path,
            reason=reason,
        )

    def confirm(self) -> None:
        """See that the ledger is ready, and ask."""
        self._ports.ledger.prepare(self._intent)
        if not self._ports.audience.confirm_undo(self._proposal):
            raise RefusedError(
                reason="the plan was not confirmed",
                hint="run it again and answer yes, or add --yes in a script",
            )

    def write(self, apply: Callable[[], None]) -> UndoOutcome:
        """Back the store up, go back, look at it again."""
        target = self._proposal.backup_path
        txid_before = self._store.txid
        with ExitStack() as debris:
            make_backup(self._store, target)
            debris.callback(_remove, target)
            intent_id = self._ports.ledger.intend(self._intent, txid_before=txid_before)
            debris.pop_all()
        with self._ports.shield():
            try:
                apply()
                self._verify()
            except BaseException:
                self._conclude(intent_id, "unknown", txid_after=None)
                raise
            self._conclude(intent_id, "done", txid_after=self._proposal.operation.txid_before)
        LOG.info("store.undone", operation=self._proposal.operation.operation)
        return UndoOutcome(proposal=self._proposal, is_changed=True, warnings=tuple(self._warnings))

    def _verify(self) -> None:
        """Open the file again as influxd will, and see that it is in the state before."""
        operation = self._proposal.operation
        with self._store.second_look() as tx:
            if tx.txid != operation.txid_before:
                raise VerificationError(
                    path=displayed(str(self._proposal.store.real_path)),
                    problem="the store opens as another state than the backup",
                    hint="look at the disk, then run influx-recovery store undo again",
                    backup_path=str(self._proposal.source_path),
                )

    def _conclude(self, intent_id: int, outcome: str, *, txid_after: int | None) -> None:
        """Record the end; it has happened already, so a ledger that fails is only a warning."""
        try:
            self._ports.ledger.conclude(intent_id, outcome, txid_after=txid_after)
        except RecoveryError as error:
            self._warnings.append(str(error))
            LOG.warning("ledger.failed", operation=OPERATION, outcome=outcome)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
