"""Buckets: named trees of keys, values and further buckets.

Lives here: `Bucket`, its inline form, its sequence, and the freeing of a deleted one. Must not live
here: the tree itself (`btree`), the order of a commit (`tx`).

Source: bbolt v1.3.6 bucket.go; spec sections 1.7, 2.4 and 2.11.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from bolt_store.codec.bucket import BucketValue, decode_bucket, encode_bucket
from bolt_store.codec.layout import BUCKET_FLAG, inline_size_bytes_max
from bolt_store.codec.leaf import Leaf, decode_leaf, encode_leaf, require_key
from bolt_store.errors import (
    BucketExistsError,
    BucketNotFoundError,
    IncompatibleValueError,
    LimitError,
    PageError,
    ReadOnlyError,
    ValueTooLargeError,
)
from bolt_store.limits import (
    BUCKET_NAME_SIZE_BYTES_MAX,
    KEY_SIZE_BYTES_MAX,
    VALUE_SIZE_BYTES_MAX,
)
from bolt_store.tree.btree import BTree, Storage, tree_runs
from bolt_store.tree.cursor import Cursor, Item, Openness
from bolt_store.tree.node import FILL_DEFAULT, LeafNode, value_bytes
from bolt_store.tree.pages import Pages

if TYPE_CHECKING:
    from bolt_store.tree.values import Values

SEQUENCE_MAX: Final = (1 << 64) - 1

_EMPTY: Final = BucketValue(
    root_pgid=0,
    sequence=0,
    inline_page=encode_leaf(Leaf([], [], []), pgid=0, page_size_bytes=0),
)


class Owner(Openness, Protocol):
    """What a bucket needs of its transaction."""

    @property
    def pages(self) -> Pages:
        """The pages it reads."""
        ...

    @property
    def is_writable(self) -> bool:
        """Whether it may change anything."""
        ...

    @property
    def storage(self) -> Storage:
        """Where changed nodes go."""
        ...

    def values(self) -> "Values":
        """Say where the values of changed nodes are kept."""
        ...


class Bucket:
    """One bucket, bound to a transaction.

    What reads or writes raises `TxClosedError` when that has ended, `BucketNotFoundError` when the
    bucket was deleted, `FormatError` where a page on the way is damaged, and `OSError` where one
    cannot be read.
    """

    __slots__ = ("_children", "_is_deleted", "_sequence", "_stored", "_tree", "_tx", "fill")

    def __init__(self, tx: Owner, stored: BucketValue | None) -> None:
        """Open a bucket; `Tx.bucket` and `Bucket.bucket` are the ways to get one.

        Args:
            stored: The bucket as its parent stores it, or None for a new one.
        """
        self._tx = tx
        self._stored = stored
        self._children: dict[bytes, Bucket] = {}
        self._is_deleted = False
        self._sequence = stored.sequence if stored else 0
        self._tree = BTree(tx.pages, _root_of(stored), tx.values)
        self.fill = FILL_DEFAULT
        """How full pages become when they are split, 0.1 to 1.0; not stored."""

    # -- reading ----------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None when the key is absent or names a bucket."""
        self.require_open()
        found = self._tree.find(key)
        return None if found is None or found[0] else found[1]

    def items(
        self,
        *,
        prefix: bytes = b"",
        start: bytes | None = None,
        stop: bytes | None = None,
    ) -> Iterator[Item]:
        """Walk the items in the order of their keys.

        Changing the bucket meanwhile is allowed: the walk goes on behind the last key it gave.

        Args:
            prefix: Only keys that begin with it.
            start: Only keys at or above it.
            stop: Only keys below it.

        Yields:
            Key and value; None as the value of a bucket.

        Raises:
            FormatError: A page is damaged, or the tree repeats itself.
        """
        self.require_open()
        low = max(prefix, start or b"")
        high = _smaller(_prefix_end(prefix), stop)
        if self._tx.is_writable:
            return self._walk_changing(low, high)
        # A chain, so that Python code runs for each leaf and not for each item.
        return chain.from_iterable(self._walk(low, high))

    def _walk(self, low: bytes, high: bytes | None) -> Iterator[Iterator[Item]]:
        """Walk the items from `low` on and below `high`, of a tree that does not change."""
        last: bytes | None = None
        for leaf in self._tree.leaves(low):
            self.require_open()
            keys = leaf.keys
            if not keys:
                continue
            if last is not None and keys[0] <= last:
                # Without this, pages that two parents share would be walked over and over.
                raise PageError(pgid=None, code="key.order", problem="a tree repeats its keys")
            begin = 0 if last is not None else bisect_left(keys, low)
            end = len(keys) if high is None or keys[-1] < high else bisect_left(keys, high)
            yield _items_of(leaf, begin, end)
            if end < len(keys):
                return
            last = keys[-1]

    def _walk_changing(self, low: bytes, high: bytes | None) -> Iterator[Item]:
        """Walk as `_walk`, and find the place again when the tree has changed."""
        cursor = Cursor(self, self._tree)
        item = cursor.seek(low)
        while item is not None and (high is None or item[0] < high):
            yield item
            item = cursor.next()

    def cursor(self) -> Cursor:
        """Return a new cursor, which stands nowhere yet."""
        self.require_open()
        return Cursor(self, self._tree)

    @property
    def sequence(self) -> int:
        """The counter that an application may keep in a bucket."""
        self.require_open()
        return self._sequence

    def bucket(self, name: bytes) -> "Bucket":
        """Return a bucket in this one.

        Raises:
            BucketNotFoundError: There is none of this name.
            IncompatibleValueError: A plain value has this name.
        """
        self.require_open()
        child = self._children.get(name)
        if child is not None:
            return child
        found = self._tree.find(name)
        if found is None:
            raise BucketNotFoundError
        if found[0] != BUCKET_FLAG:
            raise IncompatibleValueError
        child = Bucket(self._tx, decode_bucket(found[1], pgid=None))
        if self._tx.is_writable:
            # Only one object may hold the changes of a bucket.
            self._children[name] = child
        return child

    def has_bucket(self, name: bytes) -> bool:
        """Tell whether a bucket of this name is in this one. Raises as `get`."""
        self.require_open()
        found = self._tree.find(name)
        return found is not None and found[0] == BUCKET_FLAG

    def buckets(self) -> Iterator[tuple[bytes, "Bucket"]]:
        """Walk the buckets in this one, in the order of their names. Raises as `items`."""
        for name, value in self.items():
            if value is None:
                try:
                    bucket = self.bucket(name)
                except (BucketNotFoundError, IncompatibleValueError):
                    problem = "a walk meets a bucket that a look-up does not find"
                    raise PageError(pgid=None, code="branch.separator", problem=problem) from None
                yield name, bucket

    # -- writing ----------------------------------------------------------------------------

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key.

        Raises:
            KeyRequiredError: The key is empty.
            KeyTooLargeError: The key has more than 32,768 bytes.
            ValueTooLargeError: The value has more than 2,147,483,646 bytes.
            IncompatibleValueError: A bucket has this name.
        """
        self._require_writable()
        require_key(key, KEY_SIZE_BYTES_MAX)
        if len(value) > VALUE_SIZE_BYTES_MAX:
            raise ValueTooLargeError(found_bytes=len(value), limit_bytes=VALUE_SIZE_BYTES_MAX)
        if self.has_bucket(key):
            raise IncompatibleValueError
        self._tree.put(bytes(key), bytes(value), 0)

    def delete(self, key: bytes) -> bool:
        """Remove a key with its value.

        Returns:
            Whether it was there.

        Raises:
            IncompatibleValueError: A bucket has this name.
        """
        self._require_writable()
        if self.has_bucket(key):
            raise IncompatibleValueError
        return self._tree.delete(key)

    def create_bucket(self, name: bytes) -> "Bucket":
        """Make a new, empty bucket in this one.

        Raises:
            BucketExistsError: There is one of this name.
            IncompatibleValueError: A plain value has this name.
            KeyRequiredError: The name is empty.
            KeyTooLargeError: The name does not fit into the format.
        """
        self._require_writable()
        require_key(name, BUCKET_NAME_SIZE_BYTES_MAX)
        found = self._tree.find(name)
        if found is not None:
            raise BucketExistsError if found[0] else IncompatibleValueError
        name = bytes(name)
        self._tree.put(name, encode_bucket(_EMPTY), BUCKET_FLAG)
        child = self._children[name] = Bucket(self._tx, None)
        return child

    def delete_bucket(self, name: bytes) -> None:
        """Remove a bucket with everything in it.

        Raises:
            BucketNotFoundError: There is none of this name.
            IncompatibleValueError: A plain value has this name.
        """
        self._require_writable()
        child = self.bucket(name)
        # What can fail comes first: a bucket is deleted whole or not at all.
        runs = child.stored_runs()
        self._tree.delete(name)
        for run in runs:
            self._tx.storage.free(run)
        child.mark_deleted()
        self._children.pop(name, None)

    def next_sequence(self) -> int:
        """Count the sequence up by one and return it. Raises as `set_sequence`."""
        self.set_sequence(self._sequence + 1)
        return self._sequence

    def set_sequence(self, sequence: int) -> None:
        """Set the sequence; raise `LimitError` when it is negative or has more than 64 bits."""
        self._require_writable()
        if not 0 <= sequence <= SEQUENCE_MAX:
            raise LimitError(f"a sequence lies between 0 and {SEQUENCE_MAX}")
        self._sequence = sequence

    # -- for the transaction ----------------------------------------------------------------

    @property
    def opened(self) -> dict[bytes, "Bucket"]:
        """The buckets in this one that may have changed."""
        return self._children

    def flush(self) -> bytes | None:
        """Write what has changed to new pages.

        The buckets in this one must have been flushed before, and their values put.

        Returns:
            The new value for the parent, or None when nothing has changed.
        """
        if self._tree.is_changed:
            return encode_bucket(self._flush_tree())
        if self._stored is None:
            return encode_bucket(_EMPTY._replace(sequence=self._sequence))
        if self._stored.sequence == self._sequence:
            return None
        return encode_bucket(self._stored._replace(sequence=self._sequence))

    def flush_root(self) -> int | None:
        """Write the root bucket, which is never inline; return its new root page or None."""
        if not self._tree.is_changed:
            return None
        self._tree.settle(self._tx.storage)
        return self._tree.spill(self._tx.storage, self.fill)

    def _flush_tree(self) -> BucketValue:
        tree, storage = self._tree, self._tx.storage
        tree.settle(storage)
        page = tree.to_inline_page(storage, inline_size_bytes_max(self._tx.pages.page_size_bytes))
        if page is not None:
            return self._inline(page)
        root = tree.spill(storage, self.fill)
        return BucketValue(root_pgid=root, sequence=self._sequence, inline_page=None)

    def _inline(self, page: bytes) -> BucketValue:
        return BucketValue(root_pgid=0, sequence=self._sequence, inline_page=page)

    def stored_runs(self) -> list[tuple[int, int]]:
        """Return every run of the last committed state of this bucket and of those in it.

        What this transaction changed is only in memory, so nothing else is to be freed. A bucket
        in it that was deleted before has given its pages back already.

        Returns:
            First page and number of pages of each run.
        """
        runs: list[tuple[int, int]] = []
        pending = [self._stored] if self._stored else []
        while pending:
            stored = pending.pop()
            if stored.inline_page is not None:
                pending += _buckets_in(decode_leaf(stored.inline_page, pgid=None))
            elif not self._tx.storage.is_freed(stored.root_pgid):
                for run, leaf in tree_runs(self._tx.pages, stored.root_pgid):
                    runs.append(run)
                    if leaf is not None:
                        pending += _buckets_in(leaf)
        return runs

    def put_bucket_value(self, name: bytes, value: bytes) -> None:
        """Take over the new value of a flushed bucket in this one."""
        self._tree.put(name, value, BUCKET_FLAG)

    def mark_deleted(self) -> None:
        """Make every further use of this bucket and of those opened in it fail."""
        pending = [self]
        while pending:
            bucket = pending.pop()
            bucket._is_deleted = True  # noqa: SLF001 - the same class
            pending += bucket.opened.values()

    # -- guards -----------------------------------------------------------------------------

    def require_open(self) -> None:
        """Raise when the transaction has ended or this bucket was deleted in it."""
        self._tx.require_open()
        if self._is_deleted:
            raise BucketNotFoundError

    def _require_writable(self) -> None:
        self.require_open()
        if not self._tx.is_writable:
            raise ReadOnlyError


def _root_of(stored: BucketValue | None) -> LeafNode | int:
    """Return the root of a bucket's tree: a page id, or a node where it is inline or new."""
    if stored is None:
        return LeafNode([], [], [])
    if stored.inline_page is None:
        return stored.root_pgid
    leaf = decode_leaf(stored.inline_page, pgid=None)
    return LeafNode(leaf.flags, leaf.keys, [*leaf.values])


def _buckets_in(leaf: Leaf) -> list[BucketValue]:
    """Return the buckets among the elements of a leaf."""
    return [
        decode_bucket(value, pgid=None)
        for flag, value in zip(leaf.flags, leaf.values, strict=True)
        if flag == BUCKET_FLAG
    ]


def _items_of(leaf: Leaf | LeafNode, begin: int, end: int) -> Iterator[Item]:
    """Return the items of a leaf; without buckets this is `zip`, which costs next to nothing."""
    keys = leaf.keys
    values = leaf.values if isinstance(leaf, Leaf) else [*map(value_bytes, leaf.values)]
    if leaf.flags.count(0) < len(keys):  # ten times as fast as `any`
        plain = [None if flag else value for flag, value in zip(leaf.flags, values, strict=True)]
        return zip(keys[begin:end], plain[begin:end], strict=True)
    if begin or end < len(keys):
        keys, values = keys[begin:end], values[begin:end]
    return zip(keys, values, strict=True)


def _prefix_end(prefix: bytes) -> bytes | None:
    """Return the first key behind all that begin with `prefix`, or None when there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def _smaller(first: bytes | None, second: bytes | None) -> bytes | None:
    """Return the lower of two upper bounds, None standing for no bound."""
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)
