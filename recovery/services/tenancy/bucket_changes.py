"""Make, change and delete buckets.

Lives here: the planners of `bucket create`, `bucket rename`, `bucket update` and `bucket delete`.
Must not live here: time series, and the files of the engine.

Invariants: record, index entry and catalogue entry change together, or influxd would not start. A
bucket with a shard group is not deleted.

Source: InfluxDB v2.9.1 tenant/service_bucket.go, tenant/storage_bucket.go, storage/engine.go
(UpdateBucketRetentionPolicy), v1/services/meta/data.go (UpdateRetentionPolicy,
NormalisedShardDuration); spec influxdb-metadata 4.4 and 4.9, admin-daemon 1.11.
"""

from typing import ClassVar, Final

import msgspec

from recovery.errors import ConflictError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import (
    HOUR_NS,
    NS_MAX,
    TYPE_SYSTEM,
    TYPE_USER,
    Bucket,
    decode_bucket,
    duration_text,
    shard_group_duration_ns,
)
from recovery.model.catalogue import with_policy
from recovery.model.gojson import Json as Value
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.ports import Clock, Rng
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import (
    bucket_of,
    cut_name,
    differing,
    edit_steps,
    organization_of,
    require_free,
)
from recovery.services.tenancy.organization_records import count_with_data, delete_bucket
from recovery.services.tenancy.writing import (
    BucketWish,
    change_catalogue,
    policy_of,
    write_bucket,
)

SHORT_RETENTION: Final = "data stay at least an hour, or forever with 0"
SHARDS_TOO_LONG: Final = "a shard group spans more time than data stay"
LONG_RETENTION: Final = "no server can keep data for more than 292 years, but forever with 0"


class CreateBucket(msgspec.Struct, frozen=True, kw_only=True):
    """The command `bucket create`.

    Attributes:
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        shard_group_ns: Span of a shard group, in nanoseconds; 0 for what suits the retention.
        policy_name: Name of a retention policy of 1.x, kept with it; empty for none.
        bucket_id: Its ID, for one whose data are on disk and whose record is lost; None for a new
            one.
        may_be_nameless: Whether an empty name is taken, as a server takes it.
    """

    operation: ClassVar[str] = "bucket create"

    org_id: Id
    name: str
    description: str = ""
    retention_ns: int = 0
    shard_group_ns: int = 0
    policy_name: str = ""
    bucket_id: Id | None = None
    may_be_nameless: bool = False
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Plan the bucket with both entries; `RefusedError` for a bad name or times."""
        organization_of(store, self.org_id)
        _require_name(self.name, may_be_empty=self.may_be_nameless)
        require_free("bucket", self.name, store.buckets.indexed_id(self.org_id, self.name))
        shard_group_ns = shard_group_duration_ns(self.retention_ns, wanted_ns=self.shard_group_ns)
        require_times(self.retention_ns, shard_group_ns)
        ids = IdSource(self.clock, self.rng)
        bucket_id = self.bucket_id or unused(ids.random, store.buckets.has_id)
        if store.buckets.has_id(bucket_id):
            raise ConflictError(kind="bucket", name=bucket_id, hint="choose another ID")
        wish = BucketWish(
            name=self.name,
            description=self.description,
            kind=TYPE_USER,
            retention_ns=self.retention_ns,
            bucket_id=bucket_id,
            shard_group_ns=shard_group_ns,
            policy_name=self.policy_name,
        )

        def apply(tx: MetaTx) -> None:
            now = format_time(self.clock.now())
            write_bucket(tx, wish, org_id=self.org_id, ids=ids, now=now)

        return Plan(
            operation=self.operation,
            steps=(
                f"add the bucket {cut_name(self.name)} as {bucket_id}",
                f"let data stay {duration_text(self.retention_ns)} in it",
                "add its entry in the engine's catalogue, without which influxd would not start",
            ),
            facts={"bucket_id": bucket_id, "organization_id": self.org_id},
            record_ids=(bucket_id,),
            apply=apply,
            verify=lambda tx: _is_lost(tx, bucket_id, self.org_id, self.name),
        )


class EditBucket(msgspec.Struct, frozen=True, kw_only=True):
    """The commands `bucket rename` and `bucket update`.

    Attributes:
        name: The new name; None to keep it.
        description: The new description; None to keep it.
        retention_ns: How long data stay, in nanoseconds, 0 forever; None to keep it.
        shard_group_ns: Span of the shard groups to come, in nanoseconds, 0 for what suits the
            retention; None to keep it.
        is_touched: Whether the time of its last change moves though nothing else does.
        may_be_nameless: Whether an empty name is taken, as a server takes it.
    """

    bucket_id: Id
    name: str | None = None
    description: str | None = None
    retention_ns: int | None = None
    shard_group_ns: int | None = None
    is_touched: bool = False
    may_be_nameless: bool = False
    clock: Clock

    @property
    def operation(self) -> str:
        """The command."""
        others = (self.description, self.retention_ns, self.shard_group_ns)
        is_rename = self.name is not None and others == (None, None, None)
        return "bucket rename" if is_rename else "bucket update"

    def plan(self, store: MetaTx) -> Plan:
        """Plan one record rewritten with its entry and its policy; nothing when it is as wanted."""
        before = bucket_of(store, self.bucket_id)
        changes = self._changes(store, before)
        name = cut_name(before.name)
        if not changes and not self.is_touched:
            return Plan.nothing(
                self.operation,
                f"bucket {name} is as wanted",
                facts={"bucket_id": before.id},
                record_ids=(before.id,),
            )
        steps = _edit_steps(before, changes)
        changes["updatedAt"] = format_time(self.clock.now())
        after = decode_bucket(before.rewritten(changes))
        retention_ns, shard_group_ns = times_after(
            store, before, self.retention_ns, self.shard_group_ns
        )
        has_other_times = bool({"retentionPeriod", "shardGroupDuration"} & set(changes))

        def apply(tx: MetaTx) -> None:
            tx.buckets.update(before, after)
            if has_other_times:
                change_catalogue(
                    tx,
                    lambda catalogue: with_policy(
                        catalogue,
                        name=after.id,
                        retention_ns=retention_ns,
                        shard_group_ns=shard_group_ns,
                    ),
                )

        shorter = after.retention_ns and not 0 < before.retention_ns <= after.retention_ns
        return Plan(
            operation=self.operation,
            steps=steps or (f"note that bucket {name} was changed now",),
            facts={"bucket_id": before.id, "fields": sorted(changes)},
            record_ids=(before.id,),
            warnings=("influxd deletes data that are older than this when it runs",)
            if has_other_times and shorter
            else (),
            apply=apply,
            verify=lambda tx: None if tx.buckets.holds(after) else "the bucket is not as planned",
        )

    def _changes(self, store: MetaTx, before: Bucket) -> dict[str, Value]:
        changes = differing(before, name=self.name, description=self.description)
        if self.name is not None and "name" in changes:
            if before.type == TYPE_SYSTEM:
                raise RefusedError(
                    reason="system buckets cannot be renamed", hint="name another bucket"
                )
            _require_name(self.name, may_be_empty=self.may_be_nameless)
            if before.org_id is not None:
                holder = store.buckets.indexed_id(before.org_id, self.name)
                require_free("bucket", self.name, holder)
        require_times(*times_after(store, before, self.retention_ns, self.shard_group_ns))
        if self.retention_ns not in {None, before.retention_ns}:
            changes["retentionPeriod"] = self.retention_ns
        if self.shard_group_ns not in {None, before.shard_group_ns}:
            changes["shardGroupDuration"] = self.shard_group_ns
        return changes


class DeleteBucket(msgspec.Struct, frozen=True, kw_only=True):
    """The command `bucket delete`: only a user's bucket without data."""

    operation: ClassVar[str] = "bucket delete"

    bucket_id: Id

    def plan(self, store: MetaTx) -> Plan:
        """Plan the end of a user's bucket without data, with its entries and roles."""
        bucket = bucket_of(store, self.bucket_id)
        if bucket.type == TYPE_SYSTEM:
            raise RefusedError(
                reason="system buckets cannot be deleted", hint="name another bucket"
            )
        if count_with_data(store, {bucket.id}):
            raise RefusedError(
                reason=f"bucket {bucket.id} has data",
                hint="delete it when influxd runs",
            )
        return Plan(
            operation=self.operation,
            steps=(
                f"delete bucket {cut_name(bucket.name)} with its index entry and its roles",
                "delete its entry in the engine's catalogue",
            ),
            facts={"bucket_id": bucket.id},
            record_ids=(bucket.id,),
            apply=lambda tx: delete_bucket(tx, bucket.id),
            verify=lambda tx: "the bucket is still there" if tx.buckets.has_id(bucket.id) else None,
        )


def _edit_steps(before: Bucket, changes: dict[str, Value]) -> tuple[str, ...]:
    what = f"bucket {cut_name(before.name)}"
    steps = list(edit_steps(what, changes))
    retention_ns, span_ns = changes.get("retentionPeriod"), changes.get("shardGroupDuration")
    if isinstance(retention_ns, int):
        former = duration_text(before.retention_ns)
        steps.append(
            f"let data stay {duration_text(retention_ns)} in {what}, in the place of {former}"
        )
    if isinstance(span_ns, int):
        steps.append(f"let new shard groups of it span {duration_text(span_ns)}")
    return tuple(steps)


def times_after(
    store: MetaTx, before: Bucket, retention_ns: int | None, shard_group_ns: int | None
) -> tuple[int, int]:
    """Give what the engine will hold to after an edit; the record says what was asked for.

    Args:
        retention_ns: The new retention, in nanoseconds; None to keep it.

    Returns:
        Retention and span of a shard group, in nanoseconds.
    """
    stays_ns = before.retention_ns if retention_ns is None else retention_ns
    if shard_group_ns is not None:
        return stays_ns, shard_group_duration_ns(stays_ns, wanted_ns=shard_group_ns)
    policy = policy_of(store, before.id)
    if policy is not None:
        return stays_ns, policy.shard_group_ns
    return stays_ns, shard_group_duration_ns(before.retention_ns, wanted_ns=before.shard_group_ns)


def require_times(retention_ns: int, shard_group_ns: int) -> None:
    """Refuse times that the engine does not take.

    Raises:
        RefusedError: Data stay less than an hour, or less than a shard group spans, or a time does
            not fit into the 64 bits that a server has for it.
    """
    if max(retention_ns, shard_group_ns) > NS_MAX:
        raise RefusedError(reason=LONG_RETENTION, hint="give a shorter time")
    if retention_ns and retention_ns < HOUR_NS:
        raise RefusedError(reason=SHORT_RETENTION, hint="give a longer time")
    if 0 < retention_ns < shard_group_ns:
        raise RefusedError(reason=SHARDS_TOO_LONG, hint="give a shorter span of a shard group")


def _require_name(name: str, *, may_be_empty: bool) -> None:
    if not (name or may_be_empty) or name.startswith("_") or '"' in name:
        raise RefusedError(
            reason="the name of a bucket cannot be empty, begin with _ or hold a quotation mark",
            hint="give it another name",
        )


def _is_lost(tx: MetaTx, bucket_id: Id, org_id: Id, name: str) -> str | None:
    if tx.buckets.get(bucket_id) is None or tx.buckets.indexed_id(org_id, name) != bucket_id:
        return "a server would not find the bucket by its name"
    return None
