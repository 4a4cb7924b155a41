"""The meta page: vectors of real files, its checksum, and what makes its numbers impossible."""

import pytest

from bolt_store.codec.meta import Meta, decode_meta, encode_meta, implausibility, is_page_size
from bolt_store.errors import ChecksumError, InvariantError, NotABoltFileError, VersionError

NEW = Meta(
    page_size_bytes=4096,
    flags=0,
    root_pgid=3,
    root_sequence=0,
    freelist_pgid=2,
    high_water_mark=4,
    txid=0,
)

# (slot, first 80 bytes, value). The first four are the metas of new files as bbolt writes them.
PAIRS = [
    (
        0,
        (
            "00000000000000000400000000000000 edda0ced02000000 00100000 00000000 0300000000000000"
            "0000000000000000 0200000000000000 0400000000000000 0000000000000000 eefd8946116e5107"
        ),
        NEW,
    ),
    (
        1,
        (
            "01000000000000000400000000000000 edda0ced02000000 00100000 00000000 0300000000000000"
            "0000000000000000 0200000000000000 0400000000000000 0100000000000000 0f4879511a354c26"
        ),
        NEW._replace(txid=1),
    ),
    (
        0,
        (
            "00000000000000000400000000000000 edda0ced02000000 00400000 00000000 0300000000000000"
            "0000000000000000 0200000000000000 0400000000000000 0000000000000000 7ef3dd0de347f390"
        ),
        NEW._replace(page_size_bytes=16384),
    ),
    (
        1,
        (
            "01000000000000000400000000000000 edda0ced02000000 00400000 00000000 0300000000000000"
            "0000000000000000 0200000000000000 0400000000000000 0100000000000000 9f3dcd18ec0eeeaf"
        ),
        NEW._replace(page_size_bytes=16384, txid=1),
    ),
    (
        1,
        (
            "01000000000000000400000000000000 edda0ced02000000 00020000 04000000 0807060504030201"
            "0900000000000000 ffffffffffffffff 0900000000000010 0700000000000000 "
        ),
        Meta(
            page_size_bytes=512,
            flags=4,
            root_pgid=0x0102030405060708,
            root_sequence=9,
            freelist_pgid=None,
            high_water_mark=0x1000000000000009,
            txid=7,
        ),
    ),
]


def image(text: str) -> bytes:
    """Return the bytes of a table's line, signed where the line leaves the checksum out."""
    head = bytes.fromhex(text)
    if len(head) == 80:
        return head
    digest = 0xCBF29CE484222325
    for byte in head[16:]:
        digest = ((digest ^ byte) * 0x100000001B3) % (1 << 64)
    return head + digest.to_bytes(8, "little")


@pytest.mark.parametrize(("slot", "text", "meta"), PAIRS)
def test_f1_a_meta_and_its_bytes_are_each_other(slot: int, text: str, meta: Meta) -> None:
    head = image(text)
    assert meta == decode_meta(head)
    assert head.ljust(meta.page_size_bytes, b"\0") == encode_meta(meta, slot=slot)


@pytest.mark.parametrize(
    ("page_size_bytes", "txid", "checksum"),
    [
        (4096, 0, 0x07516E114689FDEE),
        (4096, 1, 0x264C351A5179480F),
        (16384, 0, 0x90F347E30DDDF37E),
        (16384, 1, 0xAFEE0EEC18CD3D9F),
    ],
)
def test_f1_the_checksums_of_new_files_are_those_of_bbolt(
    page_size_bytes: int, txid: int, checksum: int
) -> None:
    meta = NEW._replace(page_size_bytes=page_size_bytes, txid=txid)
    assert checksum == int.from_bytes(encode_meta(meta, slot=txid)[72:80], "little")


def test_each_flipped_bit_is_seen() -> None:
    for bit in range(16 * 8, 72 * 8):
        head = bytearray(image(PAIRS[0][1]))
        head[bit // 8] ^= 1 << bit % 8
        with pytest.raises((ChecksumError, NotABoltFileError, VersionError)):
            decode_meta(bytes(head))


def test_f3_a_checksum_of_0_is_told_apart_from_a_right_one() -> None:
    head = bytearray(image(PAIRS[0][1]))
    head[72:80] = bytes(8)
    assert NEW._replace(is_signed=False) == decode_meta(bytes(head))


def test_a_meta_read_unsigned_is_written_signed() -> None:
    page = encode_meta(NEW._replace(is_signed=False), slot=0)
    assert decode_meta(page) == NEW


def test_the_page_header_in_front_of_a_meta_is_not_looked_at() -> None:
    head = b"\xff" * 16 + image(PAIRS[0][1])[16:]
    assert decode_meta(head) == NEW


def test_a_meta_cut_short_is_none() -> None:
    with pytest.raises(NotABoltFileError):
        decode_meta(image(PAIRS[0][1])[:79])


def test_another_version_is_named() -> None:
    head = bytearray(image(PAIRS[0][1]))
    head[20:24] = (3).to_bytes(4, "little")
    with pytest.raises(VersionError) as caught:
        decode_meta(bytes(head))
    assert (caught.value.expected, caught.value.found) == (2, 3)


def test_a_file_of_a_big_endian_machine_is_named_as_such() -> None:
    head = bytearray(image(PAIRS[0][1]))
    head[16:20] = bytes.fromhex("ed0cdaed")
    with pytest.raises(NotABoltFileError, match="big-endian"):
        decode_meta(bytes(head))


@pytest.mark.parametrize(
    "meta",
    [
        NEW._replace(page_size_bytes=4095),
        NEW._replace(page_size_bytes=256),
        NEW._replace(page_size_bytes=1 << 25),
        NEW._replace(page_size_bytes=0),
        NEW._replace(high_water_mark=3),
        NEW._replace(root_pgid=1),
        NEW._replace(root_pgid=4),
        NEW._replace(freelist_pgid=0),
        NEW._replace(freelist_pgid=4),
    ],
)
def test_impossible_numbers_are_said_and_never_written(meta: Meta) -> None:
    assert implausibility(meta) is not None
    with pytest.raises(InvariantError):
        encode_meta(meta, slot=0)


def test_numbers_at_the_edge_are_possible() -> None:
    assert implausibility(NEW._replace(root_pgid=2, freelist_pgid=3, txid=(1 << 64) - 1)) is None


def test_there_is_no_third_slot() -> None:
    with pytest.raises(InvariantError):
        encode_meta(NEW, slot=2)


def test_page_sizes_are_powers_of_two_from_512_bytes_to_16_mib() -> None:
    sizes = [size for size in range(1, 5000) if is_page_size(size)]
    assert sizes == [512, 1024, 2048, 4096]
    assert is_page_size(1 << 24)
    assert not is_page_size(1 << 25)
