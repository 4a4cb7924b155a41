"""What a run has changed, and how one change of it is taken back.

Lives here: `JournalEntry`, `Journal`, `TakeBack`. Must not live here: how a change is made
(`recovery.daemon.changes`), and who may take one back.

Invariants: the journal is in memory only, because it holds secrets. A change is taken back by a
change of its own, which can be taken back in turn. It writes what was before only where the store
still has what that change left, and only when nothing that was made or removed since hangs on it.

Source: spec admin-daemon 2.7 ("Undo journal").
"""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

import msgspec

from recovery.errors import NotFoundError, RefusedError
from recovery.metastore.table import KeyChange
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import parse_id
from recovery.services.changes.plan import Plan

CHANGES_MAX: Final = 10_000
SIZE_BYTES_MAX: Final = 64 << 20
CLIENT_LENGTH_MAX: Final = 60
_BROWSER: Final = re.compile(r"(?:Firefox|Edg|OPR|Chrome|Version)/[0-9.]{1,20}")
"""What a browser is, of all that it calls itself; the first in this text is it, or its engine."""


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a change.

    Attributes:
        name: "console key", "authorization ID of USER", "session of USER".
        peer: Who is at the other end of the connection; empty when unknown.
        client: What the client calls itself; empty when it does not.
        why: The reason that was given; empty for none.
    """

    name: str
    why: str = ""
    peer: str = ""
    client: str = ""

    @property
    def reason(self) -> str:
        """All of it, for the ledger."""
        browser = _BROWSER.search(self.client) if self.client.startswith("Mozilla/") else None
        client = browser[0] if browser else self.client[:CLIENT_LENGTH_MAX]
        parts = (self.why, self.name, self.peer, client)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One change that was made, with what is needed to take it back.

    Attributes:
        number: Counts the changes of the run, from 1.
        operation: The command that would have done the same.
        steps: What was written, as sentences; names in them are not escaped.
        warnings: What a person should know, in the same form.
        record_ids: Records that were made, changed or removed.
        moment: When, RFC 3339.
        undoes: The number of the change that it took back; None when it took none back.
        keys: Every key that it touched, with the value before and after. Secret.
    """

    number: int
    operation: str
    steps: tuple[str, ...]
    record_ids: tuple[str, ...]
    author: Author
    moment: str
    intent_id: int
    undoes: int | None
    warnings: tuple[str, ...] = ()
    keys: tuple[KeyChange, ...] = field(repr=False)

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        return sum(one.size_bytes for one in self.keys)

    @property
    def name(self) -> str:
        """It, in a sentence."""
        return f"change {self.number} ({self.operation})"


class Journal:
    """The changes of a run; the oldest go when there is no room for more."""

    def __init__(self) -> None:
        self._entries: deque[JournalEntry] = deque()
        self._size_bytes = 0

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """What it holds, the oldest first."""
        return tuple(self._entries)

    def add(self, entry: JournalEntry) -> None:
        """Write down the newest change."""
        self._entries.append(entry)
        self._size_bytes += entry.size_bytes
        while len(self._entries) > CHANGES_MAX or self._size_bytes > SIZE_BYTES_MAX:
            self._size_bytes -= self._entries.popleft().size_bytes

    @property
    def undone(self) -> dict[int, int]:
        """The changes that were taken back, each with the change that did it and is in force."""
        found: dict[int, int] = {}
        for entry in reversed(self._entries):
            if entry.undoes is not None and entry.number not in found:
                found[entry.undoes] = entry.number
        return found

    def take_back(self, number: int) -> "TakeBack":
        """Get ready to take a change back.

        Raises:
            NotFoundError: The run made no such change, or it is not held any more.
            RefusedError: It has been taken back.
        """
        found = next((one for one in self._entries if one.number == number), None)
        if found is None:
            raise NotFoundError(
                kind="change",
                name=str(number),
                existing=[str(one.number) for one in self._entries],
                hint="choose one of those, or end serve and take the whole session back",
            )
        by = self.undone.get(number)
        if by is not None:
            raise RefusedError(
                reason=f"{found.name} was taken back by change {by}",
                hint=f"take change {by} back to have it again",
            )
        return TakeBack(entry=found, later=[one for one in self._entries if one.number > number])


class TakeBack(msgspec.Struct, frozen=True, kw_only=True):
    """One change of this run, taken back.

    Attributes:
        later: All that were made after it.
    """

    operation: ClassVar[str] = "undo"

    entry: JournalEntry
    later: Sequence[JournalEntry]

    def plan(self, store: MetaTx) -> Plan:
        """Plan to write what was there before it.

        Raises:
            RefusedError: A later change touched the same, or hangs on it; the error says which.
        """
        for one in self.entry.keys:
            if store.table(one.table).stored(one.key) != one.after:
                raise self._refused(self._toucher(one), "touched the same records later")
        self._require_independent()
        return Plan(
            operation=self.operation,
            steps=tuple(f"take back: {step}" for step in self.entry.steps),
            facts={"undone": self.entry.number},
            record_ids=self.entry.record_ids,
            apply=self._apply,
            verify=self._is_different,
        )

    def _apply(self, tx: MetaTx) -> None:
        for one in self.entry.keys:
            table = tx.table(one.table)
            if one.before is None:
                table.delete(one.key)
            else:
                table.put(one.key, one.before)

    def _is_different(self, tx: MetaTx) -> str | None:
        for one in self.entry.keys:
            if tx.table(one.table).stored(one.key) != one.before:
                return f"the bucket {one.table} is not as it was before"
        return None

    def _toucher(self, key: KeyChange) -> JournalEntry | None:
        """Find the last change that touched a key."""
        place = (key.table, key.key)
        touching = (one for one in self.later if place in {(k.table, k.key) for k in one.keys})
        return max(touching, key=lambda one: one.number, default=None)

    def _require_independent(self) -> None:
        """Refuse to take away what later records name, and to bring back what names gone ones.

        Raises:
            RefusedError: With the change that is in the way.
        """
        going = [k.key for k in self.entry.keys if k.before is None and _is_record(k.key, k.after)]
        own = {(k.table, k.key) for k in self.entry.keys}  # these are as it left them
        latest = {(k.table, k.key): (one, k) for one in self.later for k in one.keys}
        for one, k in (found for place, found in latest.items() if place not in own):
            if any(_names(k.key, k.after, record_id) for record_id in going):
                raise self._refused(one, "made something that needs it")
            if k.after is None and _is_record(k.key, k.before) and self._needs(k.key):
                raise self._refused(one, "removed something that it needs")

    def _needs(self, record_id: bytes) -> bool:
        """Tell whether what it brings back names a record that what it takes away does not."""
        return any(
            _names(k.key, k.before, record_id) and not _names(k.key, k.after, record_id)
            for k in self.entry.keys
        )

    def _refused(self, by: JournalEntry | None, problem: str) -> RefusedError:
        if by is None:
            return RefusedError(
                reason=f"{self.entry.name} is not in the store as it was made",
                hint="end serve, and look at the store with store check",
            )
        return RefusedError(
            reason=f"{self.entry.name} cannot be taken back, because {by.name} {problem}",
            hint=f"take change {by.number} back first",
        )


def _is_record(key: bytes, value: bytes | None) -> bool:
    """Tell a record by its ID, which is its key, from what else is kept under that ID."""
    return value is not None and parse_id(key) is not None and b'"id":"%b"' % key in value


def _names(key: bytes, value: bytes | None, record_id: bytes) -> bool:
    """Tell whether an entry that is there names a record."""
    return value is not None and (record_id in key or record_id in value)
