"""What the rules know of a store while they go through it.

Lives here: `Chart`, and the `Population`s of records that other records name. Must not live here:
any rule.

Invariants: IDs are kept, decoded records never. Where it is asked whether something is debris, what
is not known counts as being there: a record that cannot be decoded exists, and where a bolt bucket
is missing nothing is judged by its absence. Where it is asked what a server can use, only what it
can decode counts, and a bolt bucket that is missing is an empty one.

Source: spec influxdb-metadata sections 6.3 and 13.1 (which server does what).
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from recovery.engine.folder import EngineFolder
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id, IdSource
from recovery.model.standing import Obstacle
from recovery.ports import Clock, Rng
from recovery.services.doctor.finding import Finding, Severity
from recovery.services.doctor.servers import (
    LEVEL_2_3,
    SQL_LEVELS_BEFORE_2_5,
    Server,
    likely_server,
    servers_of,
)

BUCKETS_LOOKED_AT: Final = 20
"""Up to 2.4 the check at the start sees only so many buckets, those with the lowest IDs."""


PROGRESS_RECORDS: Final = 20_000

Progress: TypeAlias = Callable[[str, int], None]
"""Called with what is looked at, as "records of usersv1", and how many of that so far."""


class Population(msgspec.Struct):
    """The IDs of one kind of record.

    Attributes:
        known: Those of records that can be decoded.
        opaque: The keys of records that cannot.
        is_there: Whether their bolt bucket is there at all.
    """

    known: set[str] = msgspec.field(default_factory=set)
    opaque: set[str] = msgspec.field(default_factory=set)
    is_there: bool = True

    def has(self, record_id: str | None) -> bool:
        """Tell whether a record exists, as far as that can be known."""
        return record_id in self.known or record_id in self.opaque or not self.is_there

    @property
    def is_blank(self) -> bool:
        """Whether there is no record at all, so that what names one may be all that is left."""
        return not self.known and not self.opaque


class Repairer(msgspec.Struct, frozen=True, kw_only=True):
    """What a mend needs to make new records."""

    clock: Clock
    rng: Rng
    ids: IdSource


class Nearest(msgspec.Struct, frozen=True, kw_only=True):
    """The user who lacks least to sign in.

    Attributes:
        name: Its name, not escaped.
        obstacles: What stands in the way.
    """

    user_id: str
    name: str
    obstacles: tuple[Obstacle, ...]


class Access(msgspec.Struct, kw_only=True):
    """Who could get in.

    Attributes:
        sign_in_count: Users who get in with a password.
        refused_count: Users whose sign-in is answered with 204, and all that follows with 403.
        full_operator_count: Usable tokens that are full operators.
        other_operator_count: Usable tokens that can at least administer users and tokens.
        nearest: Who lacks least to sign in; None when there is no user, or nothing is lacking.
    """

    sign_in_count: int = 0
    refused_count: int = 0
    full_operator_count: int = 0
    other_operator_count: int = 0
    nearest: Nearest | None = None

    @property
    def is_possible(self) -> bool:
        """Whether anybody can get in as more than a reader of data."""
        return bool(self.sign_in_count or self.full_operator_count or self.other_operator_count)


class Chart(msgspec.Struct, kw_only=True):
    """What is known so far.

    Attributes:
        sql_level: Number of migrations in the SQLite file; None without one.
        use_hashed_tokens: What the configuration of its server says; None when it says nothing.
        repairer: For mends that make records.
        inactive_users: Users whose status is exactly "inactive".
        users_with_tokens: Users with a token that shows organizations.
        can_list_authorizations: Whether a server can decode each of them.
        lost_users: Users without a record, of whom more is left than debris.
        system_buckets: Organizations that have a bucket of a name, by that name.
        stuck_orgs: Organizations whose bucket "_tasks" the server needs to start, and cannot find.
        explained_orgs: Those of them of which a finding says what is wrong.
        owners: Organizations with an owner who exists and is not inactive.
        has_instance_owner: Whether somebody owns the instance.
        accesses: Who could get in, by kind of server.
        is_never_set_up: `MetaTx.is_never_set_up`, once the authorizations have been looked at.
        can_extend_catalogue: Whether a database can be added to the engine's catalogue.
        made: Bolt buckets that the repair going on has made: their records stay unknown.
        engine: The engine's folder; None when it is not known, or is none.
        progress: Told now and then how many records of a bolt bucket have been looked at.
        counts: Records looked at, by bolt bucket.
    """

    tx: MetaTx
    level: int
    sql_level: int | None = None
    use_hashed_tokens: bool | None = None
    repairer: Repairer
    users: Population = msgspec.field(default_factory=Population)
    inactive_users: set[str] = msgspec.field(default_factory=set)
    users_with_tokens: set[Id] = msgspec.field(default_factory=set)
    can_list_authorizations: bool = True
    lost_users: set[str] = msgspec.field(default_factory=set)
    orgs: Population = msgspec.field(default_factory=Population)
    buckets: Population = msgspec.field(default_factory=Population)
    authorizations: Population = msgspec.field(default_factory=Population)
    system_buckets: dict[str, set[str]] = msgspec.field(default_factory=dict)
    stuck_orgs: set[str] = msgspec.field(default_factory=set)
    explained_orgs: set[str] = msgspec.field(default_factory=set)
    owners: set[str] = msgspec.field(default_factory=set)
    has_instance_owner: bool = False
    accesses: dict[Server, Access] = msgspec.field(
        default_factory=lambda: {server: Access() for server in Server}
    )
    is_never_set_up: bool = False
    can_extend_catalogue: bool = False
    made: frozenset[str] = frozenset()
    engine: EngineFolder | None = None
    progress: Progress | None = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)

    def has_records(self, table: str) -> bool:
        """Tell whether it can be known which records a bolt bucket has."""
        return self.tx.table(table).is_there and table not in self.made

    def count(self, table: str) -> None:
        """Count a record, and tell about every so many of them."""
        count = self.counts.get(table, 0) + 1
        self.counts[table] = count
        if self.progress is not None and count % PROGRESS_RECORDS == 0:
            self.progress(f"records of {table}", count)

    @property
    def servers(self) -> tuple[Server, ...]:
        """The kinds of servers that can be started on the store, the oldest first."""
        return servers_of(self.level, use_hashed_tokens=self.use_hashed_tokens)

    @property
    def likely_server(self) -> Server:
        """The kind of server that is started on the store next, if nobody up- or downgrades."""
        return likely_server(
            self.level, sql_level=self.sql_level, use_hashed_tokens=self.use_hashed_tokens
        )

    @property
    def access(self) -> Access:
        """Who could get in, with the kind of server that is most likely."""
        return self.accesses[self.likely_server]

    def stopping(self, finding: Finding, servers: Iterable[Server]) -> Finding:
        """Say that a finding keeps some kinds of servers from starting.

        It gets fatal if the server that is most likely started next is one of them.
        """
        stopped = frozenset(servers)
        is_fatal = self.likely_server in stopped
        severity = Severity.FATAL if is_fatal else finding.severity
        return replace(finding, stopped=stopped, severity=severity)

    def explain_stuck(self, org_id: str) -> bool:
        """Tell whether an organization keeps influxd from starting, and note that it is told."""
        self.explained_orgs.add(org_id)
        return org_id in self.stuck_orgs

    @property
    def knows_instance(self) -> bool:
        """Whether the server knows owners of the instance (from 2.4 on)."""
        return self.level >= LEVEL_2_3 and self.sql_level != min(SQL_LEVELS_BEFORE_2_5)


def text_of(key: bytes) -> str:
    """Return a key as the text by which populations know it."""
    return key.decode("latin-1")


def as_id(text: str) -> Id:
    """Return a text that is known to be an ID as one."""
    return Id(text)
