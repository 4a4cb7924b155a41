"""The repair: what can be mended safely, tried first, written in one transaction.

Lives here: the planner of `store repair`. Must not live here: how a finding is mended (its rule),
the order of the steps (`recovery.services.changes.sequence`).

Invariants: everything is tried on top of the store, without writing, until nothing is left to mend;
what was tried is what is written. A repair that would leave a finding which was not there before is
refused. What is ambiguous is left, and said. Each removal of each round is in the plan. A loss of
records is no less after the repair: it stays a finding until it is accepted.

Source: spec influxdb-metadata section 13.2 ("Repair order").
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from recovery.errors import RefusedError
from recovery.metastore.pending import PendingTx
from recovery.metastore.recognition import require_schema
from recovery.metastore.transaction import MetaTx
from recovery.model.display import plural
from recovery.model.ids import ID_LENGTH
from recovery.model.mapping import RESOURCE_TABLES
from recovery.ports import Clock, Rng
from recovery.remedy import Give, Input
from recovery.services.changes.facts import FindingFacts, PlanFacts
from recovery.services.changes.plan import Plan
from recovery.services.doctor.check import (
    Verdict,
    examine_records,
    new_chart,
    verdict_on,
)
from recovery.services.doctor.finding import Finding, Identity, JointMend, Mend, Severity, shown_id
from recovery.services.doctor.forewarning import stop_of
from recovery.services.doctor.schema import OF_MIGRATIONS
from recovery.services.doctor.servers import Server

ROUNDS_MAX: Final = 8
"""A mend can make room for another one, as an index that is made has to be filled; two rounds are
the rule."""
SEVERITIES: Final = tuple(Severity)
IDS_SHOWN: Final = 3
LEFT_SHOWN: Final = 20
ASKED: Final = "repair does it, because it was asked for by number"
REMOVED_SHOWN: Final = 10
SECRET_KEYS: Final = frozenset({
    "authorizationindexv1", "authorizationhashedindexv1", "legacy/authorizationindexv1",
})  # fmt: skip
"""Bolt buckets whose keys are tokens, or may be."""
RECORD_IDS_MAX: Final = 1000
"""Kept in the ledger; a store with more damage than that is told by its backup."""


class RepairStore(msgspec.Struct, frozen=True, kw_only=True):
    """The command `store repair`.

    Attributes:
        only: Numbers of the invariants to mend, also those that are mended on request only; None
            for all that are safe.
        accepted: Numbers of the invariants by which records are lost, and the loss is accepted.
        engine_path: The engine's folder, whose shards may be mapped; None when it is not known.
    """

    operation: ClassVar[str] = "store repair"

    only: frozenset[str] | None
    accepted: frozenset[str] = frozenset()
    engine_path: Path | None = None
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Plan every mend that is wanted and safe, and say what stays.

        Raises:
            SchemaError: The migrations would not be as they should be.
            RefusedError: The repair would leave something new that is wrong.
        """
        pending = PendingTx(store)
        trial = _Trial(pending, clock=self.clock, rng=self.rng, engine_path=self.engine_path)
        before, verdict_before = trial.examine()
        if not any(one.number == OF_MIGRATIONS and self._wanted(one) for one in before):
            require_schema(store, store.path)
        mended = trial.mend(self._wanted, before)
        require_schema(pending, store.path)
        after, verdict_after = trial.examine_as_written()
        left = [finding for finding in after if not finding.is_advice]
        expected = {finding.identity for finding in after}
        removals = trial.removals()
        facts: PlanFacts = {
            "mended": [facts_of(finding) for finding in mended],
            "left": [facts_of(finding) for finding in left],
            "change_count": trial.change_count,
            "removed": [
                {"bucket": name, "count": len(ids), "ids": [one for one in ids if one is not None]}
                for name, ids in removals.items()
            ],
            "verdict_before": verdict_before.sentence,
            "verdict_after": verdict_after.sentence,
        }
        ids = dict.fromkeys(finding.id for finding in mended if finding.id is not None)
        steps = _steps(mended, trial.change_count, removals, verdict_before, verdict_after)
        return Plan(
            operation=self.operation,
            steps=tuple(steps),
            facts=facts,
            record_ids=tuple(ids)[:RECORD_IDS_MAX],
            warnings=tuple(self._warnings(left, before)),
            is_needed=bool(mended),
            stops=stop_of(after, verdict_after),
            apply=trial.apply,
            verify=lambda tx: self._what_is_wrong(tx, expected),
        )

    def _wanted(self, finding: Finding) -> Mend | None:
        """Choose what is done about a finding; None for nothing."""
        if finding.number in self.accepted and finding.giving_up is not None:
            return finding.giving_up
        if self.only is None:
            return finding.mend if finding.is_mendable else None
        return finding.mend if finding.number in self.only else None

    def _warnings(self, left: Sequence[Finding], before: Sequence[Finding]) -> Iterator[str]:
        """Say what stays, and what was asked for and is not there."""
        advice = [one for one in before if one.is_advice and one.mend is None]
        asked = [one for one in advice if one.number in (self.only or ())]
        yield from _staying([*asked, *left])
        found = {one.number for one in before}
        for number in sorted((self.only or frozenset()) - found):
            yield f"{number}: nothing is wrong with it"
        lost = {one.number for one in before if one.is_loss}
        for number in sorted(self.accepted - lost):
            yield f"{number}: nothing is lost by it that could be accepted"

    def _what_is_wrong(
        self, tx: MetaTx, expected: set[tuple[str, str, str | None, str]]
    ) -> str | None:
        for finding in examine_records(new_chart(tx, clock=self.clock, rng=self.rng)):
            if finding.identity not in expected:
                return f"{finding.number} is broken now: {finding.place} {finding.problem}"
        return None


class _Trial:
    """A repair on top of a store that stays as it is."""

    def __init__(
        self, pending: PendingTx, *, clock: Clock, rng: Rng, engine_path: Path | None
    ) -> None:
        self._pending = pending
        self._engine_path = engine_path
        self._clock = clock
        self._rng = rng
        self._blank = [name for name in set(RESOURCE_TABLES.values()) if self._is_blank(name)]

    def _is_blank(self, name: str) -> bool:
        table = self._pending.table(name)
        return table.is_there and table.is_empty

    def examine(self) -> tuple[list[Finding], Verdict]:
        """Examine the records with what has been mended so far.

        The records of a bolt bucket that this repair made, or that were all gone before it wrote
        the first ones, stay unknown: nothing is judged by their absence.
        """
        filled = {name for name in self._blank if not self._is_blank(name)}
        return self._examine(self._pending.made | filled)

    def examine_as_written(self) -> tuple[list[Finding], Verdict]:
        """Examine the records as the next check will find them."""
        return self._examine(frozenset())

    def _examine(self, made: frozenset[str]) -> tuple[list[Finding], Verdict]:
        chart = new_chart(
            self._pending,
            clock=self._clock,
            rng=self._rng,
            made=made,
            engine_path=self._engine_path,
        )
        findings = list(examine_records(chart))
        return findings, verdict_on(findings, chart)

    def mend(
        self, wanted: Callable[[Finding], Mend | None], before: Sequence[Finding]
    ) -> list[Finding]:
        """Mend, and then mend what has come to light by that.

        Args:
            wanted: Gives what is to be done about a finding.

        Returns:
            What was mended, of all rounds.

        Raises:
            RefusedError: Something is left that was not there before, and is no less bad.
        """
        known = {finding.identity for finding in before}
        mended: list[Finding] = []
        tried: set[Identity] = set()
        found = before
        for _ in range(ROUNDS_MAX):
            round_ = [(one, wanted(one)) for one in found if one.identity not in tried]
            joint: dict[type[JointMend], list[JointMend]] = {}
            for finding, mend in round_:
                # What came to light by a mend belongs to it, also where a number was asked for.
                is_new = finding.identity not in known and finding.is_mendable
                mend = mend or (finding.mend if is_new else None)  # noqa: PLW2901 - the choice ends here
                if isinstance(mend, JointMend):
                    joint.setdefault(type(mend), []).append(mend)
                elif mend is not None:
                    mend(self._pending)
                if mend is not None:
                    mended.append(finding)
                    tried.add(finding.identity)
            for kind, mends in joint.items():
                kind.do_all(self._pending, mends)
            if not any(one.identity in tried for one, _ in round_):
                break
            found, _ = self.examine()
        new = [one for one in found if one.identity not in known and not one.is_advice]
        worst = min((SEVERITIES.index(one.severity) for one in mended), default=0)
        # Traces of an old loss; and what was mended can cost less, as a check without its task.
        if all(
            one.is_loss or one.is_on_request or SEVERITIES.index(one.severity) > worst
            for one in new
        ):
            return mended
        raise RefusedError(
            reason="the repair would leave something wrong that is right now",
            hint=Give(Input.ONLY, "repair one invariant after another"),
        )

    @property
    def change_count(self) -> int:
        """Number of keys and buckets that will be written."""
        return self._pending.change_count

    def removals(self) -> dict[str, list[str | None]]:
        """Give all that will be removed: by bolt bucket, the record that each key is about."""
        found: dict[str, list[str | None]] = {}
        for name, key, value in self._pending.removed():
            found.setdefault(name, []).append(_id_of(name, key, value))
        return found

    def apply(self, tx: MetaTx) -> None:
        """Write what was tried."""
        self._pending.apply(tx)


def _id_of(name: str, key: bytes, value: bytes) -> str | None:
    """Tell which record a key is about, without showing a key that can be a secret."""
    if shown_id(value) is not None:
        return shown_id(value)
    if name in SECRET_KEYS:
        return None
    is_pair = len(key) == 2 * ID_LENGTH
    return shown_id(key[ID_LENGTH:] if is_pair else key[:ID_LENGTH])


def facts_of(finding: Finding) -> FindingFacts:
    """Describe a finding for a program."""
    return {
        "number": finding.number,
        "severity": str(finding.severity),
        "bucket": finding.bucket,
        "id": finding.id,
        "problem": finding.problem,
        "effect": finding.effect,
        "remedy": finding.remedy,
        "operations": list(finding.operations),
        "is_mendable": finding.is_mendable,
        "is_on_request": finding.is_on_request,
        "details": list(finding.details),
        "stops": [server.value for server in Server if server in finding.stops],
        "is_loss": finding.is_loss,
    }


def _steps(
    mended: Iterable[Finding],
    change_count: int,
    removals: Mapping[str, Sequence[str | None]],
    before: Verdict,
    after: Verdict,
) -> Iterator[str]:
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in mended:
        group = (finding.number, finding.bucket, finding.problem, finding.remedy)
        groups.setdefault(group, []).append(finding)
    for (number, bucket, problem, remedy), findings in groups.items():
        done = ASKED if any(one.is_on_request or one.mend is None for one in findings) else remedy
        yield f"{number}: {_counted(bucket, findings)} {problem}: {done}"
    for name, ids in removals.items():
        keys = "1 key" if len(ids) == 1 else f"{len(ids)} keys"
        yield f"removes {keys} of {name}{_listed([one for one in ids if one is not None])}"
    if groups:
        keys = "1 key" if change_count == 1 else f"{change_count} keys"
        yield f"that changes, adds or removes {keys} in all, in one transaction"
    if before.outlook != after.outlook:
        yield f"before the repair, {before.sentence}; after it, {after.sentence}"
    elif not groups:
        yield "nothing can be mended safely"


def _listed(ids: Sequence[str]) -> str:
    different = list(dict.fromkeys(ids))
    if not different:
        return ""
    rest = len(different) - REMOVED_SHOWN
    return f": {', '.join(different[:REMOVED_SHOWN])}{f' and {rest} more' if rest > 0 else ''}"


def _counted(bucket: str, findings: Sequence[Finding]) -> str:
    ids = [finding.id for finding in findings if finding.id is not None]
    shown = ", ".join(ids[:IDS_SHOWN])
    rest = f" and {len(findings) - IDS_SHOWN} more" if len(findings) > IDS_SHOWN else ""
    if not ids:
        return bucket if len(findings) == 1 else f"{bucket} ({len(findings)} times)"
    return f"{bucket}{', each of' if len(findings) > 1 else ''} {shown}{rest}"


def _staying(left: Sequence[Finding]) -> Iterator[str]:
    counts = Counter((one.number, one.bucket, one.problem, one.advice) for one in left)
    for number, ((name, bucket, problem, remedy), count) in enumerate(counts.items()):
        if number == LEFT_SHOWN:
            yield f"and {plural(len(counts) - LEFT_SHOWN, 'more kind')} of findings stay"
            return
        times = "" if count == 1 else f" ({count} times)"
        yield f"stays: {name}: {bucket} {problem}{times}: {remedy}"
