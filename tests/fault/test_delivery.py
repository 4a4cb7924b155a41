"""Tokens of a rotation that cannot be handed over."""

import errno
import os
from pathlib import Path

import pytest

from recovery.new_file import ClaimedFile
from tests.support.run_cli import Cli
from tests.support.stores import make_store


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
        context.setattr(ClaimedFile, "write", lambda *_: fail())
        full = cli.run_here(*words, "--bolt-path", made.path)
    assert full.code != 0
    assert not (tmp_path / "tokens").exists()
    assert made.path.read_bytes() == before
