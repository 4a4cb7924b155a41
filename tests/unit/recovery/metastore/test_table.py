"""Tables: points, walks, and what is left of a walk that meets damage."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import bolt_store
from recovery.errors import RefusedError, StoreDamagedError
from recovery.metastore.store import MetaStore
from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.user import decode_user
from tests.support.stores import edit, make_store

ONE = b"0000000000000001"
TWO = b"0000000000000002"


@contextmanager
def reading(path: Path) -> Iterator[MetaTx]:
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        yield tx


def test_an_empty_value_is_an_absent_one_that_still_takes_its_key(level21_bolt: Path) -> None:
    edit(level21_bolt, lambda tx: tx.table("usersv1").put(ONE, b""))
    with reading(level21_bolt) as tx:
        table = tx.table("usersv1")
        assert table.get(ONE) is None
        assert table.has(ONE)
        assert not table.has(TWO)
        assert (ONE, b"") in list(table.items())


def test_an_empty_key_is_never_there(level21_bolt: Path) -> None:
    with reading(level21_bolt) as tx:
        assert tx.table("usersv1").get(b"") is None
        assert not tx.table("usersv1").has(b"")


def test_a_missing_bucket_reads_as_empty_and_refuses_to_be_written(level21_bolt: Path) -> None:
    with MetaStore.open(level21_bolt, write=True) as store, store.update() as tx:
        table = tx.table("sessionsv1")
        assert not table.is_there
        assert table.is_empty
        assert table.get(ONE) is None
        assert not table.has(ONE)
        with pytest.raises(StoreDamagedError, match="lacks the bucket sessionsv1"):
            table.put(ONE, b"x")
        with pytest.raises(StoreDamagedError, match="lacks the bucket sessionsv1"):
            table.delete(ONE)


def test_a_walk_can_be_bound_to_a_prefix(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    with reading(made.path) as tx:
        names = [key[16:] for key, _ in tx.table("bucketindexv1").items(made.org.encode())]
    assert sorted(names) == [b"_monitoring", b"_tasks", b"sensors"]


def test_a_bucket_inside_of_a_bucket_is_an_empty_record_that_can_be_removed(
    level21_bolt: Path,
) -> None:
    with bolt_store.open(level21_bolt, write=True) as db, db.update() as tx:
        tx.bucket(b"usersv1").create_bucket(ONE).put(b"key", b"value")
    with reading(level21_bolt) as records:
        users = records.table("usersv1")
        assert dict(users.items())[ONE] == users.stored(ONE) == b""
        assert users.get(ONE) is None
    edit(level21_bolt, lambda tx: tx.table("usersv1").delete(ONE))
    with reading(level21_bolt) as records:
        assert not records.table("usersv1").has(ONE)
    with bolt_store.open(level21_bolt) as db:
        assert not [one for one in db.check() if one.severity >= bolt_store.Severity.WARNING]


def test_undecodable_records_are_named_and_the_rest_is_listed(level21_bolt: Path) -> None:
    def spoil(tx: MetaTx) -> None:
        tx.table("usersv1").put(ONE, b'{"id":')
        tx.table("usersv1").put(TWO, b'{"id":"0000000000000003","name":"x","status":"active"}')
        tx.table("usersv1").put(b"secret-looking key", b"[]")

    edit(level21_bolt, spoil)
    problems = list[RecordProblem]()
    with reading(level21_bolt) as tx:
        names = [user.name for user in tx.table("usersv1").records(decode_user, problems)]
    assert names == ["x", "testuser"]
    assert [(one.bucket, one.id) for one in problems] == [
        ("usersv1", "0000000000000001"),
        ("usersv1", "0000000000000002"),
        ("usersv1", None),
    ]
    assert problems[1].problem == "its key is not its ID"
    assert "secret" not in repr(problems)


def test_a_name_too_long_for_a_key_is_refused_in_words(level21_bolt: Path) -> None:
    def insert(tx: MetaTx) -> None:
        with pytest.raises(RefusedError, match="bolt cannot store that"):
            tx.table("userindexv1").put(b"x" * 32769, ONE)

    edit(level21_bolt, insert)


@pytest.mark.damages
def test_damage_met_on_a_walk_is_an_error_of_the_store(tmp_path: Path) -> None:
    """What was listed before the damage stays listed; the error says which page it is."""
    path = tmp_path / "influxd.bolt"
    make_store(path, level=21)

    def fill(tx: MetaTx) -> None:
        for number in range(1, 2000):
            tx.table("userindexv1").put(b"user-%06d" % number, ONE)

    edit(path, fill)
    content = bytearray(path.read_bytes())
    place = content.rindex(b"user-001500") & ~4095
    content[place + 8 : place + 10] = b"\xff\xff"
    path.write_bytes(content)
    met = list[bytes]()
    with (
        reading(path) as tx,
        pytest.raises(StoreDamagedError, match=f"is damaged: .*page {place // 4096}: "),
    ):
        met.extend(key for key, _ in tx.table("userindexv1").items())
    assert 0 < len(met) < 1500
