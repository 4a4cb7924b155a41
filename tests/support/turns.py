"""Random transactions that a Go program and `bolt_store` can both make, and comparisons."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import bolt_store
from bolt_store.errors import BucketError, LimitError
from tests.support.model import problems
from tests.support.oracle import Dump, Operation, Path_, Script, Session


def play(tx: bolt_store.Tx, script: Script, *, fill: float | None = None) -> int:
    """Make the changes of a script with `bolt_store`.

    Args:
        tx: A writing transaction.
        script: What to do.
        fill: How full split pages become, in every bucket that is touched.

    Returns:
        The number of changes that were refused or had no bucket to work on, as the peer counts.
    """
    skipped = 0
    for operation in script.operations:
        try:
            _play_one(tx, operation, fill)
        except (BucketError, LimitError):
            skipped += 1
    return skipped


def _play_one(tx: bolt_store.Tx, operation: Operation, fill: float | None) -> None:
    *parents, last = operation.path
    parent: bolt_store.Tx | bolt_store.Bucket = tx
    for name in parents:
        parent = _tuned(parent.bucket(name), fill)
    match operation.word:
        case "mk":
            # Not by asking first: a plain value of that name must be refused.
            bucket = parent.bucket(last) if parent.has_bucket(last) else parent.create_bucket(last)
            _tuned(bucket, fill)
        case "rm":
            parent.delete_bucket(last)
        case "put":
            _tuned(parent.bucket(last), fill).put(operation.key, operation.value)
        case "del":
            _tuned(parent.bucket(last), fill).delete(operation.key)
        case "seq":
            parent.bucket(last).set_sequence(operation.number)


def _tuned(bucket: bolt_store.Bucket, fill: float | None) -> bolt_store.Bucket:
    if fill is not None:
        bucket.fill = fill
    return bucket


class RandomScripts:
    """Seeded random transactions over a few nested buckets, in tides: trees grow and shrink again.

    They keep out of one defect of bbolt's, which leaks pages when a bucket is deleted in the
    transaction that changed it: deletion of a bucket comes first, and once at most.
    """

    NAMES = (b"a", b"bucket", b"n" * 50, bytes(range(256)))
    KEY_COUNT = 600

    def __init__(self, random: Random, *, page_size_bytes: int) -> None:
        self.random = random
        self._sizes = (0, 1, 20, 90, page_size_bytes // 3, page_size_bytes * 2 + 5)
        self._weights = (30, 30, 200, 200, 20, 1)
        self._is_tide_rising = True
        self._keys = [self._long_key(number) for number in range(self.KEY_COUNT)]

    def next(self) -> Script:
        script = Script()
        if self.random.random() < 0.06:
            self._is_tide_rising = not self._is_tide_rising
        if self.random.random() < 0.02:
            script.remove(*self._path())
        for _ in range(self.random.choice((0, 1, 2, 5, 5, 30))):
            self._add(script)
        return script

    def _long_key(self, number: int) -> bytes:
        """Long keys make high trees of few pages."""
        return b"%d." % number + b"k" * self.random.choice((0, 5, 60, 150))

    def _path(self) -> Path_:
        depth = self.random.choices((1, 2, 3), (12, 3, 1))[0]
        names = self.random.choices(self.NAMES, (20, 4, 1, 1), k=depth)
        return tuple(names)

    def _key(self) -> bytes:
        draw = self.random.random()
        if draw < 0.004:
            return self.random.choice(self.NAMES)  # may be a bucket
        if draw < 0.006:
            return b""  # refused
        return self.random.choice(self._keys)

    def _add(self, script: Script) -> None:
        path = self._path()
        draw = self.random.random()
        if draw < 0.08:
            script.make(*path)
        elif draw < 0.1:
            script.sequence(path, self.random.randrange(1 << 64))
        elif draw < (0.75 if self._is_tide_rising else 0.3):
            self._add_puts(script, path)
        else:
            for _ in range(self.random.choice((1, 1, 5, 40))):
                script.delete(path, self._key())

    def _add_puts(self, script: Script, path: Path_) -> None:
        script.make(*path[:1])
        for _ in range(self.random.choice((1, 1, 3, 12))):
            size = self.random.choices(self._sizes, self._weights)[0]
            script.put(path, self._key(), self.random.randbytes(size))


def require_sound(path: Path, session: Session, expected: Dump) -> None:
    """Require that Go and `bolt_store` find no fault with a file and read the same content."""
    with session.opened(path):
        assert session.check() == []
        assert session.dump() == expected
    with bolt_store.open(path) as db:
        assert problems(db) == []
        assert Dump.of(db) == expected


def update(path: Path, *changes: Callable[[bolt_store.Tx], object]) -> None:
    """Open a file with `bolt_store` and make each change in a transaction of its own."""
    with bolt_store.open(path, write=True) as db:
        for change in changes:
            with db.update() as tx:
                change(tx)
