"""The ledger: what was done to which store, when, by whom and why.

Lives here: one SQLite file and its rows. Must not live here: whether a command needs a ledger, and
anything secret.

Invariants: rows are only ever added; triggers in the file refuse the rest, also to other programs
that open it. What gets in is IDs, paths, numbers, words from fixed lists, and the reason that a
person gave, from which all that looks like a token is cut out. A row is on the disk when the
function that adds it returns. Reading creates nothing.

Each operation has one row before the commit ("intent") and one or more after it that point to the
first. An intent without a second row is an operation that was cut off.

Facts: SQLite documentation, "PRAGMA synchronous" (EXTRA also syncs the folder once the journal is
gone), "Write-Ahead Logging", "CREATE TRIGGER", "ON CONFLICT" (REPLACE fires delete triggers only
with recursive_triggers, so a trigger on INSERT has to refuse it); XDG Base Directory Specification
0.8, XDG_STATE_HOME.
"""

import contextlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from recovery.errors import (
    ConflictError,
    LedgerError,
    RefusedError,
    StoreAccessError,
    WriteFailedError,
)
from recovery.ledger_rows import (
    COLUMNS,
    Actor,
    Entry,
    IntentFacts,
    Phase,
    entry_of,
    is_undecodable,
)
from recovery.log.redaction import redact_text
from recovery.model.display import displayed
from recovery.model.ids import parse_id
from recovery.new_file import ClaimedFile
from recovery.ports import Clock
from recovery.remedy import Give, Input

if TYPE_CHECKING:
    import sqlite3

FILE_NAME: Final = "ledger.sqlite"
FOLDER_OF_ROOT: Final = Path("/var/lib/influx-recovery")
APPLICATION_ID: Final = 0x49524C31
"""Marks the file as ours in its header: "IRL1"."""

_NAME_ANOTHER: Final = Give(Input.LEDGER, "name another file")
_HINT: Final = ("make that place writable", _NAME_ANOTHER)
_HINT_BUSY: Final = ("try again when the program that holds it has ended", _NAME_ANOTHER)
_SCHEMA_VERSION: Final = 2
_ADDED: Final = {1: "ALTER TABLE entries ADD COLUMN digest TEXT"}
"""What brings a ledger of an older version up to date, with its next row."""
_BUSY_TIMEOUT_S: Final = 10.0
_BUSY_TIMEOUT_KEPT_S: Final = 2.0
"""Whoever adds many rows has others waiting, also those who only read, for ten seconds or so."""
_TEXT_LENGTH_MAX: Final = 1000
_OPERATION: Final = re.compile(r"(?:v1-)?[a-z]+(?: (?:--|v1-)?[a-z][a-z-]*){0,4}\Z")
_SCHEMA: Final = (
    """
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        intent_id INTEGER REFERENCES entries (id),
        time TEXT NOT NULL,
        phase TEXT NOT NULL CHECK (phase IN ('intent', 'done', 'failed', 'note')),
        outcome TEXT NOT NULL CHECK (
            outcome IN ('pending', 'done', 'unchanged', 'unknown', 'undelivered', 'shown')
        ),
        operation TEXT NOT NULL,
        host TEXT NOT NULL,
        uid INTEGER NOT NULL,
        sudo_user TEXT,
        tool_version TEXT NOT NULL,
        store_path TEXT NOT NULL,
        device TEXT NOT NULL,  -- decimal text, as inode and txid: SQLite has no unsigned 64 bits
        inode TEXT NOT NULL,
        record_ids TEXT NOT NULL,  -- JSON list
        reason TEXT,
        backup_path TEXT,
        txid_before TEXT,
        txid_after TEXT,
        digest TEXT,  -- of all that the commit writes; old ledgers get it by _ADDED
        CHECK ((phase IN ('intent', 'note')) = (intent_id IS NULL))
    )
    """,
    """
    CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    """
    CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    """
    CREATE TRIGGER entries_are_never_replaced BEFORE INSERT ON entries
    WHEN EXISTS (SELECT 1 FROM entries WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {_SCHEMA_VERSION}",
)

_HEADER_BYTES: Final = 20
_HAS_LOG: Final = b"\2\2"
"""What the first bytes of a file end in that has a log (SQLite documentation, "File Format")."""
_ODD_SHOWN_MAX: Final = 5
_NUMBER_LENGTH_MAX: Final = 20  # of 64 bits

Row: TypeAlias = "dict[str, str | bytes | int | None]"


class _Step(NamedTuple):
    """What an ending means: the phase of its row, and whether the store was changed."""

    phase: Phase
    changed: bool | None


_STEPS: Final[dict[str, _Step]] = {
    "done": _Step("done", changed=True),
    "unchanged": _Step("failed", changed=False),
    "unknown": _Step("failed", changed=None),
    "undelivered": _Step("failed", changed=True),
}


def default_path(environment: Mapping[str, str], *, home: Path, is_root: bool) -> Path:
    """Say where the ledger is when nobody names another place.

    Root has one ledger for the machine. Other users have one each in their state folder.

    Args:
        environment: XDG_STATE_HOME is honoured if absolute, as its specification demands.
        home: Home folder of the user.
        is_root: Whether the process runs as root.

    Returns:
        The path; nothing is created.
    """
    if is_root:
        return FOLDER_OF_ROOT / FILE_NAME
    state = environment.get("XDG_STATE_HOME", "")
    folder = Path(state) if state.startswith("/") else home / ".local" / "state"
    return folder / FOLDER_OF_ROOT.name / FILE_NAME


def path_beside(store_path: Path) -> Path:
    """Say where the ledger of one store is, when there can be none at the usual place."""
    return store_path.with_name(f"{store_path.name}.{FILE_NAME}")


def can_be_written(path: Path) -> bool:
    """Tell whether a row could be added to a ledger, maybe a new one, by modes and mounts."""
    folder = path.parent
    if os.access(path, os.F_OK) and not os.access(path, os.W_OK):
        return False
    # os.access takes a folder that may not be entered for none; the next above it then says no
    while not os.access(folder, os.F_OK) and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger of one user or one machine.

    Attributes:
        path: The file; made by the first row, with its folder.
        actor: Who adds rows.
        warn: Is told of what is odd in the file, as a sentence.
        kept: Keeps the file open from row to row; None to open it for each.
    """

    path: Path
    actor: Actor
    clock: Clock
    warn: Callable[[str], None] = lambda _: None
    kept: "_Kept | None" = None

    def __repr__(self) -> str:
        return f"Ledger(path={self.path!r})"

    @contextlib.contextmanager
    def open_throughout(self) -> "Iterator[Ledger]":
        """Keep the file open from row to row, for whoever adds many.

        Opening it and looking what it is takes longer than the row, and each row costs five syncs
        of the disk. So what comes after the first goes into a log beside it, which takes one, and
        is in the file alone again at the end, or once it has settled. Nobody is kept out meanwhile.

        Yields:
            The same ledger. A file that is put in the place of this one is noticed at each row.
        """
        kept = _Kept()
        try:
            yield replace(self, kept=kept)
        finally:
            kept.close()

    def settle(self) -> None:
        """Put all rows into the one file, so that a copy of it has them, unless more are coming.

        Call it again and again: what counts is whether there was a row since the last time.
        """
        if self.kept is not None:
            self.kept.settle()

    def prepare(self, intent: IntentFacts) -> None:
        """Find out whether a row can be added, before anybody is asked to confirm anything.

        Makes the file if there is none, and adds a row that is taken back at once.
        """
        row = self._first_row(intent, phase="intent", outcome="pending", txid_before=None)
        with self._writing(changed=False) as connection:
            connection.execute("SAVEPOINT tried")
            _insert(connection, row)
            connection.execute("ROLLBACK TO tried")  # the tables stay: a kept file counts on them

    def intend(self, intent: IntentFacts, *, txid_before: int | None = None) -> int:
        """Record what is about to be done.

        Args:
            txid_before: Newest transaction of the store, if known.

        Raises:
            LedgerError: It cannot be recorded. The store must be left alone then.
        """
        row = self._first_row(intent, phase="intent", outcome="pending", txid_before=txid_before)
        with self._writing(changed=False) as connection:
            return _insert(connection, row)

    def conclude(self, intent_id: int, outcome: str, *, txid_after: int | None = None) -> None:
        """Record how an operation ended.

        Args:
            outcome: "done", "unchanged", "unknown" or "undelivered".
            txid_after: Newest transaction of the store, if known.

        Raises:
            LedgerError: It cannot be recorded; the intent stays without an end.
            ValueError: Unknown outcome.
        """
        step = _STEPS.get(outcome)
        if step is None:
            raise ValueError("outcome is none that the ledger knows")
        end = self._signature() | {
            "intent_id": intent_id,
            "outcome": outcome,
            "phase": step.phase,
            "txid_after": _number(txid_after),
        }
        with self._writing(changed=step.changed) as connection:
            first = connection.execute(
                "SELECT * FROM entries WHERE id = ? AND phase = 'intent'", (intent_id,)
            ).fetchone()
            if first is None:
                raise self._error(f"has no intent {intent_id!r}", changed=step.changed)
            row: Row = {name: first[name] for name in first.keys() if name != "id"}  # noqa: SIM118 # a row of sqlite3 iterates over values
            _insert(connection, row | end)

    def note(self, intent: IntentFacts) -> int:
        """Record what changes nothing, such as a list that shows tokens; give its number."""
        row = self._first_row(intent, phase="note", outcome="shown", txid_before=None)
        with self._writing(changed=False) as connection:
            return _insert(connection, row)

    def entries(self) -> tuple[Entry, ...]:
        """Read all rows, oldest first.

        Returns:
            The rows; none if there is no ledger. Nothing is created. A row that something else has
            written or changed, so that it makes no sense, is left out, and `warn` is told.

        Raises:
            LedgerError: The file cannot be read or is no ledger.
        """
        if not self._check_file(changed=False):
            return ()
        with self._connected(mode=self._reading_mode(), changed=False) as connection:
            if self._version(connection, changed=False) is None:
                return ()
            rows = connection.execute("SELECT * FROM entries ORDER BY id").fetchall()
        read = [(row["id"], entry_of(row)) for row in rows]
        odd = [displayed(str(number))[:_NUMBER_LENGTH_MAX] for number, entry in read if not entry]
        if odd:
            shown = ", ".join(odd[:_ODD_SHOWN_MAX])
            more = f" and {len(odd) - _ODD_SHOWN_MAX} more" if len(odd) > _ODD_SHOWN_MAX else ""
            self.warn(
                f"of the ledger {displayed(str(self.path))}, {'row' if len(odd) == 1 else 'rows'} "
                f"{shown}{more} cannot be understood, and count for nothing"
            )
        return tuple(entry for _, entry in read if entry is not None)

    def _reading_mode(self) -> str:
        """Let SQLite put right what a killed process left beside it; else nothing is written.

        It refuses to read before that, and cannot do it in a file opened for reading only. A copy
        made without the log beside it is read as it is: SQLite would make an empty log for it.
        """
        beside = (self.path.with_name(f"{self.path.name}{end}") for end in ("-journal", "-wal"))
        if any(one.exists() for one in beside):
            return "rw"
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            if file.read(_HEADER_BYTES).endswith(_HAS_LOG):
                return "ro&immutable=1"
        return "ro"

    def _first_row(
        self, intent: IntentFacts, *, phase: Phase, outcome: str, txid_before: int | None
    ) -> Row:
        """Make the row of a new operation; raise `ValueError` for what may not get in."""
        if not _OPERATION.match(intent.operation):
            raise ValueError("operation is not the words of a command")
        record_ids = [parse_id(record_id) for record_id in intent.record_ids]
        if None in record_ids:
            raise ValueError("record_ids holds something that is no ID")
        return self._signature() | {
            "intent_id": None,
            "phase": phase,
            "outcome": outcome,
            "operation": intent.operation,
            "store_path": _path(intent.store_path),
            "device": str(intent.device),
            "inode": str(intent.inode),
            "record_ids": json.dumps(record_ids),
            "reason": _free_text(intent.reason),
            "backup_path": None if intent.backup_path is None else _path(intent.backup_path),
            "txid_before": _number(txid_before),
            "txid_after": None,
            "digest": intent.digest,
        }

    def _signature(self) -> Row:
        """Say who and when; the end of an operation may be written by another process."""
        return {
            "time": self.clock.now().astimezone(UTC).isoformat(timespec="microseconds"),
            "host": _free_text(self.actor.host) or "",
            "uid": self.actor.uid,
            "sudo_user": _free_text(self.actor.sudo_user),
            "tool_version": self.actor.tool_version,
        }

    @contextlib.contextmanager
    def _writing(self, *, changed: bool | None) -> "Iterator[sqlite3.Connection]":
        """Open the ledger, making it if needed, and hold its write lock.

        The transaction is committed if the body has not ended it, and rolled back on any error.
        """
        try:
            _make_folder(self.path.parent)
            _make_file(self.path)
        except OSError as exc:
            problem = f"cannot be made ({_reason(exc)})"
            raise self._error(problem, changed=changed) from exc
        except (RefusedError, StoreAccessError, WriteFailedError) as exc:
            cause = exc.__cause__
            problem = f"cannot be made ({_reason(cause) if isinstance(cause, OSError) else exc})"
            raise self._error(problem, changed=changed) from exc
        with self._opened(changed=changed) as (connection, is_known):
            connection.execute("BEGIN IMMEDIATE")
            version = _SCHEMA_VERSION if is_known else self._version(connection, changed=changed)
            if version is None:
                for statement in _SCHEMA:
                    connection.execute(statement)
            elif version in _ADDED:
                connection.execute(_ADDED[version])
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            yield connection
            if connection.in_transaction:
                connection.execute("COMMIT")

    @contextlib.contextmanager
    def _opened(self, *, changed: bool | None) -> "Iterator[tuple[sqlite3.Connection, bool]]":
        """Give the connection that is kept, or a new one; keep it when a row was added with it.

        Yields:
            The connection, and whether its file is known to be a ledger of this version.
        """
        file = self._check_file(changed=changed)
        known = None if self.kept is None or file is None else self.kept.take(file)
        with contextlib.ExitStack() as opened:
            connection = opened.enter_context(self._connected(known, mode="rw", changed=changed))
            if known is None:
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("PRAGMA foreign_keys = ON")
            yield connection, known is not None
            if self.kept is not None and file is not None:
                if known is None and _can_share_memory(self.path.parent):
                    _set_journal(connection, "WAL")  # by now it is known to be a ledger
                self.kept.keep(connection, file)

    @contextlib.contextmanager
    def _connected(
        self, known: "sqlite3.Connection | None" = None, *, mode: str, changed: bool | None
    ) -> "Iterator[sqlite3.Connection]":
        """Open the file, which exists, and close it unless it is kept; what is not committed goes.

        Args:
            known: A connection that is open already.
            mode: "ro" or "rw".
            changed: Whether the store was changed, if this fails.
        """
        import sqlite3  # noqa: PLC0415 # most runs have nothing to do with the ledger

        try:
            connection = known or sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=_BUSY_TIMEOUT_S if self.kept is None else _BUSY_TIMEOUT_KEPT_S,
                isolation_level=None,
                check_same_thread=False,  # one that is kept is closed where the program ends
            )
            connection.row_factory = sqlite3.Row
            connection.text_factory = lambda content: content.decode("utf-8", "replace")
            try:
                yield connection
            finally:
                if self.kept is None or self.kept.connection is not connection:
                    _close(connection)
        except sqlite3.Error as exc:
            is_busy = getattr(exc, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            error = self._error(f"cannot be used ({exc})", changed=changed)
            error.hint = _HINT_BUSY if is_busy else error.hint
            raise error from exc

    def _check_file(self, *, changed: bool | None) -> tuple[int, int] | None:
        """Refuse what is no plain file, and give its device and inode; None if there is nothing.

        Through a link, SQLite would make the target.
        """
        try:
            status = self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            problem = f"cannot be looked at ({_reason(exc)})"
            raise self._error(problem, changed=changed) from exc
        if not stat.S_ISREG(status.st_mode):
            is_link = stat.S_ISLNK(status.st_mode)
            problem = "is a symbolic link" if is_link else "is not a regular file"
            raise self._error(problem, changed=changed)
        return status.st_dev, status.st_ino

    def _version(self, connection: "sqlite3.Connection", *, changed: bool | None) -> int | None:
        """Say of which version a ledger is, None if it is empty; refuse what is something else."""
        application_id = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        object_count = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (application_id, version, object_count) == (0, 0, 0):
            return None
        if application_id != APPLICATION_ID:
            raise self._error("is the database of another program", changed=changed)
        # A view could be anything, also one that never ends.
        kind = connection.execute("SELECT type FROM sqlite_master WHERE name = 'entries'")
        columns = {row["name"] for row in connection.execute("PRAGMA table_info(entries)")}
        if [row["type"] for row in kind] != ["table"] or not columns >= COLUMNS:
            raise self._error("has not the table of a ledger", changed=changed)
        if version != _SCHEMA_VERSION and version not in _ADDED:
            problem = f"has version {version}, expected {_SCHEMA_VERSION}"
            raise self._error(problem, changed=changed)
        return int(version)

    def _error(self, problem: str, *, changed: bool | None) -> LedgerError:
        return LedgerError(
            path=displayed(str(self.path)), problem=problem, changed=changed, hint=_HINT
        )


class _Kept:
    """A connection that waits for the next row."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._is_fresh = False

    def take(self, file: tuple[int, int]) -> "sqlite3.Connection | None":
        """Hand the connection out, if it has this very file open."""
        if file != self._file:
            self.close()
        taken, self.connection = self.connection, None
        return taken

    def keep(self, connection: "sqlite3.Connection", file: tuple[int, int]) -> None:
        """Put one aside for the next row."""
        self.connection, self._file, self._is_fresh = connection, file, True

    def settle(self) -> None:
        """Close it, if nobody wanted it since the last time."""
        if not self._is_fresh:
            self.close()
        self._is_fresh = False

    def close(self) -> None:
        """Close it, if one waits."""
        if self.connection is not None:
            _close(self.connection)
            self.connection = None


def _close(connection: "sqlite3.Connection") -> None:
    """Close a file, and leave all of it in the one file, unless others have it open."""
    _set_journal(connection, "DELETE")
    connection.close()


def _set_journal(connection: "sqlite3.Connection", mode: str) -> None:
    """Say where SQLite keeps what it may have to put right; where it cannot, that stays."""
    import sqlite3  # noqa: PLC0415 # as above

    with contextlib.suppress(sqlite3.Error):
        connection.execute(f"PRAGMA journal_mode = {mode}")


def _can_share_memory(folder: Path) -> bool:
    """Tell whether processes can share memory by a file there, which some mounts refuse.

    SQLite finds out only when it has marked the file as one with a log, and cannot open it again.
    """
    import mmap  # noqa: PLC0415, TID251 # only where many rows are added; nothing is kept in it
    from tempfile import TemporaryFile  # noqa: PLC0415 # as above

    try:
        with TemporaryFile(dir=folder) as file:
            file.truncate(mmap.PAGESIZE)
            mmap.mmap(file.fileno(), mmap.PAGESIZE).close()
    except OSError:
        return False
    return True


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, for the user alone."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):  # made by another process meanwhile
        folder.mkdir(mode=0o700)


def _make_file(path: Path) -> None:
    """Make an empty file for the user alone, unless something has the name already."""
    if not os.path.lexists(path):
        with contextlib.suppress(ConflictError), ClaimedFile(path) as file:
            file.keep(is_wanted=False)


def _insert(connection: "sqlite3.Connection", row: Row) -> int:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    added = connection.execute(f"INSERT INTO entries ({names}) VALUES ({values})", row)  # noqa: S608 # names of columns, which are ours
    return int(added.lastrowid or 0)


def _path(path: Path) -> str | bytes:
    """Write a path as text, or as the bytes that it has where they are no text."""
    text = str(path.absolute())
    return os.fsencode(text) if is_undecodable(text) else text


def _number(number: int | None) -> str | None:
    return None if number is None else str(number)


def _free_text(text: str | None) -> str | None:
    """Take out of a text what looks like a secret, and cut it to a sensible length."""
    if text is None:
        return None
    plain = text.encode("utf-8", "backslashreplace").decode()
    return redact_text(plain)[:_TEXT_LENGTH_MAX]


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
