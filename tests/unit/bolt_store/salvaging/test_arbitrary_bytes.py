"""Whatever the bytes are, salvage ends, holds little and raises nothing."""

import struct
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

import pytest

import bolt_store
from bolt_store import SalvageMethod, SalvageReport, salvage, stale_entries
from tests.support.history import history
from tests.support.memory_file import MemoryFile
from tests.support.model import problems

PAGE_SIZE = 1024
PAGE_COUNT = 60


def run(content: bytes, folder: Path) -> SalvageReport:
    """Salvage, and require that what is written is sound and what is left aside can be listed."""
    target = folder / "salvaged"
    target.unlink(missing_ok=True)
    report = salvage(MemoryFile(content), target)
    assert list(report.sentences())
    listed = sum(entry.origin == "page" for entry in stale_entries(MemoryFile(content), report))
    assert listed == sum(leaf.element_count for leaf in report.loose_leaves)
    if report.is_written:
        with bolt_store.open(target) as db:
            assert problems(db) == []
    assert report.is_written == target.exists()
    return report


# -- files made to hurt --------------------------------------------------------------------------


def page(pgid: int, flags: int, count: int, body: bytes, overflow: int = 0) -> bytes:
    return (struct.pack("<QHHI", pgid, flags, count, overflow) + body).ljust(PAGE_SIZE, b"\0")


def buckets(roots: Iterable[int]) -> bytes:
    """Return the elements of a leaf of buckets."""
    roots = list(roots)
    table, data = b"", b""
    for index, root in enumerate(roots):
        table += struct.pack("<IIII", 1, 16 * (len(roots) - index) + len(data), 2, 16)
        data += struct.pack(">H", index + 1) + struct.pack("<QQ", root, 0)
    return table + data


def children(pgids: Iterable[int]) -> bytes:
    pgids = list(pgids)
    table, data = b"", b""
    for index, child in enumerate(pgids):
        table += struct.pack("<IIQ", 16 * (len(pgids) - index) + len(data), 2, child)
        data += struct.pack(">H", index + 1)
    return table + data


LONG = 1 << 20


def scattered(pgid: int, count: int = 20) -> list[int]:
    return [2 + (pgid * 7 + index * 13) % (PAGE_COUNT - 2) for index in range(count)]


def every(make: Callable[[int], bytes]) -> bytes:
    return b"".join(make(pgid) for pgid in range(PAGE_COUNT))


def long_run(pgid: int) -> bytes:
    """Claim all pages to the end of the file."""
    size = (PAGE_COUNT - pgid) * PAGE_SIZE - 100
    return page(pgid, 2, 1, struct.pack("<IIII", 0, 16, 1, size) + b"k", PAGE_COUNT - 1 - pgid)


def overlapping_values(pgid: int) -> bytes:
    """Let every element have all that is behind the table as its value."""
    table = b"".join(
        struct.pack("<IIII", 0, 16 * (30 - index) + index, 1, 400 - index) for index in range(30)
    )
    return page(pgid, 2, 30, table + bytes(range(30, 130)) * 5)


def freelist(pgid: int) -> bytes:
    return page(pgid, 16, 100, struct.pack("<100Q", *range(pgid + 1, pgid + 101)))


def mixed(pgid: int) -> bytes:
    if pgid % 2:
        return freelist(pgid)
    return page(pgid, 2, 20, buckets(scattered(pgid)))


def inline_in_inline() -> bytes:
    inside_out = [struct.pack("<QHHI", 0, 2, 0, 0)]
    size = len(inside_out[0])
    for _ in range(8000):
        header = struct.pack("<QHHI", 0, 2, 1, 0)
        inside_out.append(header + struct.pack("<IIII", 1, 16, 1, 16 + size) + b"k" + bytes(16))
        size += len(inside_out[-1])
    leaf = b"".join(reversed(inside_out))
    page_count = -(-len(leaf) // PAGE_SIZE)
    run_ = struct.pack("<QHHI", 2, 2, 1, page_count - 1) + leaf[16:]
    return bytes(2 * PAGE_SIZE) + run_.ljust(page_count * PAGE_SIZE, b"\0")


def one_byte_for_long() -> bytes:
    """Make a run of which each element has all bytes, and all bytes are the same."""
    table = b"".join(
        struct.pack("<IIII", 0, 16 * (1000 - index), 8 + index, LONG) for index in range(1000)
    )
    run_ = struct.pack("<QHHI", 2, 2, 1000, LONG // PAGE_SIZE - 1) + table
    return bytes(2 * PAGE_SIZE) + run_.ljust(LONG, b"a")


HOSTILE: dict[str, bytes] = {
    "runs that overlap": every(long_run),
    "values that overlap": every(overlapping_values),
    "a chain of buckets": every(lambda pgid: page(pgid, 2, 1, buckets([pgid + 1]))),
    "a mesh of buckets": every(lambda pgid: page(pgid, 2, 20, buckets(scattered(pgid)))),
    "buckets that are themselves": every(lambda pgid: page(pgid, 2, 20, buckets([pgid] * 20))),
    "a mesh of branches": every(lambda pgid: page(pgid, 1, 20, children(scattered(pgid)))),
    "freelists": every(freelist),
    "freelists and roots": every(mixed),
    "inline buckets in inline buckets": inline_in_inline(),
    "random bytes": Random(1).randbytes(PAGE_COUNT * PAGE_SIZE),
    "one byte for long": one_byte_for_long(),
    "ones": b"\xff" * PAGE_COUNT * PAGE_SIZE,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_made_to_hurt_costs_little(name: str, tmp_path: Path) -> None:
    content = HOSTILE[name]
    tracemalloc.start()
    try:
        run(content, tmp_path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 6 * len(content) + 12_000_000


@pytest.mark.parametrize("name", ["runs that overlap", "a mesh of buckets"])
def test_a_search_that_was_cut_short_is_reported(name: str, tmp_path: Path) -> None:
    report = run(HOSTILE[name], tmp_path)
    assert not report.is_search_complete
    assert not report.is_complete
    assert any("not all were looked at" in sentence.text for sentence in report.sentences())


# -- mutants -------------------------------------------------------------------------------------


def mutate(content: bytearray, page_size: int, random: Random) -> None:
    """Do one thing that disks, drivers and people do."""
    page_count = len(content) // page_size
    first, second = (random.randrange(page_count) * page_size for _ in range(2))
    match random.randrange(7):
        case 0:
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        case 1:
            content[first : first + page_size] = bytes(page_size)
        case 2:
            other = content[second : second + page_size]
            content[second : second + page_size] = content[first : first + page_size]
            content[first : first + page_size] = other
        case 3:
            keep = random.randrange(len(content) // 2, len(content))
            del content[max(keep, 4 * page_size) :]
        case 4:
            at = first + random.randrange(64)
            content[at : at + 4] = random.choice([b"\xff" * 4, bytes(4), random.randbytes(4)])
        case 5:
            content[first + random.randrange(200)] = random.randrange(256)
        case _:
            content[first : first + page_size] = random.randbytes(page_size)


def run_mutants(seed: int, count: int, folder: Path) -> Counter[SalvageMethod]:
    random = Random(seed)
    methods: Counter[SalvageMethod] = Counter()
    for _ in range(count):
        page_size = random.choice([1024, 4096])
        past = history(random.randrange(3), page_size_bytes=page_size)
        content = bytearray(past.newest)
        for _ in range(random.choice([1, 1, 2, 5, 20])):
            mutate(content, page_size, random)
        methods[run(bytes(content), folder).method] += 1
    return methods


def test_mutants_of_a_file_raise_nothing(tmp_path: Path) -> None:
    methods = run_mutants(7, 25, tmp_path)
    assert methods[SalvageMethod.CLEAN] > 2
    assert methods[SalvageMethod.REPAIRED] > 2


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(10))
def test_mutants_of_a_file_raise_nothing_in_a_long_campaign(seed: int, tmp_path: Path) -> None:
    run_mutants(seed, 1000, tmp_path)


def test_salvage_holds_little_of_a_large_file(tmp_path: Path) -> None:
    items = ((b"k%07d" % number, b"v" * 3000) for number in range(3000))
    content = [(b"b", bolt_store.BucketContent(items=items))]
    bolt_store.rebuild(content, tmp_path / "source", page_size_bytes=4096)
    file = MemoryFile((tmp_path / "source").read_bytes())
    tracemalloc.start()
    try:
        report = salvage(file, tmp_path / "target")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.key_count == 3000
    assert file.size_bytes() > 12_000_000
    assert peak_bytes < 6_000_000
