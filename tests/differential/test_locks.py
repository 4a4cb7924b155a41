"""Go and Python keep each other out of a file, and only where they must.

Waiting is never tested against the clock but from below: a try that gave up at once would be seen,
a slow machine is not.
"""

import fcntl
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

import bolt_store
from bolt_store.errors import LockError, LockTimeoutError
from tests.support.oracle import Dump, Oracle, OracleError, Script

GO_TRIES_ONCE = "-timeout=1ms"


@pytest.fixture
def path(oracle: Oracle, tmp_path: Path) -> Path:
    file = tmp_path / "locked.bolt"
    oracle.init(file)
    oracle.apply(file, Script().make(b"b").put((b"b",), b"k", b"v"))
    return file


@pytest.mark.parametrize("write", [True, False], ids=["exclusive", "shared"])
def test_a_go_writer_keeps_python_out(oracle: Oracle, path: Path, *, write: bool) -> None:
    with oracle.hold(path), pytest.raises(LockTimeoutError) as caught:
        bolt_store.open(path, write=write, timeout_s=0)
    assert caught.value.exclusive is write


def test_a_go_reader_keeps_a_python_writer_out(oracle: Oracle, path: Path) -> None:
    with oracle.hold(path, shared=True), pytest.raises(LockTimeoutError):
        bolt_store.open(path, write=True, timeout_s=0)


def test_go_and_python_read_at_the_same_time(oracle: Oracle, path: Path) -> None:
    with (
        oracle.hold(path, shared=True),
        bolt_store.open(path, timeout_s=0) as db,
        bolt_store.open(path, timeout_s=0) as second,
    ):
        assert oracle.dump(path) == Dump.of(db) == Dump.of(second)


@pytest.mark.parametrize("flags", [[], ["-read-only"]], ids=["writer", "reader"])
def test_a_python_writer_keeps_go_out(oracle: Oracle, path: Path, flags: list[str]) -> None:
    with (
        bolt_store.open(path, write=True),
        oracle.session(GO_TRIES_ONCE, *flags) as go,
        pytest.raises(OracleError, match="timeout"),
    ):
        go.open(path)


def test_a_python_reader_keeps_a_go_writer_out_and_lets_a_go_reader_in(
    oracle: Oracle, path: Path
) -> None:
    with bolt_store.open(path):
        with oracle.session(GO_TRIES_ONCE) as go, pytest.raises(OracleError, match="timeout"):
            go.open(path)
        with oracle.session(GO_TRIES_ONCE, "-read-only") as go, go.opened(path):
            assert go.check() == []


def test_a_new_file_is_locked_from_the_start(oracle: Oracle, tmp_path: Path) -> None:
    path = tmp_path / "new.bolt"
    with (
        bolt_store.create(path),
        oracle.session(GO_TRIES_ONCE) as go,
        pytest.raises(OracleError, match="timeout"),
    ):
        go.open(path)


def test_closing_releases_the_lock_for_go(oracle: Oracle, path: Path) -> None:
    bolt_store.open(path, write=True).close()
    with oracle.session(GO_TRIES_ONCE) as go, go.opened(path):
        assert go.check() == []


def test_a_posix_lock_would_not_see_go(oracle: Oracle, path: Path) -> None:
    """Why `flock` and never `lockf`: on a local file system they do not know of each other."""
    with oracle.hold(path), path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# -- how long a try lasts -----------------------------------------------------------------------


def test_a_try_for_the_lock_lasts_until_about_its_timeout(oracle: Oracle, path: Path) -> None:
    with oracle.hold(path):
        start = time.monotonic()
        with pytest.raises(LockTimeoutError) as caught:
            bolt_store.open(path, write=True, timeout_s=0.3)
        waited_s = time.monotonic() - start
    assert caught.value.timeout_s == 0.3
    assert waited_s >= 0.3 - 0.05, "the last pause of 50 ms is not begun, as in bbolt"


class Opening:
    """An attempt to open a locked file for writing, under way in a thread."""

    def __init__(self, path: Path) -> None:
        """Start it, and return once the file is open and only the lock is missing."""
        self._path = path
        self._result: bolt_store.DB | LockError | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        _await_descriptor(path)

    def _run(self) -> None:
        try:
            self._result = bolt_store.open(self._path, write=True, timeout_s=60)
        except LockError as error:
            self._result = error

    def result(self) -> bolt_store.DB | LockError | None:
        """Wait for its end."""
        self._thread.join()
        return self._result


def _await_descriptor(path: Path) -> None:
    """Return once this process has the file open: from then on it is trying for the lock."""
    wanted = path.stat().st_ino
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for descriptor in Path("/proc/self/fd").iterdir():
            try:
                found = os.stat(descriptor).st_ino  # noqa: PTH116 - follows the link in /proc
            except FileNotFoundError:
                continue  # the descriptor of this very listing
            if found == wanted:
                return
        threading.Event().wait(0.005)
    pytest.fail("the thread never opened the file")


def test_a_waiting_open_gets_the_lock_when_go_lets_go(oracle: Oracle, path: Path) -> None:
    with oracle.hold(path):
        opening = Opening(path)
    db = opening.result()
    assert isinstance(db, bolt_store.DB)
    with db:
        assert Dump.of(db).model == {b"b": {b"k": b"v"}}


def test_a_file_that_was_replaced_during_the_wait_is_refused(
    oracle: Oracle, path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.bolt"
    oracle.init(other)
    before = other.read_bytes()
    with oracle.hold(path):
        opening = Opening(path)
        other.replace(path)
    error = opening.result()
    assert isinstance(error, LockError)
    assert "replaced" in str(error)
    assert before == path.read_bytes()


# -- one process, and readers -------------------------------------------------------------------


def test_a_second_open_in_one_process_is_refused(path: Path) -> None:
    with bolt_store.open(path, write=True):
        for write in (True, False):
            with pytest.raises(LockTimeoutError):
                bolt_store.open(path, write=write, timeout_s=0)


def test_a_child_process_does_not_inherit_the_lock(oracle: Oracle, path: Path) -> None:
    db = bolt_store.open(path, write=True)
    # The child would keep every descriptor that is not closed on exec.
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):
        db.close()
        with oracle.session(GO_TRIES_ONCE) as go, go.opened(path):
            assert go.check() == []


def test_reading_changes_neither_the_file_nor_its_folder(path: Path) -> None:
    path.chmod(0o400)
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ctime_ns)
    with bolt_store.open(path) as db:
        assert Dump.of(db).model == {b"b": {b"k": b"v"}}
        list(db.check())
    assert before == (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ctime_ns)
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize("write", [True, False], ids=["writing", "reading"])
def test_opening_never_creates_a_file(tmp_path: Path, *, write: bool) -> None:
    with pytest.raises(FileNotFoundError):
        bolt_store.open(tmp_path / "missing.bolt", write=write)
    assert list(tmp_path.iterdir()) == []
