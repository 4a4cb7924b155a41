"""Rebuilding a store in tests, as the command does, without a terminal."""

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from recovery.metastore.store import MetaStore
from recovery.model.catalogue import Catalogue, decode_catalogue
from recovery.model.schema import LEVEL_MAX
from recovery.secret import Secret
from recovery.services.changes.plan import Manner, Outcome
from recovery.services.changes.ports import Ports
from recovery.services.stores.rebuild.beginning import base_store
from recovery.services.stores.rebuild.known import read_known
from recovery.services.stores.rebuild.parts import Wishes
from recovery.services.stores.rebuild.planner import RebuildStore, read_engine
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    ListRecorder,
    MemoryDestination,
    SeededRng,
    YesAudience,
    run_change,
)

PASSWORD = "password-of-the-rebuilt"


def rebuild(
    engine: Path,
    target: Path,
    *,
    names: Iterable[Path] = (),
    damaged: Path | None = None,
    level: int = LEVEL_MAX,
    wishes: Wishes | None = None,
    destination: MemoryDestination | None = None,
    has_password: bool = True,
    is_engine_mended: bool = True,
) -> Outcome:
    """Rebuild a store; the same each time."""
    clock, rng = FixedClock(CHANGED_AT), SeededRng()
    wanted = wishes or Wishes()
    if has_password:
        wanted = replace(wanted, password=Secret(PASSWORD), has_password=True)
    with base_store(engine, damaged=damaged, level=level, clock=clock, rng=rng) as base:
        facts = read_engine(engine)
        planner = RebuildStore(
            engine=facts,
            known=read_known(names),
            wishes=wanted,
            mends=base.is_salvaged,
            clock=clock,
            rng=rng,
        )
        outcome = run_change(
            base.path,
            planner,
            manner=Manner(output_path=target),
            ports=Ports(
                audience=YesAudience(),
                recorder=ListRecorder(),
                destination=destination or MemoryDestination(),
            ),
        )
    undone = facts.unblocking.carry_out(engine) if is_engine_mended else ()
    return replace(outcome, warnings=(*outcome.warnings, *undone))


def catalogue_of(path: Path) -> Catalogue:
    """Read the catalogue of a store."""
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return decode_catalogue(tx.catalogue.read() or b"")
