"""A mint that is killed: the store is as before or as after, whenever it happens."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest
from recovery.services.changes import backup
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
            manner=Manner(
                output_path=self.output_path, backups=BackupEachChange(clock), is_confirmed=True
            ),
            ports=Ports(
                audience=YesAudience(),
                recorder=ListRecorder(),
                destination=MemoryDestination(),
            ),
        )


@dataclass(frozen=True)
class Left:
    """What a killed mint left, and what the next one made of it.

    Attributes:
        kill: How it ended.
        content: The store, byte for byte.
        dump: What is in it; it checks clean.
        backup: The backup, where it has its name.
        minted: What was in the store after the next mint.
    """

    kill: Kill
    content: bytes
    dump: Dump
    backup: bytes | None
    minted: Dump


def left_by(scene: Scene) -> list[Left]:
    """Kill the mint at each step, mint once more, and return what was seen each time."""
    seen = list[Left]()
    for kill in killed_at_each_step(scene.prepare, scene.mint, scene.path.parent):
        backup = scene.path.with_name(BACKUP_NAME)
        kept = backup.read_bytes() if backup.exists() else None
        content, dump = scene.path.read_bytes(), Dump.of_sound_file(scene.path)
        scene.mint()
        seen.append(Left(kill, content, dump, kept, Dump.of_sound_file(scene.path)))
    return seen


@pytest.fixture(
    scope="module",
    params=[
        ("level17.bolt", FormChoice.RAW, "in turn"),
        ("level21.bolt", FormChoice.RAW, "in turn"),
        ("level21.bolt", FormChoice.BY_STORE, "in turn"),
        ("level21.bolt", FormChoice.BY_STORE, "side by side"),
    ],
    ids="-".join,
)
def scene(
    request: pytest.FixtureRequest, stores_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """A mint in the store itself, for each of the real stores and each form that it can have.

    Side by side: as a large store, which is checked while it is copied.
    """
    level, form, manner = request.param
    folder = tmp_path_factory.mktemp("mint") / "work"
    with pytest.MonkeyPatch.context() as patch:
        if manner == "side by side":
            patch.setattr(backup, "BESIDE_BYTES_MIN", 0)
        yield Scene(original=stores_dir / level, path=folder / "influxd.bolt", form=form)


@pytest.fixture(scope="module")
def left(scene: Scene) -> list[Left]:
    """What was left, whenever the mint was killed."""
    return left_by(scene)


def test_the_store_is_as_before_or_as_after(scene: Scene, left: list[Left]) -> None:
    scene.prepare()
    before = Dump.of_sound_file(scene.path)
    scene.mint()
    after = Dump.of_sound_file(scene.path)
    assert len(difference(before, after).added) == 2
    seen: dict[str, set[bool]] = {}
    for one in left:
        assert one.dump in (before, after), one.kill
        seen.setdefault(one.kill.call, set()).add(one.dump == after)
    assert {"pwrite", "fdatasync", "copy_file_range", "link"} <= set(seen)
    assert seen["copy_file_range"] == {False}
    assert seen["pwrite"] == {False, True}
    assert seen[""] == {True}


def test_bbolt_finds_every_result_sound_and_reads_the_same(
    left: list[Left], oracle: Oracle, tmp_path: Path
) -> None:
    results = {one.content: one.dump for one in left}
    assert len(results) > 2
    path = tmp_path / "influxd.bolt"
    with oracle.session() as session:
        for content, dump in results.items():
            path.write_bytes(content)
            with session.opened(path):
                assert session.check() == []
                assert session.dump() == dump


def test_after_any_kill_the_next_mint_succeeds(left: list[Left]) -> None:
    """Whatever the killed one has left behind is not in the way."""
    for one in left:
        assert len(difference(one.dump, one.minted).added) == 2, one.kill


def test_a_backup_that_has_its_name_is_complete(scene: Scene, left: list[Left]) -> None:
    original = scene.original.read_bytes()
    for one in left:
        assert one.backup in (None, original), one.kill
        # The free pages and the end of the file may differ before anything is changed.
        assert one.backup == original or one.dump == left[0].dump, one.kill
    assert {"pwrite", "fdatasync"} <= {one.kill.call for one in left if one.backup}


def test_with_output_the_store_is_untouched_and_the_copy_is_complete_or_absent(
    stores_dir: Path, tmp_path: Path
) -> None:
    original = stores_dir / "level21.bolt"
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
    after = Dump.of_sound_file(scene.output_path)
    copies = list[bool]()

    for kill in killed_at_each_step(scene.prepare, scene.mint, scene.path.parent):
        assert path.read_bytes() == original.read_bytes(), kill
        copies.append(scene.output_path.exists())
        if scene.output_path.exists():
            assert Dump.of_sound_file(scene.output_path) == after
    assert set(copies) == {False, True}
