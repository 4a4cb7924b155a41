"""Verified copies of a store, made in front of a change.

Lives here: `make_backup`, `PartialCopy`, and the name and the mark of a backup. Must not live
here: what is done to a copy.

Invariants: the source is locked by the caller and only read. A copy gets its name when it is
complete, on the disk, compared byte by byte and opened (`recovery.new_file` is the rest). What is a
hole in the source is one in the copy: it is as long, and takes no more of the disk.

Source: spec bbolt-format, trap 18 and section 2.11 ("Always make a verified copy first").
"""

import contextlib
import heapq
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Generic, Self, TypeVar

from recovery.errors import RefusedError
from recovery.kept import uninterrupted
from recovery.log import get_logger
from recovery.metastore.sparse import copy_inside, data_ranges
from recovery.metastore.store import MetaStore
from recovery.model.display import displayed
from recovery.new_file import (
    StagedFile,
    create,
    failed,
    not_makeable,
    require_free,
)
from recovery.remedy import Give, Input

Made = TypeVar("Made")

LOG: Final = get_logger(__name__)
ELSEWHERE: Final = Give(Input.OUTPUT, "make a changed copy in another folder")
COPY_CHUNK_BYTES: Final = 1 << 26
"""Copied by the kernel at once; Ctrl-C works between two of them."""
COMPARE_CHUNK_BYTES: Final = 1 << 16
"""Compared at once. From 128 KiB on, each piece would be memory fresh from the system, which takes
twice as long as the reading itself."""
BESIDE_BYTES_MIN: Final = 64 << 20
"""A smaller store is copied, checked and compared in a quarter of a second, one after the other."""
SPARE_BYTES: Final = 1 << 20
"""Wanted beyond the copy itself: for what the store grows by, and the ledger."""
NAMES_MAX: Final = 1000
"""Backups of one second that are told apart by a number."""

MARK: Final = "user.influx-recovery.digest"
"""Name of an extended attribute of a backup."""
METAS: Final = "metas-"
"""In front of what tells the metas of a backup alone."""
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9]+")


def backup_path(store_path: Path, *, operation: str, moment: datetime) -> Path:
    """Choose the name of a backup: beside the store, with the time and the operation in it.

    Returns:
        A path where nothing is at this moment.

    Raises:
        RefusedError: All names of this second are taken.
    """
    word = _NOT_IN_NAMES.sub("-", operation.lower()).strip("-")
    stem = f"{store_path.name}.{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}.{word}"
    for number in range(1, NAMES_MAX):
        name = f"{stem}.backup" if number == 1 else f"{stem}.{number}.backup"
        path = store_path.with_name(name)
        if not os.path.lexists(path):
            return path
    raise RefusedError(
        reason=f"beside {displayed(str(store_path))} all names for a backup are taken",
        hint="try again in a second",
    )


def nothing() -> None:
    """Do nothing."""


def is_copied_beside(store: MetaStore) -> bool:
    """Say whether a store is so large that other work is done while it is copied."""
    return store.size_bytes > BESIDE_BYTES_MIN


def make_backup(
    source: MetaStore, target: Path, *, meanwhile: Callable[[], None] = nothing
) -> None:
    """Copy a locked store to a new file, and prove that the copy is good.

    Args:
        meanwhile: Done before, or beside the copying of a large store: most of that is up to the
            kernel and the disk. What it raises is raised when nothing of the copy is left.
    """
    with _copied(source, target, meanwhile) as copy:
        with MetaStore.open_copy(copy.path) as opened:
            is_same = opened.txid == source.txid and opened.level == source.level
        if not is_same:
            raise failed(target, "the copy opens as another state than the store", ELSEWHERE)
        copy.publish()
    LOG.info("backup.made", path=str(target), size_bytes=source.size_bytes)


def _copied(source: MetaStore, target: Path, meanwhile: Callable[[], None]) -> "PartialCopy":
    """Copy a store and do something else, in this order or both at once."""
    if not is_copied_beside(source):
        meanwhile()
        return PartialCopy.of(source, target)
    from threading import Event  # noqa: PLC0415 # few stores are so large

    is_stopped = Event()

    def require_wanted() -> None:
        if is_stopped.is_set():
            raise KeyboardInterrupt

    copying = _Beside(lambda: PartialCopy.of(source, target, require_wanted))
    try:
        copying.start()
        meanwhile()
        return copying.result()
    except BaseException:
        with uninterrupted():
            is_stopped.set()
            copying.wait()
            for one in copying.made:
                one.withdraw()
        raise


class _Beside(Generic[Made]):
    """Work that another thread does, or whoever asks for its result where none can be had.

    Attributes:
        made: What came of it, when it has come to a good end.
    """

    def __init__(self, work: Callable[[], Made]) -> None:
        from threading import Event, Thread  # noqa: PLC0415 # as above

        self.made: list[Made] = []
        self._work = work
        self._error: BaseException | None = None
        self._has_ended = Event()
        self._thread = Thread(target=self._run)

    def start(self) -> None:
        """Begin; a small container may have no thread left."""
        # As a thread begins it stays: signals come to the one that waits.
        with uninterrupted(), contextlib.suppress(RuntimeError):
            self._thread.start()

    def _run(self) -> None:
        try:
            self.made.append(self._work())
        except BaseException as error:  # noqa: BLE001 # raised in the thread that waits
            self._error = error
        self._has_ended.set()

    def wait(self) -> None:
        """Wait until no thread is at it."""
        if self._thread.ident is not None:
            # Before Python 3.13, one whose `join` was interrupted counts as ended and goes on.
            self._has_ended.wait()

    def result(self) -> Made:
        """Wait for what came of it; raise what it has raised."""
        if self._thread.ident is None:
            self._run()
        self.wait()
        if self._error is not None:
            raise self._error
        return self.made[0]


def content_of(backup: MetaStore, *, is_large: bool) -> str:
    """Make what tells the bytes of a backup.

    Args:
        is_large: Whether all of them would take too long. Then it tells the metas: all that they
            lead to, the commit has left alone, and the store itself proves it.
    """
    return f"{METAS if is_large else ''}{backup.content_digest(is_of_metas=is_large)}"


def mark_for(commit: str, content: str) -> str:
    """Make what a commit and its backup are told by, of what tells each of them."""
    return f"{commit}.{content}"


def is_commit(mark: str, digest: str | None) -> bool:
    """Tell whether a mark is of the commit that has this digest."""
    return mark.partition(".")[0] == digest


def has_content(mark: str) -> bool:
    """Tell whether a mark tells all bytes of the backup."""
    return bool(content := mark.partition(".")[2]) and not content.startswith(METAS)


def is_as_made(backup: MetaStore, mark: str) -> bool:
    """Tell whether a backup has the bytes that its mark tells of; True where it tells of none."""
    content = mark.partition(".")[2]
    return not content or content == content_of(backup, is_large=not has_content(mark))


def mark_backup(path: Path, digest: str) -> None:
    """Write on a backup which commit it was made for, where the file system has room for that.

    A container that is gone takes its ledger with it; the backup stays beside the store.
    """
    with contextlib.suppress(OSError):
        os.setxattr(path, MARK, digest.encode())


def mark_of(path: Path) -> str | None:
    """Read which commit a backup was made for.

    Returns:
        The digest of that commit; None where there is no mark.
    """
    try:
        return os.getxattr(path, MARK).decode("ascii", "replace")
    except OSError:
        return None


def require_room(source: MetaStore, target: Path) -> None:
    """Refuse a copy that cannot be made, as far as that can be told without writing.

    Raises:
        RecoveryError: Something is there, no file can be made there, or there is no space.
    """
    require_free(target, ELSEWHERE)
    with source.descriptor() as readable:
        stored_bytes = sum(end - start for start, end in data_ranges(readable))
    _require_space(target, needed_bytes=stored_bytes + SPARE_BYTES)


class PartialCopy(StagedFile):
    """A complete copy of a store that does not have its name yet."""

    @classmethod
    def of(
        cls, source: MetaStore, target: Path, require_wanted: Callable[[], None] = nothing
    ) -> Self:
        """Copy a locked store, wait until the copy is on the disk, and compare it.

        Args:
            target: The name that the copy will have.
            require_wanted: Called now and then; what it raises ends the copying.

        Raises:
            RefusedError: The name is one that influxd deletes.
            WriteFailedError: There is no space, the disk failed, or the copy differs.
            StoreBusyError: The store has been replaced by another file.
        """
        require_room(source, target)
        with source.descriptor() as readable:
            copy = cls(target, elsewhere=ELSEWHERE)
            try:
                writable = create(copy.path)
                try:
                    _fill(readable, writable, target, require_wanted)
                finally:
                    os.close(writable)
            except OSError as error:
                copy.withdraw()
                raise failed(target, error, ELSEWHERE) from error
            except BaseException:
                copy.withdraw()
                raise
        return copy

    def publish(self) -> None:
        """Give the copy its name, durably, and let it stay. Raises as `StagedFile.publish`."""
        super().publish()
        self.keep()


def _fill(readable: int, writable: int, target: Path, require_wanted: Callable[[], None]) -> None:
    """Copy, sync and compare."""
    try:
        status = os.fstat(readable)
        # Only root may give a file away; whoever else writes here owns the store already.
        with contextlib.suppress(PermissionError):
            os.fchown(writable, status.st_uid, status.st_gid)
        for start, end in data_ranges(readable):
            _copy(readable, writable, start, end, require_wanted)
        os.ftruncate(writable, status.st_size)
        is_same = _is_synced_same(readable, writable, require_wanted)
    except OSError as error:
        raise failed(target, error, ELSEWHERE) from error
    if not is_same:
        raise failed(target, "what was written is not what is read back", ELSEWHERE)


def _copy(
    readable: int, writable: int, start: int, end: int, require_wanted: Callable[[], None]
) -> None:
    """Copy a stored part inside of the kernel, and by hand where that is not supported."""
    done = start
    while done < end:
        require_wanted()
        copied = copy_inside(readable, writable, done, min(COPY_CHUNK_BYTES, end - done))
        if not copied:  # some file systems say so instead of an error
            break
        done += copied
    while chunk_bytes := os.pread(readable, min(COMPARE_CHUNK_BYTES, end - done), done):
        require_wanted()
        done += _write(writable, chunk_bytes, done)


def _write(writable: int, content: bytes, offset: int) -> int:
    """Write all of it; one call of the system may take less."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.pwrite(writable, rest, offset + len(content) - len(rest)) :]
    return len(content)


def _is_synced_same(readable: int, writable: int, require_wanted: Callable[[], None]) -> bool:
    """Sync and compare; a large copy is compared while the disk writes it, as both read memory."""
    if os.fstat(writable).st_size <= BESIDE_BYTES_MIN:
        os.fsync(writable)
        return _is_same(readable, writable, require_wanted)
    syncing = _Beside(lambda: os.fsync(writable))
    try:
        syncing.start()
        is_same = _is_same(readable, writable, require_wanted)
        syncing.result()
    finally:
        with uninterrupted():
            syncing.wait()
    return is_same


def _is_same(one: int, other: int, require_wanted: Callable[[], None]) -> bool:
    """Compare two files to the end of both, wherever one of them is no hole."""
    if os.fstat(one).st_size != os.fstat(other).st_size:
        return False
    done = 0
    for start, end in heapq.merge(data_ranges(one), data_ranges(other)):
        for offset in range(max(start, done), end, COMPARE_CHUNK_BYTES):
            require_wanted()
            size_bytes = min(COMPARE_CHUNK_BYTES, end - offset)
            if _read(one, offset, size_bytes) != _read(other, offset, size_bytes):
                return False
        done = max(done, end)
    return True


def _read(descriptor: int, offset: int, size_bytes: int) -> bytes:
    """Read all of it, less only at the end of the file."""
    content = os.pread(descriptor, size_bytes, offset)
    while content and len(content) < size_bytes:
        more = os.pread(descriptor, size_bytes - len(content), offset + len(content))
        if not more:
            break
        content += more
    return content


def _require_space(target: Path, *, needed_bytes: int) -> None:
    """Refuse before the first byte is written, where the file system tells what is free."""
    try:
        status = os.statvfs(target.parent)
    except OSError as error:
        raise not_makeable(target, error, ELSEWHERE) from error
    blocks = status.f_bfree if os.geteuid() == 0 else status.f_bavail
    free_bytes = blocks * status.f_frsize
    if status.f_blocks and free_bytes < needed_bytes:
        problem = f"{needed_bytes:,} bytes are needed and {free_bytes:,} are free on the disk"
        raise failed(target, problem, ELSEWHERE)
