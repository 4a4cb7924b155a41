"""Stores that are packed: read from a file that is nowhere to be found."""

import gzip
import stat
import tempfile
from pathlib import Path

import pytest

from recovery.errors import StoreDamagedError, StoreNotFoundError, WriteFailedError
from recovery.metastore import unpacking
from recovery.metastore.packed import open_readable, plain_file
from tests.support.hints import hint_of
from tests.support.stores import MadeStore


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that nothing else uses."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def pack(made: MadeStore) -> Path:
    path = made.path.with_name("20260102T030405Z.bolt.gz")
    path.write_bytes(gzip.compress(made.path.read_bytes()))
    return path


def test_a_packed_store_reads_as_the_store_itself(made: MadeStore) -> None:
    with (
        open_readable(made.path) as plain,
        open_readable(pack(made)) as unpacked,
        plain.view() as left,
        unpacked.view() as right,
    ):
        assert list(left.users.walk([])) == list(right.users.walk([]))
        assert (plain.level, plain.txid) == (unpacked.level, unpacked.txid)


def test_a_packed_store_keeps_the_name_that_it_was_given(made: MadeStore) -> None:
    path = pack(made)
    with open_readable(path) as store:
        assert (store.file.path, store.file.real_path) == (path, path)
        assert store.file.size_bytes == made.path.stat().st_size


def test_what_is_unpacked_has_no_name_while_it_is_read(made: MadeStore, temporary: Path) -> None:
    with open_readable(pack(made)) as store, store.view() as tx:
        assert list(temporary.iterdir()) == []
        assert [user.name for user in tx.users.walk([])] == ["alice", "bob"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (gzip.compress(b"something else" * 1000), "something else than a store"),
        (gzip.compress(b""), "nothing in it"),
        (b"\x1f\x8b\x08\x00\x00\x00", "cut short or damaged"),
        (b"\x1f\x8b" + b"\xff" * 100, "cut short or damaged"),
    ],
    ids=["other", "empty", "cut", "noise"],
)
def test_what_is_no_packed_store_is_refused_and_leaves_nothing(
    tmp_path: Path, temporary: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "x.bolt.gz"
    path.write_bytes(content)
    with pytest.raises(StoreDamagedError, match=problem):
        open_readable(path)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("kept_bytes", [100, -1, -9])
def test_a_packed_store_that_was_cut_short_is_refused(
    made: MadeStore, temporary: Path, kept_bytes: int
) -> None:
    path = pack(made)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(StoreDamagedError, match="cut short or damaged"):
        open_readable(path)
    assert list(temporary.iterdir()) == []


def test_no_more_is_unpacked_than_the_limit(
    made: MadeStore, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "UNPACKED_BYTES_MAX", 4096)
    with pytest.raises(StoreDamagedError, match="unpacks to more than 4,096 bytes"):
        open_readable(pack(made))
    assert list(temporary.iterdir()) == []


def test_a_missing_file_is_refused_as_ever(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        open_readable(tmp_path / "nowhere.bolt.gz")


def test_without_room_to_unpack_it_says_where_that_would_be(
    made: MadeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(WriteFailedError, match="nowhere") as caught:
        open_readable(pack(made))
    assert "TMPDIR" in hint_of(caught.value)


def test_a_plain_file_of_a_packed_store_is_gone_afterwards(
    made: MadeStore, temporary: Path
) -> None:
    with plain_file(pack(made)) as plain:
        assert plain.parent.parent == temporary
        assert stat.S_IMODE(plain.parent.stat().st_mode) == 0o700
        assert plain.read_bytes() == made.path.read_bytes()
    assert list(temporary.iterdir()) == []
    with plain_file(made.path) as plain:
        assert plain == made.path
