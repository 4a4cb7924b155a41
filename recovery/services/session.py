"""One open, locked store, for as long as somebody works with it.

Lives here: `Session`. Must not live here: what is read and changed in it, and which store it is.

Invariants: the lock is held from `open` to `close`. What is looked at is always the newest state: a
view and its facts are of this moment, a proposal is carried out only on the state that it was made
for, and after a write whose outcome is not known the file is read again under the same lock. A
session belongs to one thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from recovery.errors import RecoveryError, RefusedError
from recovery.metastore.packed import is_packed, open_readable
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.services.store_facts import StoreFacts

if TYPE_CHECKING:
    from recovery.services.changes.plan import Manner, Outcome, Planner, Proposal
    from recovery.services.changes.ports import Ports


class View(msgspec.Struct, frozen=True):
    """One state of a store."""

    facts: StoreFacts
    tx: MetaTx


class Session:
    """One open store. Close it, or use it as a context manager.

    Attributes:
        store: The store, for those who look at the file itself.
    """

    def __init__(self, store: MetaStore) -> None:
        """Take over an open store; `open` is the usual way."""
        self.store: Final = store

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        write: bool = False,
        timeout_s: float = 1.0,
        needs_schema: bool = True,
        reads_packed: bool = True,
        is_live: bool = False,
    ) -> Self:
        """Open and lock a store.

        Args:
            path: The store; for reading also a packed copy of one.
            write: Lock it exclusively and allow changes; otherwise lock it shared.
            timeout_s: How long to try for the lock, in seconds.
            needs_schema: Whether to refuse a store whose migrations are not as they should be.
            reads_packed: Whether a packed copy is taken too; a plan for one could not be done.
            is_live: Take no lock, and read a proven snapshot of a store that a server may hold. A
                packed copy, which no server holds, is read as it is.

        Raises:
            RecoveryError: It cannot be opened; the error says what it is instead.
        """
        if write or not reads_packed:
            return cls(
                MetaStore.open(path, write=write, timeout_s=timeout_s, needs_schema=needs_schema)
            )
        if is_live and not is_packed(path):
            from recovery.metastore.live import open_live  # noqa: PLC0415 # rare

            return cls(open_live(path, needs_schema=needs_schema))
        return cls(open_readable(path, timeout_s=timeout_s, needs_schema=needs_schema))

    def beside(self) -> "Session":
        """Open the same store once more, for another thread that only reads. Raises as `open`.

        What it reads is proven only if no change was made here until all has been read.
        """
        return Session(self.store.beside())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the store and its lock. Closing twice is allowed."""
        self.store.close()

    def facts(self) -> StoreFacts:
        """Describe the store as it is now."""
        return StoreFacts.of(self.store)

    @contextmanager
    def view(self) -> Iterator[View]:
        """Read the newest state. A change that is carried out in the block does not show in it."""
        with self.store.view() as tx:
            yield View(self.facts(), tx)

    def propose(self, planner: "Planner", manner: "Manner") -> "Proposal":
        """Plan a change, for `carry_out`. Nothing is written."""
        from recovery.services.changes import sequence  # noqa: PLC0415 # readers need none of it

        return sequence.propose(self.store, planner, manner)

    def make_ready(self, proposal: "Proposal", ports: "Ports") -> None:
        """See that a change could be recorded, else `LedgerError`, before anybody is asked."""
        from recovery.services.changes import sequence  # noqa: PLC0415 # as above

        sequence.make_ready(proposal, ports)

    def carry_out(self, proposal: "Proposal", ports: "Ports") -> "Outcome":
        """Show a proposal, ask, and do it; `RefusedError` when another change was made since."""
        from recovery.services.changes import sequence  # noqa: PLC0415 # as above

        if proposal.store.txid != self.store.txid:
            raise RefusedError(
                reason="the store was changed after this plan was made",
                hint="make the plan again",
            )
        try:
            return sequence.carry_out(proposal, ports)
        except BaseException:
            with suppress(RecoveryError):  # the error on its way says more
                self.store.reread()
            raise
