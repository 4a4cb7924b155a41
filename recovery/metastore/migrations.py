"""Records of the schema.

Lives here: `Migrations`. Must not live here: what a level means (`recovery.model.schema`).

Source: InfluxDB v2.9.1 kit/migration/; spec sections 4.8 and 6.
"""

from collections.abc import Callable

from recovery.metastore.table import Table
from recovery.model.schema import encode_migration


class Migrations:
    """`migrationsv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open it; `MetaTx.migrations` is the way to get one. Raises as `MetaTx.table`."""
        self._table = table("migrationsv1")

    def insert(self, ordinal: int, now: str) -> None:
        """Write the record of a finished migration. Raises as `Table.put`."""
        self._table.put(*encode_migration(ordinal, now))
