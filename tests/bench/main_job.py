"""The measurements of the main job: start-up, a large listing, a mint on a large store.

Run it on demand, on a quiet machine, with Go installed:

    python -m tests.bench.main_job [--count 100000] [--folder FOLDER]

Each figure is the median of several runs, one after the other in one process, with warm caches. The
ratio is what counts; the aims are those of the project.
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
from tests.support.run_cli import PROJECT

PROGRAM: Final = (str(Path(sys.executable).with_name("influx-recovery")),)
MIB: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The median of several runs.

    Attributes:
        seconds: Wall-clock time.
        peak_bytes: Largest resident set of the process, pages of a mapped file included.
    """

    seconds: float
    peak_bytes: int


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

    def row(self, what: str, ours: Measure, theirs: Measure, aim: str) -> None:
        """Print one comparison."""
        ratio = ours.seconds / theirs.seconds
        print(
            f"{what:44} {ours.seconds:8.3f}s {theirs.seconds:8.3f}s {ratio:7.2f} {aim:>6} "
            f"{ours.peak_bytes / MIB:5.0f}MiB",
            flush=True,
        )


def measure_start(table: Table, folder: Path) -> None:
    """Compare the start of two commands with that of a bare Python."""
    sample = folder / "sample.bolt"
    shutil.copyfile(PROJECT.parent / "shared" / "stores" / "level21.bolt", sample)
    bare = measure([sys.executable, "-I", "-c", "pass"], runs=31)
    table.row(
        "--version / python3 -I -c pass", measure([*PROGRAM, "--version"], runs=31), bare, "8"
    )
    listing = [*PROGRAM, "auth", "list", "--bolt-path", str(sample)]
    table.row("auth list / python3 -I -c pass", measure(listing, runs=31), bare, "8")


def measure_listing(table: Table, store: Path, peer: Path) -> None:
    """Compare a listing of everything with a Go program that lists the same."""
    ours = measure([*PROGRAM, "auth", "list", "--json", "--bolt-path", str(store)], runs=5)
    theirs = measure([str(peer), "authlist", "-permissions", str(store)], runs=5)
    table.row("auth list --json / Go, with permissions", ours, theirs, "1")
    theirs = measure([str(peer), "authlist", str(store)], runs=5)
    table.row("auth list --json / Go, without permissions", ours, theirs, "-")


def measure_mint(table: Table, store: Path, peer: Path) -> None:
    """Compare a mint, with its check and backup, with a copy, a sync and a check in Go."""
    folder = store.parent
    work = folder / "work.bolt"

    def renew() -> None:
        for path in (*folder.glob("work.bolt*"), folder / "copy.bolt"):
            path.unlink(missing_ok=True)
        shutil.copyfile(store, work)
        os.sync()

    mint = [*PROGRAM, "auth", "create-operator", "--yes", "--token-stdout", "--org", "acme"]
    mint += ["--username", "alice", "--bolt-path", str(work), "--ledger", str(folder / "ledger")]
    copy = folder / "copy.bolt"
    plain = f'cp "{work}" "{copy}" && sync "{copy}" && "{peer}" check "{work}"'
    ours = measure(mint, runs=3, before=renew)
    theirs = measure(["/bin/sh", "-c", plain], runs=3, before=renew)
    table.row("create-operator / cp + fsync + Go check", ours, theirs, "1")


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="authorizations")
    parser.add_argument("--folder", help="where the files go; about four times the store")
    arguments = parser.parse_args()
    peer = build_peer()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        store = Path(name) / "influxd.bolt"
        make_large_store(store, count=arguments.count)
        size = store.stat().st_size / MIB
        print(f"{arguments.count} authorizations of 44 permissions, {size:.0f} MiB")
        table = Table()
        measure_start(table, Path(name))
        measure_listing(table, store, peer)
        measure_mint(table, store, peer)


if __name__ == "__main__":
    main()
