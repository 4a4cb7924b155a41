"""The doctor as tests call it, and what must survive it."""

from pathlib import Path
from typing import Final

from recovery.discovery.candidate import Files
from recovery.ports import SystemRng
from recovery.services.doctor.check import Examination, examine
from recovery.services.doctor.repair import RepairStore
from recovery.services.session import Session
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, SeededRng

RECORDS: Final = frozenset({
    "usersv1", "userspasswordv1", "organizationsv1", "bucketsv1", "userresourcemappingsv1",
    "authorizationsv1", "legacy/authorizationsv1", "legacy/authorizationPasswordv1", "tasksv1",
    "taskRunsv1", "dbrpv1", "dashboardsv2", "dashboardcellviewsv1", "labelsv1", "labelmappingsv1",
    "variablesv1", "checksv1", "notificationEndpointv1", "notificationRulev1", "telegrafv1",
    "v1_pkger_stacks", "secretsv1", "migrationsv1", "idsv1",
})  # fmt: skip
"""Bolt buckets whose keys no other record can bring back; all others are indexes of them."""

INDEXES: Final = (
    "authorizationhashedindexv1", "authorizationindexv1", "bucketindexv1", "checkindexv1",
    "dbrpbyorganddbindexv1", "dbrpbyorgv1", "dbrpdefaultv1", "labelindexv1",
    "legacy/authorizationindexv1", "notificationEndpointIndexv1", "organizationindexv1",
    "orgsdashboardsv1", "taskIndexsv1", "telegrafbyorgindexv1", "userindexv1",
    "userresourcemappingsbyuserindexv1", "v1_pkger_stacks_index", "variableorgsv1",
    "variablesindexv1",
)  # fmt: skip


def examined(path: Path, files: Files | None = None) -> Examination:
    """Examine a store, by itself unless told what belongs to it."""
    clock = FixedClock(CHANGED_AT)
    with Session.open(path, needs_schema=False) as session:
        return examine(session, files=files or Files(), clock=clock, rng=SystemRng())


def words(examination: Examination) -> tuple[str, ...]:
    """Return the findings as "I16 M"."""
    return tuple(f"{one.number} {one.severity}" for one in examination.findings)


def repair(*numbers: str, accepted: tuple[str, ...] = ()) -> RepairStore:
    """Return the repair of these invariants, or of all."""
    return RepairStore(
        only=frozenset(numbers) if numbers else None,
        accepted=frozenset(accepted),
        clock=FixedClock(CHANGED_AT),
        rng=SeededRng(),
    )
