"""Authorizations, and the indexes of their tokens.

Lives here: `Authorizations`, `LegacyAuthorizations`. Must not live here: what a token may do.

Invariants: the keys of the indexes are secrets. They go in as `Secret`, and come out in
`Entries` alone, which shows none.

Source: InfluxDB v2.9.1 authorization/storage_authorization.go, v1/authorization/storage.go; spec
sections 4.6, 4.7 and 5.4.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from recovery.errors import RecordError
from recovery.metastore.passwords import Passwords
from recovery.metastore.records import Records
from recovery.metastore.table import Table
from recovery.model.authorization import (
    Authorization,
    AuthorizationDecoder,
    decode_authorization,
)
from recovery.model.ids import ID_LENGTH, Id, parse_id
from recovery.model.token import VARIANTS, hash_token, look_up, record_matches
from recovery.secret import Secret

LOOK_UPS_MAX: Final = 256
"""Index entries that a listing looks up one by one; for more, it reads the indexes."""
PART_MASK: Final = 0xFFF
"""Takes the bits of a hash that say in which part it is."""


class Entries:
    """The keys of both indexes that lead to one authorization, for `Authorizations` alone.

    Attributes:
        counts: How many in the raw index, and in that of hashes.
    """

    __slots__ = ("counts", "keys")

    def __init__(self, raw: Sequence[bytes], hashed: Sequence[bytes]) -> None:
        """Take them over."""
        self.keys: Final = (raw, hashed)
        self.counts: Final = (len(raw), len(hashed))


class Authorizations(Records[Authorization]):
    """`authorizationsv1`, its index of raw tokens, and from level 21 its index of hashes."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open them; `MetaTx.authorizations` is the way to get one. Raises as `MetaTx.table`."""
        super().__init__(table("authorizationsv1"), AuthorizationDecoder().decode)
        self._raw_index = table("authorizationindexv1")
        self._hashed_index = table("authorizationhashedindexv1")

    @property
    def has_hashed(self) -> bool:
        """Whether the index of hashes holds anything."""
        return not self._hashed_index.is_empty

    @property
    def has_raw(self) -> bool:
        """Whether the index of raw tokens holds anything."""
        return not self._raw_index.is_empty

    def is_known(self, token: Secret) -> bool:
        """Tell whether an index knows a token, raw or under any hash."""
        variants = [hash_token(token, variant) for variant in VARIANTS]
        return self._raw_index.has(token.reveal().encode()) or any(
            self._hashed_index.has(hashed.reveal().encode()) for hashed in variants
        )

    def find(self, token: Secret) -> Authorization | None:
        """Find the authorization of a token by the rule of a server of 2.8 or later.

        Raw index, then hashed index; then the record itself is compared with the token. Where this
        finds a record, the servers before 2.8 find it too if it holds a raw token.

        Args:
            token: What a client would send.

        Returns:
            The authorization, or None when a server would answer 401.
        """
        found = look_up(
            token,
            raw_index=self._raw_index.get,
            hashed_index=self._hashed_index.get if self._hashed_index.is_there else None,
        )
        authorization = self.get(found) if found is not None else None
        if authorization is None or not record_matches(
            token, stored=authorization.token, hashed=authorization.hashed_token
        ):
            return None
        return authorization

    def leads_home(self, authorization: Authorization) -> bool:
        """Tell whether the look-up of a server leads from the token of a record to this record."""
        return _leads_home(authorization, self._raw_index, self._hashed_index)

    def index_check(self) -> Callable[[Authorization], bool]:
        """Return `leads_home` for many records."""
        return _IndexCheck(self._raw_index, self._hashed_index).has_entry

    def insert(self, authorization: Authorization) -> None:
        """Write a new authorization, with a free ID and an unknown token, with its index entry."""
        authorization_id = authorization.id.encode()
        self._records.put(authorization_id, authorization.document)
        if authorization.token is not None:
            self._raw_index.put(authorization.token.reveal().encode(), authorization_id)
        if authorization.hashed_token is not None:
            self._hashed_index.put(authorization.hashed_token.reveal().encode(), authorization_id)

    def insert_all(self, authorizations: Iterable[Authorization]) -> None:
        """Write many, each as `insert` does, and the entries of each index in their order.

        A tree that has no such key yet takes one at its end in no time, and for one in its middle
        moves all that is behind it.

        Args:
            authorizations: Decoded records, best in the order of their IDs.
        """
        entries: list[tuple[Table, list[tuple[bytes, bytes]]]] = [
            (self._raw_index, []),
            (self._hashed_index, []),
        ]
        for one in authorizations:
            self.put(one)
            for (_, found), key in zip(entries, (one.token, one.hashed_token), strict=True):
                if key is not None:
                    found.append((key.reveal().encode(), one.id.encode()))
        for index, found in entries:
            for entry, value in sorted(found):
                index.put(entry, value)

    def load(self, authorization_id: Id) -> Authorization | None:
        """Read one authorization that a command names; raise `RecordError` if it is undecodable."""
        return _load(self._records, authorization_id)

    def raw_entry(self, token: Secret) -> Id | None:
        """Look a token up in the raw index alone; the record is not looked at."""
        return _entry(self._raw_index, token)

    def hashed_entry(self, hashed: Secret) -> Id | None:
        """Look a stored hash up in the index of hashes; the record is not looked at."""
        return _entry(self._hashed_index, hashed)

    def update(self, before: Authorization, after: Authorization) -> None:
        """Write another state of an authorization, with the same ID, and move its index entries."""
        self._unindex(before, after)
        self.insert(after)

    def update_all(self, changes: Iterable[tuple[Authorization, Authorization]]) -> None:
        """Write many, each as `update` does, and their new index entries as `insert_all` does.

        Args:
            changes: Each as it is stored, and as it is to be.
        """
        self.insert_all(self._unindexed(changes))

    def _unindexed(
        self, changes: Iterable[tuple[Authorization, Authorization]]
    ) -> Iterator[Authorization]:
        for before, after in changes:
            self._unindex(before, after)
            yield after

    def _unindex(self, before: Authorization, after: Authorization) -> None:
        """Take out the index entries of a record that it does not want any more."""
        for index, old, new in (
            (self._raw_index, before.token, after.token),
            (self._hashed_index, before.hashed_token, after.hashed_token),
        ):
            if old is not None and (new is None or not old.matches(new)):
                _remove_entry(index, old, before.id)

    def delete(self, authorization_id: Id, entries: Entries) -> None:
        """Remove an authorization and all index entries that lead to it.

        Args:
            entries: As `entries_of` found them in the state that is changed.
        """
        self._records.delete(authorization_id.encode())
        for index, keys in zip((self._raw_index, self._hashed_index), entries.keys, strict=True):
            for key in keys:
                index.delete(key)

    def delete_all(self, authorization_ids: Collection[Id]) -> None:
        """Remove several with all index entries, with one walk of the indexes for all."""
        for one in authorization_ids:
            self._records.delete(one.encode())
        for index in (self._raw_index, self._hashed_index):
            for key in _keys_leading_to(index, *authorization_ids):
                index.delete(key)

    def leads_to_any(self, authorization_ids: Collection[Id]) -> bool:
        """Tell whether any index entry leads to one of these."""
        return any(
            _keys_leading_to(index, *authorization_ids)
            for index in (self._raw_index, self._hashed_index)
        )

    def entries_of(self, authorization_id: Id) -> Entries:
        """Find the keys that lead to an authorization, in the raw index and that of hashes.

        All entries are walked: one that the record does not account for, or that belongs to a
        record which cannot be decoded, would stay behind as a credential of servers up to 2.7.
        """
        return Entries(
            _keys_leading_to(self._raw_index, authorization_id),
            _keys_leading_to(self._hashed_index, authorization_id),
        )

    def has_any(self, entries: Entries) -> bool:
        """Tell whether any key of these is there."""
        raw, hashed = entries.keys
        return any(map(self._raw_index.has, raw)) or any(map(self._hashed_index.has, hashed))


class _IndexCheck:
    """Knows the entries of both indexes.

    A look-up in the tree costs more than all else that a listing does for a record, so the first
    records are looked up, and when there are more, both indexes are read once. Of an entry a keyed
    hash of 64 bits is kept, in sorted parts: with a million entries, a listing takes one record
    without its entry for one with it in 10^13 cases.
    """

    def __init__(self, raw_index: Table, hashed_index: Table) -> None:
        self._raw_index = raw_index
        self._hashed_index = hashed_index
        self._asked_count = 0
        self._parts: list[array[int]] | None = None

    def has_entry(self, authorization: Authorization) -> bool:
        """Tell what `Authorizations.leads_home` tells."""
        if authorization.token is not None:
            mark, key = "r", authorization.token.reveal()
        elif authorization.hashed_token is not None:
            mark, key = "h", authorization.hashed_token.reveal()
        else:
            return False
        if self._parts is None:
            self._asked_count += 1
            if self._asked_count <= LOOK_UPS_MAX:
                return _leads_home(authorization, self._raw_index, self._hashed_index)
            self._parts = _entries(self._raw_index, self._hashed_index)
        # A token with dots may be a JSON web token, which is never looked up; and what is not in
        # its own index may be in the other.
        if "." not in key:
            entry = hash(f"{mark}{key}{authorization.id}".encode())
            part = self._parts[entry & PART_MASK]
            place = bisect_left(part, entry)
            if place < len(part) and part[place] == entry:
                return True
        return _leads_home(authorization, self._raw_index, self._hashed_index)


def _leads_home(authorization: Authorization, raw_index: Table, hashed_index: Table) -> bool:
    if authorization.token is not None:
        hashes = hashed_index.get if hashed_index.is_there else None
        found = look_up(authorization.token, raw_index=raw_index.get, hashed_index=hashes)
        return found == authorization.id
    if authorization.hashed_token is not None:
        return _entry(hashed_index, authorization.hashed_token) == authorization.id
    return False


def _entries(raw_index: Table, hashed_index: Table) -> "list[array[int]]":
    """Read the hashes of all entries: parts by their last bits, each in ascending order."""
    parts = [array("q") for _ in range(PART_MASK + 1)]
    for mark, index in ((b"r", raw_index), (b"h", hashed_index)):
        for key, value in index.items():
            if len(value) == ID_LENGTH:  # else key and value could not be told apart
                entry = hash(mark + key + value)
                parts[entry & PART_MASK].append(entry)
    return [array("q", sorted(part)) for part in parts]


def _load(records: Table, authorization_id: Id) -> Authorization | None:
    document = records.get(authorization_id.encode())
    if document is None:
        if not records.has(authorization_id.encode()):
            return None
        raise RecordError(bucket=records.name, record_id=authorization_id, problem="it is empty")
    try:
        authorization = decode_authorization(document)
    except ValueError as error:
        raise RecordError(
            bucket=records.name, record_id=authorization_id, problem=str(error)
        ) from None
    if authorization.id != authorization_id:
        raise RecordError(
            bucket=records.name, record_id=authorization_id, problem="its key is not its ID"
        )
    return authorization


def _entry(index: Table, key: Secret) -> Id | None:
    found = index.get(key.reveal().encode())
    return parse_id(found) if found else None


def _remove_entry(index: Table, key: Secret, authorization_id: Id) -> None:
    """Remove an entry, unless it leads to another record."""
    if index.get(key.reveal().encode()) == authorization_id.encode():
        index.delete(key.reveal().encode())


def _keys_leading_to(index: Table, *authorization_ids: Id) -> list[bytes]:
    values = {one.encode() for one in authorization_ids}
    return [key for key, found in index.items() if found in values]


class LegacyAuthorizations(Records[Authorization]):
    """`legacy/authorizationsv1`, its index of user names, and its passwords."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open them; `MetaTx.legacy_authorizations` is the way. Raises as `MetaTx.table`."""
        super().__init__(table("legacy/authorizationsv1"), AuthorizationDecoder().decode)
        self._index = table("legacy/authorizationindexv1")
        self.passwords: Final = Passwords(table, "legacy/authorizationPasswordv1")

    def load(self, authorization_id: Id) -> Authorization | None:
        """Read one that a command names. Returns and raises as `Authorizations.load`."""
        return _load(self._records, authorization_id)

    def indexed_id(self, username: str) -> Id | None:
        """Look a 1.x user name up in the index, as a log-in does."""
        found = self._index.get(username.encode("utf-8", "surrogateescape"))
        return parse_id(found) if found else None

    def leads_home(self, authorization: Authorization) -> bool:
        """Tell whether the 1.x user name of a record leads to it."""
        name = authorization.token
        return name is not None and _entry(self._index, name) == authorization.id

    def entry_count(self, authorization_id: Id) -> int:
        """Count the user names that lead to one."""
        return len(_keys_leading_to(self._index, authorization_id))

    def insert(self, authorization: Authorization) -> None:
        """Write a new one with its index entry. Raises as `Table.put`."""
        self.put(authorization)
        if authorization.token is not None:
            self._index.put(authorization.token.reveal().encode(), authorization.id.encode())

    def delete(self, *authorization_ids: Id) -> None:
        """Remove them, their passwords and all index entries that lead to them, in one walk."""
        for one in authorization_ids:
            self._records.delete(one.encode())
            self.passwords.delete(one)
        for key in _keys_leading_to(self._index, *authorization_ids):
            self._index.delete(key)
