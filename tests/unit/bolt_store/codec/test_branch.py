"""The branch page: one table of bytes and values, and every way to break the format."""

from struct import pack

import pytest

from bolt_store.codec.branch import (
    Branch,
    branch_size_bytes,
    decode_branch,
    encode_branch,
    is_packed_branch,
)
from bolt_store.errors import InvariantError, PageError

# (bytes without padding, keys, children), all for page 6 and pages of 512 bytes.
PAIRS: list[tuple[str, list[bytes], list[int]]] = [
    (
        (
            "0600000000000000 0100 0200 00000000"
            "20000000 01000000 0700000000000000  11000000 02000000 0800000000000000 61 6262"
        ),
        [b"a", b"bb"],
        [7, 8],
    ),
    (
        (
            "0600000000000000 0100 0300 00000000"
            "30000000 01000000 0300000000000000  21000000 02000000 0200000000000000"
            "13000000 01000000 ffffffffffffff7f  00 0001 ff"
        ),
        [b"\0", b"\0\1", b"\xff"],
        [3, 2, (1 << 63) - 1],
    ),
    (
        "0600000000000000 0100 0200 01000000"
        "20000000 00020000 0700000000000000  10020000 01000000 0800000000000000"
        + "61" * 512
        + "62",
        [b"a" * 512, b"b"],
        [7, 8],
    ),
]


@pytest.mark.parametrize(("text", "keys", "children"), PAIRS)
def test_f4_a_branch_and_its_bytes_are_each_other(
    text: str, keys: list[bytes], children: list[int]
) -> None:
    raw = bytes.fromhex(text)
    page = raw.ljust(-(-len(raw) // 512) * 512, b"\0")
    branch = decode_branch(page, pgid=6)
    assert (keys, children) == (branch.keys, branch.children)
    assert page == encode_branch(branch, pgid=6, page_size_bytes=512)
    assert len(raw) == branch_size_bytes(keys)
    assert is_packed_branch(page)


def test_f4_positions_follow_the_formula() -> None:
    keys = [b"%03d" % number * (1 + number % 4) for number in range(50)]
    page = encode_branch(Branch(keys, list(range(2, 52))), pgid=6, page_size_bytes=4096)
    for index in range(50):
        element = page[16 + 16 * index : 32 + 16 * index]
        before = sum(len(key) for key in keys[:index])
        assert pack("<IIQ", 16 * (50 - index) + before, len(keys[index]), 2 + index) == element


def page_of(*elements: tuple[int, int, int], data: bytes = b"") -> bytes:
    """Return page 6 with exactly these element headers and these bytes behind them."""
    head = pack("<QHHI", 6, 1, len(elements), 0)
    return (head + b"".join(pack("<IIQ", *each) for each in elements) + data).ljust(512, b"\0")


def test_a_branch_with_one_child_is_readable() -> None:
    """`check` reports it; a look-up finds its way all the same."""
    branch = decode_branch(page_of((16, 1, 7), data=b"a"), pgid=6)
    assert (branch.keys, branch.children) == ([b"a"], [7])


def test_gaps_between_keys_are_accepted() -> None:
    page = page_of((33, 1, 7), (19, 1, 8), data=b".a.b")
    branch = decode_branch(page, pgid=6)
    assert branch.keys == [b"a", b"b"]
    assert not is_packed_branch(page)


BROKEN = {
    "no children": ("branch.empty", page_of()),
    "a key inside the table": ("element.bounds", page_of((31, 1, 7), (17, 1, 8))),
    "a key that ends outside": ("element.bounds", page_of((16, 500, 7))),
    "a key of 4 GiB": ("element.bounds", page_of((16, 0xFFFFFFFF, 7), data=b"a")),
    "a position outside": ("element.bounds", page_of((0xFFFFFFFF, 1, 7))),
    "an empty key": ("key.empty", page_of((16, 0, 7))),
    "keys that descend": ("key.order", page_of((32, 1, 7), (17, 1, 8), data=b"ba")),
    "keys that repeat": ("key.order", page_of((32, 1, 7), (17, 1, 8), data=b"aa")),
    "a meta page as a child": ("page.range", page_of((16, 1, 1), data=b"a")),
    "keys that overlap": (
        "element.overlap",
        page_of(*[(16 * (20 - index), 30 + index, 7) for index in range(20)], data=b"a" * 150),
    ),
    "a table larger than the page": ("element.table", pack("<QHHI", 6, 1, 32, 0).ljust(512, b"\0")),
    "a leaf": ("page.kind", pack("<QHHI", 6, 2, 0, 0).ljust(512, b"\0")),
    "another page": ("page.id", pack("<QHHI", 7, 1, 0, 0).ljust(512, b"\0")),
    "unknown flags": ("page.flags", pack("<QHHI", 6, 0x21, 0, 0).ljust(512, b"\0")),
}


@pytest.mark.parametrize(("code", "page"), BROKEN.values(), ids=BROKEN.keys())
def test_a_branch_that_breaks_the_format_is_refused(code: str, page: bytes) -> None:
    with pytest.raises(PageError) as caught:
        decode_branch(page, pgid=6)
    assert (code, 6) == (caught.value.code, caught.value.pgid)


@pytest.mark.parametrize(
    ("keys", "children"),
    [
        ([], []),
        ([b"a"], [2]),
        ([b"b", b"a"], [2, 3]),
        ([b"a", b"a"], [2, 3]),
        ([b"", b"a"], [2, 3]),
        ([b"a", b"b"], [1, 3]),
        ([b"%05d" % number for number in range(65535)], [2] * 65535),
    ],
)
def test_a_branch_that_must_not_exist_is_never_written(
    keys: list[bytes], children: list[int]
) -> None:
    with pytest.raises(InvariantError):
        encode_branch(Branch(keys, children), pgid=6, page_size_bytes=4096)
