"""The measurements of the commands on authorizations.

Run it on demand, on a quiet machine:

    python -m tests.bench.authorizations [--count 100000] [--folder FOLDER]

Two questions. Does `auth verify` stay a point look-up: is its time the same for 1,000 and for
100,000 authorizations? What does a change of each class cost beside the mint, which has the same
lock, check, backup and verification around it? Medians of several runs with warm caches; the ratio
is what counts.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.main_job import MIB, PROGRAM, SMALL_COUNT, Measure, Table, measure
from tests.support.large_store import make_large_store
from tests.support.stores import HASHED_TOKEN


class Bench:
    """One folder with a large store, and what is measured on copies of it."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._table = Table()
        self.small, self.large = folder / "small.bolt", folder / "large.bolt"
        make_large_store(self.small, count=SMALL_COUNT)
        self.made = make_large_store(self.large, count=count)
        self._work = folder / "work.bolt"

    def look_ups(self) -> None:
        """Compare look-ups in the large store with the same ones in the small store."""
        secret = self._folder / "secret"
        secret.write_text(HASHED_TOKEN)
        for words in (("verify", "--token-file", str(secret)), ("show", self.made.hashed)):
            runs: dict[Path, list[Measure]] = {self.small: [], self.large: []}
            for _ in range(15):  # in turns, so that a busy minute hits both
                for store, found in runs.items():
                    command = [*PROGRAM, "auth", *words, "--bolt-path", str(store)]
                    found.append(measure(command, runs=1))
            small, large = (_median(found) for found in runs.values())
            self._table.row(f"auth {words[0]}, large / small store", large, small, "1.2")

    def changes(self) -> None:
        """Compare each class of change with the mint on the same store."""
        made = self.made
        owner = ("--org", "acme", "--username", "alice")
        mint = self._change("create-operator", *owner, "--token-stdout")
        create = ("create", *owner, "--read-buckets", "--token-stdout")
        for words in (
            create,
            ("set-inactive", made.reader),
            ("delete", made.reader),
            ("complete", made.old_operator),
            ("hash", made.reader),
            ("hash", "--all"),
        ):
            name = " ".join(("auth", *words[:1], *(["--all"] if "--all" in words else [])))
            self._table.row(f"{name} / auth create-operator", self._change(*words), mint, "-")

    def transfer(self) -> None:
        """Compare an export with a listing, and an import of nothing new with the mint."""
        target = self._folder / "export.jsonl"
        bolt = ("--bolt-path", str(self.large), "--ledger", str(self._folder / "ledger"))
        listing = measure([*PROGRAM, "auth", "list", "--json", *bolt], runs=3)
        export = measure(
            [*PROGRAM, "auth", "export", str(target), "--with-tokens", *bolt],
            runs=3,
            before=lambda: target.unlink(missing_ok=True),
        )
        self._table.row("auth export --with-tokens / auth list --json", export, listing, "-")
        words = ["auth", "import", str(target), "--ensure", "--yes"]
        present = measure([*PROGRAM, *words, *bolt], runs=1)
        self._table.row("auth import of all that is there / export", present, export, "-")

    def _change(self, *words: str) -> Measure:
        command = [*PROGRAM, "auth", *words, "--yes", "--bolt-path", str(self._work)]
        command += ["--ledger", str(self._folder / "ledger")]
        return measure(command, runs=3, before=self._renew)

    def _renew(self) -> None:
        for path in self._folder.glob("work.bolt*"):
            path.unlink()
        shutil.copyfile(self.large, self._work)
        os.sync()


def _median(found: list[Measure]) -> Measure:
    return Measure(
        seconds=statistics.median(one.seconds for one in found),
        peak_bytes=max(one.peak_bytes for one in found),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="authorizations")
    parser.add_argument("--folder", help="where the files go; about four times the store")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        bench = Bench(Path(name), arguments.count)
        size = bench.large.stat().st_size / MIB
        print(f"{arguments.count} authorizations of 44 permissions, {size:.0f} MiB")
        bench.look_ups()
        bench.changes()
        bench.transfer()


if __name__ == "__main__":
    main()
