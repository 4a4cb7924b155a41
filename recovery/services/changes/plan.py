"""What a change is, before, while and after it is done.

Lives here: `Plan`, `Planner`, `Manner`, `Work`, `Proposal` and `Outcome`. Must not live here: the
order of the steps (`sequence`), and what a particular command writes: that is a `Planner` in a
module of its own.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

import msgspec

from recovery.errors import WriteFailedError
from recovery.metastore.transaction import MetaTx
from recovery.ports import SystemClock
from recovery.remedy import Run
from recovery.secret import Secret
from recovery.services.changes.backup_rule import BackupEachChange, BackupRule
from recovery.services.changes.facts import PlanFacts
from recovery.services.store_facts import StoreFacts


def _do_nothing(_: MetaTx) -> None:
    return None


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """That influxd will not start on a store.

    Attributes:
        sentence: Why, without a full stop.
        way: What to do about it next.
    """

    sentence: str
    way: Run


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a command is going to do, decided and not done yet.

    Attributes:
        operation: The command, as "auth create-operator"; goes into ledger and backup name.
        steps: What will be written, as sentences for a person; names in them are not escaped yet.
        facts: The same for a program. No secrets.
        record_ids: Records that it makes, changes or removes, 16 hex digits each.
        warnings: What a person should know before saying yes, as sentences.
        is_needed: False when the store already is as wanted: then nothing is done.
        apply: Writes it, in the one transaction.
        verify: Looks at the re-opened store and says what is not as planned, as a clause; None
            when all is.
        secret: The token to hand over once it is in force.
        subject_id: The record whose secret that is, to be named if it cannot be delivered.
        afterwards: What remains to be done when it is in force: sentences, or operations.
        stops: That influxd will not start on what the change leaves; None where it will, or where
            that is not known.
    """

    operation: str
    steps: tuple[str, ...]
    facts: PlanFacts
    record_ids: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    is_needed: bool = True
    apply: Callable[[MetaTx], None]
    verify: Callable[[MetaTx], str | None]
    secret: Secret | None = None
    subject_id: str | None = None
    afterwards: tuple[str | Run, ...] = ()
    stops: Stop | None = None

    def __repr__(self) -> str:
        """Name it alone: what its functions hold may be secret."""
        return f"Plan({self.operation!r})"

    @classmethod
    def nothing(
        cls,
        operation: str,
        step: str,
        *,
        facts: PlanFacts,
        record_ids: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
    ) -> Self:
        """Plan nothing, because all is as wanted.

        Args:
            step: What is as wanted, as a sentence.
        """
        return cls(
            operation=operation,
            steps=(step,),
            facts=facts,
            record_ids=record_ids,
            warnings=warnings,
            is_needed=False,
            apply=_do_nothing,
            verify=_do_nothing,
        )


class Planner(Protocol):
    """A command, before it has seen the store."""

    @property
    def operation(self) -> str:
        """The command, as "auth create-operator"."""
        ...

    def plan(self, store: MetaTx) -> Plan:
        """Decide what to do, reading only; raise a `RecoveryError` to refuse."""
        ...


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a change is to be done, apart from what it is.

    Attributes:
        is_dry_run: Stop after showing the plan; nothing at all is written.
        output_path: Leave the store alone and write a new copy of it here.
        is_confirmed: Whether the yes was given beforehand, so that nobody waits for the plan.
        is_whole_file_checked: Whether all of it is checked again before and after the commit, where
            it is small enough; otherwise only the pages that the commit writes. For a session of
            many changes, which checks the whole file in front of the first.
    """

    is_dry_run: bool = False
    output_path: Path | None = None
    reason: str | None = None
    is_confirmed: bool = False
    backups: BackupRule = msgspec.field(default_factory=lambda: BackupEachChange(SystemClock()))
    is_whole_file_checked: bool = True

    @property
    def is_in_place(self) -> bool:
        """Whether the store itself is going to be written."""
        return not self.is_dry_run and self.output_path is None


class WorkFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file that is about to be written, as the ledger is told.

    Attributes:
        txid: Its newest transaction; None for a new store.
        digest: What tells the planned commit from every other one; None when it is not known.
    """

    device: int
    inode: int
    txid: int | None
    digest: str | None


class Work(Protocol):
    """Where a plan is carried out: in the store, in a copy, in a new file, or back in time."""

    @property
    def target_path(self) -> Path:
        """The file that will be written."""
        ...

    @property
    def backup_path(self) -> Path | None:
        """Where the store before the change will be found; None where the store is left alone."""
        ...

    @property
    def is_lasting(self) -> bool:
        """Whether a commit stays, whatever fails later; otherwise all can be taken back."""
        ...

    def prepare(self, resources: ExitStack, undo: ExitStack) -> WorkFile:
        """Make all ready for the commit, so that only writes of the disk can fail in it.

        Args:
            resources: Closed at the end, however it comes.
            undo: Called back, last first, when the change does not come about.

        Raises:
            RecoveryError: It was refused, and nothing was changed.
        """
        ...

    def commit(self) -> None:
        """Write it; a `RecoveryError` says that it failed."""
        ...

    def verify(self) -> str | None:
        """Open what was written as influxd will; return what is not as planned, as a clause."""
        ...

    def publish(self) -> None:
        """Give it its name, where it has none yet."""
        ...

    @property
    def txid(self) -> int:
        """The newest transaction of what was written."""
        ...

    def is_unchanged(self, error: BaseException) -> bool:
        """Tell whether all certainly is as it was, after an error, by looking at it again."""
        ...

    def failed(self, problem: str) -> WriteFailedError:
        """Return the error for a commit that failed, or may have."""
        ...

    def unverified(self, problem: str) -> WriteFailedError:
        """Return the error for a commit after which all is not as planned."""
        ...


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown before the question.

    Attributes:
        store: The store that the plan was made for.
    """

    plan: Plan
    store: StoreFacts
    work: Work
    manner: Manner

    @property
    def target_path(self) -> Path:
        """The file that will be written: the store, or a new one."""
        return self.work.target_path

    @property
    def backup_path(self) -> Path | None:
        """The store before the change; None where the store itself is left alone."""
        return self.work.backup_path


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a change ended; failures are exceptions.

    Attributes:
        is_changed: False for a dry run, and when nothing needed to be done.
        warnings: What went wrong without harm, such as a ledger that could not be closed.
    """

    proposal: Proposal
    is_changed: bool
    txid: int | None = None
    backup_path: Path | None = None
    warnings: tuple[str, ...] = ()
