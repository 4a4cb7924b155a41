"""The examination of a whole store, and the verdict.

Lives here: `examine`, `examine_records`, `Verdict`. Must not live here: the rules.

Invariants: nothing is written. The file is checked before its records are, and where a page of it
cannot be read, the rest is not examined and that is a finding.

Source: spec influxdb-metadata section 13.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum, unique
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from recovery.discovery.candidate import Files
from recovery.engine.folder import EngineFolder
from recovery.errors import StoreAccessError, StoreDamagedError, StoreNotFoundError
from recovery.metastore.store import FileProblem, MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.display import plural
from recovery.model.ids import IdSource
from recovery.ports import Clock, Rng
from recovery.services.doctor.alerts import examine_alerts
from recovery.services.doctor.authorizations import examine_authorizations
from recovery.services.doctor.buckets import examine_buckets
from recovery.services.doctor.chart import Access, Chart, Progress, Repairer
from recovery.services.doctor.dbrp import examine_dbrp
from recovery.services.doctor.finding import Finding, Rule, Severity
from recovery.services.doctor.legacy import examine_legacy
from recovery.services.doctor.mappings import examine_mappings
from recovery.services.doctor.organizations import examine_organizations, examine_system_buckets
from recovery.services.doctor.others import examine_others
from recovery.services.doctor.schema import OF_MIGRATIONS, examine_schema
from recovery.services.doctor.servers import Server
from recovery.services.doctor.shards import examine_absence, examine_series, examine_shards
from recovery.services.doctor.sqlite import examine_sqlite, sql_level
from recovery.services.doctor.startup import note_stuck_orgs
from recovery.services.doctor.surroundings import examine_surroundings
from recovery.services.doctor.tasks import examine_tasks
from recovery.services.doctor.users import count_sign_ins, examine_users
from recovery.services.session import Session
from recovery.services.store_facts import StoreFacts

Examiner: TypeAlias = Callable[[Chart], Iterator[Finding]]

EXAMINERS: Final[tuple[Examiner, ...]] = (
    examine_schema,
    examine_users,
    examine_organizations,
    examine_buckets,
    examine_shards,
    examine_system_buckets,
    examine_mappings,
    examine_authorizations,
    count_sign_ins,
    examine_legacy,
    examine_tasks,
    examine_dbrp,
    examine_others,
    examine_alerts,
)
"""In the order in which each learns what the next ones need."""

NUMBERS: Final = tuple(f"I{number}" for number in range(1, 41))
ENGINE_VARIABLE: Final = "INFLUXD_ENGINE_PATH"
REASONS_SHOWN: Final = 2
"""More reasons than these are counted in the verdict; each is a finding above it."""
PAGE_STEPS: Final = 10
"""How often the progress of the check of the file is told."""
DAMAGED_FILE: Final = Rule(
    number="I1",
    severity=Severity.FATAL,
    problem="the bolt file is damaged",
    effect="do not start influxd on it, because it writes over what can be saved; it stops while "
    "it starts, or later, when it meets that page",
    remedy="repair cannot do it: copy what can be read, or restore a backup; and a copy that was "
    "made beside a running influxd is torn, so make another one with store backup",
    operations=("store salvage", "store backups"),
)
_STARTED_ON: Final = {
    "meta.page_size": "influxd starts once more, and what it writes then makes the file unreadable",
    "meta.unproven": "influxd starts with the state that this meta names, which nothing proves, "
    "and writes over what is read here",
}
STARTED_ON: Final = {
    code: replace(DAMAGED_FILE, severity=Severity.HIGH, effect=effect)
    for code, effect in _STARTED_ON.items()
}
"""Damage that influxd starts on nevertheless, by its code; as seen with 2.9.1."""
CUT_FILE: Final = Rule(
    number="I1",
    severity=Severity.HIGH,
    problem="the bolt file is shorter than it says, but for that whole",
    effect="influxd starts, because no page that is in use is missing, and makes it longer",
    remedy="repair leaves it alone: if it is a copy, make another one; else salvage finds all of "
    "it",
    operations=("store salvage",),
)
EMPTIED_PAGE: Final = Rule(
    number="I1",
    severity=Severity.HIGH,
    problem="a page of the bolt file was emptied, and what was on it is lost",
    effect="influxd starts, and does without those records",
    remedy="repair cannot bring them back; a compact copy is without the empty page, and can be "
    "changed again",
    operations=("store compact",),
)
TORN_META: Final = Rule(
    number="I1",
    severity=Severity.LOW,
    problem="one of the two metas of the bolt file is damaged",
    effect="if it was the newer one, what was done last is missing; the next change writes over it",
    remedy="repair leaves it alone: if something is missing, copy the file before anything is "
    "changed, and look what can be salvaged",
    operations=("store salvage",),
)
UNPLACED_PAGES: Final = Rule(
    number="I1",
    severity=Severity.FATAL,
    problem="influxd does not find the pages of the bolt file on this system",
    effect="it stops while it starts",
    remedy="a compact copy is whole, and influxd opens it",
    operations=("store compact",),
)
EMPTY_LEAF: Final = "leaf.empty"
FILE_TRUNCATED: Final = "file.truncated"
META_INVALID: Final = "meta.invalid"
META_FIRST: Final = "meta.first"
ODD_FILE: Final = Rule(
    number="I1",
    severity=Severity.LOW,
    problem="something has happened to the bolt file",
    effect="nothing",
    remedy="repair leaves it alone; a compact copy is without it",
    operations=("store compact",),
)


@unique
class Outlook(StrEnum):
    """What a start of influxd on the store would come to."""

    STARTS = "starts"
    STARTS_LOCKED = "starts, but nobody can get in"
    NOT_SET_UP = "starts, and nobody has set it up yet"
    DOES_NOT_START = "does not start"


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a start of one kind of server would come to.

    Attributes:
        reasons: Why it does not start, one clause a finding that stops it; without repeats.
        access: Who could get in, if it starts.
    """

    server: Server
    outlook: Outlook
    reasons: tuple[str, ...]
    access: Access

    @property
    def end(self) -> str:
        """The outcome as a clause without its subject."""
        match self.outlook:
            case Outlook.STARTS:
                return "will start"
            case Outlook.STARTS_LOCKED:
                return "will start, but nobody can get in"
            case Outlook.NOT_SET_UP:
                return "will start, and nobody has set the store up yet"
            case Outlook.DOES_NOT_START:
                return f"will not start, because {'; '.join(self._shown_reasons())}"

    def _shown_reasons(self) -> Iterator[str]:
        yield from self.reasons[:REASONS_SHOWN]
        if len(self.reasons) > REASONS_SHOWN:
            others = len(self.reasons) - REASONS_SHOWN
            yield f"and for {plural(others, 'more reason')} above"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an examination.

    Attributes:
        likely: What the server that is most likely started next would do.
        others: What the other kinds of servers would do that can be started on the store.
    """

    likely: Forecast
    others: tuple[Forecast, ...] = ()

    @property
    def outlook(self) -> Outlook:
        """What would happen, most likely."""
        return self.likely.outlook

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why influxd most likely does not start."""
        return self.likely.reasons

    @property
    def access(self) -> Access:
        """Who could most likely get in."""
        return self.likely.access

    @property
    def depends(self) -> bool:
        """Whether some kind of server would fare differently."""
        return any(one.outlook is not self.outlook for one in self.others)

    @property
    def sentence(self) -> str:
        """The verdict for a person, without a full stop; names the server where it depends."""
        if not self.depends:
            return f"influxd {self.likely.end}"
        different = (
            f"{one.server.value} {one.end}" for one in self.others if one.end != self.likely.end
        )
        return "; but ".join((f"{self.likely.server.value} {self.likely.end}", *different))


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        advice: What is worth knowing, although nothing is broken.
        verdict: What a start of influxd would come to.
        is_refused: Whether every change is refused, because the migrations are not as they should
            be.
        not_looked_at: What belongs to the store, was not looked at, and can keep influxd from
            starting; each with the reason.
    """

    facts: StoreFacts
    findings: tuple[Finding, ...]
    advice: tuple[Finding, ...]
    verdict: Verdict
    is_refused: bool = False
    not_looked_at: tuple[str, ...] = ()

    @property
    def is_damaged(self) -> bool:
        """Whether the bolt file itself is, so that nothing may write into it."""
        return any(
            one.number == DAMAGED_FILE.number and one.remedy == DAMAGED_FILE.remedy
            for one in self.findings
        )


def examine(
    session: Session,
    *,
    files: Files,
    clock: Clock,
    rng: Rng,
    progress: Progress | None = None,
    reads_series: bool = False,
) -> Examination:
    """Examine a store and all that belongs to it.

    Args:
        session: The store, opened whatever its schema is.
        files: What belongs to it; what is not there is not looked at.
        progress: Told now and then how far it is.
        reads_series: Whether to look for files of time series that influxd cannot open, which
            takes as long as influxd takes for it.

    Raises:
        StoreDamagedError: Nothing of it can be read.
    """
    store = session.store
    findings = list(examine_file(store, progress))
    with store.view() as tx:
        chart = new_chart(
            tx, clock=clock, rng=rng, progress=progress, engine_path=files.engine_path
        )
        chart.sql_level = sql_level(files.sqlite_path)
        chart.use_hashed_tokens = files.use_hashed_tokens
        try:
            findings.extend(examine_records(chart))  # those before an error are kept
            findings.extend(examine_sqlite(chart, files.sqlite_path))
            if files.engine_path is not None and not files.engine_path.exists():
                findings.extend(examine_absence(chart))
            if reads_series:
                findings.extend(examine_series(chart))
            is_refused = any(
                one.number == OF_MIGRATIONS and not one.is_mendable for one in findings
            )
        except StoreDamagedError:
            if not findings:
                raise
            is_refused = True
    findings.extend(examine_surroundings(store.file.real_path, files.engine_path))
    return Examination(
        facts=session.facts(),
        findings=tuple(one for one in findings if not one.is_advice),
        advice=tuple(one for one in findings if one.is_advice),
        verdict=verdict_on(findings, chart),
        is_refused=is_refused,
        not_looked_at=tuple(_not_looked_at(files)),
    )


def _not_looked_at(files: Files) -> Iterator[str]:
    sqlite_path, engine_path = files.sqlite_path, files.engine_path
    if sqlite_path is None:
        yield "the SQLite file (nothing says where it is)"
    elif not sqlite_path.is_file():
        yield f"the SQLite file ({sqlite_path} is not there; influxd would make an empty one)"
    if engine_path is None:
        yield f"the engine's folder (nothing says where it is; {ENGINE_VARIABLE} can)"
    elif not engine_path.exists():
        yield f"the engine's folder ({engine_path} is not there; {ENGINE_VARIABLE} can name one)"


def new_chart(
    tx: MetaTx,
    *,
    clock: Clock,
    rng: Rng,
    progress: Progress | None = None,
    made: frozenset[str] = frozenset(),
    engine_path: Path | None = None,
) -> Chart:
    """Begin a chart.

    Args:
        progress: Told now and then how far it is.
        made: Bolt buckets that a repair has made, whose records stay unknown to it.
        engine_path: The engine's folder; None where it is not to be looked at.

    Returns:
        A chart that knows nothing yet.
    """
    repairer = Repairer(clock=clock, rng=rng, ids=IdSource(clock, rng))
    engine = None
    if engine_path is not None:
        with suppress(
            StoreNotFoundError, StoreAccessError
        ):  # it is not looked at, and that is said
            engine = EngineFolder(engine_path)
    return Chart(
        tx=tx, level=tx.level, repairer=repairer, engine=engine, progress=progress, made=made
    )


def examine_file(store: MetaStore, progress: Progress | None = None) -> Iterator[Finding]:
    """Check the bolt file."""
    told = 0

    def on_pages(done: int, of: int) -> None:
        nonlocal told
        if progress is not None and done * PAGE_STEPS // max(of, 1) > told:
            told = done * PAGE_STEPS // max(of, 1)
            progress(f"pages of {of:,}", done)

    pages: dict[tuple[int | None, Rule], list[str]] = {}
    damages: set[tuple[str, int | None]] = set()
    is_only_cut = False
    try:
        for found in store.file_problems(on_pages):
            pages.setdefault((found.page, _file_rule(found)), []).append(found.problem)
            if found.is_damage:
                damages.add((found.code, found.page))
        is_only_cut = damages == {(FILE_TRUNCATED, None)}
    finally:  # what was found before a page that cannot be read
        for (_, rule), (first, *others) in pages.items():
            shown = CUT_FILE if is_only_cut and rule is DAMAGED_FILE else rule
            finding = shown.broken(store.file.path.name, problem=f"{shown.problem}: {first}")
            yield replace(finding, details=tuple(others))


def _file_rule(found: FileProblem) -> Rule:
    if found.code == EMPTY_LEAF:
        return EMPTIED_PAGE
    if found.code == META_FIRST:
        return UNPLACED_PAGES
    if found.code == META_INVALID and not found.is_damage:
        return TORN_META
    return STARTED_ON.get(found.code, DAMAGED_FILE) if found.is_damage else ODD_FILE


def examine_records(chart: Chart) -> Iterator[Finding]:
    """Apply every rule on records."""
    note_stuck_orgs(chart)
    for examiner in EXAMINERS:
        yield from examiner(chart)


def verdict_on(findings: Sequence[Finding], chart: Chart) -> Verdict:
    """Judge all that was found, after the examination."""
    forecasts = {server: _forecast(server, findings, chart) for server in Server}
    likely = chart.likely_server
    others = (forecasts[server] for server in chart.servers if server is not likely)
    return Verdict(likely=forecasts[likely], others=tuple(others))


def _forecast(server: Server, findings: Sequence[Finding], chart: Chart) -> Forecast:
    access = chart.accesses[server]
    stopping = [one for one in findings if server in one.stops and not one.is_advice]
    if stopping:
        outlook = Outlook.DOES_NOT_START
    else:
        outlook = Outlook.NOT_SET_UP if chart.is_never_set_up else Outlook.STARTS_LOCKED
        outlook = Outlook.STARTS if access.is_possible else outlook
    reasons = dict.fromkeys(_reason(one) for one in stopping)
    return Forecast(server=server, outlook=outlook, reasons=tuple(reasons), access=access)


def _reason(finding: Finding) -> str:
    is_of_file = finding.number == DAMAGED_FILE.number  # whose problem has a subject of its own
    return finding.problem if is_of_file else f"{finding.place} {finding.problem}"
