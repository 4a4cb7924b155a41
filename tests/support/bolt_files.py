"""Small bolt files with everything in them, made by `bolt_store` and checked before use."""

from collections.abc import Iterator
from contextlib import contextmanager

import bolt_store
from bolt_store.db import new_pages
from tests.support.memory_file import MemoryFile
from tests.support.model import Model, dump_file, problems
from tests.support.surgery import Patient

SAMPLE_KEY_COUNT = 400


@contextmanager
def memory_db(page_size_bytes: int = 1024) -> Iterator[tuple[bolt_store.DB, MemoryFile]]:
    """Give a new, empty file in memory, open for writing; whatever was done, it must be sound."""
    file = MemoryFile(new_pages(page_size_bytes))
    with bolt_store.open_file(file, write=True) as db:
        yield db, file
        assert problems(db) == []


def reopened(file: MemoryFile) -> Model:
    """Return what a file holds for somebody who opens it anew."""
    with bolt_store.open_file(MemoryFile(file.content()), write=False) as db:
        assert problems(db) == []
        return dump_file(db)


def key(number: int) -> bytes:
    """Return key number `number` of the bucket "tree": 20 bytes."""
    return b"key-%016d" % number


def value(number: int) -> bytes:
    """Return its value: 50 bytes, no two alike."""
    return b"value-%044d" % number


def sample(page_size_bytes: int = 1024) -> Patient:
    """Return a file with a deep tree, overflow, inline and nested buckets, and free pages.

    Both snapshots have trees of their own. "tree" has three levels of pages at 1 KiB each,
    "nest" buckets in a bucket, "small" no page of its own, "wide" a run of several pages.
    """
    file = MemoryFile(new_pages(page_size_bytes))
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            tree = tx.create_bucket(b"tree")
            for number in range(SAMPLE_KEY_COUNT * page_size_bytes // 1024):
                tree.put(key(number), value(number))
            wide = tx.create_bucket(b"wide")
            for number in range(3):
                wide.put(b"wide-%d" % number, b"w" * (2 * page_size_bytes))
            inline = tx.create_bucket(b"small")
            inline.put(b"one", b"1")
            inline.put(b"two", b"2")
            inline.set_sequence(77)
            gone = tx.create_bucket(b"gone")
            for number in range(100):
                gone.put(key(number), value(number))
            nest = tx.create_bucket(b"nest")
            below = nest.create_bucket(b"below")
            below.put(b"plain", b"value")
            for number in range(20):
                below.create_bucket(b"lower-%02d" % number).put(b"k", b"v")
        with db.update() as tx:
            tx.delete_bucket(b"gone")
        with db.update() as tx:
            tx.bucket(b"tree").put(key(0), value(1))
        assert problems(db) == []
    return Patient(file.content(), page_size_bytes=page_size_bytes)
