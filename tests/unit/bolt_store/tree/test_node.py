"""Sizes, the split rule of bbolt, and what has to merge."""

import pytest

from bolt_store.codec.branch import encode_branch
from bolt_store.tree.node import (
    BranchNode,
    LeafNode,
    encode_node,
    is_undersized,
    merge,
    node_size_bytes,
    split,
)


def leaf(*value_sizes: int) -> LeafNode:
    """Return a leaf with keys of 4 bytes, so that an element has 20 bytes and its value."""
    keys = [b"%04d" % number for number in range(len(value_sizes))]
    return LeafNode([0] * len(keys), keys, [b"v" * size for size in value_sizes])


def branch(count: int) -> BranchNode:
    """Return a branch with keys of 4 bytes, so that an element has 20 bytes."""
    return BranchNode([b"%04d" % number for number in range(count)], list(range(2, count + 2)))


def part_sizes(node: LeafNode | BranchNode, page_size: int = 1024, fill: float = 0.5) -> list[int]:
    return [len(part.keys) for part in split(node, page_size, fill)]


def test_a_size_is_the_number_of_bytes_on_the_page() -> None:
    node = leaf(0, 7, 100)
    assert node_size_bytes(node) == len(encode_node(node, pgid=0, page_size_bytes=0))
    children = branch(3)
    assert node_size_bytes(children) == 16 + 3 * 20
    encoded = encode_branch(branch(3), pgid=6, page_size_bytes=512)  # type: ignore[arg-type] # all children are ids
    assert encoded[node_size_bytes(children) :].strip(b"\0") == b""


@pytest.mark.parametrize(
    ("node", "counts"),
    [
        (leaf(), [0]),
        (leaf(5000), [1]),
        (leaf(*[5000] * 4), [4]),  # at most 4 elements stay together, whatever their size
        (leaf(*[5000] * 5), [2, 3]),
        (leaf(*[5000] * 6), [2, 4]),
        (leaf(*[5000] * 9), [2, 2, 2, 3]),
        (leaf(*[28] * 20), [20]),  # 16 + 20 * 48 = 976 bytes fit into the page
        (leaf(*[28] * 21), [10, 11]),  # 1024 bytes do not: bbolt splits at the size of a page
        (leaf(*[28] * 20, 27), [21]),  # 1023 bytes do
        (leaf(*[28] * 30), [10, 20]),
        (leaf(*[28] * 31), [10, 10, 11]),
        (leaf(500, 500, *[28] * 10), [2, 10]),  # a part has 2 elements, also beyond its fill
        (leaf(*[28] * 18, 5000, 5000, 5000), [10, 8, 3]),
        (branch(50), [50]),
        (branch(51), [24, 27]),
    ],
)
def test_f4_a_node_is_split_by_the_rule_of_bbolt(
    node: LeafNode | BranchNode, counts: list[int]
) -> None:
    assert part_sizes(node) == counts


@pytest.mark.parametrize(
    ("fill", "counts"), [(0.05, [2, 2]), (0.1, [2, 2]), (0.9, [18, 18]), (1.0, [21, 21])]
)
def test_the_fill_decides_where_a_part_ends(fill: float, counts: list[int]) -> None:
    assert part_sizes(leaf(*[28] * 100), fill=fill)[:2] == counts


def test_a_fill_outside_of_a_tenth_to_one_is_clamped() -> None:
    node = leaf(*[28] * 100)
    assert part_sizes(node, 4096, 0.0) == part_sizes(node, 4096, 0.1)
    assert part_sizes(node, 4096, 9.0) == part_sizes(node, 4096, 1.0)


def test_parts_together_are_the_node() -> None:
    node = leaf(*[(number * 37) % 300 for number in range(200)])
    parts = split(node, 1024, 0.5)
    leaves = [part for part in parts if isinstance(part, LeafNode)]
    assert len(leaves) == len(parts) > 1
    assert [each for part in leaves for each in part.keys] == node.keys
    assert [each for part in leaves for each in part.values] == node.values
    assert [each for part in leaves for each in part.flags] == node.flags


def test_a_split_branch_keeps_its_children_in_order() -> None:
    node = branch(300)
    parts = [part for part in split(node, 1024, 0.5) if isinstance(part, BranchNode)]
    assert [child for part in parts for child in part.children] == list(range(2, 302))


def test_no_part_has_more_elements_than_a_page_can_count() -> None:
    count = 200_000
    keys = [b"%06d" % number for number in range(count)]
    node = LeafNode([0] * count, keys, [b""] * count)
    counts = part_sizes(node, page_size=1 << 24, fill=1.0)
    assert max(counts) <= 65534
    assert sum(counts) == count


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (leaf(219), True),  # 16 + 20 + 219 = 255 bytes, under a quarter of 1024
        (leaf(220), False),
        (leaf(), True),
        (branch(1), True),
        (BranchNode([b"k" * 500], [2]), True),  # a lonely child, whatever its size
        (branch(11), True),  # 236 bytes
        (branch(12), False),  # 256 bytes
    ],
)
def test_a_node_under_a_quarter_page_or_with_one_child_has_to_merge(
    node: LeafNode | BranchNode, *, expected: bool
) -> None:
    assert is_undersized(node, 1024) is expected


def test_a_merged_leaf_has_the_elements_of_both_and_may_merge_again() -> None:
    left, right = leaf(1, 2), leaf(3)
    right.keys = [b"9999"]
    merge(left, right)
    assert (left.keys, left.values) == ([b"0000", b"0001", b"9999"], [b"v", b"vv", b"vvv"])
    assert left.flags == [0, 0, 0]
    assert left.is_shrunk


def test_a_merged_branch_has_the_children_of_both() -> None:
    left, right = branch(2), BranchNode([b"9999"], [77])
    merge(left, right)
    assert (left.keys, left.children) == ([b"0000", b"0001", b"9999"], [2, 3, 77])
