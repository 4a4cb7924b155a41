"""Taking back what was done last to a store.

Lives here: `proposed_undo`: which operation it takes back, and the proof that it is ours. Must not
live here: how bytes go back (`bolt_store.rewind`), how the difference is found
(`recovery.services.stores.diff`), and the order of the steps, which is that of every change
(`recovery.services.changes.sequence`).

Invariants: nothing is written unless it is proven that the newest transaction of the store is the
very one that the ledger tells of: by the digest of all that it wrote, which the ledger was told
before it was written; and that the backup has the bytes that it was made with, by theirs. Of
operations that were recorded without one, by an older version, the transaction id has to fit and
their records have to be in what is taken back. Where the ledger is lost, the digest on a backup
that is named proves the same.

The changes of one session are taken back as one operation, over as many transactions.

An operation that was taken back counts no more, so the next `undo` takes back the one before it.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from recovery.errors import (
    RecoveryError,
    RefusedError,
    StoreNotFoundError,
    VerificationError,
    WriteFailedError,
)
from recovery.metastore.rewind import (
    UNDO_AGAIN,
    Rewinder,
    compare_hint,
    is_same_state,
    newest_commit,
)
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.display import displayed
from recovery.remedy import Give, Input, Run, Way
from recovery.services.changes.backup import (
    has_content,
    is_as_made,
    is_commit,
    require_room,
)
from recovery.services.changes.backup_rule import BackupRule
from recovery.services.changes.plan import Manner, Plan, Proposal, WorkFile
from recovery.services.ledger import (
    UNFINISHED,
    UNRECORDED,
    Entries,
    Operation,
    operations_of,
    read_operations,
)
from recovery.services.session import Session
from recovery.services.stores.diff import (
    BucketCount,
    Change,
    compare_counts,
    compare_records,
    ids_not_concerned,
)
from recovery.services.stores.lost_ledger import copies_told, marked_operation, ways_by_backup

OPERATION: Final = "store undo"
SESSION: Final = "serve"
"""The operation that stands for many, each of which has its name behind this word."""
_CHANGED: Final = frozenset({"done", "undelivered"})
_PERHAPS: Final = frozenset({"unknown", UNFINISHED})
_BY_ITSELF: Final = "to do the opposite, which leaves alone what was written since"
_OPPOSITES: Final = {
    **dict.fromkeys(
        ("auth create", "auth create-operator", "auth import"), Run("auth delete", _BY_ITSELF)
    ),
    "auth delete": Run("auth undelete", _BY_ITSELF),
    "auth set-active": Run("auth set-inactive", _BY_ITSELF),
    "auth set-inactive": Run("auth set-active", _BY_ITSELF),
    "user create": Run("user delete", _BY_ITSELF),
    "user delete": Run("user undelete", _BY_ITSELF),
    "user activate": Run("user deactivate", _BY_ITSELF),
    "user deactivate": Run("user activate", _BY_ITSELF),
    "user update": Run("user update", "to set another password"),
    "org create": Run("org delete", _BY_ITSELF),
    "v1-auth create": Run("v1-auth delete", _BY_ITSELF),
    "v1-auth delete": Run("v1-auth undelete", _BY_ITSELF),
    "v1-auth set-active": Run("v1-auth set-inactive", _BY_ITSELF),
    "v1-auth set-inactive": Run("v1-auth set-active", _BY_ITSELF),
}
"""What does the opposite of an operation and leaves the rest of the store as it is, where there is
one; of a new password, another one."""


class UndoProposal(Proposal, frozen=True, kw_only=True):
    """All that is shown before the question.

    Attributes:
        operation: What will be taken back.
        source_path: The backup that the store will be again, byte for byte.
        changes: What the operation changed, as seen from before it.
        counts: The same for buckets that are only counted.
        page_count: Number of pages that will be written.
        is_resumed: Whether this ends an earlier undo that was cut off.
    """

    operation: Operation
    source_path: Path
    changes: tuple[Change, ...]
    counts: tuple[BucketCount, ...]
    page_count: int
    is_resumed: bool


@contextmanager
def proposed_undo(
    session: Session, ledger: Entries, manner: Manner, *, backup_path: Path | None = None
) -> Iterator[UndoProposal]:
    """Plan to take back the last operation. Nothing is written.

    Args:
        session: The store; open for writing unless it will be a dry run.
        manner: How to do it; it is done in place.
        backup_path: The backup of the operation, in the place of what the ledger says of it.

    Yields:
        What `Session.carry_out` takes, until the end of the block.

    Raises:
        RefusedError: There is nothing to take back, or it cannot be proven to be ours.
    """
    store = session.store
    store.require_sound()
    if backup_path is None:
        operation, was_begun = _operation(store, read_operations(ledger))
    else:
        operation = marked_operation(store, backup_path)
        was_begun = not is_commit(operation.digest or "", newest_commit(store))
    with _opened_backup(store, operation) as backup:
        operation = replace(operation, txid_before=backup.txid)
        if operation.digest is not None and not is_as_made(backup, operation.digest):
            raise RefusedError(
                reason=f"the backup of {_called(operation)} has other bytes than it was made with: "
                f"{displayed(str(backup.file.real_path))}",
                hint=_ways_else(store, operation, backup.file.real_path),
            )
        is_resumed = was_begun and is_same_state(store, backup)
        if not is_resumed:
            _require_newest(store, operation)
        try:
            rewinder = Rewinder(store, backup, is_over_many=_is_over_many(operation))
        except RefusedError as error:
            error.hint = _ways_else(store, operation, backup.file.real_path)
            raise
        with backup.view() as before, store.view() as after:
            if not is_resumed:
                _require_ours(store, backup, operation, rewinder.rewind.digest, before, after)
            changes = tuple(compare_records(before, after))
            counts = tuple(compare_counts(before, after))
        yield UndoProposal(
            plan=_plan(operation, backup, is_resumed=is_resumed),
            store=session.facts(),
            work=BackInTime(store, rewinder, operation, manner.backups, is_resumed=is_resumed),
            manner=manner,
            operation=operation,
            source_path=backup.file.real_path,
            changes=changes,
            counts=counts,
            page_count=rewinder.rewind.page_count,
            is_resumed=is_resumed,
        )


def last_operation(operations: Iterable[Operation], *, txid: int) -> Operation | None:
    """Find the last operation that has not been taken back.

    Args:
        txid: Its newest transaction, which tells whether what was cut off had written anything.
    """
    standing = standing_operations(operations, txid=txid)
    return standing[-1] if standing else None


def standing_operations(operations: Iterable[Operation], *, txid: int) -> tuple[Operation, ...]:
    """List what has not been taken back, and could be, the last first of all.

    Args:
        txid: Its newest transaction.

    Returns:
        The operations, oldest first.
    """
    standing: list[Operation] = []
    for one in with_whole_sessions(operations, txid=txid):
        if one.operation == OPERATION:
            if one.outcome in _CHANGED and standing and _may_be_of(one, standing[-1]):
                standing.pop()
        elif one.outcome in _CHANGED | _PERHAPS and not _wrote_nothing(one):
            standing.append(one)
    while standing and _was_cut_off(standing[-1], txid):
        standing.pop()
    return tuple(standing)


def _may_be_of(undo: Operation, operation: Operation) -> bool:
    """Tell whether an undo can have taken back an operation, or one that is not recorded here.

    One that ended what was cut off may have begun in a state between the two.
    """
    known = (undo.txid_before, operation.txid_before, operation.txid_after)
    return (
        None in known or undo.txid_before in known[1:] or undo.txid_after == operation.txid_before
    )


def with_whole_sessions(operations: Iterable[Operation], *, txid: int) -> Iterator[Operation]:
    """Put one operation in the place of all changes that were made in one session.

    A session has one backup, of the state before its first change. With a single change it is that
    change, which has a digest. A last change that was cut off before it wrote is none of them.

    Args:
        operations: All that was done to the store, oldest first.

    Yields:
        The operations; a session stands where its first row is.
    """
    listed = list(operations)
    members: dict[str | None, list[Operation]] = {}
    for one in listed:
        if one.operation.startswith(f"{SESSION} ") and one.outcome in _CHANGED | _PERHAPS:
            members.setdefault(one.backup_path, []).append(one)
    for one in listed:
        if one.operation == SESSION:
            changes = members.get(one.backup_path, [])
            while len(changes) > 1 and _was_cut_off(changes[-1], txid):
                changes.pop()
            if changes:
                yield _whole(one, changes)
        elif not one.operation.startswith(f"{SESSION} "):
            yield one


def _whole(session: Operation, changes: list[Operation]) -> Operation:
    last = changes[-1]
    if len(changes) == 1:
        return last
    ids = dict.fromkeys(one for change in changes for one in change.record_ids)
    return replace(
        session,
        outcome=last.outcome,
        record_ids=tuple(ids),
        txid_after=last.txid_after,
        digest=last.digest,
        ended_at=last.ended_at,
    )


def _wrote_nothing(operation: Operation) -> bool:
    """Tell whether it ended well, and found all as it wanted to have it."""
    return operation.txid_before is not None and operation.txid_before == operation.txid_after


def _was_cut_off(operation: Operation, txid: int) -> bool:
    """Tell whether it has no end, and the store is as it was before it."""
    has_not_written = operation.txid_before is None or txid <= operation.txid_before
    return operation.outcome in _PERHAPS and has_not_written


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
            reason=f"the ledger knows of nothing done to {name} that is left to take back"
            f"{copies_told(file.real_path)}",
            hint=(
                *ways_by_backup(store),
                Give(Input.LEDGER, "name the ledger that does"),
                Run("ledger list", "to see what this one knows"),
            ),
        )
    if found.backup_path is None or found.txid_before is None:
        raise RefusedError(
            reason=f"operation {found.number}, {found.operation}, was made without a backup",
            hint=Run("ledger show", "to see it", {Input.NUMBER: str(found.number)}),
        )
    was_begun = _was_begun(found, own)
    if not was_begun:
        _require_newest(store, found)
    return found, was_begun


def _require_newest(store: MetaStore, operation: Operation) -> None:
    """Raise `RefusedError` where the newest transaction is not that of the operation."""
    if operation.txid_after is not None and store.txid != operation.txid_after:
        expected = f"its transaction is {store.txid}, expected {operation.txid_after}"
        raise _written_by_others(store, operation, Path(operation.backup_path or ""), expected)


def _is_over_many(operation: Operation) -> bool:
    """Tell whether it may be more than one transaction: a session, or what is marked as one is."""
    if operation.number == UNRECORDED:
        return has_content(operation.digest or "")
    return operation.operation == SESSION


def _was_begun(operation: Operation, own: Iterable[Operation]) -> bool:
    """Tell whether an undo of this operation was begun, and its end is not known."""
    return any(
        one.operation == OPERATION and one.outcome in _PERHAPS and one.number > operation.number
        for one in own
    )


@contextmanager
def _opened_backup(store: MetaStore, operation: Operation) -> Iterator[MetaStore]:
    path = Path(operation.backup_path or "")
    try:
        backup = MetaStore.open(path, write=False, needs_schema=False)
    except StoreNotFoundError as error:
        raise RefusedError(
            reason=f"the backup of {_called(operation)} is gone: {error.path} {error.problem}",
            hint="put it back under that name",
        ) from error
    with backup:
        if operation.txid_before not in (None, backup.txid):
            raise RefusedError(
                reason=f"{displayed(str(path))} is not the store as it was before "
                f"{_called(operation)}: its transaction is {backup.txid}, expected "
                f"{operation.txid_before}",
                hint=compare_hint(path, store.file.real_path),
            )
        yield backup


def _require_ours(  # two open stores, and what is known of them
    store: MetaStore,
    backup: MetaStore,
    operation: Operation,
    digest: str | None,
    before: MetaTx,
    after: MetaTx,
) -> None:
    """Raise `RefusedError` for a transaction that is not proven to be that of the operation."""
    if operation.digest is not None:
        if not is_commit(operation.digest, digest):
            problem = "its newest transaction is another one"
            raise _written_by_others(store, operation, backup.file.real_path, problem)
        return
    missing = ids_not_concerned(before, after, operation.record_ids)
    if missing or not operation.record_ids:
        problem = f"its newest transaction does not concern {', '.join(missing) or 'any record'}"
        raise _written_by_others(store, operation, backup.file.real_path, problem)


def _written_by_others(
    store: MetaStore, operation: Operation, backup_path: Path, problem: str
) -> RefusedError:
    path = store.file.real_path
    return RefusedError(
        reason=f"{displayed(str(path))} has been written by something else since "
        f"{_called(operation)}: {problem}",
        hint=_ways_else(store, operation, backup_path),
    )


def _ways_else(store: MetaStore, operation: Operation, backup_path: Path) -> tuple[Way, ...]:
    """Say what can be done where an operation cannot be taken back byte for byte."""
    by_backup = ways_by_backup(store, but=backup_path)
    return (
        *by_backup,
        *(() if by_backup else _opposite(operation)),
        compare_hint(backup_path, store.file.real_path),
    )


def _opposite(operation: Operation) -> Iterator[Run]:
    opposite = _OPPOSITES.get(operation.operation)
    if opposite is None:
        return
    is_token = operation.operation.startswith("auth ")
    ids = operation.record_ids
    subject = ids[0] if len(ids) == 1 or (ids and not is_token) else None
    what = Input.ORGANIZATION if opposite.operation == "org delete" else Input.ID
    yield replace(opposite, values={what: subject})


def _called(operation: Operation) -> str:
    if operation.number == UNRECORDED:
        return f"the change for which {displayed(operation.backup_path or '')} was made"
    return f"operation {operation.number}, {displayed(operation.operation)}"


def _plan(operation: Operation, backup: MetaStore, *, is_resumed: bool) -> Plan:
    steps = [f"make the store again what {backup.file.real_path} is, byte for byte"]
    if is_resumed:
        steps.insert(0, "end the undo that was cut off")

    def nothing(_: MetaTx) -> None:
        return None

    return Plan(
        operation=OPERATION,
        steps=tuple(steps),
        facts={"undone": operation.number},
        record_ids=operation.record_ids,
        apply=nothing,  # pages are written below all records
        verify=nothing,
    )


class BackInTime:
    """A store that becomes what its backup is.

    Attributes:
        target_path: The store.
        backup_path: Where the store as it is now will be.
    """

    is_lasting: Final = True

    def __init__(
        self,
        store: MetaStore,
        rewinder: Rewinder,
        operation: Operation,
        backups: BackupRule,
        *,
        is_resumed: bool,
    ) -> None:
        self._store = store
        self._rewinder = rewinder
        self._operation = operation
        self._backups = backups
        self._is_resumed = is_resumed
        self._txid_before = store.txid
        self.target_path: Final = store.file.real_path
        self.backup_path: Final = backups.choose(self.target_path, OPERATION)
        require_room(store, self.backup_path)

    def prepare(self, resources: ExitStack, undo: ExitStack) -> WorkFile:  # noqa: ARG002 # of Work
        """Back the store up. As `Work.prepare`."""
        self._backups.make(self._store, self.backup_path)
        undo.callback(self._backups.withdraw, self.backup_path)
        file = self._store.file
        return WorkFile(device=file.device, inode=file.inode, txid=self._txid_before, digest=None)

    def commit(self) -> None:
        """Write the pages. As `Work.commit`."""
        self._store.require_in_place()
        try:
            self._rewinder.apply()
        except WriteFailedError as error:
            if not self.is_unchanged(error):
                raise
            raise WriteFailedError(
                path=error.path,
                problem=error.problem,
                outcome="unchanged",
                hint="look at the disk: free space, quota, kernel log; then try again",
            ) from error
        self._backups.keep(self.backup_path)
        self._store.reread()

    def verify(self) -> str | None:
        """Open the file again as influxd will, and see that it is in the state before."""
        with self._store.second_look() as tx:
            if tx.txid != self._operation.txid_before:
                return "the store opens as another state than the backup"
        return None

    def publish(self) -> None:
        """Do nothing: it has its name."""

    @property
    def txid(self) -> int:
        """The newest transaction of the store."""
        return self._store.txid

    def is_unchanged(self, _: BaseException) -> bool:
        """Look at the metas again: one is what is written first. As `Work`."""
        if self._is_resumed or self._rewinder.rewind.meta_pgid is None:
            return False
        try:
            with self._store.second_look() as tx:
                return tx.txid == self._txid_before != self._operation.txid_before
        except RecoveryError:
            return False

    def failed(self, problem: str) -> WriteFailedError:
        """Say how to end what was begun. As `Work.failed`."""
        self._backups.keep(self.backup_path)
        return WriteFailedError(
            path=displayed(str(self.target_path)),
            problem=problem,
            outcome="unknown",
            hint=self._again(),
            backup_path=str(self.backup_path),
        )

    def _again(self) -> Run:
        if self._operation.number != UNRECORDED:
            return UNDO_AGAIN
        return replace(UNDO_AGAIN, values={Input.BACKUP: self._operation.backup_path})

    def unverified(self, problem: str) -> WriteFailedError:
        """Say the same. As `Work.unverified`."""
        error = self.failed(problem)
        return VerificationError(
            path=error.path, problem=problem, hint=error.hint, backup_path=error.backup_path
        )
