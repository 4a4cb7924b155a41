"""A dictionary that behaves as a bolt file should, and ways to compare the two."""

from random import Random
from typing import TypeAlias

import bolt_store

Model: TypeAlias = dict[bytes, "bytes | Model"]
"""Keys with values; a bucket is a dictionary in the dictionary."""


def dump(tx: bolt_store.Tx) -> Model:
    """Return everything in a file."""
    return {name: dump_bucket(bucket) for name, bucket in tx.buckets()}


def dump_bucket(bucket: bolt_store.Bucket) -> Model:
    """Return everything in a bucket, without recursion: buckets may nest by the thousand."""
    top: Model = {}
    pending = [(bucket, top)]
    while pending:
        bucket, model = pending.pop()
        for key, value in bucket.items():
            if value is None:
                inner: Model = {}
                model[key] = inner
                pending.append((bucket.bucket(key), inner))
            else:
                model[key] = value
    return top


def dump_file(db: bolt_store.DB) -> Model:
    """Return everything in an open file."""
    with db.view() as tx:
        return dump(tx)


def problems(db: bolt_store.DB) -> list[str]:
    """Return what the check finds, but for the merely unusual."""
    return [str(finding) for finding in db.check() if finding.severity > bolt_store.Severity.INFO]


def copy_model(model: Model) -> Model:
    return {
        key: copy_model(value) if isinstance(value, dict) else value for key, value in model.items()
    }


class Changes:
    """Seeded random changes, made to a transaction and to a model alike."""

    NAMES = (b"a", b"bb", b"c" * 40)

    def __init__(self, random: Random, *, page_size_bytes: int = 4096) -> None:
        self.random = random
        self.value_sizes = (0, 1, 20, 100, page_size_bytes // 3, page_size_bytes * 3)

    def apply(self, tx: bolt_store.Tx, model: Model, count: int) -> None:
        """Make `count` random changes."""
        for _ in range(count):
            bucket, inner = self._pick(tx, model)
            self._change(tx, model, bucket, inner)

    def _pick(self, tx: bolt_store.Tx, model: Model) -> tuple[bolt_store.Bucket, Model]:
        """Go down to a random bucket, making it where it is missing."""
        name = self.random.choice(self.NAMES)
        inner = model.get(name)
        bucket = tx.bucket(name) if inner is not None else tx.create_bucket(name)
        if not isinstance(inner, dict):
            inner = model[name] = {}
        while self.random.random() < 0.3:
            name = self.random.choice(self.NAMES)
            below = inner.get(name)
            if isinstance(below, bytes):
                break
            bucket = bucket.bucket(name) if below is not None else bucket.create_bucket(name)
            if below is None:
                below = inner[name] = {}
            inner = below
        return bucket, inner

    def _change(
        self, tx: bolt_store.Tx, model: Model, bucket: bolt_store.Bucket, inner: Model
    ) -> None:
        kind = self.random.random()
        plain = [key for key, value in inner.items() if isinstance(value, bytes)]
        nested = [key for key, value in inner.items() if isinstance(value, dict)]
        if kind < 0.55:
            key = b"k%05d" % self.random.randrange(400)
            value = self.random.randbytes(self.random.choice(self.value_sizes))
            bucket.put(key, value)
            inner[key] = value
        elif kind < 0.9:
            for key in self.random.sample(plain, min(len(plain), self.random.choice([1, 5, 100]))):
                assert bucket.delete(key)
                del inner[key]
        elif kind < 0.95 and nested:
            key = self.random.choice(nested)
            bucket.delete_bucket(key)
            del inner[key]
        elif kind < 0.97:
            bucket.next_sequence()
        elif len(model) > 1:
            name = self.random.choice(sorted(model))
            tx.delete_bucket(name)
            del model[name]
