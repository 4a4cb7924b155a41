"""Elements that no writer makes: each costs itself, and nothing beside it."""

from pathlib import Path

import bolt_store
from bolt_store import SalvageReport, salvage
from bolt_store.codec.bucket import BucketValue, encode_bucket
from bolt_store.codec.leaf import Leaf, encode_leaf
from bolt_store.codec.meta import encode_meta
from bolt_store.db import new_pages
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
