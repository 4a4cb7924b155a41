"""The value of a bucket element."""

from struct import pack

import pytest

from bolt_store.codec.bucket import BucketValue, decode_bucket, encode_bucket
from bolt_store.errors import InvariantError, PageError

INLINE = pack("<QHHI", 0, 2, 0, 0)

PAIRS = [
    (
        "0900000000000000 0000000000000000",
        BucketValue(root_pgid=9, sequence=0, inline_page=None),
    ),
    (
        "ffffffffffffffff efcdab8967452301",
        BucketValue(root_pgid=(1 << 64) - 1, sequence=0x0123456789ABCDEF, inline_page=None),
    ),
    (
        "0000000000000000 ffffffffffffffff 0000000000000000 0200 0000 00000000",
        BucketValue(root_pgid=0, sequence=(1 << 64) - 1, inline_page=INLINE),
    ),
    (
        "0000000000000000 0100000000000000 0000000000000000 0200 0000 00000000 aabb",
        BucketValue(root_pgid=0, sequence=1, inline_page=INLINE + b"\xaa\xbb"),
    ),
]


@pytest.mark.parametrize(("text", "value"), PAIRS)
def test_f10_a_bucket_and_its_bytes_are_each_other(text: str, value: BucketValue) -> None:
    assert value == decode_bucket(bytes.fromhex(text), pgid=6)
    assert bytes.fromhex(text) == encode_bucket(value)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("bucket.size", b""),
        ("bucket.size", pack("<QQ", 9, 0)[:15]),
        ("bucket.size", pack("<QQ", 9, 0) + b"\0"),
        ("bucket.size", pack("<QQ", 0, 0)),
        ("bucket.size", pack("<QQ", 0, 0) + INLINE[:15]),
        ("page.range", pack("<QQ", 1, 0)),
    ],
)
def test_a_bucket_that_breaks_the_format_is_refused(code: str, value: bytes) -> None:
    with pytest.raises(PageError) as caught:
        decode_bucket(value, pgid=6)
    assert (code, 6) == (caught.value.code, caught.value.pgid)


@pytest.mark.parametrize(("root_pgid", "inline_page"), [(0, None), (9, INLINE)])
def test_a_bucket_has_a_root_page_or_an_inline_page(
    root_pgid: int, inline_page: bytes | None
) -> None:
    with pytest.raises(InvariantError):
        encode_bucket(BucketValue(root_pgid=root_pgid, sequence=0, inline_page=inline_page))
