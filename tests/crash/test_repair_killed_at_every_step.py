"""A repair that is killed: the store is as before or as after, whenever it happens."""

import shutil
from pathlib import Path

import pytest

from recovery.services.doctor.check import Outlook
from tests.support.breakages import BREAKAGES
from tests.support.doctor import examined, repair
from tests.support.full_store import make_full_store
from tests.support.kills import killed_at_each_step
from tests.support.oracle import Dump
from tests.support.stores import change, edit

BROKEN = {
    "user name not in the index",
    "bucket not in the catalogue",
    "no bucket _tasks though there are tasks",
    "token raw and hashed",
    "stray token of a record",
}


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A store on which influxd does not start, for several reasons."""
    full = make_full_store(tmp_path / "broken.bolt")
    for breakage in BREAKAGES:
        if breakage.name in BROKEN:
            edit(full.path, lambda tx, one=breakage: one.break_(tx, full))  # type: ignore[misc] # a default binds it
    return full.path


def test_the_store_is_as_before_or_as_after(tmp_path: Path, broken: Path) -> None:
    path = tmp_path / "work" / "influxd.bolt"

    def prepare() -> None:
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir()
        shutil.copyfile(broken, path)
        path.chmod(0o600)

    def mend() -> None:
        change(path, repair())

    prepare()
    before = Dump.of_sound_file(path)
    assert examined(path).verdict.outlook is Outlook.DOES_NOT_START
    mend()
    after = Dump.of_sound_file(path)
    assert examined(path).verdict.outlook is Outlook.STARTS
    seen: dict[str, set[bool]] = {}
    for kill in killed_at_each_step(prepare, mend, path.parent):
        found = Dump.of_sound_file(path)
        assert found in (before, after)
        seen.setdefault(kill.call, set()).add(found == after)
    assert seen["copy_file_range"] == {False}
    assert seen["pwrite"] == {False, True}
    assert seen[""] == {True}
