"""What happens when a new token cannot be handed over, or somebody interrupts just then."""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from tests.support.mounts import mounted
from tests.support.run_cli import PATIENCE_S, Cli, Ended

CREATE = ("auth", "create-operator", "--yes")


def operators(cli: Cli, store: Path) -> set[str]:
    """List the IDs of all operator tokens."""
    done = cli.run("auth", "list", "--operators", "--json", "--bolt-path", store)
    return {item["id"] for item in json.loads(done.stdout)["authorizations"]}


def assert_refused(done: Ended, store: Path, content: bytes) -> None:
    """Check that nothing was changed and no copy of the secrets is left."""
    assert done.code == ExitCode.REFUSED, done.stderr
    assert "nothing was changed" in done.error
    assert store.read_bytes() == content
    assert list(store.parent.glob("*.backup")) == []


def test_a_full_disk_behind_stdout_is_noticed_before_the_change(
    cli: Cli, level21_bolt: Path, tmp_path: Path
) -> None:
    content = level21_bolt.read_bytes()
    with mounted(tmp_path / "disk", size_bytes=16384) as disk:
        fill_disk(disk)
        with (disk / "stdout").open("wb") as full:
            done = cli.run(*CREATE, "--token-stdout", "--bolt-path", level21_bolt, stdout=full)
    assert_refused(done, level21_bolt, content)


def test_a_reader_who_has_gone_is_noticed_before_the_change(cli: Cli, level21_bolt: Path) -> None:
    content = level21_bolt.read_bytes()
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = cli.run(*CREATE, "--token-stdout", "--bolt-path", level21_bolt, stdout=gone)
    assert_refused(done, level21_bolt, content)


def test_a_full_disk_below_the_token_file_is_noticed_before_the_change(
    cli: Cli, level21_bolt: Path, tmp_path: Path
) -> None:
    content = level21_bolt.read_bytes()
    with mounted(tmp_path / "disk", size_bytes=16384) as disk:
        fill_disk(disk)
        place = disk / "token"
        done = cli.run(*CREATE, "--token-file", place, "--bolt-path", level21_bolt)
        assert sorted(path.name for path in disk.iterdir()) == ["filler"]
    assert_refused(done, level21_bolt, content)


def test_a_set_up_whose_token_has_no_room_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    store = tmp_path / "new" / "influxd.bolt"
    store.parent.mkdir()
    words = ("setup", "--username", "admin", "--org", "first", "--bucket", "b", "--no-password")
    with mounted(tmp_path / "disk", size_bytes=16384) as disk:
        fill_disk(disk)
        done = cli.run(*words, "--token-file", disk / "token", "--bolt-path", store)
    assert done.code == ExitCode.REFUSED, done.stderr
    assert list(store.parent.iterdir()) == []
    again = cli.run(*words, "--token-file", tmp_path / "token", "--bolt-path", store)
    assert again.code == ExitCode.DONE, again.stderr
    assert len((tmp_path / "token").read_text().strip()) == 88


def test_a_reader_who_goes_at_the_last_moment_loses_the_token_and_is_told_which(
    cli: Cli, level21_bolt: Path
) -> None:
    before = operators(cli, level21_bolt)
    reading, writing = os.pipe()
    fill(writing)
    process = subprocess.Popen(
        cli.command(*CREATE, "--token-stdout", "--log-level", "info", "--bolt-path", level21_bolt),
        env=cli.environ(),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    assert process.stderr is not None
    with process:
        for line in process.stderr:
            if b"store.changed" in line:
                break
        os.close(reading)
        rest = process.stderr.read().decode()
        code = process.wait(timeout=PATIENCE_S)
    assert code == ExitCode.NOT_DELIVERED
    (new,) = operators(cli, level21_bolt) - before
    assert f"authorization {new} was made and its token is lost" in rest
    assert f"influx auth delete --id {new}" in rest
    with closing(sqlite3.connect(cli.ledger)) as connection:
        outcomes = [row[0] for row in connection.execute("SELECT outcome FROM entries ORDER BY id")]
    assert outcomes[-1] == "undelivered"


@pytest.mark.parametrize("name", ["{}.tmp", "influxd.sqlite-journal", "influxd.SQLITE-WAL"])
def test_a_token_file_with_a_name_that_influxd_deletes_is_refused(
    cli: Cli, level21_bolt: Path, name: str
) -> None:
    place = level21_bolt.with_name(name.format(level21_bolt.name))
    done = cli.run(*CREATE, "--token-file", place, "--bolt-path", level21_bolt)
    assert done.code == ExitCode.REFUSED
    assert "influxd deletes such files" in done.error
    assert not place.exists()


def test_a_token_file_in_no_folder_is_refused_before_the_change(
    cli: Cli, level21_bolt: Path
) -> None:
    content = level21_bolt.read_bytes()
    place = cli.home / "nowhere" / "token"
    done = cli.run(*CREATE, "--token-file", place, "--bolt-path", level21_bolt)
    assert done.code == ExitCode.REFUSED
    assert str(place.parent) in done.error
    assert "mkdir -p" in done.hint
    assert content == level21_bolt.read_bytes()
    assert list(level21_bolt.parent.glob("*.backup")) == []


@pytest.mark.parametrize(
    ("redirection", "reason"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left")]
)
def test_a_stdout_that_takes_nothing_is_refused_before_the_change(
    cli: Cli, level21_bolt: Path, redirection: str, reason: str
) -> None:
    content = level21_bolt.read_bytes()
    shell = ("/bin/sh", "-c", f'exec "$@" {redirection}', "sh")
    done = cli.run(*CREATE, "--token-stdout", "--bolt-path", level21_bolt, prefix=shell)
    assert done.code == ExitCode.REFUSED
    assert reason in done.error
    assert content == level21_bolt.read_bytes()
    assert list(level21_bolt.parent.glob("*.backup")) == []


def test_an_interruption_after_the_commit_waits_for_the_delivery(
    cli: Cli, level21_bolt: Path
) -> None:
    """The program is stopped while it waits for somebody to read the token."""
    reading, writing = os.pipe()
    fill(writing)
    process = subprocess.Popen(
        cli.command(*CREATE, "--token-stdout", "--log-level", "info", "--bolt-path", level21_bolt),
        env=cli.environ(),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(writing)
    assert process.stderr is not None
    with process, os.fdopen(reading, "rb") as pipe:
        for line in process.stderr:
            if b"store.changed" in line:
                break
        process.send_signal(signal.SIGINT)
        token = pipe.read().lstrip(b".").decode()
        rest = process.stderr.read().decode()
        code = process.wait(timeout=PATIENCE_S)
    assert code == ExitCode.INTERRUPTED
    assert len(token.strip()) == 88
    assert "interrupted; the change had been made and is in force" in rest


def fill_disk(folder: Path) -> None:
    """Use up a file system."""
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def fill(pipe: int) -> None:
    """Fill a pipe, so that the next write to it waits for a reader."""
    flags = fcntl.fcntl(pipe, fcntl.F_GETFL)
    fcntl.fcntl(pipe, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, b"." * 4096)  # in no token
    fcntl.fcntl(pipe, fcntl.F_SETFL, flags)
