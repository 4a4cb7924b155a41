"""What a plan says of itself to a program.

Lives here: the names of all facts that plans have, so that one thing has one name in all of them.
Must not live here: the steps, which say the same to a person.

Invariants: nothing here is a secret. Names are only added, because scripts read them.
"""

from typing import TypedDict


class FindingFacts(TypedDict):
    """A finding of `recovery.services.doctor`, whose `Finding` says what each field is."""

    number: str
    severity: str
    bucket: str
    id: str | None
    problem: str
    effect: str
    remedy: str
    operations: list[str]
    is_mendable: bool
    is_on_request: bool
    details: list[str]
    stops: list[str]
    is_loss: bool


class Removal(TypedDict):
    """Keys that a repair takes out of one bolt bucket; `ids` has those that are IDs."""

    bucket: str
    count: int
    ids: list[str]


class EmptyBucket(TypedDict):
    """A bucket that gets a record, although nothing of it is on disk."""

    id: str
    name: str


class RebuiltBucket(TypedDict):
    """A bucket whose time series are on disk; `recovery.engine` says what is read there."""

    id: str
    name: str
    organization_id: str
    is_new: bool
    is_system: bool
    shard_count: int
    mapped_shard_count: int
    size_bytes: int
    first_time_ns: int | None
    last_time_ns: int | None
    measurements: list[str]
    has_more_measurements: bool
    retention_ns: int
    shard_group_ns: int
    shard_group_basis: str
    problems: list[str]


class RotatedToken(TypedDict):
    """An authorization that got a successor with another ID and another token."""

    old_id: str
    new_id: str
    description: str


class PlanFacts(TypedDict, total=False):
    """All that plans say; each has those that fit.

    A record that is made, changed or removed is named by its ID and, where it has one, its name;
    what it was before has `_before` behind it.
    """

    authorization_id: str | None
    authorization_ids: list[str]
    present_ids: list[str]
    raw_index_entries: int
    hashed_index_entries: int
    user_id: str
    user: str
    owner_id: str
    owner: str
    organization_id: str | None
    organization: str
    bucket_id: str
    bucket_ids: list[str]
    fields: list[str]
    username: str
    name: str
    name_before: str
    description: str
    status: str
    status_before: str
    role: str | None
    role_before: str
    resource_type: str
    resource_id: str
    token_form: str
    is_old_kept: bool
    rotated: list[RotatedToken]
    permissions: list[str]
    permission_count: int
    added_permissions: list[str]
    with_tokens: bool
    origins: list[str]
    has_password: bool
    had_password: bool
    is_activated: bool
    undone: int
    mended: list[FindingFacts]
    left: list[FindingFacts]
    removed: list[Removal]
    change_count: int
    verdict_before: str
    verdict_after: str
    engine_path: str
    buckets: list[RebuiltBucket]
    empty_buckets: list[EmptyBucket]
    shard_id_max: int
    renamed_in_engine: list[str]
    made_in_engine: list[str]
