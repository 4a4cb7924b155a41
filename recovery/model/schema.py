"""Schema levels: the migrations that a server has made, and the buckets that come with them.

Lives here: the table of migrations, and the level of a store from its records. Must not live here:
the migrations' effect on records.

Source: InfluxDB v2.9.1 kv/migration/all/, kv/initial_migration.go, kit/migration/, bolt/kv.go,
sqlite/migrations/; versions from the tags v2.0.0 to v2.9.1.
"""

from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Final

import msgspec

from recovery.model.gojson import (
    UndecodableError,
    encode,
    id_field,
    text_field,
    time_field,
)
from recovery.model.ids import ID_LENGTH, parse_id
from recovery.model.record_fields import decode_record

LEVEL_MAX: Final = 21
"""Highest level known here (InfluxDB 2.8 and 2.9)."""
LEVEL_MIN: Final = 11
"""Lowest level of a final release (InfluxDB 2.0.0)."""

MIGRATIONS: Final = (
    "initial migration",
    'add index "userresourcemappingsbyuserindexv1"',
    "migrate task owner id",
    "create DBRP buckets",
    "create pkger stacks buckets",
    "delete sessionsv1 bucket",
    "Create TSM metadata buckets",
    "Create Legacy authorization buckets",
    "Create legacy auth password bucket",
    'add index "telegrafbyorgindexv1"',
    "populate dashboards owner id",
    'add index "dbrpbyorgv1"',
    "repair DBRP owner and bucket IDs",
    'add index "dbrpbyorgv1"',
    "record shard group durations in bucket metadata",
    "add annotations and notebooks resource types to operator token",
    "add annotations and notebooks resource types to all-access tokens",
    "repair missing shard group durations",
    "add remotes and replications resource types to operator and all-access tokens",
    "create remotes and replications metrics buckets",
    "create authorizationhashedindexv1 bucket",
)
"""Names of the migrations 1 to 21, in order; 12 and 14 have the same."""

SQL_MIGRATIONS: Final = (
    "0001_create_migrations_table",
    "0002_create_notebooks_table",
    "0003_create_annotations_tables",
    "0004_create_remotes_table",
    "0005_create_replications_table",
    "0006_migrate_replications_foreign_key",
    "0007_migrate_replications_add_bucket_name",
    "0008_migrate_remotes_null_remote_org",
)
"""Names in the SQLite file beside the store, in order."""

_ALWAYS: Final = (
    "idsv1", "migrationsv1", "authorizationsv1", "bucketsv1", "dashboardsv2", "organizationsv1",
    "scraperv2", "telegrafv1", "telegrafPluginsv1", "usersv1",
)  # fmt: skip
_BUCKETS_BY_MIGRATION: Final = {
    1: (
        "authorizationindexv1", "bucketindexv1", "orgsdashboardsv1", "dashboardcellviewsv1",
        "keyvaluelogv1", "keyvaluelogindexv1", "labelsv1", "labelmappingsv1", "labelindexv1",
        "onboardingv1", "organizationindexv1", "tasksv1", "taskRunsv1", "taskIndexsv1",
        "userspasswordv1", "secretsv1", "userresourcemappingsv1", "notificationRulev1",
        "userindexv1", "sourcesv1", "templates/documents/content", "templates/documents/meta",
        "checksv1", "checkindexv1", "notificationEndpointv1", "notificationEndpointIndexv1",
        "variablesv1", "variablesindexv1", "variableorgsv1",
    ),
    2: ("userresourcemappingsbyuserindexv1",),
    4: ("dbrpv1", "dbrpbyorganddbindexv1", "dbrpdefaultv1"),
    5: ("v1_pkger_stacks", "v1_pkger_stacks_index"),
    7: ("v1_tsm1_metadata",),
    8: ("legacy/authorizationsv1", "legacy/authorizationindexv1"),
    9: ("legacy/authorizationPasswordv1",),
    10: ("telegrafbyorgindexv1",),
    12: ("dbrpbyorgv1",),
    20: ("remotesv2", "replicationsv2"),
    21: ("authorizationhashedindexv1",),
}  # fmt: skip
BUCKETS_OF_ANY_LEVEL: Final = frozenset(_ALWAYS).union(
    *_BUCKETS_BY_MIGRATION.values(), ("sessionsv1",)
)
"""Every name that a server has ever given to a top-level bolt bucket."""
_SESSIONS_ADDED: Final = 1
_SESSIONS_REMOVED: Final = 6

_VERSIONS: Final = (
    (11, "2.0.0 to 2.0.2"),
    (14, "2.0.3 to 2.0.4"),
    (15, "2.0.5 to 2.0.9"),
    (18, "2.1"),
    (19, "2.2"),
    (20, "2.3 to 2.7"),
    (21, "2.8 to 2.9"),
)
"""Highest level of each range of versions; the levels between are only met half way."""

_VERSIONS_BY_BOTH: Final = {
    (15, 0): "2.0.5 to 2.0.9",
    (18, 3): "2.1",
    (19, 5): "2.2",
    (20, 5): "2.3",
    (20, 7): "2.4",
    (20, 8): "2.5 to 2.7",
    (21, 8): "2.8 to 2.9",
}
"""Versions by the numbers of migrations in the store and in the SQLite file."""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One migration as the store records it.

    Attributes:
        ordinal: Its number, from the key.
        is_finished: Whether it has an end time.
    """

    ordinal: int
    name: str
    is_finished: bool


@unique
class SchemaFault(StrEnum):
    """What can be wrong with the migrations of a store."""

    EMPTY = "empty"
    """There are none: an empty file, or one older than 2.0.0-beta.14."""
    NEWER = "newer"
    """One is not known here: the store belongs to a newer server."""
    UNREADABLE = "unreadable"
    """One cannot be decoded; no server starts on that."""
    RENAMED = "renamed"
    """One has another name than its number has; no server starts on that."""
    GAP = "gap"
    """One is missing below the highest; servers do not notice."""
    UNFINISHED = "unfinished"
    """The last one has no end: the next start of the server runs it again."""
    INTERRUPTED = "interrupted"
    """One before the last has no end."""
    OLDER = "older"
    """The level is that of a release before 2.0.0."""


class SchemaState(msgspec.Struct, frozen=True, kw_only=True):
    """What the migrations of a store tell.

    Attributes:
        level: The highest finished migration; 0 when there is none.
        fault: The worst that is wrong, or None.
        sentence: The same as a clause whose subject is the store; empty when nothing is wrong.
    """

    level: int
    fault: SchemaFault | None
    sentence: str


def schema_state(migrations: Iterable[Migration], *, unreadable: str = "") -> SchemaState:
    """Judge the migrations of a store, all records of `migrationsv1`.

    Args:
        unreadable: What is wrong with one that cannot be decoded, as a clause whose subject is the
            store; empty where all can.
    """
    found = sorted(migrations, key=lambda migration: migration.ordinal)
    level = max((migration.ordinal for migration in found if migration.is_finished), default=0)
    fault, sentence = _identity_fault(found) or _order_fault(found, level) or (None, "")
    if unreadable and fault is not SchemaFault.NEWER:
        fault, sentence = SchemaFault.UNREADABLE, unreadable
    return SchemaState(level=level, fault=fault, sentence=sentence)


def buckets_of_level(level: int) -> frozenset[str]:
    """List the top-level bolt buckets of a complete store."""
    names = set(_ALWAYS)
    for ordinal, added in _BUCKETS_BY_MIGRATION.items():
        if ordinal <= level:
            names.update(added)
    if _SESSIONS_ADDED <= level < _SESSIONS_REMOVED:
        names.add("sessionsv1")
    return frozenset(names)


def level_shown_by(names: Iterable[str]) -> int:
    """Tell from its top-level bolt buckets which level a store has at least; 0 where none tells."""
    there = set(names)
    return max((at for at, added in _BUCKETS_BY_MIGRATION.items() if there & set(added)), default=0)


def versions_of_level(level: int) -> str:
    """Name the versions that leave a store at a level: "InfluxDB 2.8 to 2.9", or "unknown"."""
    if level <= 0:
        return "unknown"
    return next((f"InfluxDB {text}" for highest, text in _VERSIONS if level <= highest), "unknown")


def versions_of_levels(level: int, sql_level: int) -> str | None:
    """Name the InfluxDB versions that leave a store and its SQLite file at their levels.

    Args:
        sql_level: Number of migrations in the SQLite file; 0 when there is none.

    Returns:
        Such as "InfluxDB 2.4"; None when no version does, so that the two files come from
        different installations or a restore stopped half way.
    """
    text = _VERSIONS_BY_BOTH.get((level, sql_level))
    if text is None and sql_level == 0 and level < min(_VERSIONS_BY_BOTH)[0]:
        return versions_of_level(level)
    return None if text is None else f"InfluxDB {text}"


def decode_migration(key: bytes, document: bytes) -> Migration:
    """Decode a record of `migrationsv1`; raise `UndecodableError` where the server could not."""
    ordinal = parse_id(key)
    if ordinal is None or len(key) != ID_LENGTH:
        raise UndecodableError(problem="its key is no number")
    fields = decode_record(document, "MIGRATION")
    # The server decodes that ID too, and goes by the key: v2.9.1 kv/migration/migration.go (walk).
    id_field(fields, "id")
    time_field(fields, "started_at")
    return Migration(
        ordinal=int(ordinal, 16),
        name=text_field(fields, "name"),
        is_finished=bool(time_field(fields, "finished_at")),
    )


def encode_migration(ordinal: int, now: str) -> tuple[bytes, bytes]:
    """Encode the key and record of a finished migration, byte for byte as the server would."""
    key = f"{ordinal:0{ID_LENGTH}x}"
    document = encode(
        {"id": key, "name": MIGRATIONS[ordinal - 1], "started_at": now, "finished_at": now}
    )
    return key.encode("ascii"), document


def _identity_fault(found: list[Migration]) -> tuple[SchemaFault, str] | None:
    """Look for migrations that no server known here makes."""
    if not found:
        return SchemaFault.EMPTY, "has no migration records, so no server of 2.0 has set it up"
    highest = found[-1].ordinal
    if highest > LEVEL_MAX:
        return SchemaFault.NEWER, (
            f"has migration {highest}, which is newer than InfluxDB 2.9 (known are 1 to "
            f"{LEVEL_MAX})"
        )
    for migration in found:
        if migration.name != MIGRATIONS[migration.ordinal - 1]:
            return SchemaFault.RENAMED, (
                f"has another name for migration {migration.ordinal} than InfluxDB 2.x"
            )
    return None


def _order_fault(found: list[Migration], level: int) -> tuple[SchemaFault, str] | None:
    """Look for migrations that are missing or not finished."""
    there = {migration.ordinal for migration in found}
    unfinished = sorted(there - {one.ordinal for one in found if one.is_finished})
    missing = set(range(1, level)) - there
    if missing:
        return SchemaFault.GAP, f"lacks migration {min(missing)}, and has later ones"
    if unfinished and unfinished[0] < level:
        return SchemaFault.INTERRUPTED, f"has not finished migration {unfinished[0]} of {level}"
    if unfinished:
        return SchemaFault.UNFINISHED, (
            f"was left in the middle of migration {unfinished[0]}, which the next start of influxd "
            "finishes"
        )
    if level < LEVEL_MIN:
        return SchemaFault.OLDER, f"is at level {level}, older than InfluxDB 2.0.0"
    return None
