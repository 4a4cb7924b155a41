"""Looking at a path without changing anything."""

import os
import socket
from pathlib import Path

import pytest

from recovery.discovery.candidate import Files, State, look_at


def test_an_access_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "influxd.bolt"
    path.write_bytes(b"x")
    before = path.stat()
    look_at(path, "from --bolt-path")
    after = path.stat()
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x\0y", "\ud800" + "x" * 10, "x" * 300])
def test_a_path_that_cannot_be_is_missing(tmp_path: Path, name: str) -> None:
    candidate = look_at(tmp_path / name, "from --bolt-path")
    assert (candidate.state, candidate.problem) == (State.MISSING, "is no possible path")


def test_a_path_through_a_file_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    candidate = look_at(tmp_path / "file" / "influxd.bolt", "from --bolt-path")
    assert (candidate.state, candidate.problem) == (State.MISSING, "does not exist")


def test_a_socket_and_a_device_are_not_opened(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(tmp_path, os.O_RDONLY)
        try:  # a short path, since sockets allow no long ones
            server.bind(f"/proc/self/fd/{folder}/socket")
        finally:
            os.close(folder)
        candidate = look_at(tmp_path / "socket", "from --bolt-path")
    assert (candidate.state, candidate.problem) == (State.NOT_A_FILE, "is a socket")
    for path, problem in (("/dev/null", "is a device"), ("/proc/version", "is made up by the ")):
        candidate = look_at(Path(path), "from --bolt-path")
        assert candidate.state is State.NOT_A_FILE
        assert candidate.problem.startswith(problem)


def test_two_names_of_one_file_have_one_identity(tmp_path: Path) -> None:
    store = tmp_path / "influxd.bolt"
    store.write_bytes(b"x")
    link = tmp_path / "link"
    link.symlink_to(store)
    other = tmp_path / "other"
    other.write_bytes(b"x")
    assert look_at(store, "a").identity == look_at(link, "b").identity
    assert look_at(store, "a").identity != look_at(other, "b").identity


def test_two_spellings_of_an_absent_file_have_one_identity(tmp_path: Path) -> None:
    first = look_at(tmp_path / "a" / ".." / "x", "a")
    assert first.identity == look_at(tmp_path / "x", "b").identity


def test_merging_keeps_what_the_stronger_one_says(tmp_path: Path) -> None:
    first = look_at(tmp_path, "a", files=Files(use_hashed_tokens=False), opened_by=("one",))
    second = look_at(
        tmp_path,
        "b",
        files=Files(engine_path=tmp_path, use_hashed_tokens=True),
        opened_by=("two", "one"),
    )
    merged = first.merged(second)
    assert merged.reasons == ("a", "b")
    assert merged.opened_by == ("one", "two")
    assert merged.files == Files(engine_path=tmp_path, use_hashed_tokens=False)
