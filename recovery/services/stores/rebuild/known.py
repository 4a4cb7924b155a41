"""What other files know of buckets and organizations whose store is lost.

Lives here: `Known`, read from an older store, a backup folder, or a list. Must not live here: what
lies on disk, and what is made of both.

Invariants: the files are only read. The first file that knows a thing is believed, and one that
says otherwise is told.

Source: spec influxdb-metadata section 1.1 (copies that influxd leaves); influx-cli
internal/backup_restore/manifest.go (`Manifest`, version 2), clients/bucket/bucket.go (columns of
`bucket list`); Go time.Duration.String.
"""

import csv
import io
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.discovery.backup_folder import newest_backup
from recovery.errors import RefusedError, StoreNotFoundError
from recovery.metastore.packed import open_readable
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import TYPE_SYSTEM, TYPE_USER, parse_duration
from recovery.model.catalogue import POLICY, CatalogueError, Database
from recovery.model.display import displayed
from recovery.model.gojson import is_time
from recovery.model.ids import ID_LENGTH, Id, parse_id
from recovery.model.shard_groups import TIME_NS_MAX, TIME_NS_MIN, Span
from recovery.remedy import Give, Input, Omit
from recovery.services.doctor.sqlite import organizations_of

LIST_BYTES_MAX: Final = 16 << 20
MANIFEST: Final = ".manifest"

_UNKNOWN: Final = frozenset({"", "n/a", "-"})
_COLUMNS: Final = {
    "id": "id",
    "name": "name",
    "retention": "retention",
    "shardgroupduration": "duration",
    "organizationid": "org_id",
    "orgid": "org_id",
}
_USUAL_COLUMNS: Final = ("id", "name", "retention", "duration", "org_id")


class KnownBucket(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one bucket.

    Attributes:
        name: Its name; None when that is not known.
        org_id: Its organization; None when that is not known.
        retention_ns: How long its data stay, 0 forever; None when that is not known.
        shard_group_ns: Its shard group duration; None when that is not known.
        is_system: Whether it is one that every organization has; None when that is not known.
        groups: Groups that it had, by shard.
    """

    name: str | None = None
    org_id: Id | None = None
    retention_ns: int | None = None
    shard_group_ns: int | None = None
    is_system: bool | None = None
    description: str = ""
    groups: Mapping[int, Span] = msgspec.field(default_factory=dict)

    def completed(self, other: "KnownBucket") -> "KnownBucket":
        """Fill what is not known here with what another file knows."""
        return KnownBucket(
            name=self.name if self.name is not None else other.name,
            org_id=self.org_id or other.org_id,
            retention_ns=other.retention_ns if self.retention_ns is None else self.retention_ns,
            shard_group_ns=self.shard_group_ns or other.shard_group_ns,
            is_system=other.is_system if self.is_system is None else self.is_system,
            description=self.description or other.description,
            groups={**other.groups, **self.groups},
        )


class Known(msgspec.Struct, kw_only=True):
    """What is known of a lost store.

    Attributes:
        organization_id: ID of the organization of what is known in none; None when it is not known.
        notes: What the files disagree on and what is worth knowing, each as a sentence without a
            full stop.
    """

    organizations: dict[Id, str] = msgspec.field(default_factory=dict)
    buckets: dict[Id, KnownBucket] = msgspec.field(default_factory=dict)
    organization_id: Id | None = None
    notes: list[str] = msgspec.field(default_factory=list)

    def learn_bucket(self, bucket_id: Id, bucket: KnownBucket, *, source: str) -> None:
        """Add what a file knows of a bucket."""
        known = self.buckets.get(bucket_id)
        if known is None:
            self.buckets[bucket_id] = bucket
            return
        if None not in (known.name, bucket.name) and known.name != bucket.name:
            self.notes.append(
                f"{source} calls bucket {bucket_id} {displayed(bucket.name or '')}; "
                f"{displayed(known.name or '')} is taken, from the file named before it"
            )
        self.buckets[bucket_id] = known.completed(bucket)

    def learn_organization(self, org_id: Id, name: str, *, source: str) -> None:
        """Add what a file knows of an organization. Arguments as `learn_bucket`."""
        known = self.organizations.setdefault(org_id, name)
        if known != name:
            self.notes.append(
                f"{source} calls organization {org_id} {displayed(name)}; {displayed(known)} is "
                "taken, from the file named before it"
            )


def read_known(paths: Iterable[Path]) -> Known:
    """Read everything that some files know.

    Args:
        paths: Each an older store, plain or packed, a folder of `influx backup`, or a list.

    Raises:
        StoreNotFoundError: One is not there.
        RefusedError: One is none of these.
    """
    known = Known()
    for path in paths:
        source = displayed(str(path))
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            raise StoreNotFoundError(
                path=source, problem="does not exist", hint=Give(Input.NAMES, "name another file")
            ) from None
        if is_folder:
            _learn_folder(known, path, source)
        elif _is_text(path):
            _learn_list(known, path, source)
        else:
            with open_readable(path, needs_schema=False) as store, store.view() as tx:
                learn_store(known, tx, source=source)
            known.notes.append(
                f"{source} is a whole store: a copy of it keeps users, tokens and dashboards as "
                "well, if you put it into the place of the lost one and repair I37 and I40 in it"
            )
    return known


def learn_store(known: Known, tx: MetaTx, *, source: str) -> None:
    """Learn what the records of a store know."""
    if tx.table("organizationsv1").is_there:
        for organization in tx.organizations.walk([]):
            known.learn_organization(organization.id, organization.name, source=source)
    for key, value in tx.table("organizationindexv1").items():
        if (org_id := parse_id(value)) is not None and org_id not in known.organizations:
            known.learn_organization(org_id, key.decode("utf-8", "replace"), source=source)
    policies = {database.name: database for database in _databases(tx)}
    for bucket in tx.buckets.walk([]) if tx.table("bucketsv1").is_there else ():
        database = policies.pop(bucket.id, None)
        found = KnownBucket(
            name=bucket.name or None,
            org_id=bucket.org_id,
            retention_ns=bucket.retention_ns,
            shard_group_ns=bucket.shard_group_ns or None,
            is_system=bucket.type == TYPE_SYSTEM,
            description=bucket.description,
            groups={} if database is None else _groups(database),
        )
        known.learn_bucket(bucket.id, found, source=source)
    _learn_lost(known, tx, policies, source)


def _learn_lost(known: Known, tx: MetaTx, policies: Mapping[str, Database], source: str) -> None:
    """Learn of buckets whose records are lost what the catalogue and the index of names know."""
    for key, value in tx.table("bucketindexv1").items():
        bucket_id, org_id = parse_id(value), parse_id(key[:ID_LENGTH])
        if bucket_id is not None and bucket_id not in known.buckets:
            name = key[ID_LENGTH:].decode("utf-8", "replace")
            found = KnownBucket(name=name, org_id=org_id, is_system=name.startswith("_"))
            known.learn_bucket(bucket_id, found, source=source)
    for name, database in policies.items():
        bucket_id, policy = parse_id(name), database.policy
        if bucket_id is not None and policy is not None:
            found = KnownBucket(
                retention_ns=policy.retention_ns,
                shard_group_ns=policy.shard_group_ns or None,
                groups=_groups(database),
            )
            known.learn_bucket(bucket_id, found, source=source)


def learn_sqlite(known: Known, path: Path, *, is_named: bool) -> None:
    """Learn the ID of the organization from the SQLite file, where it has only one.

    Args:
        known: Learns it, unless it knows an organization.
        is_named: Whether it was asked for, so that it is missed when it is not there.

    Raises:
        StoreNotFoundError: It was asked for and is not there.
    """
    if not path.is_file():
        if is_named:
            raise StoreNotFoundError(
                path=displayed(str(path)),
                problem="does not exist",
                hint=(Omit((Input.SQLITE,)), "name another file"),
            )
        return
    found = organizations_of(path)
    if known.organizations or not found:
        return
    if len(found) == 1:
        known.organization_id = found[0]
        known.notes.append(f"the organization gets the ID {found[0]}, which {path.name} knows")
    else:
        known.notes.append(
            f"{path.name} knows several organizations ({', '.join(found)}); name one by its ID"
        )


def kind_of(bucket: KnownBucket) -> int:
    """Give the type of a bucket's record."""
    return TYPE_SYSTEM if bucket.is_system else TYPE_USER


def _databases(tx: MetaTx) -> tuple[Database, ...]:
    if not tx.table("v1_tsm1_metadata").is_there:
        return ()
    try:
        return tx.catalogue.decoded().databases
    except CatalogueError:
        return ()


def _groups(database: Database) -> dict[int, Span]:
    return {shard_id: group.span for group in database.groups for shard_id in group.shard_ids}


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(1 << 12)
    return b"\0" not in start and not start.startswith(b"\x1f\x8b")


def _learn_list(known: Known, path: Path, source: str) -> None:
    """Learn a list of buckets: comma or tab separated, with or without a line of headings."""
    if path.stat().st_size > LIST_BYTES_MAX:
        raise RefusedError(
            reason=f"{source} is too large for a list of buckets", hint="name another file"
        )
    content = path.read_text(encoding="utf-8-sig", errors="replace")
    delimiter = "\t" if "\t" in content.partition("\n")[0] else ","
    columns: tuple[str, ...] = _USUAL_COLUMNS
    for number, row in enumerate(csv.reader(io.StringIO(content), delimiter=delimiter), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        headings = [_COLUMNS.get(re.sub(r"[^a-z]", "", cell.lower()), "") for cell in cells]
        if "id" in headings and parse_id(cells[0]) is None:
            columns = tuple(headings)
            continue
        cell_of = dict(zip(columns, cells, strict=False))
        bucket_id = parse_id(cell_of.get("id", ""))
        if bucket_id is None:
            raise RefusedError(
                reason=f"line {number} of {source} begins with no bucket ID of 16 hexadecimal "
                "digits",
                hint="write id,name,retention,shard-group-duration in each line",
            )
        known.learn_bucket(bucket_id, _listed(cell_of, number, source), source=source)


def _listed(cell_of: Mapping[str, str], number: int, source: str) -> KnownBucket:
    times: dict[str, int | None] = {}
    for column in ("retention", "duration"):
        cell = cell_of.get(column, "")
        times[column] = None if cell.lower() in _UNKNOWN else parse_duration(cell)
        if cell.lower() not in _UNKNOWN and times[column] is None:
            raise RefusedError(
                reason=f"line {number} of {source} has {displayed(cell)} where a time belongs",
                hint="write something like 72h, 30d or infinite",
            )
    return KnownBucket(
        name=cell_of.get("name") or None,
        org_id=parse_id(cell_of.get("org_id", "")),
        retention_ns=times["retention"],
        shard_group_ns=times["duration"] or None,
    )


class _Entry(msgspec.Struct, rename="camel"):
    id: int


class _Group(msgspec.Struct, rename="camel"):
    start_time: str
    end_time: str
    shards: list[_Entry] = []
    deleted_at: str | None = None
    truncated_at: str | None = None


class _Policy(msgspec.Struct, rename="camel"):
    name: str
    duration: int = 0
    shard_group_duration: int = 0
    shard_groups: list[_Group] = []


class _Bucket(msgspec.Struct):
    organization_id: str = msgspec.field(name="organizationID")
    organization_name: str = msgspec.field(name="organizationName")
    bucket_id: str = msgspec.field(name="bucketID")
    bucket_name: str = msgspec.field(name="bucketName")
    description: str | None = None
    retention_policies: list[_Policy] = msgspec.field(name="retentionPolicies", default=[])


class _Manifest(msgspec.Struct):
    buckets: list[_Bucket] = []


def _learn_folder(known: Known, path: Path, source: str) -> None:
    """Learn the newest manifest of a folder of `influx backup`, else the newest store in it."""
    manifests = sorted(path.glob(f"*{MANIFEST}"))
    if manifests:
        try:
            manifest = msgspec.json.decode(manifests[-1].read_bytes(), type=_Manifest)
        except msgspec.DecodeError as error:
            raise RefusedError(
                reason=f"{displayed(str(manifests[-1]))} is no manifest of influx backup",
                hint="name the store of the backup instead, the file that ends in .bolt.gz",
            ) from error
        for bucket in manifest.buckets:
            _learn_manifest_bucket(known, bucket, source)
        return
    backup = newest_backup(path)
    if backup is None:
        raise RefusedError(
            reason=f"{source} has no manifest and no store of influx backup in it",
            hint="name the folder that influx backup wrote into, or a file",
        )
    with open_readable(backup.path, needs_schema=False) as store, store.view() as tx:
        learn_store(known, tx, source=source)


def _learn_manifest_bucket(known: Known, bucket: _Bucket, source: str) -> None:
    org_id, bucket_id = parse_id(bucket.organization_id), parse_id(bucket.bucket_id)
    if org_id is not None and bucket.organization_name:
        known.learn_organization(org_id, bucket.organization_name, source=source)
    if bucket_id is None:
        return
    found = KnownBucket(
        name=bucket.bucket_name or None,
        org_id=org_id,
        description=bucket.description or "",
        is_system=bucket.bucket_name.startswith("_"),
    )
    for policy in bucket.retention_policies:
        if policy.name == POLICY:
            found = replace(
                found,
                retention_ns=policy.duration,
                shard_group_ns=policy.shard_group_duration or None,
                groups=dict(_manifest_groups(policy)),
            )
    known.learn_bucket(bucket_id, found, source=source)


def _manifest_groups(policy: _Policy) -> Iterator[tuple[int, Span]]:
    for group in policy.shard_groups:
        if group.deleted_at:
            continue
        start_ns = _moment_ns(group.start_time)
        end_ns = _moment_ns(group.truncated_at or group.end_time)
        if start_ns is None or end_ns is None or start_ns >= end_ns:
            continue
        for shard in group.shards:
            yield shard.id, Span(first_ns=start_ns, last_ns=end_ns - 1)


def _moment_ns(text: str) -> int | None:
    """Read a moment in RFC 3339, with up to nine digits behind the point."""
    if not is_time(text):
        return None
    whole, point, rest = text.partition(".")
    digits = re.match(r"\d*", rest)[0] if point else ""  # type: ignore[index] # matches always
    zone = rest[len(digits) :] if point else ""
    moment = datetime.fromisoformat(whole + zone)
    nanoseconds = int(digits.ljust(9, "0")) if digits else 0
    found = int(moment.timestamp()) * 1_000_000_000 + nanoseconds
    return found if TIME_NS_MIN <= found <= TIME_NS_MAX + 1 else None
