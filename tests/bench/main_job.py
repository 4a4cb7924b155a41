"""The measurements of the main job: start-up, a large listing, a mint on a large store.

Run it on demand, on a quiet machine, with Go installed:

    python -m tests.bench.main_job [--count 100000] [--folder FOLDER] [--influxd PATH]

Each figure is the median of several runs with warm caches. What is compared is run in turns, so
that a busy minute hits both, and the ratio is the median of those of the pairs: it is what counts.
The aims are those of the project. `--influxd` names an influxd of InfluxDB 2.9, whose
`influxd recovery` does the same jobs on the same stores.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.go_build import build_peer
from tests.support.large_store import make_large_store

PROGRAM: Final = (str(Path(sys.executable).with_name("influx-recovery")),)
MIB: Final = 1 << 20
SMALL_COUNT: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The median of several runs.

    Attributes:
        seconds: Wall-clock time.
        peak_bytes: Largest resident set of the process, pages of a mapped file included.
    """

    seconds: float
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two commands that were run in turns.

    Attributes:
        ratio: The median of the ratios of the pairs.
    """

    ours: Measure
    theirs: Measure
    ratio: float


def compare(
    ours: Sequence[str],
    theirs: Sequence[str],
    *,
    runs: int,
    before: Callable[[], object] = lambda: None,
) -> Pair:
    """Run two commands in turns, their output thrown away."""
    found = [[measure(one, runs=1, before=before) for one in (ours, theirs)] for _ in range(runs)]
    first, second = (
        Measure(
            seconds=statistics.median(one.seconds for one in side),
            peak_bytes=max(one.peak_bytes for one in side),
        )
        for side in zip(*found, strict=True)
    )
    ratio = statistics.median(one.seconds / other.seconds for one, other in found)
    return Pair(ours=first, theirs=second, ratio=ratio)


def measure(
    command: Sequence[str], *, runs: int, before: Callable[[], object] = lambda: None
) -> Measure:
    """Run a command several times, its output thrown away."""
    seconds, peaks = [], []
    for _ in range(runs):
        before()
        # Not wait4: a child that is made by vfork starts with the peak of its parent.
        timed = ["/usr/bin/time", "--format", "%M", "--", *command]
        start = time.perf_counter()
        done = subprocess.run(
            timed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        seconds.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr.decode()
        peaks.append(int(done.stderr.split()[-1]) * 1024)
    return Measure(seconds=statistics.median(seconds), peak_bytes=max(peaks))


class Table:
    """Rows as they are measured."""

    def __init__(self) -> None:
        print(f"{'what':44} {'ours':>9} {'theirs':>9} {'ratio':>7} {'aim':>6} {'peak':>8}")

    def pair(self, what: str, pair: Pair, aim: str) -> None:
        """Print one comparison of two that were run in turns."""
        self.row(what, pair.ours, pair.theirs, aim, ratio=pair.ratio)

    def row(
        self, what: str, ours: Measure, theirs: Measure, aim: str, *, ratio: float | None = None
    ) -> None:
        ratio = ours.seconds / theirs.seconds if ratio is None else ratio
        print(
            f"{what:44} {ours.seconds:8.3f}s {theirs.seconds:8.3f}s {ratio:7.2f} {aim:>6} "
            f"{ours.peak_bytes / MIB:5.0f}MiB",
            flush=True,
        )


def measure_start(table: Table, small: Path) -> None:
    """Compare the start of three commands with that of a bare Python."""
    bare = [sys.executable, "-I", "-c", "pass"]
    where = ["--bolt-path", str(small)]
    for words, aim in ((["--version"], "1.5"), (["--help"], "-"), (["user", "list"], "2.5")):
        ours = [*PROGRAM, *words, *(where if words[1:] else [])]
        name = f"{' '.join(words)} / python3 -I -c pass"
        table.pair(name, compare(ours, bare, runs=15), aim)


def measure_listing(table: Table, store: Path, peer: Path) -> None:
    """Compare a listing of everything with a Go program that lists the same."""
    ours = [*PROGRAM, "auth", "list", "--json", "--bolt-path", str(store)]
    for what, options in (("with", ["-permissions"]), ("without", [])):
        pair = compare(ours, [str(peer), "authlist", *options, str(store)], runs=5)
        table.pair(f"auth list --json / Go, {what} permissions", pair, "0.35" if options else "-")


@dataclass(frozen=True)
class Mint:
    """A mint on a copy of a store, made anew for each run."""

    store: Path

    @property
    def work(self) -> Path:
        return self.store.with_name("work.bolt")

    @property
    def words(self) -> list[str]:
        owner = ["--org", "acme", "--username", "alice"]
        return ["auth", "create-operator", *owner, "--bolt-path", str(self.work)]

    @property
    def ours(self) -> list[str]:
        """The whole command, with its check, its backup and its ledger."""
        ledger = ["--ledger", str(self.work.with_name("ledger"))]
        return [*PROGRAM, *self.words, "--yes", "--token-stdout", *ledger]

    def renew(self) -> None:
        """Make the copy, and let the disk come to rest."""
        for path in (*self.store.parent.glob("work.bolt*"), self.store.with_name("copy.bolt")):
            path.unlink(missing_ok=True)
        shutil.copyfile(self.store, self.work)
        os.sync()


def measure_mint(table: Table, store: Path, peer: Path) -> None:
    """Compare a mint, with its check and backup, with a copy and a sync, and a check in Go too."""
    mint = Mint(store)
    copy = f'cp "{mint.work}" "{store.with_name("copy.bolt")}" && sync "{store.parent}/copy.bolt"'
    check = f'{copy} && "{peer}" check "{mint.work}"'
    for what, plain, aim in (("", copy, "1.5"), (" + Go check", check, "1")):
        pair = compare(mint.ours, ["/bin/sh", "-c", plain], runs=3, before=mint.renew)
        table.pair(f"create-operator / cp + fsync{what}", pair, aim)


def measure_beside(table: Table, store: Path, influxd: Path, *, is_large: bool) -> None:
    """Compare three jobs with those of `influxd recovery` on the same store."""
    recovery = [str(influxd), "recovery"]
    size = "large" if is_large else "small"
    runs = 1 if is_large else 9
    for noun, small_aim, large_aim in (("user", "1.3", "-"), ("auth", "0.7", "0.1")):
        words = [noun, "list", "--bolt-path", str(store)]
        pair = compare([*PROGRAM, *words], [*recovery, *words], runs=runs)
        aim = large_aim if is_large else small_aim
        table.pair(f"{noun} list, {size} / influxd recovery", pair, aim)
    mint = Mint(store)
    pair = compare(mint.ours, [*recovery, *mint.words], runs=runs, before=mint.renew)
    aim = "0.05" if is_large else "1"
    table.pair(f"create-operator, {size} / influxd recovery", pair, aim)


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="authorizations")
    parser.add_argument("--folder", help="where the files go; about four times the store")
    parser.add_argument("--influxd", type=Path, help="an influxd to compare with, too")
    arguments = parser.parse_args()
    peer = build_peer()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        store, small = Path(name) / "influxd.bolt", Path(name) / "small.bolt"
        make_large_store(small, count=SMALL_COUNT)
        make_large_store(store, count=arguments.count)
        size = store.stat().st_size / MIB
        print(f"{arguments.count} authorizations of 44 permissions, {size:.0f} MiB")
        table = Table()
        measure_start(table, small)
        measure_listing(table, store, peer)
        measure_mint(table, store, peer)
        if arguments.influxd is not None:
            measure_beside(table, small, arguments.influxd, is_large=False)
            measure_beside(table, store, arguments.influxd, is_large=True)


if __name__ == "__main__":
    main()
