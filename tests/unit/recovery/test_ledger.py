"""The ledger: real files, other programs' connections, several processes."""

import errno
import mmap
import os
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from recovery.errors import ExitCode, LedgerError
from recovery.kept import KEPT
from recovery.ledger import Ledger, default_path
from recovery.ledger_rows import Actor
from recovery.ports import SystemClock
from recovery.services.changes.ports import Intent, Recorder
from tests.support.hints import hint_of

PROJECT = Path(__file__).parents[3]
# All published: of the sample store, or vectors of InfluxDB.
TOKEN = "A9Ovdl8SmP-rfp8wQ2vJoPUsZoQQJ3EochD88SlJcgrcLw4HBwgUqpSHQxc9N9Drg0_aY6Lp1jutBRcKhbV7aQ=="
HASHED_TOKEN = "$influxdb2-sha256$tNQn4VbAQgEgHYEptCwkeC6ov2uYZfzIGj6jRH_-eWI="  # its hash
ACTOR = Actor(host="db1", uid=0, sudo_user="alice", tool_version="0.1.0")
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UINT64_MAX = 2**64 - 1


@dataclass
class SteppingClock:
    """A clock that moves on by a second whenever it is read."""

    next_time: datetime = START

    def now(self) -> datetime:
        time = self.next_time
        self.next_time += timedelta(seconds=1)
        return time


def intent(
    *,
    operation: str = "auth create-operator",
    inode: int = 12345,
    record_ids: tuple[str, ...] = ("0123456789abcdef",),
    reason: str | None = "locked out",
    store_path: Path = Path("/var/lib/influxdb/influxd.bolt"),
) -> Intent:
    return Intent(
        operation=operation,
        store_path=store_path,
        device=65024,
        inode=inode,
        record_ids=record_ids,
        backup_path=Path("/var/lib/influxdb/influxd.bolt.backup"),
        reason=reason,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(
        path=tmp_path / "state" / "influx-recovery" / "ledger.sqlite",
        actor=ACTOR,
        clock=SteppingClock(),
    )


@contextmanager
def other_program(ledger: Ledger) -> Iterator[sqlite3.Connection]:
    """Open the file as a program that knows nothing of this tool would."""
    with closing(sqlite3.connect(ledger.path)) as connection:
        yield connection


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_ledger_is_what_a_change_needs(ledger: Ledger) -> None:
    recorder: Recorder = ledger
    recorder.conclude(recorder.intend(intent()), "done")
    assert [entry.phase for entry in ledger.entries()] == ["intent", "done"]


def test_an_intent_is_read_back_whole(ledger: Ledger) -> None:
    number = ledger.intend(intent(), txid_before=7)
    (entry,) = ledger.entries()
    assert (entry.entry_id, entry.intent_id) == (number, number)
    assert (entry.phase, entry.outcome) == ("intent", "pending")
    assert entry.time == START
    assert entry.actor == ACTOR
    assert entry.operation == "auth create-operator"
    assert entry.store_path == "/var/lib/influxdb/influxd.bolt"
    assert (entry.device, entry.inode) == (65024, 12345)
    assert entry.record_ids == ("0123456789abcdef",)
    assert entry.reason == "locked out"
    assert entry.backup_path == "/var/lib/influxdb/influxd.bolt.backup"
    assert (entry.txid_before, entry.txid_after) == (7, None)


@pytest.mark.parametrize(
    ("outcome", "phase"),
    [("done", "done"), ("unchanged", "failed"), ("unknown", "failed"), ("undelivered", "failed")],
)
def test_an_ending_repeats_the_facts_and_points_to_its_intent(
    ledger: Ledger, outcome: str, phase: str
) -> None:
    ledger.intend(intent(record_ids=()))
    number = ledger.intend(intent(), txid_before=7)
    ledger.conclude(number, outcome, txid_after=8)
    entry = ledger.entries()[-1]
    assert (entry.entry_id, entry.intent_id) == (3, number)
    assert (entry.phase, entry.outcome) == (phase, outcome)
    assert entry.time == START + timedelta(seconds=2)
    assert entry.record_ids == ("0123456789abcdef",)
    assert (entry.txid_before, entry.txid_after) == (7, 8)


def test_an_operation_may_have_two_endings(ledger: Ledger) -> None:
    """The commit is verified, and then the token cannot be handed over."""
    number = ledger.intend(intent())
    ledger.conclude(number, "done")
    ledger.conclude(number, "undelivered")
    assert [(e.intent_id, e.outcome) for e in ledger.entries()] == [
        (number, "pending"),
        (number, "done"),
        (number, "undelivered"),
    ]


def test_what_changes_nothing_can_be_noted(ledger: Ledger) -> None:
    number = ledger.note(intent(operation="auth list --show-tokens", record_ids=()))
    (entry,) = ledger.entries()
    assert (entry.entry_id, entry.phase, entry.outcome) == (number, "note", "shown")
    assert entry.record_ids == ()


def test_the_largest_numbers_of_64_bits_fit(ledger: Ledger) -> None:
    ledger.intend(intent(inode=UINT64_MAX), txid_before=UINT64_MAX)
    (entry,) = ledger.entries()
    assert (entry.inode, entry.txid_before) == (UINT64_MAX, UINT64_MAX)


def test_a_path_of_any_bytes_can_be_recorded(ledger: Ledger) -> None:
    path = b"/srv/\xff\xfe/influxd.bolt"
    ledger.intend(intent(store_path=Path(os.fsdecode(path))))
    (entry,) = ledger.entries()
    assert path == os.fsencode(entry.store_path)


def test_a_new_ledger_is_no_file_that_somebody_asked_for(ledger: Ledger) -> None:
    """Whoever is interrupted is not told that it is there and complete."""
    told: list[Path] = []
    before = KEPT.set(told)
    ledger.intend(intent())
    KEPT.reset(before)
    assert (told, ledger.path.exists()) == ([], True)


def test_a_relative_path_is_recorded_as_absolute(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    ledger.intend(intent(store_path=Path("influxd.bolt")))
    assert ledger.entries()[0].store_path == str(tmp_path / "influxd.bolt")


def test_file_and_folder_are_for_the_user_alone(ledger: Ledger, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ledger.intend(intent())
    finally:
        os.umask(before)
    folders = [tmp_path / "state", ledger.path.parent]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700, 0o700]
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    assert names_in(ledger.path.parent) == ["ledger.sqlite"]


def test_reading_creates_nothing(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.entries() == ()
    assert names_in(tmp_path) == []


def test_reading_changes_nothing(ledger: Ledger) -> None:
    ledger.intend(intent())
    before = (ledger.path.read_bytes(), ledger.path.stat().st_mtime_ns)
    ledger.entries()
    assert before == (ledger.path.read_bytes(), ledger.path.stat().st_mtime_ns)
    assert names_in(ledger.path.parent) == ["ledger.sqlite"]


def test_an_empty_file_becomes_a_ledger_and_reads_as_none(ledger: Ledger) -> None:
    ledger.path.parent.mkdir(parents=True)
    ledger.path.touch(mode=0o600)
    assert ledger.entries() == ()
    ledger.intend(intent())
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET reason = 'another'",
        "UPDATE entries SET outcome = 'done' WHERE id = 1",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE id = 1",
        "INSERT OR REPLACE INTO entries SELECT * FROM entries WHERE id = 1",
        "REPLACE INTO entries SELECT * FROM entries WHERE id = 1",
        "INSERT INTO entries SELECT * FROM entries WHERE true ON CONFLICT DO UPDATE SET uid = 1",
    ],
)
def test_no_other_program_can_change_or_remove_a_row(ledger: Ledger, statement: str) -> None:
    ledger.intend(intent())
    before = ledger.entries()
    with other_program(ledger) as connection, pytest.raises(sqlite3.IntegrityError, match="append"):
        connection.execute(statement)
    assert before == ledger.entries()


def test_another_program_can_read_it(ledger: Ledger) -> None:
    ledger.intend(intent())
    with other_program(ledger) as connection:
        rows = connection.execute("SELECT operation, record_ids FROM entries").fetchall()
    assert rows == [("auth create-operator", '["0123456789abcdef"]')]


@pytest.mark.parametrize("secret", [TOKEN, HASHED_TOKEN])
def test_a_token_in_a_reason_is_cut_out(ledger: Ledger, secret: str) -> None:
    ledger.intend(intent(reason=f"old one was {secret}, lost"))
    assert ledger.entries()[0].reason == "old one was [redacted], lost"
    assert secret.encode() not in ledger.path.read_bytes()


def test_a_token_in_the_name_of_the_user_is_cut_out(ledger: Ledger) -> None:
    actor = Actor(host=f"x{TOKEN}", uid=0, sudo_user=TOKEN, tool_version="0.1.0")
    Ledger(path=ledger.path, actor=actor, clock=SteppingClock()).intend(intent())
    assert TOKEN[:40].encode() not in ledger.path.read_bytes()


def test_a_reason_is_cut_to_a_sensible_length(ledger: Ledger) -> None:
    ledger.intend(intent(reason="why " * 1000))
    assert len(ledger.entries()[0].reason or "") == 1000


@pytest.mark.parametrize("bad", [TOKEN, HASHED_TOKEN, "", "0" * 16, "0123456789abcde", "bob"])
def test_only_an_id_gets_in_as_a_record_id(ledger: Ledger, bad: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no ID") as caught:
        ledger.intend(intent(record_ids=("0123456789abcdef", bad)))
    assert not bad or bad not in str(caught.value)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "bad", [TOKEN, HASHED_TOKEN, "", "auth create; drop", "Auth", "a" * 5 + "\n"]
)
def test_only_the_words_of_a_command_get_in_as_an_operation(
    ledger: Ledger, bad: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="words of a command"):
        ledger.intend(intent(operation=bad))
    assert names_in(tmp_path) == []


def test_an_unknown_outcome_is_a_bug_of_the_caller(ledger: Ledger) -> None:
    number = ledger.intend(intent())
    with pytest.raises(ValueError, match="outcome"):
        ledger.conclude(number, TOKEN)
    assert len(ledger.entries()) == 1


def test_an_ending_without_intent_is_refused(ledger: Ledger) -> None:
    ledger.note(intent())
    for number in (1, 2):
        with pytest.raises(LedgerError, match="has no intent") as caught:
            ledger.conclude(number, "done")
        assert caught.value.changed is True
    assert len(ledger.entries()) == 1


def test_prepare_proves_that_a_row_fits_and_adds_none(ledger: Ledger) -> None:
    ledger.prepare(intent())
    assert ledger.entries() == ()
    assert ledger.intend(intent()) == 1


def test_several_processes_write_at_once(ledger: Ledger) -> None:
    """All of them make the file, too."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from recovery.ledger import Ledger\n"
        "from recovery.ledger_rows import Actor\n"
        "from recovery.ports import SystemClock\n"
        "from recovery.services.changes.ports import Intent\n"
        "actor = Actor(host='db1', uid=0, sudo_user=None, tool_version='0')\n"
        "ledger = Ledger(path=Path(sys.argv[1]), actor=actor, clock=SystemClock())\n"
        "intent = Intent(operation='user create', store_path=Path('/x'), device=1,\n"
        "    inode=int(sys.argv[2]), record_ids=(), backup_path=None, reason=None)\n"
        "for _ in range(3):\n"
        "    ledger.conclude(ledger.intend(intent), 'done')\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(ledger.path), str(n)], cwd=PROJECT)
        for n in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    entries = ledger.entries()
    assert [entry.entry_id for entry in entries] == list(range(1, 25))
    first_rows = {entry.entry_id: entry for entry in entries if entry.phase == "intent"}
    for entry in entries:
        assert first_rows[entry.intent_id].inode == entry.inode


def test_a_writer_cut_off_in_the_middle_leaves_the_rows_before_it(ledger: Ledger) -> None:
    ledger.intend(intent())
    code = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "columns = [row[1] for row in connection.execute('PRAGMA table_info(entries)')][1:]\n"
        "names = ', '.join(columns)\n"
        "for _ in range(2000):\n"
        "    connection.execute(f'INSERT INTO entries ({names}) SELECT {names} FROM entries'\n"
        "        ' WHERE id = 1')\n"
        "os._exit(9)\n"
    )
    assert (
        subprocess.run([sys.executable, "-c", code, str(ledger.path)], check=False).returncode == 9
    )
    assert (ledger.path.parent / "ledger.sqlite-journal").exists()
    ledger.intend(intent())
    assert [entry.entry_id for entry in ledger.entries()] == [1, 2]


def refusal(ledger: Ledger) -> LedgerError:
    """Try all that writes, and return the last refusal."""
    with pytest.raises(LedgerError):
        ledger.prepare(intent())
    with pytest.raises(LedgerError) as caught:
        ledger.intend(intent())
    error = caught.value
    assert error.exit_code is ExitCode.REFUSED
    assert error.changed is False
    assert str(error).endswith("; nothing was changed")
    assert "--ledger" in hint_of(error)
    return error


def test_a_folder_in_the_place_of_the_ledger_is_refused(ledger: Ledger) -> None:
    ledger.path.mkdir(parents=True)
    assert "is not a regular file" in str(refusal(ledger))
    with pytest.raises(LedgerError, match="is not a regular file"):
        ledger.entries()


def test_a_file_in_the_place_of_the_folder_is_refused(ledger: Ledger) -> None:
    ledger.path.parent.parent.mkdir()
    ledger.path.parent.write_bytes(b"")
    assert re.search(r"cannot be made \(.+\)", str(refusal(ledger)))
    assert ledger.entries() == ()


def test_a_link_is_refused_and_its_target_not_made(ledger: Ledger, tmp_path: Path) -> None:
    ledger.path.parent.mkdir(parents=True)
    ledger.path.symlink_to(tmp_path / "elsewhere")
    assert "is a symbolic link" in str(refusal(ledger))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("content", [b"not a database" * 100, b"\xed\xda\x0c\xed" * 4096])
def test_a_file_that_is_no_database_is_refused_and_kept(ledger: Ledger, content: bytes) -> None:
    ledger.path.parent.mkdir(parents=True)
    ledger.path.write_bytes(content)
    assert "file is not a database" in str(refusal(ledger))
    with pytest.raises(LedgerError, match="file is not a database"):
        ledger.entries()
    assert content == ledger.path.read_bytes()


def test_the_database_of_another_program_is_refused_and_kept(ledger: Ledger) -> None:
    ledger.path.parent.mkdir(parents=True)
    with other_program(ledger) as connection:
        connection.execute("CREATE TABLE notebooks (id TEXT)")
    before = ledger.path.read_bytes()
    assert "is the database of another program" in str(refusal(ledger))
    with pytest.raises(LedgerError, match="another program"):
        ledger.entries()
    assert before == ledger.path.read_bytes()


def test_a_ledger_of_the_first_version_is_read_and_gets_what_it_lacks_with_its_next_row(
    ledger: Ledger,
) -> None:
    ledger.intend(intent(), txid_before=7)
    with other_program(ledger) as connection:
        connection.execute("ALTER TABLE entries DROP COLUMN digest")
        connection.execute("PRAGMA user_version = 1")
    (first,) = ledger.entries()
    assert (first.txid_before, first.digest) == (7, None)
    ledger.prepare(intent())
    assert ledger.entries() == (first,)
    ledger.intend(msgspec.structs.replace(intent(), digest="ab" * 32))
    assert [entry.digest for entry in ledger.entries()] == [None, "ab" * 32]
    ledger.conclude(2, "done")
    assert ledger.entries()[-1].digest == "ab" * 32


def test_a_ledger_of_a_later_version_is_refused(ledger: Ledger) -> None:
    ledger.intend(intent())
    with other_program(ledger) as connection:
        connection.execute("PRAGMA user_version = 3")
    assert "has version 3, expected 2" in str(refusal(ledger))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "'twelve'"),
        ("id", "NULL"),
        ("intent_id", "'x'"),
        ("intent_id", "1.5"),
        *(
            ("time", value)
            for value in ("'yesterday'", "NULL", "7", "x'00'", "'2026-01-01T00:00:00'")
        ),
        *(("phase", value) for value in ("'later'", "NULL", "x'ff'")),
        *(("outcome", value) for value in ("'\x1b[2J'", "NULL", "3")),
        *(("operation", value) for value in ("NULL", "x'1b'", "4")),
        *(("host", value) for value in ("NULL", "1")),
        *(("uid", value) for value in ("NULL", "'\x1b[31m'", "1.5", "x'00'")),
        ("sudo_user", "5"),
        ("tool_version", "NULL"),
        *(("store_path", value) for value in ("NULL", "9", "x'2f'", "'/a' || char(0) || 'b'")),
        *(("device", value) for value in ("NULL", "'x'", "'-1'", "1.5", "'" + "9" * 5000 + "'")),
        *(("inode", value) for value in ("NULL", "''", "' 1'")),
        *(
            ("record_ids", value)
            for value in (
                "NULL",
                "''",
                "'{}'",
                "'[1]'",
                "'[null]'",
                "'x'",
                "5",
                "'" + "[" * 9999 + "'",
            )
        ),
        ("reason", "5"),
        *(("backup_path", value) for value in ("5", "x'2f'", "char(0)")),
        *(("txid_before", value) for value in ("'x'", "'-1'", "1.5", "'1e3'")),
        *(("txid_after", value) for value in ("'x'", "x'31'")),
        ("digest", "5"),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out_and_told(
    ledger: Ledger, column: str, value: str
) -> None:
    """Whatever another program has put there, the rows around it go on to count."""
    ledger.intend(intent())
    with other_program(ledger) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(entries)")]
        names = ", ".join(columns)
        kinds = ", ".join(columns).replace("id, ", "id PRIMARY KEY, ", 1)
        for statement in (
            f"CREATE TABLE loose ({kinds})",
            "INSERT INTO loose SELECT * FROM entries",
            "DROP TABLE entries",
            "ALTER TABLE loose RENAME TO entries",
        ):
            connection.execute(statement)
        values = ["7" if name == "id" else name for name in columns]
        connection.execute(f"INSERT INTO entries ({names}) SELECT {', '.join(values)} FROM entries")  # noqa: S608 # names come from the table itself
        connection.execute(f"UPDATE entries SET {column} = {value} WHERE id = 7")  # noqa: S608 # a value of this test
    told: list[str] = []
    entries = msgspec.structs.replace(ledger, warn=told.append).entries()
    assert [entry.entry_id for entry in entries] == [1]
    assert len(told) == 1
    assert "cannot be understood" in told[0]
    assert told[0].isprintable()


def test_many_odd_rows_are_one_sentence(ledger: Ledger) -> None:
    for _ in range(9):
        ledger.intend(intent())
    with other_program(ledger) as connection, connection:
        connection.execute("DROP TRIGGER entries_are_never_changed")
        connection.execute("UPDATE entries SET time = 'x'")
    told: list[str] = []
    assert msgspec.structs.replace(ledger, warn=told.append).entries() == ()
    assert told == [
        (
            f"of the ledger {ledger.path}, rows 1, 2, 3, 4, 5 and 4 more cannot be understood, and "
            "count for nothing"
        )
    ]


def test_text_that_is_no_utf8_does_not_stop_the_others(ledger: Ledger) -> None:
    ledger.intend(intent())
    with other_program(ledger) as connection, connection:
        connection.execute("DROP TRIGGER entries_are_never_changed")
        connection.execute("UPDATE entries SET reason = CAST(x'ff' AS TEXT)")
    assert [entry.reason for entry in ledger.entries()] == ["\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE entries", "CREATE TABLE entries (id INTEGER, what TEXT)"),
        ("DROP TABLE entries", "CREATE TABLE entry (id INTEGER)"),
        (
            "DROP TABLE entries",
            (
                "CREATE VIEW entries AS WITH RECURSIVE n(id) AS "
                "(SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT * FROM n"
            ),
        ),
    ],
)
def test_a_file_with_our_mark_and_another_schema_is_refused(
    ledger: Ledger, statements: tuple[str, ...]
) -> None:
    ledger.intend(intent())
    with other_program(ledger) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerError, match="has not the table of a ledger"):
        ledger.entries()
    with pytest.raises(LedgerError, match="has not the table of a ledger"):
        ledger.intend(intent())
    assert ledger.path.read_bytes() == before


def test_a_locked_ledger_is_refused_after_a_while(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.intend(intent())
    monkeypatch.setattr("recovery.ledger._BUSY_TIMEOUT_S", 0.01)
    with other_program(ledger) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        refused = refusal(ledger)
        assert "database is locked" in str(refused)
        assert hint_of(refused).startswith("try again when the program that holds it has ended")


def test_one_that_is_kept_open_keeps_others_waiting_for_less(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recovery.ledger._BUSY_TIMEOUT_S", 1.0)
    monkeypatch.setattr("recovery.ledger._BUSY_TIMEOUT_KEPT_S", 0.01)
    with ledger.open_throughout() as kept:
        kept.intend(intent())
        with other_program(ledger) as connection:
            connection.execute("BEGIN IMMEDIATE")
            began_s = time.monotonic()
            assert "database is locked" in str(refusal(kept))
    assert time.monotonic() - began_s < 1.0


@pytest.mark.parametrize(
    ("outcome", "changed", "words"),
    [
        ("done", True, "the store was changed, and the ledger does not say so"),
        ("undelivered", True, "the store was changed, and the ledger does not say so"),
        ("unknown", None, "it is not known whether the store was changed"),
        ("unchanged", False, "nothing was changed"),
    ],
)
def test_an_ending_that_cannot_be_written_says_what_became_of_the_store(
    ledger: Ledger, outcome: str, words: str, *, changed: bool | None
) -> None:
    number = ledger.intend(intent())
    ledger.path.unlink()
    ledger.path.mkdir()
    with pytest.raises(LedgerError) as caught:
        ledger.conclude(number, outcome)
    assert caught.value.changed is changed
    assert str(caught.value).endswith(f"; {words}")


def test_a_full_disk_is_refused_before_anything_else(ledger: Ledger) -> None:
    """A limit on the size of files stands in for the full disk; both end in a short write."""

    def fill() -> None:
        for _ in range(40):  # the last page may have room for a few
            ledger.intend(intent(reason="x " * 400))

    fill()
    before = ledger.entries()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ledger.path.stat().st_size, limits[1]))
    try:
        with pytest.raises(LedgerError) as caught:
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.changed is False
    assert re.search(
        r"cannot be used \((disk I/O error|database or disk is full)\)", str(caught.value)
    )
    assert before == ledger.entries()[: len(before)]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_no_permission_is_refused_by_reading_and_writing(tmp_path: Path, mode: int) -> None:
    """As an ordinary user, since root may do anything."""
    folder = tmp_path / "closed"
    code = (
        "import os, shlex, sys, sqlite3, sqlite_utils\n"  # now, while they can surely be read
        "from pathlib import Path\n"
        "from recovery.errors import LedgerError\n"
        "from recovery.ledger import Ledger\n"
        "from recovery.ledger_rows import Actor\n"
        "from recovery.ports import SystemClock\n"
        "from recovery.services.changes.ports import Intent\n"
        "folder = Path(sys.argv[1])\n"
        "os.setgroups([])\n"
        "os.chdir(folder.parent)\n"  # the folders above belong to root alone
        "os.chown('.', 65534, 65534)\n"
        "os.setuid(65534)\n"
        "folder = Path('closed')\n"
        "folder.mkdir(mode=int(sys.argv[2]))\n"
        "actor = Actor(host='db1', uid=0, sudo_user=None, tool_version='0')\n"
        "ledger = Ledger(path=folder / 'ledger.sqlite', actor=actor, clock=SystemClock())\n"
        "intent = Intent(operation='user create', store_path=Path('/x'), device=1,\n"
        "    inode=1, record_ids=(), backup_path=None, reason=None)\n"
        "for call in (lambda: ledger.prepare(intent), lambda: ledger.intend(intent),\n"
        "             ledger.entries):\n"
        "    try:\n"
        "        print(call())\n"
        "    except LedgerError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(mode)],
        check=True,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    prepared, intended, read = done.stdout.splitlines()
    expected = (
        "the ledger closed/ledger.sqlite cannot be made (Permission denied); nothing was changed"
    )
    assert [expected, expected] == [prepared, intended]
    assert read == ("()" if mode == 0o500 else expected.replace("made", "looked at"))


@pytest.mark.parametrize(
    ("environment", "is_root", "expected"),
    [
        ({}, True, "/var/lib/influx-recovery/ledger.sqlite"),
        ({"XDG_STATE_HOME": "/state"}, True, "/var/lib/influx-recovery/ledger.sqlite"),
        ({}, False, "/home/bob/.local/state/influx-recovery/ledger.sqlite"),
        ({"XDG_STATE_HOME": ""}, False, "/home/bob/.local/state/influx-recovery/ledger.sqlite"),
        ({"XDG_STATE_HOME": "rel"}, False, "/home/bob/.local/state/influx-recovery/ledger.sqlite"),
        ({"XDG_STATE_HOME": "/state"}, False, "/state/influx-recovery/ledger.sqlite"),
    ],
)
def test_the_usual_place_depends_on_the_user(
    environment: dict[str, str], expected: str, *, is_root: bool
) -> None:
    assert Path(expected) == default_path(environment, home=Path("/home/bob"), is_root=is_root)


def test_an_actor_is_this_process() -> None:
    actor = Actor.here({"SUDO_USER": "alice", "SECRET": "x"}, tool_version="0.1.0")
    assert actor == Actor(
        host=os.uname().nodename, uid=os.getuid(), sudo_user="alice", tool_version="0.1.0"
    )
    assert Actor.here({"SUDO_USER": ""}, tool_version="0.1.0").sudo_user is None


def test_importing_and_reading_an_absent_ledger_imports_no_database() -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from recovery.ledger import Ledger\n"
        "from recovery.ledger_rows import Actor\n"
        "from recovery.ports import SystemClock\n"
        "actor = Actor(host='db1', uid=0, sudo_user=None, tool_version='0')\n"
        "Ledger(path=Path('/nonexistent/l'), actor=actor, clock=SystemClock()).entries()\n"
        "print(sorted({'sqlite3', 'sqlite_utils'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=PROJECT, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def test_a_ledger_that_was_being_written_when_its_process_was_killed_can_be_read(
    tmp_path: Path,
) -> None:
    written = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(written, isolation_level=None)
    connection.execute("CREATE TABLE other (a)")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO other VALUES (?)", [("x" * 4000,)] * 50)
    cut = tmp_path / "cut"
    cut.mkdir()
    for path in tmp_path.glob("ledger.sqlite*"):
        shutil.copyfile(path, cut / path.name)
    connection.execute("ROLLBACK")
    connection.close()
    assert (cut / "ledger.sqlite-journal").stat().st_size > 0
    ledger = Ledger(path=cut / "ledger.sqlite", actor=ACTOR, clock=SystemClock())
    with pytest.raises(LedgerError) as caught:  # it is read, and is another program's
        ledger.entries()
    assert "readonly" not in str(caught.value)


def test_a_new_ledger_that_is_kept_open_takes_a_row_after_it_was_tried(ledger: Ledger) -> None:
    """What trying takes back must not be the tables that the next row counts on."""
    with ledger.open_throughout() as kept:
        kept.prepare(intent())
        kept.intend(intent())
    assert len(ledger.entries()) == 1


def test_whoever_is_killed_with_a_ledger_open_leaves_each_row_that_was_answered(
    ledger: Ledger,
) -> None:
    """What SQLite keeps beside the file meanwhile is in the file again when somebody reads it."""
    child = os.fork()
    if not child:
        try:
            with ledger.open_throughout() as kept:
                for _ in range(3):
                    kept.conclude(kept.intend(intent()), "done")
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    beside = {path.name for path in ledger.path.parent.iterdir()}
    assert "ledger.sqlite-wal" in beside
    assert [one.phase for one in ledger.entries()] == ["intent", "done"] * 3
    assert {path.name for path in ledger.path.parent.iterdir()} == {"ledger.sqlite"}
    ledger.path.chmod(0o400)
    ledger.path.parent.chmod(0o500)
    assert len(ledger.entries()) == 6
    ledger.path.parent.chmod(0o700)


def test_a_copy_without_the_log_beside_it_is_read_and_nothing_is_made(
    ledger: Ledger, tmp_path: Path
) -> None:
    copy = tmp_path / "copy" / "ledger.sqlite"
    copy.parent.mkdir()
    ledger.intend(intent())
    with ledger.open_throughout() as kept:
        kept.intend(intent())
        shutil.copyfile(ledger.path, copy)
    assert len(Ledger(path=copy, actor=ACTOR, clock=SteppingClock()).entries()) >= 1
    assert names_in(copy.parent) == ["ledger.sqlite"]


def test_a_copy_has_all_rows_once_none_came_for_a_while(ledger: Ledger, tmp_path: Path) -> None:
    copy = Ledger(path=tmp_path / "copy", actor=ACTOR, clock=SteppingClock())
    with ledger.open_throughout() as kept:
        for count in range(1, 3):
            kept.conclude(kept.intend(intent()), "done")
            kept.settle()
            assert "ledger.sqlite-wal" in names_in(ledger.path.parent)  # more may come
            kept.settle()
            assert names_in(ledger.path.parent) == ["ledger.sqlite"]
            shutil.copyfile(ledger.path, copy.path)
            assert [one.phase for one in copy.entries()] == ["intent", "done"] * count
            kept.settle()


def test_others_read_and_add_rows_while_a_ledger_is_kept_open(ledger: Ledger) -> None:
    with ledger.open_throughout() as kept:
        kept.conclude(kept.intend(intent()), "done")
        second = kept.intend(intent())
        other = ledger.intend(intent())
        kept.conclude(second, "unchanged")
        ledger.conclude(other, "done")
        expected = ["intent", "done", "intent", "intent", "failed", "done"]
        assert [one.phase for one in ledger.entries()] == expected
        assert kept.entries() == ledger.entries()
    assert {path.name for path in ledger.path.parent.iterdir()} == {"ledger.sqlite"}
    assert ledger.path.read_bytes()[18:20] == b"\1\1"  # no log is kept beside it
    assert [one.phase for one in ledger.entries()] == expected


def test_a_ledger_is_kept_open_without_a_log_where_no_memory_can_be_shared(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would mark the file as having one, and could not open it there any more."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    monkeypatch.setattr(mmap, "mmap", refuse)
    with ledger.open_throughout() as kept:
        for _ in range(2):
            kept.conclude(kept.intend(intent()), "done")
        assert ledger.path.read_bytes()[18:20] == b"\1\1"
    assert [one.phase for one in ledger.entries()] == ["intent", "done"] * 2


def test_an_end_whose_file_has_gone_is_refused_and_keeps_no_later_row_out(ledger: Ledger) -> None:
    with ledger.open_throughout() as kept:
        kept.intend(intent())
        number = kept.intend(intent())
        ledger.path.unlink()
        with pytest.raises(LedgerError, match="has no intent 2"):
            kept.conclude(number, "done")
        ledger.path.unlink()
        ledger.path.mkdir()
        with pytest.raises(LedgerError, match="is not a regular file"):
            kept.conclude(number, "done")
        ledger.path.rmdir()
        kept.intend(intent())
    assert [one.phase for one in ledger.entries()] == ["intent"]
