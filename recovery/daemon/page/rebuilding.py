"""The plan of a rebuild: what the engine's folder would give back if the store were lost.

Lives here: the screen. Must not live here: how a store is made from the engine's files
(`recovery.services.stores.rebuild`).

Invariants: nothing is written but a store of the plan's own, which goes with the request.

Source: spec admin-daemon 4.11 and 4.13.
"""

from pathlib import Path
from typing import Final

from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.changes import worded
from recovery.daemon.page.visit import Visit
from recovery.errors import RecoveryError, RefusedError
from recovery.model.display import displayed
from recovery.services.changes.plan import Manner, Plan
from recovery.services.session import Session
from recovery.services.stores.rebuild.beginning import base_store
from recovery.services.stores.rebuild.known import Known, learn_store
from recovery.services.stores.rebuild.parts import EngineFacts, Wishes
from recovery.services.stores.rebuild.planner import RebuildStore, missing, read_engine

NO_FOLDER: Final = "the engine's folder is not known"


def show(visit: Visit) -> Answer:
    """Show what lies on disk and not in the store, and what a rebuild would make of it."""
    visit.require_operator()
    path = visit.page.desk.files.engine_path
    if path is None:
        raise ApiError("not found", NO_FOLDER)
    try:
        engine = read_engine(path)
        lacking = tuple(missing(visit.tx, engine))
        plan, refusal = _plan(visit, path, engine)
    except RecoveryError as error:
        raise ApiError("unprocessable entity", str(error)) from error
    return visit.screen(
        "rebuild.html",
        path=displayed(str(path)),
        buckets=len(engine.buckets),
        oddities=engine.oddities,
        lacking=lacking,
        plan=plan,
        refusal=refusal,
    )


def _plan(visit: Visit, path: Path, engine: EngineFacts) -> tuple[Plan | None, str]:
    """Plan the rebuild; where it would be refused, say why: one wants to know that beforehand."""
    desk = visit.page.desk
    known = Known()
    learn_store(known, visit.tx, source="the store that is served")
    planner = RebuildStore(
        engine=engine,
        known=known,
        wishes=Wishes(organization_id=min(known.organizations, default=None)),
        mends=False,
        clock=desk.clock,
        rng=desk.rng,
    )
    level = desk.session.store.level
    with (
        base_store(path, damaged=None, level=level, clock=desk.clock, rng=desk.rng) as base,
        Session.open(base.path) as session,
    ):
        try:
            return session.propose(planner, Manner(is_dry_run=True)).plan, ""
        except RefusedError as error:
            return None, worded(error)
