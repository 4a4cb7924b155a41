"""What goes into a rebuild, and what comes out of it.

Lives here: `EngineFacts` and `Wishes`, `Placed` and `Filled`. Must not live here: how one becomes
the other (`filling`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec
from msgspec.structs import replace

from recovery.engine.folder import BucketFacts, ShardFacts
from recovery.model.ids import Id
from recovery.model.user import User
from recovery.secret import Secret
from recovery.services.shard_mapping import BucketMap, ShardName
from recovery.services.stores.rebuild.known import Known
from recovery.services.stores.rebuild.unblocking import Unblocking


class EngineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What lies on disk.

    Attributes:
        path: The engine's folder, for a person.
        buckets: What its files tell.
        oddities: What is in it and is not understood, as sentences without a full stop.
        shard_id_max: The highest number of a shard, also of one that is of no bucket.
        strays: Shards that are of no bucket or of another retention policy, as far as the server
            stops at them.
    """

    path: str
    buckets: tuple[BucketFacts, ...]
    oddities: tuple[str, ...]
    shard_id_max: int
    strays: tuple[ShardFacts, ...] = ()

    @property
    def unblocking(self) -> Unblocking:
        """What has to be changed in the folder so that influxd opens every shard."""
        return Unblocking.of(Path(self.path), self.buckets, self.strays)


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        organization: Name of the organization of buckets that are known in none; None to choose.
        organization_id: Its ID; None to choose.
        username: Who owns it all; None to choose.
        password: Its password; None for none, or to keep the one it has.
        has_password: Whether it gets one; also said in a dry run, where it is not asked for.
        left_out: Shards that are to get no group.
        allows_overlaps: Whether shards of one bucket may hold points of the same time.
    """

    organization: str | None = None
    organization_id: Id | None = None
    username: str | None = None
    password: Secret | None = None
    has_password: bool = False
    names: Mapping[Id, str] = msgspec.field(default_factory=dict)
    left_out: frozenset[ShardName] = frozenset()
    allows_overlaps: bool = False

    def with_password(self, password: Secret) -> Self:
        """Return the same with a password."""
        return replace(self, password=password)


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket of the new store that is on disk.

    Attributes:
        retention_ns: How long its data stay; 0 forever.
        is_new: Whether its record is made now.
        is_system: Whether it is one that every organization has.
    """

    facts: BucketFacts
    map: BucketMap
    name: str
    org_id: Id
    retention_ns: int
    is_new: bool
    is_system: bool


class Filled(msgspec.Struct, kw_only=True):
    """What a store was filled with.

    Attributes:
        known: What is known of it, with the organizations that were made.
        user: Who owns everything.
        org_id: The organization of what is known in none.
        bare: The buckets that are known and not on disk: ID and name.
        notes: What was decided, as sentences without a full stop.
        mapped: The bucket and the number of every shard that is in a group.
    """

    engine: EngineFacts
    known: Known
    user: User | None = None
    is_new_user: bool = False
    has_new_password: bool = False
    org_id: Id = Id("")
    placed: list[Placed] = msgspec.field(default_factory=list)
    bare: list[tuple[Id, str]] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)
    mapped: set[tuple[str, int]] = msgspec.field(default_factory=set)

    @property
    def owner(self) -> User:
        """Who owns everything."""
        if self.user is None:
            raise RuntimeError("a store is filled before its owner is asked for")
        return self.user
