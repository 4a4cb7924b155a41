"""What to do when the system refuses, by its error number, and what is there in place of a file.

Lives here: `advice_on`, `unlike_a_file`, `made_again`, `SEE_COPIES`. Must not live here: what was
tried, which the caller's sentence says.

Invariants: advice is one imperative clause. It never tells to make space where space is not what is
missing, nor to become root where root is refused.

Source: errno(3), open(2), fsync(2), chattr(1).
"""

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Final

from recovery.remedy import Input, Remedy, Run, ways

EMPTY: Final = "is empty (0 bytes)"
SEE_COPIES: Final = Run("store backups", "to see which copies of it are there, to restore one")
"""For a store that is lost or damaged; it lists them for one that cannot be opened, too."""
_KINDS: Final = {
    stat.S_IFDIR: "is a folder",
    stat.S_IFIFO: "is a named pipe",
    stat.S_IFSOCK: "is a socket",
    stat.S_IFBLK: "is a whole disk or a part of one, and no file on it",
    stat.S_IFCHR: "is a device",
}
_ADVICE: Final = {
    errno.ENOENT: "make the folder first (mkdir -p), or see whether its disk is mounted",
    errno.ENOTDIR: "look at that path, where a file stands in the place of a folder",
    errno.ENOSPC: "make space there",
    errno.EFBIG: "raise the limit on the size of a file (ulimit -f)",
    errno.EDQUOT: "make space within the quota of this user there, or have it raised",
    errno.EROFS: "mount that file system for writing (after an error of the disk the kernel makes "
    "it read-only: look with dmesg)",
    errno.EIO: "look at the disk, which fails (dmesg, smartctl), before anything else is written "
    "to it",
    errno.ESTALE: "mount that network file system again, and try again",
    errno.EMFILE: "raise the limit on open files (ulimit -n), and try again",
    errno.ENFILE: "close other programs, because the system has too many files open, and try again",
    errno.ENOMEM: "close other programs, because memory is used up, and try again",
    errno.ENOLCK: "use a local disk, because that file system has no locks",
    errno.EBUSY: "end what uses it, and try again",
    errno.ETXTBSY: "end what uses it, and try again",
    errno.ETIMEDOUT: "see whether that network file system can be reached, and try again",
    errno.ENOTCONN: "mount that file system again, and try again",
    errno.EHOSTDOWN: "see whether that network file system can be reached, and try again",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.ELOOP: "look at the symbolic links on that path, which go round in circles",
}
_AS_ROOT: Final = {
    errno.EPERM: "see whether it is immutable or append-only (lsattr), which keeps root out too, "
    "and take that away with chattr -ia",
    errno.EACCES: "run it as the user whom the file belongs to, as a network file system or a "
    "security module (SELinux, AppArmor) keeps root out",
}
_IN_THE_WAY: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ELOOP})


def advice_on(
    code: int | None, *, path: Path | None = None, otherwise: Remedy | None = None
) -> Remedy:
    """Say what to do about an error of the system.

    Args:
        code: Its number; None when there is none.
        path: What the system refused.
        otherwise: Another way, such as "name a file on another disk".

    Returns:
        One imperative clause, and the other way where that helps.
    """
    if code in _AS_ROOT:
        first = _AS_ROOT[code] if os.geteuid() == 0 else _as_other_user(path)
    else:
        first = _ADVICE.get(code or 0, "look at the disk and at the kernel log")
    return first if otherwise is None or code in _IN_THE_WAY else (first, *ways(otherwise))


def _as_other_user(path: Path | None) -> str:
    """Say who may, where this user is not allowed to; who owns it can allow it to itself."""
    import shlex  # noqa: PLC0415 # only for a refusal

    what = "file"
    with contextlib.suppress(OSError):
        status = None if path is None else path.stat()
        is_folder = status is not None and stat.S_ISDIR(status.st_mode)
        what = "folder" if is_folder else what
        if path is not None and status is not None and status.st_uid == os.geteuid():
            mode = "u+rwx" if is_folder else "u+rw"
            name = shlex.quote(str(path)) if str(path).isprintable() else "and its path"
            return f"let yourself write to it (chmod {mode} {name})"
    return f"run it as root, or as the user whom the {what} belongs to"


def unlike_a_file(real_path: Path, status: os.stat_result) -> str | None:
    """Say by a clause behind its name what a path is, if no file with content; else None."""
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is not None or status.st_size:
        return kind
    if real_path.is_relative_to("/proc") or real_path.is_relative_to("/sys"):
        return "is made up by the kernel, and no file on a disk"
    return EMPTY


def made_again(path: Path, engine_path: Path | None = None) -> tuple[Run, ...]:
    """Say how a store of which nothing is left is made again, where the data are still there.

    Args:
        engine_path: Where they are; by default beside the store, as influxd has it.
    """
    engine = path.parent / "engine" if engine_path is None else engine_path
    try:
        if next((engine / "data").iterdir(), None) is None:
            return ()
    except OSError:
        return ()
    values = {Input.TARGET: str(unused_name(path, ".rebuilt")), Input.ENGINE: str(engine)}
    return (Run("store rebuild", "to make a new one that has all data of that folder", values),)


def unused_name(path: Path, ending: str) -> Path:
    """Give a name that nothing has, so that what is typed with it overwrites nothing."""
    while os.path.lexists(path):
        path = path.with_name(f"{path.name}{ending}")
    return path


def reason_of(error: OSError) -> str:
    """Give the words of the system for an error, such as "No space left on device"."""
    return os.strerror(error.errno) if error.errno else type(error).__name__
