"""The one way to make a file that did not exist.

Lives here: `StagedFile`, which gets its name when it is complete, `ClaimedFile`, which has it from
the start, and `PrivateFolder`, for what is never to have a name. Must not live here: what is in the
file.

Invariants: nothing that exists is ever replaced or followed, also where there are no hard links;
every file has mode 0600, unless its maker sets another on purpose; its bytes and its name are on
the disk when it is finished. A failure, Ctrl-C or a signal at any moment leaves nothing behind,
until `keep`. What a killed process leaves is a folder that nobody else may enter; it is locked as
long as its maker lives, and the next file that is made beside it removes it. No name ends in
`.tmp`, because influxd deletes `<bolt-path>.tmp` when it opens its store.

Whatever makes a file, here and in every room above, raises `ConflictError` where something is,
`StoreAccessError` where this user may not, and `WriteFailedError` where there is no room or the
disk fails; nothing is left of it then. That is not said again at each function.

Source: link(2), open(2), flock(2); InfluxDB v2.9.1 kv/restore and cmd/influxd/recovery for the name
that is deleted.
"""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, TypeAlias

from recovery.errors import (
    ConflictError,
    RecoveryError,
    RefusedError,
    StoreAccessError,
    WriteFailedError,
)
from recovery.kept import (
    KEPT,
    STAGE_PREFIX,
    UNFINISHED,
    note_left,
    remove,
    uninterrupted,
)
from recovery.log import get_logger
from recovery.model.display import displayed
from recovery.remedy import Remedy
from recovery.system_advice import advice_on, reason_of

LOG: Final = get_logger(__name__)
MODE: Final = 0o600
RESERVED: Final = (".tmp", "-journal", "-wal", "-shm")
"""Ends of names that influxd, or the SQLite in it, takes for its own."""
ABANDONED_AGE_S: Final = 60.0
"""A younger folder without a lock may be one that its maker is about to lock."""
CANNOT_LINK: Final = frozenset(
    {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK, errno.EINVAL}
)
"""What link(2) says on file systems without hard links."""
NOT_MAKEABLE: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}
)
ELSEWHERE: Final = "name a new file in a folder that you may write to"

Unsynced: TypeAlias = Callable[[OSError], None]
"""Told that a folder cannot be synced, where that is a warning and no failure."""


def require_free(target: Path, elsewhere: Remedy = ELSEWHERE) -> None:
    """Refuse a name that is taken, or that influxd takes for its own.

    Args:
        elsewhere: What to do where no file can be made.

    Raises:
        RefusedError: The name is one of a file that influxd deletes or writes over.
        StoreAccessError: There is no such folder, or this user may not make files in it.
    """
    end = next((one for one in RESERVED if target.name.lower().endswith(one)), None)
    if end is not None:
        raise RefusedError(
            reason=f"{displayed(str(target))} ends in {end}, and influxd deletes such files",
            hint="choose another name",
        )
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            target.lstat()
            raise already_there(target)
        if not stat.S_ISDIR(target.absolute().parent.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))  # as below
        _require_writable(target.absolute().parent)
    except OSError as error:
        raise not_makeable(target, error, elsewhere) from error


def _require_writable(folder: Path) -> None:
    """Find out without writing what making a file there would be answered.

    Raises:
        PermissionError: It may not be written.
        OSError: It is on a file system that is mounted for reading.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        is_read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        code = errno.EROFS if is_read_only else errno.EACCES
        raise OSError(code, os.strerror(code))


def already_there(path: Path) -> ConflictError:
    """Return the error for a file that was to be made and is there."""
    return ConflictError(
        kind="file",
        name=displayed(str(path)),
        hint="name a file that does not exist; nothing is ever overwritten",
    )


class PrivateFolder:
    """A folder that only its maker may enter. Leaving its context removes it with all in it."""

    _lock = -1

    def __init__(self, parent: Path) -> None:
        """Make it, or raise `OSError`; remove what killed processes of this user have left."""
        with uninterrupted():
            from tempfile import mkdtemp  # noqa: PLC0415 - most commands make no file

            self.path: Final = Path(mkdtemp(prefix=STAGE_PREFIX, dir=parent))
            self._lock = _locked(self.path)
            UNFINISHED.get(set()).add(self.remove)
        _sweep(parent, self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove it with all that is in it. Does not raise; calling it again is allowed."""
        if self._lock >= 0:
            with uninterrupted():
                from shutil import rmtree  # noqa: PLC0415

                rmtree(self.path, ignore_errors=True)
                note_left(self.path)
                os.close(self._lock)
                self._lock = -1
                UNFINISHED.get(set()).discard(self.remove)


class StagedFile:
    """A file that is made in a private folder beside its place. Leaving without `keep` removes it.

    Attributes:
        path: Where to make it; has the name of the target, in the folder. Nothing is there yet.
        target: Where it will be.
    """

    def __init__(
        self, target: Path, *, elsewhere: Remedy = ELSEWHERE, on_unsynced: Unsynced | None = None
    ) -> None:
        """Make the private folder.

        Args:
            target: Where the file is to be; nothing may be there.
            elsewhere: What to do where no file can be made.
            on_unsynced: Told when the folder of the target cannot be synced; None makes that a
                failure.

        Raises:
            RefusedError: The name is one that influxd deletes.
        """
        require_free(target, elsewhere)
        self.target: Final = target
        self._elsewhere = elsewhere
        self._on_unsynced = on_unsynced
        self._is_published = False
        self._is_kept = False
        try:
            self._folder = PrivateFolder(target.parent)
        except OSError as error:
            raise not_makeable(target, error, elsewhere) from error
        self.path: Final = self._folder.path / target.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if not self._is_kept:
            self.withdraw()
        if isinstance(error, WriteFailedError) and error.path.startswith(
            displayed(str(self._folder.path))
        ):  # nobody has typed the name of the private folder, and it is gone by now
            raise WriteFailedError(
                path=displayed(str(self.target)),
                problem=error.problem,
                outcome="unchanged",
                hint=error.hint,
            ) from error

    def publish(self) -> None:
        """Give the file its name, durably. It goes away again unless `keep` is called.

        Raises:
            ConflictError: Something has come to be at the target meanwhile; it is left alone.
            WriteFailedError: The content or the name cannot be made durable; nothing is left.
        """
        try:
            with uninterrupted():
                _make_durable(self.path)
                _name(self.path, self.target)
                self._is_published = True
                UNFINISHED.get(set()).add(self.withdraw)
                sync_folder(self.target, self._on_unsynced)
                self._folder.remove()
        except FileExistsError as error:
            raise already_there(self.target) from error
        except OSError as error:
            self.withdraw()
            raise failed(self.target, error, self._elsewhere) from error

    def keep(self) -> None:
        """Let the file stay, whatever happens from here on."""
        with uninterrupted():
            KEPT.get([]).append(self.target)
            self._is_kept = True
            UNFINISHED.get(set()).discard(self.withdraw)

    def withdraw(self) -> None:
        """Remove the file, by whichever name it has. Does not raise."""
        with uninterrupted():
            if self._is_published:
                self._is_published = False
                remove(self.target)
                UNFINISHED.get(set()).discard(self.withdraw)
            self._folder.remove()


class ClaimedFile:
    """A new file under its name, empty at first. Leaving its context without `keep` removes it.

    It has no buffer of the standard library's, which would try to write once more while a failure
    is being cleaned up.
    """

    _descriptor = -1
    _is_settled = False

    def __init__(
        self, target: Path, *, elsewhere: Remedy = ELSEWHERE, on_unsynced: Unsynced | None = None
    ) -> None:
        """Make the file, empty and with mode 0600. Takes and raises what `StagedFile` does."""
        require_free(target, elsewhere)
        self.target: Final = target
        self._elsewhere = elsewhere
        self._on_unsynced = on_unsynced
        with uninterrupted():
            try:
                self._descriptor = create(target)
            except FileExistsError as error:
                raise already_there(target) from error
            except OSError as error:
                raise not_makeable(target, error, elsewhere) from error
            UNFINISHED.get(set()).add(self.withdraw)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.withdraw()

    def write(self, content: bytes) -> None:
        """Write all of it behind what was written before."""
        rest = memoryview(content)
        with self._failing():
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def settle(self) -> None:
        """Wait until it is on the disk, with its name, or raise `WriteFailedError`."""
        with self._failing():
            os.fsync(self._descriptor)
            sync_folder(self.target, self._on_unsynced)
        self._is_settled = True

    def keep(self, *, is_wanted: bool = True) -> None:
        """Let it stay, when it is on the disk.

        Args:
            is_wanted: Whether somebody asked for the file, and is told that it is there.

        Raises:
            WriteFailedError: It cannot be made durable; leaving the context removes it.
        """
        if is_wanted:
            KEPT.get([]).append(self.target)
        if not self._is_settled:
            self.settle()
        self._close()

    def withdraw(self) -> None:
        """Remove what was not kept, if it is still the file that was made here. Does not raise."""
        if self._descriptor < 0:
            return
        with uninterrupted():
            if self.is_in_place:
                remove(self.target)
            self._close()

    @property
    def is_in_place(self) -> bool:
        """Whether its name leads to the file that was made here."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self._descriptor), self.target.lstat())
        return False

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        UNFINISHED.get(set()).discard(self.withdraw)
        with contextlib.suppress(OSError):  # it is on the disk, or gone
            os.close(descriptor)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise failed(self.target, error, self._elsewhere) from error


def create(path: Path) -> int:
    """Make an empty file, mode 0600, open to read and write; `OSError` when something is there."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, MODE)


@contextlib.contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Make a file as `create` does; what is written until the end of the block is on the disk."""
    with open(create(path), "wb") as file:  # a descriptor, not a path
        yield file
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path, on_unsynced: Unsynced | None = None) -> None:
    """Make the name of a new or removed file durable.

    Args:
        on_unsynced: Told when that fails; None makes it a failure.

    Raises:
        OSError: The folder cannot be opened or synced.
    """
    try:
        descriptor = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if on_unsynced is None:
            raise
        on_unsynced(error)


def not_makeable(target: Path, error: OSError, elsewhere: Remedy) -> RecoveryError:
    """Return the error for a file that cannot even be created."""
    if error.errno in NOT_MAKEABLE:
        return StoreAccessError(
            path=displayed(str(target.parent)),
            problem=f"is no folder that a file can be made in ({reason_of(error)})",
            hint=advice_on(error.errno, path=target.parent, otherwise=elsewhere),
        )
    return failed(target, error, elsewhere)


def failed(target: Path, error: OSError | str, elsewhere: Remedy = ELSEWHERE) -> WriteFailedError:
    """Return the error for a new file that cannot be written; nothing is left of it."""
    problem = error if isinstance(error, str) else reason_of(error)
    code = errno.ENOSPC if isinstance(error, str) else error.errno
    return WriteFailedError(
        path=displayed(str(target)),
        problem=problem,
        outcome="unchanged",
        hint=advice_on(code, otherwise=elsewhere),
    )


def _make_durable(path: Path) -> None:
    """Close a file to others, and wait until it is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != MODE:
            with contextlib.suppress(PermissionError):  # vfat, where the mount decides
                os.fchmod(descriptor, MODE)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(path: Path, target: Path) -> None:
    """Give a file its name, unless that is taken; plain rename(2) would replace what is there."""
    try:
        target.hardlink_to(path)
    except OSError as error:
        if isinstance(error, FileExistsError) or error.errno not in CANNOT_LINK:
            raise
    else:
        return  # the other name goes with its folder: nothing can fail in between
    try:
        rename_new(path, target)
    except OSError as error:
        if error.errno not in CANNOT_LINK:
            raise
    else:
        return
    # Without either the name is claimed first, by an empty file that cannot replace anything.
    os.close(create(target))
    try:
        path.rename(target)
    except BaseException:
        remove(target)
        raise


def rename_new(path: Path, target: Path) -> None:
    """Rename a file or a folder, unless something has the name; raise `OSError` then, or ENOSYS.

    Source: renameat2(2), RENAME_NOREPLACE.
    """
    try:
        from ctypes import CDLL, get_errno  # noqa: PLC0415 # rare, and not in every Python

        rename = CDLL(None, use_errno=True).renameat2
    except (ImportError, AttributeError, OSError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if rename(_HERE, os.fsencode(path), _HERE, os.fsencode(target), 1):
        raise OSError(get_errno(), os.strerror(get_errno()), str(target))


_HERE: Final = -100
"""AT_FDCWD: paths are as for rename(2)."""


def _locked(folder: Path) -> int:
    """Lock a folder for as long as this process lives, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _sweep(parent: Path, own: Path) -> None:
    """Remove what killed processes of this user have left. Does not raise."""
    with contextlib.suppress(OSError):
        now = own.stat().st_mtime
        with os.scandir(parent) as entries:
            for entry in entries:
                if entry.name.startswith(STAGE_PREFIX) and entry.name != own.name:
                    with contextlib.suppress(OSError):
                        _remove_abandoned(Path(entry.path), now)


def _remove_abandoned(folder: Path, now: float) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or now - status.st_mtime < ABANDONED_AGE_S:
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its maker lives
        from shutil import rmtree  # noqa: PLC0415

        rmtree(folder, ignore_errors=True)
        LOG.info("leftover.removed", path=str(folder))
    finally:
        os.close(descriptor)


def is_in_use(path: Path) -> bool:
    """Tell whether the process that makes a file or a private folder is alive.

    Args:
        path: What may be a leftover.

    Returns:
        Whether somebody holds its lock.

    Raises:
        OSError: It cannot be looked at.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
