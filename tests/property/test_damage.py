"""Thousands of damaged files: only the package's own errors, no hang, memory bounded by the file.

Work is bounded by counting page reads, not by time, so that a slow machine is no failure. Of every
mutant: it is opened, checked, walked by `items` and by a cursor both ways, asked for keys, and a
write is tried. A file that the check rejects must refuse the write and stay as it is; one that
it accepts must take the write and be sound afterwards.
"""

import os
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random

import pytest

import bolt_store
from bolt_store import Severity
from bolt_store.errors import BoltError, DamagedError, FormatError, LimitError
from tests.support.absent import IS_CI
from tests.support.bolt_files import key, memory_db, sample, value
from tests.support.memory_file import MemoryFile
from tests.support.mutants import Mutator
from tests.support.surgery import NOT_STORED, Patient

Item = tuple[bytes, bytes | None]

MUTANT_COUNT = 4_000 if IS_CI else 2_000
SLOW_MUTANT_COUNT = 400_000
CHUNK = 250

BUCKETS_MAX = 60
"""Buckets walked in one mutant: a bucket may contain itself, and only the walker can know."""


class CountingFile(MemoryFile):
    """Counts the pages that are read."""

    def __init__(self, content: bytes, *, page_size_bytes: int) -> None:
        super().__init__(content)
        self._page_size_bytes = page_size_bytes
        self.page_count = len(content) // page_size_bytes + 1
        self.pages_read = 0

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        assert size_bytes <= max(self.size_bytes(), self._page_size_bytes), "more than the file"
        self.pages_read += -(-size_bytes // self._page_size_bytes)
        return super().read_at(offset, size_bytes)

    def take_count(self) -> int:
        """Return how many pages were read since the last call."""
        count, self.pages_read = self.pages_read, 0
        return count


# -- the files -------------------------------------------------------------------------------------


def small_sample() -> bytes:
    """Return a file with every kind of page, and few of each, so that most changes hit one."""
    with memory_db(1024) as (db, file):
        with db.update() as tx:
            tree = tx.create_bucket(b"tree")
            for number in range(90):
                tree.put(key(number), value(number))
            tx.create_bucket(b"wide").put(b"wide", b"w" * 3000)
            tx.create_bucket(b"small").put(b"k", b"v")
            nest = tx.create_bucket(b"nest")
            nest.create_bucket(b"below").create_bucket(b"lower").put(b"k", b"v" * 400)
        with db.update() as tx:
            tx.bucket(b"tree").put(key(50), b"changed")
        return file.content()


def without_freelist() -> bytes:
    """Return a file of which the newest snapshot stores no freelist."""
    patient = Patient(small_sample(), page_size_bytes=1024)
    patient.set_meta(patient.newest, freelist=NOT_STORED)
    return bytes(patient.content)


def deep() -> bytes:
    """Return a file with long keys on small pages: many levels, few keys."""
    with memory_db(1024) as (db, file):
        with db.update() as tx:
            tree = tx.create_bucket(b"tree")
            for number in range(60):
                tree.put(key(number) + b"k" * 180, b"v" * (number % 5))
        with db.update() as tx:
            tx.bucket(b"tree").delete(key(7) + b"k" * 180)
        return file.content()


STORES = Path(__file__).parents[3] / "shared" / "stores"


def sources() -> dict[str, tuple[bytes, int]]:
    """Return the sound files by name, each with its page size; real stores where there are any."""
    found = {
        "small": (small_sample(), 1024),
        "no freelist": (without_freelist(), 1024),
        "deep": (deep(), 1024),
    }
    for path in sorted(STORES.glob("*.bolt")):
        found[path.name] = (path.read_bytes(), 4096)
    return found


def mutants(name: str, seeds: range) -> Iterator[tuple[str, Patient]]:
    """Return mutants of one file, each with the words that make it again."""
    content, page_size = sources()[name]
    mutator = Mutator(content, page_size_bytes=page_size)
    for seed in seeds:
        yield f"{name}, seed {seed}", mutator.mutant(Random(seed))


# -- what is asked of each -------------------------------------------------------------------------


def endure(patient: Patient) -> str:
    """Do everything to a damaged file that reads or writes; return how it went."""
    page_size = patient.page_size_bytes
    file = CountingFile(bytes(patient.content), page_size_bytes=page_size)
    try:
        db = bolt_store.open_file(file, write=True)
    except FormatError:
        assert file.content() == bytes(patient.content)
        return "not opened"
    with db:
        # The page size that was found may be smaller than the true one.
        unit = max(file.page_count, file.size_bytes() // db.meta.page_size_bytes)
        findings = list(db.check())
        assert file.take_count() <= 2 * unit + 64, "check"
        walk(db, file, unit)
        assert file.content() == bytes(patient.content), "reading changes nothing"
        worst = max((finding.severity for finding in findings), default=Severity.INFO)
        return write(db, file, worst)


def walk(db: bolt_store.DB, file: CountingFile, unit: int) -> None:
    """Read every bucket in three ways, and some keys."""
    with db.view() as tx:
        pending: list[bolt_store.Bucket] = []
        collect(pending, tx.buckets())
        file.take_count()
        for bucket in pending:  # grows while it is walked
            if len(pending) < BUCKETS_MAX:
                collect(pending, bucket.buckets())
            file.take_count()
            forward, is_whole = steps(bucket.items())
            assert file.take_count() <= 4 * unit + 64, "items"
            cursor = bucket.cursor()
            there, there_is_whole = steps(iter_cursor(cursor, forward=True))
            back, back_is_whole = steps(iter_cursor(cursor, forward=False))
            assert file.take_count() <= 8 * unit + 128, "cursor"
            assert there[: len(forward)] == forward[: len(there)]
            if is_whole and there_is_whole and back_is_whole:
                assert there == forward
                assert back == forward[::-1]
            for wanted, _ in forward[::7]:
                lookup(bucket, wanted)
            assert file.take_count() <= 64 * (len(forward) + 1)


def collect(
    pending: list[bolt_store.Bucket], found: Iterator[tuple[bytes, bolt_store.Bucket]]
) -> None:
    """Add the buckets that can be opened."""
    try:
        for _, bucket in islice(found, BUCKETS_MAX):
            pending.append(bucket)
    except FormatError:
        pass


def steps(items: Iterator[Item]) -> tuple[list[Item], bool]:
    """Walk until the end or the damage; return what was met, and whether it was the end."""
    met: list[Item] = []
    try:
        for item in items:
            met.append(item)  # noqa: PERF402 - keeps what came before the damage
    except FormatError:
        return met, False
    return met, True


def iter_cursor(cursor: bolt_store.Cursor, *, forward: bool) -> Iterator[Item]:
    item = cursor.first() if forward else cursor.last()
    while item is not None:
        yield item
        item = cursor.next() if forward else cursor.prev()


def lookup(bucket: bolt_store.Bucket, wanted: bytes) -> None:
    try:
        bucket.get(wanted)
        bucket.has_bucket(wanted)
        bucket.get(wanted + b"\0")
    except FormatError:
        pass


def write(db: bolt_store.DB, file: CountingFile, worst: Severity) -> str:
    """Try to write; what the check rejects must be refused, what it accepts must work."""
    before = file.content()
    if worst >= Severity.UNSAFE:
        with pytest.raises(DamagedError):
            db.update()
        assert file.content() == before
        return "refused"
    try:
        with db.update(full_check=True) as tx:
            for name, bucket in list(tx.buckets()):
                bucket.put(b"key-0000000000000040+", b"new")
                if name == b"nest":
                    tx.delete_bucket(name)
            tx.create_bucket(b"\0 new")
    except LimitError:
        assert db.meta.txid > 1 << 60, "only a file at its last transaction cannot be written"
        return "at its end"
    assert [each for each in db.check() if each.severity >= Severity.UNSAFE] == []
    with db.view() as tx:
        for name, bucket in tx.buckets():
            assert bucket.get(b"key-0000000000000040+") == (None if name == b"\0 new" else b"new")
    return "written"


# -- the campaigns ---------------------------------------------------------------------------------


def run(job: tuple[str, int, int]) -> dict[str, int]:
    """Endure the mutants of one chunk; runs in a process of its own."""
    name, start, end = job
    counts: dict[str, int] = {}
    for words, patient in mutants(name, range(start, end)):
        try:
            outcome = endure(patient)
        except BoltError as error:
            message = f"{words}: {type(error).__name__} where none is allowed"
            raise AssertionError(message) from error
        except Exception as error:
            raise AssertionError(f"{words}: {error!r}") from error
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def campaign(first: int, count: int) -> dict[str, int]:
    """Endure so many mutants in all, on all processors; return how often each outcome came."""
    names = list(sources())
    each = count // len(names)
    jobs = [
        (name, start, min(start + CHUNK, first + each))
        for name in names
        for start in range(first, first + each, CHUNK)
    ]
    totals: dict[str, int] = {}
    # Not by forking: the parent may have threads.
    context = get_context("forkserver")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for counts in pool.map(run, jobs):
            for outcome, number in counts.items():
                totals[outcome] = totals.get(outcome, 0) + number
    return totals


def test_thousands_of_damaged_files_are_endured() -> None:
    totals = campaign(0, MUTANT_COUNT)
    assert sum(totals.values()) >= MUTANT_COUNT - len(sources())
    # Mutants that are all alike would prove nothing.
    assert totals["refused"] >= MUTANT_COUNT // 4
    assert totals["written"] >= MUTANT_COUNT // 10
    assert totals["not opened"] >= MUTANT_COUNT // 1000


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_more_damaged_files_are_endured() -> None:
    campaign(10_000, SLOW_MUTANT_COUNT)


def test_a_plain_value_where_the_walk_met_a_bucket_is_damage() -> None:
    run(("small", 36_575, 36_576))


@pytest.mark.parametrize("name", list(sources()))
def test_a_file_cut_anywhere_is_endured(name: str) -> None:
    content, page_size = sources()[name]
    for patient in Mutator(content, page_size_bytes=page_size).cut():
        endure(patient)


@pytest.mark.parametrize("name", list(sources()))
def test_memory_is_bounded_by_the_file(name: str) -> None:
    """No number in a file, however large, makes the engine ask for much more than the file has."""
    content, _ = sources()[name]
    tracemalloc.start()
    try:
        for words, patient in mutants(name, range(50_000, 50_024)):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            endure(patient)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before <= 16 * len(content) + (1 << 20), words
    finally:
        tracemalloc.stop()


def test_a_mutant_can_be_made_again() -> None:
    for name in sources():
        first = [bytes(patient.content) for _, patient in mutants(name, range(20))]
        second = [bytes(patient.content) for _, patient in mutants(name, range(20))]
        assert first == second
        assert len(set(first)) > 15


def test_the_sound_files_are_sound() -> None:
    for name, (content, page_size) in sources().items():
        assert endure(Patient(content, page_size_bytes=page_size)) == "written", name
    assert endure(sample()) == "written"
