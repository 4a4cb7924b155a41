"""P1 to P3 and P5: random transactions against dictionaries in dictionaries.

A state machine puts, deletes, makes and drops buckets in one transaction after the other, commits,
rolls back and reopens the file, on pages of 1 to 16 KiB, with a stored freelist and without. After
each commit the strict check must be silent and the file must hold what the model holds.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import bolt_store
from bolt_store.db import new_pages
from bolt_store.errors import BucketExistsError, BucketNotFoundError, IncompatibleValueError
from bolt_store.tree import values
from tests.support.memory_file import MemoryFile
from tests.support.model import problems
from tests.support.surgery import NOT_STORED, Patient


@dataclass
class Box:
    """A bucket of the model."""

    items: dict[bytes, "bytes | Box"] = field(default_factory=dict)
    sequence: int = 0

    def copy(self) -> "Box":
        items = {
            key: value.copy() if isinstance(value, Box) else value
            for key, value in self.items.items()
        }
        return Box(items, self.sequence)

    def plain(self) -> list[tuple[bytes, bytes | None]]:
        """Return the items as a walk gives them."""
        return [
            (key, None if isinstance(value, Box) else value)
            for key, value in sorted(self.items.items(), key=lambda item: item[0])
        ]

    def boxes(self) -> list["Box"]:
        """Return this box and all boxes below it, in a fixed order."""
        found = [self]
        for box in found:
            found += [value for _, value in sorted_boxes(box)]
        return found


def sorted_boxes(box: Box) -> list[tuple[bytes, Box]]:
    items = sorted(box.items.items(), key=lambda item: item[0])
    return [(key, value) for key, value in items if isinstance(value, Box)]


def read(tx: bolt_store.Tx) -> Box:
    """Return everything that a transaction sees."""
    return Box({name: read_bucket(bucket) for name, bucket in tx.buckets()})


def read_bucket(bucket: bolt_store.Bucket) -> Box:
    box = Box(sequence=bucket.sequence)
    for key, value in bucket.items():
        box.items[key] = read_bucket(bucket.bucket(key)) if value is None else value
    return box


NAMES = st.sampled_from([b"a", b"b", b"n" * 70, b"\0", b"\xff\xff"])
KEYS = st.one_of(
    st.binary(min_size=1, max_size=2),
    st.builds(lambda number: b"key-%05d" % number, st.integers(0, 300)),
    st.builds(lambda size, byte: bytes([byte]) * size, st.integers(100, 900), st.integers(0, 255)),
)
SIZES = st.sampled_from([0, 0, 1, 10, 100, 300, 1100, 5000, 40_000])


def has_buckets(machine: "Engine") -> bool:
    return bool(sorted_boxes(machine.working))


class Engine(RuleBasedStateMachine):
    """One file, one transaction at a time."""

    @initialize(page_size=st.sampled_from([1024, 2048, 4096, 16384]))
    def make(self, page_size: int) -> None:
        self.page_size = page_size
        self.file = self.new_file(new_pages(page_size))
        self.db = bolt_store.open_file(self.file, write=True)
        self.committed = Box()
        self.begin()

    def new_file(self, content: bytes) -> MemoryFile:
        return MemoryFile(content)

    def begin(self) -> None:
        self.before = self.file.content()
        self.tx = self.db.update()
        self.working = self.committed.copy()

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.db.close()

    # -- inside a transaction --------------------------------------------------------------------

    def pick(self, data: st.DataObject, *, below_root: bool) -> tuple[Box, list[bytes]]:
        """Choose a bucket of the model; return it with the names that lead to it."""
        box: Box = self.working
        path: list[bytes] = []
        flags = st.booleans()
        while inner := sorted_boxes(box):
            if (path or not below_root) and data.draw(flags, label="stop here"):
                break
            name, box = data.draw(st.sampled_from(inner), label="bucket")
            path.append(name)
        return box, path

    def bucket(self, path: list[bytes]) -> bolt_store.Bucket:
        bucket = self.tx.bucket(path[0])
        for name in path[1:]:
            bucket = bucket.bucket(name)
        return bucket

    @rule(data=st.data(), name=NAMES)
    def create_bucket(self, data: st.DataObject, name: bytes) -> None:
        box, path = self.pick(data, below_root=False)
        parent = self.bucket(path) if path else self.tx
        present = box.items.get(name)
        try:
            parent.create_bucket(name)
        except BucketExistsError:
            assert isinstance(present, Box)
        except IncompatibleValueError:
            assert isinstance(present, bytes)
        else:
            assert present is None
            box.items[name] = Box()

    @rule(data=st.data(), name=NAMES)
    def delete_bucket(self, data: st.DataObject, name: bytes) -> None:
        box, path = self.pick(data, below_root=False)
        parent = self.bucket(path) if path else self.tx
        present = box.items.get(name)
        try:
            parent.delete_bucket(name)
        except BucketNotFoundError:
            assert present is None
        except IncompatibleValueError:
            assert isinstance(present, bytes)
        else:
            assert isinstance(present, Box)
            del box.items[name]

    @precondition(has_buckets)
    @rule(data=st.data(), key=KEYS | NAMES, size=SIZES, byte=st.integers(0, 255))
    def put(self, data: st.DataObject, key: bytes, size: int, byte: int) -> None:
        box, path = self.pick(data, below_root=True)
        value = bytes([byte]) * size
        try:
            self.bucket(path).put(key, value)
        except IncompatibleValueError:
            assert isinstance(box.items.get(key), Box)
        else:
            box.items[key] = value

    @precondition(has_buckets)
    @rule(data=st.data(), start=st.integers(0, 300), count=st.integers(1, 150), size=SIZES)
    def put_many(self, data: st.DataObject, start: int, count: int, size: int) -> None:
        box, path = self.pick(data, below_root=True)
        bucket = self.bucket(path)
        for number in range(start, start + count):
            key, value = b"key-%05d" % (number * 7 % 301), b"v" * (size % 2000)
            bucket.put(key, value)
            box.items[key] = value

    @precondition(has_buckets)
    @rule(data=st.data(), key=KEYS)
    def delete(self, data: st.DataObject, key: bytes) -> None:
        box, path = self.pick(data, below_root=True)
        present = box.items.get(key)
        try:
            was_there = self.bucket(path).delete(key)
        except IncompatibleValueError:
            assert isinstance(present, Box)
        else:
            assert was_there is (present is not None)
            box.items.pop(key, None)

    @precondition(has_buckets)
    @rule(data=st.data(), keep=st.integers(0, 20), step=st.sampled_from([1, 1, 2, 3, 7]))
    def p5_delete_most(self, data: st.DataObject, keep: int, step: int) -> None:
        box, path = self.pick(data, below_root=True)
        bucket = self.bucket(path)
        plain = [key for key, value in box.plain() if value is not None]
        for key in plain[keep::step]:
            assert bucket.delete(key)
            del box.items[key]

    @precondition(has_buckets)
    @rule(data=st.data(), sequence=st.integers(0, (1 << 64) - 1))
    def set_sequence(self, data: st.DataObject, sequence: int) -> None:
        box, path = self.pick(data, below_root=True)
        self.bucket(path).set_sequence(sequence)
        box.sequence = sequence

    @precondition(has_buckets)
    @rule(data=st.data(), key=KEYS, count=st.integers(0, 5))
    def p1_look(self, data: st.DataObject, key: bytes, count: int) -> None:
        """Compare get, seek, next, prev, first, last and ranges with the model."""
        box, path = self.pick(data, below_root=True)
        bucket = self.bucket(path)
        items = box.plain()
        keys = [each for each, _ in items]
        index = bisect_left(keys, key)
        present = box.items.get(key)
        assert bucket.get(key) == (None if isinstance(present, Box) else present)
        cursor = bucket.cursor()
        assert cursor.seek(key) == at(items, index)
        if index < len(items):
            for step in range(1, count + 1):
                assert cursor.next() == at(items, index + step)
        assert bucket.cursor().first() == at(items, 0)
        assert bucket.cursor().last() == (items[-1] if items else None)
        back = bucket.cursor()
        back.seek(key)
        for step in range(1, count + 1):
            assert back.prev() == at(items, index - step)
        assert list(bucket.items(start=key)) == items[index:]
        assert list(bucket.items(stop=key)) == items[:index]
        prefix = key[:1]
        assert list(bucket.items(prefix=prefix)) == [
            item for item in items if item[0].startswith(prefix)
        ]

    # -- the end of a transaction ----------------------------------------------------------------

    @rule()
    def p2_commit(self) -> None:
        self.tx.commit()
        self.committed = self.working
        assert problems(self.db) == []
        self.require_content()
        self.begin()

    @rule()
    def p3_roll_back(self) -> None:
        self.tx.rollback()
        assert self.file.content() == self.before
        self.require_content()
        self.begin()

    @rule()
    def reopen(self) -> None:
        self.db.close()
        assert self.file.content() == self.before
        self.file = self.new_file(self.before)
        self.db = bolt_store.open_file(self.file, write=True)
        self.require_content()
        self.begin()

    @rule()
    def lose_the_freelist(self) -> None:
        """Go on with the file as a program would leave it that stores no freelist."""
        self.db.close()
        patient = Patient(self.before, page_size_bytes=self.page_size)
        patient.set_meta(patient.newest, freelist=NOT_STORED)
        self.file = self.new_file(bytes(patient.content))
        self.db = bolt_store.open_file(self.file, write=True)
        assert problems(self.db) == []
        self.require_content()
        self.begin()

    def require_content(self) -> None:
        with self.db.view() as tx:
            assert read(tx) == self.committed

    @invariant()
    def nothing_is_written_before_the_commit(self) -> None:
        if hasattr(self, "before"):
            assert self.file.content() == self.before


def at(items: list[tuple[bytes, bytes | None]], index: int) -> tuple[bytes, bytes | None] | None:
    return items[index] if 0 <= index < len(items) else None


class Roomy(MemoryFile):
    """A file beside which values can be put that no transaction keeps in memory."""

    def scratch(self) -> MemoryFile:
        return MemoryFile()


class EngineWithoutMemory(Engine):
    """The same where every value but the smallest stays in a file until it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(values, "VALUES_KEPT_BYTES_MAX", 0)
        self._patch.setattr(values, "VALUE_MOVED_BYTES_MIN", 10)

    def new_file(self, content: bytes) -> MemoryFile:
        return Roomy(content)

    def teardown(self) -> None:
        super().teardown()
        self._patch.undo()


TestEngine = Engine.TestCase
TestEngineWithoutMemory = EngineWithoutMemory.TestCase
