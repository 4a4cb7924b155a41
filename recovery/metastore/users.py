"""Users, and the index of their names.

Lives here: `Users`. Must not live here: passwords (`passwords`), memberships (`mappings`).

Source: InfluxDB v2.9.1 tenant/storage_user.go; spec section 4.2.
"""

from collections.abc import Callable

from recovery.metastore.records import NamedRecords
from recovery.metastore.table import RecordProblem, Table
from recovery.model.ids import Id, parse_id
from recovery.model.user import ACTIVE, User, decode_user, encode_user


class Users(NamedRecords[User]):
    """`usersv1` and `userindexv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open both; `MetaTx.users` is the way to get one. Raises as `MetaTx.table`."""
        super().__init__(
            table("usersv1"), table("userindexv1"), decode_user, lambda user: _key(user.name)
        )

    def by_key(self, problems: list[RecordProblem]) -> dict[str, User]:
        """Read all users by the key that finds them; problems get those left out or misplaced."""
        return {key.decode("latin-1"): user for key, user in self.walk_keyed(problems)}

    def indexed_id(self, name: str) -> Id | None:
        """Look a name up in the index, as a sign-in does."""
        return self._indexed(_key(name))

    def found_ids(self) -> set[Id]:
        """Give the users to whom the index leads, by whatever name."""
        found = (parse_id(entry) for _, entry in self._index.items())
        return {one for one in found if one is not None}

    def insert(self, user_id: Id, name: str, *, status: str = ACTIVE, oauth_id: str = "") -> None:
        """Write a new user of a free ID and name; `RefusedError` when the name fits into no key."""
        document = encode_user(user_id=user_id, name=name, status=status, oauth_id=oauth_id)
        self._records.put(user_id.encode(), document)
        self._index.put(_key(name), user_id.encode())


def _key(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
