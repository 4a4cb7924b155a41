"""Going back by one transaction or one session, in the words of the person who asked.

Lives here: `Rewinder`, `is_same_state`. Must not live here: proof and writes (`bolt_store`),
which transaction it is, and whether anybody wants that (`recovery.services.stores.undo`).
"""

import os
from pathlib import Path
from typing import Final

import bolt_store
from bolt_store import (
    DB,
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


def newest_commit(store: MetaStore) -> str | None:
    """Tell the newest commit of a store from every other one; None where that is not known."""
    with Failures(store.file.path).translated():
        return newest_digest(store.block_file)


def compare_hint(backup: Path, store: Path) -> Run:
    """Say how to see what would be lost."""
    paths = {Input.STORE: str(backup), Input.OTHER_STORE: str(store)}
    return Run("store diff", "to see what has been written since", paths)


def is_same_state(store: MetaStore, backup: MetaStore) -> bool:
    """Tell whether a store holds what its backup holds, wherever in the file.

    This is how a way back looks that was cut off.
    """
    with Failures(store.file.path).translated():
        one, other = (DB(each.block_file, write=False) for each in (store, backup))
        return bolt_store.is_same_state(one, other)


class Rewinder:
    """A locked store, its backup, and the proof that the one can become the other."""

    def __init__(self, store: MetaStore, backup: MetaStore, *, is_over_many: bool = False) -> None:
        """Prove that the store can go back, and say what has to be written.

        Args:
            backup: Its backup, open for reading.
            is_over_many: Whether it may be of more than one transaction ago.

        Raises:
            RefusedError: It cannot be proven.
        """
        self._store: Final = store
        self._backup: Final = backup
        self._name: Final = displayed(str(store.file.real_path))
        with Failures(store.file.path).translated():
            try:
                self.rewind: Final = plan_rewind(
                    store.block_file, backup.block_file, is_over_many=is_over_many
                )
            except NotRewindableError as error:
                raise RefusedError(
                    reason=f"{self._name} has been written by something else since: "
                    f"{error.problem}",
                    hint=compare_hint(backup.file.real_path, store.file.real_path),
                ) from error

    def apply(self) -> None:
        """Write and prove the plan; when `WriteFailedError`, the store is as before or as after."""
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
