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

    def read(self) -> bytes | None:
        """Read the whole value; None when there is none."""
        return self._table.get(KEY)

    def decoded(self) -> Content:
        """Decode it; an empty one where there is none. Raises as `decode_catalogue`."""
        return decode_catalogue(self.read() or b"")

    def write(self, value: bytes) -> None:
        """Replace the whole value. Raises as `Table.put`."""
        self._table.put(KEY, value)
