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


def assert_lost(cli: Cli, done: Ended, store: Path, before: set[str]) -> None:
    """Check that the error names the new authorization, and the ledger the loss."""
    assert done.code == ExitCode.NOT_DELIVERED, done.stderr
    (new,) = operators(cli, store) - before
    assert new in done.error
    assert new in done.hint
    assert "the store was changed" in done.error
    with closing(sqlite3.connect(cli.ledger)) as connection:
        outcomes = [row[0] for row in connection.execute("SELECT outcome FROM entries ORDER BY id")]
    assert outcomes[-1] == "undelivered"


def test_a_full_disk_behind_stdout_loses_the_token_and_says_which(
    cli: Cli, level21_bolt: Path, tmp_path: Path
) -> None:
    before = operators(cli, level21_bolt)
    with mounted(tmp_path / "disk", size_bytes=16384) as disk:
        fill_disk(disk)
        with (disk / "stdout").open("wb") as full:
            done = cli.run(*CREATE, "--token-stdout", "--bolt-path", level21_bolt, stdout=full)
    assert_lost(cli, done, level21_bolt, before)


def test_a_reader_who_has_gone_loses_the_token_and_says_which(cli: Cli, level21_bolt: Path) -> None:
    before = operators(cli, level21_bolt)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = cli.run(*CREATE, "--token-stdout", "--bolt-path", level21_bolt, stdout=gone)
    assert_lost(cli, done, level21_bolt, before)


def test_a_full_disk_below_the_token_file_is_noticed_before_anything_is_changed(
    cli: Cli, level21_bolt: Path, tmp_path: Path
) -> None:
    before = operators(cli, level21_bolt)
    with mounted(tmp_path / "disk", size_bytes=16384) as disk:
        fill_disk(disk)
        done = cli.run(*CREATE, "--token-file", disk / "token", "--bolt-path", level21_bolt)
        assert sorted(path.name for path in disk.iterdir()) == ["filler"]
    assert (done.code, operators(cli, level21_bolt)) == (ExitCode.REFUSED, before)
    assert "nothing was changed" in done.error


def test_a_token_file_with_a_name_that_influxd_deletes_is_refused(
    cli: Cli, level21_bolt: Path
) -> None:
    place = level21_bolt.with_name(f"{level21_bolt.name}.tmp")
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
    assert str(place) in done.error
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
        token = pipe.read().lstrip(b"x").decode()
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
            os.write(pipe, b"x" * 4096)
    fcntl.fcntl(pipe, fcntl.F_SETFL, flags)
