"""A store on disk: opened, locked, understood as far as its schema.

Lives here: `MetaStore` and its transactions. Must not live here: records (one repository each), and
what is done with them.

Invariants: opening never creates and never changes anything, and what is looked at comes in this
order: is it there, is it a regular file, is it empty, may it be read; lock; bolt format; schema
level. A store is written under an exclusive lock and read under a shared one, from before the first
byte to `close`. No page is written before the check of the whole file has passed.

Source: spec bbolt-format sections 2.9 and 2.11; spec influxdb-metadata sections 2 and 6.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TypeAlias, TypeVar

import msgspec

import bolt_store
from bolt_store import DB, BlockFile, Tx
from bolt_store.errors import BoltError, DamagedError, LockError
from recovery.errors import StoreNotFoundError
from recovery.kept import is_staged
from recovery.log import get_logger
from recovery.metastore.failures import (
    NAME_STORE,
    Failures,
    not_found,
)
from recovery.metastore.recognition import recognised_level
from recovery.metastore.transaction import MetaTx
from recovery.model.display import displayed
from recovery.remedy import Give, Input
from recovery.system_advice import unlike_a_file

T = TypeVar("T")

LOG: Final = get_logger(__name__)
STORE_NAME: Final = "influxd.bolt"
CHECKED_AGAIN_BYTES_MAX: Final = 64 << 20
"""Up to this size a check of the whole file takes less than a tenth of a second, so a change has
three: before it begins, before its meta is written, and when it has been committed."""


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a store, as it was when it was locked.

    Attributes:
        path: As it was named.
        real_path: Behind symbolic links; what is written is beside this.
        is_live: Whether it is a copy that was made without the lock of the store.
    """

    path: Path
    real_path: Path
    size_bytes: int
    device: int
    inode: int
    is_live: bool = False


Progress: TypeAlias = Callable[[int, int], None]
"""Called with what is done and what there is in all."""


class FileProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with the bolt file itself.

    Attributes:
        code: Stable name of the rule.
        page: The page; None when it concerns the whole file.
        problem: What, as a clause, with the page.
        is_damage: Whether the file must not be written, or cannot be read.
    """

    code: str
    page: int | None
    problem: str
    is_damage: bool


class MetaStore:
    """An open store. Close it, or use it as a context manager."""

    def __init__(
        self,
        db: DB,
        file: FileFacts,
        failures: Failures,
        *,
        write: bool,
        needs_schema: bool = True,
    ) -> None:
        """Take over an open database; `open` is the usual way.

        Raises:
            SchemaError: Its schema level is not known here.
            StoreDamagedError: The records of its schema cannot be read.
        """
        self._db: Final = db
        self._failures: Final = failures
        self._is_writable: Final = write
        self.file: Final = file
        with self.view(level=0) as tx:
            self.level: Final = recognised_level(
                tx, failures, check=db.check, needs_schema=needs_schema
            )

    @classmethod
    def open(
        cls, path: Path, *, write: bool, timeout_s: float = 1.0, needs_schema: bool = True
    ) -> Self:
        """Open a store.

        Args:
            path: The file; a symbolic link is followed.
            write: Lock it exclusively and allow `update`; otherwise lock it shared.
            timeout_s: How long to try for the lock, in seconds.
            needs_schema: Whether to refuse a store whose migrations are not as they should be. Who
                only looks for faults takes any, and the level that is most likely.

        Raises:
            StoreNotFoundError: It does not exist, or is empty.
            StoreAccessError: This user may not open it so, or the file system is read-only.
            StoreBusyError: Somebody else holds the lock, or it cannot be locked.
            StoreDamagedError: It is no bolt file, or cannot be read.
            SchemaError: Its schema level is not known here.
        """
        failures = Failures(path)
        real_path = require_store_file(path, failures)
        with failures.translated():
            db = bolt_store.open(
                real_path, write=write, timeout_s=timeout_s, needs_lock=not is_staged(real_path)
            )
        store = cls.over(db, path, real_path, write=write, needs_schema=needs_schema)
        LOG.debug(
            "store.opened", path=str(path), schema_level=store.level, txid=store.txid, write=write
        )
        return store

    @classmethod
    def open_copy(cls, path: Path) -> Self:
        """Open a copy that was made just now, and that nobody else knows, for reading.

        It is not locked: not every file system has locks, and a store is copied from one, too.
        Raises as `open`.
        """
        failures = Failures(path)
        with failures.translated():
            db = bolt_store.open_file(bolt_store.open_block_file(path, lock=False), write=False)
        return cls.over(db, path, path, needs_schema=False)

    @classmethod
    def over(
        cls,
        db: DB,
        path: Path,
        plain: Path,
        *,
        write: bool = False,
        needs_schema: bool,
        is_live: bool = False,
    ) -> Self:
        """Take over an open database, which is closed if that fails. Raises as `open`.

        Args:
            path: The store, as it was named.
            plain: The file whose size, device and inode count: itself, or what was unpacked of it.
        """
        failures = Failures(path)
        try:
            with failures.translated():
                status = plain.stat()
                file = FileFacts(
                    path=path,
                    real_path=path.resolve(),
                    size_bytes=status.st_size,
                    device=status.st_dev,
                    inode=status.st_ino,
                    is_live=is_live,
                )
            return cls(db, file, failures, write=write, needs_schema=needs_schema)
        except BaseException:
            db.close()
            raise

    @classmethod
    def create(cls, path: Path, *, level: int, fill: Callable[[MetaTx], None]) -> None:
        """Make a new store, and fill it in one transaction.

        Args:
            path: Where nothing may be yet.
            level: Schema level that `fill` makes.
        """
        failures = Failures(path)
        with failures.translated():
            try:
                db = bolt_store.create(path, needs_lock=not is_staged(path))
            except FileExistsError as error:
                from recovery.new_file import already_there  # noqa: PLC0415 # no reading needs it

                raise already_there(path) from error
        try:
            with db:
                with failures.translated():
                    tx = db.update()
                fill(MetaTx(tx, failures, level=level))
                with failures.translated():
                    tx.commit()
        except BaseException:
            with suppress(OSError):  # what went wrong first is what is said
                path.unlink()
            raise

    def beside(self) -> "MetaStore":
        """Open the same store once more, for another thread that reads under this lock.

        What it reads is proven only if `txid` is still the same when all has been read.

        Returns:
            A store of its own, which cannot be written; close it.
        """
        with self._failures.translated():
            db = self._db.beside()
        try:
            return MetaStore(db, self.file, self._failures, write=False, needs_schema=False)
        except BaseException:
            db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and its lock. Closing twice is allowed."""
        self._db.close()

    @property
    def txid(self) -> int:
        """Transaction id of the newest state."""
        return self._db.meta.txid

    @property
    def size_bytes(self) -> int:
        """Its present size; raises `StoreDamagedError` where it cannot be looked at."""
        with self._failures.translated():
            return self._db.file.size_bytes()

    def content_digest(self, *, is_of_metas: bool = False) -> str:
        """Tell its bytes, or its size and metas, from any others; raises as `size_bytes`."""
        end = 2 * self._db.meta.page_size_bytes if is_of_metas else None
        with self._failures.translated():
            return bolt_store.content_digest(self._db.file, end)

    @property
    def is_writable(self) -> bool:
        """Whether it is locked exclusively."""
        return self._is_writable

    @property
    def block_file(self) -> BlockFile:
        """Its bytes, for `recovery.metastore.rewind`."""
        return self._db.file

    def described(self, describe: Callable[[DB], T]) -> T:
        """Look at the file itself, for `recovery.metastore.pages`."""
        with self._failures.translated():
            return describe(self._db)

    def reread(self) -> None:
        """Look at the file again under the same lock, or raise `StoreDamagedError`.

        To be called after a write whose outcome is not known.
        """
        with self._failures.translated():
            self._db.reread()

    def require_in_place(self) -> None:
        """Refuse another file in the place of this one by `StoreBusyError`; or `RecoveryError`."""
        with self.descriptor():
            pass

    def require_untouched(self) -> None:
        """Refuse when another program has written to it, too. Raises as `require_in_place`."""
        with self.descriptor(), self._failures.translated():
            self._db.require_current()

    @property
    def page_size_bytes(self) -> int:
        """Size of the pages of the file."""
        return self._db.meta.page_size_bytes

    @property
    def used_bytes(self) -> int:
        """Where the pages end that one of the two snapshots can have; what is behind is no data."""
        metas = [slot.meta for slot in self._db.pager.slots if slot.meta is not None]
        return max(meta.high_water_mark * meta.page_size_bytes for meta in metas)

    def require_sound(self) -> None:
        """Check the whole file, and refuse one that is not safe to write.

        A store opened for writing is not checked a second time by its first `update`.

        Raises:
            StoreDamagedError: What the check found.
        """
        if self._is_writable:
            self._begin().rollback()
            return
        self._require_sound(self._db)

    @property
    def has_torn_meta(self) -> bool:
        """Whether one of the two metas is damaged, which the next change writes over."""
        return any(slot.problem is not None for slot in self._db.pager.slots)

    def file_problems(self, progress: Progress | None = None) -> Iterator[FileProblem]:
        """Check the whole file.

        Args:
            progress: Called every thousand pages or so with the pages done and the pages in all.

        Yields:
            What is wrong with it; what is only unusual is left out.
        """
        is_known = False
        try:
            for finding in self._db.check(progress):
                if finding.forbids_writing and not is_known:
                    is_known = True
                    altered = self._failures.altered()
                    if altered is not None:
                        raise altered
                if finding.severity > bolt_store.Severity.INFO:
                    yield FileProblem(
                        code=finding.code,
                        page=finding.pgid,
                        problem=str(finding),
                        is_damage=finding.forbids_writing,
                    )
        except (BoltError, OSError) as error:
            raise self._failures.translate(error) from error

    def _require_sound(self, db: DB) -> None:
        with self._failures.translated():
            error = self._failures.unsound(db.check())
        if error is not None:
            raise error

    @contextmanager
    def view(self, *, level: int | None = None) -> Iterator[MetaTx]:
        """Read one consistent state, at the store's schema level or another."""
        with self._failures.translated():
            tx = self._db.view()
        try:
            yield MetaTx(tx, self._failures, level=self.level if level is None else level)
        finally:
            tx.rollback()

    @contextmanager
    def view_older(self) -> Iterator[MetaTx | None]:
        """Read the state before the newest one.

        Yields:
            Its records; None when there is no such state any more.

        Raises:
            StoreDamagedError: A page that is needed was used again, or is damaged.
        """
        with self._failures.translated():
            tx = self._db.view_older()
        if tx is None:
            yield None
            return
        try:
            yield MetaTx(tx, self._failures, level=self.level)
        finally:
            tx.rollback()

    @contextmanager
    def update(self) -> Iterator[MetaTx]:
        """Change the store in one transaction: committed at the end of the block.

        An exception inside of the block drops all changes; nothing has been written then.

        Raises:
            StoreDamagedError: The check forbids writing.
            WriteFailedError: The commit failed; the error says whether the store is as it was.
        """
        tx = self._begin()
        try:
            yield MetaTx(tx, self._failures, level=self.level)
        except BaseException:
            tx.rollback()
            raise
        with self._failures.translated():
            tx.commit()
        LOG.debug("store.committed", path=str(self.file.path), txid=self.txid)

    @contextmanager
    def staged(
        self, apply: Callable[[MetaTx], None], *, is_whole_file_checked: bool = True
    ) -> Iterator["StagedChange"]:
        """Lay a change out in memory, so that it can be told by its digest before it is written.

        Args:
            apply: Makes the change.
            is_whole_file_checked: Whether the whole new tree is checked before its meta is written,
                up to `CHECKED_AGAIN_BYTES_MAX`; otherwise the pages that were written.

        Yields:
            The change; what is not committed at the end of the block is dropped.

        Raises:
            StoreDamagedError: The check forbids writing.
            RecoveryError: It cannot be done; nothing was written.
        """
        tx = self._begin(is_whole_file_checked=is_whole_file_checked)
        try:
            apply(MetaTx(tx, self._failures, level=self.level))
            with self._failures.translated():
                digest = tx.stage()
            yield StagedChange(digest, tx, self._failures)
        finally:
            tx.rollback()

    @contextmanager
    def second_look(self, *, is_whole_file_checked: bool = True) -> Iterator[MetaTx]:
        """Read the file again from its first byte, as influxd will, while the lock is kept.

        The lock belongs to the open file, so a second, unlocked descriptor is safe under it. The
        path is looked up again too: a file that was put in its place meanwhile is noticed.

        Args:
            is_whole_file_checked: Whether to check the whole file up to that size.

        Yields:
            The records of the newest state. Up to `CHECKED_AGAIN_BYTES_MAX` the whole file has been
            checked once more; beyond, only the pages that are needed, and those that the last
            commit wrote, which it has read back.

        Raises:
            StoreDamagedError: What the check found.
            StoreBusyError: Another file is at the path now.
        """
        file = self.file
        with self._failures.translated():
            again = bolt_store.open_again(file.real_path, device=file.device, inode=file.inode)
            db = bolt_store.open_file(again, write=False)
        with db:
            if is_whole_file_checked and again.size_bytes() <= CHECKED_AGAIN_BYTES_MAX:
                self._require_sound(db)
            with self._failures.translated():
                tx = db.view()
            yield MetaTx(tx, self._failures, level=self.level)

    @contextmanager
    def descriptor(self) -> Iterator[int]:
        """Lend a descriptor of the locked file, to copy it.

        Yields:
            A descriptor for reading, without a lock of its own.

        Raises:
            StoreBusyError: Another file is at the path now.
            StoreAccessError: It cannot be opened again.
        """
        file = self.file
        with self._failures.translated():
            again = bolt_store.open_again(file.real_path, device=file.device, inode=file.inode)
        try:
            yield again.fileno()
        finally:
            again.close()

    def _begin(self, *, is_whole_file_checked: bool = True) -> Tx:
        """Begin to write; the first time, the whole file is checked."""
        try:
            is_small = self._db.file.size_bytes() <= CHECKED_AGAIN_BYTES_MAX
            return self._db.update(full_check=is_whole_file_checked and is_small)
        except DamagedError as error:
            with self._failures.translated():
                found = self._failures.unsound(self._db.check())
            raise found or self._failures.translate(error) from error
        except (LockError, OSError) as error:
            raise self._failures.translate(error) from error


class StagedChange:
    """A change that is laid out in memory.

    Attributes:
        digest: Tells its commit from every other one; None when there is nothing to write.
    """

    def __init__(self, digest: str | None, tx: Tx, failures: Failures) -> None:
        """Take over a transaction; `MetaStore.staged` is the way to get one."""
        self.digest: Final = digest
        self._tx: Final = tx
        self._failures: Final = failures

    def commit(self) -> None:
        """Write it; a `WriteFailedError` says whether the store is as it was."""
        with self._failures.translated():
            self._tx.commit()


def require_store_file(path: Path, failures: Failures) -> Path:
    """Look at what a path leads to, before anything is opened.

    Returns:
        The file behind symbolic links.

    Raises:
        StoreNotFoundError: It is no file with content.
        StoreAccessError: It may not be looked at.
    """
    with failures.translated():
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise _absent(path) from None
        real_path = path.resolve()
    problem = unlike_a_file(real_path, status)
    if problem is None:
        return real_path
    inside = path / STORE_NAME
    name_it = Give(Input.STORE, "name the file in it", str(inside))
    hint = name_it if inside.exists() else NAME_STORE
    raise StoreNotFoundError(path=failures.name, problem=problem, hint=hint)


def _absent(path: Path) -> StoreNotFoundError:
    """Return the error for nothing at a path, or a symbolic link to nothing."""
    if not path.is_symlink():
        return not_found(path)
    return StoreNotFoundError(
        path=displayed(str(path)),
        problem="is a symbolic link to something that does not exist",
        hint=NAME_STORE,
    )
