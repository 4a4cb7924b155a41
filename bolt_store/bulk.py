"""Filling an empty file with sorted content: packed leaves, branches built from below.

Lives here: `BulkWriter`. Must not live here: where the content comes from (`compact`, `salvage`),
and how the file gets its name (`bolt_store.file.new_file`).

Content comes in the order of its keys, a bucket where its name stands, and what is complete is
written at once: held are one leaf and one branch of each level, for each bucket that is open at the
time. Pages are written from id 2 upward, each once. A leaf is closed when the next element
would not fit into its page; a larger element stands alone. A branch is closed when it is full and
at least two entries are left for the next one, so that no branch ends up with one child.

Invariants: those of the format that bbolt's own check does not look at, too: each separator is the
first key of its child, all leaves of a tree lie at one depth, no leaf below a branch is empty, no
branch has less than two children. Nothing is read back here; whoever publishes the file checks it.

Source: bbolt v1.3.6 bucket.go (inlineable), node.go (write); spec section 3.6.
"""

from dataclasses import dataclass, field
from typing import Final

from bolt_store.codec.branch import Branch, branch_size_bytes, encode_branch
from bolt_store.codec.bucket import BucketValue, encode_bucket
from bolt_store.codec.freelist import encode_freelist
from bolt_store.codec.layout import (
    BUCKET_FLAG,
    ELEMENT_SIZE_BYTES,
    META_PAGE_COUNT,
    PAGE_HEADER_SIZE_BYTES,
    inline_size_bytes_max,
)
from bolt_store.codec.leaf import Leaf, encode_leaf, require_key
from bolt_store.codec.meta import Meta, encode_meta
from bolt_store.errors import (
    IncompatibleValueError,
    KeyOrderError,
    LimitError,
    ValueTooLargeError,
    invariant,
)
from bolt_store.file.block_file import BlockFile
from bolt_store.file.new_file import CHUNK_SIZE_BYTES, write
from bolt_store.limits import (
    BUCKET_NAME_SIZE_BYTES_MAX,
    ELEMENT_COUNT_MAX,
    KEY_SIZE_BYTES_MAX,
    RUN_SIZE_BYTES_MAX,
    TXID_MAX,
    VALUE_SIZE_BYTES_MAX,
)

CHILD_COUNT_MIN: Final = 2
"""A branch with one child makes bbolt panic when it deletes below it."""


class BulkWriter:
    """Writes one file from sorted content.

    Attributes:
        key_count: Keys put so far, those of buckets not included.
        bucket_count: Buckets opened so far.
        page_count: Pages written so far, the two metas included.
    """

    def __init__(self, file: BlockFile, *, page_size_bytes: int) -> None:
        """Begin in an empty file, which stays the caller's to sync and to close."""
        self._file = file
        self._page_size = page_size_bytes
        self._inline_max = inline_size_bytes_max(page_size_bytes)
        self._pending = bytearray()
        self._flushed_page_count = META_PAGE_COUNT
        self._trees = [_Tree(b"", 0)]
        self.page_count = META_PAGE_COUNT
        self.key_count = 0
        self.bucket_count = 0

    def open_bucket(self, name: bytes, *, sequence: int) -> None:
        """Begin a bucket in the one that is open; what is put next goes into it.

        Args:
            name: Above every key put into the open bucket before.
            sequence: Its counter, at most 64 bits.

        Raises:
            KeyRequiredError: The name is empty.
            KeyTooLargeError: The name does not fit into the format.
            KeyOrderError: The name is not above the key before it.
        """
        require_key(name, BUCKET_NAME_SIZE_BYTES_MAX)
        self._trees[-1].require_above(name)
        self._trees.append(_Tree(name, sequence))
        self.bucket_count += 1

    def put(self, key: bytes, value: bytes) -> None:
        """Add a key to the open bucket.

        Args:
            key: Above every key put into the open bucket before.

        Raises:
            IncompatibleValueError: No bucket is open: the root bucket holds buckets only.
            KeyRequiredError: The key is empty.
            KeyTooLargeError: The key has more than 32,768 bytes.
            ValueTooLargeError: The value has more than 2,147,483,646 bytes.
            KeyOrderError: The key is not above the one before it.
        """
        if len(self._trees) == 1:
            raise IncompatibleValueError
        require_key(key, KEY_SIZE_BYTES_MAX)
        if len(value) > VALUE_SIZE_BYTES_MAX:
            raise ValueTooLargeError(found_bytes=len(value), limit_bytes=VALUE_SIZE_BYTES_MAX)
        self._add(self._trees[-1], 0, key, value)
        self.key_count += 1

    def close_bucket(self) -> None:
        """End the open bucket; raise `LimitError` for three keys that no page can hold."""
        invariant(len(self._trees) > 1, "a bucket is open")
        tree = self._trees.pop()
        self._add(self._trees[-1], BUCKET_FLAG, tree.name, encode_bucket(self._finish_tree(tree)))

    def finish(self, *, txid: int, root_sequence: int = 0, meta_flags: int = 0) -> Meta:
        """Write what is left, the empty freelist and both metas.

        Both metas name the same tree, under the ids `txid` and the one before it.

        Args:
            txid: Of the newer meta, at least 1; begun anew where none would be left after it.

        Returns:
            The newer meta. The file is exactly as long as its pages.

        Raises:
            LimitError: As `close_bucket`.
        """
        invariant(len(self._trees) == 1, "all buckets are closed")
        root = self._write_tree(self._trees.pop())
        freelist = self._append(
            encode_freelist([], pgid=self.page_count, page_count=1, page_size_bytes=self._page_size)
        )
        self._flush()
        invariant(txid > 0, "the older meta has an id, too")
        txid = txid if txid < TXID_MAX else 1
        newer, older = (
            Meta(
                page_size_bytes=self._page_size,
                flags=meta_flags,
                root_pgid=root,
                root_sequence=root_sequence,
                freelist_pgid=freelist,
                high_water_mark=self.page_count,
                txid=number,
            )
            for number in (txid, txid - 1)
        )
        for meta in (older, newer):
            slot = meta.txid % META_PAGE_COUNT
            write(self._file, slot * self._page_size, encode_meta(meta, slot=slot))
        return newer

    # -- one tree ----------------------------------------------------------------------------

    def _add(self, tree: "_Tree", flag: int, key: bytes, value: bytes) -> None:
        """Add an element to the leaf that is being filled, or to a new one."""
        tree.require_above(key)
        size = ELEMENT_SIZE_BYTES + len(key) + len(value)
        leaf = tree.leaf
        if leaf.keys and (
            tree.leaf_size_bytes + size > self._page_size or len(leaf.keys) == ELEMENT_COUNT_MAX
        ):
            self._write_leaf(tree)
            leaf = tree.leaf
        leaf.flags.append(flag)
        leaf.keys.append(key)
        leaf.values.append(value)
        tree.leaf_size_bytes += size
        tree.last_key = key

    def _finish_tree(self, tree: "_Tree") -> BucketValue:
        """Return a bucket as its parent stores it: inline where bbolt would store it so."""
        leaf = tree.leaf
        if not tree.levels and not any(leaf.flags) and tree.leaf_size_bytes <= self._inline_max:
            page = encode_leaf(leaf, pgid=0, page_size_bytes=0)
            return BucketValue(root_pgid=0, sequence=tree.sequence, inline_page=page)
        root = self._write_tree(tree)
        return BucketValue(root_pgid=root, sequence=tree.sequence, inline_page=None)

    def _write_tree(self, tree: "_Tree") -> int:
        """Write what is left of a tree, level by level, and return its root page."""
        self._write_leaf(tree)
        depth = 0
        while True:
            level = tree.levels[depth]
            if len(level.keys) == 1:
                return level.children[0]
            count = level.last_cut()
            if count:
                self._write_branch(tree, depth, count)
            self._write_branch(tree, depth, len(level.keys))
            depth += 1

    def _write_leaf(self, tree: "_Tree") -> None:
        leaf = tree.leaf
        _require_run(tree.leaf_size_bytes)
        pgid = self._append(
            encode_leaf(leaf, pgid=self.page_count, page_size_bytes=self._page_size)
        )
        self._push(tree, 0, leaf.keys[0] if leaf.keys else b"", pgid)
        tree.leaf = Leaf([], [], [])
        tree.leaf_size_bytes = PAGE_HEADER_SIZE_BYTES

    def _push(self, tree: "_Tree", depth: int, key: bytes, pgid: int) -> None:
        """Add a finished page to the branch above it, and write that one when it is full."""
        if depth == len(tree.levels):
            tree.levels.append(_Level())
        level = tree.levels[depth]
        level.push(key, pgid, self._page_size)
        if level.full_count and len(level.keys) >= level.full_count + CHILD_COUNT_MIN:
            self._write_branch(tree, depth, level.full_count)

    def _write_branch(self, tree: "_Tree", depth: int, count: int) -> None:
        part = tree.levels[depth].take(count, self._page_size)
        _require_run(branch_size_bytes(part.keys))
        pgid = self._append(
            encode_branch(part, pgid=self.page_count, page_size_bytes=self._page_size)
        )
        self._push(tree, depth + 1, part.keys[0], pgid)

    # -- the file ----------------------------------------------------------------------------

    def _append(self, run: bytes) -> int:
        """Put a run behind the last one, and return its first page."""
        pgid = self.page_count
        self._pending += run
        self.page_count += len(run) // self._page_size
        if len(self._pending) >= CHUNK_SIZE_BYTES:
            self._flush()
        return pgid

    def _flush(self) -> None:
        if self._pending:
            offset = self._flushed_page_count * self._page_size
            write(self._file, offset, bytes(self._pending))
            self._pending.clear()
            self._flushed_page_count = self.page_count


class _Level(Branch[int]):
    """The entries of one level that are not in a written branch yet.

    Attributes:
        size_bytes: Size of the branch page that would hold them all.
        full_count: How many fill the next branch; 0 while all of them fit into it.
    """

    __slots__ = ("full_count", "size_bytes")

    def __init__(self) -> None:
        super().__init__([], [])
        self.size_bytes = PAGE_HEADER_SIZE_BYTES
        self.full_count = 0

    def push(self, key: bytes, pgid: int, page_size_bytes: int) -> None:
        self.keys.append(key)
        self.children.append(pgid)
        self.size_bytes += ELEMENT_SIZE_BYTES + len(key)
        count = len(self.keys)
        is_over = self.size_bytes > page_size_bytes or count > ELEMENT_COUNT_MAX
        if is_over and not self.full_count and count > CHILD_COUNT_MIN:
            self.full_count = count - 1

    def last_cut(self) -> int:
        """Return how many entries go into the last branch but one; 0 when one takes them all."""
        if not self.full_count or len(self.keys) < 2 * CHILD_COUNT_MIN:
            return 0
        return min(self.full_count, len(self.keys) - CHILD_COUNT_MIN)

    def take(self, count: int, page_size_bytes: int) -> Branch[int]:
        """Remove the first entries and return them."""
        part = Branch(self.keys[:count], self.children[:count])
        rest = Branch(self.keys[count:], self.children[count:])
        self.keys, self.children = [], []
        self.size_bytes, self.full_count = PAGE_HEADER_SIZE_BYTES, 0
        for key, pgid in zip(rest.keys, rest.children, strict=True):
            self.push(key, pgid, page_size_bytes)
        return part


@dataclass(slots=True, eq=False)
class _Tree:
    """One bucket that is being filled.

    Attributes:
        leaf: The elements of the leaf that is being filled.
        levels: The entries for the branches above the leaves, the lowest level first.
    """

    name: bytes
    sequence: int
    leaf: Leaf = field(default_factory=lambda: Leaf([], [], []))
    leaf_size_bytes: int = PAGE_HEADER_SIZE_BYTES
    levels: list[_Level] = field(default_factory=list)
    last_key: bytes = b""

    def require_above(self, key: bytes) -> None:
        if key <= self.last_key:
            raise KeyOrderError


def _require_run(size_bytes: int) -> None:
    if size_bytes > RUN_SIZE_BYTES_MAX:
        raise LimitError(f"a page would have {size_bytes} bytes, at most 4 GiB are possible")
