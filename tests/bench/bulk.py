"""The measurements of long listings and long jobs, and of how they grow.

Run it on demand, with Go installed; it makes its own stores:

    python -m tests.bench.bulk [--count 100000] [--million] [--influxd PATH] [--folder FOLDER]

Figures are seconds of processor time, user and system, which a busy machine spoils least; the best
of several runs that take turns. The ratio is what counts: beside `influxd recovery` where one was
named, and beside Go's own decoding of the same records, without a word of output. `--million` adds
a store of 1,000,000 tokens, which has 4 GB.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import bolt_store
from tests.support.go_build import build_peer
from tests.support.large_store import make_large_store
from tests.support.stores import make_store

PROGRAM: Final = (sys.executable, "-m", "recovery")
MIB: Final = 1 << 20
SPARSE_BYTES: Final = 10 << 30
OPERATOR: Final = "0cff2e2708da0003"
"""The operator token of every store that the tests make."""
FINDINGS: Final = 1
"""The exit code of a check of the store that the tests make."""
LISTINGS: Final = (
    "auth list",
    "auth list --json",
    "auth list --limit 10",
    "auth list --match nothing-has-this",
    "auth list --user bob",
    "auth list --org acme",
    "auth list --sort description",
    "auth list --json --sort created --reverse --limit 10",
    "user list",
    "org list",
)


class Measure(NamedTuple):
    """What a command took.

    Attributes:
        cpu_s: User and system time.
        peak_bytes: Largest resident set.
    """

    cpu_s: float
    peak_bytes: int


def run(command: Sequence[str]) -> Measure:
    """Run a command once, its output thrown away."""
    timed = ["/usr/bin/time", "--format", "%U %S %M", "--", *command]
    done = subprocess.run(
        timed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode in {0, FINDINGS}, done.stderr.decode()
    user, system, peak = done.stderr.split()[-3:]
    return Measure(float(user) + float(system), int(peak) * 1024)


def best(commands: Sequence[Sequence[str]], runs: int) -> list[Measure]:
    """Run commands in turns, and return the best of each."""
    found: list[list[Measure]] = [[] for _ in commands]
    for _ in range(runs):
        for command, measures in zip(commands, found, strict=True):
            measures.append(run(command))
    return [
        Measure(min(one.cpu_s for one in each), max(one.peak_bytes for one in each))
        for each in found
    ]


class Bench:
    """Stores in one folder, and what is measured on them."""

    def __init__(self, folder: Path, influxd: Path | None) -> None:
        self.folder = folder
        self.peer = build_peer()
        self.influxd = influxd

    def store(self, count: int) -> Path:
        """Give a store with that many tokens of 44 permissions; made once."""
        path = self.folder / f"{count}.bolt"
        if not path.exists():
            make_large_store(path, count=count)
        return path

    def ours(self, words: str, store: Path) -> list[str]:
        ledger = str(self.folder / "ledger")
        return [*PROGRAM, *words.split(), "--bolt-path", str(store), "--ledger", ledger]

    def listings(self, count: int) -> None:
        """Compare listings with Go and with influxd."""
        store = self.store(count)
        theirs = [[str(self.peer), "authlist", "-permissions", str(store)]]
        if self.influxd is not None:
            copy = str(self._copy(store))
            theirs.append([str(self.influxd), "recovery", "auth", "list", "--bolt-path", copy])
        found = best([*theirs, *(self.ours(words, store) for words in LISTINGS)], 3)
        print(f"\n{count:,} tokens: {'':30} {'cpu':>8} {'/ Go':>6} {'/ influxd':>9} {'peak':>8}")
        for name, one in zip(("Go", "influxd"), found[: len(theirs)], strict=False):
            print(f"{name:46} {one.cpu_s:7.2f}s {'':16} {one.peak_bytes / MIB:5.0f}MiB")
        for words, one in zip(LISTINGS, found[len(theirs) :], strict=True):
            ratios = [one.cpu_s / other.cpu_s for other in found[: len(theirs)]]
            shown = f"{ratios[0]:6.2f} " + (f"{ratios[1]:9.3f}" if ratios[1:] else f"{'-':>9}")
            print(f"{words:46} {one.cpu_s:7.2f}s {shown} {one.peak_bytes / MIB:5.0f}MiB")

    def jobs(self, count: int) -> None:
        """Compare long jobs with Go's decoding of the same records."""
        store = self.store(count)
        work = self._copy(store)
        made = [self.folder / name for name in ("compact", "sqlite", "lines", "tokens")]
        empty = self.folder / "empty.bolt"

        def renew() -> None:
            for path in (*made, *self.folder.glob("work.bolt*"), *self.folder.glob("empty.bolt*")):
                path.unlink(missing_ok=True)
            shutil.copyfile(store, work)
            make_store(empty, level=21)

        compact, sqlite, lines, tokens = made
        jobs: list[tuple[str, Path]] = [
            ("store check", work),
            (f"store compact {compact}", work),
            (f"store export {sqlite}", work),
            (f"auth export {lines} --with-tokens", work),
            (f"auth import {lines} --ensure --yes", empty),
            ("auth hash --all --yes", work),
            (f"auth set-inactive --all-but {OPERATOR} --yes", work),
            (f"auth rotate --all --yes --token-file {tokens}", work),
        ]
        print(f"\n{count:,} tokens: {'':30} {'cpu':>8} {'/ Go':>6} {'us/token':>9} {'peak':>8}")
        (go,) = best([[str(self.peer), "authlist", "-permissions", str(store)]], 3)
        renew()
        for words, path in jobs:
            one = run(self.ours(words, path))
            name = " ".join(words.split()[:2])
            print(
                f"{name:46} {one.cpu_s:7.2f}s {one.cpu_s / go.cpu_s:6.2f} "
                f"{one.cpu_s / count * 1e6:9.1f} {one.peak_bytes / MIB:5.0f}MiB",
                flush=True,
            )

    def growth(self, counts: Sequence[int]) -> None:
        """Say what a token more costs, and that a sparse store of 10 GiB costs nothing."""
        for words in ("auth list --json", "auth list", "store check"):
            for count in counts:
                one = run(self.ours(words, self.store(count)))
                per_token = one.cpu_s / count * 1e6
                print(f"{words:20} {count:>9,} {per_token:8.1f} us/token", end="")
                print(f" {one.peak_bytes / MIB:5.0f}MiB", flush=True)
        small = self.store(counts[0])
        sparse = Path(shutil.copyfile(small, self.folder / "sparse.bolt"))
        os.truncate(sparse, SPARSE_BYTES)
        plain, large = best([self.ours("user list", one) for one in (small, sparse)], 5)
        print(f"user list, 10 GiB sparse / {counts[0]:,} tokens {large.cpu_s / plain.cpu_s:6.2f}")

    def snapshot(self, count: int) -> None:
        """Compare a snapshot of a store with its copy by cp, both on the disk when it ends."""
        store = self.store(count)
        copy, target = self.folder / "copy", self.folder / "snapshot"
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run(["cp", store, copy], check=True)
            subprocess.run(["sync", copy], check=True)
            times[0].append(time.perf_counter() - start)
            start = time.perf_counter()
            bolt_store.snapshot(store, target)
            times[1].append(time.perf_counter() - start)
            copy.unlink()
            target.unlink()
        cp_s, snapshot_s = map(min, times)
        size = store.stat().st_size / MIB
        print(f"snapshot of {size:.0f} MiB {snapshot_s:.2f} s, cp and sync {cp_s:.2f} s: ", end="")
        print(f"{snapshot_s / cp_s:.2f} (aim 2)", flush=True)

    def _copy(self, store: Path) -> Path:
        """Copy a store: influxd recovery opens what it reads for writing."""
        return Path(shutil.copyfile(store, self.folder / "work.bolt"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="tokens")
    parser.add_argument("--million", action="store_true", help="also 1,000,000 tokens, of 4 GB")
    parser.add_argument("--influxd", type=Path, help="an influxd 2.x to compare with")
    parser.add_argument("--folder", help="where the files go; about four times the store")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        bench = Bench(Path(name), arguments.influxd)
        bench.listings(arguments.count)
        bench.jobs(arguments.count // 10)
        bench.snapshot(arguments.count)
        bench.growth([1_000, arguments.count, *([1_000_000] if arguments.million else [])])


if __name__ == "__main__":
    main()
