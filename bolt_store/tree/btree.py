"""The B+tree of one bucket: look-up, change, and the way of the changes to new pages.

Lives here: `BTree`. Must not live here: what a bucket is (`bucket`), which page is free
(`freelist`).

A tree is read from its pages as long as nothing is changed. A change loads the nodes on the way to
its leaf, and them alone. `settle` then mends children that have become too small, and `spill` gives
every changed node new pages, children first, so that each branch gets the first keys and the pages
of its children as they are. Thus a separator always equals the first key of its child.

Invariants: all leaves at one depth; branches below the root have two children or more; no empty
leaf below a branch. Recursion here goes down a tree of nodes, whose depth is bounded when they are
loaded. What reads a page raises `FormatError` where it is damaged, and `OSError` where it cannot be
read.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from bolt_store.codec.branch import Branch
from bolt_store.codec.layout import run_length
from bolt_store.codec.leaf import Leaf, LeafElements, find_in_leaf
from bolt_store.errors import CycleError, LimitError, PageError
from bolt_store.limits import RUN_SIZE_BYTES_MAX, TREE_DEPTH_MAX
from bolt_store.tree.node import (
    BranchNode,
    Child,
    LeafNode,
    Node,
    encode_node,
    is_undersized,
    merge,
    node_size_bytes,
    split,
    value_bytes,
)
from bolt_store.tree.pages import Pages

if TYPE_CHECKING:
    from bolt_store.tree.values import Values


class Storage(Protocol):
    """Where changed nodes go: implemented by the write transaction."""

    def free(self, run: tuple[int, int]) -> None:
        """Note that the pages of a run (first page, number) are not used any more."""
        ...

    def is_freed(self, pgid: int) -> bool:
        """Tell whether a page was given back by this transaction."""
        ...

    def store(self, node: Node, page_count: int) -> int:
        """Allocate a run for a node that nobody changes any more, and keep it for the commit."""
        ...


class BTree:
    """The tree of one bucket, seen through the pages of one snapshot.

    Attributes:
        root: Page id of the root, or the root itself when it was changed or came from an inline
            page.
        is_changed: Whether anything was put or deleted.
        version: Goes up with every change, so that cursors notice.
    """

    __slots__ = ("_pages", "_values", "is_changed", "root", "version")

    def __init__(self, pages: Pages, root: Child, values: "Callable[[], Values]") -> None:
        self._pages = pages
        self._values = values
        self.root = root
        self.is_changed = False
        self.version = 0

    def resolve(self, child: Child) -> Leaf | LeafNode | Branch[int] | BranchNode:
        """Return a child decoded; what is shared with others must not be changed."""
        return self._pages.decode(child) if isinstance(child, int) else child

    def find(self, key: bytes) -> tuple[int, bytes] | None:
        """Look one key up.

        Returns:
            Flags and value, or None when the tree does not have the key.

        Raises:
            FormatError: A page on the way is damaged, or the way does not end.
        """
        child: Child = self.root
        node_or_page = self._pages.node_or_page
        for _ in range(TREE_DEPTH_MAX):
            node = node_or_page(child) if isinstance(child, int) else child
            if isinstance(node, Branch):  # asked first: it is met most often
                index = bisect_right(node.keys, key)  # as `child_index`, without a call
                child = node.children[index - 1 if index else 0]
                continue
            if isinstance(node, bytes):
                return find_in_leaf(node, key, pgid=child if isinstance(child, int) else None)
            keys = node.keys
            index = bisect_left(keys, key)
            if index < len(keys) and keys[index] == key:
                return node.flags[index], value_bytes(node.values[index])
            return None
        raise _too_deep(child)

    def put(self, key: bytes, value: bytes, flags: int) -> None:
        """Set a key. Setting what is there already changes nothing.

        Args:
            key: Not empty.
            value: The value, encoded if it is a bucket.
            flags: 1 for a bucket, 0 for a plain value.
        """
        if self.find(key) == (flags, value):
            return  # new pages up to the root for nothing, and a new state to no purpose
        leaf = self._leaf_for_change(key)
        index = bisect_left(leaf.keys, key)
        kept = self._values().kept(value)
        if index < len(leaf.keys) and leaf.keys[index] == key:
            leaf.is_shrunk |= len(value) < len(leaf.values[index])
            leaf.values[index] = kept
            leaf.flags[index] = flags
        else:
            leaf.keys.insert(index, key)
            leaf.values.insert(index, kept)
            leaf.flags.insert(index, flags)
        self._note_change()

    def delete(self, key: bytes) -> bool:
        """Remove a key, and return whether it was there."""
        if self.find(key) is None:
            return False
        leaf = self._leaf_for_change(key)
        index = bisect_left(leaf.keys, key)
        del leaf.keys[index], leaf.values[index], leaf.flags[index]
        leaf.is_shrunk = True
        self._note_change()
        return True

    def leaves(self, low: bytes) -> Iterator[Leaf | LeafNode]:
        """Walk the leaves from the one that `low` belongs to.

        Raises:
            FormatError: A page is damaged, or the tree has more empty leaves than the file pages.
        """
        way: list[Iterator[Child | Leaf]] = [iter((self.root,))]
        decode = self._pages.decode
        is_seeking = True
        empty_count = 0
        while way:
            child = next(way[-1], None)
            if child is None:
                way.pop()
                continue
            node = decode(child) if isinstance(child, int) else child
            if not isinstance(node, LeafElements):
                if len(way) > TREE_DEPTH_MAX:
                    raise CycleError(pgid=0)
                first = child_index(node.keys, low) if is_seeking else 0
                way.append(self._pages.ahead(node.children[first:]))
                continue
            is_seeking = False
            if not node.keys:
                # A page cleared by bbolt's surgery is empty; of more than there are, some repeat.
                empty_count += 1
                if empty_count > self.page_count_max:
                    raise CycleError(pgid=0)
            yield node

    @property
    def page_count_max(self) -> int:
        """More pages than this no tree of the snapshot can have."""
        return self._pages.snapshot.page_count

    def _note_change(self) -> None:
        self.is_changed = True
        self.version += 1

    def _leaf_for_change(self, key: bytes) -> LeafNode:
        """Load the nodes on the way to the leaf that `key` belongs to."""
        node = self.root = self._load(self.root)
        for _ in range(TREE_DEPTH_MAX):
            if isinstance(node, LeafNode):
                return node
            index = child_index(node.keys, key)
            child = node.children[index] = self._load(node.children[index])
            node = child
        raise _too_deep(self.root)

    def _load(self, child: Child) -> Node:
        """Turn a page into a node; a node stays as it is."""
        if not isinstance(child, int):
            return child
        run = (child, self._pages.run_length(child))
        page = self._pages.decode(child)
        if isinstance(page, Leaf):
            values = self._values().left(page, run, self._pages)
            return LeafNode(list(page.flags), list(page.keys), values, run=run)
        return BranchNode(list(page.keys), list(page.children), run=run)

    # -- before the commit: children that have become too small --------------------------------

    def settle(self, storage: Storage) -> None:
        """Merge what has become too small, up to the root, and lower a root with one child.

        Args:
            storage: Told of the pages that are no longer used.
        """
        if isinstance(self.root, BranchNode):
            self._settle_children(self.root, storage)
        while isinstance(self.root, BranchNode):
            root = self.root
            if len(root.children) > 1:
                return
            # A branch with one child is a level for nothing; bbolt makes none.
            _free(root, storage)
            self.root = self._load(root.children[0]) if root.children else LeafNode([], [], [])

    def _settle_children(self, branch: BranchNode, storage: Storage) -> None:
        """Settle every changed child, and mend what has become too small."""
        changed = [child for child in branch.children if not isinstance(child, int)]
        for node in changed:
            if isinstance(node, BranchNode):
                self._settle_children(node, storage)
        if any(node.is_shrunk for node in changed):
            self._mend_children(branch, storage)

    def _mend_children(self, branch: BranchNode, storage: Storage) -> None:
        """Drop the empty children, then merge the small ones with their neighbours."""
        for index in reversed(range(len(branch.children))):
            child = branch.children[index]
            if not isinstance(child, int) and not child.keys:
                _remove_child(branch, index, storage)
        index = 0
        while index < len(branch.children) and len(branch.children) > 1:
            child = branch.children[index]
            if isinstance(child, int) or not child.is_shrunk:
                # What lost nothing has not become too small, and bbolt leaves it alone, too.
                index += 1
            elif is_undersized(child, self._pages.page_size_bytes):
                index = self._merge_child(branch, index, storage)
            else:
                index += 1

    def _merge_child(self, branch: BranchNode, index: int, storage: Storage) -> int:
        """Merge a child with a neighbour; return the index of the merged child."""
        left = max(index - 1, 0)
        into = branch.children[left] = self._load(branch.children[left])
        gone = branch.children[left + 1] = self._load(branch.children[left + 1])
        merge(into, gone)
        _remove_child(branch, left + 1, storage)
        return left

    # -- the commit: new pages for what has changed --------------------------------------------

    def to_inline_page(self, storage: Storage, size_bytes_max: int) -> bytes | None:
        """Return one small leaf without buckets as an inline page, and free its own; else None."""
        root = self.root
        if not isinstance(root, LeafNode) or any(root.flags):
            return None  # bbolt reads buckets in an inline one, and writes none
        if node_size_bytes(root) > size_bytes_max:
            return None
        _free(root, storage)
        return encode_node(root, pgid=0, page_size_bytes=0)

    def spill(self, storage: Storage, fill: float) -> int:
        """Give every changed node new pages, children first.

        Args:
            storage: Gets the pages and hears of the freed ones.
            fill: How full split pages become, 0.1 to 1.0.

        Returns:
            The page id of the root.

        Raises:
            LimitError: A page would be larger than the format allows.
        """
        if isinstance(self.root, int):
            return self.root
        entries = self._spill_node(self.root, storage, fill)
        while len(entries) > 1:
            # The root was split: its parts need one above them, which may be too large again.
            grown = BranchNode([key for key, _ in entries], [pgid for _, pgid in entries])
            entries = self._spill_node(grown, storage, fill)
        self.root = entries[0][1]
        return self.root

    def _spill_node(self, node: Node, storage: Storage, fill: float) -> list[tuple[bytes, int]]:
        """Store a node and all below it; return first key and page id of each of its parts."""
        if isinstance(node, BranchNode):
            entries: list[tuple[bytes, int]] = []
            for key, child in zip(node.keys, node.children, strict=True):
                if isinstance(child, int):
                    entries.append((key, child))
                else:
                    entries += self._spill_node(child, storage, fill)
            node.keys = [key for key, _ in entries]
            node.children = [pgid for _, pgid in entries]
        _free(node, storage)
        size = self._pages.page_size_bytes
        return [_store(part, storage, size) for part in split(node, size, fill)]


def child_index(keys: list[bytes], key: bytes) -> int:
    """Return the index of the child that `key` belongs to."""
    return max(bisect_right(keys, key) - 1, 0)


def _free(node: Node, storage: Storage) -> None:
    if node.run is not None:
        storage.free(node.run)
        node.run = None


def _remove_child(branch: BranchNode, index: int, storage: Storage) -> None:
    child = branch.children[index]
    if not isinstance(child, int):
        _free(child, storage)
    del branch.keys[index], branch.children[index]
    branch.is_shrunk = True


def _store(part: Node, storage: Storage, page_size_bytes: int) -> tuple[bytes, int]:
    """Store one part of a node on pages of its own."""
    size = node_size_bytes(part)
    if size > RUN_SIZE_BYTES_MAX:  # up to four values stay together, whatever their size
        raise LimitError("the values of neighbouring keys do not fit into the 4 GiB of one page")
    pgid = storage.store(part, run_length(size, page_size_bytes))
    return (part.keys[0] if part.keys else b""), pgid


def _too_deep(child: Child) -> CycleError:
    return CycleError(pgid=child if isinstance(child, int) else 0)


def tree_runs(pages: Pages, root_pgid: int) -> list[tuple[tuple[int, int], Leaf | None]]:
    """List the runs of a tree, to free them.

    Args:
        pages: Pages of the snapshot that the tree belongs to.

    Returns:
        Each run as its first page and number of pages, and the decoded leaf where it holds buckets.

    Raises:
        FormatError: A page is damaged or is reached twice.
    """
    runs: list[tuple[tuple[int, int], Leaf | None]] = []
    seen: set[int] = set()
    stack = [root_pgid]
    while stack:
        pgid = stack.pop()
        if pgid in seen:
            raise PageError(pgid=pgid, code="page.shared", problem="is reached twice in one tree")
        seen.add(pgid)
        page = pages.decode(pgid)
        run = (pgid, pages.run_length(pgid))
        if isinstance(page, Branch):
            stack += page.children
            runs.append((run, None))
        else:
            runs.append((run, page if any(page.flags) else None))
    return runs
