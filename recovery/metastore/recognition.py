"""Whether a bolt file is a store of InfluxDB, and of which schema level.

Lives here: `recognised_level`, `names_in`. Must not live here: opening and locking (`store`).

Invariants: nothing that the migrations seem to say counts before the whole file has been checked: a
page that lost its content looks like a store that no server has used yet, and influxd started on it
writes over what can be saved.

Source: spec influxdb-metadata sections 4.1, 6.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import bolt_store
from bolt_store.errors import BoltError
from recovery.errors import SchemaError, StoreDamagedError
from recovery.metastore.failures import Failures
from recovery.metastore.transaction import MetaTx
from recovery.model.display import plural
from recovery.model.gojson import UndecodableError
from recovery.model.ids import parse_id
from recovery.model.other_programs import other_program
from recovery.model.schema import (
    LEVEL_MAX,
    SchemaFault,
    SchemaState,
    buckets_of_level,
    decode_migration,
    schema_state,
)
from recovery.remedy import Give, Input, Remedy, Run
from recovery.system_advice import SEE_COPIES, made_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bolt_store import Finding

START_ONCE: Final = "start influxd of the version that was here last, and stop it again"
MENDED_OR_COPIED: Final = (
    Run("store check", "to see what is wrong, and whether it can be mended"),
    SEE_COPIES,
)
WRITTEN_AGAIN: Final = Run("store repair", "to write it again, as those behind it tell what it was")
SCHEMA_HINTS: Final[dict[SchemaFault, Remedy]] = {
    SchemaFault.EMPTY: (
        Run("store check", "to see whether influxd starts on it and brings it up to date"),
        Give(Input.STORE, "name another store"),
    ),
    SchemaFault.NEWER: "look for a newer version of this tool",
    SchemaFault.OLDER: "start a released influxd 2.0 on a copy of it, which brings it up to date",
    SchemaFault.UNFINISHED: START_ONCE,
    SchemaFault.INTERRUPTED: WRITTEN_AGAIN,
    SchemaFault.UNREADABLE: MENDED_OR_COPIED,
    SchemaFault.RENAMED: MENDED_OR_COPIED,
    SchemaFault.GAP: WRITTEN_AGAIN,
}


def recognised_level(
    tx: MetaTx,
    failures: Failures,
    *,
    check: "Callable[[], Iterable[Finding]]",
    needs_schema: bool,
) -> int:
    """Read the schema level of a store.

    Args:
        check: Checks the whole file; called only where the migrations are not as they should be.
        needs_schema: Whether to refuse such a store. Who only looks for faults takes any store of
            InfluxDB, and the level that is most likely.

    Raises:
        SchemaError: The level is not known here, or it is no store of InfluxDB.
        StoreDamagedError: The file is damaged, and the schema is needed.
    """
    state = _likely_state(tx)
    if state.fault is not None:
        with failures.translated():
            error = failures.unsound(check())
        if error is not None and needs_schema:
            raise error
        if error is None:
            _require_influxdb(tx, failures)
    if needs_schema:
        _require_sound(state, failures)
    return min(state.level, LEVEL_MAX)


def names_in(path: Path) -> frozenset[str] | None:
    """Name the top-level bolt buckets of a file, without its lock; None where bbolt could not."""
    try:
        file = bolt_store.open_block_file(path, lock=False)
        with bolt_store.open_file(file, write=False) as db, db.view() as tx:
            return frozenset(name.decode(errors="replace") for name in tx.bucket_names())
    except (BoltError, OSError):
        return None


def _require_influxdb(tx: MetaTx, failures: Failures) -> None:
    """Refuse a sound file that has none of InfluxDB's bolt buckets, or few beside another's."""
    names = tx.table_names()
    own_count = len(buckets_of_level(LEVEL_MAX).intersection(names))
    program = other_program(names)
    if own_count and (program is None or 2 * own_count > len(names)):
        return
    if not names:
        raise SchemaError(
            path=failures.name,
            problem="is a bolt file without anything in it, as influxd recovery leaves one where "
            "it found no store",
            hint=(
                Run("store find", "to look for the store"),
                Give(Input.STORE, "name it"),
                *made_again(failures.path),
            ),
        )
    whose = "" if program is None else f"; it looks like a file of {program}"
    which = f"{own_count or 'none'} of its {plural(len(names), 'bolt bucket')}"
    are = "are" if own_count > 1 else "is"
    raise SchemaError(
        path=failures.name,
        problem=f"is a bolt file, but {which} {are} InfluxDB's{whose}: "
        "leave it alone, because influxd would write into it",
        hint=(
            Give(Input.STORE, "name influxd.bolt"),
            Run("store find", "to look for it"),
            *made_again(failures.path),
        ),
    )


def require_schema(tx: MetaTx, path: str) -> None:
    """Refuse, by `SchemaError`, a store whose migrations are not as they should be.

    Args:
        tx: Its records, also with changes that are not written yet.
        path: The store, as it was named.
    """
    _require_sound(_likely_state(tx), Failures(Path(path)))


def _require_sound(state: SchemaState, failures: Failures) -> None:
    if state.fault is not None:
        raise SchemaError(
            path=failures.name, problem=state.sentence, hint=SCHEMA_HINTS[state.fault]
        )


def _likely_state(tx: MetaTx) -> SchemaState:
    """Read the schema level as well as it can be told, whatever is wrong with it."""
    migrations, unreadable = [], ""
    with suppress(StoreDamagedError):  # the check of the file says more about that
        for key, document in tx.table("migrationsv1").items():
            try:
                migrations.append(decode_migration(key, document))
            except UndecodableError as error:
                which = f"record {shown}" if (shown := parse_id(key)) else "a record"
                problem = f"cannot be understood ({error.problem})"
                unreadable = f"has {which} in migrationsv1 that {problem}"
    return schema_state(migrations, unreadable=unreadable)
