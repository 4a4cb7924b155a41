"""Backups of servers that hash tokens, made restorable in full."""

import gzip
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recovery.errors import (
    ConflictError,
    RefusedError,
    StoreDamagedError,
    StoreNotFoundError,
    WriteFailedError,
)
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import DAY_NS
from recovery.model.catalogue import with_groups
from recovery.model.ids import Id
from recovery.model.shard_groups import ShardGroup
from recovery.services.authorizations.changes import SetStatus
from recovery.services.authorizations.hashing import HashTokens
from recovery.services.stores.prepare_restore import (
    DESCRIPTION,
    EndRestore,
    PreparedRestore,
    prepare_restore,
    restore_problem,
)
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import SetUserStatus
from tests.support.backup_folder import write_backup_folder
from tests.support.mounts import mounted
from tests.support.ports import FixedClock
from tests.support.real_stores import unpack_real_store
from tests.support.stores import (
    CHANGED_AT,
    ListRecorder,
    MadeStore,
    SeededRng,
    all_keys,
    change,
    edit,
    make_store,
)

CLOCK = FixedClock(CHANGED_AT)


@dataclass
class Scene:
    """A backup of a server that hashes tokens."""

    store: Path
    folder: Path
    target: Path
    kv: Path
    recorder: ListRecorder = field(default_factory=ListRecorder)

    def prepare(self, *, is_dry_run: bool = False) -> PreparedRestore:
        return prepare_restore(
            self.folder,
            self.target,
            recorder=self.recorder,
            reason=None,
            clock=CLOCK,
            rng=SeededRng(),
            is_dry_run=is_dry_run,
        )

    def content(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def restored(self) -> Path:
        """What a server makes of the prepared metadata."""
        path = self.store.with_name("restored.bolt")
        path.write_bytes(gzip.decompress((self.target / self.kv.name).read_bytes()))
        path.chmod(0o600)
        return path


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    store = unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")
    folder = tmp_path / "backup"
    kv = write_backup_folder(folder, store)
    return Scene(store=store, folder=folder, target=tmp_path / "prepared", kv=kv)


def problem_of(path: Path) -> str | None:
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return restore_problem(tx)


def test_the_first_operator_of_the_copy_has_a_raw_token_and_all_else_is_as_it_was(
    scene: Scene,
) -> None:
    before = scene.content()
    assert problem_of(scene.store) is not None
    report = scene.prepare()
    assert report.is_needed
    assert scene.content() == before
    restored = scene.restored()
    assert problem_of(restored) is None
    added = {key for key in all_keys(restored) if key not in all_keys(scene.store)}
    assert {table for table, _ in added} == {"authorizationsv1", "authorizationindexv1"}
    assert ("authorizationsv1", str(report.authorization_id).encode()) in added
    first = min(key for table, key in all_keys(restored) if table == "authorizationsv1")
    assert first == str(report.authorization_id).encode()


def test_the_manifest_says_the_new_size_and_the_rest_as_before(scene: Scene) -> None:
    scene.prepare()
    before, after = (
        json.loads((folder / "20260102T030405Z.manifest").read_text())
        for folder in (scene.folder, scene.target)
    )
    assert after["kv"].pop("size") == (scene.target / scene.kv.name).stat().st_size
    before["kv"].pop("size")
    assert after == before


def test_the_copy_is_private_and_its_large_files_are_those_of_the_backup(scene: Scene) -> None:
    report = scene.prepare()
    assert (report.link_count, report.copy_count) == (2, 0)
    assert scene.target.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in scene.target.iterdir())
    shard = "20260102T030405Z.1.tar.gz"
    assert (scene.target / shard).samefile(scene.folder / shard)
    assert not (scene.target / scene.kv.name).samefile(scene.kv)


def test_where_there_are_no_links_files_are_copied(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    report = scene.prepare()
    assert (report.link_count, report.copy_count) == (0, 2)
    shard = "20260102T030405Z.1.tar.gz"
    assert (scene.target / shard).read_bytes() == (scene.folder / shard).read_bytes()


def test_of_several_backups_in_a_folder_the_newest_counts(scene: Scene, tmp_path: Path) -> None:
    old = make_store(tmp_path / "old.bolt", level=20)
    write_backup_folder(scene.folder, old.path, time="20250102T030405Z")
    report = scene.prepare()
    assert report.manifest_path.name == "20260102T030405Z.manifest"
    assert len(list(scene.target.iterdir())) == 8


SHARD = 7
FILES = {"here": "20260102T030405Z.1.tar.gz", "gone": "20260102T030405Z.2.tar.gz"}


def with_shards(scene: Scene, time: str, shards: dict[str, tuple[int, str]]) -> Path:
    """Let a manifest name a shard of each of these buckets; the metadata have number 7."""

    def fill(tx: MetaTx) -> None:
        group = ShardGroup(id=SHARD, start_ns=0, end_ns=DAY_NS, shard_ids=(SHARD,))
        bucket = next(iter(tx.buckets.walk([])))
        catalogue = tx.catalogue.read() or b""
        tx.catalogue.write(with_groups(catalogue, name=bucket.id, added=(group,)))

    edit(scene.store, fill)
    write_backup_folder(scene.folder, scene.store)
    path = scene.folder / f"{time}.manifest"
    content = json.loads((scene.folder / "20260102T030405Z.manifest").read_text())
    content["buckets"] = [
        {
            "organizationName": "acme",
            "bucketName": name,
            "retentionPolicies": [
                {"shardGroups": [{"shards": [{"id": number, "fileName": FILES[file]}]}]}
            ],
        }
        for name, (number, file) in shards.items()
    ]
    path.write_text(json.dumps(content))
    return path


def shards_in(path: Path) -> dict[str, list[int]]:
    """Give the shards that a manifest names for each bucket."""
    return {
        bucket["bucketName"]: [
            shard["id"]
            for policy in bucket["retentionPolicies"]
            for group in policy["shardGroups"]
            for shard in group["shards"]
        ]
        for bucket in json.loads(path.read_text())["buckets"]
    }


def test_what_the_client_would_stop_at_behind_the_metadata_is_left_out(scene: Scene) -> None:
    shards = {"whole": (SHARD, "here"), "lost": (SHARD, "gone"), "deleted": (8, "here")}
    path = with_shards(scene, "20260102T030405Z", shards)
    report = scene.prepare()
    assert report.left_out == (
        "the files of the shards 7 of bucket acme/lost are missing from the backup",
        (
            "the metadata do not have the shards 8 of bucket acme/deleted any more: they were "
            "deleted before it"
        ),
    )
    kept = {"whole": [SHARD], "lost": [], "deleted": []}
    assert shards_in(scene.target / path.name) == kept
    assert shards_in(path) == {"whole": [7], "lost": [7], "deleted": [8]}


def test_a_sqlite_file_that_is_missing_is_left_out(scene: Scene) -> None:
    (scene.folder / "20260102T030405Z.sqlite.gz").unlink()
    (sentence,) = scene.prepare().left_out
    assert sentence.startswith("the SQLite file is missing")
    manifest = json.loads((scene.target / "20260102T030405Z.manifest").read_text())
    assert manifest["sql"] is None


def test_only_the_newest_manifest_of_a_bucket_counts(scene: Scene) -> None:
    with_shards(scene, "20260102T030405Z", {"whole": (SHARD, "here")})
    old = "20250102T030405Z"
    path = scene.folder / f"{old}.manifest"
    content = (scene.folder / "20260102T030405Z.manifest").read_text()
    path.write_text(content.replace(f'"id": {SHARD}', '"id": 3'))
    other = content.replace("whole", "other").replace(f'"id": {SHARD}', '"id": 3')
    (scene.folder / "20240102T030405Z.manifest").write_text(other)
    report = scene.prepare()
    assert len(report.left_out) == 1
    assert "the shards 3 of bucket acme/other" in report.left_out[0]
    assert (scene.target / path.name).samefile(path)
    assert shards_in(scene.target / "20240102T030405Z.manifest") == {"other": []}


@pytest.mark.parametrize("name", ["._20260102T030405Z.manifest", "zz.manifest"])
@pytest.mark.parametrize("text", ["", '{"manifestVersion": 3, "kv": {"fileName": "a"}}'])
def test_a_manifest_that_nobody_can_read_is_left_out(scene: Scene, name: str, text: str) -> None:
    (scene.folder / name).write_text(text)
    report = scene.prepare()
    assert report.left_out[0].startswith(f"{name} cannot be read as a manifest")
    assert ("so the metadata are those of" in report.left_out[-1]) == name.startswith("z")
    assert not (scene.target / name).exists()
    assert problem_of(scene.restored()) is None


def test_a_backup_that_needs_no_operator_gets_none_with_what_is_left_out(scene: Scene) -> None:
    store = unpack_real_store("influxd-2.9.1-raw-setup", scene.store)
    write_backup_folder(scene.folder, store)
    (scene.folder / "odd.manifest").mkdir()
    assert not scene.prepare().is_needed
    (scene.folder / "20250102T030405Z.manifest").touch()
    report = scene.prepare()
    assert report.is_needed
    assert report.authorization_id is None
    assert (scene.target / scene.kv.name).samefile(scene.kv)


def test_a_manifest_of_2_0_names_its_files_elsewhere(scene: Scene) -> None:
    for path in scene.folder.iterdir():
        path.unlink()
    kv = write_backup_folder(scene.folder, scene.store, packed=False)
    path = scene.folder / "20260102T030405Z.manifest"
    files = [{"shardID": number, "fileName": file} for number, file in enumerate(FILES.values())]
    path.write_text(json.dumps({"kv": {"fileName": kv.name, "size": 5}, "files": files}))
    report = scene.prepare()
    assert report.left_out == ("the files of the shards 1 are missing from the backup",)
    assert json.loads((scene.target / path.name).read_text())["files"] == files[:1]


def test_metadata_that_is_not_compressed_stays_so(scene: Scene) -> None:
    for path in scene.folder.iterdir():
        path.unlink()
    kv = write_backup_folder(scene.folder, scene.store, packed=False)
    scene.prepare()
    assert problem_of(scene.target / kv.name) is None


def test_a_backup_with_a_raw_operator_needs_nothing(scene: Scene) -> None:
    store = unpack_real_store("influxd-2.9.1-raw-setup", scene.store)
    write_backup_folder(scene.folder, store)
    report = scene.prepare()
    assert not report.is_needed
    assert not scene.target.exists()
    assert scene.recorder.intents == []


def test_a_dry_run_makes_nothing(scene: Scene) -> None:
    assert scene.prepare(is_dry_run=True).is_needed
    assert not scene.target.exists()
    assert scene.recorder.intents == []


def test_what_was_made_is_recorded(scene: Scene) -> None:
    report = scene.prepare()
    (intent,) = scene.recorder.intents
    assert intent.record_ids == (report.authorization_id,)
    assert intent.backup_path is None
    assert scene.recorder.outcomes == ["done"]


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "made.bolt", level=21)


def test_a_raw_operator_whose_user_is_inactive_is_no_way_in(made: MadeStore) -> None:
    assert problem_of(made.path) is None
    user = UserChoice(name="alice", user_id=None)
    change(made.path, SetUserStatus(user=user, is_active=False))
    assert str(made.operator) in str(problem_of(made.path))


def test_an_inactive_operator_does_not_count(made: MadeStore) -> None:
    change(made.path, SetStatus(authorization_id=made.operator, is_active=False, clock=CLOCK))
    assert problem_of(made.path) == "no active authorization is a full operator"


def test_a_backup_without_anybody_who_could_own_it_is_refused(scene: Scene) -> None:
    def without_users(tx: MetaTx) -> None:
        for one in list(tx.users.walk([])):
            tx.users.delete(one)

    edit(scene.store, without_users)
    write_backup_folder(scene.folder, scene.store)
    with pytest.raises(RefusedError, match="no user of the backup is active"):
        scene.prepare()
    assert not scene.target.exists()


def test_a_place_that_is_taken_is_left_alone(scene: Scene) -> None:
    scene.target.mkdir()
    with pytest.raises(ConflictError):
        scene.prepare()
    assert list(scene.target.iterdir()) == []


def test_a_folder_that_is_no_backup_is_refused(scene: Scene, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    for folder in (empty, tmp_path / "nowhere"):
        scene.folder = folder
        with pytest.raises(StoreNotFoundError, match="manifest"):
            scene.prepare()
        empty.mkdir(exist_ok=True)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kv": 5}', '{"kv": {"fileName": "../x.bolt"}}', "[" * 9999]
)
def test_a_manifest_that_makes_no_sense_is_refused(scene: Scene, text: str) -> None:
    (scene.folder / "20260102T030405Z.manifest").write_text(text)
    with pytest.raises(StoreNotFoundError, match="no manifest that names"):
        scene.prepare()


def test_metadata_that_is_cut_short_is_refused(scene: Scene) -> None:
    scene.kv.write_bytes(scene.kv.read_bytes()[:-500])
    with pytest.raises(StoreDamagedError):
        scene.prepare()
    assert not scene.target.exists()


@pytest.mark.parametrize("call", ["fsync", "mkdir", "rename", "link"])
def test_a_call_that_fails_leaves_nothing_behind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Each call of the system fails once, the first, the second, and so on, until none is left."""
    real = getattr(os, call)
    before = scene.content()
    failures = 0
    for number in range(40):
        count = 0

        def failing(*arguments: object, number: int = number, **more: object) -> object:
            nonlocal count
            count += 1
            if count == number + 1:
                raise OSError(28, "No space left on device")
            return real(*arguments, **more)

        monkeypatch.setattr(os, call, failing)
        try:
            scene.prepare()
        except WriteFailedError:
            failures += 1
            assert not scene.target.exists()
        monkeypatch.setattr(os, call, real)
        assert [path.name for path in scene.folder.parent.glob(".*")] == []
        assert scene.content() == before
        if scene.target.exists():
            break
    assert failures or call == "link"  # a link that fails becomes a copy


def test_after_the_restore_the_store_is_what_it_was(scene: Scene) -> None:
    scene.prepare()
    restored = scene.restored()
    assert change(restored, EndRestore()).is_changed
    assert all_keys(restored) == all_keys(scene.store)
    assert not change(restored, EndRestore()).is_changed


def test_after_the_restore_a_server_may_have_hashed_the_token(scene: Scene) -> None:
    report = scene.prepare()
    restored = scene.restored()
    with MetaStore.open(restored, write=False) as store, store.view() as tx:
        added = tx.authorizations.load(Id(str(report.authorization_id)))
    assert added is not None
    assert added.description == DESCRIPTION
    change(restored, HashTokens(authorization_id=None))
    change(restored, EndRestore())
    assert all_keys(restored) == all_keys(scene.store)


def test_a_full_disk_leaves_nothing_behind(scene: Scene, tmp_path: Path) -> None:
    with mounted(tmp_path / "small", size_bytes=64 << 10) as small:
        scene.target = small / "prepared"
        with pytest.raises(WriteFailedError, match="prepared"):
            scene.prepare()
        assert list(small.iterdir()) == []
