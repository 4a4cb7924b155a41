"""The page header, byte for byte."""

import pytest

from bolt_store.codec.page import PageHeader, decode_page_header, encode_page_header
from bolt_store.errors import InvariantError, PageError

PAIRS = [
    ("0300000000000000 0200 0100 00000000", PageHeader(3, 0x02, 1, 0)),
    ("0000000000010000 0100 feff 00000000", PageHeader(1 << 40, 0x01, 65534, 0)),
    ("0500000000000000 1000 ffff ffffffff", PageHeader(5, 0x10, 65535, (1 << 32) - 1)),
    ("0100000000000000 0400 0000 00000000", PageHeader(1, 0x04, 0, 0)),
]


@pytest.mark.parametrize(("text", "header"), PAIRS)
def test_f4_a_header_and_its_bytes_are_each_other(text: str, header: PageHeader) -> None:
    page = bytes.fromhex(text)
    assert header == decode_page_header(page, pgid=header.pgid)
    assert page == encode_page_header(header)


def test_an_inline_page_has_the_id_0() -> None:
    header = PageHeader(0, 0x02, 7, 0)
    assert header == decode_page_header(encode_page_header(header), pgid=None)


@pytest.mark.parametrize(
    ("text", "pgid", "code"),
    [
        ("", 3, "page.truncated"),
        ("03000000000000000200010000000 0".replace(" ", ""), 3, "page.truncated"),
        ("0300000000000000 0200 0100 00000000", 4, "page.id"),
        ("0300000000000000 0200 0100 00000000", None, "page.id"),
        ("0300000000000000 0000 0100 00000000", 3, "page.flags"),
        ("0300000000000000 0300 0100 00000000", 3, "page.flags"),
        ("0300000000000000 2200 0100 00000000", 3, "page.flags"),
        ("0300000000000000 0001 0100 00000000", 3, "page.flags"),
    ],
)
def test_a_header_that_breaks_the_format_is_refused(text: str, pgid: int | None, code: str) -> None:
    with pytest.raises(PageError) as caught:
        decode_page_header(bytes.fromhex(text), pgid=pgid)
    assert (code, pgid) == (caught.value.code, caught.value.pgid)


@pytest.mark.parametrize("flags", [0, 3, 0x22, 0x100])
def test_flags_that_are_refused_on_reading_are_never_written(flags: int) -> None:
    with pytest.raises(InvariantError):
        encode_page_header(PageHeader(3, flags, 0, 0))


def test_a_count_beyond_16_bits_is_never_written() -> None:
    with pytest.raises(InvariantError):
        encode_page_header(PageHeader(3, 0x02, 65536, 0))
