"""The one sequence by which anything in a store is changed.

Lives here: `run_change`, the `Plan` that it runs, and what it needs from outside (`Audience`,
`TokenDestination`, `Recorder`). Must not live here: what a particular command writes; that is a
`Planner` in a module of its own.

Invariants: the steps happen in this order and in no other: lock, check, plan, show the plan,
confirm, open the token's destination, verified backup, intent in the ledger, commit, re-open and
verify, done in the ledger, deliver. Up to the commit every failure leaves the store unchanged and
no new file behind. The lock is held from before the first read until after the verification.

Source: spec influxdb-metadata section 14 ("Common"), bbolt-format section 2.11.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from recovery.metastore.store import MetaReader, MetaWriter
    from recovery.ports import Clock
    from recovery.secret import Secret
    from recovery.services.store_facts import StoreFacts

Json: TypeAlias = "None | bool | int | str | Sequence[Json] | Mapping[str, Json]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a command is going to do, decided and not done yet.

    Attributes:
        operation: The command, as "auth create-operator"; goes into ledger and backup name.
        steps: What will be written, as sentences for a person; names in them are not escaped yet.
        facts: The same for a program. No secrets.
        record_ids: Records that it makes, changes or removes, 16 hex digits each.
        warnings: What a person should know before saying yes, as sentences.
        is_needed: False when the store already is as wanted: then nothing is done.
        apply: Writes it, in the one transaction.
        verify: Looks whether a re-opened store is as planned; raises `VerificationError` if not.
        secret: The token to hand over once it is in force.
        subject_id: The record whose secret that is, to be named if it cannot be delivered.
    """

    operation: str
    steps: tuple[str, ...]
    facts: Mapping[str, Json]
    record_ids: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    is_needed: bool = True
    apply: "Callable[[MetaWriter], None]" = field(repr=False)
    verify: "Callable[[MetaReader], None]" = field(repr=False)
    secret: "Secret | None" = field(default=None, repr=False)
    subject_id: str | None = None


class Planner(Protocol):
    """A command, before it has seen the store."""

    @property
    def operation(self) -> str:
        """The command, as "auth create-operator"."""
        ...

    @property
    def has_secret(self) -> bool:
        """Whether its plan will have a token to deliver."""
        ...

    def plan(self, store: "MetaReader") -> Plan:
        """Decide what to do, reading only; raise a `RecoveryError` to refuse."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """All that is shown before the question.

    Attributes:
        plan: What will be written.
        store: The store that the plan was made for.
        target_path: The file that will be written: the store, or the new copy of `--output`.
        backup_path: Where the copy of the store before the change will be; None with `--output`,
            where the store itself is left alone.
    """

    plan: Plan
    store: "StoreFacts"
    target_path: Path
    backup_path: Path | None


class Audience(Protocol):
    """Whoever is shown the plan and is asked."""

    def show_plan(self, proposal: Proposal) -> None:
        """Show it. Called exactly once, also for a dry run and when nothing needs to be done."""
        ...

    def confirm(self, proposal: Proposal) -> bool:
        """Return whether to go on. Not called for a dry run or when nothing needs to be done."""
        ...


class TokenDestination(Protocol):
    """The one place that a new token goes to."""

    def open(self) -> None:
        """Make sure that the token can be delivered.

        Called after the confirmation and before the first write; a `RecoveryError` stops the change
        and leaves the store unchanged.
        """
        ...

    def deliver(self, secret: "Secret", *, record_id: str) -> None:
        """Hand the token over, after the commit; raise `DeliveryError` when that fails."""
        ...

    def discard(self) -> None:
        """Undo `open`: the change did not happen. Must not raise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the ledger is told before the commit. No secrets.

    Attributes:
        operation: The command.
        store_path: The file that will be written.
        device: Its device.
        inode: Its inode.
        record_ids: Records that will be made, changed or removed.
        backup_path: The verified backup; None with `--output`.
        reason: Why, in the operator's words.
    """

    operation: str
    store_path: Path
    device: int
    inode: int
    record_ids: tuple[str, ...]
    backup_path: Path | None
    reason: str | None


class Recorder(Protocol):
    """The ledger, as a change needs it."""

    def intend(self, intent: Intent) -> int:
        """Record durably what is about to be done; a `RecoveryError` stops the change."""
        ...

    def conclude(self, intent_id: int, outcome: str) -> None:
        """Record how it ended: "done", "unchanged", "unknown", "undelivered"."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a change is to be done, apart from what it is.

    Attributes:
        is_dry_run: Stop after showing the plan; nothing at all is written.
        output_path: Leave the store alone and write a new copy of it here.
        reason: Why, for the ledger.
        lock_timeout_s: How long to try for the lock, in seconds.
    """

    is_dry_run: bool = False
    output_path: Path | None = None
    reason: str | None = None
    lock_timeout_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a change needs from outside.

    Attributes:
        audience: Who sees the plan and says yes.
        recorder: The ledger.
        clock: The time, for the name of the backup.
        destination: Where a new token goes; may be None for changes without one.
        shield: A context in which Ctrl-C waits; held from just before the commit to the end of the
            delivery, so that a token in force is never lost by it.
    """

    audience: Audience
    recorder: Recorder
    clock: "Clock"
    destination: TokenDestination | None = None
    shield: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a change ended; failures are exceptions.

    Attributes:
        proposal: What was shown.
        is_changed: False for a dry run, and when nothing needed to be done.
        txid: Transaction of the commit, None when there was none.
        backup_path: The verified backup; None when there is none.
        warnings: What went wrong without harm, such as a ledger that could not be closed.
    """

    proposal: Proposal
    is_changed: bool
    txid: int | None
    backup_path: Path | None
    warnings: tuple[str, ...] = ()


def run_change(store_path: Path, planner: Planner, *, manner: Manner, ports: Ports) -> Outcome:
    """Do a change, or its dry run, from the lock to the delivery.

    Args:
        store_path: The store.
        planner: The command.
        manner: How to do it.
        ports: What it needs from outside.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    raise NotImplementedError
