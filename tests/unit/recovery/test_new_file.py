"""New files: private, durable, never in the place of another, and nothing left when one fails."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.errors import ConflictError, RefusedError, StoreAccessError, WriteFailedError
from recovery.kept import STAGE_PREFIX
from recovery.new_file import ClaimedFile, StagedFile, rename_new, require_free
from recovery.remedy import advice

CONTENT = b"canary"
Make = Callable[[Path], None]


def staged(target: Path) -> None:
    with StagedFile(target) as new:
        new.path.write_bytes(CONTENT)
        new.publish()
        new.keep()


def claimed(target: Path) -> None:
    with ClaimedFile(target) as new:
        new.write(CONTENT[:3])
        new.write(CONTENT[3:])
        new.keep()


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.fixture(params=[staged, claimed])
def make(request: pytest.FixtureRequest) -> Make:
    found: Make = request.param
    return found


def test_a_new_file_is_whole_private_and_alone(make: Make, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        make(tmp_path / "new")
    finally:
        os.umask(old)
    assert (tmp_path / "new").read_bytes() == CONTENT
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert (tmp_path / "new").stat().st_nlink == 1
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_is_there_is_never_replaced(make: Make, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "new"
    match kind:
        case "file":
            target.write_bytes(b"precious")
        case "link":
            target.symlink_to("nowhere")
        case _:
            target.mkdir()
    with pytest.raises(ConflictError):
        make(target)
    assert names(tmp_path) == ["new"]
    assert kind != "file" or target.read_bytes() == b"precious"


def test_a_name_that_influxd_deletes_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="influxd deletes"):
        make(tmp_path / "influxd.bolt.tmp")
    assert names(tmp_path) == []


def test_a_folder_that_is_none_is_an_error_and_is_not_made(make: Make, tmp_path: Path) -> None:
    with pytest.raises(StoreAccessError):
        make(tmp_path / "none" / "new")
    assert names(tmp_path) == []


def test_without_hard_links_a_file_gets_its_name_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_links(monkeypatch)
    staged(tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == CONTENT
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_comes_meanwhile_is_left_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_links: bool,  # noqa: FBT001 # a column of the table
) -> None:
    if not has_links:
        without_links(monkeypatch)
    with StagedFile(tmp_path / "new") as new:
        new.path.write_bytes(CONTENT)
        new.target.write_bytes(b"precious")
        with pytest.raises(ConflictError):
            new.publish()
    assert (tmp_path / "new").read_bytes() == b"precious"
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize("is_published", [True, False])
def test_what_is_not_kept_goes_away_even_when_it_has_its_name(
    tmp_path: Path,
    is_published: bool,  # noqa: FBT001 # a column of the table
) -> None:
    with StagedFile(tmp_path / "new") as new:
        new.path.write_bytes(CONTENT)
        if is_published:
            new.publish()
            assert names(tmp_path) == ["new"]
    assert names(tmp_path) == []


def test_a_file_is_not_said_to_have_failed_that_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with StagedFile(tmp_path / "new") as new:
        new.path.write_bytes(CONTENT)
        monkeypatch.setattr(os, "unlink", fail)
        new.publish()
        new.keep()
    assert (tmp_path / "new").read_bytes() == CONTENT


def test_a_claimed_file_that_was_replaced_is_not_removed(tmp_path: Path) -> None:
    with ClaimedFile(tmp_path / "new"):
        (tmp_path / "new").unlink()
        (tmp_path / "new").write_bytes(b"precious")
    assert (tmp_path / "new").read_bytes() == b"precious"


@pytest.mark.parametrize("call", ["fsync", "open"])
def test_a_folder_that_cannot_be_synced_fails_unless_that_is_only_to_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real = getattr(os, call)

    def fail(what: int | Path, *rest: int, **more: int) -> int | None:
        is_folder = stat.S_ISDIR(os.stat(what).st_mode) if os.path.exists(what) else False  # noqa: PTH110, PTH116 # a descriptor, too
        if is_folder and not str(what).rpartition("/")[2].startswith(STAGE_PREFIX):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        result: int | None = real(what, *rest, **more)
        return result

    monkeypatch.setattr(os, call, fail)
    told: list[OSError] = []
    with pytest.raises(WriteFailedError, match="Input/output"):
        claimed(tmp_path / "new")
    with ClaimedFile(tmp_path / "other", on_unsynced=told.append) as new:
        new.write(CONTENT)
        new.keep()
    assert [one.errno for one in told] == [errno.EIO]
    monkeypatch.undo()
    assert names(tmp_path) == ["other"]


def test_a_full_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(WriteFailedError, match="No space left"):
        claimed(tmp_path / "new")
    assert names(tmp_path) == []


# -- signals and kills ---------------------------------------------------------------------------

MAKER = """
import sys, time
from pathlib import Path
from recovery.new_file import StagedFile
with StagedFile(Path(sys.argv[1])) as new:
    new.path.write_bytes(b"canary")
    if sys.argv[2] == "published":
        new.publish()
    print("ready", flush=True)
    for _ in range(600):  # Python 3.14 may begin one sleep after the signal, and sleep it out
        time.sleep(0.1)
"""


def interrupted(target: Path, state: str, number: signal.Signals) -> None:
    """Make a file in another process, and send it a signal in the middle."""
    with subprocess.Popen(
        [sys.executable, "-c", MAKER, str(target), state],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        process.wait(timeout=30)


@pytest.mark.parametrize("state", ["staged", "published"])
def test_ctrl_c_leaves_nothing(tmp_path: Path, state: str) -> None:
    interrupted(tmp_path / "new", state, signal.SIGINT)
    assert names(tmp_path) == []


def test_what_a_killed_process_leaves_is_private_and_the_next_one_removes_it(
    tmp_path: Path,
) -> None:
    interrupted(tmp_path / "new", "staged", signal.SIGKILL)
    (left,) = tmp_path.iterdir()
    assert stat.S_IMODE(left.stat().st_mode) == 0o700
    staged(tmp_path / "young")
    assert left.exists()  # its maker could be about to lock it
    long_ago = time.time() - 1000
    os.utime(left, (long_ago, long_ago))
    staged(tmp_path / "old")
    assert names(tmp_path) == ["old", "young"]


def test_what_a_living_process_makes_is_left_to_it(tmp_path: Path) -> None:
    with StagedFile(tmp_path / "new") as new:
        new.path.write_bytes(CONTENT)
        os.utime(new.path.parent, (1, 1))
        staged(tmp_path / "other")
        new.publish()
        new.keep()
    assert names(tmp_path) == ["new", "other"]


@pytest.mark.parametrize("suffix", ["", ".plain"])
def test_a_write_that_fails_is_told_by_the_name_that_was_asked_for(
    tmp_path: Path, suffix: str
) -> None:
    target = tmp_path / "new"
    with (
        pytest.raises(WriteFailedError, match=f"^writing {target} failed") as caught,
        StagedFile(target) as new,
    ):
        raise WriteFailedError(
            path=f"{new.path}{suffix}",
            problem="no space",
            outcome="unchanged",
            hint="make space there",
        )
    assert caught.value.hint == "make space there"
    assert names(tmp_path) == []


@pytest.mark.parametrize("make", [require_free, lambda path, way: StagedFile(path, elsewhere=way)])
def test_where_no_file_can_be_made_the_way_of_who_asked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, str], object]
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StoreAccessError) as caught:
        make(tmp_path / "new", "make a copy")
    assert "make a copy" in advice(caught.value.hint)


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_rename_replaces_nothing(tmp_path: Path, *, is_folder: bool) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir() if is_folder else one.write_bytes(CONTENT)
    rename_new(one, tmp_path / "two")
    other.mkdir() if is_folder else other.touch()
    with pytest.raises(FileExistsError):
        rename_new(tmp_path / "two", other)
    assert (tmp_path / "two").exists()
    assert not one.exists()


def test_without_hard_links_no_empty_file_has_the_name_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "rename", refuse)
    with StagedFile(tmp_path / "new") as new:
        new.path.write_bytes(CONTENT)
        new.publish()
        new.keep()
    assert (tmp_path / "new").read_bytes() == CONTENT
