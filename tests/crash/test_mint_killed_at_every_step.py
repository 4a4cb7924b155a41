"""A mint that is killed: the store is as before or as after, whenever it happens."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import bolt_store
from recovery.metastore.store import MetaStore
from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest
from recovery.services.changes.backup_rule import BackupEachChange
from recovery.services.changes.plan import Manner
from recovery.services.changes.ports import Ports
from tests.support.kills import Kill, killed_at_each_step
from tests.support.oracle import Dump, Oracle
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    ListRecorder,
    MemoryDestination,
    SeededRng,
    YesAudience,
    difference,
    run_change,
)

BACKUP_NAME = "influxd.bolt.20260102T030405Z.auth-create-operator.backup"


@dataclass(frozen=True)
class Scene:
    """A folder with a store, and a mint in it.

    Attributes:
        original: A real store, never written.
        path: The copy that is worked on, alone in its folder.
        form: How the token is stored.
        output_path: Where a changed copy goes; None for work on the store itself.
    """

    original: Path
    path: Path
    form: FormChoice
    output_path: Path | None = None

    def prepare(self) -> None:
        """Put everything back."""
        shutil.rmtree(self.path.parent, ignore_errors=True)
        self.path.parent.mkdir()
        shutil.copyfile(self.original, self.path)

    def mint(self) -> None:
        """Make the same token each time."""
        clock = FixedClock(CHANGED_AT)
        planner = CreateAuthorization(
            operation="auth create-operator",
            request=PermissionRequest(is_operator=True),
            username=None,
            organization=None,
            description=None,
            form=self.form,
            server_hashes=None,
            clock=clock,
            rng=SeededRng(),
        )
        run_change(
            self.path,
            planner,
            manner=Manner(output_path=self.output_path, backups=BackupEachChange(clock)),
            ports=Ports(
                audience=YesAudience(),
                recorder=ListRecorder(),
                destination=MemoryDestination(),
            ),
        )


@pytest.fixture(params=["level17.bolt", "level21.bolt"])
def original(request: pytest.FixtureRequest, stores_dir: Path) -> Path:
    """Each of the real stores."""
    return stores_dir / str(request.param)


@pytest.fixture(params=[FormChoice.BY_STORE, FormChoice.RAW])
def scene(request: pytest.FixtureRequest, original: Path, tmp_path: Path) -> Scene:
    """A mint in the store itself."""
    form = FormChoice(request.param)
    return Scene(original=original, path=tmp_path / "work" / "influxd.bolt", form=form)


def run_killed(scene: Scene, look: Callable[[Kill], None]) -> list[Kill]:
    """Kill the mint at each step, look at what is left, and return how it ended each time."""
    kills = list[Kill]()
    for kill in killed_at_each_step(scene.prepare, scene.mint):
        kills.append(kill)
        look(kill)
    return kills


def sound_dump(path: Path) -> Dump:
    """Return what is in a file that must check clean."""
    with bolt_store.open(path) as db:
        found = [str(one) for one in db.check() if one.severity >= bolt_store.Severity.WARNING]
        assert found == []
        return Dump.of(db)


def test_the_store_is_as_before_or_as_after(scene: Scene) -> None:
    scene.prepare()
    before = sound_dump(scene.path)
    scene.mint()
    after = sound_dump(scene.path)
    assert len(difference(before, after).added) == 2
    seen: dict[str, set[bool]] = {}

    def look(kill: Kill) -> None:
        found = sound_dump(scene.path)
        assert found in (before, after)
        seen.setdefault(kill.call, set()).add(found == after)

    kills = run_killed(scene, look)
    assert {"pwrite", "fdatasync", "copy_file_range", "link"} <= {kill.call for kill in kills}
    assert seen["copy_file_range"] == {False}
    assert seen["pwrite"] == {False, True}
    assert seen[""] == {True}


def test_bbolt_finds_every_result_sound_and_reads_the_same(scene: Scene, oracle: Oracle) -> None:
    results = dict[bytes, Dump]()

    def look(_: Kill) -> None:
        results[scene.path.read_bytes()] = sound_dump(scene.path)

    run_killed(scene, look)
    assert len(results) > 2
    with oracle.session() as session:
        for content, dump in results.items():
            scene.path.write_bytes(content)
            with session.opened(scene.path):
                assert session.check() == []
                assert session.dump() == dump


def test_after_any_kill_the_next_mint_succeeds(scene: Scene) -> None:
    """Whatever the killed one has left behind is not in the way."""

    def look(_: Kill) -> None:
        before = sound_dump(scene.path)
        scene.mint()
        assert len(difference(before, sound_dump(scene.path)).added) == 2

    run_killed(scene, look)


def test_a_backup_that_has_its_name_is_complete(scene: Scene) -> None:
    original = scene.original.read_bytes()
    with MetaStore.open(scene.original, write=False) as store:
        txid = store.txid
    with_backup = set[str]()

    def look(kill: Kill) -> None:
        backup = scene.path.with_name(BACKUP_NAME)
        if backup.exists():
            assert backup.read_bytes() == original
            with_backup.add(kill.call)
        with MetaStore.open(scene.path, write=False) as store:
            is_changed = store.txid != txid
        assert backup.exists() or not is_changed

    run_killed(scene, look)
    assert {"pwrite", "fdatasync"} <= with_backup


def test_with_output_the_store_is_untouched_and_the_copy_is_complete_or_absent(
    original: Path, tmp_path: Path
) -> None:
    path = tmp_path / "work" / "influxd.bolt"
    scene = Scene(
        original=original,
        path=path,
        form=FormChoice.BY_STORE,
        output_path=path.with_name("copy.bolt"),
    )
    scene.prepare()
    scene.mint()
    assert scene.output_path is not None
    after = sound_dump(scene.output_path)
    copies = list[bool]()

    def look(_: Kill) -> None:
        assert path.read_bytes() == original.read_bytes()
        assert scene.output_path is not None
        copies.append(scene.output_path.exists())
        if scene.output_path.exists():
            assert sound_dump(scene.output_path) == after

    run_killed(scene, look)
    assert set(copies) == {False, True}
