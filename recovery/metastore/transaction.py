"""One consistent state of a store, as repositories.

Lives here: `MetaTx`. Must not live here: what a repository does.

Invariants: a repository is imported and made when it is first asked for, so that a listing of users
does not even look for the authorizations.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final

from bolt_store import Bucket, Tx
from bolt_store.errors import BucketNotFoundError, IncompatibleValueError
from recovery.errors import StoreDamagedError
from recovery.metastore.failures import Failures
from recovery.metastore.table import KeyChange, Table

SET_UP: Final = ("usersv1", "organizationsv1", "bucketsv1", "authorizationsv1")
"""Bolt buckets of which each gets a record by the first set-up."""

if TYPE_CHECKING:
    from recovery.metastore.authorizations import Authorizations, LegacyAuthorizations
    from recovery.metastore.buckets import Buckets
    from recovery.metastore.catalogue import Catalogue
    from recovery.metastore.mappings import Mappings
    from recovery.metastore.migrations import Migrations
    from recovery.metastore.organizations import Organizations
    from recovery.metastore.passwords import Passwords
    from recovery.metastore.users import Users


class MetaTx:
    """The records of a store within one transaction. Only that of an update can be written."""

    def __init__(self, tx: Tx, failures: Failures, *, level: int) -> None:
        """Wrap a transaction; `MetaStore.view` and `update` are the ways to get one.

        Args:
            failures: Translates what the engine raises.
        """
        self._tx = tx
        self._failures = failures
        self._key_changes: dict[tuple[str, bytes], KeyChange] | None = None
        self._tables: dict[str, Table] = {}
        self.level = level

    def damaged(self, problem: str) -> StoreDamagedError:
        """Return the error for a store that cannot be worked on; `problem` is a clause about it."""
        return self._failures.damaged(problem)

    @property
    def path(self) -> str:
        """The store, as it was named."""
        return str(self._failures.path)

    @property
    def txid(self) -> int:
        """Transaction id of the state read, or the one that a commit will have."""
        return self._tx.txid

    def table(self, name: str) -> Table:
        """Return one bolt bucket as a table; one that the store lacks reads as empty."""
        known = self._tables.get(name)
        if known is None:
            known = Table(name, lambda: self._bucket(name), self._failures, note=self._note)
            self._tables[name] = known
        return known

    @property
    def is_never_set_up(self) -> bool:
        """Whether it has none of the records that a first set-up makes, as a server begins."""
        tables = map(self.table, SET_UP)
        return all(table.is_there and table.is_empty for table in tables)

    def _bucket(self, name: str) -> Bucket | None:
        with suppress(BucketNotFoundError, IncompatibleValueError):
            return self._tx.bucket(name.encode())
        return None

    @contextmanager
    def watched(self) -> Iterator[list[KeyChange]]:
        """Note every key that is changed in the block.

        Yields:
            A list that is filled at the end of the block: each key once, with its value before the
            block and at its end.
        """
        found: list[KeyChange] = []
        self._key_changes = {}
        try:
            yield found
            found.extend(one for one in self._key_changes.values() if one.before != one.after)
        finally:
            self._key_changes = None

    def _note(self, table: Table, key: bytes, value: bytes | None) -> None:
        if self._key_changes is None:
            return
        known = self._key_changes.get((table.name, key))
        before = table.stored(key) if known is None else known.before
        self._key_changes[table.name, key] = KeyChange(table.name, key, before, value)

    def table_names(self) -> list[str]:
        """List the bolt buckets in the order of the file; bytes that are no text are escaped."""
        with self._failures.translated():
            return [name.decode(errors="backslashreplace") for name in self._tx.bucket_names()]

    def create_table(self, name: str) -> Table:
        """Make a bolt bucket that is not there yet; raise `StoreDamagedError` if it is."""
        with self._failures.translated():
            created = self._tx.create_bucket(name.encode())
        return Table(name, lambda: created, self._failures)

    @cached_property
    def users(self) -> "Users":
        """Users, and the index of their names."""
        from recovery.metastore.users import Users

        return Users(self.table)

    @cached_property
    def passwords(self) -> "Passwords":
        """Password hashes."""
        from recovery.metastore.passwords import Passwords

        return Passwords(self.table)

    @cached_property
    def organizations(self) -> "Organizations":
        """Organizations, and the index of their names."""
        from recovery.metastore.organizations import Organizations

        return Organizations(self.table)

    @cached_property
    def buckets(self) -> "Buckets":
        """InfluxDB buckets, and the index of their names."""
        from recovery.metastore.buckets import Buckets

        return Buckets(self.table)

    @cached_property
    def mappings(self) -> "Mappings":
        """Who owns or belongs to what, and the index by user."""
        from recovery.metastore.mappings import Mappings

        return Mappings(self.table)

    @cached_property
    def authorizations(self) -> "Authorizations":
        """Authorizations, and both token indexes."""
        from recovery.metastore.authorizations import Authorizations

        return Authorizations(self.table)

    @cached_property
    def legacy_authorizations(self) -> "LegacyAuthorizations":
        """1.x-compatible authorizations, and the index of their user names."""
        from recovery.metastore.authorizations import LegacyAuthorizations

        return LegacyAuthorizations(self.table)

    @cached_property
    def migrations(self) -> "Migrations":
        """Records of the schema."""
        from recovery.metastore.migrations import Migrations

        return Migrations(self.table)

    @cached_property
    def catalogue(self) -> "Catalogue":
        """The storage engine's catalogue."""
        from recovery.metastore.catalogue import Catalogue

        return Catalogue(self.table)
