"""What went wrong with a store, in the words of the person who asked.

Lives here: the translation of everything that the engine or the system raises into
`recovery.errors`. Must not live here: decisions on what to do about it.

Invariants: translated at one place only, always `from` the original. No sentence holds a key or a
value. Bugs (`InvariantError`, `StateError`) are not translated: they are not the store's fault.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from bolt_store.errors import (
    BoltError,
    ChecksumError,
    CommitError,
    FormatError,
    LimitError,
    LockError,
    LockTimeoutError,
    NotABoltFileError,
    OverwrittenError,
    StateError,
    VersionError,
)
from recovery.errors import (
    RecoveryError,
    RefusedError,
    StoreAccessError,
    StoreBusyError,
    StoreDamagedError,
    StoreNotFoundError,
    StoreNotLockableError,
    WriteFailedError,
)
from recovery.model.display import displayed
from recovery.remedy import Give, Input, Remedy, Run
from recovery.system_advice import SEE_COPIES, advice_on, made_again

if TYPE_CHECKING:
    from bolt_store import Finding


NAME_STORE: Final = Give(
    Input.STORE,
    "influxd.bolt is usually in /var/lib/influxdb, /var/lib/influxdb2 or ~/.influxdbv2: name it",
)
NOT_THE_FILE: Final = frozenset({
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT,
    errno.EHOSTDOWN, errno.ELOOP, errno.ENAMETOOLONG, errno.EBUSY, errno.ETXTBSY,
})  # fmt: skip
"""What is in the way of a file that may be as sound as ever."""
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

DO_NOT_START: Final = "do not start influxd on it, it writes over what can be saved"
_RESTORE: Final = (
    Run("store salvage", "to write what can be read into a new file", {Input.TARGET: None}),
    SEE_COPIES,
)
_COMPACT: Final = Run(
    "store compact",
    "to make a copy without the empty pages, which you put in its place",
    {Input.TARGET: None},
)
EMPTY_LEAF: Final = "leaf.empty"
_SQLITE: Final = b"SQLite format 3\0"

READ_LIVE: Final = Give(Input.LIVE, "read a snapshot of it while it is in use")


class Failures:
    """Translates the failures of one store."""

    def __init__(self, path: Path) -> None:
        """Remember whose failures these are."""
        self.path = path
        self.name = displayed(str(path))

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise `RecoveryError` in the place of any `BoltError` or `OSError`."""
        try:
            yield
        except StateError:
            raise
        except (BoltError, OSError) as error:
            raise self.translate(error) from error

    def translate(self, error: BoltError | OSError) -> RecoveryError:
        """Return what a person is told instead of `error`."""
        if isinstance(error, OSError):
            return self._os_failure(error)
        if isinstance(error, FormatError):
            return self._damaged(error)
        if isinstance(error, LockError):
            return self._locked(error)
        path = self.name
        match error:
            case CommitError():
                return write_failed(path, error.problem, outcome=error.outcome)
            case LimitError():
                return RefusedError(
                    reason=f"bolt cannot store that ({error})", hint="use a shorter name"
                )
            case _:
                return StoreDamagedError(
                    path=path, problem=f"cannot be used: {error}", hint=_RESTORE
                )

    def unsound(self, findings: "Iterable[Finding]") -> StoreDamagedError | None:
        """Name the first of the findings that forbid writing as an error; None for none."""
        bad = [finding for finding in findings if finding.forbids_writing]
        if not bad:
            return None
        altered = self.altered()
        if altered is not None:
            return altered
        # A damaged file can have as many findings as pages; the first tells where to look.
        listed = f"{bad[0]} and {len(bad) - 1} more" if len(bad) > 1 else str(bad[0])
        is_usable = all(finding.code == EMPTY_LEAF for finding in bad)
        return StoreDamagedError(
            path=self.name,
            problem=f"has pages that were emptied, which influxd bears, and cannot be changed: "
            f"{listed}"
            if is_usable
            else f"is damaged: {DO_NOT_START} ({listed})",
            findings=[str(finding) for finding in bad],
            hint=_COMPACT if is_usable else _RESTORE,
        )

    def altered(self) -> StoreDamagedError | None:
        """Return the error for a store that something changed as a whole; None for any other."""
        from recovery.metastore.altered import alteration_of  # noqa: PLC0415 # only for damage

        try:
            descriptor = open_unnoticed(self.path)
        except OSError:
            return None
        try:
            found = alteration_of(self.path, descriptor, is_whole=False)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        if found is None:
            return None
        return StoreDamagedError(path=self.name, problem=found.problem, hint=found.hint)

    def bucket_missing(self, name: str) -> StoreDamagedError:
        """Return the error for a bucket that every store of this level has."""
        return self.damaged(f"lacks {name}, which influxd needs")

    def damaged(self, problem: str) -> StoreDamagedError:
        """Return the error for a store whose records do not fit together."""
        return StoreDamagedError(
            path=self.name,
            problem=problem,
            hint=Run(
                "store check", "to see what is wrong with it, and whether influxd starts on it"
            ),
        )

    def _locked(self, error: LockError) -> StoreBusyError:
        if isinstance(error, OverwrittenError):
            hint = "see what wrote to it, and begin again"
            return StoreBusyError(path=self.name, holder=error.problem, hint=hint)
        if not isinstance(error, LockTimeoutError):
            hint = "see what has put another file there, and try again"
            if error.is_unsupported:
                hint = "copy it to a local disk while influxd is stopped, and try it there"
            return StoreNotLockableError(path=self.name, holder=error.problem, hint=hint)
        from recovery.lock_holder import find_lock_holders  # noqa: PLC0415 # rare, and 2 ms

        try:
            status = self.path.stat()
        except OSError:
            holder, hint = "another process holds the lock", "wait until it has ended"
        else:
            use = find_lock_holders(device=status.st_dev, inode=status.st_ino)
            holder, hint = use.sentence, use.way_to_free
        return StoreBusyError(path=self.name, holder=holder, hint=(hint, READ_LIVE))

    def _damaged(self, error: FormatError) -> RecoveryError:
        path = self.name
        if isinstance(error, NotABoltFileError):
            problem, hint = self._what_else()
            return StoreDamagedError(path=path, problem=problem, hint=hint)
        if isinstance(error, VersionError):
            return StoreDamagedError(
                path=path,
                problem=f"is of bolt format {error.found}, and only {error.expected} is known",
                hint="look for a newer version of this tool",
            )
        altered = self.altered()
        if altered is not None:
            return altered
        if isinstance(error, ChecksumError):
            return StoreDamagedError(
                path=path,
                problem=f"has no usable meta page: {DO_NOT_START} ({error.problem})",
                hint=_RESTORE,
            )
        return StoreDamagedError(
            path=path, problem=f"is damaged: {DO_NOT_START} ({error})", hint=_RESTORE
        )

    def _what_else(self) -> tuple[str, Remedy]:
        """Say what a file is that is no bolt file."""
        from recovery.metastore.altered import (  # noqa: PLC0415 # only for what is no store
            alteration_of,
            has_bolt_pages,
        )
        from recovery.metastore.packing import (  # noqa: PLC0415 # only for what is no store
            HEAD_BYTES,
            TAR,
            UNREAD,
            packing_of,
            unpacking_command,
        )

        try:
            descriptor = open_unnoticed(self.path)
        except OSError:
            return "is not a bolt file", NAME_STORE
        try:
            start = os.pread(descriptor, HEAD_BYTES, 0)
            packing = packing_of(start, UNREAD)
            if packing is not None:
                problem = "is a tar archive" if packing is TAR else f"is packed with {packing.name}"
                return problem, f"unpack it first: {unpacking_command(self.path, packing)}"
            if start.startswith(_SQLITE):
                hint = "name influxd.bolt, which usually lies beside influxd.sqlite"
                return "is an SQLite file, not the bolt store", hint
            if has_bolt_pages(descriptor):
                return f"is a bolt file without a usable meta page: {DO_NOT_START}", _RESTORE
            altered = alteration_of(self.path, descriptor, is_whole=False)
        finally:
            os.close(descriptor)
        if altered is not None:
            return altered
        rest = made_again(self.path)
        hint = "name the file influxd.bolt of the server, or a copy of it"
        return "is not a bolt file", (hint, *([SEE_COPIES] if rest else []), *rest)

    def _os_failure(self, error: OSError) -> RecoveryError:
        path = self.name
        reason = os.strerror(error.errno) if error.errno else "unknown reason"
        match error.errno:
            case errno.ENOENT:
                return not_found(self.path)
            case errno.EACCES | errno.EPERM:
                return StoreAccessError(
                    path=path,
                    problem=f"may not be opened by this user ({reason})",
                    hint=advice_on(error.errno, path=self.path),
                )
            case code if code in NOT_THE_FILE:
                return StoreAccessError(
                    path=path, problem=f"cannot be opened ({reason})", hint=advice_on(code)
                )
            case errno.EROFS:
                return StoreAccessError(
                    path=path,
                    problem="is on a read-only file system",
                    hint=(
                        "mount it for writing",
                        Give(Input.OUTPUT, "make a changed copy"),
                        Give(Input.READ_ONLY, "only look at it"),
                    ),
                )
            case code if code in NO_SPACE:
                return WriteFailedError(
                    path=path, problem=reason, outcome="unchanged", hint=advice_on(code)
                )
            case _:
                return StoreDamagedError(
                    path=path,
                    problem=f"cannot be read ({reason})",
                    hint="copy what can be read of it to another disk, and work on the copy",
                )


def open_unnoticed(path: Path) -> int:
    """Open a file to read, its access time kept where permitted; the caller closes it."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        return os.open(path, flags | getattr(os, "O_NOATIME", 0))  # which only Linux has
    except PermissionError:  # only the owner and root may ask for that
        return os.open(path, flags)


def not_found(path: Path) -> StoreNotFoundError:
    """Return the error for a file that is not there."""
    return StoreNotFoundError(
        path=displayed(str(path)),
        problem="does not exist",
        hint=NAME_STORE,
    )


def write_failed(
    path: str, problem: str, *, outcome: Literal["unchanged", "unknown"]
) -> WriteFailedError:
    """Return the error for a write of the store that did not succeed."""
    hint = (
        "look at the disk: free space, quota, kernel log; then try again"
        if outcome == "unchanged"
        else "do not start influxd; list the store, and restore the backup if it looks wrong"
    )
    return WriteFailedError(path=path, problem=problem, outcome=outcome, hint=hint)
