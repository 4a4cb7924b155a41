"""Rows of the ledger, as they are read.

Lives here: `Entry`, `Actor`, reading a row, and `IntentFacts`, of which a first row is made. Must
not live here: the file and what is written into it (`recovery.ledger`).

Invariants: a row is either read whole or not at all, whatever another program has put there.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    import sqlite3

Phase: TypeAlias = Literal["intent", "done", "failed", "note"]

_Decimal: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,20}\Z")]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does it, and with what.

    Attributes:
        uid: Real user ID of the process.
        sudo_user: Who used sudo, if anybody.
    """

    host: str
    uid: int
    sudo_user: str | None
    tool_version: str

    @classmethod
    def here(cls, environment: Mapping[str, str], *, tool_version: str) -> "Actor":
        """Describe this process; of its environment only SUDO_USER is looked at."""
        return cls(
            host=os.uname().nodename,
            uid=os.getuid(),
            sudo_user=environment.get("SUDO_USER") or None,
            tool_version=tool_version,
        )


class IntentFacts(Protocol):
    """What is told before a change."""

    @property
    def operation(self) -> str:
        """The command, as "auth create-operator"."""
        ...

    @property
    def store_path(self) -> Path:
        """The store."""
        ...

    @property
    def device(self) -> int:
        """Its device."""
        ...

    @property
    def inode(self) -> int:
        """Its inode."""
        ...

    @property
    def record_ids(self) -> tuple[str, ...]:
        """Records concerned, 16 hex digits each."""
        ...

    @property
    def backup_path(self) -> Path | None:
        """The backup, if there is one."""
        ...

    @property
    def reason(self) -> str | None:
        """Why, in the operator's words."""
        ...

    @property
    def digest(self) -> str | None:
        """What tells the commit from every other one; None when it is not known."""
        ...


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, to which store, by whom.

    Attributes:
        reason: Why, or None.
        backup_path: The backup, or None.
        txid_before: Newest transaction of the store before the change, if known.
    """

    operation: str
    actor: Actor
    store_path: str
    device: int
    inode: int
    record_ids: tuple[str, ...]
    reason: str | None
    backup_path: str | None
    txid_before: int | None
    txid_after: int | None


class Entry(Done, frozen=True, kw_only=True):
    """One row.

    Attributes:
        entry_id: Its number, rising with time.
        intent_id: The first row of its operation; its own number if it is that row.
        phase: "intent" before the commit, "done" or "failed" after it, "note" for what changed
            nothing and is recorded all the same.
        outcome: "pending", "done", "unchanged", "unknown", "undelivered" or "shown".
        digest: What tells its commit from every other one; None when that was not recorded.
    """

    entry_id: int
    intent_id: int
    time: datetime
    phase: str
    outcome: str
    digest: str | None


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A row as this tool writes it; the columns say what the fields are."""

    id: int
    intent_id: int | None
    time: str
    phase: Phase
    outcome: Literal["pending", "done", "unchanged", "unknown", "undelivered", "shown"]
    operation: str
    host: str
    uid: int
    sudo_user: str | None
    tool_version: str
    store_path: str
    device: _Decimal
    inode: _Decimal
    record_ids: tuple[str, ...]
    reason: str | None
    backup_path: str | None
    txid_before: _Decimal | None
    txid_after: _Decimal | None
    digest: str | None = None


_PATHS: Final = ("store_path", "backup_path")
COLUMNS: Final = frozenset(_Stored.__struct_fields__) - {"digest"}
"""What a ledger has; that of the first version has no digest."""


def entry_of(row: "sqlite3.Row") -> Entry | None:
    """Read a row of the table of the ledger; None when it makes no sense."""
    values: dict[str, object] = {name: row[name] for name in row.keys()}  # noqa: SIM118 # a row of sqlite3 iterates over values
    try:
        values["record_ids"] = json.loads(row["record_ids"])
        for name in _PATHS:
            values[name] = _path(values[name])
        stored = msgspec.convert(values, _Stored)
        paths = (stored.store_path, stored.backup_path or "")
        time = datetime.fromisoformat(stored.time)
        if time.tzinfo is None or any("\0" in path for path in paths):
            return None
        return Entry(
            entry_id=stored.id,
            intent_id=stored.id if stored.intent_id is None else stored.intent_id,
            time=time.astimezone(UTC),
            phase=stored.phase,
            outcome=stored.outcome,
            operation=stored.operation,
            actor=Actor(
                host=stored.host,
                uid=stored.uid,
                sudo_user=stored.sudo_user,
                tool_version=stored.tool_version,
            ),
            store_path=stored.store_path,
            device=int(stored.device),
            inode=int(stored.inode),
            record_ids=stored.record_ids,
            reason=stored.reason,
            backup_path=stored.backup_path,
            txid_before=None if stored.txid_before is None else int(stored.txid_before),
            txid_after=None if stored.txid_after is None else int(stored.txid_after),
            digest=stored.digest,
        )
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def is_undecodable(text: str) -> bool:
    """Say whether a path has bytes that are no text, which SQLite must be given as bytes."""
    return not text.isascii() and any("\udc80" <= one <= "\udcff" for one in text)


def _path(stored: object) -> object:
    """Give bytes as a path; whatever else was stored as it is."""
    if not isinstance(stored, bytes):
        return stored
    text = os.fsdecode(stored)
    return text if is_undecodable(text) else stored
