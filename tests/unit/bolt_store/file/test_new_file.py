"""A new file appears whole or not at all, and never in the place of another."""

import errno
import os
from pathlib import Path

import pytest

from bolt_store.errors import CommitError, ReadOnlyError
from bolt_store.file.new_file import CHUNK_SIZE_BYTES, NewFile, chunks, write
from bolt_store.file.os_file import OsFile
from bolt_store.file.unlocked import open_unlocked


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def without_hard_links(monkeypatch: pytest.MonkeyPatch, code: int = errno.EPERM) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)


def test_the_name_appears_with_publish_and_not_before(tmp_path: Path) -> None:
    with NewFile(tmp_path / "t", like=None) as new:
        new.file.write_at(0, b"content")
        assert not (tmp_path / "t").exists()
        assert not any(name.endswith(".tmp") for name in names(tmp_path))
        new.publish()
    assert names(tmp_path) == ["t"]
    assert (tmp_path / "t").read_bytes() == b"content"


def test_leaving_without_publish_leaves_nothing(tmp_path: Path) -> None:
    with NewFile(tmp_path / "t", like=None) as new:
        new.file.write_at(0, b"content")
    new.discard()
    assert names(tmp_path) == []


def test_a_name_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    with NewFile(tmp_path / "t", like=None) as new:
        (tmp_path / "t").write_bytes(b"precious")
        with pytest.raises(FileExistsError) as caught:
            new.publish()
    assert caught.value.filename == str(tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == b"precious"
    assert names(tmp_path) == ["t"]


def test_a_file_is_not_said_to_have_failed_that_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with NewFile(tmp_path / "t", like=None) as new:
        new.file.write_at(0, b"content")
        monkeypatch.setattr(os, "unlink", fail)
        new.publish()
    assert (tmp_path / "t").read_bytes() == b"content"


def test_without_hard_links_the_name_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_hard_links(monkeypatch)
    with NewFile(tmp_path / "t", like=None) as new:
        new.file.write_at(0, b"content")
        new.publish()
    assert (tmp_path / "t").read_bytes() == b"content"
    assert names(tmp_path) == ["t"]


def test_without_hard_links_a_name_taken_meanwhile_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_hard_links(monkeypatch)
    with NewFile(tmp_path / "t", like=None) as new:
        (tmp_path / "t").write_bytes(b"precious")
        with pytest.raises(FileExistsError):
            new.publish()
    assert (tmp_path / "t").read_bytes() == b"precious"
    assert names(tmp_path) == ["t"]


def test_a_failure_to_name_the_file_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_hard_links(monkeypatch, errno.EIO)
    with NewFile(tmp_path / "t", like=None) as new, pytest.raises(CommitError):
        new.publish()
    assert names(tmp_path) == []


def test_a_failure_to_sync_the_folder_takes_the_name_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with NewFile(tmp_path / "t", like=None) as new:
        new.file.write_at(0, b"content")
        new.file.sync()

        def fail(_: int) -> None:
            raise OSError(errno.EIO, "no")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(CommitError):
            new.publish()
    assert names(tmp_path) == []


def test_owner_and_mode_are_kept(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"")
    (tmp_path / "source").chmod(0o4640)
    if os.geteuid() == 0:
        os.chown(tmp_path / "source", 4321, 4322)
    expected = (tmp_path / "source").stat()
    source = OsFile.open_locked(tmp_path / "source", write=False, timeout_s=0)
    with NewFile(tmp_path / "t", like=source) as new:
        new.publish()
    source.close()
    found = (tmp_path / "t").stat()
    assert (found.st_uid, found.st_gid) == (expected.st_uid, expected.st_gid)
    assert found.st_mode & 0o7777 == 0o640


def test_the_mode_stays_private_where_the_owner_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid():
        pytest.skip("only root can make a file of somebody else")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    (tmp_path / "source").write_bytes(b"")
    (tmp_path / "source").chmod(0o666)
    os.chown(tmp_path / "source", 4321, 4322)
    source = OsFile.open_locked(tmp_path / "source", write=False, timeout_s=0)
    monkeypatch.setattr(os, "fchown", refuse)
    with NewFile(tmp_path / "t", like=source) as new:
        new.publish()
    source.close()
    assert (tmp_path / "t").stat().st_mode & 0o7777 == 0o600


def test_extended_attributes_are_kept(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"")
    try:
        os.setxattr(tmp_path / "source", "user.label", b"x")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    source = open_unlocked(tmp_path / "source")
    with NewFile(tmp_path / "t", like=source) as new:
        new.publish()
    source.close()
    assert os.getxattr(tmp_path / "t", "user.label") == b"x"


def test_a_failed_write_is_told_from_a_failed_read(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    source = open_unlocked(tmp_path / "source")
    with pytest.raises(ReadOnlyError):
        write(source, 0, b"y")
    source.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        list(chunks(source, 1))
    with NewFile(tmp_path / "t", like=None) as new:
        new.file.close()
        with pytest.raises(CommitError):
            write(new.file, 0, b"y")


def test_a_file_is_read_in_chunks_to_its_end(tmp_path: Path) -> None:
    content = os.urandom(CHUNK_SIZE_BYTES + 5)
    (tmp_path / "source").write_bytes(content)
    source = open_unlocked(tmp_path / "source")
    assert b"".join(data for _, data in chunks(source, 1 << 30)) == content
    assert [offset for offset, _ in chunks(source, 1 << 30)] == [0, CHUNK_SIZE_BYTES]
    source.close()


def test_opening_without_the_lock_refuses_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe", "absent"):
        with pytest.raises(OSError, match=r"regular|No such"):
            open_unlocked(tmp_path / name)


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_makes_is_not(
    tmp_path: Path,
) -> None:
    left = tmp_path / ".bolt_store-left.new"
    young = tmp_path / ".bolt_store-young.new"
    for one in (left, young):
        one.write_bytes(b"canary")
    os.utime(left, (1, 1))
    with NewFile(tmp_path / "a", like=None) as living:
        (making,) = set(names(tmp_path)) - {left.name, young.name}
        os.utime(tmp_path / making, (1, 1))
        with NewFile(tmp_path / "b", like=None) as new:
            new.publish()
        living.publish()
    assert names(tmp_path) == sorted([young.name, "a", "b"])
