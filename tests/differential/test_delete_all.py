"""Go deletes everything from a file that Python wrote, in random order, and fills it again.

Deleting everything leads Go through every way of merging pages, and each of them trusts our
layout: separators that are not exact, branches with one child or leaves at uneven depth end in a
panic or in lost pages. bbolt's check alone sees none of these.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import bolt_store
from tests.support.model import problems
from tests.support.oracle import Dump, Operation, Oracle, Path_, Script, Session
from tests.support.turns import RandomScripts, play, require_sound

TRANSACTIONS = 6
VARIANTS = pytest.mark.parametrize(
    ("page_size_bytes", "key_count"), [(1024, 1500), (4096, 2500), (16384, 2500)]
)


def _key(number: int) -> bytes:
    return b"%d" % number + b"." * (number * 7919 % 90)


def _load(random: Random, *, page_size_bytes: int, count: int) -> list[Operation]:
    """Return puts in random order into two trees, one of them below the other."""
    sizes = (0, 10, 60, page_size_bytes // 2, page_size_bytes * 3)
    operations = [
        Operation("put", path, _key(number), random.randbytes(size))
        for number in range(count)
        for path in ((b"top",), (b"top", b"below"))
        for size in random.choices(sizes, (10, 40, 40, 2, 1))
    ]
    random.shuffle(operations)
    return operations


def _split(operations: list[Operation], parts: int) -> Iterator[Script]:
    step = -(-len(operations) // parts)
    for start in range(0, len(operations), step):
        yield Script(operations[start : start + step])


def _write_with_python(path: Path, operations: list[Operation], *, page_size_bytes: int) -> None:
    """Write in several transactions, with some keys deleted and put again on the way."""
    with bolt_store.create(path, page_size_bytes=page_size_bytes) as db:
        with db.update() as tx:
            play(tx, Script().make(b"top").make(b"top", b"below").sequence((b"top",), 77))
        for script in _split(operations, 5):
            with db.update() as tx:
                play(tx, script)
                play(
                    tx,
                    Script(operation._replace(word="del") for operation in script.operations[::2]),
                )
            with db.update() as tx:
                play(tx, Script(script.operations[::2]))
        assert problems(db) == []


def _delete_all(session: Session, path: Path, keys: list[tuple[Path_, bytes]]) -> None:
    """Let Go delete in several transactions, and look at the file after each."""
    deletes = [Operation("del", bucket, key) for bucket, key in keys]
    for script in _split(deletes, TRANSACTIONS):
        with session.opened(path):
            assert session.commit(script).skipped == 0
            assert session.check() == []
        with bolt_store.open(path) as db:
            assert problems(db) == []


@VARIANTS
@pytest.mark.parametrize("seed", [1, 2])
def test_go_deletes_everything_python_wrote_and_fills_the_file_again(
    oracle: Oracle, tmp_path: Path, page_size_bytes: int, key_count: int, seed: int
) -> None:
    random = Random(seed)
    path = tmp_path / "python.bolt"
    operations = _load(random, page_size_bytes=page_size_bytes, count=key_count)
    _write_with_python(path, operations, page_size_bytes=page_size_bytes)
    full = oracle.dump(path)
    keys = [(operation.path, operation.key) for operation in operations]
    random.shuffle(keys)
    with oracle.session("-no-sync") as session:
        assert oracle.pages(path).pages[-1].depth >= 1, "the load makes trees"
        _delete_all(session, path, keys)
        assert oracle.dump(path).lines == ("B 746f70 77", "B 746f70/62656c6f77 0")
        random.shuffle(operations)
        for script in _split(operations, TRANSACTIONS):
            with session.opened(path):
                session.commit(script)
                assert session.check() == []
        require_sound(path, session, full)


@VARIANTS
def test_python_deletes_everything_go_wrote_and_fills_the_file_again(
    oracle: Oracle, tmp_path: Path, page_size_bytes: int, key_count: int
) -> None:
    random = Random(3)
    path = tmp_path / "go.bolt"
    oracle.init(path, page_size_bytes=page_size_bytes)
    operations = _load(random, page_size_bytes=page_size_bytes, count=key_count)
    make = Script().make(b"top").make(b"top", b"below")
    oracle.apply(path, make, *_split(operations, 5), flags=["-no-sync"])
    full = oracle.dump(path)
    deletes = [operation._replace(word="del") for operation in operations]
    random.shuffle(deletes)
    with bolt_store.open(path, write=True) as db:
        for script in _split(deletes, TRANSACTIONS):
            with db.update() as tx:
                assert play(tx, script) == 0
            assert problems(db) == []
        assert Dump.of(db).lines == ("B 746f70 0", "B 746f70/62656c6f77 0")
    assert oracle.check(path) == []
    with bolt_store.open(path, write=True) as db:
        for script in _split(operations, TRANSACTIONS):
            with db.update() as tx:
                play(tx, script)
    with oracle.session() as session:
        require_sound(path, session, full)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(30))
def test_go_deletes_everything_that_random_transactions_of_python_left(
    oracle: Oracle, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    page_size_bytes = random.choice((1024, 4096, 16384))
    path = tmp_path / "python.bolt"
    scripts = RandomScripts(random, page_size_bytes=page_size_bytes)
    with bolt_store.create(path, page_size_bytes=page_size_bytes) as db:
        for _ in range(300):
            with db.update() as tx:
                play(tx, scripts.next())
    keys = [key for key, _ in oracle.dump(path).plain]
    random.shuffle(keys)
    with oracle.session("-no-sync") as session:
        _delete_all(session, path, keys)
    assert all(line.startswith("B ") for line in oracle.dump(path).lines)
