"""What the rules know of a store while they go through it.

Lives here: `Chart`, and the `Population`s of records that other records name. Must not live here:
any rule.

Invariants: IDs are kept, decoded records never. What is not known counts as being there: a record
that cannot be decoded exists, and where a bolt bucket is missing nothing is judged by its absence.

Source: spec influxdb-metadata sections 6.3 and 13.1 (which server does what).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id, IdSource
from recovery.ports import Clock, Rng

LEVEL_2_3: Final = 20
LEVEL_2_8: Final = 21
SQL_LEVELS_BEFORE_2_5: Final = frozenset({5, 7})
"""Numbers of SQL migrations of 2.3 and 2.4, whose stores are at level 20 as those of 2.5 to 2.7."""
BUCKETS_LOOKED_AT: Final = 20
"""Up to 2.4 the check at the start sees only so many buckets, those with the lowest IDs."""


PROGRESS_RECORDS: Final = 20_000

Progress: TypeAlias = Callable[[str, int], None]
"""Called with what is looked at, as "records of usersv1", and how many of that so far."""


@dataclass(slots=True)
class Population:
    """The IDs of one kind of record.

    Attributes:
        known: Those of records that can be decoded.
        opaque: The keys of records that cannot.
        is_there: Whether their bolt bucket is there at all.
    """

    known: set[str] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)
    is_there: bool = True

    def has(self, record_id: str | None) -> bool:
        """Tell whether a record exists, as far as that can be known."""
        return record_id in self.known or record_id in self.opaque or not self.is_there


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairer:
    """What a mend needs to make new records.

    Attributes:
        clock: The time.
        rng: Randomness.
        ids: New IDs.
    """

    clock: Clock
    rng: Rng
    ids: IdSource


@dataclass(slots=True, kw_only=True)
class Access:
    """Who could get in.

    Attributes:
        sign_in_count: Users who can sign in with a password.
        full_operator_count: Usable tokens that are full operators.
        other_operator_count: Usable tokens that can at least administer users and tokens.
    """

    sign_in_count: int = 0
    full_operator_count: int = 0
    other_operator_count: int = 0

    @property
    def is_possible(self) -> bool:
        """Whether anybody can get in as more than a reader of data."""
        return bool(self.sign_in_count or self.full_operator_count or self.other_operator_count)


@dataclass(slots=True, kw_only=True)
class Chart:
    """What is known so far.

    Attributes:
        tx: The records.
        level: Schema level.
        sql_level: Number of migrations in the SQLite file; None without one.
        repairer: For mends that make records.
        users: The users.
        inactive_users: Users whose status is exactly "inactive".
        listed_users: Users that their name leads to, and who are not inactive.
        lost_users: Users without a record, of whom more is left than debris.
        lost_orgs: Organizations without a record, which have a bucket.
        orgs: The organizations.
        buckets: The buckets.
        authorizations: The authorizations.
        labels: The labels.
        system_buckets: Organizations that have a bucket of a name, by that name.
        first_task_orgs: Organizations of the tasks that the server loads at its start.
        owners: Organizations with an owner who exists and is not inactive.
        has_instance_owner: Whether somebody owns the instance.
        access: Who could get in.
        can_extend_catalogue: Whether a database can be added to the engine's catalogue.
        progress: Told now and then how many records of a bolt bucket have been looked at.
        counts: Records looked at, by bolt bucket.
    """

    tx: MetaTx
    level: int
    sql_level: int | None = None
    repairer: Repairer
    users: Population = field(default_factory=Population)
    inactive_users: set[str] = field(default_factory=set)
    listed_users: set[str] = field(default_factory=set)
    lost_users: set[str] = field(default_factory=set)
    lost_orgs: set[str] = field(default_factory=set)
    orgs: Population = field(default_factory=Population)
    buckets: Population = field(default_factory=Population)
    authorizations: Population = field(default_factory=Population)
    labels: Population = field(default_factory=Population)
    system_buckets: dict[str, set[str]] = field(default_factory=dict)
    first_task_orgs: set[str] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)
    has_instance_owner: bool = False
    access: Access = field(default_factory=Access)
    can_extend_catalogue: bool = False
    progress: Progress | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, table: str) -> None:
        """Count a record, and tell about every so many of them."""
        count = self.counts.get(table, 0) + 1
        self.counts[table] = count
        if self.progress is not None and count % PROGRESS_RECORDS == 0:
            self.progress(f"records of {table}", count)

    @property
    def is_2_4_or_older(self) -> bool:
        """Whether the server that was last here is certainly none of 2.5 or later."""
        if self.level < LEVEL_2_3:
            return True
        return self.level == LEVEL_2_3 and self.sql_level in SQL_LEVELS_BEFORE_2_5

    def stops_at(self, org_id: str) -> bool:
        """Tell whether influxd would not start without the bucket "_tasks" of an organization."""
        return not self.is_2_4_or_older and org_id in self.first_task_orgs

    @property
    def decodes_all_authorizations(self) -> bool:
        """Whether the server reads every authorization at its start (from 2.8 on)."""
        return self.level >= LEVEL_2_8

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
