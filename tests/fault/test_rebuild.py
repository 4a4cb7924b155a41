"""A rebuild on a full disk: nothing is left, and the engine is as it was."""

from pathlib import Path

import pytest

from recovery.errors import RecoveryError, WriteFailedError
from tests.support.engine_files import write_engine
from tests.support.mounts import mounted
from tests.support.rebuilding import catalogue_of, rebuild
from tests.support.stores import MemoryDestination

SIZES = [0, 4 << 10, 16 << 10, 48 << 10, 96 << 10, 128 << 10, 160 << 10, 4 << 20]
"""From less than a page to more than is needed; what a store takes lies between."""


def test_a_disk_of_any_size_has_the_whole_store_or_nothing(tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    write_engine(engine)
    content = {path: path.read_bytes() for path in engine.rglob("*") if path.is_file()}
    whole = tmp_path / "whole.bolt"
    rebuild(engine, whole, has_password=False)
    outcomes = []
    for size_bytes in SIZES:
        tokens = MemoryDestination()
        with mounted(tmp_path / f"disk{size_bytes}", size_bytes=size_bytes or 4096) as disk:
            if not size_bytes:
                (disk / "filler").write_bytes(b"x" * 4096)
            target = disk / "new.bolt"
            try:
                rebuild(engine, target, has_password=False, destination=tokens)
            except WriteFailedError:
                outcomes.append(False)
                assert {path.name for path in disk.iterdir()} <= {"filler"}
                assert tokens.delivered == []
            else:
                outcomes.append(True)
                assert catalogue_of(target) == catalogue_of(whole)
    assert outcomes == sorted(outcomes)
    assert {False, True} <= set(outcomes)
    assert {path: path.read_bytes() for path in engine.rglob("*") if path.is_file()} == content


def test_a_disk_that_fills_up_at_any_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th call fails, for every n until none is left."""
    import os  # noqa: PLC0415 # patched below

    engine, folder = tmp_path / "engine", tmp_path / "work"
    write_engine(engine)
    folder.mkdir()
    failures = 0
    for call in ("pwrite", "fsync", "ftruncate"):
        real = getattr(os, call)
        for number in range(60):
            count = 0

            def failing(
                *arguments: object,
                call: str = call,  # noqa: ARG001 # bound now
                real: object = real,
                number: int = number,
            ) -> object:
                nonlocal count
                count += 1
                if count == number + 1:
                    raise OSError(28, "No space left on device")
                return real(*arguments)  # type: ignore[operator] # the real one

            monkeypatch.setattr(os, call, failing)
            target = folder / "new.bolt"
            try:
                rebuild(engine, target, has_password=False)
            except RecoveryError:
                failures += 1
                assert list(folder.iterdir()) == []
            else:
                target.unlink(missing_ok=True)
                if count <= number:
                    break
            finally:
                monkeypatch.setattr(os, call, real)
    assert failures > 3
