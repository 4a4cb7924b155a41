"""One file that may be a store.

Lives here: `Candidate`, and looking at a path without changing anything. Must not live here: where
paths come from, and what is in the file: a store may be damaged and is a store all the same.

Invariants: nothing is created, and nothing is opened but regular files, for reading, so that no
pipe or device can block or notice. An access that is refused is a state, never an absence.
"""

import contextlib
import errno
import os
import stat
from datetime import UTC, datetime
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.model.display import displayed
from recovery.system_advice import EMPTY, unlike_a_file

AS_NAMED: Final = "as it was named"
STORE_NAME: Final = "influxd.bolt"
SQLITE_NAME: Final = "influxd.sqlite"
ENGINE_NAME: Final = "engine"


@unique
class State(StrEnum):
    """What is at a path."""

    HOLDS_DATA = "holds data"
    UNREADABLE = "holds data that may not be read"
    EMPTY = "is empty"
    NOT_A_FILE = "is not a file"
    MISSING = "does not exist"
    UNSEEN = "may not be looked at"


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to a store besides itself, as far as it is known.

    Attributes:
        sqlite_path: The SQLite file; by default beside the store as it was named.
        use_hashed_tokens: Whether its server stores new tokens as hashes.
    """

    sqlite_path: Path | None = None
    engine_path: Path | None = None
    use_hashed_tokens: bool | None = None

    def over(self, other: "Files") -> "Files":
        """Fill what is not known with what is known elsewhere."""
        return Files(
            sqlite_path=self.sqlite_path or other.sqlite_path,
            engine_path=self.engine_path or other.engine_path,
            use_hashed_tokens=(
                other.use_hashed_tokens
                if self.use_hashed_tokens is None
                else self.use_hashed_tokens
            ),
        )


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A file that may be a store.

    Attributes:
        path: The file itself, all links followed.
        reasons: Why it is a candidate, short phrases, the strongest first.
        opened_by: Servers that would open it, such as "influxdb.service".
        is_configured: Whether a configuration names it, in contrast to a place known by custom.
        problem: Why it is of no use, as a clause; empty if it holds data.
        size_bytes: Its size; this and the rest is None if it may not be looked at.
        mode: Its permissions, without the type of file.
    """

    path: Path
    named_path: Path
    reasons: tuple[str, ...]
    opened_by: tuple[str, ...] = ()
    is_configured: bool = False
    files: Files = Files()
    state: State
    problem: str
    size_bytes: int | None = None
    modified_at: datetime | None = None
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    device: int | None = None
    inode: int | None = None

    @property
    def has_data(self) -> bool:
        """Whether there is a file with something in it, readable or not."""
        return self.state in {State.HOLDS_DATA, State.UNREADABLE}

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for two names of one file."""
        if self.inode is None:
            return (os.path.normpath(self.named_path),)
        return (self.device, self.inode)

    @property
    def description(self) -> str:
        """Describe it in one phrase, for a list of several."""
        facts = []
        if self.size_bytes is not None and self.modified_at is not None:
            facts = [f"{self.size_bytes} bytes", f"changed {self.modified_at:%Y-%m-%dT%H:%M:%SZ}"]
        if self.problem:
            facts.append(self.problem)
        facts.append(self.reasons[0])
        others = [name for name in self.opened_by if not self.reasons[0].startswith(name)]
        if others:
            facts.append(f"{' and '.join(others)} would open this one")
        return f"{displayed(str(self.path))} ({', '.join(facts)})"

    def merged(self, other: "Candidate") -> "Candidate":
        """Add what another name of the same file tells, the weaker one unless it is configured."""
        if other.is_configured and not self.is_configured:
            return other.merged(self)
        return replace(
            self,
            reasons=tuple(dict.fromkeys((*self.reasons, *other.reasons))),
            opened_by=tuple(dict.fromkeys((*self.opened_by, *other.opened_by))),
            files=self.files.over(other.files),
        )


def beside(path: Path) -> Files:
    """Say what influxd and packages put beside a store of which only the path is known."""
    return Files(sqlite_path=path.parent / SQLITE_NAME, engine_path=path.parent / ENGINE_NAME)


def look_at(
    named_path: Path,
    reason: str,
    *,
    opened_by: tuple[str, ...] = (),
    is_configured: bool = False,
    files: Files = Files(),  # noqa: B008 - a constant, being frozen
) -> Candidate:
    """Look at a path.

    Args:
        reason: Why, as a short phrase.
        opened_by: Servers that would open it.
        is_configured: Whether a configuration names it.
    """
    blank = Candidate(
        path=named_path,
        named_path=named_path,
        reasons=(reason,),
        opened_by=opened_by,
        is_configured=is_configured,
        files=files,
        state=State.MISSING,
        problem="does not exist",
    )
    try:
        status = named_path.stat()
        path = named_path.resolve()
    except (OSError, ValueError, RuntimeError) as exc:
        return _absent(blank, exc)
    seen = replace(
        blank,
        path=path,
        state=State.HOLDS_DATA,
        problem="",
        size_bytes=status.st_size,
        modified_at=datetime.fromtimestamp(status.st_mtime, tz=UTC),
        uid=status.st_uid,
        gid=status.st_gid,
        mode=stat.S_IMODE(status.st_mode),
        device=status.st_dev,
        inode=status.st_ino,
    )
    if problem := unlike_a_file(path, status):
        state = State.EMPTY if problem == EMPTY else State.NOT_A_FILE
        return replace(seen, state=state, problem=problem)
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as exc:
        return replace(seen, state=State.UNREADABLE, problem=f"may not be read ({_said(exc)})")
    return seen


def _absent(blank: Candidate, error: OSError | ValueError | RuntimeError) -> Candidate:
    """Say why there is nothing to be seen at a path."""
    if not isinstance(error, OSError) or error.errno == errno.ENAMETOOLONG:
        return replace(blank, problem="is no possible path")
    if error.errno == errno.ELOOP:
        return replace(blank, state=State.NOT_A_FILE, problem="is a link that leads to itself")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        target = None
        with contextlib.suppress(OSError):
            target = blank.named_path.readlink()
        if target is None:
            return blank
        return replace(blank, problem=f"is a link to {displayed(str(target))}, which is not there")
    return replace(blank, state=State.UNSEEN, problem=f"may not be looked at ({_said(error)})")


def _said(error: OSError) -> str:
    return error.strerror or type(error).__name__
