"""An undo that is killed: the store is as before or as after, and the next undo ends it."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

import bolt_store
from recovery.daemon.changes import Changes
from recovery.daemon.journal import Author
from recovery.errors import RefusedError
from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.model.ids import Id
from recovery.services.authorizations.changes import DeleteAuthorization
from recovery.services.changes.backup_rule import BackupEachChange
from recovery.services.changes.plan import Manner
from recovery.services.changes.ports import Ports
from recovery.services.session import Session
from recovery.services.tenancy.user_records import AddUser
from tests.support.kills import killed_at_each_step
from tests.support.model import Model, dump_file, problems
from tests.support.ports import FixedClock, ScriptedRng
from tests.support.stores import CHANGED_AT, YesAudience, run_change, undo

READER = Id("08371deae98c8000")
"""An authorization of the real stores."""


@dataclass(frozen=True)
class Scene:
    """A folder with a store in which something was deleted, and a ledger that knows."""

    original: Path
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "influxd.bolt"

    def ledger(self, clock: FixedClock) -> Ledger:
        actor = Actor(host="db1", uid=0, sudo_user=None, tool_version="1")
        return Ledger(path=self.folder / "ledger.sqlite", actor=actor, clock=clock)

    def prepare(self) -> None:
        """Put everything back, and delete an authorization."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        shutil.copyfile(self.original, self.path)
        clock = FixedClock(CHANGED_AT)
        ports = Ports(audience=YesAudience(), recorder=self.ledger(clock))
        planner = DeleteAuthorization(authorization_id=READER, is_ensured=False)
        run_change(self.path, planner, manner=Manner(backups=BackupEachChange(clock)), ports=ports)

    def prepare_session(self) -> None:
        """Put everything back, and let one run of the daemon change it several times."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        shutil.copyfile(self.original, self.path)
        clock = FixedClock(CHANGED_AT)
        author = Author(name="console key")
        with Session.open(self.path, write=True) as session:
            changes = Changes(session, self.ledger(clock), clock, reason=None)
            for number in range(1, 6):
                rng = ScriptedRng(bits=[number << 40])
                changes.make(AddUser(name=f"user {number}", clock=clock, rng=rng), author)
            changes.make(DeleteAuthorization(authorization_id=READER, is_ensured=False), author)
            changes.end()

    def undo(self, *, minutes: int = 1) -> None:
        clock = FixedClock(CHANGED_AT + timedelta(minutes=minutes))
        undo(self.path, self.ledger(clock), clock)

    def content(self) -> Model:
        with bolt_store.open(self.path) as db:
            assert [text for text in problems(db) if "[meta.invalid]" not in text] == []
            return dump_file(db)


@pytest.mark.parametrize(
    ("prepare", "every"),
    [
        (Scene.prepare, 1),
        (Scene.prepare_session, 7),
        pytest.param(Scene.prepare_session, 1, marks=pytest.mark.slow),
    ],
)
def test_a_killed_undo_is_ended_by_the_next(
    prepare: Callable[[Scene], None], every: int, stores_dir: Path, tmp_path: Path
) -> None:
    scene = Scene(original=stores_dir / "level21.bolt", folder=tmp_path / "work")
    original = scene.original.read_bytes()
    prepare(scene)
    after = scene.content()
    scene.undo()
    before = scene.content()
    assert scene.path.read_bytes() == original
    assert before != after
    calls = []
    for kill in killed_at_each_step(partial(prepare, scene), scene.undo, scene.folder):
        calls.append(kill.call)
        if kill.step % every:
            continue
        assert scene.content() in (before, after), kill
        with suppress(RefusedError):  # it had ended, and there is nothing left to take back
            scene.undo(minutes=2)
        assert scene.path.read_bytes() == original, kill
    assert calls.count("pwrite") > 3
    assert calls.count("fsync") > 3
