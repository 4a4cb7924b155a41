"""Making a backup of `influx backup` restorable in full, and setting things back afterwards.

Lives here: `restoring_token`, which says whether a backup needs it, `prepare_restore`, which makes
a prepared copy of the folder, and `EndRestore`, the planner that removes what was added. Must not
live here: which folder, and the words.

`influx restore --full` uploads the metadata first. The server answers with the token of the first
active operator that it finds, by ID, and the client goes on with that. Where the server keeps
hashes that token is empty, and all that follows is refused with 401. So the copy gets one more
operator, with a raw token and an ID in front of all others. The client reads all manifests of the
folder: the newest names the metadata, and the newest of each bucket its shards. It gives up in
front of the metadata where one cannot be read, and behind it at the first shard whose file is
missing or that the metadata do not have. So the copy leaves these out.

Invariants: nothing in the backup is written; its other files are the same files in the copy where
the file system allows that, and copies where not. The copy has its name when all of it is there.

Source: InfluxDB v2.9.1 http/restore_service.go (getOperatorToken, handleRestoreKVStore); influx CLI
v2.8.0 clients/restore/restore.go (loadManifests, fullRestore), clients/restore/manifest.go
(readManifest), internal/backup_restore/manifest.go.
"""

import gzip
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from recovery.errors import RefusedError, StoreNotFoundError, WriteFailedError
from recovery.kept import note_left
from recovery.metastore.packed import plain_file
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    Authorization,
    OperatorClassifier,
    new_authorization,
)
from recovery.model.catalogue import CatalogueError
from recovery.model.display import displayed
from recovery.model.gojson import UndecodableError, format_time
from recovery.model.ids import Id, parse_id
from recovery.model.mapping import OWNER
from recovery.model.permission import OperatorLevel, operator_permissions
from recovery.model.token import TokenForm, new_token
from recovery.new_file import (
    MODE,
    PrivateFolder,
    failed,
    not_makeable,
    require_free,
    sync_folder,
    written,
)
from recovery.ports import Clock, Rng
from recovery.remedy import Give, Input, Run
from recovery.services.access import Loss, loss_warnings, standing_of
from recovery.services.changes.plan import Plan
from recovery.services.changes.ports import Intent, Recorder

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts

OPERATION: Final = "store prepare-restore"
DESCRIPTION: Final = "for influx restore --full only: made by influx-recovery, to be deleted"
MANIFEST_BYTES_MAX: Final = 1 << 28
VERSIONS: Final = (0, 2)
"""Versions of a manifest that the client knows; those of InfluxDB 2.0 have none."""
SHARDS_SHOWN: Final = 10
GZIP: Final = 1
"""How a manifest says that a file is compressed."""


class PreparedRestore(msgspec.Struct, frozen=True, kw_only=True):
    """What was made, or is not needed. Holds no secret.

    Attributes:
        manifest_path: The manifest of the backup that a restore takes the metadata from.
        is_needed: Whether a full restore would fail without it.
        because: Why, as a clause.
        authorization_id: The operator that was added; None when none is needed.
        left_out: What the client would stop at, each as a sentence without a full stop.
        link_count: Files of the copy that are the same files as in the backup.
        copy_count: Files that had to be copied.
    """

    source_path: Path
    target_path: Path
    manifest_path: Path
    is_needed: bool
    because: str
    authorization_id: str | None = None
    left_out: tuple[str, ...] = ()
    link_count: int = 0
    copy_count: int = 0


def restore_problem(tx: MetaTx) -> str | None:
    """Say why `influx restore --full` cannot go on behind a store's metadata; None when it can."""
    first = _first_operator(tx)
    if first is None:
        return "no active authorization is a full operator"
    if first.token is None:
        return f"the server has only the hash of the token that it would use, {first.id}"
    if not standing_of(tx, first).is_usable:
        return f"the server would hand back the token of authorization {first.id} and refuse it"
    return None


def client_stops(tx: MetaTx, store_path: Path) -> tuple[str, ...]:
    """Say what `influx restore` would stop at in the folder of a backup; nothing is changed.

    Returns:
        As `PreparedRestore.left_out`; nothing where no manifest names these metadata.

    Raises:
        RecoveryError: The folder cannot be read.
    """
    try:
        manifests, left_out = _manifests(store_path.parent)
    except StoreNotFoundError:
        return ()
    if manifests[0].content["kv"]["fileName"] != store_path.name:
        return ()
    return (*left_out, *_leave_out(manifests, store_path.parent, _shard_ids(tx)))


def _first_operator(tx: MetaTx) -> Authorization | None:
    classifier = OperatorClassifier(level=tx.level)
    for one in tx.authorizations.walk([]):
        try:
            if one.is_active and classifier.status(one).level is OperatorLevel.FULL:
                return one
        except UndecodableError:
            continue
    return None


def prepare_restore(  # what, where to, and what is needed for it
    folder: Path,
    target: Path,
    *,
    recorder: Recorder,
    reason: str | None,
    clock: Clock,
    rng: Rng,
    is_dry_run: bool,
) -> PreparedRestore:
    """Make a copy of a backup that can be restored in full.

    Args:
        target: The copy; nothing may be there.
        is_dry_run: Whether to stop before anything is made.

    Raises:
        StoreNotFoundError: The folder has no manifest, or lacks the metadata.
    """
    manifests, left_out = _manifests(folder)
    newest = manifests[0]
    store_path = folder / newest.content["kv"]["fileName"]
    with plain_file(store_path) as plain, MetaStore.open(plain, write=False) as store:
        store.require_sound()
        with store.view() as tx:
            problem = restore_problem(tx)
            record = None if problem is None else _restoring_operator(tx, clock, rng)
            left_out += _leave_out(manifests, folder, _shard_ids(tx))
    token = problem or "the server would hand back a token that works"
    report = PreparedRestore(
        source_path=folder,
        target_path=target,
        manifest_path=newest.path,
        is_needed=record is not None or bool(left_out),
        because=token if record is not None or not left_out else "the client would stop in it",
        authorization_id=None if record is None else record.id,
        left_out=tuple(left_out),
    )
    if not report.is_needed:
        return report
    require_free(target)
    if is_dry_run:
        return report
    return _made(report, manifests, record, recorder=recorder, reason=reason)


def _made(
    report: PreparedRestore,
    manifests: Sequence["_Manifest"],
    record: Authorization | None,
    *,
    recorder: Recorder,
    reason: str | None,
) -> PreparedRestore:
    target = report.target_path
    try:
        private = PrivateFolder(target.parent)
    except OSError as error:
        raise not_makeable(target, error, _elsewhere()) from error
    with private, ExitStack() as undo:
        copy = private.path / target.name
        kv = manifests[0].content["kv"]
        try:
            copy.mkdir(MODE | 0o100)
            packed = copy / kv["fileName"]
            if record is not None:
                source = report.source_path / kv["fileName"]
                _add_operator(source, private.path, packed, record, kv)
                kv["size"] = packed.stat().st_size
            for one in manifests:
                if one.is_changed or one is manifests[0]:
                    with written(copy / one.path.name) as new:
                        new.write(json.dumps(one.content, indent=2, ensure_ascii=False).encode())
            linked, copied = _take_over(report.source_path, copy, {one.path for one in manifests})
            sync_folder(packed)
            status = packed.stat()
        except OSError as error:
            raise failed(target, error, _elsewhere()) from error
        except WriteFailedError as error:  # it names a file that nobody has seen
            raise failed(target, error.problem, _elsewhere()) from error
        intent = Intent(
            operation=OPERATION,
            store_path=target / kv["fileName"],
            device=status.st_dev,
            inode=status.st_ino,
            record_ids=() if record is None else (record.id,),
            backup_path=None,
            reason=reason,
        )
        recorder.prepare(intent)
        number = recorder.intend(intent)
        undo.callback(recorder.conclude, number, "unchanged")
        require_free(target)
        try:
            copy.rename(target)
            undo.callback(_take_back, target, copy)
            sync_folder(target)
        except OSError as error:
            raise failed(target, error, _elsewhere()) from error
        undo.pop_all()
        recorder.conclude(number, "done")
    return msgspec.structs.replace(report, link_count=linked, copy_count=copied)


def _take_back(target: Path, copy: Path) -> None:
    """Let the folder go with the private one that it was in. Does not raise."""
    with suppress(OSError):
        target.rename(copy)
    note_left(target)


class _Manifest(msgspec.Struct, kw_only=True):
    """A manifest, and whether something was left out of it."""

    path: Path
    content: dict[str, Any]
    is_changed: bool = False


def _manifests(folder: Path) -> tuple[list[_Manifest], list[str]]:
    """Read the manifests, the newest first.

    Returns:
        Those that can be read, of which the first names the metadata, and a sentence on each other.
    """
    name_it = Give(Input.BACKUP, "name the folder of a backup")
    found, unreadable = [], []
    try:
        paths = sorted((one for one in folder.glob("*.manifest") if one.is_file()), reverse=True)
        for path in paths:
            content = _read(path)
            if content is None:
                unreadable.append(
                    f"{displayed(path.name)} cannot be read as a manifest, and the client refuses "
                    "the whole folder for it"
                )
            else:
                found.append(_Manifest(path=path, content=content))
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise StoreNotFoundError(
            path=displayed(str(folder)), problem=problem, hint=name_it
        ) from error
    if not paths:
        problem = "is no folder with a manifest, as influx backup writes one"
        raise StoreNotFoundError(path=displayed(str(folder)), problem=problem, hint=name_it)
    if not found:
        raise StoreNotFoundError(
            path=displayed(str(paths[0])),
            problem="is no manifest that names the metadata of a backup",
            hint="take another backup",
        )
    if unreadable and paths[0] != found[0].path:
        unreadable.append(f"so the metadata are those of {displayed(found[0].path.name)}")
    return found, unreadable


def _read(path: Path) -> dict[str, Any] | None:
    """Read a manifest; None for what is none, or none that the client knows."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes()[:MANIFEST_BYTES_MAX])
        name = found["kv"]["fileName"]
        is_sqlite = isinstance((found.get("sql") or {"fileName": ""})["fileName"], str)
        found["kv"]["compression"] = int(found["kv"].get("compression", 0))
        is_known = found.get("manifestVersion", 0) in VERSIONS and all(map(_shards, _lists(found)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    is_name = isinstance(name, str) and name and Path(name).name == name
    return found if is_name and is_sqlite and is_known else None


def _lists(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Walk the lists of shards: the bucket that each is of, and what has it under which name."""
    if not manifest.get("manifestVersion", 0):
        yield "", manifest, "files"
    for bucket in manifest.get("buckets") or ():
        name = f"{bucket.get('organizationName')}/{bucket.get('bucketName')}"
        for policy in bucket.get("retentionPolicies") or ():
            for group in policy.get("shardGroups") or ():
                yield name, group, "shards"


def _shards(place: tuple[str, dict[str, Any], str]) -> bool:
    """Look at every field of a list that will be needed; raise what `_read` catches."""
    _, holder, key = place
    return all(
        isinstance(one["fileName"], str) and isinstance(_number(one), int)
        for one in holder.get(key) or ()
    )


def _number(shard: dict[str, Any]) -> int:
    return int(shard["id"] if "id" in shard else shard["shardID"])


def _leave_out(manifests: list[_Manifest], folder: Path, known: frozenset[int]) -> list[str]:
    """Take out of the manifests what the client would stop at.

    Args:
        manifests: The newest first: what an older one says of a bucket does not count.
        known: The shards that the metadata have.

    Returns:
        A sentence on each bucket of which something was taken out.
    """
    sentences = []
    sqlite = manifests[0].content.get("sql")
    if sqlite and not (folder / sqlite["fileName"]).is_file():
        manifests[0].content["sql"] = None
        sentences.append(
            "the SQLite file is missing from the backup, so the server keeps its own, with its own "
            "annotations and replications"
        )
    lost: dict[str, list[int]] = {}
    unknown: dict[str, list[int]] = {}
    seen: set[str] = set()
    for manifest in manifests:
        is_old = not manifest.content.get("manifestVersion", 0)  # they are looked up in the store
        for name, holder, key in _lists(manifest.content):
            if name in seen:
                continue
            kept = []
            for shard in holder.get(key) or ():
                number = _number(shard)
                if not (folder / shard["fileName"]).is_file():
                    lost.setdefault(name, []).append(number)
                elif number not in known and not is_old:
                    unknown.setdefault(name, []).append(number)
                else:
                    kept.append(shard)
            if len(kept) != len(holder.get(key) or ()):
                holder[key] = kept
                manifest.is_changed = True
        seen.update(name for name, _, _ in _lists(manifest.content))
    return [
        *sentences,
        *(
            f"the files of {_of(name, ids)} are missing from the backup"
            for name, ids in lost.items()
        ),
        *(
            f"the metadata do not have {_of(name, ids)} any more: they were deleted before it"
            for name, ids in unknown.items()
        ),
    ]


def _of(name: str, ids: list[int]) -> str:
    shown = ", ".join(map(str, sorted(ids)[:SHARDS_SHOWN]))
    more = f" and {len(ids) - SHARDS_SHOWN} more" if len(ids) > SHARDS_SHOWN else ""
    return f"the shards {shown}{more}" + (f" of bucket {displayed(name)}" if name else "")


def _shard_ids(tx: MetaTx) -> frozenset[int]:
    """List the shards that a server makes from the catalogue, so that they can be restored."""
    try:
        databases = tx.catalogue.decoded().databases
    except CatalogueError:
        return frozenset()
    return frozenset(
        number for database in databases for group in database.groups for number in group.shard_ids
    )


def _restoring_operator(tx: MetaTx, clock: Clock, rng: Rng) -> Authorization:
    """Make an operator with a raw token, in front of all other authorizations."""
    first = next((key for key, _ in tx.table("authorizationsv1").items()), None)
    number = int(first, 16) if first is not None and parse_id(first) else 1 << 60
    if number <= 1:
        raise RefusedError(
            reason="no ID is free in front of the authorizations of the backup",
            hint="take another backup",
        )
    user_id, org_id = _owner(tx)
    return new_authorization(
        authorization_id=Id(f"{number - 1:016x}"),
        token=new_token(rng),
        form=TokenForm.RAW,
        description=DESCRIPTION,
        org_id=org_id,
        user_id=user_id,
        permissions=operator_permissions(tx.level),
        now=format_time(clock.now()),
    )


def _owner(tx: MetaTx) -> tuple[Id, Id]:
    """Choose whose the new operator is: servers refuse a token whose user is inactive."""
    for user in tx.users.walk([]):
        roles = tx.mappings.of_user(user.id) if user.is_active else ()
        for role in sorted(roles, key=lambda one: one.user_type != OWNER):
            if tx.organizations.get(role.resource_id) is not None:
                return user.id, role.resource_id
    raise RefusedError(
        reason="no user of the backup is active and belongs to an organization",
        hint=(
            "unpack the metadata, and make one there",
            Run("user create", "to make one", {Input.STORE: None, Input.USER: None}),
        ),
    )


def _add_operator(
    source: Path, room: Path, packed: Path, record: Authorization, kv: dict[str, Any]
) -> None:
    """Write the metadata with one more operator, as the manifest says that it is packed."""
    is_packed = kv["compression"] == GZIP
    plain = room / "influxd.bolt" if is_packed else packed
    with plain_file(source) as unpacked:
        shutil.copyfile(unpacked, plain)
    plain.chmod(MODE)
    with MetaStore.open(plain, write=True) as store, store.update() as tx:
        tx.authorizations.insert(record)
    with MetaStore.open(plain, write=False) as store, store.view() as tx:
        problem = restore_problem(tx)
        if problem is not None:
            raise failed(packed, problem, _elsewhere())
    if is_packed:
        with (
            plain.open("rb") as whole,
            written(packed) as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as zipped,
        ):
            shutil.copyfileobj(whole, zipped)


def _take_over(source: Path, copy: Path, manifests: set[Path]) -> tuple[int, int]:
    """Link or copy all other files of the backup, and write these manifests; count both."""
    linked = copied = 0
    for path in sorted(source.iterdir()):
        target = copy / path.name
        is_unreadable = path.suffix == ".manifest" and path not in manifests
        if not path.is_file() or target.exists() or is_unreadable:
            continue
        try:
            target.hardlink_to(path.resolve())
            linked += 1
        except OSError:  # another file system, or one that has no links
            with path.open("rb") as whole, written(target) as new:
                shutil.copyfileobj(whole, new)
            copied += 1
    return linked, copied


def _elsewhere() -> Give:
    return Give(Input.TARGET, "name a place on another disk")


class EndRestore(msgspec.Struct, frozen=True, kw_only=True):
    """The command `store prepare-restore --after`: what was added for the restore goes again."""

    operation: ClassVar[str] = OPERATION

    def plan(self, store: MetaTx) -> Plan:
        """Plan to delete what `prepare_restore` added; nothing when nothing of it is there."""
        ids = tuple(_added(store))
        facts: PlanFacts = {"authorization_ids": list(ids)}
        if not ids:
            step = "nothing: no API token that was added for a restore is there"
            return Plan.nothing(self.operation, step, facts=facts)
        return Plan(
            operation=self.operation,
            steps=tuple(f"delete API token {one}, which was added for the restore" for one in ids),
            facts=facts,
            record_ids=ids,
            warnings=loss_warnings(store, Loss(authorization_ids=frozenset(ids))),
            apply=lambda tx: tx.authorizations.delete_all(ids),
            verify=lambda tx: (
                "it is still there" if any(map(tx.authorizations.has_id, ids)) else None
            ),
            afterwards=("The prepared copy of the backup has that token, too: remove the copy.",),
        )


def _added(store: MetaTx) -> Iterator[Id]:
    for one in store.authorizations.walk([]):
        if one.description == DESCRIPTION:
            yield one.id
