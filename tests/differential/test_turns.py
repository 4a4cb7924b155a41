"""Go and Python write to one file in random turns; a twin of the file sees Go only."""

from pathlib import Path
from random import Random

import pytest

import bolt_store
from tests.support.model import problems
from tests.support.oracle import Commit, Dump, Oracle, Script, Session
from tests.support.turns import RandomScripts, play

TURNS = 80
TURNS_SLOW = 1000
VARIANTS = pytest.mark.parametrize(
    ("page_size_bytes", "flags"),
    [
        (1024, ()),
        (1024, ("-hashmap",)),
        (1024, ("-no-freelist-sync",)),
        (1024, ("-fill=0.9",)),
        (2048, ("-hashmap", "-no-freelist-sync")),
        (4096, ()),
        (4096, ("-hashmap",)),
        (4096, ("-no-freelist-sync",)),
        (16384, ()),
    ],
    ids=str,
)


class Game:
    """One file, its twin, and the two players."""

    def __init__(self, path: Path, go: Session, twin: Session, random: Random) -> None:
        self.path = path
        self.go = go
        self.twin = twin
        self.random = random

    def turn(self, scripts: list[Script]) -> None:
        """Let one of the players make the same changes as the twin, and compare."""
        expected = [self.twin.commit(script).skipped for script in scripts]
        player = self.random.choice([self._go, self._python])
        assert expected == player(scripts)
        content = self.twin.dump()
        with self.go.opened(self.path):
            assert self.go.check() == []
            assert content == self.go.dump()
        with bolt_store.open(self.path) as db:
            assert problems(db) == []
            assert content == Dump.of(db)

    def _go(self, scripts: list[Script]) -> list[int]:
        with self.go.opened(self.path):
            commits: list[Commit] = [self.go.commit(script) for script in scripts]
        return [commit.skipped for commit in commits]

    def _python(self, scripts: list[Script]) -> list[int]:
        skipped = []
        with bolt_store.open(self.path, write=True) as db:
            for script in scripts:
                with db.update() as tx:
                    skipped.append(play(tx, script))
        return skipped


def _play(
    oracle: Oracle,
    folder: Path,
    *,
    page_size_bytes: int,
    flags: tuple[str, ...],
    seed: int,
    turns: int,
) -> None:
    random = Random(seed)
    path, twin_path = folder / "both.bolt", folder / "twin.bolt"
    for file in (path, twin_path):
        oracle.init(file, page_size_bytes=page_size_bytes)
    source = RandomScripts(random, page_size_bytes=page_size_bytes)
    with (
        oracle.session("-no-sync", *flags) as go,
        oracle.session("-no-sync") as twin,
        twin.opened(twin_path),
    ):
        game = Game(path, go, twin, random)
        for _ in range(turns):
            game.turn([source.next() for _ in range(random.choice((1, 1, 2, 3)))])


@VARIANTS
def test_random_turns_of_go_and_python_on_one_file_equal_go_alone(
    oracle: Oracle, tmp_path: Path, page_size_bytes: int, flags: tuple[str, ...]
) -> None:
    _play(
        oracle,
        tmp_path,
        page_size_bytes=page_size_bytes,
        flags=flags,
        seed=page_size_bytes + len(flags),
        turns=TURNS,
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
@VARIANTS
@pytest.mark.parametrize("seed", range(2))
def test_many_random_turns_of_go_and_python_on_one_file_equal_go_alone(
    oracle: Oracle, tmp_path: Path, page_size_bytes: int, flags: tuple[str, ...], seed: int
) -> None:
    _play(
        oracle,
        tmp_path,
        page_size_bytes=page_size_bytes,
        flags=flags,
        seed=1000 + seed,
        turns=TURNS_SLOW,
    )
