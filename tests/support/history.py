"""Files with a past: every image and every state that they were in, to be damaged by tests."""

import struct
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import NamedTuple

import bolt_store
from bolt_store.codec.meta import encode_meta
from bolt_store.db import new_pages
from tests.support.memory_file import MemoryFile
from tests.support.model import Model

NAMES = tuple(b"bucket%02d" % number for number in range(10))
BUSY_COUNT = 4
"""The first buckets grow to trees; the others stay empty, as most of influxd's do."""

Keys = dict[tuple[bytes, bytes], bytes]


@dataclass(frozen=True)
class History:
    """A file as it was after each of its transactions.

    Attributes:
        page_size_bytes: Its page size.
        images: Its bytes after each transaction.
        states: Its content after each transaction.
    """

    page_size_bytes: int
    images: tuple[bytes, ...]
    states: tuple[Model, ...]

    @property
    def newest(self) -> bytes:
        return self.images[-1]

    def damaged(self) -> "Damage":
        """Return the newest image, to be written over."""
        return Damage(self.newest, self.page_size_bytes)


class Tree(NamedTuple):
    """Pages of one snapshot by what they are.

    Attributes:
        leaves: Leaves below a branch.
        branches: Branches.
        shared: All pages that the other snapshot has, too.
    """

    leaves: tuple[int, ...]
    branches: tuple[int, ...]
    shared: frozenset[int]


class Damage:
    """An image that is being damaged."""

    def __init__(self, content: bytes, page_size_bytes: int) -> None:
        self.content = bytearray(content)
        self.page_size_bytes = page_size_bytes
        with bolt_store.open_file(MemoryFile(content), write=False) as db:
            self.meta = db.meta
            self.slot = db.pager.active.slot
            older = db.pager.older.meta
        assert older is not None
        self.older = older

    def page(self, pgid: int) -> bytes:
        start = pgid * self.page_size_bytes
        return bytes(self.content[start : start + self.page_size_bytes])

    def put(self, pgid: int, data: bytes, *, at: int = 0) -> "Damage":
        """Write over a part of a page."""
        start = pgid * self.page_size_bytes + at
        self.content[start : start + len(data)] = data
        return self

    def wipe(self, *pgids: int) -> "Damage":
        for pgid in pgids:
            self.put(pgid, bytes(self.page_size_bytes))
        return self

    def wipe_metas(self) -> "Damage":
        return self.wipe(0, 1)

    def sign(self, slot: int, meta: bolt_store.Meta) -> "Damage":
        """Write a meta whose checksum is right, whatever it says."""
        return self.put(slot, encode_meta(meta, slot=slot))

    def set_child(self, pgid: int, index: int, child: int) -> "Damage":
        """Change the child page of one element of a branch."""
        return self.put(pgid, struct.pack("<Q", child), at=16 + 16 * index + 8)

    def children(self, pgid: int) -> list[int]:
        page = self.page(pgid)
        count = int.from_bytes(page[10:12], "little")
        return [child for _, _, child in struct.iter_unpack("<IIQ", page[16 : 16 + 16 * count])]

    @property
    def file(self) -> MemoryFile:
        return MemoryFile(bytes(self.content))


def tree_of(image: bytes) -> Tree:
    """Sort the pages of the newest snapshot."""
    with bolt_store.open_file(MemoryFile(image), write=False) as db:
        infos = [info for info in bolt_store.page_infos(db) if info.state == "used"]
        below: set[int] = set()
        for info in infos:
            if info.kind == "branch":
                elements = bolt_store.describe_page(db, info.pgid).elements
                below.update(element.child_pgid or 0 for element in elements)
        older = db.pager.older.meta
        assert older is not None
        check = bolt_store.Check(db.pager, db.pager.snapshot(older))
        list(check.run())
    return Tree(
        leaves=tuple(info.pgid for info in infos if info.kind == "leaf" and info.pgid in below),
        branches=tuple(info.pgid for info in infos if info.kind == "branch"),
        shared=frozenset(pgid for pgid, state in enumerate(check.pages) if state & 1),
    )


@cache
def history(seed: int, *, page_size_bytes: int = 4096, commit_count: int = 40) -> History:
    """Make a file by random transactions of a few puts and deletes each."""
    random = Random(seed)
    file = MemoryFile(new_pages(page_size_bytes))
    model: dict[bytes, dict[bytes, bytes]] = {name: {} for name in NAMES}
    images: list[bytes] = []
    states: list[Model] = []
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            for name in NAMES:
                tx.create_bucket(name)
        for _ in range(commit_count):
            with db.update() as tx:
                for _ in range(random.choice([1, 2, 8])):
                    _change(tx, model, random)
            images.append(file.content())
            states.append({name: dict(inner) for name, inner in model.items()})
    return History(page_size_bytes, tuple(images), tuple(states))


def _change(tx: bolt_store.Tx, model: dict[bytes, dict[bytes, bytes]], random: Random) -> None:
    name = random.choice(NAMES[:BUSY_COUNT])
    bucket, inner = tx.bucket(name), model[name]
    for _ in range(random.choice([1, 3, 30])):
        if inner and random.random() < 0.3:
            key = random.choice(sorted(inner))
            bucket.delete(key)
            del inner[key]
        else:
            # The name in front makes the keys of the buckets disjoint, as influxd's are by shape.
            key = name + b"%08x" % random.randrange(1 << 32)
            inner[key] = random.randbytes(random.choice([10, 60, 200]))
            bucket.put(key, inner[key])


def flat(model: Model) -> Keys:
    """Return all keys of the top-level buckets in one dictionary."""
    return {
        (name, key): value
        for name, inner in model.items()
        if isinstance(inner, dict)
        for key, value in inner.items()
        if isinstance(value, bytes)
    }
