"""The life of a transaction, and the order in which a commit touches the file."""

import errno
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest

import bolt_store
from bolt_store.check.finding import Severity
from bolt_store.db import new_pages
from bolt_store.errors import (
    CommitError,
    DamagedError,
    LimitError,
    ReadOnlyError,
    StateError,
    TxClosedError,
)
from bolt_store.limits import TXID_MAX
from bolt_store.tree.tx import next_txid
from tests.support.bolt_files import key, memory_db, reopened, sample, value
from tests.support.memory_file import MemoryFile
from tests.support.model import dump_file, problems
from tests.support.surgery import Patient

PAGE_SIZE = 1024


class RecordingFile(MemoryFile):
    """Notes every call that changes or syncs, as a word and the pages that it touches."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.calls: list[tuple[Literal["write", "sync", "resize"], int]] = []

    def write_at(self, offset: int, data: bytes) -> None:
        assert offset % PAGE_SIZE == len(data) % PAGE_SIZE == 0, "whole pages are written"
        self.calls.append(("write", offset // PAGE_SIZE))
        super().write_at(offset, data)

    def sync(self) -> None:
        self.calls.append(("sync", -1))

    def resize(self, size_bytes: int) -> None:
        self.calls.append(("resize", size_bytes // PAGE_SIZE))
        super().resize(size_bytes)


# -- beginning and ending ------------------------------------------------------------------------


def test_a_transaction_commits_on_a_normal_end() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"b")
        assert reopened(file) == {b"b": {}}


def test_a_transaction_rolls_back_on_an_exception_and_passes_it_on() -> None:
    with memory_db() as (db, file):
        before = file.content()
        with pytest.raises(ZeroDivisionError), db.update() as tx:
            tx.create_bucket(b"b").put(b"k", b"%d" % (1 // 0))
        assert file.content() == before
        assert dump_file(db) == {}


def test_p3_a_rollback_leaves_every_byte_as_it_was() -> None:
    patient = sample()
    file = RecordingFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        tx = db.update()
        tx.delete_bucket(b"nest")
        for number in range(200):
            tx.bucket(b"tree").delete(key(number))
        tx.create_bucket(b"new").put(b"k", b"v" * 5000)
        tx.rollback()
        assert (file.calls, file.content()) == ([], bytes(patient.content))
        with db.update() as tx:
            tx.create_bucket(b"after").put(b"k", b"v")
        assert problems(db) == []


def test_an_explicit_end_is_the_end() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"kept")
            tx.commit()
            for attempt in (
                tx.commit,
                lambda: list(tx.buckets()),
                lambda: tx.create_bucket(b"late"),
            ):
                with pytest.raises(TxClosedError):
                    attempt()
        with db.update() as tx:
            tx.create_bucket(b"dropped")
            tx.rollback()
            tx.rollback()
        assert reopened(file) == {b"kept": {}}


def test_a_reading_transaction_has_nothing_to_commit() -> None:
    with memory_db() as (db, _), db.view() as tx:
        assert not tx.is_writable
        with pytest.raises(ReadOnlyError):
            tx.commit()


def test_a_transaction_without_changes_writes_nothing() -> None:
    patient = sample()
    file = RecordingFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        before = db.meta
        with db.update() as tx:
            assert tx.bucket(b"tree").get(key(3)) == value(3)
            tx.bucket(b"tree").put(key(3), value(3))
        assert file.calls == []
        assert db.meta == before


def test_a_transaction_sees_its_own_changes_and_others_do_not() -> None:
    with memory_db() as (db, _):
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"k", b"old")
        view = db.view()
        with db.update() as tx:
            tx.bucket(b"b").put(b"k", b"new")
            assert tx.bucket(b"b").get(b"k") == b"new"
            assert view.bucket(b"b").get(b"k") == b"old"
        assert view.bucket(b"b").get(b"k") == b"old"
        view.rollback()


# -- the order of a commit -----------------------------------------------------------------------


def test_a_commit_writes_data_then_syncs_then_writes_the_meta_then_syncs() -> None:
    file = RecordingFile(new_pages(PAGE_SIZE))
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"k", b"v" * 3 * PAGE_SIZE)
        words = [word for word, _ in file.calls]
        assert words == ["resize", "write", "write", "write", "sync", "write", "sync"]
        pages = [page for word, page in file.calls if word == "write"]
        assert pages[:-1] == sorted(pages[:-1])
        assert pages[-1] == 0  # txid 2
        file.calls.clear()
        with db.update() as tx:
            tx.bucket(b"b").put(b"l", b"v")
        assert [word for word, _ in file.calls][-3:] == ["sync", "write", "sync"]
        assert file.calls[-2] == ("write", 1)


def test_a_commit_writes_on_no_page_of_either_snapshot() -> None:
    file = RecordingFile(bytes(sample().content))
    with bolt_store.open_file(file, write=True) as db:
        for number in range(50):
            patient = Patient(file.content(), page_size_bytes=PAGE_SIZE)
            free = set(patient.free_ids())
            high = patient.meta(patient.newest, "high")
            older = 1 - patient.newest
            older_root = patient.meta(older, "root")
            older_freelist = patient.meta(older, "freelist")
            file.calls.clear()
            with db.update() as tx:
                tx.bucket(b"tree").put(key(number * 5), b"changed")
                tx.bucket(b"wide").put(b"wide-0", b"w" * (number * 700 % 5000))
            data = [page for word, page in file.calls if word == "write"][:-1]
            assert data == sorted(data)
            assert all(page in free or page >= high for page in data)
            assert not {older_root, older_freelist} & set(data)


def test_the_file_grows_before_any_page_is_written_and_then_not_for_a_while() -> None:
    file = RecordingFile(new_pages(PAGE_SIZE))
    with bolt_store.open_file(file, write=True) as db:
        for number in range(100):
            with db.update() as tx:
                bucket = tx.bucket(b"b") if tx.has_bucket(b"b") else tx.create_bucket(b"b")
                bucket.put(key(number), b"v" * 300)
        growths = [call for call in file.calls if call[0] == "resize"]
        assert 1 <= len(growths) <= 10
        assert file.size_bytes() >= db.meta.high_water_mark * PAGE_SIZE
        for index, call in enumerate(file.calls):
            if call[0] == "resize":
                assert index == 0 or file.calls[index - 1][0] == "sync"


def test_freed_pages_are_used_again() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            bucket = tx.create_bucket(b"b")
            for number in range(300):
                bucket.put(key(number), value(number))
        for _ in range(3):
            with db.update() as tx:
                tx.bucket(b"b").put(key(0), b"changed")
            with db.update() as tx:
                tx.bucket(b"b").put(key(0), value(0))
        size, high = file.size_bytes(), db.meta.high_water_mark
        for number in range(200):
            with db.update() as tx:
                tx.bucket(b"b").put(key(number), b"changed")
        assert (file.size_bytes(), db.meta.high_water_mark) == (size, high)


# -- txid and slot -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("txid", "slot", "expected"),
    [(1, 0, 2), (2, 1, 3), (3, 1, 5), (2, 0, 4), ((1 << 64) - 4, 1, (1 << 64) - 3)],
)
def test_the_next_txid_has_the_parity_of_its_slot(txid: int, slot: int, expected: int) -> None:
    assert next_txid(txid, slot) == expected


@pytest.mark.parametrize(("txid", "slot"), [((1 << 64) - 3, 0), ((1 << 64) - 4, 0)])
def test_txids_that_have_run_out_are_an_error(txid: int, slot: int) -> None:
    with pytest.raises(LimitError):
        next_txid(txid, slot)


def test_a_file_at_the_last_txid_is_read_and_not_written() -> None:
    patient = sample()
    patient.set_meta(patient.newest, txid=(1 << 64) - 1)
    before = bytes(patient.content)
    file = MemoryFile(before)
    with bolt_store.open_file(file, write=True) as db:
        with pytest.raises(DamagedError, match=r"meta\.last_txid"), db.update() as tx:
            tx.create_bucket(b"new")
        assert file.content() == before
        assert sorted(dump_file(db)) == [b"nest", b"small", b"tree", b"wide"]


@pytest.mark.parametrize("before_last", [1, 2])
def test_the_last_txid_that_is_written_is_none_at_which_bbolt_panics(
    tmp_path: Path, before_last: int
) -> None:
    patient = sample()
    patient.set_meta(patient.newest, txid=TXID_MAX - before_last)
    file = MemoryFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        for _ in range(2):
            with suppress(LimitError), db.update() as tx:
                tx.bucket(b"small").put(b"k", str(tx.txid).encode())
            assert not [one for one in db.check() if one.severity >= Severity.FATAL]
        with db.view() as tx:
            bolt_store.compact(tx, tmp_path / "new.bolt")
    with bolt_store.open(tmp_path / "new.bolt", write=True) as db, db.update() as tx:
        tx.create_bucket(b"new")


def test_a_reading_transaction_has_the_txid_of_what_it_reads() -> None:
    with memory_db() as (db, _):
        with db.update() as tx:
            tx.create_bucket(b"b")
        with db.view() as tx:
            assert tx.txid == db.meta.txid == 2


def test_each_commit_goes_to_the_other_slot_with_the_next_txid() -> None:
    with memory_db() as (db, _):
        seen = []
        for number in range(4):
            with db.update() as tx:
                expected = tx.txid
                tx.create_bucket(b"%d" % number)
            assert db.meta.txid == expected
            seen.append((db.meta.txid, db.pager.active.slot))
        assert seen == [(2, 0), (3, 1), (4, 0), (5, 1)]


def test_after_a_restore_from_a_backup_the_meta_that_counts_is_not_overwritten() -> None:
    """Backups of bbolt hold txid N in slot 0 and N-1 in slot 1, whatever the parity."""
    patient = sample()
    newest = patient.newest
    fields = ("root", "sequence", "freelist", "high", "txid")
    numbers = {field: patient.meta(newest, field) for field in fields}
    numbers["txid"] |= 1
    patient.set_meta(0, **numbers)
    patient.set_meta(1, **{**numbers, "txid": numbers["txid"] - 1})
    assert {finding.code for finding in patient.findings()} == {"meta.slot", "meta.same_tree"}
    file = RecordingFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            tx.create_bucket(b"new")
        assert file.calls[-2:] == [("write", 1), ("sync", -1)]
        assert db.meta.txid == numbers["txid"] + 2
        assert db.pager.active.slot == 1
        with db.update() as tx:
            tx.create_bucket(b"newer")
        assert (db.meta.txid, db.pager.active.slot) == (numbers["txid"] + 3, 0)
        assert problems(db) == []


# -- files that lie or fail ----------------------------------------------------------------------


class ForgetfulFile(MemoryFile):
    """Says that it has written a page, and has not."""

    forgotten = -1
    forgets_metas = False

    def write_at(self, offset: int, data: bytes) -> None:
        self.forgotten -= 1
        is_meta = offset < 2 * PAGE_SIZE
        if self.forgotten != 0 and not (is_meta and self.forgets_metas):
            super().write_at(offset, data)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_page_that_does_not_hold_what_was_written_stops_the_commit(number: int) -> None:
    file = ForgetfulFile(bytes(sample().content))
    with bolt_store.open_file(file, write=True) as db:
        before = dump_file(db)
        file.forgotten = number
        with pytest.raises(CommitError) as caught, db.update() as tx:
            tx.bucket(b"tree").put(key(0), b"changed")
        assert (caught.value.phase, caught.value.outcome) == ("data", "unchanged")
        assert dump_file(db) == before
        with db.update() as tx:
            tx.bucket(b"tree").put(key(0), b"changed")
        assert problems(db) == []


def test_a_meta_that_does_not_arrive_leaves_the_outcome_unknown() -> None:
    file = ForgetfulFile(bytes(sample().content))
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            tx.bucket(b"small").put(b"k", b"v")
        file.forgets_metas = True
        with pytest.raises(CommitError) as caught, db.update() as tx:
            tx.bucket(b"small").put(b"k", b"changed")
        assert (caught.value.phase, caught.value.outcome) == ("meta", "unknown")
        for attempt in (db.view, db.update, db.check):
            with pytest.raises(StateError):
                attempt()


class UnreadableMetas(MemoryFile):
    """Cannot read its metas any more once a number of syncs is over."""

    syncs_left = -1

    def sync(self) -> None:
        self.syncs_left -= 1

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        if self.syncs_left == 0 and offset < 2 * PAGE_SIZE:
            raise OSError(errno.EIO, "input/output error")
        return super().read_at(offset, size_bytes)


def test_metas_that_cannot_be_read_after_the_commit_leave_the_outcome_unknown() -> None:
    """Going on with the old state would overwrite the pages of the new one."""
    file = UnreadableMetas(bytes(sample().content))
    with bolt_store.open_file(file, write=True) as db:
        file.syncs_left = 2
        with pytest.raises(CommitError) as caught, db.update() as tx:
            tx.bucket(b"small").put(b"k", b"v")
        assert (caught.value.phase, caught.value.outcome) == ("meta", "unknown")
        file.syncs_left = -1
        with pytest.raises(StateError):
            db.update()
    assert reopened(file)[b"small"] == {b"k": b"v", b"one": b"1", b"two": b"2"}


def test_a_page_that_cannot_be_read_for_merging_ends_the_transaction_before_it_writes() -> None:
    patient = sample()
    file = RecordingFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            tx.bucket(b"small").put(b"k", b"v")
        file.calls.clear()
        root = patient.bucket_root(b"tree")
        first = patient.children(patient.children(root)[0])
        tx = db.update()
        for index in range(patient.header(first[0], "count")):
            tx.bucket(b"tree").delete(patient.key(first[0], index))
        tx.bucket(b"tree").put(key(0), value(0))
        file.write_at(first[1] * PAGE_SIZE, bytes(PAGE_SIZE))
        file.calls.clear()
        with pytest.raises(bolt_store.errors.FormatError):
            tx.commit()
        assert file.calls == []


def test_a_full_check_looks_at_pages_that_the_commit_did_not_write() -> None:
    patient = sample()
    leaf, _ = patient.find(patient.bucket_root(b"tree"), key(200))
    file = MemoryFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            tx.bucket(b"small").put(b"k", b"v")
        file.write_at(leaf * PAGE_SIZE, bytes(PAGE_SIZE))
        with pytest.raises(CommitError) as caught, db.update(full_check=True) as tx:
            tx.bucket(b"small").put(b"k", b"changed")
        assert (caught.value.phase, caught.value.outcome) == ("data", "unchanged")
        with db.view() as tx:
            assert tx.bucket(b"small").get(b"k") == b"v"


class InterruptedFile(MemoryFile):
    """Is interrupted at its next write to the pages from `armed_from` up to `armed_to`."""

    armed_from = armed_to = 0

    def write_at(self, offset: int, data: bytes) -> None:
        if self.armed_from <= offset // PAGE_SIZE < self.armed_to:
            self.armed_to = 0
            raise KeyboardInterrupt
        super().write_at(offset, data)


def test_an_interrupt_while_writing_data_is_passed_on_and_leaves_the_state_before() -> None:
    file = InterruptedFile(bytes(sample().content))
    with bolt_store.open_file(file, write=True) as db:
        before = dump_file(db)
        file.armed_from, file.armed_to = 2, 1000
        with pytest.raises(KeyboardInterrupt), db.update() as tx:
            tx.bucket(b"small").put(b"k", b"v")
        assert dump_file(db) == before
        with db.update() as tx:
            tx.bucket(b"small").put(b"k", b"v")
        assert problems(db) == []


def test_an_interrupt_while_writing_the_meta_leaves_the_outcome_unknown() -> None:
    file = InterruptedFile(bytes(sample().content))
    with bolt_store.open_file(file, write=True) as db:
        file.armed_from, file.armed_to = 0, 2
        with pytest.raises(KeyboardInterrupt), db.update() as tx:
            tx.bucket(b"small").put(b"k", b"v")
        with pytest.raises(StateError):
            db.update()


def test_pages_that_are_laid_out_do_not_lie_in_memory_beside_their_records() -> None:
    record_bytes, count = PAGE_SIZE // 2 + 100, 1000
    with memory_db() as (db, _):
        tx = db.update()
        bucket = tx.create_bucket(b"large")
        tracemalloc.start()
        try:
            for number in range(count):
                bucket.put(key(number), bytes(record_bytes))
            before_bytes, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            tx.stage()
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        tx.commit()
        assert peak_bytes - before_bytes < count * record_bytes // 2
        assert problems(db) == []


def test_what_is_written_does_not_stay_in_memory_as_long_as_its_transaction(tmp_path: Path) -> None:
    with bolt_store.create(tmp_path / "store") as db:
        tx = db.update()
        bucket = tx.create_bucket(b"large")
        tracemalloc.start()
        try:
            for number in range(200):
                bucket.put(key(number), bytes(3000))
            held_bytes, _ = tracemalloc.get_traced_memory()
            tx.commit()
            left_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert left_bytes < held_bytes // 4
