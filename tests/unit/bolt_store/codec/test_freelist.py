"""The freelist page in its short and its long form."""

from struct import pack

import pytest

from bolt_store.codec.freelist import decode_freelist, encode_freelist, freelist_size_bytes
from bolt_store.errors import InvariantError, PageError

PAIRS: list[tuple[str, list[int]]] = [
    ("0600000000000000 1000 0000 00000000", []),
    ("0600000000000000 1000 0100 00000000 0200000000000000", [2]),
    (
        "0600000000000000 1000 0300 00000000 0200000000000000 0500000000000000 ffffffffffffff7f",
        [2, 5, (1 << 63) - 1],
    ),
]


@pytest.mark.parametrize(("text", "ids"), PAIRS)
def test_f6_a_freelist_and_its_bytes_are_each_other(text: str, ids: list[int]) -> None:
    page = bytes.fromhex(text).ljust(512, b"\0")
    assert tuple(ids) == decode_freelist(page, pgid=6)
    assert page == encode_freelist(ids, pgid=6, page_count=1, page_size_bytes=512)
    assert len(bytes.fromhex(text)) == freelist_size_bytes(len(ids))


@pytest.mark.parametrize(
    ("count", "stored_count", "prefix", "size_bytes"),
    [
        (65534, 0xFFFE, b"", 16 + 8 * 65534),
        (65535, 0xFFFF, pack("<Q", 65535), 16 + 8 + 8 * 65535),
        (65536, 0xFFFF, pack("<Q", 65536), 16 + 8 + 8 * 65536),
    ],
)
def test_f6_from_65535_ids_on_the_long_form_is_used(
    count: int, stored_count: int, prefix: bytes, size_bytes: int
) -> None:
    ids = list(range(2, count + 2))
    page_count = -(-size_bytes // 4096)
    head = pack("<QHHI", 6, 0x10, stored_count, page_count - 1) + prefix
    expected = (head + pack(f"<{count}Q", *ids)).ljust(page_count * 4096, b"\0")
    page = encode_freelist(ids, pgid=6, page_count=page_count, page_size_bytes=4096)
    assert size_bytes == freelist_size_bytes(count)
    assert expected == page
    assert tuple(ids) == decode_freelist(page, pgid=6)


def test_a_run_may_be_longer_than_its_ids_need() -> None:
    page = encode_freelist([2, 3], pgid=6, page_count=3, page_size_bytes=512)
    assert len(page) == 3 * 512
    assert decode_freelist(page, pgid=6) == (2, 3)


def test_order_range_and_repetition_are_left_to_the_check() -> None:
    page = pack("<QHHI4Q", 6, 0x10, 4, 0, 9, 9, 0, 1 << 63).ljust(512, b"\0")
    assert decode_freelist(page, pgid=6) == (9, 9, 0, 1 << 63)


@pytest.mark.parametrize(
    ("code", "page"),
    [
        ("freelist.kind", pack("<QHHI", 6, 2, 0, 0).ljust(512, b"\0")),
        ("freelist.count", pack("<QHHI", 6, 0x10, 63, 0).ljust(512, b"\0")),
        ("freelist.count", pack("<QHHI", 6, 0x10, 0xFFFF, 0)),
        ("freelist.count", pack("<QHHIQ", 6, 0x10, 0xFFFF, 0, 62).ljust(512, b"\0")),
        ("freelist.count", pack("<QHHIQ", 6, 0x10, 0xFFFF, 0, (1 << 64) - 1).ljust(512, b"\0")),
        ("page.id", pack("<QHHI", 5, 0x10, 0, 0).ljust(512, b"\0")),
        ("page.flags", pack("<QHHI", 6, 0, 0, 0).ljust(512, b"\0")),
    ],
)
def test_a_freelist_that_breaks_the_format_is_refused(code: str, page: bytes) -> None:
    with pytest.raises(PageError) as caught:
        decode_freelist(page, pgid=6)
    assert code == caught.value.code


def test_the_long_form_is_read_for_few_ids_too() -> None:
    page = pack("<QHHIQQ", 6, 0x10, 0xFFFF, 0, 1, 7).ljust(512, b"\0")
    assert decode_freelist(page, pgid=6) == (7,)


@pytest.mark.parametrize(
    ("ids", "page_count"), [([1], 1), ([0, 2], 1), (list(range(2, 65)), 1), ([], 0)]
)
def test_a_freelist_that_must_not_exist_is_never_written(ids: list[int], page_count: int) -> None:
    with pytest.raises(InvariantError):
        encode_freelist(ids, pgid=6, page_count=page_count, page_size_bytes=512)
