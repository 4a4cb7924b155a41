"""The store that a rebuild begins with: an empty one, or what was salvaged of the lost one.

Lives here: `base_store`. Must not live here: what is written into it (`filling`).

Invariants: it lies in a folder of its own that only this user may enter, and is gone afterwards;
what a killed process leaves of it, the next one removes.
Its owner is that of the engine's folder, as far as this user may choose, because influxd has to
write it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from recovery.errors import StoreDamagedError
from recovery.metastore.rebuilding import salvage_store
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.metastore.unpacking import private_folder
from recovery.model.gojson import format_time
from recovery.model.ids import IdSource
from recovery.new_file import StagedFile
from recovery.ports import Clock, Rng
from recovery.services.stores.completing import complete_store
from recovery.services.tenancy.writing import write_empty_store


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """The store that is there to begin with.

    Attributes:
        is_salvaged: Whether records of the lost store are in it.
        notes: What the salvage said, as sentences without a full stop.
    """

    path: Path
    is_salvaged: bool
    notes: tuple[str, ...]


@contextmanager
def base_store(
    engine_path: Path, *, damaged: Path | None, level: int, clock: Clock, rng: Rng
) -> Iterator[Base]:
    """Make it, for as long as the block lasts.

    Args:
        engine_path: Whose owner it gets.
        damaged: The lost store, as far as there is something of it; None for an empty one.

    Raises:
        RecoveryError: The damaged store cannot be read.
    """
    with private_folder() as folder:
        path = folder.path / "influxd.bolt"
        notes = () if damaged is None else _salvage(damaged, path)
        is_salvaged = path.exists()
        if is_salvaged:
            with (
                MetaStore.open(path, write=True, needs_schema=False) as store,
                store.update() as tx,
            ):
                complete_store(tx, level=level, clock=clock, rng=rng)
        else:
            _make(path, level=level, clock=clock, rng=rng)
        owner = engine_path.stat()
        with suppress(PermissionError):  # only root may give a file away
            os.chown(path, owner.st_uid, owner.st_gid)
        yield Base(path=path, is_salvaged=is_salvaged, notes=notes)


def _salvage(damaged: Path, path: Path) -> tuple[str, ...]:
    try:
        with StagedFile(path) as new:
            facts = salvage_store(
                damaged, new, page_size_bytes=None, root_pgid=None, use_older=False
            )
            if facts.is_written:
                new.publish()
                new.keep()
    except StoreDamagedError as error:
        return (f"nothing could be salvaged: {error.problem}",)
    if not facts.is_written:
        return ("nothing could be salvaged of the damaged store", *map(str, facts.sentences))
    return tuple(map(str, facts.sentences))


def _make(path: Path, *, level: int, clock: Clock, rng: Rng) -> None:
    ids, now = IdSource(clock, rng), format_time(clock.now())

    def fill(tx: MetaTx) -> None:
        write_empty_store(tx, level=level, ids=ids, rng=rng, now=now)

    MetaStore.create(path, level=level, fill=fill)
