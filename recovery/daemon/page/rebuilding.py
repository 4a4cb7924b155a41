"""The plan of a rebuild: what the engine's folder would give back if the store were lost.

Lives here: the screen. Must not live here: how a store is made from the engine's files
(`recovery.services.stores.rebuild`).

Invariants: nothing is written but a store of the plan's own, which goes with the request.

Source: spec admin-daemon 4.11 and 4.13.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.changes import worded
from recovery.daemon.page.visit import STEPS_SHOWN, Visit
from recovery.errors import RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.display import displayed
from recovery.services.changes.plan import Manner, Plan
from recovery.services.session import Session
from recovery.services.stores.rebuild.beginning import base_store
from recovery.services.stores.rebuild.known import Known, learn_store
from recovery.services.stores.rebuild.parts import EngineFacts, Wishes
from recovery.services.stores.rebuild.planner import RebuildStore, missing, read_engine

if TYPE_CHECKING:
    from recovery.daemon.call import Desk

NO_FOLDER: Final = "the engine's folder is not known"


def show(visit: Visit) -> Answer:
    """Show what lies on disk and not in the store, and what a rebuild would make of it."""
    visit.require_operator()
    path = visit.page.desk.files.engine_path
    if path is None:
        raise ApiError("not found", NO_FOLDER)
    desk = visit.page.desk
    engine, lacking, plan, refusal = visit.page.book.beside(
        "rebuild",
        "Reading the engine's folder",
        lambda one: _looked_at(desk, path, one),
        is_long=True,
    )
    return visit.screen(
        "rebuild.html",
        path=displayed(str(path)),
        buckets=len(engine.buckets),
        oddities=engine.oddities,
        lacking=visit.cut(lacking, STEPS_SHOWN, "lacking"),
        cut=visit.cut(plan.steps if plan else (), STEPS_SHOWN),
        plan=plan,
        refusal=refusal,
    )


class Looked(NamedTuple):
    """What was found in the engine's folder.

    Attributes:
        lacking: What the store has not.
        plan: What a rebuild would do; None when it would be refused.
        refusal: Why; "" otherwise.
    """

    engine: EngineFacts
    lacking: tuple[str, ...]
    plan: Plan | None
    refusal: str


def _looked_at(desk: "Desk", path: Path, read: Session) -> Looked:
    engine = read_engine(path)
    with read.view() as view:
        lacking = tuple(missing(view.tx, engine))
        return Looked(engine, lacking, *_plan(desk, view.tx, path, engine))


def _plan(desk: "Desk", tx: MetaTx, path: Path, engine: EngineFacts) -> tuple[Plan | None, str]:
    """Plan the rebuild; where it would be refused, say why: one wants to know that beforehand."""
    known = Known()
    learn_store(known, tx, source="the store that is served")
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
