"""Copies of a file that is being written: whole, or refused."""

import errno
import os
import time
from pathlib import Path
from random import Random

import pytest

import bolt_store
from bolt_store import snapshot
from bolt_store.errors import CommitError, NotABoltFileError, SnapshotError
from bolt_store.snapshots import snapshot_file
from tests.support.memory_file import MemoryFile
from tests.support.model import Changes, Model, dump_file, problems
from tests.support.oracle import Oracle, loop_model


class BusyFile(MemoryFile):
    """A file whose writer commits whenever somebody has read enough of it."""

    def __init__(self, content: bytes, *, seed: int, reads_between: int) -> None:
        super().__init__(content)
        self.random = Random(seed)
        self.reads_between = reads_between
        self.reads_left = reads_between
        self.writer = bolt_store.open_file(MemoryFile(content), write=True)
        self.model = dump_file(self.writer)

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        self.reads_left -= 1
        if not self.reads_left:
            self.reads_left = self.reads_between
            self.commit()
        return super().read_at(offset, size_bytes)

    def commit(self) -> None:
        with self.writer.update() as tx:
            Changes(self.random).apply(tx, self.model, 8)
        file = self.writer.file
        assert isinstance(file, MemoryFile)
        self.resize(0)
        self.write_at(0, file.content())


def grown(seed: int) -> bytes:
    file = MemoryFile(bolt_store.db.new_pages(4096))
    model: Model = {}
    with bolt_store.open_file(file, write=True) as db:
        for _ in range(4):
            with db.update() as tx:
                Changes(Random(seed)).apply(tx, model, 40)
    return file.content()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_snapshot_of_a_file_at_rest_is_its_newest_state(
    level21_bolt: Path, tmp_path: Path
) -> None:
    before = level21_bolt.read_bytes()
    with bolt_store.open(level21_bolt, write=True) as source:
        report = snapshot(level21_bolt, tmp_path / "copy")
        expected, meta = dump_file(source), source.meta
    assert report.attempt_count == 1
    assert report.findings == ()
    assert report.meta == meta
    assert level21_bolt.read_bytes() == before
    with bolt_store.open(tmp_path / "copy") as copy:
        assert dump_file(copy) == expected
        assert problems(copy) == []
        assert copy.meta == meta
    assert (tmp_path / "copy").stat().st_size == meta.high_water_mark * meta.page_size_bytes


@pytest.mark.parametrize("code", [None, errno.EXDEV, errno.EIO, errno.ENOSPC])
def test_a_large_file_is_copied_inside_of_the_kernel_and_by_hand_where_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    real, count = os.copy_file_range, 0

    def copy(source: int, target: int, size: int, begin: int, end: int) -> int:
        nonlocal count
        count += 1
        if code is not None and count > 1:
            raise OSError(code, os.strerror(code))
        return real(source, target, min(size, 1 << 20), begin, end)

    monkeypatch.setattr(os, "copy_file_range", copy)
    path = tmp_path / "source"
    with bolt_store.create(path) as db, db.update() as tx:
        bucket = tx.create_bucket(b"b")
        for number in range(40):
            bucket.put(b"%03d" % number, bytes([number + 1]) * 100_000)
    steps: list[tuple[int, int]] = []
    report = snapshot(path, tmp_path / "copy", progress=lambda *step: steps.append(step))
    assert count == (report.size_bytes - 1 >> 20 if code is None else 2)
    content = path.read_bytes()[: report.size_bytes]
    assert (tmp_path / "copy").read_bytes()[8192:] == content[8192:]
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]


def test_both_metas_of_a_snapshot_name_the_proven_tree(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(grown(1))
    snapshot(tmp_path / "source", tmp_path / "copy")
    with bolt_store.open(tmp_path / "copy") as copy:
        older = copy.pager.older.meta
        assert older is not None
        assert older.root_pgid == copy.meta.root_pgid
        assert older.txid == copy.meta.txid - 1


def test_a_snapshot_is_tried_again_when_a_commit_comes_between(tmp_path: Path) -> None:
    content = grown(2)
    source = BusyFile(content, seed=2, reads_between=5)
    report = snapshot_file(source, tmp_path / "copy", pause_s=0)
    assert report.attempt_count > 1
    with bolt_store.open(tmp_path / "copy") as copy:
        assert problems(copy) == []
        assert copy.meta.txid == report.meta.txid


def test_a_writer_that_never_rests_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    source = BusyFile(grown(3), seed=3, reads_between=1)
    with pytest.raises(SnapshotError) as caught:
        snapshot_file(source, tmp_path / "copy", attempt_count=7, pause_s=0)
    assert caught.value.attempt_count == 7
    assert "was committed while" in caught.value.problem
    assert names(tmp_path) == []


def test_a_damaged_file_gives_no_snapshot(tmp_path: Path) -> None:
    content = bytearray(grown(4))
    with bolt_store.open_file(MemoryFile(bytes(content)), write=False) as db:
        root = db.meta.root_pgid
    content[root * 4096 : root * 4096 + 16] = bytes(16)
    with pytest.raises(SnapshotError) as caught:
        snapshot_file(MemoryFile(bytes(content)), tmp_path / "copy", attempt_count=2, pause_s=0)
    assert "does not check clean" in caught.value.problem
    assert names(tmp_path) == []


def test_a_file_cut_short_gives_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError) as caught:
        snapshot_file(MemoryFile(grown(5)[:-70_000]), tmp_path / "copy", attempt_count=1)
    assert "the file ends at byte" in caught.value.problem


def test_what_is_no_bolt_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(NotABoltFileError):
        snapshot(tmp_path / "empty", tmp_path / "copy")
    assert names(tmp_path) == ["empty"]


def test_a_snapshot_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(grown(6))
    (tmp_path / "there").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        snapshot(tmp_path / "source", tmp_path / "there")
    with pytest.raises(CommitError):
        snapshot(tmp_path / "source", tmp_path / "absent" / "copy")
    assert (tmp_path / "there").read_bytes() == b"precious"


def run_against_loop(oracle: Oracle, folder: Path, seconds: float, *flags: str) -> int:
    """Copy as often as time allows while Go commits; return the number of accepted copies."""
    path, copy = folder / "loop.bolt", folder / "copy.bolt"
    accepted = 0
    with oracle.loop(path, "-slots=400", *flags) as stop:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or not accepted:
            report = snapshot(path, copy, attempt_count=100_000, pause_s=0.0005)
            with bolt_store.open(copy) as db:
                assert problems(db) == []
                model = dump_file(db)
            counter = int.from_bytes(counter_of(model))
            assert model == loop_model(counter, slots=400)
            assert report.meta.txid >= counter
            copy.unlink()
            accepted += 1
        assert stop() >= 1
    return accepted


def counter_of(model: Model) -> bytes:
    bucket = model[b"counter"]
    assert isinstance(bucket, dict)
    value = bucket[b"n"]
    assert isinstance(value, bytes)
    return value


@pytest.mark.parametrize(
    "flags", [("-no-sync",), ("-no-sync", "-pause=1ms"), ("-pause=20ms",)], ids=" ".join
)
def test_no_snapshot_of_a_busy_file_is_broken(
    oracle: Oracle, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    assert run_against_loop(oracle, tmp_path, 1.6, *flags) > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "flags", [("-no-sync",), ("-no-sync", "-pause=1ms"), ("-pause=20ms",)], ids=" ".join
)
def test_no_snapshot_of_a_busy_file_is_broken_in_a_long_campaign(
    oracle: Oracle, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    assert run_against_loop(oracle, tmp_path, 15, *flags) > 0
