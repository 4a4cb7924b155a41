"""Going back by one transaction, in the words of the person who asked.

Lives here: `Rewinder`, `last_digest`. Must not live here: the proof and the writes (`bolt_store`),
which transaction it is, and whether anybody wants that (`recovery.services.stores.undo`).
"""

import os
from pathlib import Path
from typing import Final

from bolt_store import (
    NotRewindableError,
    apply_rewind,
    is_same_content,
    newest_digest,
    plan_rewind,
)
from recovery.errors import RefusedError, WriteFailedError
from recovery.metastore.failures import Failures
from recovery.metastore.store import MetaStore
from recovery.model.display import displayed
from recovery.remedy import Input, Run

UNDO_AGAIN: Final = Run("store undo", "to try again, when you have looked at the disk")


def compare_hint(backup: Path, store: Path) -> Run:
    """Say how to see what would be lost."""
    paths = {Input.STORE: str(backup), Input.OTHER_STORE: str(store)}
    return Run("store diff", "to see what has been written since", paths)


def last_digest(store: MetaStore) -> str | None:
    """Tell the newest commit of a store, as the ledger was told it; None when it cannot be told."""
    with Failures(store.file.path).translated():
        return newest_digest(store.block_file)


class Rewinder:
    """A locked store, its backup, and the proof that the one can become the other."""

    def __init__(self, store: MetaStore, backup: MetaStore) -> None:
        """Prove that the store can go back, and say what has to be written.

        Args:
            backup: Its backup, open for reading.

        Raises:
            RefusedError: It cannot be proven.
        """
        self._store: Final = store
        self._backup: Final = backup
        self._name: Final = displayed(str(store.file.real_path))
        with Failures(store.file.path).translated():
            try:
                self.rewind: Final = plan_rewind(store.block_file, backup.block_file)
            except NotRewindableError as error:
                raise RefusedError(
                    reason=f"{self._name} has been written by something else since: "
                    f"{error.problem}",
                    hint=compare_hint(backup.file.real_path, store.file.real_path),
                ) from error

    def apply(self) -> None:
        """Write what was planned, and prove that every byte is as it was.

        Raises:
            WriteFailedError: It failed. The store is in the state after or in the state before.
        """
        store, backup = self._store.block_file, self._backup.block_file
        try:
            apply_rewind(self.rewind, store, backup)
            is_same = is_same_content(store, backup)
        except OSError as error:
            raise self._failed(os.strerror(error.errno or 0)) from error
        if not is_same:
            raise self._failed("what was written is not what is read back")

    def _failed(self, problem: str) -> WriteFailedError:
        return WriteFailedError(
            path=self._name,
            problem=problem,
            outcome="unknown",
            hint=UNDO_AGAIN,
        )
