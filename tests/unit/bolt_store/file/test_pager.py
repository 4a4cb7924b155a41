"""Which page size, which meta, and which bytes are a page."""

from struct import pack

import pytest

from bolt_store.codec.meta import Meta, encode_meta
from bolt_store.db import new_pages
from bolt_store.errors import (
    ChecksumError,
    FormatError,
    NotABoltFileError,
    PageError,
    TruncatedError,
    VersionError,
)
from bolt_store.file.pager import Pager
from tests.support.memory_file import MemoryFile
from tests.support.surgery import NOT_STORED, Patient

PAGE_SIZES = [512, 1024, 4096, 16384, 65536, 1 << 20, 1 << 24]


def new_file(page_size_bytes: int = 4096) -> Patient:
    """Return the four pages of a new file; 512-byte ones are made by hand, bbolt cannot."""
    if page_size_bytes > 512:
        return Patient(new_pages(page_size_bytes), page_size_bytes=page_size_bytes)
    metas = [
        Meta(
            page_size_bytes=512,
            flags=0,
            root_pgid=3,
            root_sequence=0,
            freelist_pgid=2,
            high_water_mark=4,
            txid=slot,
        )
        for slot in (0, 1)
    ]
    pages = [encode_meta(meta, slot=slot) for slot, meta in enumerate(metas)]
    for pgid, flags in ((2, 0x10), (3, 2)):
        pages.append(pack("<QHHI", pgid, flags, 0, 0).ljust(512, b"\0"))
    return Patient(b"".join(pages), page_size_bytes=512)


def pager_of(patient: Patient) -> Pager:
    return Pager(MemoryFile(bytes(patient.content)))


# -- page size ------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size_bytes", PAGE_SIZES)
@pytest.mark.parametrize("broken", [None, 0, 1])
def test_f2_every_page_size_is_found_with_either_meta_broken(
    page_size_bytes: int, broken: int | None
) -> None:
    patient = new_file(page_size_bytes)
    if broken is not None:
        patient.set_page(broken, bytes(page_size_bytes))
    pager = pager_of(patient)
    assert pager.page_size_bytes == page_size_bytes
    assert pager.active.slot == (0 if broken == 1 else 1)
    assert pager.snapshot(pager.meta).page(3)[:16] == pack("<QHHI", 3, 2, 0, 0)


@pytest.mark.parametrize("page_size_bytes", PAGE_SIZES[:-1])
def test_f2_a_torn_meta_0_is_as_good_as_a_lost_one(page_size_bytes: int) -> None:
    patient = new_file(page_size_bytes)
    patient.write(70, b"\xff")
    assert pager_of(patient).page_size_bytes == page_size_bytes


def test_a_meta_counts_only_where_its_own_page_size_puts_it() -> None:
    """Page 2 may hold anything, also what looks like a second meta of 2 KiB pages."""
    patient = new_file(1024)
    patient.set_page(0, bytes(1024))
    patient.set_page(1, bytes(1024))
    patient.write(2048, new_pages(4096)[4096:5120])
    with pytest.raises(NotABoltFileError):
        pager_of(patient)


def test_a_signed_second_meta_is_believed_before_an_unsigned_first_one() -> None:
    """The first is believed by bbolt up to v1.3.6, and any zeroed checksum makes one."""
    patient = new_file(1024)
    patient.set_meta(0, page_size=2048, checksum=0)
    pager = pager_of(patient)
    assert (pager.page_size_bytes, pager.active.slot) == (1024, 1)


def test_an_impossible_page_size_in_meta_0_leaves_the_word_to_meta_1() -> None:
    patient = new_file(1024)
    patient.set_meta(0, page_size=1000)
    pager = pager_of(patient)
    assert (pager.page_size_bytes, pager.active.slot) == (1024, 1)


def test_metas_that_name_different_page_sizes_are_not_mixed() -> None:
    patient = new_file(1024)
    patient.set_meta(1, page_size=2048)
    pager = pager_of(patient)
    assert pager.page_size_bytes == 1024
    assert pager.active.slot == 0
    assert "page size 2048" in str(pager.slots[1].problem)


# -- the choice between two metas -------------------------------------------------------------


def test_f3_the_higher_txid_counts() -> None:
    patient = new_file()
    patient.set_meta(0, txid=2)
    assert pager_of(patient).active.slot == 0


def test_f3_slot_0_counts_on_equal_txids() -> None:
    patient = new_file()
    patient.set_meta(0, txid=7)
    patient.set_meta(1, txid=7)
    assert pager_of(patient).active.slot == 0


def test_f3_a_txid_of_64_bits_counts() -> None:
    patient = new_file()
    patient.set_meta(0, txid=(1 << 64) - 1)
    assert pager_of(patient).meta.txid == (1 << 64) - 1


def test_f3_a_signed_meta_counts_before_a_newer_one_with_the_checksum_0() -> None:
    patient = new_file()
    patient.set_meta(1, txid=99, checksum=0)
    pager = pager_of(patient)
    assert (pager.active.slot, pager.meta.txid) == (0, 0)


def test_f3_metas_with_the_checksum_0_are_the_last_resort() -> None:
    patient = new_file()
    for slot in (0, 1):
        patient.set_meta(slot, checksum=0)
    pager = pager_of(patient)
    assert pager.active.slot == 1
    assert not pager.meta.is_signed


@pytest.mark.parametrize(
    ("field", "value"),
    [("root", 99), ("root", 1), ("freelist", 99), ("freelist", 0), ("high", 3)],
)
def test_f3_a_newer_meta_whose_numbers_cannot_be_does_not_count(field: str, value: int) -> None:
    patient = new_file()
    patient.set_meta(1, txid=99, **{field: value})
    pager = pager_of(patient)
    assert pager.active.slot == 0
    assert isinstance(pager.slots[1].problem, PageError)
    assert pager.slots[1].problem.code == "meta.implausible"


@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("bit", [*range(16 * 8, 80 * 8, 37)])
def test_f3_a_meta_with_any_flipped_bit_does_not_count(slot: int, bit: int) -> None:
    patient = new_file()
    offset = slot * 4096 + bit // 8
    patient.write(offset, bytes([patient.content[offset] ^ 1 << bit % 8]))
    assert pager_of(patient).active.slot == 1 - slot


def test_the_slot_that_does_not_count_is_the_older_one() -> None:
    patient = new_file()
    assert pager_of(patient).older.slot == 0
    patient.set_meta(0, txid=2)
    assert pager_of(patient).older.slot == 1


# -- what is no bolt file --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", NotABoltFileError, "empty"),
        (b"x", NotABoltFileError, "80 bytes"),
        (bytes(1 << 16), NotABoltFileError, "magic"),
        (b"SQLite format 3\0".ljust(4096, b"\0"), NotABoltFileError, "magic"),
    ],
)
def test_what_is_no_bolt_file_is_refused(
    content: bytes, error: type[FormatError], words: str
) -> None:
    with pytest.raises(error, match=words):
        Pager(MemoryFile(content))


def test_two_torn_metas_are_named_as_damage() -> None:
    patient = new_file()
    patient.write(64, b"\xff")
    patient.write(4096 + 64, b"\xff")
    with pytest.raises(ChecksumError):
        pager_of(patient)


def test_two_implausible_metas_are_named_as_damage() -> None:
    patient = new_file()
    for slot in (0, 1):
        patient.set_meta(slot, root=99)
    with pytest.raises(ChecksumError, match="root page 99"):
        pager_of(patient)


def test_another_version_is_told_from_damage_and_from_other_files() -> None:
    patient = new_file()
    for slot in (0, 1):
        patient.set_meta(slot, version=3)
    with pytest.raises(VersionError):
        pager_of(patient)


def test_metas_that_are_lost_later_are_noticed_when_they_are_read_again() -> None:
    file = MemoryFile(bytes(new_file().content))
    pager = Pager(file)
    file.write_at(0, bytes(8192))
    with pytest.raises(ChecksumError, match=r"meta 0.*meta 1"):
        pager.refresh()


# -- pages -----------------------------------------------------------------------------------


def test_f7_a_file_without_a_stored_freelist_is_opened() -> None:
    patient = new_file()
    patient.set_meta(1, freelist=NOT_STORED)
    assert pager_of(patient).meta.freelist_pgid is None


def test_a_run_is_read_with_its_overflow() -> None:
    patient = new_file()
    patient.set_header(2, overflow=1)
    pager = pager_of(patient)
    assert pager.snapshot(pager.meta).page(2) == bytes(patient.content[8192:])


@pytest.mark.parametrize(
    ("pgids", "index", "first", "count"),
    [
        ([2, 3], 0, 2, 2),
        ([2, 3], 1, 3, 1),
        ([3, 2], 0, 3, 1),
        ([9, 3, 4], 1, 3, 1),  # 4 is no page of the file
        ([1, 2], 0, 1, 0),
        ([1 << 60], 0, 0, 0),
    ],
)
def test_a_block_has_the_pages_that_come_in_this_order(
    pgids: list[int], index: int, first: int, count: int
) -> None:
    pager = pager_of(new_file())
    expected = bytes(new_file().content[4096 * first : 4096 * (first + count)])
    assert pager.snapshot(pager.meta).block(pgids, index) == expected


@pytest.mark.parametrize("pgid", [0, 1, 4, 5, 1 << 40, (1 << 64) - 1])
def test_a_page_outside_of_the_data_is_refused(pgid: int) -> None:
    pager = pager_of(new_file())
    with pytest.raises(PageError) as caught:
        pager.snapshot(pager.meta).page(pgid)
    assert (caught.value.code, caught.value.pgid) == ("page.range", pgid)


@pytest.mark.parametrize(
    ("code", "header"),
    [
        ("page.id", {"id": 2}),
        ("page.flags", {"flags": 0}),
        ("page.flags", {"flags": 0x22}),
        ("page.flags", {"flags": 3}),
        ("page.kind", {"flags": 4}),
        ("page.overflow", {"overflow": 1}),
        ("page.overflow", {"overflow": (1 << 32) - 1}),
    ],
)
def test_a_page_with_a_wrong_header_is_refused(code: str, header: dict[str, int]) -> None:
    patient = new_file()
    patient.set_header(3, **header)
    pager = pager_of(patient)
    with pytest.raises(PageError) as caught:
        pager.snapshot(pager.meta).page(3)
    assert (caught.value.code, caught.value.pgid) == (code, 3)


class StrictFile(MemoryFile):
    """Cannot be read behind its end."""

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        assert offset + size_bytes <= self.size_bytes()
        return super().read_at(offset, size_bytes)


def test_a_high_water_mark_beyond_the_file_is_no_reason_to_read_there() -> None:
    patient = new_file()
    patient.set_meta(1, high=(1 << 64) - 1, root=(1 << 64) - 2)
    pager = Pager(StrictFile(bytes(patient.content)))
    snapshot = pager.snapshot(pager.meta)
    assert snapshot.page_count == 4
    with pytest.raises(TruncatedError) as caught:
        snapshot.page((1 << 64) - 2)
    assert caught.value.found_bytes == 4 * 4096


@pytest.mark.parametrize("size_bytes", [3 * 4096, 4 * 4096 - 1])
def test_a_page_that_the_file_does_not_have_whole_is_refused(size_bytes: int) -> None:
    patient = new_file()
    patient.truncate(size_bytes)
    pager = pager_of(patient)
    with pytest.raises(TruncatedError) as caught:
        pager.snapshot(pager.meta).page(3)
    assert (caught.value.expected_bytes, caught.value.found_bytes) == (4 * 4096, size_bytes)


def test_an_overflow_beyond_the_end_of_the_file_is_not_read() -> None:
    patient = new_file()
    patient.set_meta(1, high=1 << 40)
    patient.set_header(3, overflow=1 << 30)
    pager = Pager(StrictFile(bytes(patient.content)))
    with pytest.raises(TruncatedError):
        pager.snapshot(pager.meta).page(3)


@pytest.mark.parametrize(("pgid", "expected_pages"), [(3, 4), (2, 4)])
def test_a_file_cut_while_it_is_open_is_an_error(pgid: int, expected_pages: int) -> None:
    patient = new_file()
    patient.set_header(2, overflow=1)
    file = MemoryFile(bytes(patient.content))
    pager = Pager(file)
    snapshot = pager.snapshot(pager.meta)
    file.resize(3 * 4096)
    with pytest.raises(TruncatedError) as caught:
        snapshot.page(pgid)
    assert caught.value.expected_bytes == expected_pages * 4096
