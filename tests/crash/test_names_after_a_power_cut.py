"""Where a power cut leaves a new file: under its name all of it, or nothing.

The bytes of a file are on the disk as they were when it was last synced, and its name is from when
it is given on, as far as the folder is not synced: there or not.
"""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.backup_folder import write_backup_folder
from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import Cli
from tests.support.stores import MadeStore, make_store

COMMANDS: dict[str, tuple[str, ...]] = {
    "compact": ("store", "compact", "{target}"),
    "salvage": ("store", "salvage", "{target}"),
    "backup": ("store", "backup", "{target}"),
    "packed": ("store", "backup", "{target}", "--gzip"),
    "live": ("store", "backup", "{target}", "--live"),
    "export": ("store", "export", "{target}"),
    "report": ("store", "report", "{target}"),
    "changed": ("auth", "set-inactive", "{reader}", "--output", "{target}", "--yes"),
    "prepared": ("store", "prepare-restore", "{backup}", "{target}"),
}


class Disk:
    """Sees what is synced, and which names are given to what.

    Attributes:
        named: What each path that got a name would hold after a power cut.
        is_durable: Whether the folder of each was synced behind that.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._synced: dict[int, str] = {}
        self.named: dict[str, dict[str, str | None]] = {}
        self.is_durable: dict[str, bool] = {}
        for call in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, call, self._syncing(getattr(os, call)))
        for call in ("link", "rename"):
            monkeypatch.setattr(os, call, self._naming(getattr(os, call)))

    def _syncing(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def sync(descriptor: int) -> None:
            real(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            self._synced[os.fstat(descriptor).st_ino] = content(path)
            for name in self.named:
                self.is_durable[name] |= Path(name).parent == path

        return sync

    def _naming(self, real: Callable[..., None]) -> Callable[..., None]:
        def name(source: Any, target: Any, **more: Any) -> None:  # noqa: ANN401 # as os has it
            real(source, target, **more)
            path = Path(target)
            files = [path, *path.rglob("*")] if path.is_dir() else [path]
            self.named[str(path)] = {str(one): self._synced.get(one.stat().st_ino) for one in files}
            self.is_durable[str(path)] = False

        return name


def content(path: Path) -> str:
    """Tell what is in a file, or which names are in a folder."""
    if path.is_dir():
        return " ".join(sorted(one.name for one in path.iterdir()))
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    """A store, and a backup of another one that cannot be restored as it is."""
    hashed = unpack_real_store("influxd-2.9.1-setup", tmp_path / "hashed.bolt")
    write_backup_folder(tmp_path / "backup", hashed)
    return make_store(tmp_path / "influxd.bolt", level=21)


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_new_file_is_whole_from_when_it_has_its_name(
    kind: str, made: MadeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli, target = Cli(tmp_path / "home"), tmp_path / "new"
    places = {"target": target, "reader": made.reader, "backup": tmp_path / "backup"}
    words = [word.format(**places) for word in COMMANDS[kind]]
    with monkeypatch.context() as context:
        disk = Disk(context)
        done = cli.run_here(*words, "--bolt-path", made.path)
    assert done.code in {0, 1}, done.stderr
    for path, left in disk.named[str(target)].items():
        is_linked = os.lstat(path).st_nlink > 1  # to a file of the backup, which was there before
        assert left == content(Path(path)) or is_linked, path
    assert disk.is_durable[str(target)]
