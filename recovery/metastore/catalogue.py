"""The storage engine's catalogue.

Lives here: `Catalogue`. Must not live here: its encoding (`recovery.model.catalogue`).

Source: InfluxDB v2.9.1 v1/services/meta/client.go; spec section 4.9.
"""

from collections.abc import Callable

from recovery.metastore.table import Table
from recovery.model.catalogue import BUCKET, KEY, decode_catalogue
from recovery.model.catalogue import Catalogue as Content


class Catalogue:
    """`v1_tsm1_metadata`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open it; `MetaTx.catalogue` is the way to get one. Raises as `MetaTx.table`."""
        self._table = table(BUCKET)
        self._decoded: tuple[bytes, Content] | None = None

    def read(self) -> bytes | None:
        """Read the whole value; None when there is none."""
        return self._table.get(KEY)

    def decoded(self) -> Content:
        """Decode it, each value once; raise `CatalogueError` also where there is none."""
        stored = self.read() or b""
        if self._decoded is None or self._decoded[0] != stored:
            self._decoded = stored, decode_catalogue(stored)
        return self._decoded[1]

    def write(self, value: bytes) -> None:
        """Replace the whole value. Raises as `Table.put`."""
        self._table.put(KEY, value)
