"""Going back by one transaction, byte for byte and in place.

Lives here: `Rewind`, its proof and its writes. Must not live here: which transaction, and whether
anybody wants that (`recovery.services.stores.undo`).

A commit leaves every page alone that the state before it uses, and writes its own meta over the
older one. So the state before a commit is still whole in the file, and the way back is the commit
in reverse:

1. the older meta goes back into its slot, and is synced: from here on the file is in the state
   before, whatever happens to the rest;
2. the pages that the commit wrote, none of which that state uses, get their former bytes;
3. the file gets its former length.

A power cut leaves the state after the commit or the state before it, and running it again ends what
was begun. Inode, owner, mode, access lists and links of the file stay, as it is never replaced.

Invariants: nothing is written before it is proven that every page which the backup uses is the same
in the store, the newer meta included. That proves the backup as well: it can be no other store's.

Source: spec bbolt-format section 2.11 (commit order; pages are allocated only where free under both
metas); bbolt v1.3.6 db.go (meta, txid % 2).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

import bolt_store
from bolt_store import DB, PageState, Severity
from bolt_store.errors import LockError
from recovery.errors import RefusedError, WriteFailedError
from recovery.metastore.failures import Failures
from recovery.metastore.store import FileFacts, SecondLook
from recovery.model.display import displayed

CHUNK_BYTES: Final = 1 << 20
"""Compared at once; a multiple of every page size that is usual."""
META_PGIDS: Final = (0, 1)


class RewindFile(Protocol):
    """A file that is read, and written where it is the store."""

    def size_bytes(self) -> int:
        """Return the present size."""
        ...

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes at `offset`, fewer only where the file ends."""
        ...

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`."""
        ...

    def sync(self) -> None:
        """Return when everything written is on the disk."""
        ...

    def resize(self, size_bytes: int) -> None:
        """Set the size."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


class NotRewindableError(Exception):
    """The store is not what the backup became by one transaction.

    Attributes:
        problem: Why not, as a clause.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    """What has to be written to go back.

    Attributes:
        page_size_bytes: Size of a page.
        meta_pgid: The meta page to restore; None when it is as it was already.
        pgids: Other pages to restore, ascending.
        size_bytes: The former size of the file.
    """

    page_size_bytes: int
    meta_pgid: int | None
    pgids: tuple[int, ...]
    size_bytes: int

    @property
    def page_count(self) -> int:
        """Number of pages to write."""
        return len(self.pgids) + (self.meta_pgid is not None)


def plan_rewind(store: RewindFile, backup: RewindFile) -> Rewind:
    """Prove that a store can go back to a backup, and say what has to be written.

    Args:
        store: The store.
        backup: The store as it was before its last transaction.

    Returns:
        What has to be written.

    Raises:
        NotRewindableError: It cannot be proven.
        BoltError: One of them is no sound bolt file.
        OSError: One of them cannot be read.
    """
    with bolt_store.open_file(_Kept(backup), write=False) as db:
        bad = [str(finding) for finding in db.check() if finding.severity >= Severity.UNSAFE]
        if bad:
            raise NotRewindableError(f"the backup is damaged: {bad[0]}")
        meta = db.meta
        used = _used_pages(db)
    if store.size_bytes() < backup.size_bytes():
        raise NotRewindableError("the store is shorter than its backup")
    page_size = meta.page_size_bytes
    different = list(_different_pages(store, backup, page_size))
    metas = [pgid for pgid in different if pgid in META_PGIDS]
    if used.intersection(different).difference(META_PGIDS):
        raise NotRewindableError("pages that the backup uses are different in the store")
    if meta.txid % 2 in metas:
        raise NotRewindableError("the meta of the backup is not in the store any more")
    return Rewind(
        page_size_bytes=page_size,
        meta_pgid=metas[0] if metas else None,
        pgids=tuple(pgid for pgid in different if pgid not in META_PGIDS),
        size_bytes=backup.size_bytes(),
    )


def apply_rewind(rewind: Rewind, store: RewindFile, backup: RewindFile) -> None:
    """Write what was planned, in the order that makes it safe.

    Args:
        rewind: What has to be written.
        store: The store, locked exclusively.
        backup: The backup.

    Raises:
        OSError: It cannot be written. Running it again, with a new plan, ends what was begun.
    """
    if rewind.meta_pgid is not None:
        _restore(rewind.meta_pgid, rewind, store, backup)
        store.sync()
    for pgid in rewind.pgids:
        if pgid * rewind.page_size_bytes < rewind.size_bytes:
            _restore(pgid, rewind, store, backup)
    store.sync()
    if store.size_bytes() != rewind.size_bytes:
        store.resize(rewind.size_bytes)
        store.sync()


def is_same_content(one: RewindFile, other: RewindFile) -> bool:
    """Compare two files byte by byte, to the end of both."""
    size_bytes = one.size_bytes()
    return size_bytes == other.size_bytes() and all(
        one.read_at(offset, CHUNK_BYTES) == other.read_at(offset, CHUNK_BYTES)
        for offset in range(0, size_bytes, CHUNK_BYTES)
    )


class Rewinder:
    """A locked store and its backup, open to go back. Close it, or use it as a context manager."""

    def __init__(self, store: FileFacts, backup: FileFacts, *, write: bool) -> None:
        """Open both a second time, under the locks that the caller holds.

        Args:
            store: The store.
            backup: The backup.
            write: Whether `apply` will be called.

        Raises:
            RecoveryError: One of them cannot be opened, or was replaced meanwhile.
        """
        self._path = store.real_path
        look = WritableLook if write else SecondLook
        with Failures(backup.path).translated():
            self._backup = SecondLook(backup.real_path, backup.device, backup.inode)
        try:
            with Failures(store.path).translated():
                self._store = look(store.real_path, store.device, store.inode)
        except BaseException:
            self._backup.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()
        self._backup.close()

    def plan(self) -> Rewind:
        """Prove that the store can go back, and say what has to be written.

        Raises:
            RefusedError: It cannot be proven.
            RecoveryError: One of the files cannot be read.
        """
        try:
            with Failures(self._path).translated():
                return plan_rewind(self._store, self._backup)
        except NotRewindableError as error:
            raise RefusedError(
                reason=f"{displayed(str(self._path))} has been written by something else since: "
                f"{error.problem}",
                hint="compare it with its backup: influx-recovery store diff BACKUP STORE",
            ) from error

    def apply(self, rewind: Rewind) -> None:
        """Write what was planned, and prove that every byte is as it was.

        Raises:
            WriteFailedError: It failed. The store is in the state after or in the state before.
        """
        try:
            apply_rewind(rewind, self._store, self._backup)
            is_same = is_same_content(self._store, self._backup)
        except OSError as error:
            raise self._failed(os.strerror(error.errno or 0)) from error
        if not is_same:
            raise self._failed("what was written is not what is read back")

    def _failed(self, problem: str) -> WriteFailedError:
        return WriteFailedError(
            path=displayed(str(self._path)),
            problem=problem,
            outcome="unknown",
            hint="look at the disk, then run influx-recovery store undo again",
        )


class WritableLook(SecondLook):
    """A block file for writing, without a lock of its own, below the lock that the caller holds."""

    def __init__(self, path: Path, device: int, inode: int) -> None:
        """Open the file at a path, provided that it is the one that is locked.

        Raises:
            OSError: It cannot be opened.
            LockError: Another file is there.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        status = os.fstat(self._descriptor)
        if (status.st_dev, status.st_ino) != (device, inode):
            self.close()
            raise LockError(problem="another file has been put in its place")

    def write_at(self, offset: int, data: bytes) -> None:  # type: ignore[override] # the base refuses
        """Write all of `data` at `offset`."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.pwrite(self._descriptor, rest, offset + len(data) - len(rest)) :]

    def sync(self) -> None:
        """Return when everything written is on the disk."""
        os.fsync(self._descriptor)

    def resize(self, size_bytes: int) -> None:  # type: ignore[override] # the base refuses
        """Set the size."""
        os.ftruncate(self._descriptor, size_bytes)


_IN_USE: Final = frozenset({PageState.USED, PageState.CONFLICT})


class _Kept:
    """A file that `DB.close` does not close."""

    def __init__(self, file: RewindFile) -> None:
        self._file = file
        self.size_bytes = file.size_bytes
        self.read_at = file.read_at
        self.write_at = file.write_at
        self.sync = file.sync
        self.resize = file.resize

    def close(self) -> None:
        """Leave it open."""


def _used_pages(db: DB) -> set[int]:
    used: set[int] = set()
    for info in bolt_store.page_infos(db):
        if info.state in _IN_USE:
            used.update(range(info.pgid, info.pgid + 1 + info.overflow))
    return used


def _different_pages(store: RewindFile, backup: RewindFile, page_size: int) -> Iterator[int]:
    """Find the pages that are not the same, those beyond the end of the backup included."""
    step = max(CHUNK_BYTES, page_size)
    for offset in range(0, store.size_bytes(), step):
        left, right = store.read_at(offset, step), backup.read_at(offset, step)
        if left == right:
            continue
        for start in range(0, len(left), page_size):
            if left[start : start + page_size] != right[start : start + page_size]:
                yield (offset + start) // page_size


def _restore(pgid: int, rewind: Rewind, store: RewindFile, backup: RewindFile) -> None:
    offset = pgid * rewind.page_size_bytes
    store.write_at(offset, backup.read_at(offset, rewind.page_size_bytes))
