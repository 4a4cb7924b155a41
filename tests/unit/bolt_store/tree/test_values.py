"""Where the values of a large change are, while it is not committed."""

import errno
import os
from pathlib import Path

import pytest

import bolt_store
from bolt_store.errors import TruncatedError
from bolt_store.file.block_file import BlockFile
from bolt_store.tree import values as module
from bolt_store.tree.values import StoredValue, Value, Values
from tests.support.memory_file import MemoryFile
from tests.support.model import problems

LARGE = 3000
COUNT = 400


class Full(MemoryFile):
    """A file beside which there is no more room, or nothing can be made."""

    def __init__(self, *, is_made: bool) -> None:
        super().__init__()
        self._is_made = is_made

    def scratch(self) -> BlockFile:
        if self._is_made:
            return self
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def write_at(self, _offset: int, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def content(number: int) -> bytes:
    return b"%06d" % number * (LARGE // 6)


def kept(values: Values, *, count: int) -> list[Value]:
    return [values.kept(content(number)) for number in range(count)]


@pytest.fixture
def _no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VALUES_KEPT_BYTES_MAX", 10 * LARGE)


@pytest.mark.usefixtures("_no_room")
def test_the_first_values_and_all_small_ones_stay_in_memory(tmp_path: Path) -> None:
    with bolt_store.create(tmp_path / "db") as db:
        values = Values(db.file)
        found = kept(values, count=15)
        assert [isinstance(one, bytes) for one in found] == [True] * 10 + [False] * 5
        assert values.kept(b"small") == b"small"
        assert [len(one) for one in found] == [LARGE] * 15
        read = [one.read() for one in found if isinstance(one, StoredValue)]
        assert read == [content(number) for number in range(10, 15)]
        assert [one.name for one in tmp_path.iterdir()] == ["db"]
        values.close()
        values.close()


@pytest.mark.usefixtures("_no_room")
@pytest.mark.parametrize("file", [MemoryFile(), Full(is_made=True), Full(is_made=False)])
def test_where_there_is_no_room_beside_the_store_values_stay_in_memory(file: BlockFile) -> None:
    assert kept(Values(file), count=15) == [content(number) for number in range(15)]


def test_a_value_that_is_not_there_any_more_is_an_error() -> None:
    with pytest.raises(TruncatedError):
        StoredValue(MemoryFile(b"short"), 2, 10).read()


@pytest.mark.usefixtures("_no_room")
def test_a_change_of_everything_is_what_it_would_be_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "db"
    with bolt_store.create(path) as db:
        with db.update() as tx:
            bucket = tx.create_bucket(b"records")
            for number in range(COUNT):
                bucket.put(b"%05d" % number, content(number))
            assert bucket.get(b"00399") == content(399)
            assert [value for _, value in bucket.items()] == [*map(content, range(COUNT))]
        places: list[BlockFile] = []

        class Noted(StoredValue):
            """Says in which file it is."""

            def __init__(self, file: BlockFile, offset: int, size_bytes: int) -> None:
                super().__init__(file, offset, size_bytes)
                places.append(file)

        monkeypatch.setattr(module, "StoredValue", Noted)
        before = path.read_bytes()
        with db.update() as tx:
            bucket = tx.bucket(b"records")
            for number in range(0, COUNT, 2):
                bucket.put(b"%05d" % number, content(number + 1000))
            for number in range(1, COUNT, 8):
                assert bucket.delete(b"%05d" % number)
            assert path.read_bytes() == before
            assert [one.name for one in tmp_path.iterdir()] == ["db"]
        in_store = sum(one is db.file for one in places)
        assert in_store > COUNT // 4  # neighbours that stay as they are
        assert len(places) - in_store > COUNT // 4
        assert problems(db) == []
        with db.view() as view:
            found = dict(view.bucket(b"records").items())
    assert found == {
        b"%05d" % number: content(number if number % 2 else number + 1000)
        for number in range(COUNT)
        if number % 8 != 1
    }
