"""The schema: migrations, the bolt buckets of the level, the ID of the instance.

Lives here: the rules I2 to I4. Must not live here: what is in the buckets.

Source: spec influxdb-metadata sections 4.1, 4.8, 6.1, 13.2.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from recovery.metastore.transaction import MetaTx
from recovery.model.catalogue import BUCKET as CATALOGUE
from recovery.model.gojson import UndecodableError, format_time
from recovery.model.ids import ID_LENGTH, parse_id
from recovery.model.schema import (
    LEVEL_MAX,
    LEVEL_MIN,
    MIGRATIONS,
    Migration,
    buckets_of_level,
    decode_migration,
    encode_migration,
)
from recovery.services.doctor.chart import Chart
from recovery.services.doctor.finding import Finding, Mend, Rule, Severity, putting
from recovery.services.doctor.servers import FROM_2_5
from recovery.services.tenancy.writing import INSTANCE_ID_KEY, INSTANCE_ID_TABLE

TABLE: Final = "migrationsv1"
OF_MIGRATIONS: Final = "I2"
"""What is wrong with these makes every change be refused."""
NEEDS_BACKUP: Final = "repair cannot do it: restore a backup of the store"
MADE_SURE: Final = (
    "with the name that its number has, as later ones show that it was made; what it makes is "
    "checked by itself"
)
WRITES_AGAIN: Final = f"asked for this number, repair writes its record again, {MADE_SURE}"

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
    is_on_request=True,
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
    remedy=f"repair writes its record again, {MADE_SURE}",
)
INTERRUPTED: Final = replace(
    GAP,
    severity=Severity.LOW,
    problem="is a migration that was not finished, and later ones were",
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
    remedy="repair makes it again from the engine's folder",
)
WITHOUT_FOLDER: Final = (
    "restore a backup of the store, or make a new one: repair makes it again only where the "
    "engine's folder is known, as beside the store or by INFLUXD_ENGINE_PATH"
)
"""A new catalogue would number the shards from 1, and meet those that are on disk."""
REBUILD: Final = ("store rebuild",)
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
    """Look at the records of migrations.

    influxd goes by the last finished one, and asks of all only whether number and name fit. So each
    in front of it can be written again, and is no news to a server.
    Source: InfluxDB v2.9.1 kv/migration/migration.go (Up, walk).
    """
    found: dict[int, Migration | None] = {}
    for key, document in chart.tx.table(TABLE).items():
        ordinal = int(parse_id(key) or "0", 16)
        try:
            found[ordinal] = decode_migration(key, document)
        except UndecodableError:
            if key != _key(ordinal):
                yield UNDECODABLE.broken(TABLE, key)
            else:
                found[ordinal] = None
    last = max((number for number, one in found.items() if one and _is_made(one)), default=0)
    for ordinal in sorted({*range(1, last), *found}):
        rule = _fault(found[ordinal], last) if ordinal in found else GAP
        if rule is not None:
            yield _rewriting(chart, rule, ordinal, last)
    if min(max((number for number, one in found.items() if one), default=0), LEVEL_MAX) < LEVEL_MIN:
        yield OLD.broken(TABLE)


def _is_made(migration: Migration) -> bool:
    return migration.is_finished and migration.name in MIGRATIONS[migration.ordinal - 1 :][:1]


def _fault(migration: Migration | None, last: int) -> Rule | None:
    """Say what is wrong with a record; `last` is the last migration that was made."""
    if migration is None:
        return UNDECODABLE
    if migration.ordinal > LEVEL_MAX:
        return UNKNOWN
    if migration.name != MIGRATIONS[migration.ordinal - 1]:
        return RENAMED
    if migration.is_finished:
        return None
    return INTERRUPTED if migration.ordinal < last else UNFINISHED


def _rewriting(chart: Chart, rule: Rule, ordinal: int, last: int) -> Finding:
    """Give a finding about a migration, with the mend that writes it where later ones are there."""
    if ordinal >= last:
        return rule.broken(TABLE, _key(ordinal))
    now = format_time(chart.repairer.clock.now())
    mend = putting(TABLE, *encode_migration(ordinal, now))
    remedy = WRITES_AGAIN if rule is RENAMED else GAP.remedy
    return rule.broken(TABLE, _key(ordinal), mend=mend, remedy=remedy)


def _key(ordinal: int) -> bytes:
    return f"{ordinal:0{ID_LENGTH}x}".encode()


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
        if is_needed and chart.engine is None:
            return replace(rule, remedy=WITHOUT_FOLDER, operations=REBUILD).broken(name)
        # What is in it is made in the round after.
        return rule.broken(name, mend=_making(name))
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
    table = chart.tx.table(INSTANCE_ID_TABLE)
    stored = table.get(INSTANCE_ID_KEY)
    is_none = stored is None and not table.is_bucket(INSTANCE_ID_KEY)
    if is_none or (stored is not None and parse_id(stored[:ID_LENGTH]) is not None):
        return

    def mend(tx: MetaTx) -> None:
        made = chart.repairer.ids.snowflake()
        putting(INSTANCE_ID_TABLE, INSTANCE_ID_KEY, made.encode())(tx)

    yield BAD_INSTANCE_ID.broken(INSTANCE_ID_TABLE, mend=mend)
