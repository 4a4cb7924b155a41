"""Password hashes.

Lives here: `Passwords`. Must not live here: hashing.

Source: InfluxDB v2.9.1 tenant/storage_user.go (userpasswordBucket); spec sections 4.2 and 5.5.
"""

from collections.abc import Callable

from recovery.metastore.table import Table
from recovery.model.ids import Id
from recovery.secret import Secret


class Passwords:
    """`userspasswordv1`, or another bolt bucket of them."""

    def __init__(self, table: Callable[[str], Table], name: str = "userspasswordv1") -> None:
        """Open it; `MetaTx.passwords` is the way to get one. Raises as `MetaTx.table`."""
        self._table = table(name)

    def has(self, record_id: Id) -> bool:
        """Tell whether a record has a password."""
        return self.get(record_id) is not None

    def get(self, record_id: Id) -> bytes | None:
        """Read what is stored as the password of a record; it is as secret as the password."""
        return self._table.get(record_id.encode())

    def holds(self, record_id: Id, password_hash: Secret) -> bool:
        """Tell whether a hash is the one that is stored."""
        return self.get(record_id) == password_hash.reveal().encode()

    def put(self, record_id: Id, password_hash: Secret) -> None:
        """Set the bcrypt hash of a record. Raises as `Table.put`."""
        self._table.put(record_id.encode(), password_hash.reveal().encode())

    def delete(self, record_id: Id) -> None:
        """Remove the password of a record. Raises as `Table.put`."""
        self._table.delete(record_id.encode())
