"""The schema: migrations, the bolt buckets of the level, the ID of the instance.

Lives here: the rules I2 to I4. Must not live here: what is in the buckets.

Source: spec influxdb-metadata sections 4.1, 4.8, 6.1, 13.2.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from recovery.metastore.transaction import MetaTx
from recovery.model.catalogue import BUCKET as CATALOGUE
from recovery.model.gojson import UndecodableError
from recovery.model.ids import ID_LENGTH, parse_id
from recovery.model.schema import (
    LEVEL_MAX,
    LEVEL_MIN,
    MIGRATIONS,
    Migration,
    buckets_of_level,
    decode_migration,
)
from recovery.services.doctor.chart import Chart
from recovery.services.doctor.finding import Finding, Mend, Rule, Severity
from recovery.services.doctor.servers import FROM_2_5
from recovery.services.tenancy.writing import INSTANCE_ID_KEY, INSTANCE_ID_TABLE

TABLE: Final = "migrationsv1"
OF_MIGRATIONS: Final = "I2"
"""What is wrong with these makes every change be refused."""
NEEDS_BACKUP: Final = "repair cannot do it: restore a backup of the store"

UNDECODABLE: Final = Rule(
    number=OF_MIGRATIONS,
    severity=Severity.FATAL,
    problem="is a migration that cannot be understood",
    effect="influxd stops: decoding migration id",
    remedy=NEEDS_BACKUP,
)
UNKNOWN: Final = Rule(
    number=OF_MIGRATIONS,
    severity=Severity.FATAL,
    problem="is a migration that InfluxDB 2.9 does not know",
    effect="influxd up to 2.9 stops: DB contains record of unknown migration",
    remedy="start the newer influxd that made it, or restore a backup",
)
RENAMED: Final = Rule(
    number=OF_MIGRATIONS,
    severity=Severity.FATAL,
    problem="is a migration with another name than its number has",
    effect="influxd stops: expected another migration",
    remedy=NEEDS_BACKUP,
)
UNFINISHED: Final = Rule(
    number=OF_MIGRATIONS,
    severity=Severity.LOW,
    problem="is a migration that was not finished",
    effect="the next start of influxd runs it again",
    remedy="start influxd of the version that was here last once",
)
GAP: Final = Rule(
    number=OF_MIGRATIONS,
    severity=Severity.MEDIUM,
    problem="is missing among the migrations, and later ones are there",
    effect="influxd does not notice, and what that migration makes may be missing",
    remedy=NEEDS_BACKUP,
)
OLD: Final = Rule(
    number=OF_MIGRATIONS,
    severity=Severity.MEDIUM,
    problem="has fewer migrations than any final release makes",
    effect="the next start of influxd runs the rest, also on an empty store",
    remedy="make sure that this is the store which is meant",
)
_NO_BUCKET: Final = "is a bolt bucket that every store of this level has, and it is missing"
FATAL_BUCKET: Final = Rule(
    number="I3",
    severity=Severity.FATAL,
    problem=_NO_BUCKET,
    effect="influxd stops while it starts",
    remedy="repair makes it, and fills it as far as the other records tell",
)
USED_BUCKET: Final = replace(
    FATAL_BUCKET,
    severity=Severity.MEDIUM,
    effect="requests that need it end with status 500",
)
ACCESS_BUCKET: Final = replace(
    FATAL_BUCKET,
    severity=Severity.HIGH,
    effect="nobody gets in with a password: each sign-in, or each request after it, ends with "
    "status 401",
)
REMADE_BUCKET: Final = Rule(
    number="I3",
    severity=Severity.LOW,
    problem=_NO_BUCKET,
    effect="influxd makes it again, and nothing that matters is lost",
    remedy="repair makes it",
)
LOST_BUCKET: Final = Rule(
    number="I3",
    severity=Severity.HIGH,
    problem=_NO_BUCKET,
    effect="what was in it is lost; influxd makes it again, empty, or requests that need it end "
    "with status 500",
    remedy="restore a backup of the store; or have it made empty, and accept the loss or not yet",
    is_on_request=True,
)
LOST_FATAL_BUCKET: Final = Rule(
    number="I3",
    severity=Severity.FATAL,
    problem=_NO_BUCKET,
    effect="influxd stops while it starts; what was in it is lost",
    remedy="repair makes it, so that influxd starts, with what other records tell of its own; all "
    "else of them is only in a backup of the store",
)
EMPTIED_BUCKET: Final = Rule(
    number="I3",
    severity=Severity.HIGH,
    problem="is a bolt bucket that was missing and that a repair made empty: its records are lost",
    effect="what was in it is not there any more",
    remedy="restore a backup of the store; or accept the loss",
)
LOST_CATALOGUE: Final = Rule(
    number="I3",
    severity=Severity.FATAL,
    problem="is the engine's catalogue, and it is missing",
    effect="influxd stops while it starts",
    remedy="repair makes it again from the engine's folder, where that is known; without it, a new "
    "catalogue would number the shards from 1 again and meet those that are on disk",
)
BAD_INSTANCE_ID: Final = Rule(
    number="I4",
    severity=Severity.FATAL,
    problem="is the ID of the instance, and not 16 hexadecimal digits",
    effect="influxd stops: provided value is too short to contain an ID, or is no ID",
    remedy="repair draws a new one; it is used for telemetry only",
)

FATAL_BUCKETS: Final = frozenset({
    "authorizationindexv1", "authorizationhashedindexv1", "labelsv1", "labelmappingsv1",
    "labelindexv1", "legacy/authorizationsv1", "legacy/authorizationindexv1", "notificationRulev1",
})  # fmt: skip
ACCESS_BUCKETS: Final = frozenset({"userindexv1", "userresourcemappingsbyuserindexv1"})
WITNESSES: Final[dict[str, tuple[str, ...]]] = {
    "authorizationsv1": ("authorizationindexv1", "authorizationhashedindexv1"),
    "bucketsv1": ("bucketindexv1",),
    "checksv1": ("checkindexv1",),
    "dashboardcellviewsv1": ("dashboardsv2",),
    "dashboardsv2": ("orgsdashboardsv1",),
    "dbrpv1": ("dbrpbyorganddbindexv1",),
    "labelmappingsv1": ("labelsv1",),
    "labelsv1": ("labelindexv1",),
    "legacy/authorizationPasswordv1": ("legacy/authorizationsv1",),
    "legacy/authorizationsv1": ("legacy/authorizationindexv1",),
    "notificationEndpointv1": ("notificationEndpointIndexv1",),
    "notificationRulev1": (),
    "organizationsv1": ("organizationindexv1",),
    "scraperv2": (),
    "secretsv1": (),
    "sourcesv1": (),
    "taskRunsv1": ("tasksv1",),
    "tasksv1": ("taskIndexsv1",),
    "telegrafv1": ("telegrafbyorgindexv1",),
    "userresourcemappingsv1": ("userresourcemappingsbyuserindexv1",),
    "userspasswordv1": ("usersv1",),
    "usersv1": ("userindexv1",),
    "v1_pkger_stacks": ("v1_pkger_stacks_index",),
    "variablesv1": ("variablesindexv1",),
}
"""Bolt buckets of records, each with those that are empty when nothing is in it. One without such a
witness, or with one that is missing or has a key, is lost with all that was in it."""
EMPTIED: Final = int.from_bytes(b"emptied!")
"""The sequence of a bolt bucket that a repair made empty although records are lost.

bbolt keeps that number with a bucket, in every copy and backup too, and InfluxDB has no use for it
(its kv interface gives no access to it: v2.9.1 kv/store.go), so the store itself remembers the loss
until a person accepts it.
"""

REMADE_HARMLESSLY: Final = frozenset({
    "telegrafPluginsv1", "remotesv2", "replicationsv2", INSTANCE_ID_TABLE, TABLE,
})  # fmt: skip
"""Of those, counts and the like, whose loss nobody notices."""


def examine_schema(chart: Chart) -> Iterator[Finding]:
    """Look at migrations, bolt buckets and the instance's ID."""
    yield from _migrations(chart)
    yield from _buckets(chart)
    yield from _instance_id(chart)


def _migrations(chart: Chart) -> Iterator[Finding]:
    found: dict[int, Migration] = {}
    for key, document in chart.tx.table(TABLE).items():
        try:
            migration = decode_migration(key, document)
        except UndecodableError:
            yield UNDECODABLE.broken(TABLE, key)
            continue
        found[migration.ordinal] = migration
        if migration.ordinal > LEVEL_MAX:
            yield UNKNOWN.broken(TABLE, key)
        elif migration.name != MIGRATIONS[migration.ordinal - 1]:
            yield RENAMED.broken(TABLE, key)
        elif not migration.is_finished:
            yield UNFINISHED.broken(TABLE, key)
    last = min(max(found, default=0), LEVEL_MAX)
    for ordinal in range(1, last):
        key = f"{ordinal:0{ID_LENGTH}x}".encode()
        if ordinal not in found and not chart.tx.table(TABLE).has(key):
            yield GAP.broken(TABLE, key)
    if last < LEVEL_MIN:
        yield OLD.broken(TABLE)


def _buckets(chart: Chart) -> Iterator[Finding]:
    for name in sorted(buckets_of_level(chart.level)):
        table = chart.tx.table(name)
        if not table.is_there:
            is_loaded = _is_loaded(chart, name)
            finding = _missing(chart, name)
            yield chart.stopping(finding, FROM_2_5) if is_loaded else finding
        elif name in WITNESSES and table.sequence == EMPTIED:
            yield EMPTIED_BUCKET.broken(name, giving_up=_marking(name, 0))


def _is_loaded(chart: Chart, name: str) -> bool:
    """Tell whether influxd needs a bolt bucket to load the runs of its tasks."""
    has_tasks = not chart.tx.table("tasksv1").is_empty
    match name:
        case "tasksv1":
            return True
        case "taskRunsv1":
            return has_tasks
        case "bucketsv1" | "bucketindexv1":
            chart.explained_orgs.update(chart.stuck_orgs)
            return bool(chart.stuck_orgs)
        case _:
            return False


def _missing(chart: Chart, name: str) -> Finding:
    if name == CATALOGUE:
        is_needed = not chart.tx.table("bucketsv1").is_empty
        rule = LOST_CATALOGUE if is_needed else FATAL_BUCKET
        # What is in it is made in the round after, which needs the shards on disk.
        can_be_filled = not is_needed or chart.engine is not None
        return rule.broken(name, mend=_making(name) if can_be_filled else None)
    if name in REMADE_HARMLESSLY:
        return REMADE_BUCKET.broken(name, mend=_making(name))
    is_loaded = _is_loaded(chart, name) and chart.likely_server in FROM_2_5
    is_fatal = name in FATAL_BUCKETS or is_loaded
    if name in WITNESSES and not _was_empty(chart, name):
        rule = LOST_FATAL_BUCKET if is_fatal else LOST_BUCKET
        return rule.broken(name, mend=_making(name, sequence=EMPTIED), giving_up=_making(name))
    rule = ACCESS_BUCKET if name in ACCESS_BUCKETS else USED_BUCKET
    return (FATAL_BUCKET if is_fatal else rule).broken(name, mend=_making(name))


def _was_empty(chart: Chart, name: str) -> bool:
    """Tell whether nothing was in a bolt bucket that is missing."""
    witnesses = [chart.tx.table(one) for one in WITNESSES[name]]
    return bool(witnesses) and all(one.is_there and one.is_empty for one in witnesses)


def _making(name: str, *, sequence: int = 0) -> Mend:
    def make(tx: MetaTx) -> None:
        table = tx.create_table(name)
        if sequence:
            table.set_sequence(sequence)

    return make


def _marking(name: str, sequence: int) -> Mend:
    def mark(tx: MetaTx) -> None:
        tx.table(name).set_sequence(sequence)

    return mark


def _instance_id(chart: Chart) -> Iterator[Finding]:
    stored = chart.tx.table(INSTANCE_ID_TABLE).get(INSTANCE_ID_KEY)
    if stored is None or parse_id(stored[:ID_LENGTH]) is not None:
        return

    def mend(tx: MetaTx) -> None:
        made = chart.repairer.ids.snowflake()
        tx.table(INSTANCE_ID_TABLE).put(INSTANCE_ID_KEY, made.encode())

    yield BAD_INSTANCE_ID.broken(INSTANCE_ID_TABLE, mend=mend)
