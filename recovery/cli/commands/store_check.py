"""The command `store check`.

Lives here: how findings and the verdict are shown. Must not live here: what is checked
(`recovery.services.doctor`).
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final, Self

import msgspec

from recovery.cli.context import Context
from recovery.cli.documents import Store, StoreDocument, shaped
from recovery.cli.hints import Named, command_line, named_with
from recovery.cli.options import Command, Reading
from recovery.cli.store import find_store, read_session, show_header, store_of
from recovery.cli.traces import find_traces
from recovery.cli.way_in import DO_NOT_START, and_then, first_steps
from recovery.discovery.host import Host
from recovery.discovery.search import with_files
from recovery.errors import ExitCode, RecoveryError
from recovery.model.display import displayed, plural
from recovery.ports import SystemClock, SystemRng
from recovery.remedy import Input
from recovery.services.changes.facts import FindingFacts
from recovery.services.doctor.chart import Access
from recovery.services.doctor.check import Examination, Forecast, Outlook, examine
from recovery.services.doctor.finding import Finding, Severity
from recovery.services.doctor.repair import facts_of
from recovery.services.doctor.schema import OF_MIGRATIONS
from recovery.services.session import Session
from recovery.services.undeletion.users import DeletedUser, list_deleted_users

SHOWN_PER_KIND: Final = 5
"""Records named one by one for each kind of finding; --json has all."""
PROBLEMS_SHOWN: Final = 8
"""Of those findings that differ in more than the record; a kind takes ten lines at most."""
OF_THE_FILE: Final = "I1"
OF_BUCKETS: Final = "I3"
AROUND_IT: Final = frozenset({"I34", "I35"})
"""Of folders and files beside the store, which nothing has to come before."""
SALVAGE_FIRST: Final = "salvage the file first, and check what that makes"
NOBODY_IS_IN: Final = frozenset({Outlook.STARTS_LOCKED, Outlook.NOT_SET_UP})
WELL: Final = frozenset({Outlook.STARTS, Outlook.NOT_SET_UP})
MIGRATIONS_FIRST: Final = (
    "I2 comes first: nothing is changed in a store whose migrations are not as they should be"
)


class ForecastFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a start of one kind of server would come to, and who could get in then.

    Attributes:
        server: The kind, as a phrase.
        use_hashed_tokens: Whether it hashes tokens; None where no server of the kind can.
        reasons: Why it would not start.
        users_who_can_sign_in: How many get in with a password.
        users_refused_after_sign_in: How many sign in (204) and are refused all that follows (403),
            because they are inactive.
        usable_full_operator_tokens: How many tokens may do everything.
        usable_other_operator_tokens: How many may at least administer users and tokens.
    """

    server: str
    first_version: str
    last_version: str
    use_hashed_tokens: bool | None
    outlook: Outlook
    reasons: tuple[str, ...]
    users_who_can_sign_in: int
    users_refused_after_sign_in: int
    usable_full_operator_tokens: int
    usable_other_operator_tokens: int

    @classmethod
    def of(cls, forecast: Forecast) -> Self:
        """Show a forecast."""
        first, last = forecast.server.versions
        return cls(
            server=forecast.server.value,
            first_version=first,
            last_version=last,
            use_hashed_tokens=forecast.server.use_hashed_tokens,
            outlook=forecast.outlook,
            reasons=forecast.reasons,
            users_who_can_sign_in=forecast.access.sign_in_count,
            users_refused_after_sign_in=forecast.access.refused_count,
            usable_full_operator_tokens=forecast.access.full_operator_count,
            usable_other_operator_tokens=forecast.access.other_operator_count,
        )


class VerdictFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a start of influxd would come to; the server that is started most likely comes first."""

    outlook: Outlook
    sentence: str
    reasons: tuple[str, ...]
    users_who_can_sign_in: int
    users_refused_after_sign_in: int
    usable_full_operator_tokens: int
    usable_other_operator_tokens: int
    forecasts: tuple[ForecastFacts, ...]


class CheckDocument(StoreDocument, frozen=True, kw_only=True):
    """What --json prints; `Examination` says what the fields are."""

    findings: tuple[FindingFacts, ...]
    advice: tuple[FindingFacts, ...]
    not_looked_at: tuple[str, ...]
    verdict: VerdictFacts


def _check(options: Reading, context: Context) -> ExitCode:
    found = with_files(find_store(options, context), Host.here(context.environ))
    output = context.output

    with (
        read_session(found, options, output, needs_schema=False) as session,
        output.waiting("checking the store") as tell,
    ):
        examination = examine(
            session,
            files=found.files,
            clock=SystemClock(),
            rng=SystemRng(),
            progress=tell,
            reads_series=True,
        )
        is_asked = examination.verdict.outlook in NOBODY_IS_IN and not options.json
        ways = list(_ways_in(examination, session, options, context)) if is_asked else []
    if options.json:
        output.document(_document(examination, store_of(found, examination.facts)))
    else:
        show_header(found, examination.facts, output)
        for line in _lines(examination, named_with(options.bolt_path, options.ledger)):
            output.prose(line)
        for place, line in enumerate(ways):
            output.prose(f"{'Or' if place else 'Next'}: {line}")
    is_well = not examination.findings and examination.verdict.outlook in WELL
    return ExitCode.DONE if is_well else ExitCode.FINDINGS


CHECK: Final = Command(
    description="Check the bolt file, then every rule that the records of a store have to keep "
    "among each other, numbered I1 to I40, with the SQLite file and the engine's folder where they "
    "are there. Each finding says what influxd would do about it and what repair can do. "
    "Severities: fatal, influxd does not start; high, access or security is broken; medium, a "
    "feature is broken; low, harmless debris. Ends with one verdict. The store is opened for "
    "reading only and nothing is written. Of time series it reads the indexes, by which influxd "
    "opens the files, and no points. Exit code 0 when nothing is wrong and somebody can get in, "
    "or nobody has set the store up yet, else 1.",
    example="store check",
    options=Reading,
    run=_check,
    document=CheckDocument,
)


def _document(examination: Examination, store: Store) -> CheckDocument:
    verdict = examination.verdict
    forecasts = tuple(ForecastFacts.of(one) for one in (verdict.likely, *verdict.others))
    return CheckDocument(
        store=store,
        findings=tuple(facts_of(finding) for finding in examination.findings),
        advice=tuple(facts_of(finding) for finding in examination.advice),
        not_looked_at=examination.not_looked_at,
        verdict=shaped(forecasts[0], VerdictFacts, sentence=verdict.sentence, forecasts=forecasts),
    )


def _lines(examination: Examination, named: Named) -> Iterator[str]:
    if examination.is_damaged:
        yield f"{DO_NOT_START}."
        yield ""
    for severity in Severity:
        found = [one for one in examination.findings if one.severity is severity]
        for kind in _kinds(found):
            yield from _kind_lines(kind, named, before=_before(examination, kind[0]))
    for kind in _kinds(examination.advice):
        before = _before(examination, kind[0])
        yield from _kind_lines(kind, named, before=before, mark="advice")
    is_locked = examination.verdict.outlook is Outlook.STARTS_LOCKED
    if examination.findings:
        shown = (one for one in Severity if any(f.severity is one for f in examination.findings))
        yield f"({'; '.join(f'{one.word}: {one.meaning}' for one in shown)})"
    elif not is_locked:
        yield "Nothing is wrong."
    far = ", as far as the file can be read" if examination.is_damaged else ""
    yield from _access_lines(examination.verdict.access, far)
    if examination.not_looked_at:
        yield f"Not looked at: {displayed('; '.join(examination.not_looked_at))}."
    is_refused = examination.is_damaged or examination.is_refused
    findings = () if is_refused else examination.findings
    mendable = sum(one.is_mendable for one in findings)
    if mendable:
        count = plural(len(examination.findings), "finding")
        repair = command_line("store repair", {**named, Input.DRY_RUN: ""})
        yield f"{mendable} of {count} can be mended: {repair}"
    yield f"Verdict: {displayed(examination.verdict.sentence)}."


def _ways_in(
    examination: Examination, session: Session, options: Reading, context: Context
) -> Iterator[str]:
    """Name the commands that let somebody in again: who was deleted, and who lacks least."""
    named = named_with(options.bolt_path, options.ledger)
    near = examination.verdict.access.nearest
    if examination.verdict.outlook is Outlook.NOT_SET_UP:
        yield from first_steps(named, examination.facts.path)
    deleted: list[DeletedUser] = []
    # Whatever is wrong with a ledger or a copy, this store was checked.
    with contextlib.suppress(RecoveryError), session.view() as view:
        traces, _ = find_traces(session, options, context)
        deleted = [one for one in list_deleted_users(view.tx, traces, {}) if one.would_get_in]
    if len(deleted) == 1:
        line = command_line("user undelete", {**named, Input.ID: deleted[0].id})
        yield f"{line}, to bring {displayed(deleted[0].name)} back, who was deleted"
    elif deleted:
        count = f"{len(deleted)} deleted users"
        yield f"{command_line('user undelete', named)}, to see {count} who could be brought back"
    if near is not None:
        yield and_then(near.obstacles, named, user_id=near.user_id, name=near.name)


def _access_lines(access: Access, far: str) -> Iterator[str]:
    operators = plural(access.full_operator_count, "full operator token")
    lesser = plural(access.other_operator_count, "lesser one")
    yield (
        f"Who can get in{far}: {plural(access.sign_in_count, 'user')} with a password, {operators}"
        + (f" and {lesser}." if access.other_operator_count else ".")
    )
    if access.refused_count:
        yield (
            f"Who cannot: {plural(access.refused_count, 'inactive user')} with a password; "
            "a sign-in is answered with 204, and all that follows with 403."
        )


def _kinds(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Group findings that differ in the record only, and all that are about pages of the file.

    Findings about whole bolt buckets differ in the bucket only.
    """
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for one in findings:
        problem = "" if one.number == OF_THE_FILE else one.problem
        bucket = "" if one.id is None and one.number == OF_BUCKETS else one.bucket
        groups.setdefault((one.number, bucket, problem, one.effect, one.remedy), []).append(one)
    yield from groups.values()


def _before(examination: Examination, finding: Finding) -> str | None:
    """Say what comes before a finding is mended, where every change is refused until then."""
    if finding.number in AROUND_IT:
        return None
    if examination.is_damaged:
        is_the_damage = finding.number == OF_THE_FILE and finding.severity is not Severity.LOW
        return None if is_the_damage else SALVAGE_FIRST
    is_for_later = examination.is_refused and finding.number != OF_MIGRATIONS
    return MIGRATIONS_FIRST if is_for_later else None


def _kind_lines(
    kind: Sequence[Finding], named: Named, *, before: str | None, mark: str | None = None
) -> Iterator[str]:
    first = kind[0]
    is_by_problem = any(one.problem != first.problem for one in kind)
    ids = [one.id for one in kind[:SHOWN_PER_KIND] if one.id is not None]
    buckets = list(dict.fromkeys(displayed(one.bucket) for one in kind[:SHOWN_PER_KIND]))
    place = " ".join((", ".join(buckets), ", ".join(ids))).rstrip()
    hidden = len(kind) - SHOWN_PER_KIND
    rest = f" and {hidden} more" if hidden > 0 and not is_by_problem else ""
    problem = displayed(f"{first.problem}{_more(first)}")
    yield f"[{mark or first.severity.word}] {first.number} {place}{rest}: {problem}"
    if is_by_problem:
        for one in kind[1:PROBLEMS_SHOWN]:
            yield f"    also: {displayed(f'{one.problem}{_more(one)}')}"
        if len(kind) > PROBLEMS_SHOWN:
            yield f"    and {len(kind) - PROBLEMS_SHOWN} more (--json has all)"
    yield f"    effect: {first.effect}"
    if before is not None:
        yield f"    what to do: {before}"
        yield ""
        return
    # What is to be typed has been quoted, and its backslashes must not be doubled.
    remedy = first.remedy if first.remedy.isprintable() else displayed(first.remedy)
    yield f"    what to do: {remedy}"
    for line in _what_to_type(first, named, is_alone=len(kind) == 1):
        yield f"      {line}"
    yield ""


def _what_to_type(finding: Finding, named: Named, *, is_alone: bool) -> Iterator[str]:
    """Write what a person can do about a record, or about several records."""
    record: Named = {Input.ID: finding.id if is_alone else None}
    for operation in finding.operations:
        if operation.startswith("org "):  # where the record itself is the organization
            record = {Input.ORGANIZATION: record[Input.ID]}
        if operation == "bucket create":  # nobody else knows whose it is
            record = {**record, Input.ORGANIZATION: None}
        yield command_line(operation, {**named, **record})
    is_asked_for = finding.is_on_request and finding.mend is not None
    if is_asked_for and finding.mend is not finding.giving_up:
        yield command_line("store repair", {**named, Input.ONLY: finding.number})
    if finding.is_loss:
        yield command_line("store repair", {**named, Input.ACCEPT: finding.number})


def _more(finding: Finding) -> str:
    return f" (and {len(finding.details)} more on it)" if finding.details else ""
