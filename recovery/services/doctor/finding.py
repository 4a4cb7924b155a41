"""What is found, and what it means.

Lives here: `Finding`, `Rule`, `Severity`. Must not live here: any one rule.

Invariants: a finding names a bolt bucket and at most an ID, never another key or a value: those can
be secrets. A mend changes nothing but what its finding is about.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum, unique
from typing import Final, Self, TypeAlias

import msgspec
from msgspec.structs import replace

from recovery.metastore.transaction import MetaTx
from recovery.model.ids import ID_LENGTH
from recovery.services.doctor.servers import ALL_SERVERS, NO_SERVER, Server

Mend: TypeAlias = Callable[[MetaTx], None]
"""Writes what makes a finding go away, by the store as it is at that moment."""

Identity: TypeAlias = tuple[str, str, str | None, str]
"""Number, bolt bucket, ID and problem of a finding."""

DEBRIS: Final = "repair removes it where it is asked to: influxd itself has left it behind"
SPARED: Final = (
    "repair leaves it alone, because it is left of something whose record is lost: restore a "
    "backup; or accept the loss, which removes it"
)


@unique
class Severity(StrEnum):
    """How bad a finding is."""

    FATAL = "F"
    HIGH = "H"
    MEDIUM = "M"
    LOW = "L"

    @property
    def word(self) -> str:
        """The letter as a word, for a person."""
        return self.name.lower()

    @property
    def meaning(self) -> str:
        """What that word says."""
        return {
            Severity.FATAL: "influxd does not start",
            Severity.HIGH: "access, security or data are at stake",
            Severity.MEDIUM: "a feature is broken",
            Severity.LOW: "harmless",
        }[self]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a store.

    Attributes:
        number: The invariant that does not hold, such as "I16".
        bucket: The bolt bucket, or the name of the file.
        id: The record, 16 hex digits; None where it has no ID, or none that may be shown.
        problem: What is wrong, as a clause whose subject is the record.
        effect: What the server does about it, as a clause.
        remedy: What `store repair` does about it, or who else has to do what, as a clause.
        operations: What a person can do about that record, such as "auth delete".
        is_advice: Whether it is only worth knowing, and nothing is broken.
        is_on_request: Whether repair mends it only where its number is named.
        mend: Mends it; None where that cannot be done safely.
        stopped: Kinds of servers that do not start because of it, where that depends on the kind;
            None where the severity says it all.
        details: More that is wrong with the same thing, as clauses.
        giving_up: Where records are lost: takes their last traces away, which a person has to
            accept by number; None where nothing is lost.
    """

    number: str
    severity: Severity
    bucket: str
    id: str | None
    problem: str
    effect: str
    remedy: str
    operations: tuple[str, ...] = ()
    is_advice: bool = False
    is_on_request: bool = False
    mend: Mend | None = None
    stopped: frozenset[Server] | None = None
    details: tuple[str, ...] = ()
    giving_up: Mend | None = None

    @property
    def stops(self) -> frozenset[Server]:
        """Kinds of servers that do not start because of it."""
        if self.stopped is not None:
            return self.stopped
        return ALL_SERVERS if self.severity is Severity.FATAL else NO_SERVER

    @property
    def advice(self) -> str:
        """The remedy, with the operations that help."""
        return f"{self.remedy} ({' or '.join(self.operations)})" if self.operations else self.remedy

    @property
    def is_mendable(self) -> bool:
        """Whether repair mends it without being asked for it by number."""
        return self.mend is not None and not self.is_on_request

    @property
    def is_loss(self) -> bool:
        """Whether records are lost; such a finding stays until a person accepts the loss."""
        return self.giving_up is not None

    @property
    def identity(self) -> Identity:
        """What stays the same when the same thing is found again."""
        return (self.number, self.bucket, self.id, self.problem)

    @property
    def place(self) -> str:
        """The record, for a person."""
        return self.bucket if self.id is None else f"{self.bucket} {self.id}"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which an invariant can be broken.

    Attributes:
        severity: How bad that is, unless the case says otherwise.
        effect: What the server does about it.
        remedy: What repair does about it, or why not.
        operations: As in `Finding`.
        is_advice: As in `Finding`.
        is_on_request: As in `Finding`.
    """

    number: str
    severity: Severity
    problem: str
    effect: str
    remedy: str
    operations: tuple[str, ...] = ()
    is_advice: bool = False
    is_on_request: bool = False

    def broken(
        self,
        bucket: str,
        key: str | bytes | None = None,
        *,
        mend: Mend | None = None,
        giving_up: Mend | None = None,
        severity: Severity | None = None,
        problem: str | None = None,
        remedy: str | None = None,
    ) -> Finding:
        """Make a finding of it.

        Args:
            key: The record's ID, as text or as a key; what is no ID is left out of the finding.
            giving_up: Takes the last traces of lost records away.
            severity: How bad this case is, if not as usual.
            problem: What is wrong in this case, if not as usual.
            remedy: What repair does in this case, if not as usual.
        """
        return Finding(
            number=self.number,
            severity=severity or self.severity,
            bucket=bucket,
            id=shown_id(key),
            problem=problem or self.problem,
            effect=self.effect,
            remedy=remedy or self.remedy,
            operations=self.operations,
            is_advice=self.is_advice,
            is_on_request=self.is_on_request,
            mend=mend,
            giving_up=giving_up,
        )


def shown_id(key: str | bytes | None) -> str | None:
    """Return a key if it is an ID, and so may be shown."""
    if key is None:
        return None
    text = key if isinstance(key, str) else key.decode("latin-1")
    is_id = len(text) == ID_LENGTH and not text.strip("0123456789abcdefABCDEF")
    return text if is_id else None


class JointMend:
    """A mend that is cheaper for many findings at once than for one after another."""

    def __call__(self, tx: MetaTx) -> None:
        """Mend this one alone."""
        self.do_all(tx, [self])

    @classmethod
    def do_all(cls, tx: MetaTx, mends: Sequence[Self]) -> None:
        """Mend all of a kind."""
        raise NotImplementedError


def putting(table: str, key: bytes, value: bytes) -> Mend:
    """Make a mend that sets one key of a bolt bucket, in the place of whatever is there."""

    def put(tx: MetaTx) -> None:
        records = tx.table(table)
        if records.is_bucket(key):
            records.delete(key)
        records.put(key, value)

    return put


def deleting(*keys: tuple[str, bytes]) -> Mend:
    """Make a mend that removes keys, each named by its bolt bucket and itself."""

    def delete(tx: MetaTx) -> None:
        for table, key in keys:
            tx.table(table).delete(key)

    return delete


def moving(table: str, key: bytes, new_key: bytes) -> Mend:
    """Make a mend that puts a record under another key, unless one is there already."""

    def move(tx: MetaTx) -> None:
        records = tx.table(table)
        document = records.get(key) or b""
        records.delete(key)
        if not records.has(new_key):
            records.put(new_key, document)

    return move


def spared(finding: Finding) -> Finding:
    """Let a trace of a lost record be removed only where a person accepts the loss."""
    return replace(
        finding, is_on_request=True, is_advice=False, remedy=SPARED, giving_up=finding.mend
    )
