"""Users, and the index of their names.

Lives here: `Users`. Must not live here: passwords (`passwords`), memberships (`mappings`).

Source: InfluxDB v2.9.1 tenant/storage_user.go; spec section 4.2.
"""

from collections.abc import Callable, Iterator

from recovery.metastore.table import RecordProblem, Table
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id, parse_id
from recovery.model.user import ACTIVE, User, decode_user, encode_user


class Users:
    """`usersv1` and `userindexv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open both; `MetaTx.users` is the way to get one. Raises as `MetaTx.table`."""
        self._records = table("usersv1")
        self._index = table("userindexv1")

    def walk(self, problems: list[RecordProblem]) -> Iterator[User]:
        """Walk all users. Raises and takes `problems` as `Table.records`."""
        return self._records.records(decode_user, problems)

    def walk_keyed(self, problems: list[RecordProblem]) -> Iterator[tuple[bytes, User]]:
        """Walk all, each with its key. Raises and takes `problems` as `Table.records`."""
        return self._records.keyed_records(decode_user, problems)

    def by_key(self, problems: list[RecordProblem]) -> dict[str, User]:
        """Read all users by the ID that finds them, which is their key. Raises as `get`.

        Args:
            problems: Gets one entry for each user that cannot be decoded or is misplaced.

        Returns:
            What `get` returns for each ID.
        """
        found = self._records.keyed_records(decode_user, problems)
        return {key.decode("latin-1"): user for key, user in found}

    def get(self, user_id: Id) -> User | None:
        """Read one user; None when there is none or it cannot be decoded."""
        document = self._records.get(user_id.encode())
        if document is None:
            return None
        try:
            return decode_user(document)
        except UndecodableError:
            return None

    def indexed_id(self, name: str) -> Id | None:
        """Look a name up in the index, as a sign-in does. Raises as `get`."""
        found = self._index.get(name.encode("utf-8", "surrogateescape"))
        return parse_id(found) if found else None

    def has_id(self, user_id: Id) -> bool:
        """Tell whether an ID is taken, by an undecodable record too. Raises as `get`."""
        return self._records.has(user_id.encode())

    def insert(self, user_id: Id, name: str, *, status: str = ACTIVE, oauth_id: str = "") -> None:
        """Write a new user with its index entry.

        Args:
            user_id: A free ID.
            name: A free name.
            status: "active" or "inactive".
            oauth_id: A name elsewhere, which servers keep and do not use.

        Raises:
            RefusedError: The name does not fit into a key.
        """
        document = encode_user(user_id=user_id, name=name, status=status, oauth_id=oauth_id)
        self._records.put(user_id.encode(), document)
        self._index.put(name.encode("utf-8", "surrogateescape"), user_id.encode())

    def put(self, user: User) -> None:
        """Write a user that is there; its name must not change. Raises as `Table.put`."""
        self._records.put(user.id.encode(), user.document)

    def restore(self, user: User) -> None:
        """Write a user as it once was, with its index entry; ID and name are free.

        Raises:
            RefusedError: The name does not fit into a key.
        """
        self.put(user)
        self._index.put(user.name.encode("utf-8", "surrogateescape"), user.id.encode())

    def rename(self, before: User, after: User) -> None:
        """Write a user under a new name, and move its index entry.

        Args:
            before: As it is stored.
            after: The same user with a name that is free.

        Raises:
            RefusedError: The name does not fit into a key.
        """
        self._unindex(before)
        self.put(after)
        self._index.put(after.name.encode("utf-8", "surrogateescape"), after.id.encode())

    def delete(self, user: User) -> None:
        """Remove a user with its index entry; password and mappings stay. Raises as `put`."""
        self._unindex(user)
        self._records.delete(user.id.encode())

    def _unindex(self, user: User) -> None:
        """Remove the index entry of a user, unless it leads to another one."""
        if self.indexed_id(user.name) == user.id:
            self._index.delete(user.name.encode("utf-8", "surrogateescape"))
