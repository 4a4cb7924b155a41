"""The shards on disk, and the groups of the engine's catalogue.

Lives here: the rules I37 to I40. Must not live here: the engine's files (`recovery.engine`), which
group a shard gets (`recovery.services.shard_mapping`), the rest of the catalogue (`buckets`).

Invariants: nothing is looked at where the engine's folder is not known. Only shards that no group
knows are read. What a mend maps was unmapped, overlaps nothing, and does not expire at once.

Source: spec influxdb-metadata section 4.9; InfluxDB v2.9.1 v1/services/meta/data.go
(`ShardGroupInfo`), tsdb/store.go (`findShards`), v1/services/retention/service.go
(`DeletionCheck`), v1/services/precreator.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from recovery.engine.folder import (
    SERIES_LOST,
    SERIES_LOST_EFFECT,
    SERIES_LOST_REMEDY,
    WAL_ONLY_EFFECT,
    BucketFolder,
    EngineFolder,
    ShardFacts,
)
from recovery.engine.keys import Measurements
from recovery.errors import StoreAccessError
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import TYPE_USER, Bucket, decode_bucket, encode_bucket
from recovery.model.catalogue import (
    BUCKET as CATALOGUE,
)
from recovery.model.catalogue import (
    CatalogueError,
    Database,
    with_database,
    with_groups,
    with_shard_id_max,
)
from recovery.model.gojson import UndecodableError, format_time
from recovery.model.ids import Id
from recovery.model.shard_groups import ShardGroup, Span, choose_duration, group_shards
from recovery.services.doctor.chart import Chart, as_id
from recovery.services.doctor.finding import Finding, Mend, Rule, Severity
from recovery.services.shard_mapping import Unmapped, map_beside, sort_unmapped

TABLE: Final = "bucketsv1"
NAME: Final = "recovered-{bucket_id}"
SHARDS_SHOWN: Final = 8

UNKNOWN_SHARDS: Final = Rule(
    number="I37",
    severity=Severity.HIGH,
    problem="has shards on disk that the engine's catalogue does not know",
    effect="their points are not found by any query, and take up disk space",
    remedy="repair maps them when asked for by this number",
    is_on_request=True,
)
OVERLAPPING_SHARDS: Final = Rule(
    number="I37",
    severity=Severity.HIGH,
    problem="has shards on disk that the engine's catalogue does not know, with points of a time "
    "that another shard is for",
    effect="their points are not found by any query",
    remedy="repair cannot know which is right: move the folder of one of them out of data and wal",
)
CLASHING_SHARDS: Final = Rule(
    number="I37",
    severity=Severity.HIGH,
    problem="has shards on disk whose numbers other shards have",
    effect="influxd opens only one of two shards with one number",
    remedy="repair moves no data: rename the folder of one in data and in wal to a free number, "
    "and ask for this number",
)
EXPIRED_SHARDS: Final = Rule(
    number="I37",
    severity=Severity.LOW,
    problem="has shards on disk that the engine's catalogue does not know, and that are older than "
    "the bucket keeps data",
    effect="their points are not found by any query; once they are mapped, influxd deletes them",
    remedy="to keep them, let the bucket keep data longer, as influx bucket update does, and ask "
    "for this number",
)
UNREADABLE_SHARDS: Final = Rule(
    number="I37",
    severity=Severity.MEDIUM,
    problem="has shards on disk that the engine's catalogue does not know, and no point of them "
    "can be read",
    effect="their points are not found by any query",
    remedy="repair cannot know which time they are for",
)
BARE_GROUPS: Final = Rule(
    number="I38",
    severity=Severity.MEDIUM,
    problem="has shard groups without a shard",
    effect="a write of that time fails, because there is no shard for it",
    remedy="repair removes them, and influxd makes new ones",
)
ABSENT_SHARDS: Final = Rule(
    number="I39",
    severity=Severity.LOW,
    problem="has shards in the engine's catalogue that are not on disk",
    effect="a query finds nothing there; nothing may ever have been written to them",
    remedy="repair leaves them alone: if data are missing, restore the engine's folder",
    is_advice=True,
)
NO_SHARD_AT_ALL: Final = Rule(
    number="I39",
    severity=Severity.HIGH,
    problem="has shards in the engine's catalogue, and none of them is on disk",
    effect="all its data are missing; the usual cause is a volume that is not mounted, or another "
    "engine's folder",
    remedy="repair leaves them alone: see that the right engine's folder is in place",
)
NO_FOLDER: Final = Rule(
    number="I39",
    severity=Severity.HIGH,
    problem="has shards in the engine's catalogue, and the engine's folder is not there",
    effect="influxd makes an empty folder, and finds none of the time series",
    remedy="see that the disk of that folder is mounted, and that the store and influxd's "
    "configuration belong together; a copy of the store alone is so",
    is_advice=True,
)
LOST_SERIES: Final = Rule(
    number="I39",
    severity=Severity.HIGH,
    problem=SERIES_LOST,
    effect=SERIES_LOST_EFFECT,
    remedy=f"repair moves no data: {SERIES_LOST_REMEDY}",
)
WAL_ONLY_SHARDS: Final = Rule(
    number="I39",
    severity=Severity.HIGH,
    problem="has shards in wal that have no folder in data",
    effect=WAL_ONLY_EFFECT,
    remedy="repair makes no folders of the engine: while influxd is stopped, make an empty folder "
    "data/<bucket>/autogen/<shard> for each, as the user that influxd runs as",
)
DAMAGED_SERIES: Final = Rule(
    number="I39",
    severity=Severity.HIGH,
    problem="has files on disk that influxd cannot open",
    effect="influxd adds .bad to the name of such a file, and opens nothing of its shard until it "
    "is started again; with few processors it may never get so far, and at a damaged fields.idxl "
    "it can exit",
    remedy="repair moves no data: restore them, or add .bad to their names while influxd is "
    "stopped, so that it opens the rest",
)
HARMED_SERIES: Final = Rule(
    number="I39",
    severity=Severity.LOW,
    problem="has damaged files on disk",
    effect="influxd answers without what is lost in them",
    remedy="repair leaves them alone: if data are missing, restore them",
    is_advice=True,
)
NO_RECORD: Final = Rule(
    number="I40",
    severity=Severity.HIGH,
    problem="has a folder with shards on disk, and no record",
    effect="nobody can read or delete its data, and they take up disk space",
    remedy="repair makes a bucket for it when asked for by this number",
    is_on_request=True,
)
NO_RECORD_ASKED: Final = replace(
    NO_RECORD,
    remedy="repair cannot make a bucket for it, because its shards contradict each other: store "
    "rebuild makes a new store from all folders",
    is_on_request=False,
)
NO_RECORD_WHOSE: Final = replace(
    NO_RECORD,
    remedy="repair cannot tell which organization it belongs to: make a bucket of that ID in the "
    "right one, and then repair maps its shards when asked for I37",
    operations=("bucket create",),
    is_on_request=False,
)


def examine_absence(chart: Chart) -> Iterator[Finding]:
    """Look whether time series are missing, where the engine's folder is not in its place."""
    with suppress(CatalogueError):
        databases = chart.tx.catalogue.decoded().databases
        if any(group.shard_ids for one in databases for group in one.groups):
            yield NO_FOLDER.broken(CATALOGUE)


def _bare_groups(chart: Chart) -> Iterator[Finding]:
    with suppress(CatalogueError):
        for database in chart.tx.catalogue.decoded().databases:
            bare = {group.id for group in database.groups if not group.shard_ids}
            if bare:
                mend = _removing(database.name, bare)
                yield BARE_GROUPS.broken(CATALOGUE, database.name, mend=mend)


def examine_shards(chart: Chart) -> Iterator[Finding]:
    """Compare the folders of the engine with the catalogue and the records, after the buckets."""
    yield from _bare_groups(chart)
    if chart.engine is None or not chart.buckets.is_there:
        return
    try:
        disk = Disk(chart, chart.engine)
    except (CatalogueError, StoreAccessError):
        return  # another rule tells about the catalogue, and what may not be looked at is none
    for database in disk.catalogue.databases:
        yield from _groups(disk, database)
    for folder in disk.folders.values():
        if folder.stale:
            yield LOST_SERIES.broken(CATALOGUE, folder.id)
        if folder.wal_only_ids:
            yield _of(WAL_ONLY_SHARDS, folder.id, folder.wal_only_ids)
        if folder.id in chart.buckets.known:
            yield from _shards(disk, folder)
        elif folder.id not in chart.buckets.opaque and folder.shard_ids:
            yield from _without_record(chart, disk, folder)


def examine_series(chart: Chart) -> Iterator[Finding]:
    """Look for files of time series that influxd cannot open, by bucket."""
    engine = chart.engine
    if engine is None:
        return
    with suppress(StoreAccessError):
        for number, folder in enumerate(engine.buckets(), 1):
            shards = (engine.look_at_shard(folder.id, one) for one in folder.shard_ids)
            # What is of lost series is a finding of its own.
            others = (
                one for one in shards if not set(folder.stale).issuperset(one.blocking or "?")
            )
            yield from _damaged(folder.id, others)
            if chart.progress is not None:
                chart.progress("bucket folders", number)
        yield from _damaged(None, engine.strays())


def _damaged(bucket_id: Id | None, shards: Iterable[ShardFacts]) -> Iterator[Finding]:
    problems: dict[bool, list[str]] = {}
    for shard in shards:
        if shard.problems:
            problems.setdefault(bool(shard.blocking), []).extend(shard.problems)
    for is_blocking, (first, *others) in sorted(problems.items(), reverse=True):
        rule = DAMAGED_SERIES if is_blocking else HARMED_SERIES
        finding = rule.broken(CATALOGUE, bucket_id, problem=f"{rule.problem}: {first}")
        yield replace(finding, details=tuple(others[:SHARDS_SHOWN]))


class Disk:
    """What lies in the engine's folder, beside the catalogue.

    Attributes:
        folders: The folders of buckets, by ID.
    """

    def __init__(self, chart: Chart, engine: EngineFolder) -> None:
        """Look at both.

        Raises:
            CatalogueError: There is no catalogue that can be understood.
            StoreAccessError: This user may not look at the folder.
        """
        self._chart = chart
        self.engine = engine
        self.catalogue = chart.tx.catalogue.decoded()
        self.folders = {folder.id: folder for folder in engine.buckets()}
        self._owners: dict[int, set[str]] = {}
        for folder in self.folders.values():
            for shard_id in folder.shard_ids:
                self._owners.setdefault(shard_id, set()).add(folder.id)
        for database in self.catalogue.databases:
            for group in database.groups:
                for shard_id in group.shard_ids:
                    self._owners.setdefault(shard_id, set()).add(database.name)

    @property
    def now_ns(self) -> int:
        """The time."""
        return int(self._chart.repairer.clock.now().timestamp()) * 10**9

    def unmapped(self, folder: BucketFolder, bucket: Bucket | None) -> tuple[Unmapped, list[int]]:
        """Read the shards of a bucket that the catalogue does not know.

        Returns:
            What can be done with them, and those of which no point can be read.

        Raises:
            StoreAccessError: This user may not read them.
        """
        database = self.catalogue.database(folder.id)
        groups = () if database is None else database.groups
        known = {one for group in groups for one in group.shard_ids}
        spans, unreadable = {}, []
        for shard_id in folder.shard_ids:
            if shard_id not in known:
                shard = self.engine.read_shard(folder.id, shard_id, Measurements())
                if shard.span is not None:
                    spans[shard_id] = shard.span
                elif not shard.is_empty:
                    unreadable.append(shard_id)
        policy = None if database is None else database.policy
        kept_ns = 0 if bucket is None else bucket.retention_ns
        duration_ns = 0 if bucket is None else bucket.shard_group_ns
        found = sort_unmapped(
            spans,
            groups,
            clashing={one for one in spans if len(self._owners[one]) > 1},
            shard_group_ns=duration_ns if policy is None else policy.shard_group_ns,
            retention_ns=kept_ns if policy is None else policy.retention_ns,
            now_ns=self.now_ns,
        )
        return found, unreadable

    def record(self, bucket_id: Id) -> Bucket | None:
        """Read the record of a bucket; None when there is none that can be understood."""
        document = self._chart.tx.table(TABLE).get(bucket_id.encode())
        try:
            return None if document is None else decode_bucket(document)
        except UndecodableError:
            return None

    def shard_id_max(self) -> int:
        """Return the highest number of a shard."""
        return max(self.engine.shard_id_max(), max(self._owners, default=0))


def disk_of(chart: Chart) -> Disk | None:
    """Look at the engine's folder; None where it is not known or cannot be looked at."""
    try:
        return None if chart.engine is None else Disk(chart, chart.engine)
    except (CatalogueError, StoreAccessError):
        return None


def groups_on_disk(
    disk: Disk | None, bucket: Bucket, *, shard_group_ns: int
) -> tuple[ShardGroup, ...]:
    """Give the groups of the shards a bucket has on disk; none where the folder is not known."""
    folder = None if disk is None else disk.folders.get(bucket.id)
    if disk is None or folder is None:
        return ()
    try:
        unmapped, _ = disk.unmapped(folder, bucket)
    except StoreAccessError:
        return ()
    return _grouped(unmapped.placeable, known_ns=shard_group_ns)


def raised(chart: Chart, catalogue: bytes) -> bytes:
    """Let the server number its next shard behind all that are on disk; give the new catalogue."""
    if chart.engine is None:
        return catalogue
    try:
        return with_shard_id_max(catalogue, chart.engine.shard_id_max())
    except StoreAccessError:
        return catalogue


def _grouped(spans: Mapping[int, Span], *, known_ns: int | None) -> tuple[ShardGroup, ...]:
    duration = choose_duration(list(spans.values()), known_ns=known_ns)
    return tuple(
        ShardGroup(
            id=shard_id, start_ns=span.first_ns, end_ns=span.last_ns + 1, shard_ids=(shard_id,)
        )
        for shard_id, span in group_shards(spans, duration).items()
    )


def _groups(disk: Disk, database: Database) -> Iterator[Finding]:
    """Look for shards without folders."""
    folder = disk.folders.get(as_id(database.name))
    there = set(folder.shard_ids) if folder is not None else set()
    past = [group for group in database.groups if group.shard_ids and group.end_ns < disk.now_ns]
    absent = sum(not there.intersection(group.shard_ids) for group in past)
    if absent and absent == len(past) and not there:
        yield NO_SHARD_AT_ALL.broken(CATALOGUE, database.name)
    elif absent:
        yield ABSENT_SHARDS.broken(CATALOGUE, database.name)


def _shards(disk: Disk, folder: BucketFolder) -> Iterator[Finding]:
    """Look for shards of a bucket that the catalogue does not know."""
    bucket = disk.record(folder.id)
    unmapped, unreadable = disk.unmapped(folder, bucket)
    database = disk.catalogue.database(folder.id)
    if unmapped.placeable and database is not None and database.policy is not None:
        mend = _mapping(disk, folder.id, unmapped.placeable)
        yield _of(UNKNOWN_SHARDS, folder.id, unmapped.placeable, mend=mend)
    for rule, shard_ids in (
        (OVERLAPPING_SHARDS, unmapped.overlapping),
        (CLASHING_SHARDS, unmapped.clashing),
        (EXPIRED_SHARDS, unmapped.expired),
        (UNREADABLE_SHARDS, unreadable),
    ):
        if shard_ids:
            yield _of(rule, folder.id, shard_ids)


def _of(
    rule: Rule, bucket_id: str, shard_ids: Collection[int], *, mend: Mend | None = None
) -> Finding:
    numbers = sorted(shard_ids)
    shown = ", ".join(str(one) for one in numbers[:SHARDS_SHOWN])
    more = f" and {len(numbers) - SHARDS_SHOWN} more" if len(numbers) > SHARDS_SHOWN else ""
    problem = f"{rule.problem} ({shown}{more})"
    return rule.broken(CATALOGUE, bucket_id, mend=mend, problem=problem)


def _without_record(chart: Chart, disk: Disk, folder: BucketFolder) -> Iterator[Finding]:
    unmapped, _ = disk.unmapped(folder, None)
    is_clear = not (unmapped.overlapping or unmapped.clashing or unmapped.expired)
    organizations = sorted(chart.orgs.known)
    if not is_clear:
        yield NO_RECORD_ASKED.broken(TABLE, folder.id)
        return
    if len(organizations) != 1 or chart.orgs.opaque:
        yield NO_RECORD_WHOSE.broken(TABLE, folder.id)
        return
    mend = _making(chart, disk, folder.id, as_id(organizations[0]), unmapped.placeable)
    yield NO_RECORD.broken(TABLE, folder.id, mend=mend)


def _removing(name: str, group_ids: set[int]) -> Mend:
    def remove(tx: MetaTx) -> None:
        catalogue = tx.catalogue.read() or b""
        tx.catalogue.write(with_groups(catalogue, name=name, added=(), removed=group_ids))

    return remove


def _mapping(disk: Disk, name: Id, spans: Mapping[int, Span]) -> Mend:
    def map_them(tx: MetaTx) -> None:
        known = tx.catalogue.decoded()
        database = known.database(name)
        if database is None:
            return
        first_id = max(known.group_id_max, disk.shard_id_max()) + 1
        groups, removed = map_beside(spans, database, group_id=first_id)
        catalogue = tx.catalogue.read() or b""
        changed = with_groups(catalogue, name=name, added=groups, removed=removed)
        tx.catalogue.write(with_shard_id_max(changed, disk.shard_id_max()))

    return map_them


def _making(chart: Chart, disk: Disk, bucket_id: Id, org_id: Id, spans: Mapping[int, Span]) -> Mend:
    """Make a bucket for a folder, with an entry in the catalogue unless it has one."""

    def make(tx: MetaTx) -> None:
        database = tx.catalogue.decoded().database(bucket_id)
        policy = None if database is None else database.policy
        duration_ns = choose_duration(list(spans.values())).duration_ns
        retention_ns = 0
        if policy is not None:
            duration_ns, retention_ns = policy.shard_group_ns, policy.retention_ns
        name = NAME.format(bucket_id=bucket_id)
        document = encode_bucket(
            bucket_id=bucket_id,
            org_id=org_id,
            kind=TYPE_USER,
            name=name,
            description="",
            retention_ns=retention_ns,
            shard_group_ns=duration_ns,
            now=format_time(chart.repairer.clock.now()),
        )
        tx.buckets.insert(bucket_id, org_id, name, document)
        if database is not None:
            _mapping(disk, bucket_id, spans)(tx)
            return
        changed = with_database(
            tx.catalogue.read() or b"",
            name=bucket_id,
            retention_ns=0,
            shard_group_ns=duration_ns,
            groups=_grouped(spans, known_ns=duration_ns),
        )
        tx.catalogue.write(with_shard_id_max(changed, disk.shard_id_max()))

    return make
