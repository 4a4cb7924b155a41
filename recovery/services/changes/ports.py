"""What a change needs from outside of it.

Lives here: `Ports`, and the protocols of whoever is asked, told and handed the token. Must not live
here: their implementations.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

import msgspec

from recovery.secret import Secret
from recovery.services.changes.plan import Proposal


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

    def open(self, secret: Secret) -> Sequence[str]:
        """Make sure that the token can be delivered; a file has it from here on.

        Called after the confirmation and before the first write; a `RecoveryError` stops the change
        and leaves the store unchanged.

        Returns:
            What is not as it should be, without keeping the token from being delivered.
        """
        ...

    def deliver(self, secret: Secret, *, record_id: str) -> Sequence[str]:
        """Hand the token over, after the commit, also where nobody knows whether it is in force.

        Returns:
            What went wrong without harm.

        Raises:
            DeliveryError: It cannot be handed over.
        """
        ...

    def discard(self) -> None:
        """Undo `open`: the change did not happen. Must not raise."""
        ...


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger is told before the commit. No secrets.

    Attributes:
        record_ids: Records that will be made, changed or removed.
        backup_path: The verified backup; None where the store itself is left alone.
        digest: What tells the planned commit from every other one; None when it is not known.
    """

    operation: str
    store_path: Path
    device: int
    inode: int
    record_ids: tuple[str, ...]
    backup_path: Path | None
    reason: str | None
    digest: str | None = None


class Recorder(Protocol):
    """The ledger, as a change needs it."""

    def prepare(self, intent: Intent) -> None:
        """Make sure that an intent could be recorded; a `RecoveryError` stops the change.

        Called in front of the question, and for a dry run not at all.
        """
        ...

    def intend(self, intent: Intent, *, txid_before: int | None = None) -> int:
        """Record durably what is about to be done; a `RecoveryError` stops the change."""
        ...

    def conclude(self, intent_id: int, outcome: str, *, txid_after: int | None = None) -> None:
        """Record how it ended: "done", "unchanged", "unknown" or "undelivered"."""
        ...


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """What a change needs from outside.

    Attributes:
        destination: Where a new token goes; may be None for changes without one.
        waiting: A context in which a person sees what takes its time.
        shield: A context in which Ctrl-C waits; held from just before the commit to the end of the
            delivery, so that a token in force is never lost by it.
    """

    audience: Audience
    recorder: Recorder
    destination: TokenDestination | None = None
    waiting: Callable[[str], AbstractContextManager[object]] = nullcontext
    shield: Callable[[], AbstractContextManager[None]] = nullcontext
