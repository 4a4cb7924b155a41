"""C4: a writer killed at a random moment leaves the last state that it promised, or the next.

A child commits numbered transactions in a loop and reports each number once its commit has
returned. What the file must hold after transaction n follows from n alone.
"""

import os
import signal
import time
from pathlib import Path
from random import Random
from typing import NoReturn

import pytest

import bolt_store
from tests.support.model import Model, dump_file, problems

RUN_COUNT = 120
SLOW_RUN_COUNT = 20_000
RING = 150
COMMIT_TIME_S = 0.002
"""About what one commit takes; the child is killed somewhere within the next."""


def key(number: int) -> bytes:
    return b"%06d" % number + b"k" * (number % 60)


def wide(number: int) -> bytes:
    """A value of none to many pages."""
    return b"%d." % number * (number * 37 % 3000)


def step(tx: bolt_store.Tx, number: int) -> None:
    """Make transaction `number`."""
    if number == 1:
        tx.create_bucket(b"ring")
        tx.create_bucket(b"wide")
        tx.create_bucket(b"nest")
    ring = tx.bucket(b"ring")
    ring.put(key(number), b"%d" % number)
    if number > RING:
        assert ring.delete(key(number - RING))
    tx.bucket(b"wide").put(b"%d" % (number % 3), wide(number))
    nest = tx.bucket(b"nest")
    nest.create_bucket(b"%d" % number).put(b"k", b"v" * (number % 700))
    if number > 2:
        nest.delete_bucket(b"%d" % (number - 2))


def expected(number: int) -> Model:
    """Return what the file holds after transaction `number`."""
    if not number:
        return {}
    alive = range(max(1, number - RING + 1), number + 1)
    recent = range(max(1, number - 2), number + 1)
    return {
        b"ring": {key(each): b"%d" % each for each in alive},
        b"wide": {b"%d" % (each % 3): wide(each) for each in recent},
        b"nest": {b"%d" % each: {b"k": b"v" * (each % 700)} for each in recent[-2:]},
    }


def commit_for_ever(path: Path, number: int, report: int) -> NoReturn:
    """Be the child: commit from transaction `number` on, report each; never return."""
    try:
        with bolt_store.open(path, write=True) as db:
            while True:
                with db.update() as tx:
                    step(tx, number)
                os.write(report, number.to_bytes(4, "little"))
                number += 1
    finally:
        os._exit(1)  # reached only when something failed; the parent sees that nobody was killed


def killed_run(path: Path, number: int, random: Random) -> int:
    """Let a child go on behind transaction `number` and kill it; return its last report."""
    report, child_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(report)
        commit_for_ever(path, number + 1, child_end)
    os.close(child_end)
    with os.fdopen(report, "rb", buffering=0) as reports:
        for _ in range(random.choice((0, 1, 1, 2, 5))):
            number = int.from_bytes(reports.read(4), "little")
        time.sleep(random.random() * COMMIT_TIME_S)  # any moment will do
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the child failed before it was killed"
        rest = reports.read(1 << 16) or b""
    return int.from_bytes(rest[-4:], "little") if rest else number


def run_campaign(path: Path, run_count: int, seed: int) -> None:
    random = Random(seed)
    bolt_store.create(path, page_size_bytes=random.choice((1024, 4096))).close()
    number = 0
    for _ in range(run_count):
        reported = killed_run(path, number, random)
        assert reported >= number
        with bolt_store.open(path) as db:
            assert problems(db) == []
            state = dump_file(db)
        number = reported if state == expected(reported) else reported + 1
        assert state == expected(number)


def test_a_writer_killed_at_a_random_moment_has_kept_what_it_promised(tmp_path: Path) -> None:
    for seed in range(3):
        run_campaign(tmp_path / f"{seed}.bolt", RUN_COUNT // 3, seed)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_writer_killed_very_often_has_kept_what_it_promised(tmp_path: Path) -> None:
    for seed in range(100, 120):
        run_campaign(tmp_path / f"{seed}.bolt", SLOW_RUN_COUNT // 20, seed)


def test_the_model_of_the_loop_is_right(tmp_path: Path) -> None:
    with bolt_store.create(tmp_path / "new.bolt", page_size_bytes=1024) as db:
        for number in range(1, RING + 20):
            with db.update() as tx:
                step(tx, number)
            assert dump_file(db) == expected(number)
