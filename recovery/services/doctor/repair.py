"""The repair: what can be mended safely, tried first, written in one transaction.

Lives here: the planner of `store repair`. Must not live here: how a finding is mended (its rule),
the order of the steps (`recovery.services.changes.sequence`).

Invariants: everything is tried on top of the store, without writing, until nothing is left to mend;
what was tried is what is written. A repair that would leave a finding which was not there before is
refused. What is ambiguous is left, and said.

Source: spec influxdb-metadata section 13.2 ("Repair order").
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from recovery.errors import RefusedError
from recovery.metastore.pending import PendingTx
from recovery.metastore.transaction import MetaTx
from recovery.ports import Clock, Rng
from recovery.services.changes.plan import Json, Plan
from recovery.services.doctor.examination import (
    Verdict,
    examine_records,
    new_chart,
    verdict_on,
)
from recovery.services.doctor.finding import Finding
from recovery.services.doctor.servers import Server

ROUNDS_MAX: Final = 8
"""A mend can make room for another one, as an index that is made has to be filled; two rounds are
the rule."""
IDS_SHOWN: Final = 3
LEFT_SHOWN: Final = 20
RECORD_IDS_MAX: Final = 1000
"""Kept in the ledger; a store with more damage than that is told by its backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairStore:
    """The command `store repair`.

    Attributes:
        only: Numbers of the invariants to mend, also those that are mended on request only; None
            for all that are safe.
        clock: The time.
        rng: Randomness, for IDs.
    """

    operation: ClassVar[str] = "store repair"

    only: frozenset[str] | None
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Plan every mend that is wanted and safe.

        Args:
            store: The store, as it is.

        Returns:
            The mends, and what stays as it is.

        Raises:
            RefusedError: The repair would leave something new that is wrong.
            StoreDamagedError: The file is damaged.
        """
        trial = _Trial(PendingTx(store), clock=self.clock, rng=self.rng)
        before, verdict_before = trial.examine()
        mended = [finding for finding in before if self._is_wanted(finding)]
        after, verdict_after = trial.mend(mended, before)
        left = [finding for finding in after if not finding.is_advice]
        expected = {finding.identity for finding in after}
        facts: dict[str, Json] = {
            "mended": [document_of(finding) for finding in mended],
            "left": [document_of(finding) for finding in left],
            "change_count": trial.change_count,
            "verdict_before": verdict_before.sentence,
            "verdict_after": verdict_after.sentence,
        }
        ids = dict.fromkeys(finding.id for finding in mended if finding.id is not None)
        return Plan(
            operation=self.operation,
            steps=tuple(_steps(mended, trial.change_count, verdict_before, verdict_after)),
            facts=facts,
            record_ids=tuple(ids)[:RECORD_IDS_MAX],
            warnings=tuple(_warnings(left)),
            is_needed=bool(mended),
            apply=trial.apply,
            verify=lambda tx: self._what_is_wrong(tx, expected),
        )

    def _is_wanted(self, finding: Finding) -> bool:
        if self.only is None:
            return finding.is_mendable
        return finding.mend is not None and finding.number in self.only

    def _what_is_wrong(
        self, tx: MetaTx, expected: set[tuple[str, str, str | None, str]]
    ) -> str | None:
        for finding in examine_records(new_chart(tx, clock=self.clock, rng=self.rng)):
            if finding.identity not in expected:
                return f"{finding.number} is broken now: {finding.place} {finding.problem}"
        return None


class _Trial:
    """A repair on top of a store that stays as it is."""

    def __init__(self, pending: PendingTx, *, clock: Clock, rng: Rng) -> None:
        self._pending = pending
        self._clock = clock
        self._rng = rng

    def examine(self) -> tuple[list[Finding], Verdict]:
        """Examine the records with what has been mended so far."""
        chart = new_chart(self._pending, clock=self._clock, rng=self._rng)
        findings = list(examine_records(chart))
        return findings, verdict_on(findings, chart)

    def mend(
        self, wanted: Sequence[Finding], before: Sequence[Finding]
    ) -> tuple[list[Finding], Verdict]:
        """Mend, and then mend what has come to light by that.

        Returns:
            What is left.

        Raises:
            RefusedError: Something is left that was not there before.
        """
        known = {finding.identity for finding in before}
        round_: Sequence[Finding] = wanted
        for _ in range(ROUNDS_MAX):
            for finding in round_:
                if finding.mend is not None:
                    finding.mend(self._pending)
            after, verdict = self.examine()
            new = [f for f in after if f.identity not in known and not f.is_advice]
            if not new:
                return after, verdict
            round_ = [finding for finding in new if finding.is_mendable]
            if not round_:
                break
        raise RefusedError(
            reason="the repair would leave something wrong that is right now",
            hint="repair one invariant after another, with --only",
        )

    @property
    def change_count(self) -> int:
        """Number of keys and buckets that will be written."""
        return self._pending.change_count

    def apply(self, tx: MetaTx) -> None:
        """Write what was tried."""
        self._pending.apply(tx)


def document_of(finding: Finding) -> dict[str, Json]:
    """Describe a finding for a program.

    Args:
        finding: The finding.

    Returns:
        Its fields.
    """
    return {
        "number": finding.number,
        "severity": str(finding.severity),
        "bucket": finding.bucket,
        "id": finding.id,
        "problem": finding.problem,
        "effect": finding.effect,
        "remedy": finding.remedy,
        "is_mendable": finding.is_mendable,
        "is_on_request": finding.is_on_request,
        "details": list(finding.details),
        "stops": [server.value for server in Server if server in finding.stops],
    }


def _steps(
    mended: Iterable[Finding], change_count: int, before: Verdict, after: Verdict
) -> Iterator[str]:
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in mended:
        group = (finding.number, finding.bucket, finding.problem, finding.remedy)
        groups.setdefault(group, []).append(finding)
    for (number, bucket, problem, remedy), findings in groups.items():
        yield f"{number}: {_counted(bucket, findings)} {problem}: {remedy}"
    if groups:
        yield f"that changes, adds or removes {change_count} keys in all, in one transaction"
    if before.outlook != after.outlook:
        yield f"before the repair, {before.sentence}; after it, {after.sentence}"
    elif not groups:
        yield "nothing can be mended safely"


def _counted(bucket: str, findings: Sequence[Finding]) -> str:
    ids = [finding.id for finding in findings if finding.id is not None]
    shown = ", ".join(ids[:IDS_SHOWN])
    rest = f" and {len(findings) - IDS_SHOWN} more" if len(findings) > IDS_SHOWN else ""
    if not ids:
        return bucket if len(findings) == 1 else f"{bucket} ({len(findings)} times)"
    return f"{bucket} {shown}{rest}"


def _warnings(left: Sequence[Finding]) -> Iterator[str]:
    counts = Counter((one.number, one.bucket, one.problem, one.remedy) for one in left)
    for number, ((name, bucket, problem, remedy), count) in enumerate(counts.items()):
        if number == LEFT_SHOWN:
            yield f"and {len(counts) - LEFT_SHOWN} more kinds of findings stay"
            return
        times = "" if count == 1 else f" ({count} times)"
        yield f"stays: {name}: {bucket} {problem}{times}: {remedy}"
