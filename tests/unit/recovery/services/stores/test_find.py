"""Every store of a machine, with what is in it."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from recovery.services.stores.find import FoundFile, find_stores
from tests.support.fake_system import FakeSystem
from tests.support.locks import locked
from tests.support.stores import make_store

PACKAGE = "/var/lib/influxdb/influxd.bolt"
HOME = "/home/alice/.influxdbv2/influxd.bolt"


def fill(system: FakeSystem, path: str, *, level: int = 21) -> Path:
    file = system.store(path)
    make_store(file, level=level)
    return file


def find(system: FakeSystem, **environment: str) -> dict[Path, FoundFile]:
    found = find_stores(system.host(**environment), bolt_path=None)
    return {file.candidate.path: file for file in found.files}


def test_a_machine_without_stores_has_none(system: FakeSystem) -> None:
    found = find_stores(system.host(), bolt_path=None)
    assert (found.files, found.notes) == ((), ())


def test_several_stores_are_told_apart_by_what_is_in_them(system: FakeSystem) -> None:
    system.install_package()
    package, home = fill(system, PACKAGE), fill(system, HOME, level=17)
    found = find(system)
    assert set(found) == {package, home}
    levels = [file.facts.level for file in found.values() if file.facts is not None]
    assert sorted(levels) == [17, 21]
    contents = found[package].contents
    assert contents is not None
    assert (contents.organization_count, contents.user_count) == (2, 2)
    assert [one.state.value for one in contents.operators] == ["full", "partial"]


def test_what_a_server_would_open_is_said(system: FakeSystem) -> None:
    system.install_package()
    package, home = fill(system, PACKAGE), fill(system, HOME)
    found = find(system)
    assert found[package].candidate.opened_by == ("influxdb.service",)
    assert found[home].candidate.opened_by == ("an influxd started here by hand",)


def test_the_environment_decides_what_a_server_here_would_open(system: FakeSystem) -> None:
    named = fill(system, "/srv/named.bolt")
    home = fill(system, HOME)
    found = find(system, INFLUXD_BOLT_PATH=str(named))
    assert found[named].candidate.opened_by == ("an influxd started here by hand",)
    assert found[home].candidate.opened_by == ()


def test_a_store_in_use_is_counted_in_a_copy_that_is_gone_afterwards(
    system: FakeSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = fill(system, HOME)
    expected = find(system)[home]
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    with locked(home, exclusive=True) as pid:
        file = find(system)[home]
    assert list(copies.iterdir()) == []
    assert (file.contents, file.problem) == (expected.contents, None)
    assert expected.facts is not None
    assert file.facts == replace(expected.facts, is_live=True)
    assert file.lock is not None
    assert [holder.pid for holder in file.lock.holders] == [pid]


def test_a_large_store_in_use_is_not_copied(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = fill(system, HOME)
    monkeypatch.setattr("recovery.services.stores.find.LIVE_BYTES_MAX", 1)
    with locked(home, exclusive=True) as pid:
        file = find(system)[home]
    assert file.contents is None
    assert file.problem is not None
    assert str(pid) in file.problem


def test_a_free_store_has_no_holder(system: FakeSystem) -> None:
    home = fill(system, HOME)
    assert find(system)[home].lock is None


def test_a_file_that_is_no_store_is_listed_with_the_reason(system: FakeSystem) -> None:
    home = system.store(HOME)
    file = find(system)[home]
    assert (file.facts, file.contents) == (None, None)
    assert file.problem is not None
    assert "is not a bolt file" in file.problem


def test_looking_changes_nothing(system: FakeSystem) -> None:
    home = fill(system, HOME)
    before = home.read_bytes(), home.stat().st_mtime_ns, sorted(system.root.rglob("*"))
    find(system)
    assert (home.read_bytes(), home.stat().st_mtime_ns, sorted(system.root.rglob("*"))) == before
