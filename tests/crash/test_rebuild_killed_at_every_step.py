"""A rebuild that is killed: the new store is complete or not there, whenever it happens."""

import shutil
from pathlib import Path

from tests.support.engine_files import write_engine
from tests.support.kills import Kill, killed_at_each_step
from tests.support.oracle import Dump
from tests.support.rebuilding import rebuild


def test_the_new_store_is_complete_or_absent(tmp_path: Path) -> None:
    engine, folder = tmp_path / "engine", tmp_path / "work"
    target = folder / "new.bolt"
    write_engine(engine)
    content = {path: path.read_bytes() for path in engine.rglob("*") if path.is_file()}

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def run() -> None:
        rebuild(engine, target, has_password=False)

    prepare()
    run()
    after = Dump.of_sound_file(target)
    kills: list[Kill] = []
    found: set[bool] = set()
    for kill in killed_at_each_step(prepare, run, folder):
        kills.append(kill)
        found.add(target.exists())
        if target.exists():
            assert Dump.of_sound_file(target) == after
    assert len(kills) > 5
    assert found == {False, True}
    assert {path: path.read_bytes() for path in engine.rglob("*") if path.is_file()} == content
