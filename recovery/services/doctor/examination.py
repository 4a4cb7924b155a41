"""The examination of a whole store, and the verdict.

Lives here: `examine`, `examine_records`, `Verdict`. Must not live here: the rules.

Invariants: nothing is written. The file is checked before its records are, and where a page of it
cannot be read, the rest is not examined and that is a finding.

Source: spec influxdb-metadata section 13.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Final, TypeAlias

from recovery.discovery.candidate import Files
from recovery.errors import StoreDamagedError
from recovery.metastore.packed import open_readable
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import IdSource
from recovery.ports import Clock, Rng
from recovery.services.doctor.authorizations import examine_authorizations
from recovery.services.doctor.buckets import examine_buckets
from recovery.services.doctor.chart import Access, Chart, Progress, Repairer
from recovery.services.doctor.dbrp import examine_dbrp
from recovery.services.doctor.finding import Finding, Rule, Severity
from recovery.services.doctor.legacy import examine_legacy
from recovery.services.doctor.mappings import examine_mappings
from recovery.services.doctor.organizations import examine_organizations, examine_system_buckets
from recovery.services.doctor.others import examine_others
from recovery.services.doctor.schema import examine_schema
from recovery.services.doctor.sqlite import examine_sqlite, sql_level
from recovery.services.doctor.surroundings import examine_surroundings
from recovery.services.doctor.tasks import examine_tasks, note_task_orgs
from recovery.services.doctor.users import examine_users
from recovery.services.store_facts import StoreFacts

Examiner: TypeAlias = Callable[[Chart], Iterator[Finding]]

EXAMINERS: Final[tuple[Examiner, ...]] = (
    examine_schema,
    examine_users,
    examine_organizations,
    examine_buckets,
    examine_system_buckets,
    examine_mappings,
    examine_authorizations,
    examine_legacy,
    examine_tasks,
    examine_dbrp,
    examine_others,
)
"""In the order in which each learns what the next ones need."""

NUMBERS: Final = tuple(f"I{number}" for number in range(1, 37))
PAGE_STEPS: Final = 10
"""How often the progress of the check of the file is told."""
DAMAGED_FILE: Final = Rule(
    number="I1",
    severity=Severity.FATAL,
    problem="the bolt file is damaged",
    effect="influxd stops while it starts, or later, when it meets that page",
    remedy="repair cannot do it: copy what can be read with influx-recovery store salvage, or "
    "restore a backup",
)
ODD_FILE: Final = Rule(
    number="I1",
    severity=Severity.LOW,
    problem="something has happened to the bolt file",
    effect="nothing",
    remedy="repair leaves it alone; influx-recovery store compact makes a copy without it",
)


@unique
class Outlook(StrEnum):
    """What a start of influxd on the store would come to."""

    STARTS = "starts"
    STARTS_LOCKED = "starts, but nobody can get in"
    DOES_NOT_START = "does not start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The end of an examination.

    Attributes:
        outlook: What would happen.
        reasons: Why influxd does not start, one clause a finding that stops it; without repeats.
        access: Who could get in.
    """

    outlook: Outlook
    reasons: tuple[str, ...]
    access: Access

    @property
    def sentence(self) -> str:
        """The verdict for a person, without a full stop."""
        match self.outlook:
            case Outlook.STARTS:
                return "influxd will start"
            case Outlook.STARTS_LOCKED:
                return "influxd will start, but nobody can get in"
            case Outlook.DOES_NOT_START:
                return f"influxd will not start, because {'; '.join(self.reasons)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found.

    Attributes:
        facts: The store.
        findings: What is wrong.
        advice: What is worth knowing, although nothing is broken.
        verdict: What a start of influxd would come to.
    """

    facts: StoreFacts
    findings: tuple[Finding, ...]
    advice: tuple[Finding, ...]
    verdict: Verdict


def examine(
    path: Path, *, files: Files, clock: Clock, rng: Rng, progress: Progress | None = None
) -> Examination:
    """Examine a store and all that belongs to it, under a shared lock.

    Args:
        path: The store.
        files: What belongs to it; what is not there is not looked at.
        clock: The time.
        rng: Randomness, for mends.
        progress: Told now and then how far it is.

    Returns:
        What was found.

    Raises:
        StoreNotFoundError: It does not exist, or is empty.
        StoreAccessError: This user may not read it.
        StoreBusyError: Somebody else holds the lock.
        StoreDamagedError: It is no bolt file, or nothing of it can be read.
    """
    with open_readable(path, needs_schema=False) as store:
        findings = list(examine_file(store, progress))
        chart = None
        try:
            with store.view() as tx:
                chart = new_chart(tx, clock=clock, rng=rng, progress=progress)
                chart.sql_level = sql_level(files.sqlite_path)
                findings.extend(examine_records(chart))  # those before an error are kept
                findings.extend(examine_sqlite(chart, files.sqlite_path))
        except StoreDamagedError:
            if not findings:
                raise
        findings.extend(examine_surroundings(store.file.real_path, files.engine_path))
        access = Access() if chart is None else chart.access
        return Examination(
            facts=StoreFacts.of(store),
            findings=tuple(one for one in findings if not one.is_advice),
            advice=tuple(one for one in findings if one.is_advice),
            verdict=verdict_on(findings, access),
        )


def new_chart(tx: MetaTx, *, clock: Clock, rng: Rng, progress: Progress | None = None) -> Chart:
    """Begin a chart.

    Args:
        tx: The records.
        clock: The time.
        rng: Randomness.
        progress: Told now and then how far it is.

    Returns:
        A chart that knows nothing yet.
    """
    repairer = Repairer(clock=clock, rng=rng, ids=IdSource(clock, rng))
    return Chart(tx=tx, level=tx.level, repairer=repairer, progress=progress)


def examine_file(store: MetaStore, progress: Progress | None = None) -> Iterator[Finding]:
    """Check the bolt file.

    Args:
        store: The store.
        progress: Told now and then how far it is.

    Yields:
        What is wrong.

    Raises:
        StoreDamagedError: A page cannot be read.
    """
    told = 0

    def on_pages(done: int, of: int) -> None:
        nonlocal told
        if progress is not None and done * PAGE_STEPS // max(of, 1) > told:
            told = done * PAGE_STEPS // max(of, 1)
            progress(f"pages of {of}", done)

    for found in store.file_problems(on_pages):
        rule = DAMAGED_FILE if found.is_damage else ODD_FILE
        yield rule.broken(store.file.path.name, problem=f"{rule.problem}: {found.problem}")


def examine_records(chart: Chart) -> Iterator[Finding]:
    """Apply every rule on records.

    Args:
        chart: The store.

    Yields:
        What is wrong, and advice.

    Raises:
        StoreDamagedError: A page on the way is damaged or cannot be read.
    """
    note_task_orgs(chart)
    for examiner in EXAMINERS:
        yield from examiner(chart)


def verdict_on(findings: list[Finding], access: Access) -> Verdict:
    """Judge.

    Args:
        findings: All that was found.
        access: Who could get in.

    Returns:
        The verdict.
    """
    fatal = [one for one in findings if one.severity is Severity.FATAL and not one.is_advice]
    reasons = dict.fromkeys(f"{one.place} {one.problem}" for one in fatal)
    if fatal:
        outlook = Outlook.DOES_NOT_START
    else:
        outlook = Outlook.STARTS if access.is_possible else Outlook.STARTS_LOCKED
    return Verdict(outlook=outlook, reasons=tuple(reasons), access=access)
