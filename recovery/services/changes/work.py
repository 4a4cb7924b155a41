"""The two places in which most plans are carried out: the store itself, and a new copy of it.

Lives here: `InPlace` and `InCopy`. Must not live here: the order of the steps (`sequence`).
"""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from recovery.errors import RecoveryError, VerificationError, WriteFailedError
from recovery.metastore.store import MetaStore, StagedChange
from recovery.metastore.transaction import MetaTx
from recovery.model.display import displayed
from recovery.new_file import require_free
from recovery.remedy import Input, Remedy, Restore, Run
from recovery.services.changes.backup import PartialCopy, mark_for
from recovery.services.changes.backup_rule import BackupRule
from recovery.services.changes.plan import Plan, WorkFile


def _foreseen(plan: Plan, target_path: Path) -> Callable[[MetaTx], None]:
    """Give a plan's change with the look at what came about, before a byte of it is written.

    Returns:
        What lays the change out, and raises `WriteFailedError` when it is not as planned: nothing
        was written then.
    """

    def apply(tx: MetaTx) -> None:
        plan.apply(tx)
        problem = plan.verify(tx)
        if problem is not None:
            path = str(target_path)
            raise WriteFailedError(
                path=displayed(path),
                problem=problem,
                outcome="unchanged",
                hint=Run("store check", "to see what the store is like", {Input.STORE: path}),
            )

    return apply


class InPlace:
    """A plan that is carried out in the store itself.

    Attributes:
        backup_path: Where the store before the change will be found.
    """

    is_lasting: Final = True
    _staged: StagedChange  # from `prepare` on

    def __init__(
        self, store: MetaStore, plan: Plan, backups: BackupRule, *, is_whole_file_checked: bool
    ) -> None:
        """Get ready; nothing is written yet.

        Args:
            store: The store, open for writing.
            backups: Which backups are made.
            is_whole_file_checked: Whether all of it is checked, and not only what is written.
        """
        self._store = store
        self._plan = plan
        self._backups = backups
        self._is_whole = is_whole_file_checked
        self._txid_before = store.txid
        self._has_begun = False
        self.target_path: Final = store.file.real_path
        self.backup_path: Final = backups.choose(self.target_path, plan.operation)

    def prepare(self, resources: ExitStack, undo: ExitStack) -> WorkFile:
        """Back the store up, checked, and lay the change out in memory. As `Work.prepare`."""
        content = self._backups.make(
            self._store, self.backup_path, meanwhile=self._store.require_sound
        )
        undo.callback(self._withdraw)
        self._staged = resources.enter_context(
            self._store.staged(
                _foreseen(self._plan, self.target_path), is_whole_file_checked=self._is_whole
            )
        )
        mark = None
        if self._staged.digest is not None:
            mark = mark_for(self._staged.digest, content)
            self._backups.mark(self.backup_path, mark)
        file = self._store.file
        return WorkFile(
            device=file.device,
            inode=file.inode,
            txid=self._txid_before,
            digest=mark,
        )

    def _withdraw(self) -> None:
        """Remove the backup, but where others wrote to the store: it may be the last whole copy."""
        with suppress(RecoveryError):
            self._store.require_untouched()
            self._backups.withdraw(self.backup_path)

    def commit(self) -> None:
        """Write it. As `Work.commit`."""
        self._store.require_untouched()
        self._has_begun = True
        self._staged.commit()
        self._backups.keep(self.backup_path)

    def verify(self) -> str | None:
        """Read the file again from its first byte. As `Work.verify`."""
        with self._store.second_look(is_whole_file_checked=self._is_whole) as tx:
            return self._plan.verify(tx)

    def publish(self) -> None:
        """Do nothing: it has its name."""

    @property
    def txid(self) -> int:
        """The newest transaction of the store."""
        return self._store.txid

    def is_unchanged(self, error: BaseException) -> bool:
        """Look at the file again. As `Work.is_unchanged`."""
        if isinstance(error, WriteFailedError) and error.outcome == "unknown":
            return False
        if not self._has_begun:
            return True
        try:
            with self._store.second_look() as tx:
                return tx.txid == self._txid_before
        except RecoveryError:
            return False

    def failed(self, problem: str) -> WriteFailedError:
        """Say where the backup is, and how to restore it. As `Work.failed`."""
        return WriteFailedError(
            path=displayed(str(self.target_path)),
            problem=problem,
            outcome="unknown",
            hint=self._way_back(),
            backup_path=str(self.backup_path),
        )

    def unverified(self, problem: str) -> WriteFailedError:
        """Say the same of what is not as planned. As `Work.unverified`."""
        return VerificationError(
            path=displayed(str(self.target_path)),
            problem=problem,
            hint=self._way_back(),
            backup_path=str(self.backup_path),
        )

    def _way_back(self) -> Remedy:
        self._backups.keep(self.backup_path)
        backup, target = str(self.backup_path), str(self.target_path)
        try:
            self._store.require_in_place()
        except RecoveryError:  # what is there now is not ours to overwrite
            return (
                "leave alone what is there now",
                Run("store info", "to see the store as it was", {Input.STORE: backup}),
            )
        return Restore(backup, target)


class OfNewFile:
    """Work of which nothing is left when it fails."""

    is_lasting: Final = False
    backup_path: Final = None
    target_path: Path

    def is_unchanged(self, _: BaseException) -> bool:
        """Say yes: no store is another one, and the new file is removed."""
        return True

    def failed(self, problem: str) -> WriteFailedError:
        """Say that nothing is left of it. As `Work.failed`."""
        return WriteFailedError(
            path=displayed(str(self.target_path)),
            problem=problem,
            outcome="unchanged",
            hint="look at the disk of that file, and try again",
        )

    unverified = failed


class InCopy(OfNewFile):
    """A plan that is carried out in a new copy; the store itself is only read."""

    # From `prepare` on:
    _copy: PartialCopy
    _target: MetaStore
    _staged: StagedChange

    def __init__(self, store: MetaStore, plan: Plan, target_path: Path) -> None:
        """Get ready; nothing is written yet.

        Raises:
            RefusedError: Something is there, or the name is one that influxd deletes.
        """
        require_free(target_path)
        self._store = store
        self._plan = plan
        self.target_path = target_path

    def prepare(self, resources: ExitStack, undo: ExitStack) -> WorkFile:
        """Copy the store, and lay the change out in memory. As `Work.prepare`."""
        self._copy = PartialCopy.of(self._store, self.target_path)
        undo.callback(self._copy.withdraw)
        self._target = resources.enter_context(
            MetaStore.open(self._copy.path, write=True, needs_schema=False)
        )
        self._staged = resources.enter_context(
            self._target.staged(_foreseen(self._plan, self.target_path))
        )
        file = self._target.file
        return WorkFile(
            device=file.device,
            inode=file.inode,
            txid=self._target.txid,
            digest=self._staged.digest,
        )

    def commit(self) -> None:
        """Write it. As `Work.commit`."""
        self._staged.commit()

    def verify(self) -> str | None:
        """Read the copy again from its first byte. As `Work.verify`."""
        with self._target.second_look() as tx:
            return self._plan.verify(tx)

    def publish(self) -> None:
        """Give the copy its name. As `Work.publish`."""
        self._copy.publish()

    @property
    def txid(self) -> int:
        """The newest transaction of the copy."""
        return self._target.txid
