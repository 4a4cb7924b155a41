"""The folder of `influx backup`."""

from pathlib import Path

import pytest

from recovery.discovery.backup_folder import FolderBackup, newest_backup


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def test_the_newest_backup_is_found_among_all_that_is_there(tmp_path: Path) -> None:
    fill(tmp_path, "20260101T000000Z.bolt.gz", "20260102T000000Z.bolt.gz")
    fill(tmp_path, "20260103T000000Z.sqlite.gz", "20260103T000000Z.manifest", "x.bolt")
    found = newest_backup(tmp_path)
    assert found == FolderBackup(path=tmp_path / "20260102T000000Z.bolt.gz", count=2)


def test_a_backup_that_is_not_compressed_is_found(tmp_path: Path) -> None:
    found = newest_backup(fill(tmp_path, "20260101T000000Z.bolt"))
    assert found == FolderBackup(path=tmp_path / "20260101T000000Z.bolt", count=1)


@pytest.mark.parametrize("names", [(), ("influxd.bolt", "20260101T000000Z.bolt.gz"), ("a.bolt",)])
def test_a_folder_without_a_backup_or_with_a_store_has_none(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    assert newest_backup(fill(tmp_path, *names)) is None


def test_what_is_no_folder_has_none(tmp_path: Path) -> None:
    fill(tmp_path, "20260101T000000Z.bolt")
    assert newest_backup(tmp_path / "20260101T000000Z.bolt") is None
    assert newest_backup(tmp_path / "nowhere") is None
