"""Backups that somebody asks for: of stores at rest, of stores in use, compressed or not."""

import contextlib
import errno
import gzip
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

import bolt_store
from recovery.errors import (
    ConflictError,
    RefusedError,
    StoreAccessError,
    StoreDamagedError,
    StoreNotFoundError,
    WriteFailedError,
)
from recovery.services.stores.backup import BackupReport, back_up
from tests.support.locks import locked
from tests.support.model import Model, dump_file
from tests.support.stores import MadeStore, make_store

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    """A store of level 21, in a folder of its own."""
    folder = tmp_path / "store"
    folder.mkdir()
    return make_store(folder / "influxd.bolt", level=21)


def backup(
    path: Path, destination: Path | None = None, *, is_compressed: bool = False
) -> BackupReport:
    return back_up(path, destination, is_compressed=is_compressed, moment=MOMENT)


def content(path: Path) -> Model:
    with bolt_store.open(path) as db:
        return dump_file(db)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_is_the_store_byte_for_byte(made: MadeStore) -> None:
    report = backup(made.path)
    assert made.path.read_bytes() == report.path.read_bytes()
    assert (report.level, report.is_live, report.is_compressed) == (21, False, False)
    assert report.size_bytes == report.store_size_bytes == made.path.stat().st_size


def test_a_backup_has_the_time_in_its_name_and_is_private(made: MadeStore) -> None:
    made.path.chmod(0o644)
    path = backup(made.path).path
    assert path == made.path.with_name("influxd.bolt.20260102T030405Z.store-backup.backup")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_backup_of_one_second_gets_a_name_of_its_own(made: MadeStore) -> None:
    assert backup(made.path).path != backup(made.path).path


def test_a_backup_goes_into_a_folder(made: MadeStore, tmp_path: Path) -> None:
    path = backup(made.path, tmp_path).path
    assert (path.parent, path.name.startswith("influxd.bolt.2026")) == (tmp_path, True)


def test_a_backup_goes_to_the_file_that_is_named(made: MadeStore, tmp_path: Path) -> None:
    assert backup(made.path, tmp_path / "copy").path == tmp_path / "copy"


def test_a_compressed_backup_is_named_as_influx_backup_names_it(
    made: MadeStore, tmp_path: Path
) -> None:
    report = backup(made.path, tmp_path, is_compressed=True)
    assert report.path == tmp_path / "20260102T030405Z.bolt.gz"
    assert gzip.decompress(report.path.read_bytes()) == made.path.read_bytes()
    assert stat.S_IMODE(report.path.stat().st_mode) == 0o600
    assert (report.size_bytes, report.is_compressed) == (report.path.stat().st_size, True)


def test_a_compressed_backup_leaves_nothing_else_behind(made: MadeStore) -> None:
    backup(made.path, is_compressed=True)
    assert names(made.path.parent) == ["20260102T030405Z.bolt.gz", "influxd.bolt"]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_store_in_use_is_copied_without_its_lock(
    made: MadeStore, tmp_path: Path, *, is_compressed: bool
) -> None:
    with locked(made.path, exclusive=True):
        report = backup(made.path, tmp_path / "copy", is_compressed=is_compressed)
    if is_compressed:
        unpacked = tmp_path / "unpacked"
        unpacked.write_bytes(gzip.decompress(report.path.read_bytes()))
        assert content(unpacked) == content(made.path)
    else:
        assert content(report.path) == content(made.path)
    assert (report.is_live, report.level) == (True, 21)


def test_a_copy_of_a_store_in_use_is_private(made: MadeStore, tmp_path: Path) -> None:
    made.path.chmod(0o644)
    with locked(made.path, exclusive=True):
        path = backup(made.path, tmp_path / "copy").path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_store_of_an_unknown_level_can_be_backed_up(made: MadeStore, tmp_path: Path) -> None:
    with bolt_store.open(made.path, write=True) as db, db.update() as tx:
        tx.bucket(b"migrationsv1").put(
            b"0000000000000016",
            b'{"id":"0000000000000016","name":"of the future",'
            b'"started_at":"2027-01-01T00:00:00Z","finished_at":"2027-01-01T00:00:00Z"}',
        )
    report = backup(made.path, tmp_path / "copy")
    assert (report.level, report.is_live) == (None, False)
    assert content(report.path) == content(made.path)


@pytest.mark.parametrize("is_compressed", [False, True])
def test_nothing_is_replaced(made: MadeStore, tmp_path: Path, *, is_compressed: bool) -> None:
    there = tmp_path / "copy"
    there.write_text("precious")
    with pytest.raises(ConflictError, match="copy"):
        backup(made.path, there, is_compressed=is_compressed)
    assert there.read_text() == "precious"


def test_a_live_copy_replaces_nothing(made: MadeStore, tmp_path: Path) -> None:
    (tmp_path / "copy").symlink_to(tmp_path / "nowhere")
    with locked(made.path, exclusive=True), pytest.raises(ConflictError):
        backup(made.path, tmp_path / "copy")
    assert names(tmp_path) == ["copy", "store"]


def test_a_name_that_influxd_deletes_is_refused(made: MadeStore, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="influxd deletes"):
        backup(made.path, tmp_path / "influxd.bolt.tmp", is_compressed=True)


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_folder_that_is_not_there_is_refused(
    made: MadeStore, tmp_path: Path, *, is_compressed: bool
) -> None:
    with pytest.raises(StoreAccessError):
        backup(made.path, tmp_path / "nowhere" / "copy", is_compressed=is_compressed)


def test_a_missing_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        backup(tmp_path / "influxd.bolt")
    assert names(tmp_path) == []


def test_a_damaged_store_is_refused_and_nothing_is_left(made: MadeStore, tmp_path: Path) -> None:
    data = bytearray(made.path.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    made.path.write_bytes(data)
    with pytest.raises(StoreDamagedError):
        backup(made.path, tmp_path / "copy", is_compressed=True)
    assert names(tmp_path) == ["store"]


def test_a_backup_leaves_the_store_alone(made: MadeStore) -> None:
    before = made.path.read_bytes(), made.path.stat().st_mtime_ns
    backup(made.path, is_compressed=True)
    assert (made.path.read_bytes(), made.path.stat().st_mtime_ns) == before


def test_a_full_disk_leaves_nothing_of_a_compressed_backup(
    made: MadeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_file: gzip.GzipFile, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gzip.GzipFile, "write", fail)
    with pytest.raises(WriteFailedError, match="No space left") as caught:
        backup(made.path, tmp_path, is_compressed=True)
    assert caught.value.outcome == "unchanged"
    assert names(tmp_path) == ["store"]


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("is_locked", [False, True])
def test_ctrl_c_at_any_point_leaves_nothing_of_a_backup(
    made: MadeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_compressed: bool,  # noqa: FBT001 # a column of the table
    is_locked: bool,  # noqa: FBT001 # a column of the table
) -> None:
    def interrupt(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("recovery.new_file._make_durable", interrupt)
    with (
        locked(made.path, exclusive=True) if is_locked else contextlib.nullcontext(),
        pytest.raises(KeyboardInterrupt),
    ):
        backup(made.path, tmp_path, is_compressed=is_compressed)
    assert names(tmp_path) == ["store"]
    assert names(made.path.parent) == ["influxd.bolt"]


@pytest.mark.timeout(30)
def test_the_hole_behind_a_store_is_not_packed(made: MadeStore) -> None:
    """Byte by byte a terabyte would take hours, and be read as long again to compare it."""
    before = content(made.path)
    size_bytes = made.path.stat().st_size
    os.truncate(made.path, 1 << 40)
    report = backup(made.path, is_compressed=True)
    assert report.store_size_bytes == size_bytes
    unpacked = report.path.with_name("unpacked.bolt")
    unpacked.write_bytes(gzip.decompress(report.path.read_bytes()))
    assert content(unpacked) == before
