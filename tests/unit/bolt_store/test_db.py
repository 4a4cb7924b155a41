"""Opening, creating, locking, views and writers, on real files."""

import errno
import os
from pathlib import Path
from struct import pack

import pytest

import bolt_store
from bolt_store.codec.freelist import encode_freelist, freelist_size_bytes
from bolt_store.codec.meta import Meta, encode_meta
from bolt_store.db import new_pages
from bolt_store.errors import (
    DamagedError,
    DBClosedError,
    LimitError,
    LockTimeoutError,
    NotABoltFileError,
    ReadOnlyError,
    StateError,
    TxClosedError,
)
from tests.support.bolt_files import key, memory_db, reopened, sample, value
from tests.support.memory_file import MemoryFile
from tests.support.model import dump_file, problems
from tests.support.mounts import make_read_only, mounted
from tests.support.surgery import NOT_STORED, Patient


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A real file with everything in it."""
    path = tmp_path / "sample.bolt"
    path.write_bytes(sample().content)
    return path


def traces(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return all that opening could change: names, bytes, times of change."""
    return {
        each.name: (each.read_bytes(), each.stat().st_mtime_ns, each.stat().st_ctime_ns)
        for each in folder.iterdir()
    }


# -- creating --------------------------------------------------------------------------------------


def test_a_new_file_is_byte_for_byte_that_of_bbolt(tmp_path: Path) -> None:
    """Appendix A of the specification: what bbolt writes for pages of 4,096 bytes."""
    path = tmp_path / "new"
    bolt_store.create(path, page_size_bytes=4096).close()
    lines = {
        0x0000: "00000000 00000000 0400 0000 00000000",
        0x0010: "edda0ced 02000000 00100000 00000000",
        0x0020: "03000000 00000000 00000000 00000000",
        0x0030: "02000000 00000000 04000000 00000000",
        0x0040: "00000000 00000000 eefd8946 116e5107",
        0x1000: "01000000 00000000 0400 0000 00000000",
        0x1010: "edda0ced 02000000 00100000 00000000",
        0x1020: "03000000 00000000 00000000 00000000",
        0x1030: "02000000 00000000 04000000 00000000",
        0x1040: "01000000 00000000 0f487951 1a354c26",
        0x2000: "02000000 00000000 1000 0000 00000000",
        0x3000: "03000000 00000000 0200 0000 00000000",
    }
    expected = bytearray(4 * 4096)
    for offset, text in lines.items():
        line = bytes.fromhex(text)
        expected[offset : offset + len(line)] = line
    assert path.read_bytes() == expected


def test_a_new_file_has_the_page_size_of_the_machine_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with bolt_store.create(path) as db:
        assert db.meta.page_size_bytes == os.sysconf("SC_PAGESIZE")
        with db.update() as tx:
            tx.create_bucket(b"b")
    assert path.stat().st_mode & 0o777 == 0o600
    with bolt_store.open(path) as db:
        assert dump_file(db) == {b"b": {}}


def test_creating_never_replaces_anything(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    before = path.read_bytes()
    for taken in (path, link, tmp_path):
        with pytest.raises(FileExistsError):
            bolt_store.create(taken)
    assert path.read_bytes() == before
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("size", [1, 511, 512, 1000, 4097, 1 << 25])
def test_a_page_size_that_bbolt_cannot_open_is_refused_and_nothing_is_made(
    tmp_path: Path, size: int
) -> None:
    with pytest.raises(LimitError):
        bolt_store.create(tmp_path / "new", page_size_bytes=size)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_whole_is_removed_again(tmp_path: Path) -> None:
    with mounted(tmp_path / "mount", size_bytes=1 << 16) as folder:
        with pytest.raises(OSError) as caught:
            bolt_store.create(folder / "new", page_size_bytes=1 << 20)
        assert caught.value.errno == errno.ENOSPC
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize("page_size_bytes", [1024, 2048, 4096, 8192, 16384, 32768, 65536, 1 << 20])
def test_f2_every_page_size_is_created_written_and_read(
    tmp_path: Path, page_size_bytes: int
) -> None:
    path = tmp_path / "new"
    expected = {b"b": {key(number): value(number) for number in range(300)}}
    with bolt_store.create(path, page_size_bytes=page_size_bytes) as db:
        with db.update() as tx:
            bucket = tx.create_bucket(b"b")
            for number in range(300):
                bucket.put(key(number), value(number))
        with db.update() as tx:
            tx.bucket(b"b").put(key(0), value(0))
        assert problems(db) == []
    with bolt_store.open(path) as db:
        assert dump_file(db) == expected
        assert problems(db) == []


@pytest.mark.parametrize("broken", [0, 1])
def test_f2_pages_of_512_bytes_are_read_and_written_with_either_meta_broken(broken: int) -> None:
    """The option of bbolt makes such files, and refuses to open them while they are small."""
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
    pages += [
        pack("<QHHI", pgid, flags, 0, 0).ljust(512, b"\0") for pgid, flags in ((2, 16), (3, 2))
    ]
    pages[broken] = bytes(512)
    file = MemoryFile(b"".join(pages))
    with bolt_store.open_file(file, write=True) as db:
        assert db.meta.page_size_bytes == 512
        with db.update(full_check=True) as tx:
            bucket = tx.create_bucket(b"b")
            for number in range(100):
                bucket.put(key(number), value(number))
        with db.update() as tx:
            tx.bucket(b"b").delete(key(0))
    assert reopened(file) == {b"b": {key(number): value(number) for number in range(1, 100)}}


# -- opening ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [False, True])
def test_l5_opening_reading_and_checking_changes_nothing(
    path: Path, tmp_path: Path, *, write: bool
) -> None:
    before = traces(tmp_path)
    with bolt_store.open(path, write=write) as db:
        assert len(dump_file(db)) == 4
        assert problems(db) == []
        if write:
            db.update().rollback()
    assert traces(tmp_path) == before


@pytest.mark.parametrize("write", [False, True])
def test_l5_opening_creates_no_file(tmp_path: Path, *, write: bool) -> None:
    with pytest.raises(FileNotFoundError):
        bolt_store.open(tmp_path / "absent", write=write)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [False, True])
def test_an_empty_file_is_refused_and_stays_empty(tmp_path: Path, *, write: bool) -> None:
    """To bbolt it is a new database, and it would write one over it."""
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(NotABoltFileError, match="empty"):
        bolt_store.open(path, write=write)
    assert path.stat().st_size == 0


def test_a_file_that_is_refused_is_not_kept_locked(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(b"x" * 10_000)
    for _ in range(2):
        with pytest.raises(NotABoltFileError):
            bolt_store.open(path, write=True, timeout_s=0)


@pytest.mark.parametrize("write", [False, True])
def test_directories_and_pipes_are_refused(tmp_path: Path, *, write: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for wrong in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(OSError):
            bolt_store.open(wrong, write=write)


def test_a_path_may_be_a_string_or_a_symlink(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    for each in (str(path), link):
        with bolt_store.open(each) as db:
            assert len(dump_file(db)) == 4


def test_a_file_on_a_read_only_file_system_is_read(tmp_path: Path) -> None:
    with mounted(tmp_path / "mount", size_bytes=1 << 20) as folder:
        path = folder / "sample.bolt"
        path.write_bytes(sample().content)
        make_read_only(folder)
        with bolt_store.open(path) as db:
            assert problems(db) == []
            assert len(dump_file(db)) == 4
        with pytest.raises(OSError) as caught:
            bolt_store.open(path, write=True)
        assert caught.value.errno == errno.EROFS


def test_l4_a_second_open_in_this_process_is_refused_while_one_of_them_writes(path: Path) -> None:
    with bolt_store.open(path, write=True):
        for write in (False, True):
            with pytest.raises(LockTimeoutError):
                bolt_store.open(path, write=write, timeout_s=0)
    with bolt_store.open(path), bolt_store.open(path) as db:
        assert len(dump_file(db)) == 4
        with pytest.raises(LockTimeoutError):
            bolt_store.open(path, write=True, timeout_s=0)


def test_a_new_file_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with bolt_store.create(path), pytest.raises(LockTimeoutError):
        bolt_store.open(path, timeout_s=0)
    bolt_store.open(path, write=True, timeout_s=0).close()


# -- who may do what, and when ---------------------------------------------------------------------


def test_a_file_opened_for_reading_is_not_written(path: Path) -> None:
    with bolt_store.open(path) as db, pytest.raises(ReadOnlyError):
        db.update()


def test_there_is_one_writer_at_a_time(path: Path) -> None:
    with bolt_store.open(path, write=True) as db:
        first = db.update()
        with pytest.raises(StateError):
            db.update()
        first.rollback()
        db.update().rollback()


def test_a_closed_file_refuses_everything_and_is_closed_once(path: Path) -> None:
    db = bolt_store.open(path, write=True)
    view, writer = db.view(), db.update()
    writer.create_bucket(b"dropped")
    db.close()
    db.close()
    for attempt in (db.view, db.update, db.check, lambda: db.meta):
        with pytest.raises(DBClosedError):
            attempt()
    for tx in (view, writer):
        with pytest.raises(TxClosedError):
            tx.bucket(b"tree")
    with bolt_store.open(path, write=True, timeout_s=0) as db:
        assert b"dropped" not in dump_file(db)


def test_a_view_keeps_its_state_through_one_commit_and_ends_when_the_next_begins() -> None:
    """From then on its pages may be written on."""
    with memory_db() as (db, _):
        with db.update() as tx:
            bucket = tx.create_bucket(b"b")
            for number in range(200):
                bucket.put(key(number), b"old")
        view = db.view()
        walk = view.bucket(b"b").items()
        assert next(walk) == (key(0), b"old")
        with db.update() as tx:
            for number in range(200):
                tx.bucket(b"b").put(key(number), b"new")
        assert list(walk) == [(key(number), b"old") for number in range(1, 200)]
        assert view.bucket(b"b").get(key(5)) == b"old"
        held = view.bucket(b"b")
        cursor = held.cursor()
        assert cursor.first() == (key(0), b"old")
        fresh = db.view()
        writer = db.update()
        for attempt in (lambda: held.get(key(5)), cursor.next, lambda: view.bucket(b"b")):
            with pytest.raises(TxClosedError):
                attempt()
        assert fresh.bucket(b"b").get(key(5)) == b"new"
        writer.rollback()
        fresh.rollback()


def test_a_rollback_ends_no_view_of_the_newest_state(path: Path) -> None:
    with bolt_store.open(path, write=True) as db:
        view = db.view()
        for _ in range(3):
            db.update().rollback()
        assert view.bucket(b"tree").get(key(1)) == value(1)


# -- free pages ------------------------------------------------------------------------------------


def file_with_free_pages(path: Path, count: int) -> None:
    """Make a sparse file with `count` free pages between its root and its freelist."""
    size = 1024
    freelist = 3 + count
    page_count = -(-freelist_size_bytes(count) // size)
    meta = Meta(
        page_size_bytes=size,
        flags=0,
        root_pgid=2,
        root_sequence=0,
        freelist_pgid=freelist,
        high_water_mark=freelist + page_count,
        txid=9,
    )
    with path.open("wb") as file:
        file.write(encode_meta(meta, slot=0) + encode_meta(meta, slot=1))
        file.write(pack("<QHHI", 2, 2, 0, 0).ljust(size, b"\0"))
        file.seek(freelist * size)
        ids = list(range(3, freelist))
        file.write(encode_freelist(ids, pgid=freelist, page_count=page_count, page_size_bytes=size))


@pytest.mark.parametrize("count", [0, 1, 65534, 65535, 65536])
def test_f6_files_with_any_number_of_free_pages_are_written(tmp_path: Path, count: int) -> None:
    path = tmp_path / "sparse"
    file_with_free_pages(path, count)
    with bolt_store.open(path, write=True) as db:
        assert {finding.code for finding in db.check()} <= {"meta.slot", "meta.same_tree"}
        for number in range(3):
            with db.update() as tx:
                bucket = tx.bucket(b"b") if number else tx.create_bucket(b"b")
                bucket.put(b"%d" % number, b"v" * 600)
            assert problems(db) == []
    with bolt_store.open(path, write=True) as db:
        assert problems(db) == []
        assert dump_file(db) == {b"b": {b"%d" % number: b"v" * 600 for number in range(3)}}


def test_f6_a_freelist_crosses_the_border_of_its_two_forms_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    file_with_free_pages(path, 65550)
    are_long = []
    with bolt_store.open(path, write=True) as db:
        for size in (0, 50_000, 0, 50_000):
            with db.update() as tx:
                bucket = tx.bucket(b"b") if tx.has_bucket(b"b") else tx.create_bucket(b"b")
                bucket.put(b"k", b"v" * size)
            check = bolt_store.Check(db.pager, db.pager.snapshot(db.meta))
            assert [each for each in check.run() if each.severity > bolt_store.Severity.INFO] == []
            assert check.free is not None
            are_long.append(len(check.free) >= 65535)
    assert are_long == [True, False, True, False]


def test_f7_a_file_without_a_stored_freelist_is_read_written_and_gets_one() -> None:
    patient = sample()
    patient.set_meta(patient.newest, freelist=NOT_STORED)
    file = MemoryFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        before = dump_file(db)
        assert [finding.code for finding in db.check()] == ["freelist.absent"]
        high = db.meta.high_water_mark
        with db.update(full_check=True) as tx:
            tx.create_bucket(b"new")
        assert db.meta.freelist_pgid is not None
        assert db.meta.high_water_mark == high, "free pages were found and used"
        assert list(db.check()) == []
        assert dump_file(db) == before | {b"new": {}}


def test_leaked_pages_are_neither_used_nor_listed() -> None:
    """They may be the only trace of a lost branch."""
    patient = sample()
    leaked = patient.free_ids()[:5]
    patient.set_free_ids(patient.free_ids()[5:])
    file = MemoryFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        for number in range(5):
            with db.update() as tx:
                tx.bucket(b"tree").put(key(number), b"changed")
    after = Patient(file.content(), page_size_bytes=1024)
    assert not set(after.free_ids()) & set(leaked)
    assert [after.page(pgid) for pgid in leaked] == [patient.page(pgid) for pgid in leaked]


def test_a_damaged_file_is_looked_at_anew_when_a_write_is_tried_again() -> None:
    patient = sample()
    leaf, _ = patient.find(patient.bucket_root(b"tree"), key(50))
    healthy = patient.page(leaf)
    patient.set_page(leaf, bytes(1024))
    file = MemoryFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        with pytest.raises(DamagedError) as caught:
            db.update()
        assert caught.value.finding_count == 1
        assert f"page {leaf}" in caught.value.first
        file.write_at(leaf * 1024, healthy)
        with db.update() as tx:
            tx.bucket(b"tree").put(key(50), b"changed")
        assert problems(db) == []


def test_new_pages_are_sound() -> None:
    for page_size_bytes in (1024, 4096, 65536):
        patient = Patient(new_pages(page_size_bytes), page_size_bytes=page_size_bytes)
        assert [finding.code for finding in patient.findings()] == ["meta.same_tree"]
