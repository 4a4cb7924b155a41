"""The leaf page: one table of bytes and values, and every way to break the format."""

from collections.abc import Callable
from struct import pack
from typing import TypeVar

import pytest

from bolt_store.codec.leaf import (
    Leaf,
    decode_leaf,
    decode_leaf_element,
    decode_leaf_keys,
    encode_leaf,
    find_in_leaf,
    leaf_element_count,
    leaf_size_bytes,
    lone_places,
)
from bolt_store.errors import InvariantError, PageError

Decoded = TypeVar("Decoded")
Columns = tuple[list[int], list[bytes], list[bytes]]

# (page size, 0 for inline; bytes without padding; flags, keys, values). The pages have the id 6.
PAIRS: list[tuple[int, str, Columns]] = [
    (512, "0600000000000000 0200 0000 00000000", ([], [], [])),
    (0, "0000000000000000 0200 0000 00000000", ([], [], [])),
    (
        512,
        "0600000000000000 0200 0100 00000000  00000000 10000000 01000000 00000000 61",
        ([0], [b"a"], [b""]),
    ),
    (
        0,
        (
            "0000000000000000 0200 0200 00000000"
            "00000000 20000000 03000000 05000000  00000000 18000000 04000000 01000000"
            "666f6f 76616c7565 666f6f64 00"
        ),
        ([0, 0], [b"foo", b"food"], [b"value", b"\0"]),
    ),
    (
        1024,
        (
            "0600000000000000 0200 0300 00000000"
            "00000000 30000000 01000000 02000000  01000000 23000000 02000000 10000000"
            "00000000 25000000 01000000 00000000"
            "00 ffff  0062 0900000000000000 0700000000000000  ff"
        ),
        ([0, 1, 0], [b"\0", b"\0b", b"\xff"], [b"\xff\xff", pack("<QQ", 9, 7), b""]),
    ),
    (
        512,
        "0600000000000000 0200 0100 01000000  00000000 10000000 01000000 20030000 6b"
        + "76" * 0x320,
        ([0], [b"k"], [b"v" * 0x320]),
    ),
]


def image(page_size_bytes: int, text: str) -> bytes:
    """Return the page of a table's line, zero-filled."""
    page = bytes.fromhex(text)
    if not page_size_bytes:
        return page
    return page.ljust(-(-len(page) // page_size_bytes) * page_size_bytes, b"\0")


def columns(leaf: Leaf) -> Columns:
    return leaf.flags, leaf.keys, leaf.values


@pytest.mark.parametrize(("page_size_bytes", "text", "expected"), PAIRS)
def test_f4_a_leaf_and_its_bytes_are_each_other(
    page_size_bytes: int, text: str, expected: Columns
) -> None:
    page = image(page_size_bytes, text)
    pgid = 6 if page_size_bytes else None
    leaf = decode_leaf(page, pgid=pgid)
    assert expected == columns(leaf)
    assert decode_leaf_keys(page, pgid=pgid) == (expected[1], any(expected[0]), True)
    assert len(expected[1]) == leaf_element_count(page, pgid=pgid)
    assert list(zip(*expected, strict=True)) == [
        decode_leaf_element(page, index, pgid=pgid) for index in range(len(expected[1]))
    ]
    assert page == encode_leaf(leaf, pgid=pgid or 0, page_size_bytes=page_size_bytes)
    assert len(bytes.fromhex(text)) == leaf_size_bytes(leaf)


def test_f4_positions_follow_the_formula() -> None:
    """Element i of n lies `16 * (n - i)` plus all keys and values before it behind its header."""
    keys = [b"%03d" % number * (1 + number % 4) for number in range(50)]
    values = [b"v" * (number % 7) for number in range(50)]
    page = encode_leaf(Leaf([0] * 50, keys, values), pgid=6, page_size_bytes=4096)
    for index in range(50):
        element = page[16 + 16 * index : 32 + 16 * index]
        before = sum(len(part) for part in keys[:index] + values[:index])
        expected = (0, 16 * (50 - index) + before, len(keys[index]), len(values[index]))
        assert pack("<IIII", *expected) == element


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"", None),
        (b"\0", (0, b"\xff\xff")),
        (b"\0a", None),
        (b"\0b", (1, pack("<QQ", 9, 7))),
        (b"\xff", (0, b"")),
        (b"\xff\0", None),
    ],
)
def test_a_key_is_found_in_place(key: bytes, expected: tuple[int, bytes] | None) -> None:
    page = image(*PAIRS[4][:2])
    assert expected == find_in_leaf(page, key, pgid=6)


def page_of(
    *elements: tuple[int, int, int, int], data: bytes = b"", size_bytes: int = 512
) -> bytes:
    """Return page 6 with exactly these element headers and these bytes behind them."""
    head = pack("<QHHI", 6, 2, len(elements), 0)
    return (head + b"".join(pack("<IIII", *each) for each in elements) + data).ljust(
        size_bytes, b"\0"
    )


def test_gaps_between_elements_are_accepted() -> None:
    """Nobody writes them, and nothing goes wrong when they are read."""
    page = page_of((0, 33, 1, 1), (0, 20, 1, 1), data=b".ak.bl")
    assert columns(decode_leaf(page, pgid=6)) == ([0, 0], [b"a", b"b"], [b"k", b"l"])
    assert decode_leaf_keys(page, pgid=6) == ([b"a", b"b"], False, False)
    assert find_in_leaf(page, b"b", pgid=6) == (0, b"l")


BROKEN = {
    "unknown flags": ("element.flags", page_of((2, 16, 1, 1), data=b"ak")),
    "unknown flags behind a sound element": (
        "element.flags",
        page_of((0, 32, 1, 1), (8, 18, 1, 1), data=b"akbl"),
    ),
    "an empty key": ("key.empty", page_of((0, 16, 0, 1), data=b"ak")),
    "a key inside the table": ("element.bounds", page_of((0, 31, 1, 1), (0, 18, 1, 1))),
    "a key that ends outside": ("element.bounds", page_of((0, 16, 600, 0))),
    "a value that ends outside": ("element.bounds", page_of((0, 16, 1, 480), data=b"a")),
    "a value of 4 GiB": ("element.bounds", page_of((0, 16, 1, 0xFFFFFFFF), data=b"a")),
    "a position outside": ("element.bounds", page_of((0, 0xFFFFFFFF, 1, 1))),
    "keys that descend": ("key.order", page_of((0, 32, 1, 1), (0, 18, 1, 1), data=b"bkal")),
    "keys that repeat": ("key.order", page_of((0, 32, 1, 1), (0, 18, 1, 1), data=b"akal")),
    "elements that overlap": (
        "element.overlap",
        page_of(*[(0, 16 * (20 - index), 1 + index, 100) for index in range(20)], data=b"a" * 150),
    ),
}


@pytest.mark.parametrize(("code", "page"), BROKEN.values(), ids=BROKEN.keys())
def test_a_leaf_with_a_broken_element_is_refused(code: str, page: bytes) -> None:
    for decode in (decode_leaf, decode_leaf_keys):
        with pytest.raises(PageError) as caught:
            decode(page, pgid=6)
        assert (code, 6) == (caught.value.code, caught.value.pgid)


@pytest.mark.parametrize(
    ("code", "head"),
    [
        ("page.id", "0700000000000000 0200 0000 00000000"),
        ("page.flags", "0600000000000000 0300 0000 00000000"),
        ("page.kind", "0600000000000000 0100 0000 00000000"),
        ("page.kind", "0600000000000000 1000 0000 00000000"),
        ("element.table", "0600000000000000 0200 2000 00000000"),
        ("element.table", "0600000000000000 0200 ffff 00000000"),
        ("page.truncated", "0600000000000000 0200"),
    ],
)
def test_what_is_no_leaf_is_refused(code: str, head: str) -> None:
    page = bytes.fromhex(head)
    page = page if len(page) < 16 else page.ljust(512, b"\0")
    for decode in (decode_leaf, decode_leaf_keys, leaf_element_count):
        with pytest.raises(PageError) as caught:
            decode(page, pgid=6)
        assert code == caught.value.code


@pytest.mark.parametrize(
    ("code", "page"),
    [
        ("element.flags", page_of((2, 16, 1, 1), data=b"ak")),
        ("element.bounds", page_of((0, 15, 1, 1), data=b"ak")),
        ("element.bounds", page_of((0, 16, 1, 600), data=b"ak")),
        ("page.kind", bytes.fromhex("06000000000000000100000000000000")),
        ("element.table", bytes.fromhex("06000000000000000200ffff00000000")),
    ],
)
def test_a_search_refuses_what_it_meets_on_its_way(code: str, page: bytes) -> None:
    with pytest.raises(PageError) as caught:
        find_in_leaf(page, b"a", pgid=6)
    assert code == caught.value.code


def test_the_largest_leaf_that_can_be_counted_is_decoded() -> None:
    keys = [b"%05d" % number for number in range(65534)]
    leaf = Leaf([0] * 65534, keys, [b""] * 65534)
    page = encode_leaf(leaf, pgid=6, page_size_bytes=1 << 21)
    assert keys == decode_leaf(page, pgid=6).keys
    assert find_in_leaf(page, b"65533", pgid=6) == (0, b"")


@pytest.mark.parametrize(
    "leaf",
    [
        Leaf([0], [b""], [b"v"]),
        Leaf([0, 0], [b"b", b"a"], [b"", b""]),
        Leaf([0, 0], [b"a", b"a"], [b"", b""]),
        Leaf([0] * 65535, [b"%05d" % number for number in range(65535)], [b""] * 65535),
    ],
)
def test_a_leaf_that_would_be_refused_on_reading_is_never_written(leaf: Leaf) -> None:
    with pytest.raises(InvariantError):
        encode_leaf(leaf, pgid=6, page_size_bytes=4096)


def test_unknown_element_flags_are_never_written() -> None:
    with pytest.raises(InvariantError):
        encode_leaf(Leaf([2], [b"a"], [b""]), pgid=6, page_size_bytes=4096)


def attempt(decode: Callable[..., Decoded], page: bytes) -> Decoded | str:
    """Decode a page, or say what is wrong with it."""
    try:
        return decode(page, pgid=6)
    except PageError as error:
        return error.code


def element_by_element(page: bytes) -> Columns:
    """Decode as `decode_leaf` does, by the slow way alone."""
    count = leaf_element_count(page, pgid=6)
    found = [decode_leaf_element(page, index, pgid=6) for index in range(count)]
    flags, keys, values = zip(*found, strict=True)
    return list(flags), list(keys), list(values)


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_one_changed_byte_among_elements_of_one_size_is_read_as_it_stands(count: int) -> None:
    """They are compared with a pattern as a whole, and nothing may hide behind that."""
    keys = [b"key%d" % number for number in range(count)]
    page = encode_leaf(Leaf([0] * count, keys, [b"value"] * count), pgid=6, page_size_bytes=512)
    assert columns(decode_leaf(page, pgid=6)) == element_by_element(page)
    for place in range(16, 16 + 25 * count):
        changed = bytearray(page)
        changed[place] ^= 1 << place % 8
        wrong = bytes(changed)
        leaf, alone = attempt(decode_leaf, wrong), attempt(decode_leaf_keys, wrong)
        if isinstance(leaf, str) or isinstance(alone, str):
            assert leaf == alone
            continue
        assert columns(leaf) == element_by_element(wrong)
        assert all(map(bytes.__lt__, leaf.keys, leaf.keys[1:]))
        assert alone[0] == leaf.keys


def test_a_lone_element_is_found_only_where_all_of_its_page_is_sound() -> None:
    sole = Leaf([0], [b"key"], [b"value"])
    before, page = (encode_leaf(sole, pgid=pgid, page_size_bytes=512) for pgid in (5, 6))
    first, second = (32, 35, 40), (544, 547, 552)
    assert lone_places(before + page + page, 512, pgid=5) == [first, second]
    assert lone_places(before + page[:511], 512, pgid=5) == [first]
    assert lone_places(page + before, 512, pgid=5) == []
    for bit in range(8 * 40):
        changed = bytearray(page)
        changed[bit // 8] ^= 1 << bit % 8
        wrong = bytes(changed)
        block = before + wrong
        found, places = attempt(decode_leaf, wrong), lone_places(block, 512, pgid=5)
        assert places[:1] == [first]
        if isinstance(found, str) or found.flags != [0] or changed[12:16] != bytes(4):
            assert not places[1:], bit
        elif not places[1:]:
            assert not decode_leaf_keys(wrong, pgid=6)[2], bit
        else:
            (key, value, end) = places[1]
            assert [block[key:value]] == found.keys
            assert [block[value:end]] == found.values
