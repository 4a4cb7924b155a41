"""The SQLite file beside the store: notebooks, annotations, remotes, replications.

Lives here: the rules I5 and I33. Must not live here: changing it.

Invariants: the file is only read, without a lock and without a journal being rolled back; where a
journal is left, that is said and the content is not judged. Tokens of other servers, which are in
it in clear text, are not read.

Source: spec influxdb-metadata sections 6.2, 6.3, 12, 13.2.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from recovery.model.schema import SQL_MIGRATIONS, versions_of_levels
from recovery.services.doctor.chart import Chart
from recovery.services.doctor.finding import Finding, Rule, Severity

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
UNKNOWN_MIGRATION: Final = Rule(
    number="I33",
    severity=Severity.FATAL,
    problem="has a migration that InfluxDB 2.9 does not know, or in another order",
    effect="influxd stops: Failed to apply SQL migrations",
    remedy="repair does not change it: restore a backup that fits the store",
)
JOURNAL: Final = Rule(
    number="I33",
    severity=Severity.LOW,
    problem="has a journal beside it, left by a crash, so its content was not judged",
    effect="influxd rolls it back at its start",
    remedy="keep the two files together",
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
NO_ORG: Final = Rule(
    number="I33",
    severity=Severity.LOW,
    problem="has rows of an organization that does not exist",
    effect="nobody can see them",
    remedy="repair does not change it",
)
NO_BUCKET: Final = Rule(
    number="I33",
    severity=Severity.MEDIUM,
    problem="has a replication of a bucket that does not exist",
    effect="the replication sends nothing",
    remedy="repair does not change it: delete the replication",
)


def sql_level(path: Path | None) -> int | None:
    """Count the migrations of the SQLite file.

    Args:
        path: The file, if there may be one.

    Returns:
        Their number; None without a file, or when it cannot be told.
    """
    if path is None or not path.is_file():
        return None
    try:
        with closing(_connect(path)) as connection:
            return len(_migrations(connection))
    except sqlite3.Error:
        return None


def examine_sqlite(chart: Chart, path: Path | None) -> Iterator[Finding]:
    """Look at the SQLite file.

    Args:
        chart: The store, after all of its records.
        path: The file, if there may be one; what is not there is not missed.

    Yields:
        What is wrong.
    """
    if path is None or not path.is_file():
        return
    journal = path.with_name(f"{path.name}-journal")
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
    migrations = _migrations(connection)
    known = list(SQL_MIGRATIONS[: len(migrations)])
    if migrations != known:
        yield UNKNOWN_MIGRATION.broken(name)
    elif versions_of_levels(chart.level, len(migrations)) is None:
        yield MIXED.broken(name)
    if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
        yield DAMAGED.broken(name)
        return
    if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        yield DANGLING.broken(name)
    yield from _references(chart, name, connection)


def _references(chart: Chart, name: str, connection: sqlite3.Connection) -> Iterator[Finding]:
    tables = _tables(connection)
    for table in ORG_TABLES:
        if table not in tables:
            continue
        query = f"SELECT DISTINCT org_id FROM {table}"  # noqa: S608 # one of five constants
        for (org_id,) in connection.execute(query):
            if not chart.orgs.has(str(org_id)):
                yield NO_ORG.broken(name, str(org_id), problem=f"{NO_ORG.problem} in {table}")
    if "replications" in tables:
        for row in connection.execute("SELECT id, local_bucket_id FROM replications"):
            if not chart.buckets.has(str(row[1])):
                yield NO_BUCKET.broken(name, str(row[0]))


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master")}


def _migrations(connection: sqlite3.Connection) -> list[str]:
    if "migrations" not in _tables(connection):
        return []
    return [str(row[0]) for row in connection.execute("SELECT name FROM migrations ORDER BY id")]
