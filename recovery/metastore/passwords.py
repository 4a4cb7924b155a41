"""Password hashes.

Lives here: `Passwords`. Must not live here: hashing.

Source: InfluxDB v2.9.1 tenant/storage_user.go (userpasswordBucket); spec sections 4.2 and 5.5.
"""

from collections.abc import Callable

from recovery.metastore.table import Table
from recovery.model.ids import Id
from recovery.secret import Secret


class Passwords:
    """`userspasswordv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open it; `MetaTx.passwords` is the way to get one. Raises as `MetaTx.table`."""
        self._table = table("userspasswordv1")

    def has(self, user_id: Id) -> bool:
        """Tell whether a user has a password."""
        return self._table.get(user_id.encode()) is not None

    def get(self, user_id: Id) -> bytes | None:
        """Read what is stored as the password of a user; it is as secret as the password."""
        return self._table.get(user_id.encode())

    def put(self, user_id: Id, password_hash: Secret) -> None:
        """Set the bcrypt hash of a user. Raises as `Table.put`."""
        self._table.put(user_id.encode(), password_hash.reveal().encode())

    def delete(self, user_id: Id) -> None:
        """Remove the password of a user. Raises as `Table.put`."""
        self._table.delete(user_id.encode())
