"""Times the package boltdb 0.0.2 from PyPI. Run by a Python of its own, see tests.bench.engine.

Arguments: a file made by the Go peer's `fill`, its number of keys, the number of look-ups and of
commits. Prints seconds by name as one JSON object. What is left of the file is no sound bolt file:
boltdb 0.0.2 writes pages in use.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from boltdb import BoltDB  # type: ignore[import-not-found] # installed by tests.bench.engine alone

BUCKET = b"data"


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def walk(bucket: Any) -> None:  # noqa: ANN401 - boltdb has no types
    cursor = bucket.cursor()
    key, _ = cursor.first()
    while key is not None:
        key, _ = cursor.next()


def main(path: str, key_count: int, get_count: int, commit_count: int) -> None:
    chosen = random.Random(1)
    keys = [b"k%014d" % chosen.randrange(key_count) for _ in range(get_count)]
    start = time.perf_counter()
    db = BoltDB(path)
    seconds = {"open": time.perf_counter() - start}
    with db.view() as tx:
        bucket = tx.bucket(BUCKET)
        seconds["get"] = timed(lambda: [bucket.get(key) for key in keys])
        seconds["get_again"] = timed(lambda: [bucket.get(key) for key in keys])
    with db.view() as tx:
        bucket = tx.bucket(BUCKET)
        seconds["iterate_first"] = timed(lambda: walk(bucket))
        seconds["iterate"] = timed(lambda: walk(bucket))

    def commit() -> None:
        for number in range(commit_count):
            with db.update() as tx:
                tx.bucket(BUCKET).put(chosen.choice(keys), b"v%015d" % number)

    seconds["commit"] = timed(commit)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
