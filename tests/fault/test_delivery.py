"""Tokens of a rotation that cannot be handed over, and the way back that is told."""

import errno
import os
import shlex
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from recovery.new_file import ClaimedFile, failed
from tests.support.run_cli import Cli
from tests.support.stores import all_keys, make_store


def test_a_rotation_whose_tokens_are_lost_is_taken_back_as_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails behind the commit, when the room had been reserved already."""
    cli = Cli(tmp_path / "home")
    made = make_store(tmp_path / "influxd.bolt", level=21)
    before = all_keys(made.path)

    def lose(*_: object) -> None:
        error = OSError(errno.EIO, os.strerror(errno.EIO))
        raise failed(tmp_path / "tokens", error) from error

    store = ("--bolt-path", made.path)
    words = ("auth", "rotate", "--all", "--token-file", tmp_path / "tokens", "--yes", *store)
    with monkeypatch.context() as context:
        context.setattr(ClaimedFile, "write", lose)
        lost = cli.run_here(*words)
    assert lost.code == ExitCode.NOT_DELIVERED
    assert "Input/output error" in lost.error
    assert not (tmp_path / "tokens").exists()
    assert all_keys(made.path) != before
    way = lost.hint[lost.hint.index("influx-recovery") :].partition(" to take")[0]
    back = cli.run_here(*shlex.split(way)[1:], "--yes")
    assert back.code == 0, back.stderr
    assert all_keys(made.path) == before


def test_a_rotation_on_a_full_disk_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(tmp_path / "home")
    made = make_store(tmp_path / "influxd.bolt", level=21)
    before = made.path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    words = ("auth", "rotate", "--all", "--token-file", tmp_path / "tokens", "--yes")
    with monkeypatch.context() as context:
        context.setattr(ClaimedFile, "reserve", lambda *_: fail())
        full = cli.run_here(*words, "--bolt-path", made.path)
    assert full.code != 0
    assert not (tmp_path / "tokens").exists()
    assert made.path.read_bytes() == before
