"""Buckets, the index of their names, and the engine's catalogue of them.

Lives here: the rules I10 to I13, I15 and I16. Must not live here: whether an organization has its
system buckets (`organizations`), what is in the engine's folder (`surroundings`).

Source: spec influxdb-metadata sections 4.4, 4.9, 13.2.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final, Self

from msgspec.structs import replace

from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import (
    SYSTEM_BUCKETS,
    TYPE_SYSTEM,
    TYPE_USER,
    Bucket,
    decode_bucket,
    encode_bucket,
    index_key,
    shard_group_duration_ns,
)
from recovery.model.catalogue import (
    BUCKET as CATALOGUE,
)
from recovery.model.catalogue import (
    POLICY,
    CatalogueError,
    Database,
    DatabaseWish,
    decode_catalogue,
    empty_catalogue,
    with_databases,
    without_database,
)
from recovery.model.display import is_typeable
from recovery.model.gojson import UndecodableError, format_time
from recovery.model.goshape import BUCKET as BUCKET_SHAPE
from recovery.model.goshape import can_decode
from recovery.model.ids import ID_LENGTH, parse_id
from recovery.model.schema import buckets_of_level
from recovery.model.shard_groups import ShardGroup
from recovery.services.doctor.chart import BUCKETS_LOOKED_AT, Chart, as_id, text_of
from recovery.services.doctor.finding import Finding, JointMend, Mend, Rule, Severity, putting
from recovery.services.doctor.indexes import Adoption, IndexAudit, index_rules
from recovery.services.doctor.records import (
    BY_ITS_ID,
    TAKES_KEY,
    hard_name,
    misplaced,
    undecodable,
    unreadable,
    wrong_key,
)
from recovery.services.doctor.schema import REBUILD, WITHOUT_FOLDER
from recovery.services.doctor.servers import ALL_SERVERS, FROM_2_5
from recovery.services.doctor.shards import Disk, disk_of, groups_on_disk, raised
from recovery.services.doctor.startup import TASKS_BUCKET

TABLE: Final = "bucketsv1"
INDEX: Final = "bucketindexv1"
SYSTEM_NAMES: Final = frozenset(system.name for system in SYSTEM_BUCKETS)

NO_DATABASE: Final = Rule(
    number="I10",
    severity=Severity.MEDIUM,
    problem="is a bucket without an entry in the engine's catalogue",
    effect="influxd exits at once: Missing metadata for bucket, and then, misleadingly, "
    "Incompatible InfluxDB 2.0 version found; the usual causes are a DELETE of a system bucket by "
    "API, UI or Terraform, which is answered with 400, and influxd recovery org create",
    remedy="repair adds the entry, with the shards that are on disk, where the engine's folder is "
    "known",
)
NO_BUCKET: Final = Rule(
    number="I11",
    severity=Severity.LOW,
    problem="is a database of the engine's catalogue without a bucket",
    effect="its data take up disk space, and nobody can read or delete them",
    remedy="repair leaves it alone: the data may be wanted",
)
NO_POLICY: Final = Rule(
    number="I12",
    severity=Severity.HIGH,
    problem="is a bucket whose entry in the engine's catalogue has no policy autogen",
    effect="each write to it and each query of it fails; influxd 2.5 and later does not start "
    "where it is the bucket _tasks of an organization with tasks",
    remedy="repair makes the entry again, with the shard groups that it has, or that are on disk; "
    "it leaves one with several policies alone",
)
DISAGREES: Final = Rule(
    number="I12",
    severity=Severity.MEDIUM,
    problem="is a bucket that the engine keeps by another retention period than it shows",
    effect="the engine goes by its catalogue, the API shows the record",
    remedy="repair cannot know which one is meant: set it again with influx bucket update",
)
NO_DURATION: Final = Rule(
    number="I12",
    severity=Severity.MEDIUM,
    problem="is a bucket without a shard group duration, and its catalogue entry has one",
    effect="the API shows 0",
    remedy="repair takes it from the catalogue, as influxd 2.1 did",
)
BAD_CATALOGUE: Final = Rule(
    number="I13",
    severity=Severity.FATAL,
    problem="is the engine's catalogue, and cannot be understood",
    effect="influxd stops: Failed to open meta client",
    remedy="restore a backup of the store; or ask for this number, and repair makes it again from "
    "the engine's folder",
    is_on_request=True,
)
NO_CATALOGUE: Final = Rule(
    number="I13",
    severity=Severity.FATAL,
    problem="has no engine's catalogue, and there are buckets",
    effect="influxd begins a new one, finds no bucket in it, and exits: Missing metadata for "
    "bucket",
    remedy="repair makes it again from the engine's folder",
)
TWICE: Final = Rule(
    number="I13",
    severity=Severity.LOW,
    problem="is a database that the engine's catalogue has twice",
    effect="influxd goes by the first of the two",
    remedy="repair leaves it alone: it does no harm",
)
UNDECODABLE: Final = undecodable(
    "I15", "a bucket", "influxd stops: Failed to retrieve buckets", Severity.FATAL
)
WRONG_KEY: Final = wrong_key("I15", "a bucket")
NO_ORG: Final = Rule(
    number="I15",
    severity=Severity.MEDIUM,
    problem="is a bucket of an organization that does not exist",
    effect="its data take up disk space, and nobody can read or delete them",
    remedy="repair takes it from the index, where just one entry leads to it; else it leaves it "
    "alone: the organization may come back with a backup",
)
NO_ORG_ID: Final = Rule(
    number="I15",
    severity=Severity.HIGH,
    problem="is a bucket that names no organization",
    effect="listing the buckets fails with 400 for everybody, no organization can be deleted, and "
    "1.x writes end with status 500",
    remedy="repair takes it from the index, where just one entry leads to it; else it cannot know "
    "whose it is: restore a backup of the store",
)
NO_ID: Final = Rule(
    number="I15",
    severity=Severity.FATAL,
    problem="is a bucket without an ID",
    effect="influxd exits at once: Missing metadata for bucket",
    remedy="repair cannot know what it was: restore a backup of the store",
)
ODD_TYPE: Final = Rule(
    number="I15",
    severity=Severity.MEDIUM,
    problem="is a bucket that is neither of type 0 (user) nor of type 1 (system)",
    effect="shown with an unknown type",
    remedy="repair cannot know which type is meant",
)
ODD_NAME: Final = Rule(
    number="I15",
    severity=Severity.MEDIUM,
    problem="is a user's bucket with a name that begins with _, as only system buckets have",
    effect="it cannot be renamed or made with that name again",
    remedy="repair cannot know whether the type or the name is wrong",
)
NO_NAME: Final = Rule(
    number="I15",
    severity=Severity.MEDIUM,
    problem="is a bucket without a name",
    effect="it cannot be found by name",
    remedy="repair takes it from the index, where just one entry leads to it; else give it one "
    "with a running influxd, by its ID: influx bucket update",
)
HARD_NAME: Final = hard_name("I15", "a bucket", "bucket rename", BY_ITS_ID)
NAMES: Final = index_rules(
    "I16",
    missing=(Severity.MEDIUM, "the bucket is not found by name, and writes to it fail"),
    extra=(
        Severity.HIGH,
        "listing the buckets of the organization fails, and it cannot be deleted",
    ),
    foreign=(Severity.MEDIUM, "the bucket answers to a name that it does not have"),
    is_used=True,
)
TAKES_PLACE: Final = (
    "repair gives the bucket the name and the organization of that entry, by which it is found"
)
MAKES_AGAIN: Final = (
    "repair makes the bucket again, with the name and the organization that the index has, and the "
    "retention period that the engine's catalogue has; its data are found again"
)
REPLACES: Final = f"{MAKES_AGAIN}; its description is then in the backup only"
TAKES_OTHER_NAME: Final = (
    "repair leaves it alone, because writes and queries by that name work: asked for it, "
    "repair gives the bucket that name"
)


def examine_buckets(chart: Chart) -> Iterator[Finding]:
    """Look at buckets, their names and their entries in the catalogue, after the organizations."""
    table = chart.tx.table(TABLE)
    chart.buckets.is_there = chart.has_records(TABLE)
    index = chart.tx.table(INDEX)
    catalogue = _Catalogue(chart)
    yield from catalogue.read()
    audit = IndexAudit(
        index,
        TABLE,
        NAMES,
        adopt=lambda *place: _adopting(chart, *place),
        revive=catalogue.reviving,
    )
    stuck = {index_key(as_id(one), TASKS_BUCKET): one for one in chart.stuck_orgs}
    for rank, (key, document) in enumerate(table.items()):
        try:
            bucket = decode_bucket(document)
        except UndecodableError:
            chart.buckets.opaque.add(text_of(key))
            rule = NO_ID if can_decode(document, BUCKET_SHAPE) else UNDECODABLE
            finding = unreadable(rule, TABLE, key, document, BUCKET_SHAPE)
            yield finding if finding.mend is not None else catalogue.remaking(finding, key)
            continue
        compared = list(catalogue.compare(bucket, rank))
        if key != bucket.id.encode():
            chart.buckets.opaque.update((text_of(key), bucket.id))
            yield from _under_wrong_key(chart, key, bucket, compared)
            continue
        yield from compared
        chart.buckets.known.add(bucket.id)
        yield from _bucket(chart, bucket)
        if bucket.org_id is not None and bucket.name:
            name = index_key(bucket.org_id, bucket.name)
            if chart.orgs.has(bucket.org_id) or index.get(name) == key:
                audit.want(name, key)
    _note_system_buckets_by_name(chart, catalogue)

    def missing(name: bytes, finding: Finding) -> Finding:
        if name not in stuck:
            return finding
        chart.explain_stuck(stuck[name])
        return chart.stopping(finding, FROM_2_5)

    yield from audit.findings(chart.buckets, missing=missing)
    yield from catalogue.leftovers()


def _under_wrong_key(
    chart: Chart, key: bytes, bucket: Bucket, compared: list[Finding]
) -> Iterator[Finding]:
    """Give a bucket whose key is not its ID, which goes by that of the two that the index names."""
    named = chart.tx.table(INDEX).get(f"{bucket.org_id}{bucket.name}".encode())
    finding = misplaced(WRONG_KEY, chart.tx, TABLE, key, bucket.id, lambda one: one == named)
    if finding.remedy != TAKES_KEY:
        yield from compared
    for one in compared:  # under its wrong ID
        if finding.remedy == TAKES_KEY and one.number == NO_DATABASE.number:
            finding = replace(finding, severity=one.severity, stopped=one.stopped)
    yield finding


def _bucket(chart: Chart, bucket: Bucket) -> Iterator[Finding]:
    if bucket.org_id is None:
        yield NO_ORG_ID.broken(TABLE, bucket.id)
    elif not chart.orgs.has(bucket.org_id):
        yield NO_ORG.broken(TABLE, bucket.id)
    if not bucket.name:
        yield NO_NAME.broken(TABLE, bucket.id)
    elif not is_typeable(bucket.name):
        yield HARD_NAME.broken(TABLE, bucket.id)
    if bucket.type not in {TYPE_USER, TYPE_SYSTEM}:
        yield ODD_TYPE.broken(TABLE, bucket.id)
    elif bucket.name.startswith("_") and bucket.type != TYPE_SYSTEM:
        yield ODD_NAME.broken(TABLE, bucket.id)
    if bucket.org_id is not None and bucket.name in SYSTEM_NAMES:
        chart.system_buckets.setdefault(bucket.name, set()).add(bucket.org_id)


def _adopting(chart: Chart, key: bytes, entry: bytes) -> Adoption | None:
    """Give a bucket the name, and where its own is lost the organization, of its entry."""
    bucket = decode_bucket(chart.tx.table(TABLE).get(key) or b"")
    org_id = text_of(entry[:ID_LENGTH])
    try:
        name = entry[ID_LENGTH:].decode()
    except UnicodeDecodeError:
        return None
    is_org_lost = bucket.org_id is None or not chart.orgs.has(bucket.org_id)
    if org_id not in chart.orgs.known or not name or not (is_org_lost or bucket.org_id == org_id):
        return None

    def take(tx: MetaTx) -> None:
        now = decode_bucket(tx.table(TABLE).get(key) or b"")
        tx.table(TABLE).put(key, now.rewritten({"orgID": org_id, "name": name}))

    is_other = bucket.name not in {"", name}
    remedy = TAKES_OTHER_NAME if is_other else TAKES_PLACE
    return Adoption(mend=take, remedy=remedy, is_on_request=is_other)


def _note_system_buckets_by_name(chart: Chart, catalogue: "_Catalogue") -> None:
    """Count a system bucket that cannot be understood, or can be made again, as there."""
    index = chart.tx.table(INDEX)
    for org_id in chart.orgs.known:
        for name in SYSTEM_NAMES:
            found = index.get(f"{org_id}{name}".encode())
            if found is None or text_of(found) in chart.buckets.known:
                continue
            if text_of(found) in chart.buckets.opaque or catalogue.keeps(text_of(found)):
                chart.system_buckets.setdefault(name, set()).add(org_id)


class _Catalogue:
    """The engine's catalogue, while the buckets go by."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._databases: dict[str, Database] | None = None
        self._used: set[str] = set()

    def read(self) -> Iterator[Finding]:
        """Decode it."""
        table = self._chart.tx.table(CATALOGUE)
        has_buckets = not self._chart.tx.table(TABLE).is_empty
        if not table.is_there:
            # Where the migrations are lost, too, the server makes it, empty, and then stops.
            if has_buckets and CATALOGUE not in buckets_of_level(self._chart.level):
                yield NO_CATALOGUE.broken(CATALOGUE)
            return
        if self._chart.tx.catalogue.read() is None:
            if has_buckets:
                yield self._lost(NO_CATALOGUE.broken(CATALOGUE))
            return
        try:
            decoded = self._chart.tx.catalogue.decoded()
        except CatalogueError as error:
            problem = f"{BAD_CATALOGUE.problem}: it {error.problem}"
            yield self._lost(BAD_CATALOGUE.broken(CATALOGUE, problem=problem))
            return
        self._databases = {}
        for database in decoded.databases:
            if database.name in self._databases:
                yield TWICE.broken(CATALOGUE, database.name)
            self._databases[database.name] = database
        self._chart.can_extend_catalogue = True

    def _lost(self, finding: Finding) -> Finding:
        """Say how it can be made again."""
        if self._chart.engine is None:
            return replace(finding, remedy=WITHOUT_FOLDER, operations=REBUILD)
        return replace(finding, mend=_making_catalogue(self._chart))

    def compare(self, bucket: Bucket, rank: int) -> Iterator[Finding]:
        """Look for a bucket's entry, and whether it says the same as the record."""
        if self._databases is None:
            return
        self._used.add(bucket.id)
        database = self._databases.get(bucket.id)
        if database is None:
            finding = NO_DATABASE.broken(
                TABLE, bucket.id, mend=_AddingDatabase(self._chart, bucket)
            )
            stopped = ALL_SERVERS if rank < BUCKETS_LOOKED_AT else FROM_2_5
            yield self._chart.stopping(finding, stopped)
            return
        policy = database.policy
        if policy is None:
            yield self._without_policy(bucket, database)
        elif policy.retention_ns != bucket.retention_ns:
            yield DISAGREES.broken(TABLE, bucket.id)
        elif policy.shard_group_ns != bucket.shard_group_ns and bucket.shard_group_ns:
            yield DISAGREES.broken(
                TABLE,
                bucket.id,
                problem="is a bucket that the engine keeps in shard groups of another duration "
                "than it shows",
            )
        elif not bucket.shard_group_ns and policy.shard_group_ns and self._records_durations:
            mend = _setting_duration(bucket, policy.shard_group_ns)
            yield NO_DURATION.broken(TABLE, bucket.id, mend=mend)

    def _without_policy(self, bucket: Bucket, database: Database) -> Finding:
        chart, kept = self._chart, database.policies
        groups = kept[0].groups if kept else None
        mend = None if len(kept) > 1 else _AddingDatabase(chart, bucket, groups)
        finding = NO_POLICY.broken(TABLE, bucket.id, mend=mend)
        is_of_tasks = bucket.name == TASKS_BUCKET and bucket.org_id is not None
        is_stuck = is_of_tasks and chart.explain_stuck(str(bucket.org_id))
        return chart.stopping(finding, FROM_2_5) if is_stuck else finding

    @property
    def _records_durations(self) -> bool:
        return self._chart.level >= LEVEL_DURATIONS

    def keeps(self, bucket_id: str) -> bool:
        """Tell whether the engine has data of a bucket whose record is lost."""
        buckets = self._chart.buckets
        is_known = bucket_id in buckets.known or bucket_id in buckets.opaque
        has_table = self._chart.tx.table(TABLE).is_there
        return bucket_id in (self._databases or {}) and has_table and not is_known

    def reviving(self, key: bytes, entry: bytes) -> Adoption | None:
        """Make a bucket whose record is lost again, of its name and what the engine knows."""
        return self._made_of(key, entry) if self.keeps(text_of(key)) else None

    def remaking(self, finding: Finding, key: bytes) -> Finding:
        """Make a bucket that cannot be decoded again, if one entry leads to it."""
        entries = [entry for entry, value in self._chart.tx.table(INDEX).items() if value == key]
        made = self._made_of(key, entries[0]) if len(entries) == 1 else None
        if made is None:
            return finding
        return replace(finding, mend=made.mend, remedy=REPLACES)

    def _made_of(self, key: bytes, entry: bytes) -> Adoption | None:
        bucket_id, org_id = parse_id(key), text_of(entry[:ID_LENGTH])
        try:
            name = entry[ID_LENGTH:].decode()
        except UnicodeDecodeError:
            return None
        if not name or bucket_id is None or bucket_id not in (self._databases or {}):
            return None
        policies = (self._databases or {})[bucket_id].policies
        policy = next((one for one in policies if one.name == POLICY), None)
        if policy is None or org_id not in self._chart.orgs.known:
            return None
        system = next((one for one in SYSTEM_BUCKETS if one.name == name), None)
        document = encode_bucket(
            bucket_id=bucket_id,
            org_id=as_id(org_id),
            kind=TYPE_USER if system is None else TYPE_SYSTEM,
            name=name,
            description="" if system is None else system.description,
            retention_ns=policy.retention_ns,
            shard_group_ns=policy.shard_group_ns,
            now=format_time(self._chart.repairer.clock.now()),
        )
        return Adoption(mend=putting(TABLE, key, document), remedy=MAKES_AGAIN, is_on_request=False)

    def leftovers(self) -> Iterator[Finding]:
        """Give the databases that no bucket has."""
        buckets = self._chart.buckets
        if not buckets.is_there:
            return
        for name in self._databases or ():
            if name not in self._used and name not in buckets.opaque:
                yield NO_BUCKET.broken(CATALOGUE, name)


LEVEL_DURATIONS: Final = 18
"""From this level on every bucket records its shard group duration."""


class _AddingDatabase(JointMend):
    """Makes the entry of a bucket in the catalogue; those of thousands in one go."""

    def __init__(
        self, chart: Chart, bucket: Bucket, groups: tuple[ShardGroup, ...] | None = None
    ) -> None:
        self.chart = chart
        self.bucket = bucket
        self._groups = groups

    @classmethod
    def do_all(cls, tx: MetaTx, mends: Sequence[Self]) -> None:
        """Remove what is there of these databases, and make them again."""
        chart, disk = mends[0].chart, disk_of(mends[0].chart)
        catalogue = tx.catalogue.read() or b""
        wishes = [one.wish(disk) for one in mends]
        there = {one.name for one in decode_catalogue(catalogue).databases}
        for name in there.intersection(wish.name for wish in wishes):
            catalogue = without_database(catalogue, name=name)
        tx.catalogue.write(raised(chart, with_databases(catalogue, wishes)))
        for one, wish in zip(mends, wishes, strict=True):
            if wish.shard_group_ns != one.bucket.shard_group_ns:
                _setting_duration(one.bucket, wish.shard_group_ns)(tx)

    def wish(self, disk: Disk | None) -> DatabaseWish:
        """Say what the entry is to be."""
        bucket = self.bucket
        span_ns = shard_group_duration_ns(bucket.retention_ns, wanted_ns=bucket.shard_group_ns)
        return DatabaseWish(
            name=bucket.id,
            retention_ns=bucket.retention_ns,
            shard_group_ns=span_ns,
            groups=self._groups or groups_on_disk(disk, bucket, shard_group_ns=span_ns),
        )


def _making_catalogue(chart: Chart) -> Mend:
    """Make the catalogue again, with an entry for every bucket."""

    def make(tx: MetaTx) -> None:
        tx.catalogue.write(raised(chart, empty_catalogue(chart.repairer.rng)))
        mends = []
        for key, document in tx.table(TABLE).items():
            with suppress(UndecodableError):
                bucket = decode_bucket(document)
                if key == bucket.id.encode():
                    mends.append(_AddingDatabase(chart, bucket))
        if mends:
            _AddingDatabase.do_all(tx, mends)

    return make


def _setting_duration(bucket: Bucket, shard_group_ns: int) -> Mend:
    def set_duration(tx: MetaTx) -> None:
        document = bucket.rewritten({"shardGroupDuration": shard_group_ns})
        tx.table(TABLE).put(bucket.id.encode(), document)

    return set_duration
