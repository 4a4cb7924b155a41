"""Tasks, their index and their runs.

Lives here: the rules I26 and I27. Must not live here: the bucket that runs are recorded in
(`organizations`).

Source: spec influxdb-metadata sections 4.11, 13.1, 13.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from recovery.metastore.transaction import MetaTx
from recovery.model.gojson import UndecodableError, decode_fields, id_field, required_id_field
from recovery.model.ids import ID_LENGTH, Id
from recovery.services.doctor.chart import Chart, Population, text_of
from recovery.services.doctor.finding import Finding, Mend, Rule, Severity
from recovery.services.doctor.indexes import IndexAudit, index_rules

TABLE: Final = "tasksv1"
INDEX: Final = "taskIndexsv1"
RUNS: Final = "taskRunsv1"
LOADED_TASKS: Final = 100
"""influxd from 2.5 on loads the runs of so many tasks at its start, those with the lowest IDs."""

NO_ORG: Final = Rule(
    number="I26",
    severity=Severity.MEDIUM,
    problem="is a task of an organization that does not exist",
    effect="influxd 2.5 and later does not start if it is one of the first 100 tasks: could not "
    "load existing scheduled runs, with or without --no-tasks",
    remedy="repair removes it with its runs, where nothing else is left of that organization",
)
STILL_TRACES: Final = (
    "repair leaves it alone, because other records of that organization are left: restore a "
    "backup, or ask for its removal with --only I26"
)
UNDECODABLE: Final = Rule(
    number="I27",
    severity=Severity.MEDIUM,
    problem="is a task that cannot be understood",
    effect="it does not run, and listing the tasks fails",
    remedy="repair cannot know what it was: restore a backup of the store",
)
WRONG_KEY: Final = Rule(
    number="I27",
    severity=Severity.MEDIUM,
    problem="is a task whose key is not its ID",
    effect="listed, and not found by its ID",
    remedy="repair cannot know which of the two is right",
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
    remedy="repair removes them",
)


@dataclass(frozen=True, slots=True)
class _Task:
    id: Id
    org_id: Id | None
    owner_id: Id | None


def note_task_orgs(chart: Chart) -> None:
    """Learn for which organizations influxd needs a bucket "_tasks" to start.

    Args:
        chart: The store.

    Raises:
        StoreDamagedError: A page on the way is damaged or cannot be read.
    """
    for rank, (_, document) in enumerate(chart.tx.table(TABLE).items()):
        if rank >= LOADED_TASKS:
            return
        try:
            task = _decode(document)
        except UndecodableError:
            continue
        if task.org_id is not None:
            chart.first_task_orgs.add(task.org_id)


def examine_tasks(chart: Chart) -> Iterator[Finding]:
    """Look at tasks, their index and their runs.

    Args:
        chart: The store, after its users, organizations and buckets.

    Yields:
        What is wrong.

    Raises:
        StoreDamagedError: A page on the way is damaged or cannot be read.
    """
    table = chart.tx.table(TABLE)
    tasks = Population(is_there=table.is_there)
    audit = IndexAudit(chart.tx.table(INDEX), TABLE, BY_ORG)
    for rank, (key, document) in enumerate(table.items()):
        try:
            task = _decode(document)
        except UndecodableError:
            tasks.opaque.add(text_of(key))
            yield UNDECODABLE.broken(TABLE, key)
            continue
        if key != task.id.encode():
            tasks.opaque.update((text_of(key), task.id))
            yield WRONG_KEY.broken(TABLE, key)
            continue
        tasks.known.add(task.id)
        if task.org_id is not None:
            audit.want(_index_key(task), key)
        yield from _task(chart, task, rank)
    yield from audit.findings(tasks)
    yield from _runs(chart, tasks)


def _task(chart: Chart, task: _Task, rank: int) -> Iterator[Finding]:
    if not chart.orgs.has(task.org_id):
        is_loaded = rank < LOADED_TASKS and not chart.is_2_4_or_older
        is_left = task.org_id is not None and _has_traces(chart, task.org_id)
        finding = NO_ORG.broken(
            TABLE,
            task.id,
            mend=_removing(task),
            severity=Severity.FATAL if is_loaded else None,
            remedy=STILL_TRACES if is_left else None,
        )
        yield replace(finding, is_on_request=is_left)
    elif not chart.users.has(task.owner_id):
        yield NO_OWNER.broken(TABLE, task.id)


def _has_traces(chart: Chart, org_id: Id) -> bool:
    """Tell whether an organization without a record may have lost it by damage.

    A server that deletes an organization takes the index entries of its buckets with it, and that
    of its name.
    """
    if next(chart.tx.table("bucketindexv1").items(org_id.encode()), None) is not None:
        return True
    return any(
        value == org_id.encode() for _, value in chart.tx.table("organizationindexv1").items()
    )


def _runs(chart: Chart, tasks: Population) -> Iterator[Finding]:
    if not tasks.is_there:
        return
    last = b""
    for item in chart.tx.table(RUNS).items():
        task_id = item[0][:ID_LENGTH]
        if task_id != last and not tasks.has(text_of(task_id)):
            yield NO_TASK.broken(RUNS, task_id, mend=_removing_runs(task_id))
        last = task_id


def _decode(document: bytes) -> _Task:
    fields = decode_fields(document)
    return _Task(
        id=required_id_field(fields, "id"),
        org_id=id_field(fields, "orgID"),
        owner_id=id_field(fields, "ownerID"),
    )


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
