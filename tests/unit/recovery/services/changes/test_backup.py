"""Backups: named, complete, compared, and nothing left when one cannot be made."""

import errno
import os
import resource
import signal
import stat
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from recovery.errors import ConflictError, ExitCode, RecoveryError, RefusedError, WriteFailedError
from recovery.metastore.store import MetaStore
from recovery.services.changes import backup as backups
from recovery.services.changes.backup import (
    MARK,
    PartialCopy,
    backup_path,
    make_backup,
    mark_backup,
    mark_of,
    require_room,
)
from tests.support.as_other_user import run_as_nobody
from tests.support.mounts import mounted
from tests.support.stores import make_store

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=UTC)
OPERATION = "auth create-operator"
NAME = "level21.bolt.20260102T030405Z.auth-create-operator.backup"

IMPORTS = (
    "recovery.services.changes.backup, recovery.metastore.migrations, bolt_store.check, "
    "bolt_store.file.unlocked, hashlib, shutil, tempfile"
)

AS_NOBODY = """
from recovery.errors import RecoveryError
from recovery.metastore.store import MetaStore
from recovery.services.changes.backup import make_backup
try:
    with MetaStore.open(Path(sys.argv[1]), write=False) as store:
        make_backup(store, Path(sys.argv[2]))
    print("made")
except RecoveryError as error:
    print(int(error.exit_code), error, sep="|")
"""


def back_up(path: Path, target: Path | None = None) -> Path:
    """Make a backup beside a store, or elsewhere."""
    with MetaStore.open(path, write=True) as store:
        target = target or backup_path(path, operation=OPERATION, moment=MOMENT)
        make_backup(store, target)
    return target


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(one.name for one in folder.iterdir())


def test_a_backup_lies_beside_the_store_with_time_and_operation_in_its_name(
    level21_bolt: Path,
) -> None:
    assert back_up(level21_bolt) == level21_bolt.with_name(NAME)
    assert names(level21_bolt.parent) == ["level21.bolt", NAME]


def test_a_backup_is_the_same_and_for_its_owner_only(level21_bolt: Path) -> None:
    level21_bolt.chmod(0o644)
    backup = back_up(level21_bolt)
    assert backup.read_bytes() == level21_bolt.read_bytes()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert backup.stat().st_nlink == 1


def test_no_file_stays_open(level21_bolt: Path) -> None:
    back_up(level21_bolt)  # what is imported meanwhile may open some
    before = len(names(Path("/proc/self/fd")))
    back_up(level21_bolt)
    assert len(names(Path("/proc/self/fd"))) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_a_backup_belongs_to_whom_the_store_belongs(level21_bolt: Path) -> None:
    os.chown(level21_bolt, 1234, 2345)
    status = back_up(level21_bolt).stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


def test_the_store_keeps_even_its_access_time(level21_bolt: Path) -> None:
    os.utime(level21_bolt, ns=(1, 10**18))
    before = level21_bolt.stat()
    back_up(level21_bolt)
    after = level21_bolt.stat()
    assert (before.st_atime_ns, before.st_mtime_ns) == (after.st_atime_ns, after.st_mtime_ns)


def test_backups_of_one_second_get_different_names(level21_bolt: Path) -> None:
    made = [back_up(level21_bolt).name for _ in range(3)]
    stem = NAME.removesuffix(".backup")
    assert made == [NAME, f"{stem}.2.backup", f"{stem}.3.backup"]


def test_a_dangling_link_is_a_taken_name(level21_bolt: Path) -> None:
    level21_bolt.with_name(NAME).symlink_to("nowhere")
    assert back_up(level21_bolt).name == f"{NAME.removesuffix('.backup')}.2.backup"


def test_odd_operations_make_plain_names() -> None:
    path = backup_path(Path("/none/x"), operation="User: 'Réset' ../..", moment=MOMENT)
    assert path == Path("/none/x.20260102T030405Z.user-r-set.backup")


def test_a_store_has_room_for_many_backups_of_one_second(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for number in range(1, 999):
        (tmp_path / f"x.20260102T030405Z.a.{f'{number}.' * (number > 1)}backup").touch()
    last = backup_path(path, operation="a", moment=MOMENT)
    assert last.name == "x.20260102T030405Z.a.999.backup"
    last.touch()
    with pytest.raises(RefusedError, match="all names for a backup are taken"):
        backup_path(path, operation="a", moment=MOMENT)


def test_a_mark_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.touch()
    assert mark_of(path) is None
    mark_backup(path, "0a" * 32)
    mark_backup(tmp_path / "absent", "0a")
    assert mark_of(tmp_path / "absent") is None
    try:
        os.setxattr(path, "user.probe", b"")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    assert mark_of(path) == "0a" * 32
    assert os.getxattr(path, "user.influx-recovery.digest") == b"0a" * 32
    os.setxattr(path, MARK, b"\xff")
    assert mark_of(path) == "\ufffd"


def test_the_name_of_a_backup_is_on_the_disk_before_anything_is_changed(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new name is safe only once its folder is synced."""
    real, synced = os.fsync, list[str]()

    def watch(descriptor: int) -> None:
        real(descriptor)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append(f"{'folder' if is_folder else 'file'}, {names(level21_bolt.parent)[-1]}")

    monkeypatch.setattr(os, "fsync", watch)
    back_up(level21_bolt)
    assert synced == [*["file, level21.bolt"] * 2, f"folder, {NAME}"]


# -- what is refused -----------------------------------------------------------------------------


def failed(path: Path, target: Path) -> RecoveryError:
    """Return the error of a backup that leaves the folders as they are."""
    folders = {path.parent, target.parent}
    before = {folder: names(folder) for folder in folders if folder.is_dir()}
    content = path.read_bytes()
    with pytest.raises(RecoveryError) as caught:
        back_up(path, target)
    assert {folder: names(folder) for folder in folders if folder.is_dir()} == before
    assert path.read_bytes() == content
    assert "nothing was changed" in str(caught.value)
    return caught.value


def test_nothing_is_ever_replaced(level21_bolt: Path) -> None:
    target = level21_bolt.with_name("there")
    target.write_bytes(b"precious")
    assert isinstance(failed(level21_bolt, target), ConflictError)
    assert target.read_bytes() == b"precious"


def test_there_is_no_room_where_something_is_already(level21_bolt: Path) -> None:
    with MetaStore.open(level21_bolt, write=False) as store, pytest.raises(ConflictError):
        require_room(store, level21_bolt)


def test_a_store_is_not_copied_onto_itself(level21_bolt: Path) -> None:
    assert isinstance(failed(level21_bolt, level21_bolt), ConflictError)


def test_a_dangling_link_is_not_followed(level21_bolt: Path) -> None:
    target = level21_bolt.with_name("link")
    target.symlink_to(level21_bolt.with_name("elsewhere"))
    assert isinstance(failed(level21_bolt, target), ConflictError)


def test_the_name_that_influxd_deletes_is_refused(level21_bolt: Path) -> None:
    error = failed(level21_bolt, level21_bolt.with_name("level21.bolt.tmp"))
    assert isinstance(error, RefusedError)


def test_a_missing_folder_is_named(level21_bolt: Path, tmp_path: Path) -> None:
    error = failed(level21_bolt, tmp_path / "none" / "copy")
    assert f"{tmp_path}/none" in str(error)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_folder_of_somebody_else_is_refused(level21_bolt: Path, public_folder: Path) -> None:
    path = public_folder / "influxd.bolt"
    path.write_bytes(level21_bolt.read_bytes())
    path.chmod(0o444)
    said = run_as_nobody(
        AS_NOBODY,
        path,
        public_folder / "copy",
        imports=IMPORTS,
    )
    code, sentence = said.split("|")
    assert int(code) == ExitCode.REFUSED
    assert str(public_folder) in sentence
    assert "Permission denied" in sentence
    assert names(public_folder) == ["influxd.bolt"]


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_whoever_may_not_give_files_away_still_gets_a_backup(
    level21_bolt: Path, public_folder: Path
) -> None:
    path = public_folder / "influxd.bolt"
    path.write_bytes(level21_bolt.read_bytes())
    path.chmod(0o444)
    public_folder.chmod(0o777)
    target = public_folder / "copy"
    assert run_as_nobody(AS_NOBODY, path, target, imports=IMPORTS) == "made"
    assert target.stat().st_uid == 65534
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_full_disk_is_noticed_before_the_first_byte(level21_bolt: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "small", size_bytes=65536) as folder:
        error = failed(level21_bolt, folder / "copy")
        assert isinstance(error, WriteFailedError)
        assert error.exit_code == ExitCode.WRITE_FAILED
        assert "bytes are needed and" in str(error)


def test_what_is_kept_for_root_is_room_for_root_alone_and_just_enough_is_enough(
    level21_bolt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_room(*, free: int, available: int, user_id: int) -> bool:
        status = SimpleNamespace(f_blocks=1 << 40, f_bfree=free, f_bavail=available, f_frsize=1)
        monkeypatch.setattr(os, "statvfs", lambda _: status)
        monkeypatch.setattr(os, "geteuid", lambda: user_id)
        try:
            require_room(store, tmp_path / "copy")
        except WriteFailedError as error:
            words = str(error).split()
            needed.append(int(words[words.index("bytes") - 1].strip("(").replace(",", "")))
            return False
        return True

    needed: list[int] = []
    with MetaStore.open(level21_bolt, write=False) as store:
        assert not has_room(free=0, available=0, user_id=0)
        assert has_room(free=needed[0], available=0, user_id=0)
        assert not has_room(free=needed[0] - 1, available=0, user_id=0)
        assert not has_room(free=needed[0], available=0, user_id=1000)
        assert has_room(free=0, available=needed[0], user_id=1000)


def test_a_disk_that_does_not_tell_what_is_free_is_refused(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", raising(errno.EIO))
    assert "Input/output error" in str(failed(level21_bolt, level21_bolt.with_name("copy")))


@pytest.mark.parametrize("is_by_hand", [False, True])
def test_copying_and_comparing_ask_at_each_piece_whether_they_are_wanted(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch, *, is_by_hand: bool
) -> None:
    monkeypatch.setattr(backups, "COMPARE_CHUNK_BYTES", 4096)
    if is_by_hand:
        monkeypatch.setattr(backups, "copy_inside", lambda *_: 0)
    asked: list[None] = []
    with MetaStore.open(level21_bolt, write=True) as store:
        PartialCopy.of(store, level21_bolt.with_name("copy"), lambda: asked.append(None)).withdraw()
    pieces = level21_bolt.stat().st_size // 4096
    assert len(asked) == 1 + pieces * (1 + is_by_hand)


def test_a_copy_of_another_size_is_not_the_same(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate = os.ftruncate
    monkeypatch.setattr(os, "ftruncate", lambda file, size: truncate(file, size + 1))
    assert "not what is read back" in str(failed(level21_bolt, level21_bolt.with_name("copy")))


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(
    level21_bolt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fchown

    def fill_the_rest(descriptor: int, uid: int, gid: int) -> None:
        real(descriptor, uid, gid)
        other = os.open(folder / "other", os.O_WRONLY | os.O_CREAT)
        with suppress(OSError):
            while os.write(other, bytes(1 << 16)):
                pass
        os.close(other)

    with mounted(tmp_path / "small", size_bytes=1 << 21) as folder:
        monkeypatch.setattr(os, "fchown", fill_the_rest)
        with pytest.raises(WriteFailedError, match="No space left on device") as caught:
            back_up(level21_bolt, folder / "copy")
        assert names(folder) == ["other"]
    assert caught.value.outcome == "unchanged"


def test_a_limit_on_the_size_of_files_leaves_nothing(level21_bolt: Path) -> None:
    """As `ulimit -f` sets it; Python ignores the signal and gets EFBIG."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, former[1]))
    try:
        error = failed(level21_bolt, level21_bolt.with_name("copy"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert isinstance(error, WriteFailedError)
    assert "File too large" in str(error)


def raising(code: int) -> Callable[..., NoReturn]:
    """Stand in for a call of the system that fails."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("name", ["fsync", "fchown", "copy_file_range"])
def test_a_disk_error_leaves_nothing(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(os, name, raising(errno.EIO))
    error = failed(level21_bolt, level21_bolt.with_name("copy"))
    assert isinstance(error, WriteFailedError)
    assert "Input/output error" in str(error)


def test_a_disk_without_room_for_another_file_leaves_nothing(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(backups, "create", refuse)
    error = failed(level21_bolt, level21_bolt.with_name("copy"))
    assert isinstance(error, WriteFailedError)
    assert "No space left on device" in str(error)
    assert names(level21_bolt.parent) == ["level21.bolt"]


@pytest.mark.parametrize("read_bytes_max", [1_000, 1 << 30], ids=["in short reads", "at once"])
def test_a_disk_that_writes_something_else_is_noticed(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch, read_bytes_max: int
) -> None:
    real, read = os.fsync, os.pread

    def spoil(descriptor: int) -> None:
        real(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.pwrite(descriptor, b"\xff", 60000)

    def read_less(descriptor: int, size_bytes: int, offset: int) -> bytes:
        return read(descriptor, min(size_bytes, read_bytes_max), offset)

    monkeypatch.setattr(os, "fsync", spoil)
    monkeypatch.setattr(os, "pread", read_less)
    error = failed(level21_bolt, level21_bolt.with_name("copy"))
    assert "what was written is not what is read back" in str(error)


@pytest.mark.parametrize("level", [20, 21])
def test_a_copy_that_opens_as_another_state_is_none(
    level21_bolt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    """Another transaction, with the level of the store or without: both have to be the same."""
    other = make_store(tmp_path / "other", level=level).path
    target = level21_bolt.with_name("copy")
    with (
        MetaStore.open(level21_bolt, write=False) as store,
        MetaStore.open(other, write=False) as seen,
    ):
        assert seen.txid != store.txid
        monkeypatch.setattr(MetaStore, "open_copy", lambda _: nullcontext(seen))
        with pytest.raises(WriteFailedError, match="opens as another state"):
            make_backup(store, target)
        monkeypatch.undo()
    assert not target.exists()


@pytest.mark.parametrize("code", [errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, None])
def test_where_the_kernel_cannot_copy_it_is_done_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    """Some file systems say so, and some just copy nothing."""
    path = tmp_path / "influxd.bolt"
    make_store(path, level=21)
    os.truncate(path, 1 << 20)
    fake = raising(code) if code is not None else lambda *_: 0
    monkeypatch.setattr(os, "copy_file_range", fake)
    backup = back_up(path, tmp_path / "copy")
    assert backup.read_bytes() == path.read_bytes()


def test_where_there_are_no_hard_links_nothing_is_replaced_either(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", raising(errno.EPERM))
    assert back_up(level21_bolt).read_bytes() == level21_bolt.read_bytes()
    target = level21_bolt.with_name("late")
    with (
        MetaStore.open(level21_bolt, write=False) as store,
        PartialCopy.of(store, target) as copy,
    ):
        target.write_bytes(b"came meanwhile")
        with pytest.raises(ConflictError):
            copy.publish()
    assert target.read_bytes() == b"came meanwhile"
    assert names(level21_bolt.parent) == ["late", "level21.bolt", NAME]


def test_a_name_taken_meanwhile_is_left_alone(level21_bolt: Path) -> None:
    target = level21_bolt.with_name("late")
    with (
        MetaStore.open(level21_bolt, write=False) as store,
        PartialCopy.of(store, target) as copy,
    ):
        target.write_bytes(b"came meanwhile")
        with pytest.raises(ConflictError):
            copy.publish()
    assert target.read_bytes() == b"came meanwhile"
    assert names(level21_bolt.parent) == ["late", "level21.bolt"]


def test_a_copy_that_is_not_wanted_any_more_goes_away_by_either_name(level21_bolt: Path) -> None:
    target = level21_bolt.with_name("copy")
    with MetaStore.open(level21_bolt, write=False) as store:
        with PartialCopy.of(store, target):
            assert not target.exists()
        assert names(level21_bolt.parent) == ["level21.bolt"]
        with PartialCopy.of(store, target) as copy:
            copy.publish()
            assert names(level21_bolt.parent) == ["copy", "level21.bolt"]
            copy.withdraw()
        assert names(level21_bolt.parent) == ["level21.bolt"]


def test_ctrl_c_while_copying_leaves_nothing(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "copy_file_range", interrupt)
    with pytest.raises(KeyboardInterrupt):
        back_up(level21_bolt)
    assert names(level21_bolt.parent) == ["level21.bolt"]


def test_of_a_store_that_says_it_is_a_terabyte_long_only_what_is_stored_is_copied(
    tmp_path: Path,
) -> None:
    path = make_store(tmp_path / "influxd.bolt", level=21).path
    content = path.read_bytes()
    os.truncate(path, 1 << 40)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    copy = back_up(path).stat()
    assert copy.st_size == 1 << 40
    assert copy.st_blocks * 512 < 1 << 20
    with back_up(path, tmp_path / "again").open("rb") as file:
        assert file.read(len(content)) == content


def test_a_copy_that_has_something_in_a_hole_is_not_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_store(tmp_path / "influxd.bolt", level=21).path
    os.truncate(path, 1 << 30)
    truncate = os.ftruncate

    def truncate_and_spoil(descriptor: int, size_bytes: int) -> None:
        truncate(descriptor, size_bytes)
        os.pwrite(descriptor, b"x", 1 << 29)

    monkeypatch.setattr(os, "ftruncate", truncate_and_spoil)
    with pytest.raises(WriteFailedError, match="not what is read back"):
        back_up(path)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every store for a large one."""
    monkeypatch.setattr(backups, "BESIDE_BYTES_MIN", 0)


def back_up_beside(path: Path, meanwhile: Callable[[], None]) -> Path:
    """Make a backup, and do something else before or beside."""
    target = backup_path(path, operation=OPERATION, moment=MOMENT)
    with MetaStore.open(path, write=True) as store:
        make_backup(store, target, meanwhile=meanwhile)
    return target


def wait_for_a_copy(folder: Path) -> None:
    """Wait until one has been begun."""
    deadline = time.monotonic() + 10
    while len(names(folder)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.usefixtures("beside")
def test_a_large_store_is_copied_beside_other_work(level21_bolt: Path) -> None:
    target = back_up_beside(level21_bolt, lambda: wait_for_a_copy(level21_bolt.parent))
    assert target.read_bytes() == level21_bolt.read_bytes()
    assert names(level21_bolt.parent) == ["level21.bolt", NAME]


@pytest.fixture
def without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a container that has no thread left."""

    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.usefixtures("beside", "without_threads")
def test_what_fails_before_the_copying_is_told_where_no_thread_can_be_had(
    level21_bolt: Path,
) -> None:
    def fail() -> NoReturn:
        raise ValueError

    with pytest.raises(ValueError):
        back_up_beside(level21_bolt, fail)
    assert names(level21_bolt.parent) == ["level21.bolt"]


@pytest.mark.usefixtures("beside", "without_threads")
def test_a_large_store_is_copied_after_other_work_where_no_thread_can_be_had(
    level21_bolt: Path,
) -> None:
    seen: list[str] = []
    target = back_up_beside(level21_bolt, lambda: seen.extend(names(level21_bolt.parent)))
    assert seen == ["level21.bolt"]
    assert target.read_bytes() == level21_bolt.read_bytes()


def test_a_small_store_is_copied_after_other_work(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread was begun"))
    seen: list[str] = []
    back_up_beside(level21_bolt, lambda: seen.extend(names(level21_bolt.parent)))
    assert seen == ["level21.bolt"]


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("is_copied", [False, True])
def test_what_fails_beside_the_copying_leaves_nothing_of_the_copy(
    level21_bolt: Path, failure: type[BaseException], *, is_copied: bool
) -> None:
    def fail() -> NoReturn:
        if is_copied:
            wait_for_a_copy(level21_bolt.parent)
            time.sleep(0.05)
        raise failure

    before = threading.enumerate()
    with pytest.raises(failure):
        back_up_beside(level21_bolt, fail)
    assert names(level21_bolt.parent) == ["level21.bolt"]
    assert not set(threading.enumerate()) - set(before)


@pytest.mark.usefixtures("beside")
def test_the_copying_stops_where_the_copy_is_not_wanted_any_more(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, chunks = os.copy_file_range, 0

    def slowly(source: int, target: int, count: int, begin: int, end: int) -> int:
        nonlocal chunks
        chunks += 1
        time.sleep(0.05)
        return real(source, target, count, begin, end)

    def fail() -> NoReturn:
        wait_for_a_copy(level21_bolt.parent)
        raise RuntimeError

    monkeypatch.setattr(backups, "COPY_CHUNK_BYTES", 1024)
    monkeypatch.setattr(os, "copy_file_range", slowly)
    before = threading.enumerate()
    with pytest.raises(RuntimeError):
        back_up_beside(level21_bolt, fail)
    assert chunks < level21_bolt.stat().st_size // 1024 // 2
    assert names(level21_bolt.parent) == ["level21.bolt"]
    assert not set(threading.enumerate()) - set(before)


@pytest.mark.usefixtures("beside")
def test_a_large_copy_is_compared_while_the_disk_writes_it(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_copy, real_read, real_sync = os.copy_file_range, os.pread, os.fsync
    is_compared = threading.Event()

    def copy(source: int, target: int, count: int, begin: int, end: int) -> int:
        is_compared.clear()
        return real_copy(source, target, count, begin, end)

    def read(descriptor: int, size_bytes: int, offset: int) -> bytes:
        if size_bytes:
            is_compared.set()
        return real_read(descriptor, size_bytes, offset)

    def sync(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            assert is_compared.wait(10)
        real_sync(descriptor)

    monkeypatch.setattr(os, "copy_file_range", copy)
    monkeypatch.setattr(os, "pread", read)
    monkeypatch.setattr(os, "fsync", sync)
    target = back_up(level21_bolt)
    assert target.read_bytes() == level21_bolt.read_bytes()


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("is_slow", [False, True])
def test_a_disk_error_beside_the_comparison_leaves_nothing(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch, *, is_slow: bool
) -> None:
    def fail(_: int) -> NoReturn:
        time.sleep(0.05 * is_slow)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    before = threading.enumerate()
    error = failed(level21_bolt, level21_bolt.with_name("copy"))
    assert "Input/output error" in str(error)
    assert not set(threading.enumerate()) - set(before)


@pytest.mark.usefixtures("beside")
def test_ctrl_c_while_the_disk_writes_leaves_nothing(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        back_up(level21_bolt)
    assert names(level21_bolt.parent) == ["level21.bolt"]


@pytest.mark.usefixtures("beside")
def test_copying_that_fails_beside_other_work_is_told_after_it(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", full)
    done: list[bool] = []
    with pytest.raises(WriteFailedError):
        back_up_beside(level21_bolt, lambda: done.append(True))
    assert done == [True]
    assert names(level21_bolt.parent) == ["level21.bolt"]
