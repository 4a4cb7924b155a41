"""An inventory as an SQLite file, to be asked with sqlite3 or Datasette.

Lives here: the tables, the views, and writing them. Must not live here: what is in a store, which
`recovery.services.stores.export` brings as rows, and anything secret: no row has a token or a hash.

Invariants: always a new file, mode 0600, that gets its name when it is complete and on the disk;
nothing is replaced, and on failure nothing is left. Foreign keys are declared and not enforced: a
store may refer to what it does not have, and `PRAGMA foreign_key_check` then says where.

Source: SQLite documentation, "PRAGMA foreign_key_check", "PRAGMA journal_mode".
"""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from recovery.new_file import StagedFile, failed

if TYPE_CHECKING:
    from sqlite3 import Connection

Value: TypeAlias = str | int | bool | None
Row: TypeAlias = Mapping[str, Value]

ELSEWHERE: Final = "name a file in another folder"
APPLICATION_ID: Final = 0x49525831
"""Marks the file as ours in its header: "IRX1"."""


class Table(NamedTuple):
    """A table.

    Attributes:
        columns: Its columns with their types in Python.
        key: The columns that are its primary key.
        references: Columns that refer to the column "id" of another table.
    """

    name: str
    columns: Mapping[str, type]
    key: tuple[str, ...]
    references: Mapping[str, str] = {}


_ORGANIZATION: Final = {"organization_id": "organizations"}
TABLES: Final = (
    Table(
        "store",
        {"path": str, "size_bytes": int, "txid": int, "level": int, "server_versions": str}
        | {"verdict": str, "exported_at": str, "tool_version": str},
        ("path",),
    ),
    Table(
        "organizations",
        {"id": str, "name": str, "description": str, "created_at": str, "updated_at": str},
        ("id",),
    ),
    Table(
        "users",
        {"id": str, "name": str, "status": str, "has_password": int, "is_instance_owner": int}
        | {"can_sign_in": int, "cannot_because": str},
        ("id",),
    ),
    Table(
        "memberships",
        {"organization_id": str, "user_id": str, "role": str},
        ("organization_id", "user_id"),
        _ORGANIZATION | {"user_id": "users"},
    ),
    Table(
        "buckets",
        {"id": str, "name": str, "organization_id": str, "is_system": int}
        | {"retention_ns": int, "is_in_catalogue": int},
        ("id",),
        _ORGANIZATION,
    ),
    Table(
        "authorizations",
        {"id": str, "description": str, "status": str, "user_id": str, "organization_id": str}
        | {"token_form": str, "operator": str, "lacks": str, "is_usable": int}
        | {"unusable_because": str, "permission_count": int, "created_at": str, "updated_at": str},
        ("id",),
        _ORGANIZATION | {"user_id": "users"},
    ),
    Table(
        "permissions",
        {"authorization_id": str, "position": int, "action": str, "type": str}
        | {"resource_id": str, "organization_id": str},
        ("authorization_id", "position"),
        _ORGANIZATION | {"authorization_id": "authorizations"},
    ),
    Table(
        "findings",
        {"position": int, "number": str, "severity": str, "bucket": str, "record_id": str}
        | {"problem": str, "effect": str, "remedy": str, "is_advice": int},
        ("position",),
    ),
)

VIEWS: Final = {
    "operator_tokens": """
        SELECT a.id, a.description, a.operator, a.lacks, a.token_form, a.is_usable,
            a.unusable_because, u.name AS user, o.name AS organization
        FROM authorizations a
        LEFT JOIN users u ON u.id = a.user_id
        LEFT JOIN organizations o ON o.id = a.organization_id
        WHERE a.operator <> 'no'
    """,
    "who_can_get_in": """
        SELECT u.name AS user, u.id AS user_id, 'password' AS way, NULL AS authorization_id,
            (SELECT group_concat(role, ', ') FROM
                (SELECT m.role || ' of ' || coalesce(o.name, m.organization_id) AS role
                    FROM memberships m LEFT JOIN organizations o ON o.id = m.organization_id
                    WHERE m.user_id = u.id ORDER BY 1)) AS rights
        FROM users u WHERE u.can_sign_in
        UNION ALL
        SELECT u.name, u.id, 'token', a.id,
            CASE a.operator WHEN 'no' THEN a.permission_count || ' permissions'
                ELSE a.operator || ' operator' END
        FROM authorizations a JOIN users u ON u.id = a.user_id
        WHERE a.is_usable
    """,
}


def write_export(target: Path, rows: Mapping[str, Iterable[Row]]) -> Mapping[str, int]:
    """Write an inventory to a new file.

    Args:
        rows: Rows for each of `TABLES`, by its name, with a value for each of its columns. A row
            whose key is there already is left out.

    Raises:
        RecoveryError: What the rows raise while they are walked.
    """
    import sqlite3  # noqa: PLC0415 # no other command of this module's importers needs it

    with StagedFile(target, elsewhere=ELSEWHERE) as new:
        try:
            with contextlib.closing(sqlite3.connect(new.path)) as connection:
                counts = _fill(connection, rows)
        except sqlite3.Error as error:
            raise failed(target, str(error), ELSEWHERE) from error
        new.publish()
        new.keep()
    return counts


def _fill(connection: "Connection", rows: Mapping[str, Iterable[Row]]) -> dict[str, int]:
    import sqlite_utils  # noqa: PLC0415 # slow to import, and imports pandas where it is installed

    connection.execute("PRAGMA journal_mode = OFF")  # a file that failed is removed
    connection.execute("PRAGMA synchronous = OFF")  # it is synced once, at the end
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database = sqlite_utils.Database(connection)
    counts = {}
    for table in TABLES:
        made = database.table(table.name)
        made.create(
            dict(table.columns),
            pk=table.key if len(table.key) > 1 else table.key[0],
            foreign_keys=[(column, other, "id") for column, other in table.references.items()],
        )
        # One statement for all rows, where insert_all builds a new one for some hundred each.
        values = ", ".join(f":{column}" for column in table.columns)
        insert = f"INSERT OR IGNORE INTO {table.name} VALUES ({values})"  # noqa: S608 # own names
        connection.executemany(insert, rows.get(table.name, ()))
        for column in table.references:
            if column != table.key[0]:
                made.create_index([column])
        counts[table.name] = made.count
    for name, select in VIEWS.items():
        database.create_view(name, select)
    connection.commit()
    return counts
