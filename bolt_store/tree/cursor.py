"""A position in the ordered items of a bucket.

Lives here: `Cursor`. Must not live here: changes; a cursor only reads.

A cursor keeps the way from the root to its item. When the bucket has changed since, it finds its
place again by the key it stood at, so that putting and deleting while walking is allowed.

Source: bbolt v1.3.6 cursor.go for the order and for `seek`.
"""

from bisect import bisect_left
from typing import Protocol, TypeAlias

from bolt_store.codec.branch import Branch
from bolt_store.codec.layout import BUCKET_FLAG
from bolt_store.codec.leaf import Leaf, LeafElements
from bolt_store.errors import CycleError, PageError
from bolt_store.limits import TREE_DEPTH_MAX
from bolt_store.tree.btree import BTree, child_index
from bolt_store.tree.node import BranchNode, LeafNode, value_bytes

Item: TypeAlias = tuple[bytes, bytes | None]
"""Key and value; the value is None where a bucket has this name."""


class Openness(Protocol):
    """Somebody who knows whether what is read is still there."""

    def require_open(self) -> None:
        """Raise `StateError` or `BucketError` when it is not."""
        ...


class Cursor:
    """Walks the items of one bucket, both ways.

    A new cursor stands nowhere: `next` then gives the first item and `prev` the last. Behind the
    last item `next` gives None and `prev` the last item; in front of the first the other way round.
    Each step raises as a reading method of its bucket does.
    """

    __slots__ = ("_key", "_owner", "_path", "_side", "_tree", "_version")

    def __init__(self, owner: Openness, tree: BTree) -> None:
        """Make a cursor; `Bucket.cursor` is the way to get one."""
        self._owner = owner
        self._tree = tree
        self._path: list[tuple[Leaf | LeafNode | Branch[int] | BranchNode, int]] = []
        self._key: bytes | None = None
        self._side = 0
        self._version = tree.version

    def first(self) -> Item | None:
        """Go to the first item and return it, None when the bucket is empty."""
        self._owner.require_open()
        self._descend_from_root(at_end=False)
        return self._settle(forward=True)

    def last(self) -> Item | None:
        """Go to the last item. Returns and raises as `first`."""
        self._owner.require_open()
        self._descend_from_root(at_end=True)
        return self._settle(forward=False)

    def seek(self, key: bytes) -> Item | None:
        """Go to `key`, or where it is absent to the item behind its place.

        Returns:
            The item, or None when every key is below `key`.
        """
        self._owner.require_open()
        self._path = []
        self._version = self._tree.version
        child = self._tree.root
        for _ in range(TREE_DEPTH_MAX):
            node = self._tree.resolve(child)
            if isinstance(node, LeafElements):
                self._path.append((node, bisect_left(node.keys, key)))
                return self._settle(forward=True)
            index = child_index(node.keys, key)
            self._path.append((node, index))
            child = node.children[index]
        raise CycleError(pgid=child if isinstance(child, int) else 0)

    def next(self) -> Item | None:
        """Go to the next item and return it, None behind the last one."""
        self._owner.require_open()
        if self._key is None:
            return self.first() if self._side <= 0 else None
        before = self._key
        if self._version != self._tree.version:
            item = self.seek(before)
            if item is None or item[0] != before:
                return item
        self._step(1)
        item = self._settle(forward=True)
        if item is not None and item[0] <= before:
            # Without this, pages that two parents share would be walked over and over.
            raise PageError(pgid=None, code="key.order", problem="a tree repeats its keys")
        return item

    def prev(self) -> Item | None:
        """Go to the item before. Returns and raises as `next`, the other way round."""
        self._owner.require_open()
        if self._key is None:
            return self.last() if self._side >= 0 else None
        before = self._key
        if self._version != self._tree.version and self.seek(before) is None:
            return self.last()
        self._step(-1)
        item = self._settle(forward=False)
        if item is not None and item[0] >= before:
            raise PageError(pgid=None, code="key.order", problem="a tree repeats its keys")
        return item

    def _step(self, by: int) -> None:
        node, index = self._path[-1]
        self._path[-1] = (node, index + by)

    def _descend_from_root(self, *, at_end: bool) -> None:
        self._path = []
        self._version = self._tree.version
        self._descend(self._tree.resolve(self._tree.root), at_end=at_end)

    def _descend(self, node: Leaf | LeafNode | Branch[int] | BranchNode, *, at_end: bool) -> None:
        """Go down to the first or the last leaf below `node`."""
        while len(self._path) < TREE_DEPTH_MAX:
            index = len(node.keys) - 1 if at_end else 0
            self._path.append((node, index))
            if isinstance(node, LeafElements):
                return
            node = self._tree.resolve(node.children[index])
        raise CycleError(pgid=0)

    def _settle(self, *, forward: bool) -> Item | None:
        """Leave a leaf at whose end the cursor stands, and return the item it then stands at."""
        empty_count = 0
        while self._path:
            node, index = self._path[-1]
            if not node.keys:
                empty_count += 1
                if empty_count > self._tree.page_count_max:
                    raise CycleError(pgid=0)
            if 0 <= index < len(node.keys):
                if isinstance(node, LeafElements):
                    self._key, self._side = node.keys[index], 0
                    if node.flags[index] & BUCKET_FLAG:
                        return self._key, None
                    return self._key, value_bytes(node.values[index])
                self._descend(self._tree.resolve(node.children[index]), at_end=not forward)
                continue
            self._path.pop()
            if self._path:
                self._step(1 if forward else -1)
        self._key, self._side = None, 1 if forward else -1
        return None
