"""Changed pages in memory, and the rules by which they split and merge.

Lives here: `LeafNode` and `BranchNode`, their sizes, bbolt's split rule and the merge threshold.
Must not live here: which node a key belongs to (`btree`), page allocation (`freelist`).

Source: bbolt v1.3.6 node.go (splitTwo, splitIndex, rebalance); spec sections 2.2 and 2.3.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from bolt_store.codec.branch import Branch, branch_size_bytes, encode_branch
from bolt_store.codec.layout import ELEMENT_SIZE_BYTES, PAGE_HEADER_SIZE_BYTES
from bolt_store.codec.leaf import Leaf, LeafElements, encode_leaf, leaf_size_bytes
from bolt_store.limits import ELEMENT_COUNT_MAX

if TYPE_CHECKING:
    from bolt_store.tree.values import Value

    _Leaf: TypeAlias = LeafElements[Value]
    _Branch: TypeAlias = Branch["Child"]
else:  # a type in quotes would be compiled, which is a twentieth of the work of a short listing
    _Leaf, _Branch = LeafElements, Branch

KEYS_PER_PAGE_MIN: Final = 2
"""Each part of a split has at least so many elements (bbolt minKeysPerPage)."""

FILL_DEFAULT: Final = 0.5
"""How full a page is filled when it is split (bbolt DefaultFillPercent)."""


class LeafNode(_Leaf):
    """A leaf being changed.

    Attributes:
        run: First page and number of pages of the run it was read from; None for a new leaf and
            for one that came from an inline page.
        is_shrunk: Whether an element was deleted, so that it may have to merge.
    """

    __slots__ = ("is_shrunk", "run")

    def __init__(
        self,
        flags: list[int],
        keys: list[bytes],
        values: "list[Value]",
        run: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(flags, keys, values)
        self.run = run
        self.is_shrunk = False


class BranchNode(_Branch):
    """A branch being changed. Its changed children stand in it themselves, the others as page ids.

    Attributes:
        run: First page and number of pages of the run it was read from; None for a new branch.
        is_shrunk: Whether a child was removed, so that it may have to merge.
    """

    __slots__ = ("is_shrunk", "run")

    def __init__(
        self, keys: list[bytes], children: list["Child"], run: tuple[int, int] | None = None
    ) -> None:
        super().__init__(keys, children)
        self.run = run
        self.is_shrunk = False


Node: TypeAlias = LeafNode | BranchNode
Child: TypeAlias = Node | int


def node_size_bytes(node: Node) -> int:
    """Return the number of bytes that the node takes on a page, header included."""
    if isinstance(node, LeafNode):
        return leaf_size_bytes(node)
    return branch_size_bytes(node.keys)


def value_bytes(value: "Value") -> bytes:
    """Give the bytes of a value. Raises as `StoredValue.read`."""
    return value if isinstance(value, bytes) else value.read()


def encode_node(node: Node, *, pgid: int, page_size_bytes: int) -> bytes:
    """Encode a node whose children have their pages. Arguments and result as `encode_leaf`."""
    if isinstance(node, LeafNode):
        leaf = Leaf(node.flags, node.keys, [value_bytes(one) for one in node.values])
        return encode_leaf(leaf, pgid=pgid, page_size_bytes=page_size_bytes)
    stored = Branch(node.keys, [child for child in node.children if isinstance(child, int)])
    return encode_branch(stored, pgid=pgid, page_size_bytes=page_size_bytes)


def is_undersized(node: Node, page_size_bytes: int) -> bool:
    """Tell whether a shrunk node has to merge with a neighbour: under a quarter page, or lonely."""
    if isinstance(node, BranchNode) and len(node.keys) < KEYS_PER_PAGE_MIN:
        return True
    return node_size_bytes(node) < page_size_bytes // 4


def merge(left: Node, right: Node) -> None:
    """Move all of `right`, a neighbour of the same level, to the end of `left`."""
    left.keys += right.keys
    left.is_shrunk = True
    if isinstance(left, LeafNode) and isinstance(right, LeafNode):
        left.flags += right.flags
        left.values += right.values
    elif isinstance(left, BranchNode) and isinstance(right, BranchNode):
        left.children += right.children


def split(node: Node, page_size_bytes: int, fill: float) -> list[Node]:
    """Split a node into parts that fit their pages, by bbolt's rule.

    A node is left whole when it has at most four elements or fits into a page. Otherwise the first
    part ends where it would pass `fill` of a page, has at least two elements and leaves at least
    three to the rest, with which it goes on.

    Args:
        node: The node; it is not changed.
        fill: How full the first parts get, 0.1 to 1.0.

    Returns:
        At least one part, without a run of its own. One part is the node itself.
    """
    cuts = _split_indexes(_element_sizes(node), page_size_bytes, fill)
    if not cuts:
        return [node]
    bounds = pairwise([0, *cuts, len(node.keys)])
    if isinstance(node, LeafNode):
        return [
            LeafNode(node.flags[start:end], node.keys[start:end], node.values[start:end])
            for start, end in bounds
        ]
    return [BranchNode(node.keys[start:end], node.children[start:end]) for start, end in bounds]


def _element_sizes(node: Node) -> list[int]:
    """Return the size in bytes of each element with its key and value."""
    if isinstance(node, LeafNode):
        return [
            ELEMENT_SIZE_BYTES + len(key) + len(value)
            for key, value in zip(node.keys, node.values, strict=True)
        ]
    return [ELEMENT_SIZE_BYTES + len(key) for key in node.keys]


def _split_indexes(sizes: list[int], page_size_bytes: int, fill: float) -> list[int]:
    """Return the index of the first element of each part but the first."""
    threshold = int(page_size_bytes * min(max(fill, 0.1), 1.0))
    cuts: list[int] = []
    start = 0
    count = len(sizes)
    rest_bytes = PAGE_HEADER_SIZE_BYTES + sum(sizes)
    while count - start > 2 * KEYS_PER_PAGE_MIN and (
        rest_bytes >= page_size_bytes or count - start > ELEMENT_COUNT_MAX
    ):
        taken_bytes = PAGE_HEADER_SIZE_BYTES
        index = start
        for index in range(start, count - KEYS_PER_PAGE_MIN):
            if index - start >= KEYS_PER_PAGE_MIN and taken_bytes + sizes[index] > threshold:
                break
            if index - start == ELEMENT_COUNT_MAX:  # only where pages are larger than 1 MiB
                break
            taken_bytes += sizes[index]
        # As in bbolt, the last index that was looked at, so that the rest has three elements.
        cuts.append(index)
        rest_bytes -= taken_bytes - PAGE_HEADER_SIZE_BYTES
        start = index
    return cuts
