"""Schema levels: the migrations that a server has made, and the buckets that come with them.

Lives here: the table of migrations, and the level of a store from its records. Must not live here:
the migrations' effect on records.

Source: InfluxDB v2.9.1 kv/migration/all/all.go, kv/initial_migration.go; kit/migration/.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from recovery.model.gojson import decode_record, encode, text_field

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
"""Names of the migrations 1 to 21, in order."""

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

_VERSIONS: Final = (
    (11, "2.0.0 to 2.0.2"),
    (14, "2.0.3 to 2.0.4"),
    (15, "2.0.5 to 2.0.9"),
    (18, "2.1"),
    (19, "2.2"),
    (20, "2.3 to 2.7"),
    (21, "2.8 to 2.9"),
)
"""Highest level of each range of versions; the levels between are only met in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One migration as the store records it.

    Attributes:
        ordinal: Its number, from the key.
        name: Its name.
        is_finished: Whether it has an end time.
    """

    ordinal: int
    name: str
    is_finished: bool


class SchemaProblemError(ValueError):
    """The migrations of a store are not those of a known server; the text is a clause."""


def schema_level(migrations: Iterable[Migration]) -> int:
    """Return the level of a store: the highest finished migration.

    Args:
        migrations: All records of `migrationsv1`.

    Raises:
        SchemaProblemError: None is finished, one is unknown or has another name, one is missing
            below the highest, or one before the last is unfinished.
    """
    found = sorted(migrations, key=lambda migration: migration.ordinal)
    if not found:
        raise SchemaProblemError("has no migration records, so no server has set it up")
    for migration in found:
        if not 1 <= migration.ordinal <= LEVEL_MAX:
            raise SchemaProblemError(
                f"has migration {migration.ordinal}, which is newer than InfluxDB 2.9 "
                f"(known are 1 to {LEVEL_MAX})"
            )
        if migration.name != MIGRATIONS[migration.ordinal - 1]:
            raise SchemaProblemError(
                f"has another name for migration {migration.ordinal} than InfluxDB 2.x"
            )
    ordinals = [migration.ordinal for migration in found]
    if ordinals != list(range(1, len(found) + 1)):
        raise SchemaProblemError("lacks a migration below its highest one")
    unfinished = [migration.ordinal for migration in found if not migration.is_finished]
    if unfinished:
        raise SchemaProblemError(f"was left in the middle of migration {unfinished[0]}")
    level = len(found)
    if level < LEVEL_MIN:
        raise SchemaProblemError(f"is at level {level}, older than InfluxDB 2.0.0")
    return level


def buckets_of_level(level: int) -> frozenset[str]:
    """Return the names of the top-level bolt buckets of a complete store."""
    names = set(_ALWAYS)
    for ordinal, added in _BUCKETS_BY_MIGRATION.items():
        if ordinal <= level:
            names.update(added)
    return frozenset(names)


def versions_of_level(level: int) -> str:
    """Return the InfluxDB versions that leave a store at this level, as text."""
    return next((f"InfluxDB {text}" for highest, text in _VERSIONS if level <= highest), "unknown")


def decode_migration(key: bytes, document: bytes) -> Migration:
    """Decode a record of `migrationsv1`.

    Raises:
        ValueError: Key or document cannot be understood. The text names no content.
    """
    try:
        ordinal = int(key, 16)
    except ValueError:
        raise ValueError("its key is no number") from None
    record = decode_record(document)
    return Migration(
        ordinal=ordinal,
        name=text_field(record, "name"),
        is_finished=bool(text_field(record, "finished_at")),
    )


def encode_migration(ordinal: int, now: str) -> tuple[bytes, bytes]:
    """Return key and document of a finished migration, as the server would write them."""
    key = f"{ordinal:016x}"
    document = encode(
        {"id": key, "name": MIGRATIONS[ordinal - 1], "started_at": now, "finished_at": now}
    )
    return key.encode("ascii"), document
