"""What is proposed in the place of a path at which there is no store."""

import os
from pathlib import Path

import pytest

import bolt_store
from recovery.discovery.neighbours import looks_like_a_store, stores_near
from tests.support.fake_system import STORE

FOREIGN = STORE.replace(b"organizationsv1", b"OrganizationsV1")


def near(path: Path, *, is_folder: bool = False) -> list[str]:
    return [found.name for found in stores_near(path, is_folder=is_folder)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one store, and with all that is none."""
    (tmp_path / "influxd.bolt").write_bytes(STORE)
    (tmp_path / "empty.bolt").write_bytes(b"")
    (tmp_path / "junk.bolt").write_bytes(b"junk" * 4096)
    (tmp_path / "chronograf-v1.db").write_bytes(FOREIGN)
    (tmp_path / "influxd.sqlite").write_bytes(b"SQLite format 3\0" * 300)
    (tmp_path / "folder.bolt").mkdir()
    os.mkfifo(tmp_path / "pipe.bolt")
    (tmp_path / "gone.bolt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.bolt").symlink_to("round.bolt")
    return tmp_path


@pytest.mark.parametrize(
    "typed", ["influxdb.bolt", "infuxd.bolt", "INFLUXD.BOLT", "empty.bolt2", "x", "influxd.bolt.gz"]
)
def test_only_what_looks_like_a_store_is_proposed(folder: Path, typed: str) -> None:
    assert near(folder / typed) == ["influxd.bolt"]
    assert near(folder, is_folder=True) == ["influxd.bolt"]


def test_the_name_that_is_most_like_the_typed_one_comes_first(folder: Path) -> None:
    for name in ("aaa.bolt", "metrics.bolt", "influxd.bolt.20260101T000000Z.auth-delete.backup"):
        (folder / name).write_bytes(STORE)
    assert near(folder / "metric.bolt") == ["metrics.bolt", "influxd.bolt", "aaa.bolt"]
    assert near(folder / "influxd.bol")[0] == "influxd.bolt"


def test_a_store_of_any_name_is_proposed(folder: Path) -> None:
    (folder / "influxd.bolt").rename(folder / "copy-of-friday")
    assert near(folder / "influxd.bolt") == ["copy-of-friday"]


def test_a_folder_that_is_written_wrongly_is_put_right(folder: Path) -> None:
    store = folder / "var" / "lib" / "influxdb2" / "influxd.bolt"
    store.parent.mkdir(parents=True)
    store.write_bytes(STORE)
    for typed in ("var/lib/influxdb/influxd.bolt", "vr/lib/influxdb2/influxd.bolt"):
        assert stores_near(folder / typed, is_folder=False) == (store,)
    assert stores_near(folder / "etc" / "lib" / "influxd.bolt", is_folder=False) == ()


def test_a_store_one_folder_further_down_is_proposed(folder: Path) -> None:
    (folder / "influxd.bolt").unlink()
    store = folder / ".influxdbv2" / "influxd.bolt"
    store.parent.mkdir()
    store.write_bytes(STORE)
    assert stores_near(folder, is_folder=True) == (store,)


def test_a_backup_of_the_server_is_proposed(tmp_path: Path) -> None:
    backup = tmp_path / "20240816T000000Z.bolt.gz"
    backup.write_bytes(b"\x1f\x8b")
    assert stores_near(tmp_path / "influxd.bolt", is_folder=False) == (backup,)


def test_a_store_with_a_torn_first_meta_or_too_long_to_read_through_counts(tmp_path: Path) -> None:
    torn, long = tmp_path / "torn", tmp_path / "long"
    torn.write_bytes(bytes(4096) + STORE)
    long.write_bytes(STORE[:4096])
    os.truncate(long, 2 << 20)
    assert looks_like_a_store(torn)
    assert looks_like_a_store(long)


def test_a_store_that_opens_comes_before_a_damaged_one_that_is_named_more_alike(
    tmp_path: Path, level21_bolt: Path
) -> None:
    whole = level21_bolt.read_bytes()
    (tmp_path / "influxd.bolt").write_bytes(b"")
    (tmp_path / "influxd.bolt.1").write_bytes(whole[: len(whole.rstrip(b"\0")) - 4096])
    (tmp_path / "influxd.bolt.2").write_bytes(
        whole[:16] + bytes(64) + whole[80:4096] + bytes(4096) + whole[8192:]
    )
    level21_bolt.rename(tmp_path / "of-friday")
    assert near(tmp_path / "influxd.bolt")[0] == "of-friday"


def test_a_file_of_another_program_is_not_proposed_however_long_it_is(tmp_path: Path) -> None:
    foreign = tmp_path / "influxd.bolt.old"
    with bolt_store.create(foreign) as db, db.update() as tx:
        tx.create_bucket(b"Dashboards").put(b"x", bytes(3 << 20))
    assert foreign.stat().st_size > 2 << 20
    assert near(tmp_path / "influxd.bolt") == []


def test_nothing_is_proposed_where_nothing_may_be_looked_at(tmp_path: Path) -> None:
    assert stores_near(tmp_path / "a" / "b" / "c", is_folder=False) == ()
    assert stores_near(tmp_path, is_folder=True) == ()


def test_a_file_without_a_size_is_not_read() -> None:
    """Some of those of the kernel give nothing for a long time, or something for ever."""
    assert not looks_like_a_store(Path("/proc/kmsg"))
    assert stores_near(Path("/proc/influxd.bolt"), is_folder=False) == ()
