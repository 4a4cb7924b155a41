"""Times the reading of the engine's folder, and measures what a rebuild of many shards takes.

Run it with `python -m tests.bench.rebuild`; `--shards` and `--keys` say how much is made by code.

Times are of the processor, so that other work on the machine counts less. The index is read from
memory, in the shapes that decide how fast it goes: how long keys are, whether they lie alike, and
how many blocks a key has. Memory is the peak of a process that reads the shards and makes the
store.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from recovery.engine.keys import Measurements
from recovery.engine.tsm import read_tsm
from tests.support.engine_files import Blocks, tsm_file, write_shard

HOUR_NS = 3_600_000_000_000
BUCKETS = 20
FIELDS = (b"usage_idle", b"usage_user", b"usage_system", b"usage_iowait", b"usage_irq")

_REBUILD = """
import resource, sys, time
from pathlib import Path
from tests.support.rebuilding import catalogue_of, rebuild
start = time.process_time()
def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak_mib()
rebuild(Path(sys.argv[1]), Path(sys.argv[2]), has_password=False)
used = time.process_time() - start
peak = peak_mib()
mapped = sum(len(one.groups) for one in catalogue_of(Path(sys.argv[2])).databases)
print(f"{mapped} shards mapped, {used:.1f} s of the processor")
print(f"peak {peak:.0f} MiB, of them {before:.0f} MiB for the program itself")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the reading of the engine's folder.")
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=200_000)
    options = parser.parse_args()
    rng = random.Random(1)
    shapes: dict[str, tuple[Callable[[int], bytes], int]] = {
        "keys that lie alike": (lambda i: b"t,sensor=s%08d,site=berlin#!~#value" % i, 1),
        "five fields a host": (
            lambda i: b"cpu,host=server%06d#!~#%s" % (i // 5, FIELDS[i % 5]),
            1,
        ),
        "keys of any size": (
            lambda i: b"cpu,host=%08d%s#!~#%s" % (i, b"x" * rng.randrange(20), FIELDS[i % 5]),
            1,
        ),
        "three blocks a key": (lambda i: b"cpu,host=server%06d#!~#usage" % i, 3),
        "sixty blocks a key": (lambda i: b"cpu,host=server%06d#!~#usage" % i, 60),
    }
    # First, because a child's peak begins with what its parent has.
    with tempfile.TemporaryDirectory() as folder:
        _measure_rebuild(Path(folder), options.shards)
    for name, (make_key, block_count) in shapes.items():
        _time_index(name, make_key, options.keys // block_count, block_count)


def _time_index(
    name: str, make_key: Callable[[int], bytes], key_count: int, block_count: int
) -> None:
    keys: dict[bytes, Blocks] = {
        make_key(number): [(number + one, number + one + 1) for one in range(block_count)]
        for number in range(key_count)
    }
    content = tsm_file(keys)
    start = time.process_time()
    facts = read_tsm(lambda at, size: content[at : at + size], len(content), Measurements())
    used = time.process_time() - start
    speed = facts.index_size_bytes / 2**20 / used
    print(f"{name:20} {speed:6.0f} MiB/s of index")


def _measure_rebuild(folder: Path, shard_count: int) -> None:
    for shard_id in range(1, shard_count + 1):
        bucket_id = f"{0x0B00 + shard_id % BUCKETS:016x}"
        at = shard_id // BUCKETS * HOUR_NS
        keys: dict[bytes, Blocks] = {
            b"m,host=h%04d#!~#f" % number: [(at, at + HOUR_NS - 1)] for number in range(20)
        }
        write_shard(folder / "engine", bucket_id, shard_id, keys=keys)
    target = folder / "new.bolt"
    words = [sys.executable, "-c", _REBUILD, str(folder / "engine"), str(target)]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[2])


if __name__ == "__main__":
    main()
