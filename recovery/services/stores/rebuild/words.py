"""What a rebuild says of itself.

Lives here: the steps of its plan, what to know before saying yes, and the same for a program. Must
not live here: what is decided (`filling`).
"""

from collections.abc import Iterator
from typing import Final

from recovery.model.authorization import Authorization
from recovery.model.display import plural
from recovery.services.changes.facts import PlanFacts, RebuiltBucket
from recovery.services.shard_mapping import (
    shown_duration,
    shown_span,
    shown_time,
    why,
)
from recovery.services.stores.rebuild.parts import Filled, Placed
from recovery.services.stores.rebuild.unblocking import Unblocking

CONFLICTS_SHOWN: Final = 10
MEASUREMENTS_SHOWN: Final = 8


def steps(filled: Filled) -> Iterator[str]:
    """Say what will be written, for a person."""
    yield f"read {filled.engine.path}: {plural(len(filled.engine.buckets), 'bucket folder')}"
    kind = "a new user" if filled.is_new_user else "the user"
    password = " with the given password" if filled.has_new_password else ""
    yield f"{kind} {filled.owner.name}{password} owns everything, and gets an operator token"
    for org_id in dict.fromkeys(one.org_id for one in filled.placed) or {filled.org_id: None}:
        yield f"organization {filled.known.organizations[org_id]} ({org_id})"
        for placed in filled.placed:
            if placed.org_id == org_id:
                yield "; ".join(_told(placed))
    for bucket_id, name in filled.bare:
        yield f"bucket {bucket_id}, called {name}: nothing on disk, known by name"
    yield from filled.engine.unblocking.steps


def warnings(filled: Filled, now_ns: int) -> Iterator[str]:
    """Say what a person should know before saying yes."""
    yield from (f"{note}" for note in filled.known.notes)
    yield from filled.notes
    yield from filled.engine.oddities
    yield from (problem for shard in filled.engine.strays for problem in shard.problems)
    for placed in filled.placed:
        yield from placed.facts.folder.oddities
        yield from _about(placed, now_ns)


def _about(placed: Placed, now_ns: int) -> Iterator[str]:
    problems = [problem for shard in placed.facts.shards for problem in shard.problems]
    yield from problems[:CONFLICTS_SHOWN]
    if len(problems) > CONFLICTS_SHOWN:
        yield f"and {plural(len(problems) - CONFLICTS_SHOWN, 'more file')} of {placed.facts.id}"
    lost = [shard for shard in placed.map.unmapped if not shard.is_empty]
    if lost:
        numbers = ", ".join(str(shard.id) for shard in lost)
        yield (
            f"bucket {placed.facts.id}, shard {numbers}: no point can be read, so no group is "
            "made; the files stay on disk"
        )
    yield from _about_expiry(placed, now_ns)


def _about_expiry(placed: Placed, now_ns: int) -> Iterator[str]:
    if not placed.retention_ns:
        return
    limit_ns = now_ns - placed.retention_ns
    old = [group for group in placed.map.groups if group.end_ns < limit_ns]
    if old:
        yield (
            f"bucket {placed.name} is known to keep data for "
            f"{shown_duration(placed.retention_ns)}: influxd will delete {len(old)} of its "
            f"shards, up to {shown_time(old[-1].end_ns)}, within half an hour of its start; "
            f"to keep them, name a list with {placed.facts.id},{placed.name},infinite in "
            "front of the other names"
        )


def facts(filled: Filled, authorization: Authorization) -> PlanFacts:
    """Say the same for a program."""
    return {
        "engine_path": filled.engine.path,
        "user_id": filled.owner.id,
        "user": filled.owner.name,
        "organization_id": filled.org_id,
        "organization": filled.known.organizations[filled.org_id],
        "authorization_id": authorization.id,
        "buckets": [_bucket_facts(one) for one in filled.placed],
        "empty_buckets": [{"id": one, "name": name} for one, name in filled.bare],
        "shard_id_max": filled.engine.shard_id_max,
        **engine_facts(filled.engine.unblocking),
    }


def engine_facts(unblocking: Unblocking) -> PlanFacts:
    """Say what is changed in the engine's folder, for a program."""
    return {
        "renamed_in_engine": [*unblocking.damaged, *unblocking.stale],
        "made_in_engine": list(unblocking.lacking),
    }


def record_ids(filled: Filled, authorization: Authorization) -> Iterator[str]:
    """Give the records that are made, for the ledger."""
    yield authorization.id
    yield filled.owner.id
    yield from filled.known.organizations
    yield from (one.facts.id for one in filled.placed if one.is_new)


def _told(placed: Placed) -> Iterator[str]:
    facts, duration = placed.facts, placed.map.duration
    names = facts.measurements.names
    shown = ", ".join(names[:MEASUREMENTS_SHOWN])
    more = len(names) - MEASUREMENTS_SHOWN
    if more > 0:
        shown += f" and {more}{'+' if facts.measurements.has_more else ''} more"
    whole = None
    for span in facts.spans.values():
        whole = span.joined(whole)
    keeps = shown_duration(placed.retention_ns) if placed.retention_ns else "forever"
    called = "called" if placed.is_new else "which is there as"
    yield f"bucket {facts.id}, {called} {placed.name}: holds {shown or 'nothing'}"
    yield f"{plural(len(facts.shards), 'shard')}, {facts.size_bytes:,} bytes, {shown_span(whole)}"
    groups = f"shard groups of {shown_duration(duration.duration_ns)} ({why(duration)})"
    yield f"{groups}, keeps data {keeps}"


def _bucket_facts(placed: Placed) -> RebuiltBucket:
    facts, spans = placed.facts, list(placed.facts.spans.values())
    return {
        "id": facts.id,
        "name": placed.name,
        "organization_id": placed.org_id,
        "is_new": placed.is_new,
        "is_system": placed.is_system,
        "shard_count": len(facts.shards),
        "mapped_shard_count": len(spans),
        "size_bytes": facts.size_bytes,
        "first_time_ns": min((span.first_ns for span in spans), default=None),
        "last_time_ns": max((span.last_ns for span in spans), default=None),
        "measurements": list(facts.measurements.names),
        "has_more_measurements": facts.measurements.has_more,
        "retention_ns": placed.retention_ns,
        "shard_group_ns": placed.map.duration.duration_ns,
        "shard_group_basis": str(placed.map.duration.basis),
        "problems": [problem for shard in facts.shards for problem in shard.problems],
    }
