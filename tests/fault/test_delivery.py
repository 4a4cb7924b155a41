"""Tokens of a rotation that cannot be handed over."""

import errno
import os
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from recovery.metastore.store import MetaStore
from recovery.new_file import ClaimedFile
from recovery.secret import Secret
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


def test_a_token_that_may_be_in_force_stays_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails at the meta, and only looking tells whether it came about."""
    cli = Cli(tmp_path / "home")
    made = make_store(tmp_path / "influxd.bolt", level=21)
    place = tmp_path / "token"
    synced = []

    def sync(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), made.path.stat()):
            synced.append(descriptor)
            if len(synced) == 2:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    words = ("auth", "create-operator", "--username", "alice", "--org", "acme", "--yes")
    with monkeypatch.context() as context:
        context.setattr(os, "fdatasync", sync)
        context.setattr(os, "fsync", sync)
        ended = cli.run_here(*words, "--token-file", place, "--bolt-path", made.path)
    assert ended.code == ExitCode.OUTCOME_UNKNOWN
    assert "its token is where it was to go" in ended.stderr
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        assert tx.authorizations.find(Secret(place.read_text().strip())) is not None


def test_what_cannot_be_removed_again_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new store whose folder cannot be synced, on a disk that lets nothing be removed."""
    cli = Cli(tmp_path / "home")
    path = tmp_path / "data" / "influxd.bolt"
    path.parent.mkdir()
    real = os.fsync

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def sync(descriptor: int) -> None:
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.parent.stat()):
            fail()
        real(descriptor)

    words = ("setup", "--username", "a", "--org", "o", "--bucket", "b", "--no-password")
    with monkeypatch.context() as context:
        context.setattr(os, "fsync", sync)
        for call in ("unlink", "rmdir"):
            context.setattr(os, call, fail)
        ended = cli.run_here(*words, "--no-token", "--bolt-path", path)
    assert path.exists()
    assert ended.code == ExitCode.WRITE_FAILED
    assert "nothing was changed" not in ended.stderr
    assert set(map(str, path.parent.iterdir())) <= set(ended.stderr.split())
    assert "were made and cannot be removed, and nothing else was changed" in ended.stderr
