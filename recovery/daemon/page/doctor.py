"""Doctor: whether influxd will start, what is wrong, and what mends it.

Lives here: the screen, and repair with its plan. Must not live here: what is wrong and how it is
mended (`recovery.services.doctor`).

Source: spec admin-daemon 4.11.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.page.home import verdict_of
from recovery.daemon.page.render import count
from recovery.daemon.page.visit import Visit
from recovery.daemon.page.words import Place, doing, record_of
from recovery.services.changes.facts import FindingFacts
from recovery.services.changes.plan import Plan
from recovery.services.doctor.finding import Finding, Severity
from recovery.services.doctor.repair import RepairStore

RECORDS_SHOWN: Final = 5
OTHER_PLAN: Final = "this plan is of an earlier state of the store: look at the new one"


class Group(NamedTuple):
    """Findings of one kind.

    Attributes:
        places: The records of the first few.
        more: How many are not named.
        ways: Where something can be done about it here.
    """

    first: Finding
    places: Sequence[Place]
    more: int
    ways: Sequence[Place]


def show(visit: Visit) -> Answer:
    """Show the verdict and all findings."""
    visit.require_operator()
    found = visit.page.book.examination(is_asked_for=True)
    if found is None:  # it was asked for, so it is there
        raise ApiError("unavailable", "the store could not be examined")
    engine = visit.page.desk.files.engine_path
    severities = Counter(one.severity for one in found.findings)
    return visit.screen(
        "doctor.html",
        verdict=verdict_of(visit, is_asked_for=True),
        examination=found,
        groups=_groups(visit, found.findings),
        advice=_groups(visit, found.advice),
        counts=[(one, severities[one]) for one in Severity],
        is_mendable=any(one.is_mendable for one in found.findings),
        reasons=found.verdict.reasons,
        has_engine=engine is not None and engine.is_dir(),
    )


def _groups(visit: Visit, findings: Sequence[Finding]) -> list[Group]:
    """Put findings of one kind together, the worst first."""
    order = list(Severity)
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for one in sorted(findings, key=lambda one: order.index(one.severity)):
        groups.setdefault((one.severity, one.number, one.bucket, one.problem), []).append(one)
    return [
        Group(
            same[0],
            [visit.place_of(one.bucket, one.id) for one in same[:RECORDS_SHOWN]],
            len(same) - RECORDS_SHOWN,
            doing(same[0].operations),
        )
        for same in groups.values()
    ]


def _repair(visit: Visit) -> RepairStore:
    return RepairStore(
        only=None,
        engine_path=visit.page.desk.files.engine_path,
        clock=visit.page.desk.clock,
        rng=visit.page.desk.rng,
    )


def ask_repair(visit: Visit) -> Answer:
    """Show what a repair would do."""
    visit.require_operator()
    planner = _repair(visit)
    plan = visit.page.book.beside(
        "repair",
        "Planning the repair",
        lambda one: visit.plan(planner, one),
        is_for_once=True,
    )
    return visit.ask_plan(
        _worded(plan),
        title="Repair this store?",
        sentence="All of it is one change, which can be undone. What is not listed is left alone.",
        button="Repair",
        back="/doctor",
        hidden={"plan": _fingerprint(plan)},
    )


def _worded(plan: Plan) -> Plan:
    """Say what a repair writes, and what stays, with the names that records have on the page."""
    facts = plan.facts
    removed = [
        f"{count(one['count'], 'key')} removed: {record_of(one['bucket'], None).title}"
        for one in facts["removed"]
    ]
    return msgspec.structs.replace(
        plan,
        steps=(*map(_step, facts["mended"]), *removed),
        warnings=tuple(f"this stays: {_step(one)}" for one in facts["left"]),
    )


def _step(found: FindingFacts) -> str:
    place = record_of(found["bucket"], found["id"])
    return f"{place.title} {found['problem']}; {found['remedy']}"


def repair(visit: Visit) -> Answer:
    """Do what was shown, and nothing else."""
    visit.require_operator()
    if visit.form.get("plan") != _fingerprint(visit.plan(_repair(visit))):
        raise ApiError("conflict", OTHER_PLAN)
    return visit.changed(_repair(visit), "/doctor")


def _fingerprint(plan: Plan) -> str:
    """Tell a plan from another; IDs that are drawn anew each time are not in its steps."""
    return hashlib.sha256("\n".join((*plan.steps, *plan.warnings)).encode()).hexdigest()[:32]
