"""Which changes have which backup: each its own, or one for all of a session."""

from pathlib import Path

import pytest

from recovery.metastore.store import MetaStore
from recovery.services.changes.backup import mark_backup, mark_of
from recovery.services.changes.backup_rule import BackupEachChange, BackupOnce
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, make_store

CLOCK = FixedClock(CHANGED_AT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_store(tmp_path / "influxd.bolt", level=21).path


def marked(folder: Path, digest: str) -> str | None:
    """Say what a mark reads as here: None on a file system that has no room for it."""
    probe = folder / "probe"
    probe.touch()
    mark_backup(probe, digest)
    return mark_of(probe)


def made(rule: BackupEachChange | BackupOnce, path: Path, digest: str) -> Path:
    """Make a backup for a change, as the sequence does, and see that the other work is done."""
    done: list[str] = []
    with MetaStore.open(path, write=False) as store:
        chosen = rule.choose(path, "auth delete")
        rule.make(store, chosen, meanwhile=lambda: done.append("checked"))
    assert done == ["checked"]
    rule.mark(chosen, digest)
    return chosen


def test_each_change_has_a_backup_of_its_own_with_its_mark(path: Path) -> None:
    rule = BackupEachChange(CLOCK)
    first = made(rule, path, "1")
    rule.keep(first)
    second = made(rule, path, "2")
    assert first != second
    assert all(".auth-delete." in one.name for one in (first, second))
    assert first.read_bytes() == second.read_bytes() == path.read_bytes()
    assert mark_of(first) == marked(path.parent, "1")
    assert mark_of(second) == marked(path.parent, "2")
    rule.withdraw(first)
    assert not first.exists()
    rule.withdraw(first)


def test_a_session_has_one_backup_with_the_mark_of_its_newest_change(path: Path) -> None:
    rule = BackupOnce(CLOCK, operation="serve")
    first = made(rule, path, "1")
    assert ".serve." in first.name
    before = first.read_bytes()
    rule.keep(first)
    path.write_bytes(make_store(path.with_name("other"), level=20).path.read_bytes())
    assert made(rule, path, "2") == first
    rule.withdraw(first)  # it did not come about
    assert first.read_bytes() == before
    assert mark_of(first) == marked(path.parent, "1")
    rule.keep(made(rule, path, "3"))
    assert mark_of(first) == marked(path.parent, "3")


def test_the_backup_of_a_change_that_did_not_come_about_is_made_again(path: Path) -> None:
    rule = BackupOnce(CLOCK, operation="serve")
    first = made(rule, path, "1")
    rule.withdraw(first)
    assert not first.exists()
    assert made(rule, path, "2").read_bytes() == path.read_bytes()
