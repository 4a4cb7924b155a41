"""Which backups are made.

Lives here: a backup in front of each change, and one in front of the first change of a session.
Must not live here: how a copy is made and proven (`backup`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from recovery.kept import remove
from recovery.metastore.store import MetaStore
from recovery.ports import Clock
from recovery.services.changes.backup import (
    backup_path,
    content_of,
    is_copied_beside,
    make_backup,
    mark_backup,
    nothing,
)


class BackupRule(Protocol):
    """Decides which backups are made."""

    def choose(self, store_path: Path, operation: str) -> Path:
        """Say where the store before the change will be found. Nothing is made yet."""
        ...

    def make(self, store: MetaStore, path: Path, *, meanwhile: Callable[[], None] = nothing) -> str:
        """Make the backup, unless it is there already; a `RecoveryError` stops the change.

        Args:
            meanwhile: Done before, or beside the copying of a large store; what it raises stops
                the change too.

        Returns:
            What tells its bytes (`content_of`).
        """
        ...

    def mark(self, path: Path, digest: str) -> None:
        """Write on it which commit it was made for."""
        ...

    def withdraw(self, path: Path) -> None:
        """Remove it again, if it was made for a change that did not come about. Does not raise."""
        ...

    def keep(self, path: Path) -> None:
        """Take note that the change came about, or may have."""
        ...


class BackupEachChange:
    """Makes a backup in front of each change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def choose(self, store_path: Path, operation: str) -> Path:
        """Choose a new name."""
        return backup_path(store_path, operation=operation, moment=self._clock.now())

    def make(self, store: MetaStore, path: Path, *, meanwhile: Callable[[], None] = nothing) -> str:
        """Copy the store, and prove the copy."""
        content = content_of(store, is_large=is_copied_beside(store))
        make_backup(store, path, meanwhile=meanwhile)
        return content

    def mark(self, path: Path, digest: str) -> None:
        """Mark the copy."""
        mark_backup(path, digest)

    def withdraw(self, path: Path) -> None:
        """Remove the copy."""
        remove(path)

    def keep(self, path: Path) -> None:
        """Do nothing: the next change has its own."""


class BackupOnce:
    """Makes one backup in front of the first change of a session; for whoever makes many."""

    def __init__(self, clock: Clock, *, operation: str) -> None:
        """Get ready.

        Args:
            operation: The command that the session is, for the name.
        """
        self._fresh = BackupEachChange(clock)
        self._operation = operation
        self._path: Path | None = None
        self._content = ""
        self._newest = self._standing = ""

    def choose(self, store_path: Path, operation: str) -> Path:  # noqa: ARG002 # of the protocol
        """Choose the name once."""
        return self._path or self._fresh.choose(store_path, self._operation)

    def make(self, store: MetaStore, path: Path, *, meanwhile: Callable[[], None] = nothing) -> str:
        """Copy the store, the first time."""
        if path != self._path:
            # Later changes write over pages of it, so the store proves nothing of them.
            self._content = content_of(store, is_large=False)
            self._fresh.make(store, path, meanwhile=meanwhile)
        else:
            meanwhile()
        return self._content

    def mark(self, path: Path, digest: str) -> None:
        """Mark the copy with the newest change: whoever made that made those before it."""
        self._fresh.mark(path, digest)
        self._newest = digest

    def withdraw(self, path: Path) -> None:
        """Remove the copy, unless an earlier change needs it, whose mark it then bears again."""
        if path == self._path:
            self._fresh.mark(path, self._standing)
        else:
            self._fresh.withdraw(path)

    def keep(self, path: Path) -> None:
        """From now on this is the backup of the session."""
        self._path, self._standing = path, self._newest
