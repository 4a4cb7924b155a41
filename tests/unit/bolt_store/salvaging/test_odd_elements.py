"""Elements that no writer makes: each costs itself, and nothing beside it."""

from pathlib import Path
from random import Random

import bolt_store
from bolt_store import SalvageReport, salvage
from bolt_store.codec.bucket import BucketValue, encode_bucket
from bolt_store.codec.leaf import Leaf, encode_leaf
from bolt_store.codec.meta import encode_meta
from bolt_store.db import new_pages
from bolt_store.salvaging.partial import sound_elements
from tests.support.memory_file import MemoryFile
from tests.support.model import Model, dump_file, problems

PAGE_SIZE = 4096
Elements = list[tuple[int, bytes, bytes]]


def leaf_page(elements: Elements, *, pgid: int) -> bytes:
    """Encode a leaf; an inline one when the page id is 0."""
    columns = [list(column) for column in zip(*elements, strict=True)] or [[], [], []]
    leaf = Leaf(*columns)
    return encode_leaf(leaf, pgid=pgid, page_size_bytes=PAGE_SIZE if pgid else 0)


def inline(elements: Elements) -> bytes:
    page = leaf_page(elements, pgid=0)
    return encode_bucket(BucketValue(root_pgid=0, sequence=5, inline_page=page))


def file_with_root(elements: Elements) -> MemoryFile:
    """Make a file whose root leaf has these elements."""
    root = leaf_page(elements, pgid=3)
    content = bytearray(new_pages(PAGE_SIZE))
    content[3 * PAGE_SIZE :] = root
    meta = bolt_store.Meta(
        page_size_bytes=PAGE_SIZE,
        flags=0,
        root_pgid=3,
        root_sequence=0,
        freelist_pgid=2,
        high_water_mark=len(content) // PAGE_SIZE,
        txid=2,
    )
    for slot in (0, 1):
        page = encode_meta(meta, slot=slot)
        content[slot * PAGE_SIZE : (slot + 1) * PAGE_SIZE] = page
    return MemoryFile(bytes(content))


def run(file: MemoryFile, folder: Path) -> tuple[SalvageReport, Model]:
    report = salvage(file, folder / "salvaged")
    with bolt_store.open(folder / "salvaged") as db:
        assert problems(db) == []
        return report, dump_file(db)


SOUND = (1, b"sound", inline([(0, b"k", b"v")]))
SOUND_MODEL: Model = {b"sound": {b"k": b"v"}}


def test_a_bucket_whose_value_makes_no_sense_keeps_its_name(tmp_path: Path) -> None:
    file = file_with_root([(1, b"broken", b"\1\2\3"), SOUND])
    report, model = run(file, tmp_path)
    assert model == {b"broken": {}, **SOUND_MODEL}
    assert [(missing.place, missing.code) for missing in report.missing] == [
        ((3, 0), "bucket.value")
    ]


def test_an_inline_bucket_that_is_garbage_keeps_its_name_and_sequence(tmp_path: Path) -> None:
    value = bytearray(inline([(0, b"k", b"v" * 100)]))
    value[16 + 16 + 4] = 0xFF
    report, model = run(file_with_root([(1, b"broken", bytes(value)), SOUND]), tmp_path)
    assert model == {b"broken": {}, **SOUND_MODEL}
    assert [missing.code for missing in report.missing] == ["bucket.inline"]
    with bolt_store.open(tmp_path / "salvaged") as db, db.view() as tx:
        assert tx.bucket(b"broken").sequence == 5


def test_a_plain_key_beside_the_top_buckets_is_left_out(tmp_path: Path) -> None:
    report, model = run(file_with_root([(0, b"plain", b"v"), SOUND]), tmp_path)
    assert model == SOUND_MODEL
    assert [(doubt.pgid, doubt.code) for doubt in report.doubts] == [(3, "bucket.plain")]
    assert not report.is_complete


def test_a_key_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    long = inline([(0, b"a", b"1"), (0, b"k" * 32769, b"v"), (0, b"z", b"2")])
    report, model = run(file_with_root([(1, b"long", long), SOUND]), tmp_path)
    assert model == {b"long": {b"a": b"1", b"z": b"2"}, **SOUND_MODEL}
    assert [(missing.place, missing.code) for missing in report.missing] == [
        ((3, 0, 1), "key.size")
    ]


def test_inline_buckets_are_followed_through_some_levels(tmp_path: Path) -> None:
    value = inline([(0, b"k", b"v")])
    for _ in range(8):
        value = inline([(1, b"n", value)])
    report, model = run(file_with_root([(1, b"nested", value)]), tmp_path)
    assert report.is_complete
    for _ in range(9):
        [inner] = model.values()
        assert isinstance(inner, dict)
        model = inner
    assert model == {b"k": b"v"}


def test_inline_buckets_are_not_followed_for_ever(tmp_path: Path) -> None:
    value = inline([(0, b"k", b"v")])
    for _ in range(40):
        value = inline([(1, b"n", value)])
    report, model = run(file_with_root([(1, b"nested", value), SOUND]), tmp_path)
    assert [missing.code for missing in report.missing] == ["bucket.nesting"]
    assert model.keys() == {b"nested", b"sound"}


def test_an_empty_file_is_an_empty_file_again(tmp_path: Path) -> None:
    report, model = run(MemoryFile(new_pages(PAGE_SIZE)), tmp_path)
    assert model == {}
    assert report.is_complete


def test_one_wrong_bit_in_the_table_costs_no_element() -> None:
    random = Random(1)
    keys = [b"%016x" % number for number in range(4)]
    values = [b"{%s}" % random.randbytes(length) for length in (56, 60, 72, 58)]
    for pgid in (0, 3):
        page = leaf_page([(0, *pair) for pair in zip(keys, values, strict=True)], pgid=pgid)
        for bit in range(16 * 8, (16 + 4 * 16) * 8):
            damaged = bytearray(page)
            damaged[bit // 8] ^= 1 << bit % 8
            found = sound_elements(bytes(damaged), page_count=9)
            assert found is not None, bit
            assert (found.leaf.flags, found.leaf.keys, found.leaf.values) == ([0] * 4, keys, values)


def test_what_shares_a_sector_with_a_lost_table_is_lost() -> None:
    random = Random(2)
    entries = [(0, b"%016x" % number, random.randbytes(16)) for number in range(20)]
    page = bytearray(leaf_page(entries, pgid=0))
    # Most of the table and, in the same sector, the first keys.
    page[48:512] = random.randbytes(464)
    assert sound_elements(bytes(page), page_count=9) is None


def test_one_wrong_bit_in_the_table_of_a_root_costs_no_bucket() -> None:
    buckets = [(1, b"bucket%d" % number, inline([(0, b"k", b"v")])) for number in range(3)]
    for bit in range(16 * 8, (16 + 3 * 16) * 8, 7):
        page = bytearray(leaf_page(buckets, pgid=3))
        page[bit // 8] ^= 1 << bit % 8
        found = sound_elements(bytes(page), page_count=9)
        assert found is not None
        is_flag = (bit - 16 * 8) % (16 * 8) < 32
        assert is_flag or found.leaf.keys == [name for _, name, _ in buckets], bit


def test_a_number_in_the_table_that_was_written_over_costs_no_element() -> None:
    """Its neighbours say where an element begins and ends, and most of the others the rest."""
    random = Random(3)
    records: Elements = [(0, b"%016x" % (index * 7), random.randbytes(200)) for index in range(9)]
    last_is_empty: Elements = [(1, b"b%02d" % index, inline([])) for index in range(9)]
    for elements in (records, last_is_empty):
        page = leaf_page(elements, pgid=3)
        for index in range(1, 8):
            for at in range(0, 16, 4):
                row = 16 + 16 * index + at
                for number in (0, 199, 0xFFFFFFFF) if at else (199, 0xFFFFFFFF):
                    damaged = page[:row] + number.to_bytes(4, "little") + page[row + 4 :]
                    found = sound_elements(damaged, 8)
                    assert found is not None
                    taken = list(
                        zip(found.leaf.flags, found.leaf.keys, found.leaf.values, strict=True)
                    )
                    assert taken == elements, (index, at, number)
