"""The measurement of the doctor: `store check` on a large store.

Run it on demand, on a quiet machine, with Go installed:

    python -m tests.bench.doctor [--count 100000] [--users 10000] [--folder FOLDER]

What it is compared with is Go's plain check of the bolt file, and a Go program that decodes every
authorization and every user with encoding/json. The ratio is what counts; the aim is that of the
project. Two smaller stores show how the time
grows.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Final

from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.model.password import hash_password
from recovery.secret import Secret
from tests.bench.main_job import MIB, PROGRAM, Measure, Table, measure
from tests.support.go_build import build_peer
from tests.support.large_store import make_large_store
from tests.support.stores import edit

FIRST_USER_ID: Final = 0x0E00_0000_0000_1000
GROWTH: Final = 10


def make_store_with_users(path: Path, *, count: int, user_count: int) -> None:
    """Make a large store with many users who have passwords, too."""
    hashed = hash_password(Secret("a password of many"))

    def add(tx: MetaTx) -> None:
        for number in range(user_count):
            user_id = Id(f"{FIRST_USER_ID + number:016x}")
            tx.users.insert(user_id, f"user number {number}")
            tx.passwords.put(user_id, hashed)

    make_large_store(path, count=count)
    path.chmod(0o600)
    edit(path, add)


def measure_check(table: Table, store: Path, peer: Path, what: str) -> Measure:
    """Compare a check with Go's check and the decoding of every record."""
    ours = measure([*PROGRAM, "store", "check", "--json", "--bolt-path", str(store)], runs=3)
    plain = f'"{peer}" check "{store}" && "{peer}" authlist "{store}"'
    theirs = measure(["/bin/sh", "-c", plain], runs=3)
    table.row(what, ours, theirs, "1.5")
    return ours


def main() -> None:
    """Measure two stores and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="authorizations")
    parser.add_argument("--users", type=int, default=10_000, help="users")
    parser.add_argument("--folder", help="where the files go; about twice the store")
    arguments = parser.parse_args()
    peer = build_peer()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        table = Table()
        seconds = []
        for part in (GROWTH * GROWTH, GROWTH, 1):
            count, user_count = arguments.count // part, arguments.users // part
            store = Path(name) / f"{part}.bolt"
            make_store_with_users(store, count=count, user_count=user_count)
            size = store.stat().st_size / MIB
            what = f"store check, {count} tokens, {size:.0f} MiB / Go"
            seconds.append(measure_check(table, store, peer, what).seconds)
        print(f"{GROWTH} times the records take {seconds[2] / seconds[1]:.1f} times as long")


if __name__ == "__main__":
    main()
