"""The bolt file itself, the SQLite file beside it, and the folders around it."""

import fcntl
import hashlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import bolt_store
from recovery.discovery.candidate import Files
from recovery.model.schema import SQL_MIGRATIONS
from recovery.services.doctor.check import Outlook
from tests.support.doctor import examined, words
from tests.support.full_store import FullStore, make_full_store
from tests.support.stores import edit

REPLICATION = "0e00000000000001"


@pytest.fixture
def full(tmp_path: Path) -> FullStore:
    return make_full_store(tmp_path / "influxd.bolt")


@pytest.fixture
def sqlite_path(full: FullStore) -> Iterator[Path]:
    """A file at level 8 in which all is well, with a row in each table that is judged."""
    path = full.path.with_name("influxd.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);"
            "CREATE TABLE notebooks (id TEXT PRIMARY KEY, org_id TEXT, name TEXT, spec TEXT,"
            " created_at TIMESTAMP, updated_at TIMESTAMP);"
            "CREATE TABLE streams (id TEXT PRIMARY KEY, org_id TEXT, name TEXT, description TEXT,"
            " created_at TIMESTAMP, updated_at TIMESTAMP);"
            "CREATE TABLE annotations (id TEXT PRIMARY KEY, org_id TEXT,"
            " stream_id TEXT REFERENCES streams (id), summary TEXT, message TEXT, stickers TEXT,"
            " duration TEXT, lower TIMESTAMP, upper TIMESTAMP);"
            "CREATE TABLE remotes (id TEXT PRIMARY KEY, org_id TEXT, name TEXT, description TEXT,"
            " remote_url TEXT, remote_api_token TEXT, remote_org_id TEXT,"
            " allow_insecure_tls BOOLEAN, created_at TIMESTAMP, updated_at TIMESTAMP);"
            "CREATE TABLE replications (id TEXT PRIMARY KEY, org_id TEXT, name TEXT,"
            " description TEXT, remote_id TEXT, local_bucket_id TEXT, remote_bucket_id TEXT,"
            " remote_bucket_name TEXT, max_queue_size_bytes INTEGER, max_age_seconds INTEGER,"
            " latest_response_code INTEGER, latest_error_message TEXT,"
            " drop_non_retryable_data BOOLEAN, created_at TIMESTAMP, updated_at TIMESTAMP);"
        )
        connection.executemany(
            "INSERT INTO migrations (name) VALUES (?)", [(name,) for name in SQL_MIGRATIONS]
        )
        org = full.org
        row = REPLICATION
        connection.execute("INSERT INTO notebooks VALUES (?, ?, 'n', '{}', '', 0)", (row, org))
        connection.execute("INSERT INTO streams VALUES (?, ?, 's', '', '', '')", (row, org))
        connection.execute(
            "INSERT INTO annotations VALUES (?, ?, ?, 's', 'm', '[]', '', '', '')", (row, org, row)
        )
        connection.execute(
            "INSERT INTO remotes VALUES (?, ?, 'r', NULL, 'http://x', 'canary-remote-token', ?, 0,"
            " '', '')",
            (row, org, row),
        )
        connection.execute(
            "INSERT INTO replications VALUES (?, ?, 'p', NULL, ?, ?, ?, '', 67108860, 604800, NULL,"
            " NULL, 0, '', '')",
            (REPLICATION, org, REPLICATION, full.bucket, full.bucket),
        )
        connection.commit()
    yield path
    path.unlink(missing_ok=True)


def run_sql(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql)
        connection.commit()


def found(full: FullStore, sqlite_path: Path | None = None) -> tuple[str, ...]:
    return words(examined(full.path, Files(sqlite_path=sqlite_path)))


def test_nothing_is_found_in_a_file_that_fits_and_nothing_is_written(
    full: FullStore, sqlite_path: Path
) -> None:
    before = {path: _state(path) for path in full.path.parent.iterdir()}
    assert found(full, sqlite_path) == ()
    assert before == {path: _state(path) for path in full.path.parent.iterdir()}


def _state(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return hashlib.sha256(path.read_bytes()).hexdigest(), status.st_mtime_ns, status.st_ino


def test_a_file_that_is_not_there_is_not_missed(full: FullStore) -> None:
    assert found(full, full.path.with_name("absent.sqlite")) == ()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE replications SET local_bucket_id = '0cffffffffffffff'", "I33 M"),
        ("UPDATE annotations SET stream_id = '0cffffffffffffff'", "I33 M"),
        ("UPDATE migrations SET name = '0003_odd' WHERE id = 3", "I33 F"),
        ("INSERT INTO migrations (name) VALUES ('0009_new')", "I33 F"),
        ("DELETE FROM migrations WHERE id > 7", "I5 M"),
        ("DELETE FROM migrations WHERE id > 5", "I5 M, I33 F"),
        ("DROP TABLE remotes", "I33 M"),
        ("DROP TABLE replications", "I33 F"),
        ("ALTER TABLE annotations ADD COLUMN other TEXT", "I33 M"),
        ("ALTER TABLE annotations RENAME COLUMN lower TO other", "I33 M"),
        ("ALTER TABLE streams ADD COLUMN other TEXT", ""),
        ("ALTER TABLE notebooks ADD COLUMN other TEXT", ""),
        ("ALTER TABLE streams RENAME COLUMN name TO other", "I33 M"),
        ("ALTER TABLE annotations RENAME COLUMN id TO other", "I33 M"),
        ("UPDATE streams SET name = NULL", "I33 M"),
        ("UPDATE streams SET updated_at = NULL", "I33 M"),
        ("UPDATE notebooks SET created_at = x'00'", "I33 M"),
        ("UPDATE annotations SET stickers = 'zzz'", "I33 M"),
        ("UPDATE annotations SET org_id = '0cffffffffffffff'", "I33 M"),
        ("UPDATE replications SET org_id = '0cffffffffffffff'", "I33 M"),
        ("UPDATE streams SET org_id = '0cffffffffffffff'", "I33 M"),
        ("UPDATE notebooks SET spec = 'zzz'", "I33 M"),
        ("UPDATE notebooks SET spec = 0", "I33 M"),
        ("UPDATE notebooks SET id = 0", "I33 M"),
        ("UPDATE notebooks SET name = 0", ""),
        ("UPDATE remotes SET remote_org_id = 0", "I33 M"),
        ("ALTER TABLE replications DROP COLUMN max_age_seconds", "I33 F"),
        ("UPDATE replications SET id = 'odd'", "I33 F"),
        ("UPDATE replications SET id = 7", "I33 F"),
        ("UPDATE replications SET org_id = x'00ff'", "I33 F"),
        ("UPDATE replications SET remote_bucket_id = ''", "I33 F"),
        ("UPDATE replications SET remote_bucket_id = NULL", ""),
        ("UPDATE replications SET name = NULL", "I33 F"),
        ("UPDATE replications SET max_queue_size_bytes = 7", "I33 F"),
        ("UPDATE replications SET max_age_seconds = 1.5", "I33 F"),
        ("UPDATE replications SET latest_response_code = 'odd'", "I33 F"),
        ("UPDATE replications SET drop_non_retryable_data = 'odd'", "I33 F"),
        ("DELETE FROM migrations", "I5 M" + ", I33 F" * 6),
    ],
)
def test_what_is_broken_in_the_sqlite_file_is_found(
    full: FullStore, sqlite_path: Path, sql: str, expected: str
) -> None:
    run_sql(sqlite_path, sql)
    assert found(full, sqlite_path) == tuple(expected.split(", ") if expected else ())


def test_rows_that_a_server_leaves_of_an_organization_are_told_and_no_finding(
    full: FullStore, sqlite_path: Path
) -> None:
    tables = ("notebooks", "remotes", "replications", "streams", "annotations")
    for table in tables:
        run_sql(sqlite_path, f"UPDATE {table} SET org_id = '0cffffffffffffff'")  # noqa: S608 - of five
    examination = examined(full.path, Files(sqlite_path=sqlite_path))
    assert words(examination) == ()
    told = " ".join(one.problem for one in examination.advice)
    assert all(table in told for table in tables)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_at_the_place_of_the_sqlite_file_stops_the_server(
    full: FullStore, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "odd.sqlite")
    assert found(full, tmp_path / "odd.sqlite") == ("I33 F",)


@pytest.mark.parametrize("end", ["-journal", "-wal"])
def test_a_folder_in_the_place_of_a_journal_stops_the_server(
    full: FullStore, sqlite_path: Path, end: str
) -> None:
    sqlite_path.with_name(sqlite_path.name + end).mkdir()
    assert found(full, sqlite_path) == ("I33 F",)


def test_capitals_in_the_name_of_a_table_are_no_other_name(
    full: FullStore, sqlite_path: Path
) -> None:
    run_sql(sqlite_path, "ALTER TABLE replications RENAME TO other")
    run_sql(sqlite_path, "ALTER TABLE other RENAME TO Replications")
    assert found(full, sqlite_path) == ()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("1", b"eight   ", ()),
        ("1", b"", ()),
        ("odd", b"odd", ()),
        ("1", b"odd", ("I33 M",)),
        ("1/in", b"", ("I33 M",)),
        ("", b"", ("I33 M",)),
        (None, b"", ("I33 F",)),
    ],
)
def test_a_queue_that_influxd_cannot_open_is_found(
    full: FullStore, sqlite_path: Path, name: str | None, content: bytes, expected: tuple[str, ...]
) -> None:
    engine = full.path.parent / "engine"
    (engine / "data").mkdir(parents=True)
    (engine / "replicationq").mkdir()
    place = engine / "replicationq" / REPLICATION
    if name is None:
        place.symlink_to("gone")
    else:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    files = Files(sqlite_path=sqlite_path, engine_path=engine)
    assert words(examined(full.path, files)) == expected


@pytest.mark.parametrize("name", ["wal", "wal/{bucket}", "wal/{bucket}/autogen"])
def test_a_file_in_the_place_of_the_write_ahead_log_is_found(full: FullStore, name: str) -> None:
    engine = full.path.parent / "engine"
    (engine / "data").mkdir(parents=True)
    place = engine / name.format(bucket=full.bucket)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"")
    assert words(examined(full.path, Files(engine_path=engine))) == ("I34 H",)


def test_a_view_in_the_place_of_the_replications_does_not_stop_the_server(
    full: FullStore, sqlite_path: Path
) -> None:
    run_sql(sqlite_path, "ALTER TABLE replications RENAME TO other")
    run_sql(sqlite_path, "CREATE VIEW replications AS SELECT * FROM other")
    assert found(full, sqlite_path) == ("I33 M",)


def test_an_index_that_cannot_be_checked_does_not_stop_the_server(
    full: FullStore, sqlite_path: Path
) -> None:
    with closing(sqlite3.connect(sqlite_path)) as connection:
        connection.executescript(
            "PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES ('index', 'odd',"
            " 'replications', 0, 'CREATE INDEX odd ON replications (name COLLATE odd)')"
        )
    assert found(full, sqlite_path) == ("I33 M",)


def test_the_order_of_the_migrations_is_that_of_their_names(
    full: FullStore, sqlite_path: Path
) -> None:
    run_sql(sqlite_path, "UPDATE migrations SET id = 100 - id")
    assert found(full, sqlite_path) == ()


def test_a_view_that_never_ends_is_not_looked_into(full: FullStore, sqlite_path: Path) -> None:
    run_sql(sqlite_path, "DROP TABLE notebooks")
    run_sql(
        sqlite_path,
        "CREATE VIEW notebooks AS WITH RECURSIVE n (org_id) AS (SELECT 1 UNION ALL SELECT org_id "
        "+ 1 FROM n) SELECT * FROM n",
    )
    assert found(full, sqlite_path) == ("I33 M",)


def test_an_sqlite_file_without_tables_is_said_to_be_empty(
    full: FullStore, sqlite_path: Path
) -> None:
    sqlite_path.write_bytes(b"")
    assert found(full, sqlite_path) == ("I33 M",)


def test_a_file_that_is_no_sqlite_stops_the_server(full: FullStore, sqlite_path: Path) -> None:
    sqlite_path.write_bytes(b"no database, but long enough to be looked at" * 40)
    assert found(full, sqlite_path) == ("I33 F",)


def test_a_damaged_page_is_found(full: FullStore, sqlite_path: Path) -> None:
    run_sql(sqlite_path, "CREATE INDEX by_org ON notebooks (org_id)")
    run_sql(sqlite_path, "PRAGMA writable_schema = ON")
    content = bytearray(sqlite_path.read_bytes())
    page_size = int.from_bytes(content[16:18])
    content[-page_size:] = bytes(page_size)
    sqlite_path.write_bytes(content)
    assert found(full, sqlite_path)[0] in {"I33 M", "I33 F"}


def test_a_journal_that_is_left_is_said_and_left(full: FullStore, sqlite_path: Path) -> None:
    journal = sqlite_path.with_name("influxd.sqlite-journal")
    journal.write_bytes(b"journal")
    assert found(full, sqlite_path) == ("I33 L",)
    assert journal.read_bytes() == b"journal"


@pytest.mark.parametrize(("sql_level", "severity"), [(5, "M"), (7, "M"), (8, "F")])
def test_the_sqlite_file_tells_whether_tasks_can_stop_the_server(
    tmp_path: Path, sqlite_path: Path, sql_level: int, severity: str
) -> None:
    full = make_full_store(tmp_path / "level20.bolt", level=20)
    edit(full.path, lambda tx: tx.table("bucketindexv1").delete(f"{full.org}_tasks".encode()))
    if sql_level <= SQL_MIGRATIONS.index("0007_migrate_replications_add_bucket_name"):
        run_sql(sqlite_path, "ALTER TABLE replications DROP COLUMN remote_bucket_name")
    run_sql(sqlite_path, f"DELETE FROM migrations WHERE id > {sql_level}")  # noqa: S608 # a number
    for table in ("notebooks", "annotations", "streams", "remotes", "replications"):
        run_sql(sqlite_path, f"DELETE FROM {table}")  # noqa: S608 # one of these constants
    assert found(full, sqlite_path) == (f"I16 {severity}",)


def test_a_folder_of_a_beta_in_the_engine_stops_the_server(full: FullStore) -> None:
    engine = full.path.parent / "engine"
    (engine / "data").mkdir(parents=True)
    files = Files(engine_path=engine)
    assert words(examined(full.path, files)) == ()
    for name in ("_series", "index"):
        (engine / name).mkdir()
    examination = examined(full.path, files)
    assert words(examination) == ("I34 F", "I34 F")
    assert examination.verdict.outlook is Outlook.DOES_NOT_START


@pytest.mark.parametrize("name", ["", "data", "replicationq"])
@pytest.mark.parametrize("target", [None, "gone/engine", "itself"])
def test_what_is_no_folder_where_the_engine_needs_one_stops_the_server(
    full: FullStore, name: str, target: str | None
) -> None:
    place = full.path.parent / "engine" / name
    place.parent.mkdir(exist_ok=True)
    if target is None:
        place.write_bytes(b"x")
    else:
        place.symlink_to(place if target == "itself" else target)
    files = Files(engine_path=full.path.parent / "engine")
    examination = examined(full.path, files)
    assert "I34 F" in words(examination)
    assert examination.verdict.outlook is Outlook.DOES_NOT_START


@pytest.mark.parametrize(
    ("target", "expected"), [("made.sqlite", ()), ("gone/x", ("I33 F",)), ("l", ("I33 F",))]
)
def test_a_dead_link_in_the_place_of_the_sqlite_file_stops_the_server_where_it_makes_none(
    full: FullStore, target: str, expected: tuple[str, ...]
) -> None:
    path = full.path.with_name("l")
    path.symlink_to(target)
    assert found(full, path) == expected


def test_what_was_not_looked_at_is_said(full: FullStore, sqlite_path: Path) -> None:
    engine = full.path.parent / "engine"
    assert len(examined(full.path).not_looked_at) == 2
    files = Files(sqlite_path=sqlite_path, engine_path=engine)
    (said,) = examined(full.path, files).not_looked_at
    assert str(engine) in said
    engine.mkdir()
    assert examined(full.path, files).not_looked_at == ()


def test_all_that_is_wrong_with_a_page_is_one_finding(full: FullStore) -> None:
    with bolt_store.open(full.path) as db:
        size_bytes = db.meta.page_size_bytes
        leaf = next(
            page
            for page in bolt_store.page_infos(db)
            if page.state == "used" and page.kind == "leaf"
        )
    content = bytearray(full.path.read_bytes())
    content[leaf.pgid * size_bytes + 10 : leaf.pgid * size_bytes + 12] = b"\xfa\0"
    full.path.write_bytes(content)
    (finding,) = [one for one in examined(full.path).findings if one.number == "I1"]
    assert finding.severity == "F"
    assert len(finding.details) > 3


def test_a_store_that_others_may_read_is_found(full: FullStore) -> None:
    full.path.chmod(0o640)
    assert found(full) == ("I35 H",)
    odd = replace(full, path=full.path.parent / "-it's a\udcffplace" / "influxd.bolt")
    odd.path.parent.mkdir()
    full.path.rename(odd.path)
    (finding,) = examined(odd.path).findings
    _, _, command = finding.remedy.partition(": type ")
    assert "\udcff" not in command
    subprocess.run(["/bin/bash", "-c", command], check=True, cwd="/")
    assert found(odd) == ()


@pytest.mark.parametrize("name", ["influxd.bolt.pre-v2.7.1-upgrade.backup", "influxd.bolt.tmp"])
def test_a_copy_that_everybody_may_read_is_found(full: FullStore, name: str) -> None:
    copy = full.path.with_name(name)
    copy.write_bytes(b"")
    copy.chmod(0o644)
    assert found(full) == ("I35 H",)
    copy.chmod(0o640)
    assert found(full) == ()


def test_whichever_page_is_damaged_is_found_and_the_rest_is_examined(full: FullStore) -> None:
    edit(full.path, lambda tx: tx.table("usersv1").put(full.bob.encode(), b"{"))
    with bolt_store.open(full.path) as db:
        size_bytes = db.meta.page_size_bytes
        used = [page for page in bolt_store.page_infos(db) if page.state == "used"]
    pages = [page.pgid for page in used if page.kind in {"leaf", "branch"}]
    whole = full.path.read_bytes()
    numbers = set()
    for pgid in pages:
        content = bytearray(whole)
        content[pgid * size_bytes : pgid * size_bytes + 16] = bytes(16)
        full.path.write_bytes(content)
        examination = examined(full.path)
        assert words(examination)[0] == "I1 F"
        assert examination.verdict.outlook is Outlook.DOES_NOT_START
        numbers |= {one.number for one in examination.findings}
    assert len(pages) > 5
    assert "I6" in numbers


def test_no_finding_holds_a_secret_of_the_sqlite_file(full: FullStore, sqlite_path: Path) -> None:
    run_sql(sqlite_path, "UPDATE remotes SET org_id = '0cffffffffffffff'")
    assert "canary" not in repr(examined(full.path, Files(sqlite_path=sqlite_path)))


def test_a_store_named_otherwise_is_examined_by_its_name(tmp_path: Path, full: FullStore) -> None:
    renamed = replace(full, path=tmp_path / "influxdb.bolt")
    full.path.rename(renamed.path)
    renamed.path.chmod(0o644)
    (finding,) = examined(renamed.path).findings
    assert finding.bucket == "influxdb.bolt"


@pytest.mark.parametrize(
    "name", [".influx-recovery-abc", ".bolt_store-abc.new", "influxd.bolt.x.backup.partial"]
)
def test_what_a_killed_command_has_left_is_named(full: FullStore, name: str) -> None:
    left = full.path.with_name(name)
    left.write_bytes(b"canary")
    left.chmod(0o600)
    assert found(full) == ("I35 M",)
    with left.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as its maker has it while it lives
        assert found(full) == ()
