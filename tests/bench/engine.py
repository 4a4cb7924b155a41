"""Times the engine beside bbolt, boltdb 0.0.2 and a bare CPython loop.

Run it with `python -m tests.bench.engine`.

All four work on copies of one file made by bbolt, in one run on one machine, because only ratios
mean anything elsewhere. *Floor* is what CPython needs at least: for walking, a read of each leaf,
`iter_unpack` and two slices for each element, without any validation; for a commit, as many writes
as ours and two syncs; for the rest there is none. Every time is the best of several, a commit's the
median.

boltdb is installed into a temporary folder for the run (`--without-boltdb` leaves it out). It is
never a dependency, and its commits damage the file.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

import bolt_store
from bolt_store.file.os_file import OsFile
from tests.support.go_build import build_peer
from tests.support.oracle import Oracle, fill_key, fill_value

BUCKET = b"data"
BOLTDB = "boltdb==0.0.2"
GET_COUNT = 20_000
COMMIT_COUNT = 200
LEAF_ELEMENT = Struct("<IIII")

Times = dict[str, float]
"""Seconds for one operation (one key, one look-up, one commit, one file) by its name."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: As in `Times`.
        unit: Of the numbers printed.
        per_second: How many of the unit make a second.
        aim: What is wanted, in words.
    """

    name: str
    unit: str
    per_second: float
    aim: str


ROWS = [
    Row("iterate_first", "ns/key", 1e9, ""),
    Row("iterate", "ns/key", 1e9, "<= 1.3 x floor, boltdb >= 3 x ours"),
    Row("get", "us", 1e6, "<= 5 x bbolt"),
    Row("get_again", "us", 1e6, ""),
    Row("commit", "us", 1e6, "<= 3 x bbolt"),
    Row("check", "ms", 1e3, "<= 2 x bbolt"),
    Row("open", "us", 1e6, ""),
    Row("first_update", "ms", 1e3, "includes a check"),
    Row("compact", "ms", 1e3, ""),
]


def best(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest of several runs, in seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


class CountingFile(OsFile):
    """Counts the bytes and the calls that write."""

    write_count = 0
    written_bytes = 0

    def write_at(self, offset: int, data: bytes) -> None:
        self.write_count += 1
        self.written_bytes += len(data)
        super().write_at(offset, data)


# -- each of the four ------------------------------------------------------------------------------


def time_ours(path: Path, count: int, folder: Path) -> Times:
    """Time `bolt_store`; also tells bytes and pages written for a commit."""
    chosen = random.Random(1)
    keys = [fill_key(chosen.randrange(count)) for _ in range(GET_COUNT)]
    times: Times = {"open": best(lambda: bolt_store.open(path).close(), 20)}
    with bolt_store.open(path) as db:
        times["iterate_first"] = best(lambda: walk(db), 1) / count
        times["iterate"] = best(lambda: walk(db), 5) / count
        times["check"] = best(lambda: list(db.check()), 3)
        with db.view() as tx:
            bucket = tx.bucket(BUCKET)
            times["get"] = best(lambda: [bucket.get(key) for key in keys], 1) / GET_COUNT
            times["get_again"] = best(lambda: [bucket.get(key) for key in keys], 3) / GET_COUNT
        target = folder / "compacted"
        times["compact"] = best(lambda: bolt_store.compact(db, target), 1)
        times["compacted_bytes"] = target.stat().st_size
        target.unlink()
    return times | time_commits(path, keys)


def walk(db: bolt_store.DB) -> None:
    with db.view() as tx:
        for _ in tx.bucket(BUCKET).items():
            pass


def time_commits(path: Path, keys: list[bytes]) -> Times:
    """Time synced commits of one put each, on the file itself."""
    file = CountingFile.open_locked(path, write=True, timeout_s=1)
    assert isinstance(file, CountingFile)
    seconds = []
    with bolt_store.open_file(file, write=True) as db:
        first_update = best(lambda: db.update().rollback(), 1)
        for number in range(COMMIT_COUNT):
            start = time.perf_counter()
            with db.update() as tx:
                tx.bucket(BUCKET).put(keys[number], fill_value(count_down(number)))
            seconds.append(time.perf_counter() - start)
        return {
            "first_update": first_update,
            "commit": statistics.median(seconds),
            "bytes/commit": file.written_bytes / COMMIT_COUNT,
            "writes/commit": file.write_count / COMMIT_COUNT,
        }


def count_down(number: int) -> int:
    """Return a value that no key has yet."""
    return 10**14 - number


def time_floor(path: Path, ours: Times) -> Times:
    """Time the bare loop over the same pages, and bare writes with two syncs."""
    with bolt_store.open(path) as db:
        page_size = db.meta.page_size_bytes
        leaves = [
            info.pgid
            for info in bolt_store.page_infos(db)
            if info.kind == "leaf" and info.element_count > 1
        ]
    descriptor = os.open(path, os.O_RDWR)
    count = 0

    def walk_bare() -> None:
        nonlocal count
        count = 0
        for pgid in leaves:
            page = os.pread(descriptor, page_size, pgid * page_size)
            end = 16 + 16 * int.from_bytes(page[10:12], "little")
            for _, _, key_size, value_size in LEAF_ELEMENT.iter_unpack(page[16:end]):
                middle = end + key_size
                key = page[end:middle]  # noqa: F841 - made, as a walk makes it, and dropped
                end = middle + value_size
                value = page[middle:end]  # noqa: F841
                count += 1

    iterate = best(walk_bare, 5) / max(count, 1)
    page = os.pread(descriptor, page_size, 3 * page_size)
    data_writes = round(ours["writes/commit"]) - 1
    seconds = []
    for _ in range(COMMIT_COUNT):
        start = time.perf_counter()
        for _ in range(data_writes):
            os.pwrite(descriptor, page, 3 * page_size)
        os.fdatasync(descriptor)
        os.pwrite(descriptor, page, 3 * page_size)
        os.fdatasync(descriptor)
        seconds.append(time.perf_counter() - start)
    os.close(descriptor)
    return {"iterate": iterate, "commit": statistics.median(seconds)}


def time_bbolt(oracle: Oracle, path: Path, count: int) -> Times:
    """Time bbolt 1.3.6; the peer gives totals, so a commit is a mean."""
    runs = [oracle.bench(path, f"-commits={COMMIT_COUNT}") for _ in range(3)]
    times = {
        name: min(run[name]["seconds"] / run[name]["operations"] for run in runs)
        for name in runs[0]
    }
    assert runs[0]["iterate"]["operations"] == count
    return times


def time_boltdb(python: Path, path: Path, count: int) -> Times:
    """Time boltdb 0.0.2; few look-ups, because they are slow on large files."""
    get_count, commit_count = 2000, 50
    script = Path(__file__).with_name("boltdb_peer.py")
    words = [str(python), str(script), str(path), str(count), str(get_count), str(commit_count)]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    if done.returncode:
        print(f"boltdb failed: {done.stderr.splitlines()[-1]}")
        return {}
    seconds: Times = json.loads(done.stdout)
    counts = {
        "get": get_count,
        "get_again": get_count,
        "commit": commit_count,
        "iterate": count,
        "iterate_first": count,
    }
    return {name: value / counts.get(name, 1) for name, value in seconds.items()}


def install_boltdb(folder: Path) -> Path | None:
    """Install boltdb into an environment of its own; return its Python, or None offline."""
    environment = folder / "boltdb-venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    words = [str(python), "-m", "pip", "install", "--quiet", BOLTDB]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    if done.returncode:
        print(f"{BOLTDB} cannot be installed and is left out")
        return None
    return python


# -- the table -------------------------------------------------------------------------------------


def measure(oracle: Oracle, boltdb: Path | None, folder: Path, count: int) -> dict[str, Times]:
    """Let all four work on copies of one file."""
    original = folder / f"{count}.bolt"
    oracle.fill(original, count, "-no-sync")

    def copy(name: str) -> Path:
        return Path(shutil.copyfile(original, folder / f"{count}-{name}.bolt"))

    ours = time_ours(copy("ours"), count, folder)
    measured = {
        "floor": time_floor(copy("floor"), ours),
        "ours": ours,
        "bbolt": time_bbolt(oracle, copy("bbolt"), count),
        "boltdb": time_boltdb(boltdb, copy("boltdb"), count) if boltdb else {},
    }
    for path in folder.glob(f"{count}*.bolt"):
        path.unlink()
    return measured


def print_table(count: int, measured: dict[str, Times]) -> None:
    print(f"\n{count:,} keys of 15 bytes with values of 16, one bucket, pages of 4 KiB")
    columns = ("floor", "ours", "bbolt", "boltdb")
    print(f"{'':14}" + "".join(f"{name:>10}" for name in columns), end="")
    print(f"{'/floor':>9}{'/bbolt':>9}{'boltdb/':>9}  unit     aim")
    for row in ROWS:
        values = [measured[name].get(row.name) for name in columns]
        floor, ours, bbolt, boltdb = values
        cells = [f"{value * row.per_second:10.1f}" if value else f"{'-':>10}" for value in values]
        ratios = [ratio(ours, floor), ratio(ours, bbolt), ratio(boltdb, ours)]
        print(f"{row.name:14}{''.join(cells)}{''.join(ratios)}  {row.unit:8} {row.aim}")
    ours_ = measured["ours"]
    print(f"bytes written for one commit: {ours_['bytes/commit']:,.0f}", end="")
    print(f" in {ours_['writes/commit']:.1f} writes; compacted: {ours_['compacted_bytes']:,} bytes")


def ratio(upper: float | None, lower: float | None) -> str:
    return f"{upper / lower:9.2f}" if upper and lower else f"{'-':>9}"


def print_growth(results: dict[int, dict[str, Times]]) -> None:
    """Say how each number grows from the smallest file to the largest."""
    small, large = min(results), max(results)
    print(f"\nfrom {small:,} to {large:,} keys, each number grows by the factor")
    for name in ("iterate", "get", "commit", "bytes/commit", "check", "open", "compact"):
        cells = []
        for who in ("ours", "bbolt"):
            before, after = results[small][who].get(name), results[large][who].get(name)
            cells.append(f"{who} {after / before:8.2f}" if before and after else f"{who} {'-':>8}")
        print(f"{name:14}{cells[0]}   {cells[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--keys", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--without-boltdb", action="store_true", help="install and time no boltdb")
    parser.add_argument("--folder", type=Path, help="where to work; its disk decides about commits")
    arguments = parser.parse_args()
    oracle = Oracle(build_peer())
    results = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        boltdb = None if arguments.without_boltdb else install_boltdb(folder)
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors, {folder.parent}")
        for count in arguments.keys:
            results[count] = measure(oracle, boltdb, folder, count)
            print_table(count, results[count])
    if len(results) > 1:
        print_growth(results)


if __name__ == "__main__":
    main()
