"""What the ledger tells about the past, as operations instead of rows.

Lives here: `Operation`, and finding the operations of one store. Must not live here: the rows and
their file (`recovery.ledger`).

Invariants: only reads; a ledger that does not exist has no operations and is not made.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from msgspec.structs import replace

from recovery.errors import NotFoundError
from recovery.ledger_rows import Done, Entry
from recovery.remedy import Run

UNFINISHED: Final = "unfinished"
"""Outcome of an operation that has an intent and no end: it was cut off, or is going on."""
UNRECORDED: Final = 0
"""Number of an operation of which only its backup is known."""
NUMBERS_SHOWN_MAX: Final = 10


class Entries(Protocol):
    """A ledger, as far as it is read."""

    def entries(self) -> tuple[Entry, ...]:
        """Read all rows, oldest first."""
        ...


class LedgerOperation(Done, frozen=True, kw_only=True):
    """One operation, from its first row to its last.

    Attributes:
        ended_at: When the last one was; None when there is only one.
        outcome: "done", "unchanged", "unknown", "undelivered", "shown" or "unfinished".
    """

    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str


class Operation(LedgerOperation, frozen=True, kw_only=True):
    """An operation with what proves it, which is for no eyes.

    Attributes:
        digest: What tells its commit from every other one; None when that was not recorded.
    """

    digest: str | None

    def is_of(self, path: Path, *, device: int, inode: int) -> bool:
        """Tell whether it was done to a store, by its place or by its file.

        Device numbers may change when a machine starts, and a path when a disk is mounted
        elsewhere, so one of the two is enough.

        Args:
            path: The store, behind symbolic links.
        """
        is_file = (self.device, self.inode) == (device, inode)
        return is_file or self.store_path == str(path.absolute())


def read_operations(ledger: Entries) -> tuple[Operation, ...]:
    """Read the operations of a ledger, oldest first."""
    return _operations(ledger.entries())


def _operations(entries: Iterable[Entry]) -> tuple[Operation, ...]:
    operations: dict[int, Operation] = {}
    for entry in entries:
        first = operations.get(entry.intent_id)
        if first is None:
            operations[entry.intent_id] = _begun(entry)
        else:
            operations[entry.intent_id] = replace(
                first,
                ended_at=entry.time,
                outcome=entry.outcome,
                txid_after=entry.txid_after,
            )
    return tuple(operations.values())


def find_operation(ledger: Entries, number: int) -> Operation:
    """Find one operation by the number of any of its rows, or raise `NotFoundError`."""
    entries = ledger.entries()
    operations = _operations(entries)
    first = {entry.entry_id: entry.intent_id for entry in entries}.get(number)
    for operation in operations:
        if operation.number == first:
            return operation
    raise NotFoundError(
        kind="operation",
        name=str(number),
        existing=_numbers(operations),
        hint=Run("ledger list", "to see all of them"),
    )


def operations_of(
    operations: Iterable[Operation], path: Path, *, device: int, inode: int
) -> tuple[Operation, ...]:
    """Pick the operations that were done to one store, by its real path or its file."""
    return tuple(one for one in operations if one.is_of(path, device=device, inode=inode))


def _begun(entry: Entry) -> Operation:
    return Operation(
        **{name: getattr(entry, name) for name in Done.__struct_fields__},
        number=entry.intent_id,
        started_at=entry.time,
        ended_at=None,
        outcome=UNFINISHED if entry.outcome == "pending" else entry.outcome,
        digest=entry.digest,
    )


def _numbers(operations: Sequence[Operation]) -> list[str]:
    """Name the newest, of which one was probably meant."""
    return [str(one.number) for one in operations[-NUMBERS_SHOWN_MAX:]]
