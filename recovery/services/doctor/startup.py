"""What influxd reads of its tasks while it starts.

Lives here: the replay of `LoadExistingScheduleRuns`, and what of it would fail. Must not live here:
the findings (`tasks` and others make them of this).

From 2.5 on influxd lists the first 100 tasks, decodes each, and of each reads the runs, the record
by its ID, and the bucket "_tasks" of its organization by `bucketindexv1`. Whatever of that fails
ends in `could not load existing scheduled runs`, with or without --no-tasks. A run that is still to
come takes the memberships of the task's owner as well.

Source: InfluxDB v2.9.1 task/backend/executor/executor.go (LoadExistingScheduleRuns),
task/backend/analytical_storage.go (FindRuns), kv/task.go (findAllTasks, findRuns, manualRuns,
currentlyRunning, findTaskByID), tenant/storage_bucket.go (GetBucketByName), tenant/service_user.go
(FindPermissionForUser), v1/services/storage/store.go (validateArgs); the same in
v2.7.12. Each failure was seen with a real 2.9.1.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final

from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import SYSTEM_BUCKETS
from recovery.model.catalogue import CatalogueError
from recovery.model.goshape import BUCKET, RUN, TASK, can_decode, can_decode_runs
from recovery.model.ids import Id, parse_id
from recovery.services.doctor.chart import Chart
from recovery.services.doctor.records import ids_of

TASKS: Final = "tasksv1"
RUNS: Final = "taskRunsv1"
MANUAL_RUNS: Final = b"/manualRuns"
SKIPPED_RUNS: Final = (b"manualRuns", b"latestCompleted")
"""Ends of keys that the list of the current runs leaves out."""
LOADED_TASKS: Final = 100
TASKS_BUCKET: Final = SYSTEM_BUCKETS[0].name


def note_stuck_orgs(chart: Chart) -> None:
    """Learn which organizations keep influxd from starting, for want of a bucket "_tasks"."""
    loaded = {loaded_org(chart.tx, document) for _, document in loaded_tasks(chart.tx)}
    unread = _unread_buckets(chart.tx)
    for org_id in loaded - {None}:
        if org_id is not None and not finds_tasks_bucket(chart.tx, org_id, unread):
            chart.stuck_orgs.add(org_id)


def _unread_buckets(tx: MetaTx) -> set[str]:
    """List the buckets whose database has no policy, so that the engine refuses to read them."""
    with suppress(CatalogueError):
        databases = tx.catalogue.decoded().databases
        return {one.name for one in databases if one.policy is None}
    return set()


def loaded_tasks(tx: MetaTx) -> Iterator[tuple[bytes, bytes]]:
    """Give key and document of the tasks that influxd loads."""
    for rank, item in enumerate(tx.table(TASKS).items()):
        if rank >= LOADED_TASKS:
            return
        yield item


def task_id(document: bytes) -> Id | None:
    """Read the ID by which influxd goes on from the list of tasks; None when there is none."""
    return ids_of(document, "id")[0]


def loaded_org(tx: MetaTx, document: bytes) -> Id | None:
    """Read the organization of the record that a task's ID leads to; None when there is none."""
    found = task_id(document)
    stored = None if found is None else tx.table(TASKS).get(found.encode())
    return None if stored is None else ids_of(stored, "orgID")[0]


def finds_itself(tx: MetaTx, document: bytes) -> bool:
    """Tell whether influxd finds a listed task again by its ID, and an organization in it."""
    found = task_id(document)
    stored = None if found is None else tx.table(TASKS).get(found.encode())
    return stored is not None and can_decode(stored, TASK) and loaded_org(tx, document) is not None


def bad_runs(tx: MetaTx, found: Id) -> Iterator[bytes]:
    """Give the keys of runs that influxd cannot decode, up to one that names another task."""
    runs = tx.table(RUNS)
    manual = runs.get(found.encode() + MANUAL_RUNS)
    if manual is not None and not can_decode_runs(manual):
        yield found.encode() + MANUAL_RUNS
    for key, document in runs.items(found.encode()):
        if key.endswith(SKIPPED_RUNS):
            continue
        if not can_decode(document, RUN):
            yield key
        elif ids_of(document, "taskID") != [found]:
            return


def finds_tasks_bucket(tx: MetaTx, org_id: str, unread: Collection[str]) -> bool:
    """Tell whether the index leads to a decodable "_tasks" of an organization, whosever it is.

    Args:
        unread: IDs of buckets that the engine does not read.
    """
    entry = tx.table("bucketindexv1").get(f"{org_id}{TASKS_BUCKET}".encode())
    bucket_id = None if entry is None else parse_id(entry)
    stored = None if bucket_id is None else tx.table("bucketsv1").get(bucket_id.encode())
    return stored is not None and can_decode(stored, BUCKET) and bucket_id not in unread
