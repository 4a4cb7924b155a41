"""Changes that are not written yet read as if they were, and are written as they were tried."""

import shutil
from contextlib import suppress
from pathlib import Path
from zlib import compress as zlib_compress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.errors import StoreDamagedError
from recovery.metastore.pending import PendingTx
from recovery.metastore.store import MetaStore
from recovery.metastore.table import Table
from tests.support.full_store import keys_of_file
from tests.support.stores import MadeStore, make_store

NAME = "secretsv1"
KEYS = st.sampled_from([b"a", b"ab", b"abc", b"b", b"ba", b"c"])
VALUES = st.none() | st.sampled_from([b"", b"1", b"2"])
CHANGES = st.lists(st.tuples(KEYS, VALUES), max_size=12)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    return make_store(tmp_path_factory.mktemp("store") / "influxd.bolt", level=21)


class Dropped(Exception):  # noqa: N818 # no error
    """Drops the transaction that it is raised in."""


def do(table: Table, changes: list[tuple[bytes, bytes | None]]) -> None:
    for key, value in changes:
        if value is None:
            table.delete(key)
        else:
            table.put(key, value)


@given(there=CHANGES, changes=CHANGES, prefix=st.sampled_from([b"", b"a", b"ab", b"z"]))
def test_a_trial_reads_as_the_store_will_after_it(
    made: MadeStore,
    there: list[tuple[bytes, bytes | None]],
    changes: list[tuple[bytes, bytes | None]],
    prefix: bytes,
) -> None:
    with suppress(Dropped), MetaStore.open(made.path, write=True) as store, store.update() as tx:
        do(tx.table(NAME), there)
        pending = PendingTx(tx)
        table = pending.table(NAME)
        do(table, changes)
        tried = list(table.items(prefix))
        keys = [key for key, _ in there + changes]
        seen = [(table.get(key), table.has(key), table.stored(key)) for key in keys]
        pending.apply(tx)
        real = tx.table(NAME)
        assert list(real.items(prefix)) == tried
        assert [(real.get(key), real.has(key), real.stored(key)) for key in keys] == seen
        raise Dropped
    assert not any(key[0] == NAME for key in keys_of_file(made.path))


def test_a_bucket_is_made_only_when_it_is_applied(made: MadeStore, tmp_path: Path) -> None:
    path = tmp_path / "copy.bolt"
    shutil.copyfile(made.path, path)
    with MetaStore.open(path, write=True) as store:
        with store.view() as tx:
            pending = PendingTx(tx)
            table = pending.create_table("new")
            table.put(b"k", b"v")
            assert pending.table("new").is_there
            assert not tx.table("new").is_there
        with store.update() as tx:
            pending.apply(tx)
    assert keys_of_file(path)["new", b"k"] == b"v"


def test_what_is_as_it_was_does_not_count_as_a_change(made: MadeStore) -> None:
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        pending = PendingTx(tx)
        users = pending.table("userindexv1")
        users.put(b"alice", made.alice.encode())
        users.delete(b"nobody")
        assert pending.change_count == 0
        users.put(b"alice", made.bob.encode())
        users.delete(b"bob")
        pending.create_table("new")
        assert pending.change_count == 3


def test_a_bucket_that_is_missing_cannot_be_written(made: MadeStore) -> None:
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        pending = PendingTx(tx)
        with pytest.raises(StoreDamagedError):
            pending.table("absent").put(b"k", b"v")
        with pytest.raises(StoreDamagedError):
            pending.table("absent").delete(b"k")
        with pytest.raises(StoreDamagedError):
            pending.create_table("usersv1")


def test_a_very_large_change_is_held_compressed_and_reads_as_it_is(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def compress(value: bytes, level: int, window_bits: int) -> bytes:
        packed = zlib_compress(value, level, window_bits)
        sizes.append(len(packed))
        return packed

    monkeypatch.setattr("zlib.compress", compress)
    monkeypatch.setattr("recovery.metastore.pending.PLAIN_BYTES_MAX", 1000)
    values = {b"%016x" % number: b"%d" % number * 900 for number in range(1, 6)}
    with suppress(Dropped), MetaStore.open(made.path, write=True) as store, store.update() as tx:
        pending = PendingTx(tx)
        table = pending.table(NAME)
        do(table, [*values.items(), (b"short", b"s")])
        assert len(sizes) == 3
        assert max(sizes) < 100
        assert pending.change_count == 6
        assert {key: table.stored(key) for key in values} == values
        assert dict(table.items(b"0000")).items() >= values.items()
        pending.apply(tx)
        assert {key: tx.table(NAME).stored(key) for key in values} == values
        pending.forget()
        assert pending.change_count == 0
        raise Dropped
