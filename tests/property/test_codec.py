"""What is encoded is decoded to the same; whatever bytes come, only FormatError is raised."""

from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bolt_store.codec.branch import Branch, branch_size_bytes, decode_branch, encode_branch
from bolt_store.codec.bucket import BucketValue, decode_bucket, encode_bucket
from bolt_store.codec.freelist import decode_freelist, encode_freelist, freelist_size_bytes
from bolt_store.codec.layout import run_length
from bolt_store.codec.leaf import (
    Leaf,
    decode_leaf,
    decode_leaf_element,
    decode_leaf_keys,
    encode_leaf,
    find_in_leaf,
    leaf_size_bytes,
)
from bolt_store.codec.meta import Meta, decode_meta, encode_meta, implausibility
from bolt_store.codec.page import PageHeader, decode_page_header, encode_page_header
from bolt_store.errors import FormatError

U16 = st.integers(0, (1 << 16) - 1)
U32 = st.integers(0, (1 << 32) - 1)
U64 = st.integers(0, (1 << 64) - 1)
PAGE_SIZES = st.sampled_from([512, 1024, 4096, 65536])
KEYS = st.binary(min_size=1, max_size=40)
LEAVES = st.dictionaries(KEYS, st.tuples(st.integers(0, 1), st.binary(max_size=300)), max_size=40)


def leaf_of(items: dict[bytes, tuple[int, bytes]]) -> Leaf:
    keys = sorted(items)
    return Leaf([items[key][0] for key in keys], keys, [items[key][1] for key in keys])


# -- there and back --------------------------------------------------------------------------------


@given(
    pgid=U64,
    flags=st.sampled_from([1, 2, 4, 0x10]),
    count=U16,
    overflow=U32,
)
def test_a_header_comes_back(pgid: int, flags: int, count: int, overflow: int) -> None:
    header = PageHeader(pgid, flags, count, overflow)
    assert decode_page_header(encode_page_header(header), pgid=pgid) == header


@given(items=LEAVES, page_size=PAGE_SIZES, pgid=U64.filter(bool))
def test_f4_a_leaf_comes_back(
    items: dict[bytes, tuple[int, bytes]], page_size: int, pgid: int
) -> None:
    leaf = leaf_of(items)
    page = encode_leaf(leaf, pgid=pgid, page_size_bytes=page_size)
    assert len(page) == page_size * run_length(leaf_size_bytes(leaf), page_size)
    back = decode_leaf(page, pgid=pgid)
    assert (back.flags, back.keys, back.values) == (leaf.flags, leaf.keys, leaf.values)
    assert decode_leaf_keys(page, pgid=pgid) == (leaf.keys, any(leaf.flags), True)
    for key, expected in items.items():
        assert find_in_leaf(page, key, pgid=pgid) == expected
        assert find_in_leaf(page, key + b"\0", pgid=pgid) == items.get(key + b"\0")


@given(items=LEAVES)
def test_f4_an_inline_leaf_comes_back(items: dict[bytes, tuple[int, bytes]]) -> None:
    leaf = leaf_of(items)
    page = encode_leaf(leaf, pgid=0, page_size_bytes=0)
    assert len(page) == leaf_size_bytes(leaf)
    back = decode_leaf(page, pgid=None)
    assert (back.flags, back.keys, back.values) == (leaf.flags, leaf.keys, leaf.values)


@given(
    items=st.dictionaries(KEYS, st.integers(2, (1 << 64) - 1), min_size=2, max_size=40),
    page_size=PAGE_SIZES,
)
def test_f4_a_branch_comes_back(items: dict[bytes, int], page_size: int) -> None:
    keys = sorted(items)
    branch = Branch(keys, [items[key] for key in keys])
    page = encode_branch(branch, pgid=7, page_size_bytes=page_size)
    assert len(page) == page_size * run_length(branch_size_bytes(keys), page_size)
    back = decode_branch(page, pgid=7)
    assert (back.keys, back.children) == (branch.keys, branch.children)


@given(ids=st.sets(st.integers(2, (1 << 64) - 1), max_size=300), page_size=PAGE_SIZES)
def test_f6_a_freelist_comes_back(ids: set[int], page_size: int) -> None:
    page_count = run_length(freelist_size_bytes(len(ids)), page_size)
    page = encode_freelist(sorted(ids), pgid=7, page_count=page_count, page_size_bytes=page_size)
    assert decode_freelist(page, pgid=7) == tuple(sorted(ids))


METAS = st.builds(
    Meta,
    page_size_bytes=PAGE_SIZES,
    flags=U32,
    root_pgid=U64,
    root_sequence=U64,
    freelist_pgid=st.none() | st.integers(2, (1 << 64) - 2),
    high_water_mark=U64,
    txid=U64,
    is_signed=st.just(True),  # noqa: FBT003 - as every meta is that is written
).filter(lambda meta: implausibility(meta) is None)


@given(meta=METAS, slot=st.integers(0, 1))
def test_f1_a_meta_comes_back(meta: Meta, slot: int) -> None:
    page = encode_meta(meta, slot=slot)
    assert len(page) == meta.page_size_bytes
    assert decode_meta(page) == meta


@given(meta=METAS, bit=st.integers(20 * 8, 80 * 8 - 1))
def test_f1_a_meta_with_one_wrong_bit_is_refused(meta: Meta, bit: int) -> None:
    page = bytearray(encode_meta(meta, slot=0)[:80])
    page[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FormatError):
        decode_meta(bytes(page))


@given(root=st.integers(2, (1 << 64) - 1), sequence=U64, page=st.binary(min_size=16, max_size=99))
def test_f10_a_bucket_comes_back(root: int, sequence: int, page: bytes) -> None:
    for value in (
        BucketValue(root_pgid=root, sequence=sequence, inline_page=None),
        BucketValue(root_pgid=0, sequence=sequence, inline_page=page),
    ):
        assert decode_bucket(encode_bucket(value), pgid=7) == value


# -- any bytes -------------------------------------------------------------------------------------

DECODERS: dict[str, Callable[[bytes], object]] = {
    "header": lambda page: decode_page_header(page, pgid=7),
    "leaf": lambda page: decode_leaf(page, pgid=7),
    "leaf keys": lambda page: decode_leaf_keys(page, pgid=7),
    "inline leaf": lambda page: decode_leaf(page, pgid=None),
    "branch": lambda page: decode_branch(page, pgid=7),
    "freelist": lambda page: decode_freelist(page, pgid=7),
    "meta": decode_meta,
    "bucket": lambda page: decode_bucket(page, pgid=7),
}

# Bytes that get past the first look: a right header, then a table of numbers, small and large.
LIKELY = st.builds(
    lambda flags, count, numbers, rest: (
        pack("<QHHI", 7, flags, count, 0) + pack(f"<{len(numbers)}I", *numbers) + rest
    ),
    st.sampled_from([1, 2, 0x10]),
    st.integers(0, 9) | U16,
    st.lists(st.integers(0, 200) | U32, max_size=40),
    st.binary(max_size=100),
)


@pytest.mark.parametrize("name", DECODERS)
@given(page=st.binary(max_size=200) | LIKELY)
def test_any_bytes_are_decoded_or_refused(name: str, page: bytes) -> None:
    try:
        DECODERS[name](page)
    except FormatError as error:
        assert str(error)  # noqa: PT017 - that it has words is the point, not that it is raised


@given(page=LIKELY, key=KEYS)
def test_a_search_in_any_bytes_ends(page: bytes, key: bytes) -> None:
    try:
        found = find_in_leaf(page, key, pgid=7)
    except FormatError:
        return
    if found is not None:
        assert key + found[1] in page


@given(page=LIKELY)
def test_what_is_decoded_lies_inside_the_page_and_is_no_larger(page: bytes) -> None:
    """Otherwise a page of 4 KiB could ask for gigabytes."""
    try:
        leaf = decode_leaf(page, pgid=7)
    except FormatError:
        return
    assert sum(map(len, leaf.keys + leaf.values)) <= len(page) - 16 - 16 * len(leaf.keys)
    assert leaf.keys == sorted(set(leaf.keys))
    for index, element in enumerate(zip(leaf.flags, leaf.keys, leaf.values, strict=True)):
        assert decode_leaf_element(page, index, pgid=7) == element
        assert element[1] + element[2] in page


@given(page=LIKELY)
def test_what_is_decoded_from_any_bytes_can_be_encoded_again(page: bytes) -> None:
    """Two-sided: what must not be written is not read."""
    try:
        leaf = decode_leaf(page, pgid=7)
    except FormatError:
        return
    again = decode_leaf(encode_leaf(leaf, pgid=8, page_size_bytes=512), pgid=8)
    assert (again.flags, again.keys, again.values) == (leaf.flags, leaf.keys, leaf.values)
