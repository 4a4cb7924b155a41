"""Bringing back, or making a restore possible, that is killed: all of it or nothing is there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import bolt_store
from recovery.errors import WriteFailedError
from recovery.services.authorizations.changes import DeleteAuthorization
from recovery.services.authorizations.v1_auth import DeleteLegacy
from recovery.services.changes.plan import Planner
from recovery.services.stores.prepare_restore import prepare_restore
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser
from recovery.services.undeletion.logins import UndeleteLogin
from recovery.services.undeletion.tokens import UndeleteTokens
from recovery.services.undeletion.traces import Traces
from recovery.services.undeletion.users import UndeleteUser
from tests.support.backup_folder import write_backup_folder
from tests.support.kills import killed_at_each_step
from tests.support.model import Model, dump_file, problems
from tests.support.mounts import mounted
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    ListRecorder,
    MadeStore,
    SeededRng,
    change,
    make_store,
    traces_of,
)

BOB = UserChoice(name="bob", user_id=None)
Back = Callable[[MadeStore, Traces], Planner]
UNDELETIONS: dict[str, tuple[Callable[[MadeStore], Planner], Back]] = {
    "auth": (
        lambda made: DeleteAuthorization(authorization_id=made.hashed, is_ensured=False),
        lambda made, traces: UndeleteTokens(
            ids=(made.hashed,), traces=traces, deletions={}, is_ensured=True
        ),
    ),
    "user": (
        lambda _: DeleteUser(user=BOB, with_tokens=True),
        lambda _, traces: UndeleteUser(user=BOB, traces=traces, with_tokens=True, is_ensured=True),
    ),
    "v1-auth": (
        lambda _: DeleteLegacy(which="grafana", is_ensured=False),
        lambda _, traces: UndeleteLogin(which="grafana", traces=traces, is_ensured=True),
    ),
}


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    folder = tmp_path / "store"
    folder.mkdir()
    return make_store(folder / "influxd.bolt", level=21)


def _sound_dump(path: Path) -> Model:
    with bolt_store.open(path) as db:
        assert [text for text in problems(db) if "[meta.invalid]" not in text] == []
        return dump_file(db)


@pytest.mark.parametrize(
    "noun", ["v1-auth", *(pytest.param(one, marks=pytest.mark.slow) for one in ("auth", "user"))]
)
def test_a_killed_undeletion_is_ended_by_the_next(made: MadeStore, noun: str) -> None:
    delete, bring_back = UNDELETIONS[noun]
    change(made.path, delete(made))
    deleted, without = made.path.read_bytes(), _sound_dump(made.path)
    planner = bring_back(made, traces_of(made.path))
    change(made.path, planner)
    whole = _sound_dump(made.path)
    assert whole != without

    def prepare() -> None:
        shutil.rmtree(made.path.parent)
        made.path.parent.mkdir()
        made.path.write_bytes(deleted)

    def run() -> None:
        change(made.path, planner)

    ends = []
    for kill in killed_at_each_step(prepare, run, made.path.parent):
        found = _sound_dump(made.path)
        assert found in (without, whole), kill
        ends.append(found == whole)
        again = bring_back(made, traces_of(made.path))
        change(made.path, again)
        assert _sound_dump(made.path) == whole, kill
    assert set(ends) == {False, True}


@pytest.mark.parametrize("noun", UNDELETIONS)
def test_a_full_disk_leaves_the_store_as_it_was(
    made: MadeStore, noun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th write fails, for every n until none is left."""
    import os  # noqa: PLC0415 # patched below

    delete, bring_back = UNDELETIONS[noun]
    change(made.path, delete(made))
    deleted, without = made.path.read_bytes(), _sound_dump(made.path)
    planner = bring_back(made, traces_of(made.path))
    real, failures = os.pwrite, 0
    for number in range(60):
        shutil.rmtree(made.path.parent)
        made.path.parent.mkdir()
        made.path.write_bytes(deleted)
        calls = iter(range(number))

        def failing(*arguments: object, calls: object = calls) -> int:
            if next(calls, None) is None:  # type: ignore[call-overload] # an iterator
                raise OSError(28, "No space left on device")
            return real(*arguments)  # type: ignore[arg-type] # as they came

        monkeypatch.setattr(os, "pwrite", failing)
        try:
            change(made.path, planner)
        except WriteFailedError:
            failures += 1
            monkeypatch.setattr(os, "pwrite", real)
            assert _sound_dump(made.path) == without
        else:
            break
        finally:
            monkeypatch.setattr(os, "pwrite", real)
    assert failures > 2


class _Backup:
    """A backup, and the copy of it that can be restored."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "backup"
        self.target = folder / "out" / "copy"
        store = make_store(folder / "hashed.bolt", level=21)
        change(store.path, DeleteAuthorization(authorization_id=store.operator, is_ensured=False))
        write_backup_folder(self.source, store.path)

    def prepare(self) -> None:
        shutil.rmtree(self.target.parent, ignore_errors=True)
        self.target.parent.mkdir()

    def run(self) -> None:
        prepare_restore(
            self.source,
            self.target,
            recorder=ListRecorder(),
            reason=None,
            clock=FixedClock(CHANGED_AT),
            rng=SeededRng(),
            is_dry_run=False,
        )

    def content(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.target.iterdir()}


@pytest.mark.slow
def test_a_killed_copy_of_a_backup_is_whole_or_not_there(tmp_path: Path) -> None:
    backup = _Backup(tmp_path)
    original = {path: path.read_bytes() for path in backup.source.iterdir()}
    backup.prepare()
    backup.run()
    whole = backup.content()
    ends = []
    for kill in killed_at_each_step(backup.prepare, backup.run, backup.target.parent):
        ends.append(backup.target.exists())
        if not backup.target.exists():
            backup.run()
        assert backup.content() == whole, kill
    assert set(ends) == {False, True}
    assert {path: path.read_bytes() for path in backup.source.iterdir()} == original


def test_a_disk_of_any_size_has_the_whole_copy_or_nothing(tmp_path: Path) -> None:
    backup = _Backup(tmp_path)
    backup.prepare()
    backup.run()
    whole, ends = backup.content(), []
    for size_kib in (4, 8, 16, 40, 100, 4096):
        with mounted(tmp_path / f"disk{size_kib}", size_bytes=size_kib << 10) as disk:
            backup.target = disk / "copy"
            try:
                backup.run()
            except WriteFailedError:
                ends.append(False)
                assert list(disk.iterdir()) == []
            else:
                ends.append(True)
                assert backup.content() == whole
    assert ends == sorted(ends)
    assert set(ends) == {False, True}
