"""Plans of changes that say whether influxd will start afterwards.

Lives here: `Forewarned`, which goes around the planner of any command, and `what_stops`. Must not
live here: the rules, and the order of the steps of a change.

A token for a server that does not start helps nobody, and nobody looks at `store check` before a
token is made. So each change is tried on top of the store, as `store repair` does it, and the
records are examined as they will be, with what lies beside them. Nothing is refused by that: the
change is safe, and may be one of several that are needed.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from recovery.discovery.candidate import Files
from recovery.metastore.pending import PendingTx
from recovery.metastore.transaction import MetaTx
from recovery.model.display import plural
from recovery.ports import Clock, Rng
from recovery.remedy import Input, Run
from recovery.services.changes.plan import Plan, Planner, Stop
from recovery.services.doctor.check import Verdict, examine_records, new_chart, verdict_on
from recovery.services.doctor.finding import Finding
from recovery.services.doctor.sqlite import examine_sqlite, sql_level
from recovery.services.doctor.surroundings import examine_engine

EXAMINED_BYTES_MAX: Final = 64 << 20
"""The records of a store of this size are examined in about a second; larger ones are not, and
nothing is said about their start."""
REPAIR: Final = "store repair mends it"
WAYS: Final = {
    "auth delete": Run("auth delete"),
    "auth set-active": Run("auth set-active"),
    "store rebuild": Run("store rebuild"),
}
"""What a person can do about that which stops influxd, by its name in findings."""


class Forewarned:
    """A command whose plan says so when influxd will not start on what it leaves."""

    def __init__(
        self, planner: Planner, *, files: Files, is_examined: bool, clock: Clock, rng: Rng
    ) -> None:
        """Go around a planner.

        Args:
            files: What belongs to the store.
            is_examined: Whether the records are examined; otherwise it is only tried whether the
                change can be made.
            rng: For mends, which are not made.
        """
        self._planner = planner
        self._files = files
        self._is_examined = is_examined
        self._clock = clock
        self._rng = rng

    @property
    def operation(self) -> str:
        """The command, as "auth create-operator"."""
        return self._planner.operation

    def plan(self, store: MetaTx) -> Plan:
        """Plan the change, with a warning where influxd will not start on what it would leave."""
        plan = self._planner.plan(store)
        pending = PendingTx(store)
        plan.apply(pending)
        if not self._is_examined:
            return plan
        stop = what_stops(pending, self._files, clock=self._clock, rng=self._rng)
        pending.forget()  # soon the change is made in memory a second time
        if stop is None:
            return plan
        return replace(plan, warnings=(*plan.warnings, stop.sentence), stops=stop)


def what_stops(tx: MetaTx, files: Files, *, clock: Clock, rng: Rng) -> Stop | None:
    """Say why influxd will not start on a store; None if nothing is seen."""
    chart = new_chart(tx, clock=clock, rng=rng)
    chart.sql_level = sql_level(files.sqlite_path)
    chart.use_hashed_tokens = files.use_hashed_tokens
    findings = [*examine_records(chart), *examine_sqlite(chart, files.sqlite_path)]
    findings.extend(examine_engine(files.engine_path))
    return stop_of(findings, verdict_on(findings, chart))


def stop_of(findings: Iterable[Finding], verdict: Verdict) -> Stop | None:
    """Say why the server that is most likely started next will not start; None if it will."""
    server = verdict.likely.server
    stopping = [finding for finding in findings if server in finding.stops]
    if not stopping:
        return None
    is_for_all = {server, *(one.server for one in verdict.others)} <= stopping[0].stops
    which = "influxd" if is_for_all else server.value
    return Stop(
        sentence=f"{which} will not start on this store, {_because(stopping)}",
        way=_way(stopping[0]),
    )


def _way(finding: Finding) -> Run:
    """Choose what helps against a finding."""
    if finding.is_mendable:
        return Run("store repair")
    if finding.mend is not None:
        return Run("store repair", values={Input.ONLY: finding.number})
    way = next((WAYS[one] for one in finding.operations if one in WAYS), None)
    return Run("store check") if way is None else replace(way, values={Input.ID: finding.id})


def _because(stopping: list[Finding]) -> str:
    """Say what keeps a server from starting, and name the way out of the first of it."""
    first = stopping[0]
    others = len(stopping) - 1
    more = f" (and for {plural(others, 'more reason')})" if others else ""
    mend = REPAIR if first.is_mendable else first.advice
    return f"because {first.place} {first.problem}{more}; {mend}; store check says all"
