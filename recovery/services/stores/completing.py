"""Making a store of what was salvaged: the bolt buckets and migrations that every store has.

Lives here: `complete_store`. Must not live here: what is salvaged, and mending records.
"""

from contextlib import suppress

from recovery.metastore.transaction import MetaTx
from recovery.model.gojson import UndecodableError, format_time
from recovery.model.ids import IdSource, parse_id
from recovery.model.schema import LEVEL_MAX, LEVEL_MIN, buckets_of_level, decode_migration
from recovery.ports import Clock, Rng
from recovery.services.tenancy.writing import (
    INSTANCE_ID_KEY,
    INSTANCE_ID_TABLE,
    SOURCES_TABLE,
    write_default_source,
)


def complete_store(tx: MetaTx, *, level: int, clock: Clock, rng: Rng) -> None:
    """Add what every store has and a salvaged one lacks, without which none can be opened.

    Args:
        tx: The records; they are changed.
        level: The schema level where the migrations do not tell it.
        clock: The time, for migrations.
        rng: Randomness, for the ID of the instance.
    """
    wanted = _level(tx, level)
    for name in sorted(buckets_of_level(wanted)):
        if not tx.table(name).is_there:
            tx.create_table(name)
            if name == SOURCES_TABLE:
                write_default_source(tx)
    ordinals = _ordinals(tx)
    for ordinal in range(1, wanted + 1):
        if ordinal not in ordinals:
            tx.migrations.insert(ordinal, format_time(clock.now()))
    found = tx.table(INSTANCE_ID_TABLE).get(INSTANCE_ID_KEY)
    if found is None or parse_id(found) is None:
        made = IdSource(clock, rng).snowflake()
        tx.table(INSTANCE_ID_TABLE).put(INSTANCE_ID_KEY, made.encode())


def _level(tx: MetaTx, level: int) -> int:
    """Keep the level of what was salvaged, if its migrations are whole; else take the wanted one.

    Servers that are newer run those again that are lost at the end, which harms nothing.
    """
    ordinals = _ordinals(tx)
    highest = max(ordinals, default=0)
    if len(ordinals) == highest and LEVEL_MIN <= highest <= LEVEL_MAX:
        return highest
    return max(level, min(highest, LEVEL_MAX))


def _ordinals(tx: MetaTx) -> set[int]:
    found = set()
    for key, document in tx.table("migrationsv1").items():
        with suppress(UndecodableError):
            migration = decode_migration(key, document)
            if migration.is_finished:
                found.add(migration.ordinal)
    return found
