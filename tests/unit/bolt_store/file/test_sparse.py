"""A file that says it is a terabyte long costs what is stored of it."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

import bolt_store
from bolt_store.errors import FormatError
from bolt_store.file.sparse import end_of_data, is_mostly_hole
from bolt_store.file.unlocked import open_unlocked
from tests.support.bolt_files import sample

MIB = 1 << 20
TERABYTE = 1 << 40
MEMORY_BYTES_MAX = 200 * MIB


@pytest.fixture
def lively(tmp_path: Path) -> Path:
    """Return a file with one bucket of 200 keys."""
    path = tmp_path / "lively.bolt"
    items = [(b"%04d" % number, b"value" * 40) for number in range(200)]
    bolt_store.rebuild([(b"data", bolt_store.BucketContent(items=items))], path)
    return path


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """Fail where the memory that is taken has to do with the length of the file."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert growth * 1024 < MEMORY_BYTES_MAX


def lengthened(path: Path, size_bytes: int) -> None:
    os.truncate(path, size_bytes)
    if path.stat().st_blocks * 512 > MIB:
        pytest.skip("the file system has no sparse files")


def test_the_ranges_are_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(b"x" * 4096)
        file.seek(8 * MIB)
        file.write(b"y" * 4096)
    lengthened(path, 64 * MIB)
    with path.open("rb") as file:
        assert list(bolt_store.data_ranges(file.fileno())) == [
            (0, 4096),
            (8 * MIB, 8 * MIB + 4096),
        ]
        assert list(bolt_store.data_ranges(file.fileno(), 9 * MIB)) == []


def test_an_empty_file_has_no_range(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open("rb") as file:
        assert list(bolt_store.data_ranges(file.fileno())) == []


def test_a_run_is_mostly_a_hole_where_little_of_it_is_stored(lively: Path) -> None:
    end = lively.stat().st_size
    lengthened(lively, TERABYTE)
    file = open_unlocked(lively)
    try:
        assert end_of_data(file) == end
        assert is_mostly_hole(file, 4096, 1 << 33)
        assert not is_mostly_hole(file, 4096, MIB), "so little is read in any case"
    finally:
        file.close()


def test_a_terabyte_is_checked_salvaged_and_compared_as_what_is_stored(
    lively: Path, tmp_path: Path
) -> None:
    lengthened(lively, TERABYTE)
    with bolt_store.open(lively) as db:
        codes = [finding.code for finding in db.check()]
        assert "file.length" in codes
        assert bolt_store.is_same_content(db.file, db.file)
    source = open_unlocked(lively)
    try:
        bolt_store.salvage(source, tmp_path / "salvaged.bolt")
    finally:
        source.close()
    with bolt_store.open(tmp_path / "salvaged.bolt") as db, db.view() as tx:
        assert len(list(tx.bucket(b"data").items())) == 200


def test_a_live_snapshot_keeps_a_hole_inside_of_the_pages(tmp_path: Path) -> None:
    patient = sample(4096)
    slot = patient.newest
    page_count = (64 * MIB) // 4096
    patient.set_meta(slot, high=page_count)
    path = tmp_path / "live.bolt"
    path.write_bytes(patient.content)
    lengthened(path, 64 * MIB)
    bolt_store.snapshot(path, tmp_path / "copy.bolt")
    copy = (tmp_path / "copy.bolt").stat()
    assert copy.st_size == 64 * MIB
    assert copy.st_blocks * 512 < MIB


@pytest.mark.parametrize("overflow", [(1 << 20) - 2, (1 << 22) - 64])
def test_a_forged_overflow_in_a_sparse_file_is_a_finding_and_no_lack_of_memory(
    tmp_path: Path, overflow: int
) -> None:
    """The run would be 4 or 16 GiB long."""
    patient = sample(4096)
    root = patient.root
    patient.set_header(root, overflow=overflow)
    patient.set_meta(patient.newest, high=1 << 22)
    path = tmp_path / "forged.bolt"
    path.write_bytes(patient.content)
    lengthened(path, 1 << 34)
    with bolt_store.open(path) as db:
        assert "page.overflow" in [finding.code for finding in db.check()]
        with db.view() as tx, pytest.raises(FormatError):
            list(tx.buckets())
    source = open_unlocked(path)
    try:
        bolt_store.salvage(source, tmp_path / "salvaged.bolt")
    finally:
        source.close()
