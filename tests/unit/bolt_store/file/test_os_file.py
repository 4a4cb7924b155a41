"""Real files: what opening does and does not do, locks, and calls that do half of what was asked.

System calls that cannot be made to fail on a healthy machine are replaced at the operating system's
side (`os`, `fcntl`, `time`), never on ours.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bolt_store.errors import LockError, LockTimeoutError, ReadOnlyError
from bolt_store.file.os_file import OsFile, sync_directory
from tests.support.mounts import make_read_only, mounted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of 10 bytes."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return path


def open_for(path: Path, *, write: bool, timeout_s: float = 0) -> OsFile:
    return OsFile.open_locked(path, write=write, timeout_s=timeout_s)


# -- opening ---------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [False, True])
def test_opening_never_creates(tmp_path: Path, *, write: bool) -> None:
    with pytest.raises(FileNotFoundError):
        open_for(tmp_path / "absent", write=write)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [False, True])
def test_opening_and_closing_changes_neither_bytes_nor_times(path: Path, *, write: bool) -> None:
    before = path.stat()
    file = open_for(path, write=write)
    assert file.read_at(0, 10) == b"0123456789"
    file.close()
    after = path.stat()
    assert path.read_bytes() == b"0123456789"
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)


@pytest.mark.parametrize("write", [False, True])
def test_a_directory_is_refused(tmp_path: Path, *, write: bool) -> None:
    with pytest.raises(IsADirectoryError):
        open_for(tmp_path, write=write)


@pytest.mark.parametrize("write", [False, True])
def test_a_named_pipe_is_refused_without_waiting_for_its_other_end(
    tmp_path: Path, *, write: bool
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="not a regular file"):
        open_for(pipe, write=write)


def test_a_device_is_refused() -> None:
    with pytest.raises(OSError, match="not a regular file"):
        open_for(Path("/dev/null"), write=False)


def test_a_symlink_is_followed_and_locks_its_target(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    file = open_for(link, write=True)
    with pytest.raises(LockTimeoutError):
        open_for(path, write=False)
    file.close()


def test_a_symlink_to_nothing_creates_nothing(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        open_for(link, write=True)
    assert list(tmp_path.iterdir()) == [link]


def test_a_descriptor_is_not_inherited_by_other_programs(tmp_path: Path, path: Path) -> None:
    """A program started meanwhile would keep the lock after this one has closed the file."""
    for file in (open_for(path, write=True), OsFile.create_new(tmp_path / "new")):
        assert not os.get_inheritable(file.fileno())
        file.close()


def test_a_read_only_file_system_is_read_and_not_written(tmp_path: Path) -> None:
    with mounted(tmp_path / "mount", size_bytes=1 << 20) as folder:
        path = folder / "file"
        path.write_bytes(b"content")
        make_read_only(folder)
        file = open_for(path, write=False)
        assert file.read_at(0, 7) == b"content"
        file.close()
        with pytest.raises(OSError) as caught:
            open_for(path, write=True)
        assert caught.value.errno == errno.EROFS
        with pytest.raises(OSError):
            OsFile.create_new(folder / "new")


# -- creating --------------------------------------------------------------------------------


def test_a_new_file_is_private_empty_and_locked(tmp_path: Path) -> None:
    path = tmp_path / "new"
    file = OsFile.create_new(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert file.size_bytes() == 0
    with pytest.raises(LockTimeoutError):
        open_for(path, write=False)
    file.close()


def test_creating_never_replaces(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "absent")
    folder = tmp_path / "folder"
    folder.mkdir()
    for taken in (path, link, folder):
        with pytest.raises(FileExistsError):
            OsFile.create_new(taken)
    assert path.read_bytes() == b"0123456789"
    assert not (tmp_path / "absent").exists()


def test_a_new_file_that_cannot_be_locked_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", raising(OSError(errno.ENOLCK, "no locks available")))
    with pytest.raises(LockError):
        OsFile.create_new(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


# -- locks -----------------------------------------------------------------------------------


def test_readers_share_the_lock(path: Path) -> None:
    files = [open_for(path, write=False) for _ in range(3)]
    assert [file.read_at(0, 1) for file in files] == [b"0"] * 3
    for file in files:
        file.close()


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_a_second_open_of_the_same_process_is_refused_where_one_of_them_writes(
    path: Path, *, first: bool, second: bool
) -> None:
    file = open_for(path, write=first)
    with pytest.raises(LockTimeoutError) as caught:
        open_for(path, write=second)
    assert caught.value.exclusive is second
    file.close()
    open_for(path, write=second).close()


def test_a_refused_open_leaves_no_descriptor_behind(path: Path) -> None:
    holder = open_for(path, write=True)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(LockTimeoutError):
        open_for(path, write=True)
    assert set(Path("/proc/self/fd").iterdir()) <= before
    holder.close()


def test_a_lock_that_comes_free_within_the_time_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = open_for(path, write=True)
    monkeypatch.setattr(time, "sleep", lambda _: holder.close())
    file = open_for(path, write=True, timeout_s=60)
    assert file.read_at(0, 1) == b"0"
    file.close()


def test_the_time_for_the_lock_is_named(path: Path) -> None:
    holder = open_for(path, write=False)
    with pytest.raises(LockTimeoutError) as caught:
        open_for(path, write=True, timeout_s=0.05)
    assert (caught.value.timeout_s, caught.value.exclusive) == (0.05, True)
    holder.close()


@pytest.mark.parametrize("write", [False, True])
def test_a_file_replaced_while_waiting_for_its_lock_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, write: bool
) -> None:
    """The lock would be that of the old file, and somebody else holds the new one."""
    holder = open_for(path, write=True)
    new = tmp_path / "new"
    new.write_bytes(b"another file")

    def replace(_: float) -> None:
        new.rename(path)
        holder.close()

    monkeypatch.setattr(time, "sleep", replace)
    with pytest.raises(LockError, match="replaced"):
        open_for(path, write=write, timeout_s=60)


def test_a_file_removed_while_waiting_for_its_lock_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = open_for(path, write=True)

    def remove(_: float) -> None:
        path.unlink()
        holder.close()

    monkeypatch.setattr(time, "sleep", remove)
    with pytest.raises(LockError, match="removed"):
        open_for(path, write=False, timeout_s=60)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_file_system_without_locks_is_named_as_such(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(fcntl, "flock", raising(OSError(code, os.strerror(code))))
    with pytest.raises(LockError) as caught:
        open_for(path, write=True)
    assert not isinstance(caught.value, LockTimeoutError)
    assert "its file system has no locks" in caught.value.problem


def test_any_other_error_of_the_lock_is_passed_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", raising(OSError(errno.EIO, "input/output error")))
    with pytest.raises(OSError, match="input/output"):
        open_for(path, write=True)


# -- reading and writing ---------------------------------------------------------------------


def test_a_file_opened_for_reading_refuses_to_change(path: Path) -> None:
    file = open_for(path, write=False)
    with pytest.raises(ReadOnlyError):
        file.write_at(0, b"x")
    with pytest.raises(ReadOnlyError):
        file.resize(0)
    file.close()
    assert path.read_bytes() == b"0123456789"


def test_reading_gives_fewer_bytes_only_where_the_file_ends(path: Path) -> None:
    file = open_for(path, write=False)
    assert (file.read_at(3, 4), file.read_at(8, 9), file.read_at(10, 1)) == (b"3456", b"89", b"")
    file.close()


def test_reading_far_behind_the_end_gives_nothing(path: Path) -> None:
    """A page id of a damaged file may be any number of 64 bits."""
    file = open_for(path, write=False)
    offsets = (1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, 1 << 76)
    assert [file.read_at(offset, 4096) for offset in offsets] == [b""] * 5
    file.close()


def test_writes_land_where_they_should_and_grow_the_file(path: Path) -> None:
    file = open_for(path, write=True)
    file.write_at(2, b"XY")
    file.write_at(12, b"Z")
    file.sync()
    file.close()
    assert path.read_bytes() == b"01XY456789\0\0Z"


def test_a_write_in_pieces_is_finished(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:3], offset))
    file = open_for(path, write=True)
    file.write_at(1, b"abcdefgh")
    file.close()
    assert path.read_bytes() == b"0abcdefgh9"


def test_a_read_in_pieces_is_finished(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: real(fd, min(size, 3), offset))
    file = open_for(path, write=False)
    assert file.read_at(1, 8) == b"12345678"
    assert file.read_at(1, 100) == b"123456789"
    file.close()


def test_the_size_is_set_both_ways(path: Path) -> None:
    file = open_for(path, write=True)
    file.resize(12)
    assert path.read_bytes() == b"0123456789\0\0"
    file.resize(3)
    file.close()
    assert path.read_bytes() == b"012"


def test_a_full_disk_shows_when_the_file_grows_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    with mounted(tmp_path / "mount", size_bytes=1 << 16) as folder:
        path = folder / "file"
        path.write_bytes(b"content")
        file = open_for(path, write=True)
        with pytest.raises(OSError) as caught:
            file.resize(1 << 20)
        assert caught.value.errno == errno.ENOSPC
        assert file.read_at(0, 7) == b"content"
        file.close()


def test_where_space_cannot_be_reserved_the_file_still_grows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(errno.EOPNOTSUPP, "not supported")
    monkeypatch.setattr(os, "posix_fallocate", raising(error))
    file = open_for(path, write=True)
    file.resize(12)
    file.close()
    assert path.read_bytes() == b"0123456789\0\0"


def test_a_sync_after_growing_covers_the_size_and_one_after_writing_the_data(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("fsync"))
    monkeypatch.setattr(os, "fdatasync", lambda _: calls.append("fdatasync"))
    file = open_for(path, write=True)
    file.write_at(0, b"within")
    file.sync()
    file.write_at(8, b"beyond")
    file.sync()
    file.sync()
    file.resize(100)
    file.sync()
    file.close()
    assert calls == ["fdatasync", "fsync", "fdatasync", "fsync"]


def test_closing_twice_does_not_close_somebody_elses_file(path: Path) -> None:
    first = open_for(path, write=True)
    number = first.fileno()
    first.close()
    second = open_for(path, write=True)
    assert second.fileno() == number
    first.close()
    assert second.read_at(0, 1) == b"0"
    second.close()


def test_a_folder_is_synced_and_a_missing_one_is_an_error(tmp_path: Path, path: Path) -> None:
    sync_directory(path)
    with pytest.raises(FileNotFoundError):
        sync_directory(tmp_path / "absent" / "file")


def raising(error: OSError) -> Callable[..., None]:
    """Return a system call that fails."""

    def call(*_: object) -> None:
        raise error

    return call
