"""Tasks, their index and their runs.

Lives here: the rules I26 and I27. Must not live here: the bucket that runs are recorded in
(`organizations`).

Source: spec influxdb-metadata sections 4.11, 13.1, 13.2.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.metastore.transaction import MetaTx
from recovery.model.gojson import (
    UndecodableError,
    decode_fields,
    encode_text,
    id_field,
    required_id_field,
    text_field,
)
from recovery.model.goshape import TASK, is_schedule, require_decodable
from recovery.model.ids import ID_LENGTH, Id
from recovery.services.doctor.chart import Chart, Population, text_of
from recovery.services.doctor.finding import (
    DEBRIS,
    Finding,
    Mend,
    Rule,
    Severity,
    deleting,
    moving,
    spared,
)
from recovery.services.doctor.indexes import Adoption, IndexAudit, index_rules
from recovery.services.doctor.records import misplaced, taking_org, unreadable
from recovery.services.doctor.servers import FROM_2_5, NO_SERVER, Server
from recovery.services.doctor.startup import LOADED_TASKS, bad_runs, finds_itself

TABLE: Final = "tasksv1"
INDEX: Final = "taskIndexsv1"
RUNS: Final = "taskRunsv1"

STOPS: Final = (
    "influxd 2.5 and later does not start if it is one of the first 100 tasks: could not load "
    "existing scheduled runs, with or without --no-tasks"
)
NO_ORG: Final = Rule(
    number="I26",
    severity=Severity.HIGH,
    problem="is a task of an organization that does not exist",
    effect=f"nobody can see it; where the organization has no bucket _tasks either, {STOPS}",
    remedy="repair removes it with its runs, as nothing else is left of that organization",
)
STILL_TRACES: Final = (
    "repair leaves it alone, because it may be wanted: that organization, or the place of the task "
    "in it, is lost by damage; restore a backup, or ask for its removal by this number"
)
NO_TASKS_BUCKET: Final = Rule(
    number="I26",
    severity=Severity.MEDIUM,
    problem="is a task of an organization whose bucket _tasks cannot be found",
    effect=STOPS,
    remedy="repair cannot know where that bucket is: restore a backup of the store",
)
UNDECODABLE: Final = Rule(
    number="I27",
    severity=Severity.MEDIUM,
    problem="is a task that cannot be understood",
    effect=f"it does not run, and listing the tasks fails; {STOPS}",
    remedy="repair cannot know what it was: restore a backup of the store, or give the task up and "
    "ask for its removal by this number",
    is_on_request=True,
)
WRONG_KEY: Final = Rule(
    number="I27",
    severity=Severity.MEDIUM,
    problem="is a task whose key is not its ID",
    effect=f"listed, and not found by its ID; {STOPS}",
    remedy="repair cannot know which of the two is right: asked for by this number, it puts the "
    "task where its ID says, unless one is there already",
)
NEVER_RUNS: Final = Rule(
    number="I27",
    severity=Severity.MEDIUM,
    problem="is an active task without a script, or without a schedule that can be read",
    effect="it is listed, and never runs",
    remedy="repair cannot know what it was: write its script again with influx task update",
)
BAD_RUN: Final = Rule(
    number="I27",
    severity=Severity.MEDIUM,
    problem="is a run that cannot be understood",
    effect=f"the runs of that task cannot be listed; {STOPS}",
    remedy="repair removes it: a run that was waiting does not come back, and all later ones run",
)
NO_OWNER: Final = Rule(
    number="I27",
    severity=Severity.MEDIUM,
    problem="is a task whose owner does not exist",
    effect="its runs fail",
    remedy="repair cannot know who is to own it: make the task again as another user",
)
BY_ORG: Final = index_rules(
    "I27",
    missing=(Severity.MEDIUM, "the task is not in the list of its organization"),
    extra=(Severity.MEDIUM, "listing the tasks of that organization may fail"),
)
NO_TASK: Final = Rule(
    number="I27",
    severity=Severity.LOW,
    problem="are runs of a task that does not exist",
    effect="nothing",
    remedy=DEBRIS,
    is_advice=True,
    is_on_request=True,
)


class _Task(msgspec.Struct, frozen=True):
    id: Id
    org_id: Id | None
    owner_id: Id | None


def examine_tasks(chart: Chart) -> Iterator[Finding]:
    """Look at tasks, their index and their runs, after users, organizations and buckets."""
    table = chart.tx.table(TABLE)
    tasks = Population(is_there=chart.has_records(TABLE))
    index = chart.tx.table(INDEX)
    adopt = taking_org(TABLE, chart, lambda document: _decode(document).org_id)
    audit = IndexAudit(index, TABLE, BY_ORG, adopt=adopt)
    places = _Places(chart, adopt)
    for rank, (key, document) in enumerate(table.items()):
        stops = FROM_2_5 if rank < LOADED_TASKS else NO_SERVER
        try:
            task = _decode(document)
        except UndecodableError:
            tasks.opaque.add(text_of(key))
            finding = unreadable(UNDECODABLE, TABLE, key, document, TASK)
            mend = finding.mend or _giving_up(key)
            yield chart.stopping(replace(finding, mend=mend), stops)
            continue
        yield from _bad_runs(chart, task, stops)
        if key != task.id.encode():
            tasks.opaque.update((text_of(key), task.id))
            is_found = finds_itself(chart.tx, document)
            finding = _under_wrong_key(chart, task, key)
            yield chart.stopping(finding, NO_SERVER if is_found else stops)
            continue
        tasks.known.add(task.id)
        if _never_runs(document):
            yield NEVER_RUNS.broken(TABLE, key)
        if chart.orgs.has(task.org_id) or index.get(_index_key(task)) == key:
            audit.want(_index_key(task), key)
        yield from _task(chart, task, stops, places)
    yield from audit.findings(tasks)
    yield from _runs(chart, tasks)


def _under_wrong_key(chart: Chart, task: _Task, key: bytes) -> Finding:
    index, own = chart.tx.table(INDEX), task.id.encode()

    def is_named(task_id: bytes) -> bool:
        return index.get(f"{task.org_id}/".encode() + task_id) == task_id

    finding = misplaced(WRONG_KEY, chart.tx, TABLE, key, task.id, is_named)
    if finding.mend is not None:
        return finding
    return replace(finding, mend=moving(TABLE, key, own), is_on_request=True)


def _bad_runs(chart: Chart, task: _Task, stops: frozenset[Server]) -> Iterator[Finding]:
    for key in bad_runs(chart.tx, task.id):
        finding = BAD_RUN.broken(RUNS, key[:ID_LENGTH], mend=deleting((RUNS, key)))
        yield chart.stopping(finding, stops)


class _Places:
    """Where the index has each task, read once, and only where a task needs it."""

    def __init__(self, chart: Chart, adopt: Callable[[bytes, bytes], Adoption | None]) -> None:
        self._index = chart.tx.table(INDEX)
        self.adopt = adopt
        self._known: dict[bytes, list[bytes]] | None = None

    def of(self, task: _Task) -> list[bytes]:
        """Give the keys of the entries of a task."""
        if self._known is None:
            self._known = {}
            for key, value in self._index.items():
                self._known.setdefault(value, []).append(key)
        return self._known.get(task.id.encode(), [])


def _task(
    chart: Chart, task: _Task, stops: frozenset[Server], places: _Places
) -> Iterator[Finding]:
    is_stuck = task.org_id is None or task.org_id in chart.stuck_orgs
    if not chart.orgs.has(task.org_id):
        found = places.of(task)
        adoption = places.adopt(task.id.encode(), found[0]) if len(found) == 1 else None
        is_left = found != [_index_key(task)] or _has_traces(chart, task.org_id)
        finding = NO_ORG.broken(
            TABLE,
            task.id,
            mend=_removing(task) if adoption is None else adoption.mend,
            remedy=adoption.remedy if adoption is not None else STILL_TRACES if is_left else None,
        )
        finding = chart.stopping(finding, stops if is_stuck else NO_SERVER)
        yield replace(finding, is_on_request=is_left and adoption is None)
        return
    if is_stuck and task.org_id is not None and task.org_id not in chart.explained_orgs:
        chart.explain_stuck(task.org_id)
        yield chart.stopping(NO_TASKS_BUCKET.broken(TABLE, task.id), stops)
    if not chart.users.has(task.owner_id):
        yield NO_OWNER.broken(TABLE, task.id)


def _has_traces(chart: Chart, org_id: Id | None) -> bool:
    """Tell whether an organization may have lost its record by damage, or its task the ID of it.

    A server that deletes an organization takes the index entries of its buckets with it, and that
    of its name.
    """
    if org_id is None or chart.orgs.is_blank:
        return True
    if next(chart.tx.table("bucketindexv1").items(org_id.encode()), None) is not None:
        return True
    return any(
        value == org_id.encode() for _, value in chart.tx.table("organizationindexv1").items()
    )


def _never_runs(document: bytes) -> bool:
    """Tell whether an active task has no script, or no schedule that can be read."""
    fields = decode_fields(document)
    if text_field(fields, "status") != "active":
        return False
    every, cron = text_field(fields, "every"), text_field(fields, "cron")
    is_scheduled = bool(cron or every) and (bool(cron) or is_schedule(encode_text(every)))
    return not is_scheduled or not text_field(fields, "flux").strip()


def _runs(chart: Chart, tasks: Population) -> Iterator[Finding]:
    if not tasks.is_there:
        return
    named = {value for _, value in chart.tx.table(INDEX).items()}
    last = b""
    for item in chart.tx.table(RUNS).items():
        task_id = item[0][:ID_LENGTH]
        if task_id != last and not tasks.has(text_of(task_id)):
            finding = NO_TASK.broken(RUNS, task_id, mend=_removing_runs(task_id))
            yield spared(finding) if task_id in named else finding
        last = task_id


def _decode(document: bytes) -> _Task:
    require_decodable(document, TASK)
    fields = decode_fields(document)
    return _Task(
        id=required_id_field(fields, "id"),
        org_id=id_field(fields, "orgID"),
        owner_id=id_field(fields, "ownerID"),
    )


def _giving_up(key: bytes) -> Mend:
    """Remove a task of which nothing but its key is known, with its runs."""

    def give_up(tx: MetaTx) -> None:
        index = tx.table(INDEX)
        for entry in [entry for entry, value in index.items() if value == key]:
            index.delete(entry)
        tx.table(TABLE).delete(key)
        _removing_runs(key)(tx)

    return give_up


def _index_key(task: _Task) -> bytes:
    return f"{task.org_id}/{task.id}".encode()


def _removing(task: _Task) -> Mend:
    def remove(tx: MetaTx) -> None:
        tx.table(TABLE).delete(task.id.encode())
        if tx.table(INDEX).is_there:
            tx.table(INDEX).delete(_index_key(task))
        _removing_runs(task.id.encode())(tx)

    return remove


def _removing_runs(task_id: bytes) -> Mend:
    def remove(tx: MetaTx) -> None:
        runs = tx.table(RUNS)
        for key in [key for key, _ in runs.items(task_id)]:
            runs.delete(key)

    return remove
