"""Records of the schema.

Lives here: `Migrations`. Must not live here: what a level means (`recovery.model.schema`).

Source: InfluxDB v2.9.1 kit/migration/; spec sections 4.8 and 6.
"""

from collections.abc import Callable

from recovery.errors import RecordError
from recovery.metastore.table import Table
from recovery.model.gojson import UndecodableError
from recovery.model.ids import parse_id
from recovery.model.schema import Migration, decode_migration, encode_migration


class Migrations:
    """`migrationsv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open it; `MetaTx.migrations` is the way to get one. Raises as `MetaTx.table`."""
        self._table = table("migrationsv1")

    def all(self) -> list[Migration]:
        """Read all, in the order of their numbers; raise `RecordError` if one cannot be decoded."""
        found = []
        for number, (key, document) in enumerate(self._table.items(), start=1):
            try:
                found.append(decode_migration(key, document))
            except UndecodableError as error:
                raise RecordError(
                    bucket=self._table.name,
                    record_id=parse_id(key) or f"number {number}",
                    problem=error.problem,
                ) from error
        return found

    def insert(self, ordinal: int, now: str) -> None:
        """Write the record of a finished migration. Raises as `Table.put`."""
        self._table.put(*encode_migration(ordinal, now))
