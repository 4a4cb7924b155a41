"""The SQLite file beside the store: notebooks, annotations, remotes, replications.

Lives here: the rules I5 and I33. Must not live here: changing it.

Invariants: the file is only read, without a lock and without a journal being rolled back; where a
journal is left, that is said and the content is not judged. Tokens of other servers, which are in
it in clear text, are not read.

Source: spec influxdb-metadata sections 6.2, 6.3, 12, 13.2; InfluxDB v2.9.1 sqlite/migrator.go
(UpUntil), sqlite/sqlite.go (allMigrationNames: by name), replications/internal/store.go
(ListReplications, which a start reads), replication.go (what each column is read into),
kit/platform/id.go (Scan). What a start makes of each column was seen with a real 2.9.1.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote

import msgspec

from recovery.model.ids import Id, parse_id
from recovery.model.schema import SQL_MIGRATIONS, versions_of_levels
from recovery.services.doctor.chart import Chart
from recovery.services.doctor.finding import Finding, Rule, Severity

LEVEL_ALL_COLUMNS: Final = 7
"""From this number of migrations on the table of the replications has all columns that are read."""
LEVEL_REPLICATIONS: Final = 5
TABLES_BY_MIGRATION: Final = {
    1: ("migrations",),
    2: ("notebooks",),
    3: ("streams", "annotations"),
    4: ("remotes",),
    5: ("replications",),
}
COPIED: Final = {
    4: {"remotes": 10},
    5: {"remotes": 10, "replications": 14},
    6: {"remotes": 10, "replications": 14},
    7: {"remotes": 10, "replications": 15},
}
"""How many columns a table has to have that a migration to come copies whole, by number of those
that were made (sqlite/migrations, 0006 to 0008)."""
SEGMENT_SIZE_BYTES_MIN: Final = 8
"""The end of a segment of a queue, which says where it is read on."""
JOURNALS: Final = ("-journal", "-wal")
QUEUE_SIZE_BYTES_MIN: Final = 20 << 20
"""Two segments of a durable queue (pkg/durablequeue/queue.go, NewQueue)."""
ORG_TABLES: Final = ("notebooks", "streams", "annotations", "remotes", "replications")

MIXED: Final = Rule(
    number="I5",
    severity=Severity.MEDIUM,
    problem="is a file of another InfluxDB version than the store",
    effect="influxd may stop, or bring both up to date: the two come from different installations, "
    "or a restore stopped half way",
    remedy="repair cannot know which of the two is right: restore both from one backup",
)
NOT_SQLITE: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="is no SQLite file that can be read",
    effect="influxd stops: Failed opening sqlite store",
    remedy="repair does not change it: restore a backup, or move it away to begin an empty one",
)
DEAD_LINK: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="is a link into a folder that is not there",
    effect="influxd stops: unable to open database file",
    remedy="repair does not change it: mount what it leads to, or put it back",
)
UNKNOWN_MIGRATION: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="has a migration that InfluxDB 2.9 does not know, or in another order",
    effect="influxd stops: Failed to apply SQL migrations",
    remedy="repair does not change it: restore a backup that fits the store",
)
JOURNAL_FOLDER: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="has a folder where SQLite looks for its journal",
    effect="influxd stops: Failed to apply SQL migrations, is a directory",
    remedy="repair does not change it: look what it is, and move it away",
)
JOURNAL: Final = Rule(
    number="I33",
    severity=Severity.LOW,
    problem="has a journal beside it, left by a crash, so its content was not judged",
    effect="influxd rolls it back at its start",
    remedy="keep the two files together",
)
EMPTIED: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="has no table",
    effect="influxd makes them empty at its start: notebooks, annotations, remotes and "
    "replications that were there are lost",
    remedy="repair does not change it: restore a backup of it, if there was something in it",
)
TABLE_IN_THE_WAY: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="has a table that a migration which it does not record would make",
    effect="influxd stops: Failed to apply SQL migrations, table already exists",
    remedy="repair does not change it: restore a backup, or move it away to begin an empty one",
)
OTHER_SHAPE: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="has a table of another number of columns than the next migration copies",
    effect="influxd stops: Failed to apply SQL migrations",
    remedy="repair does not change it: restore a backup, or move it away to begin an empty one",
)
NO_TABLE: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="lacks a table that its migrations have made",
    effect="requests that need it end with status 500",
    remedy="repair does not change it: restore a backup, or move it away to begin an empty one",
)
NO_REPLICATIONS: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="lacks the table replications, or a column of it",
    effect="influxd stops: Failed to open replications service",
    remedy="repair does not change it: restore a backup, or move it away to begin an empty one",
)
BAD_REPLICATION: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="has a replication that influxd cannot read",
    effect="influxd stops: Failed to open replications service",
    remedy="repair does not change it: delete that row of the table replications with sqlite3, or "
    "restore a backup",
)
ODD_COLUMNS: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="has a table without a column that influxd reads, or with one that it does not know",
    effect="requests that need it end with status 500",
    remedy="repair does not change it: restore a backup, or move it away to begin an empty one",
)
BAD_ROW: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="has a row that influxd cannot read",
    effect="each list that would show it ends with status 400 or 500",
    remedy="repair does not change it: delete that row with sqlite3, or restore a backup",
)
DAMAGED: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="is damaged, as SQLite's own check says",
    effect="requests on notebooks, annotations, remotes or replications may fail",
    remedy="repair does not change it: restore a backup, or recover it with sqlite3",
)
DANGLING: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="has rows that name rows which do not exist",
    effect="replications without their remote fail",
    remedy="repair does not change it: PRAGMA foreign_key_check in sqlite3 lists them",
)
DEAD_QUEUE: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="has a replication whose queue is a link to a folder that is not there",
    effect="influxd stops: Failed to open replications service",
    remedy="repair moves no data: mount what replicationq/<replication> in the engine's folder "
    "leads to, or remove the link",
)
BAD_QUEUE: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="has a replication whose queue influxd cannot open",
    effect="the list of replications ends with status 500, and the replication sends nothing",
    remedy="repair moves no data: look into replicationq/<replication> in the engine's folder, and "
    "move away what is no segment of 8 bytes or more",
)
NO_ORG: Final = Rule(
    number="I33",
    severity=Severity.LOW,
    problem="has rows of an organization that does not exist",
    effect="nobody can see them; influxd leaves those of an organization that it deletes",
    remedy="repair does not change it",
    is_advice=True,
)
ELSEWHERE: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="has a row of another organization than the remote or stream that it names, in",
    effect="the lists of its organization are without it",
    remedy="repair does not change it: set its org_id with sqlite3, or restore a backup",
)
OWN: Final = ("id", "org_id")
PARENTS: Final = (("annotations", "stream_id", "streams"), ("replications", "remote_id", "remotes"))
"""Table, column and the table that the column names a row of, which has an organization too."""
NO_BUCKET: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="has a replication of a bucket that does not exist",
    effect="the replication sends nothing",
    remedy="repair does not change it: delete the replication",
)


def sql_level(path: Path | None) -> int | None:
    """Count the migrations of the SQLite file; None without one, or when it cannot be told."""
    if path is None or not path.is_file():
        return None
    try:
        with closing(_connect(path)) as connection:
            return len(_migrations(connection))
    except sqlite3.Error:
        return None


def organizations_of(path: Path) -> list[Id]:
    """List the organizations that an SQLite file names, each once; none when it cannot be read."""
    found: set[Id] = set()
    try:
        with closing(_connect(path)) as connection:
            for table in _tables(connection).intersection(ORG_TABLES):
                query = f"SELECT DISTINCT org_id FROM {table}"  # noqa: S608 # one of five constants
                found.update(
                    org_id
                    for (text,) in connection.execute(query)
                    if (org_id := parse_id(str(text))) is not None
                )
    except sqlite3.Error:
        return []
    return sorted(found)


def examine_sqlite(chart: Chart, path: Path | None) -> Iterator[Finding]:
    """Look at the SQLite file, after all records; one that is not there is not missed."""
    if path is None or not os.path.lexists(path):
        return
    if not path.exists():
        real = Path(os.path.realpath(path))
        # A link to where a file can be made is one to an empty file.
        if real.is_symlink() or not real.parent.is_dir():
            yield DEAD_LINK.broken(path.name)
        return
    if not path.is_file():
        # Never opened: a pipe would wait for somebody to write into it.
        yield NOT_SQLITE.broken(path.name)
        return
    for end in JOURNALS:
        if path.with_name(path.name + end).is_dir():
            yield JOURNAL_FOLDER.broken(path.name + end)
            return
    journal = path.with_name(path.name + JOURNALS[0])
    if journal.is_file() and journal.stat().st_size:
        yield JOURNAL.broken(path.name)
        return
    try:
        with closing(_connect(path)) as connection:
            yield from _content(chart, path.name, connection)
    except sqlite3.Error:
        yield NOT_SQLITE.broken(path.name)


def _connect(path: Path) -> sqlite3.Connection:
    # Immutable: no lock, no roll-back, nothing written; the bolt lock keeps influxd away meanwhile.
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)


def _content(chart: Chart, name: str, connection: sqlite3.Connection) -> Iterator[Finding]:
    tables = _tables(connection)
    migrations = _migrations(connection)
    if not tables:
        yield EMPTIED.broken(name)
        return
    if migrations != list(SQL_MIGRATIONS[: len(migrations)]):
        yield UNKNOWN_MIGRATION.broken(name)
    elif versions_of_levels(chart.level, len(migrations)) is None:
        yield MIXED.broken(name)
    # A view is read like a table, if it has what is read.
    read = {one for one in _names(connection, "view") if one in READ_COLUMNS}
    read = {one for one in read if READ_COLUMNS[one].keys() <= set(_columns(connection, one))}
    yield from _missing_tables(name, tables, read, len(migrations))
    for table, count in COPIED.get(len(migrations), {}).items():
        if table in tables and len(_columns(connection, table)) != count:
            yield OTHER_SHAPE.broken(name, problem=f"{OTHER_SHAPE.problem}: {table}")
    if len(migrations) >= LEVEL_ALL_COLUMNS:
        for table, columns in READ_COLUMNS.items():
            yield from _rows(name, connection, table, columns)
        yield from _queues(chart, name, connection)
    yield from _contradictions(chart, name, connection)


def _contradictions(chart: Chart, name: str, connection: sqlite3.Connection) -> Iterator[Finding]:
    """Look at what no start of influxd reads: the file as such, and what its rows name."""
    try:
        is_whole = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        is_linked = connection.execute("PRAGMA foreign_key_check").fetchone() is None
    except sqlite3.Error:  # the rest of it was read as influxd reads it
        is_whole = is_linked = False
    if not is_whole:
        yield DAMAGED.broken(name)
        return
    if not is_linked:
        yield DANGLING.broken(name)
    yield from _references(chart, name, connection)


def _missing_tables(name: str, tables: set[str], views: set[str], level: int) -> Iterator[Finding]:
    """Compare the tables with those that the migrations make; a view is only read."""
    for ordinal, made in TABLES_BY_MIGRATION.items():
        for table in made:
            if ordinal > level and table in tables | views:
                problem = f"{TABLE_IN_THE_WAY.problem}: {table}"
                yield TABLE_IN_THE_WAY.broken(name, problem=problem)
            elif ordinal <= level and table not in tables:
                is_read = ordinal == LEVEL_REPLICATIONS and table not in views
                rule = NO_REPLICATIONS if is_read else NO_TABLE
                yield rule.broken(name, problem=f"{rule.problem}: {table}")


def _rows(
    name: str, connection: sqlite3.Connection, table: str, columns: "Columns"
) -> Iterator[Finding]:
    """Read a table as influxd does: replications while it starts, all others when it is asked."""
    if table not in _tables(connection):
        return
    is_fatal = table == "replications"
    present = _columns(connection, table)
    wrong = [column for column in columns if column not in present]
    if table in TAKEN_WHOLE:
        wrong += [column for column in present if column not in columns]
    if wrong:
        rule, place = (NO_REPLICATIONS, "") if is_fatal else (ODD_COLUMNS, f"{table} ")
        yield rule.broken(name, problem=f"{rule.problem}: {place}{wrong[0]}")
        return
    query = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 # constants
    for row in connection.execute(query):
        for column, value in zip(columns, row, strict=True):
            if not columns[column](value):
                rule, place = (BAD_REPLICATION, "its") if is_fatal else (BAD_ROW, table)
                problem = f"{rule.problem}: {place} {column}"
                yield rule.broken(name, str(row[0]), problem=problem)
                break


def _queues(chart: Chart, name: str, connection: sqlite3.Connection) -> Iterator[Finding]:
    """Look for queues of replications that influxd cannot open while it starts."""
    if chart.engine is None or not _has_column(connection, "replications", "id"):
        return
    for (row_id,) in connection.execute("SELECT id FROM replications"):
        place = chart.engine.path / "replicationq" / str(row_id)
        with suppress(OSError):
            if place.is_symlink() and not place.exists():
                yield DEAD_QUEUE.broken(name, str(row_id))
            elif place.exists() and not _is_queue(place):
                yield BAD_QUEUE.broken(name, str(row_id))


def _is_queue(place: Path) -> bool:
    """Tell whether influxd can open all segments of a queue (pkg/durablequeue, segment.open)."""
    if not place.is_dir():
        return False
    segments = [one for one in place.iterdir() if one.name.isdecimal() and one.exists()]
    return all(
        one.is_file() and not 0 < one.stat().st_size < SEGMENT_SIZE_BYTES_MIN for one in segments
    )


def _is_id(value: object) -> bool:
    """Tell whether a column is read into an ID; an integer is read as its decimal digits."""
    text = str(value) if isinstance(value, int) else value
    return isinstance(text, str) and parse_id(text) is not None


def _is_integer(value: object) -> bool:
    """Tell whether a column is read into an integer."""
    if isinstance(value, int):
        return True
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if isinstance(text, float):
        return text.is_integer()
    return isinstance(text, str) and INTEGER.match(text) is not None


def _is_boolean(value: object) -> bool:
    """Tell whether a column is read into a bool."""
    if isinstance(value, int):
        return True  # the column is declared as a boolean: whatever is above 0 is true
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return isinstance(text, str) and text in BOOLEANS


def _is_queue_size(value: object) -> bool:
    """Tell whether a column is a size that a queue can have."""
    return _is_integer(value) and int(float(str(value))) >= QUEUE_SIZE_BYTES_MIN


def _is_text(value: object) -> bool:
    """Tell whether a column is read into a string."""
    return value is not None


def _is_moment(value: object) -> bool:
    """Tell whether a column is read into a time; a text that is none gives a time all the same."""
    return isinstance(value, str | int)


def _is_spec(value: object) -> bool:
    """Tell whether a column is read into the content of a notebook, a JSON object."""
    if not isinstance(value, str | bytes):
        return False
    try:
        found = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return found is None or isinstance(found, dict)


def _is_text_list(value: object) -> bool:
    """Tell whether a column is read into a list of strings in JSON."""
    try:
        msgspec.json.decode(value if isinstance(value, str) else b"", type=list[str | None] | None)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _or_null(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}\Z")
BOOLEANS: Final = frozenset({
    "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False",
})  # fmt: skip
Columns: TypeAlias = dict[str, Callable[[object], bool]]
REPLICATION_COLUMNS: Final[Columns] = {
    "id": _is_id,
    "org_id": _is_id,
    "name": _is_text,
    "description": _or_null(_is_text),
    "remote_id": _is_id,
    "local_bucket_id": _is_id,
    "remote_bucket_id": _or_null(_is_id),
    "remote_bucket_name": _is_text,
    "max_queue_size_bytes": _is_queue_size,
    "latest_response_code": _or_null(_is_integer),
    "latest_error_message": _or_null(_is_text),
    "drop_non_retryable_data": _is_boolean,
    "max_age_seconds": _is_integer,
}
"""What a start reads of a replication, and whether it can."""
READ_COLUMNS: Final[dict[str, Columns]] = {
    "replications": REPLICATION_COLUMNS,
    "notebooks": {
        "id": _is_id, "org_id": _is_id, "name": _is_text, "spec": _is_spec,
        "created_at": _is_moment, "updated_at": _is_moment,
    },
    "annotations": {
        "id": _is_id, "org_id": _is_id, "stream_id": _is_id, "summary": _is_text,
        "message": _is_text, "stickers": _is_text_list, "duration": _is_text, "lower": _is_text,
        "upper": _is_text,
    },
    "streams": {
        "id": _is_id, "org_id": _is_id, "name": _is_text, "description": _is_text,
        "created_at": _is_moment, "updated_at": _is_moment,
    },
    "remotes": {
        "id": _is_id, "org_id": _is_id, "name": _is_text, "description": _or_null(_is_text),
        "remote_url": _is_text, "remote_org_id": _or_null(_is_id),
        "allow_insecure_tls": _is_boolean,
    },
}  # fmt: skip
"""What InfluxDB v2.9.1 reads of each table (notebooks, annotations, remotes and replications, each
in its service.go or store.go), and whether it can."""
TAKEN_WHOLE: Final = frozenset({"annotations"})
"""Tables of which it takes every column, and refuses one that it does not know."""


def _references(chart: Chart, name: str, connection: sqlite3.Connection) -> Iterator[Finding]:
    for table in ORG_TABLES:
        if not _has_column(connection, table, "org_id"):
            continue
        query = f"SELECT DISTINCT org_id FROM {table}"  # noqa: S608 # one of five constants
        for (org_id,) in connection.execute(query):
            if not chart.orgs.has(str(org_id)):
                yield NO_ORG.broken(name, str(org_id), problem=f"{NO_ORG.problem} in {table}")
    yield from _elsewhere(chart, name, connection)
    if _has_column(connection, "replications", "local_bucket_id"):
        for row in connection.execute("SELECT id, local_bucket_id FROM replications"):
            if not chart.buckets.has(str(row[1])):
                yield NO_BUCKET.broken(name, str(row[0]))


def _elsewhere(chart: Chart, name: str, connection: sqlite3.Connection) -> Iterator[Finding]:
    for table, field, parent in PARENTS:
        needed = [(table, field), *((one, own) for one in (table, parent) for own in OWN)]
        if not all(_has_column(connection, *place) for place in needed):
            continue
        query = (
            f"SELECT t.id, t.org_id, p.org_id FROM {table} t JOIN {parent} p "  # noqa: S608
            f"ON p.id = t.{field} WHERE t.org_id <> p.org_id"
        )
        for row_id, own, home in connection.execute(query):
            is_seen = chart.orgs.has(str(home)) or chart.orgs.has(str(own))
            if is_seen and _is_id(own) and _is_id(home):
                yield ELSEWHERE.broken(name, str(row_id), problem=f"{ELSEWHERE.problem} {table}")


def _tables(connection: sqlite3.Connection) -> set[str]:
    """List the tables as SQLite knows them, in small letters; no views: they can go on forever."""
    return _names(connection, "table") - {"sqlite_sequence"}


def _names(connection: sqlite3.Connection, kind: str) -> set[str]:
    query = (
        "SELECT lower(name) FROM sqlite_master WHERE type = ? AND sql NOT LIKE 'CREATE VIRTUAL%'"
    )
    return {str(row[0]) for row in connection.execute(query, (kind,))}


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """List the columns of a table, which is one of some constants."""
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _has_column(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """Tell whether there is a table with a column; both are constants."""
    return table in _tables(connection) and column in _columns(connection, table)


def _migrations(connection: sqlite3.Connection) -> list[str]:
    is_there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
    if connection.execute(is_there).fetchone() is None:  # influxd asks for this very name
        return []
    return [str(row[0]) for row in connection.execute("SELECT name FROM migrations ORDER BY name")]
