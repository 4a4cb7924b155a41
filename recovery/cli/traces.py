"""Where deleted records are looked for.

Lives here: the options and steps that `auth undelete` and `user undelete` have in common. Must not
live here: the search itself (`recovery.services.undeletion.traces`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recovery.cli.context import Context
from recovery.cli.listing import moment_text
from recovery.cli.options import Change, add_change, add_ensure
from recovery.cli.recording import open_ledger
from recovery.cli.store import absolute
from recovery.cli.words import Parser
from recovery.discovery.search import FoundStore
from recovery.model.display import displayed
from recovery.services.ledger import Operation, operations_of, read_operations
from recovery.services.session import Session
from recovery.services.stores.backups import copies_of
from recovery.services.undeletion.traces import CopyFile, Origin, Traces, gather

DELETING: Final = frozenset({"auth delete", "auth rotate", "user delete"})


class Undeletion(Change, frozen=True):
    """The options of a command that brings back what was deleted."""

    source: tuple[str, ...]
    live: bool
    ensure: bool


def add_undeletion(command: Parser, *, wanted: str) -> None:
    """Add the options of `Undeletion`.

    Args:
        command: The command.
        wanted: What may be there already, as a clause.
    """
    command.add_argument(
        "--from",
        dest="source",
        action="append",
        default=[],
        metavar="FILE",
        help="look into this copy of the store alone, also a packed one, and at its freed pages; "
        "may be repeated (default: the older snapshot and the freed pages of the store, and all "
        "copies beside it or in the ledger)",
    )
    command.add_argument(
        "--live",
        action="store_true",
        help="list from a private, proven snapshot while influxd is running; needs room for a copy "
        "in TMPDIR (default: lock the store, which influxd must not hold)",
    )
    add_ensure(command, wanted=wanted)
    add_change(command)


def find_traces(
    session: Session, options: Undeletion, context: Context
) -> tuple[Traces, dict[str, str]]:
    """Look for what was deleted, and say which places could not be looked at.

    Args:
        session: The store, open.
        options: The options of the command.
        context: The world around the command.

    Returns:
        What was found, and which operation of the ledger deleted what, by ID.

    Raises:
        RecoveryError: The store, or a copy that was named, cannot be read.
    """
    facts = session.facts()
    history = operations_of(
        read_operations(open_ledger(options, context, facts.real_path, is_reading=True)),
        facts.real_path,
        device=facts.device,
        inode=facts.inode,
    )
    named = [
        CopyFile(path=absolute(Path(one)), made_at=None, is_named=True) for one in options.source
    ]
    copies = named or list(_known_copies(facts.real_path, history))
    traces = gather(session.store, copies, has_own=not named)
    for problem in traces.problems:
        context.output.message(f"warning: a copy was not looked at: {problem}")
    return traces, _deletions(history)


def _known_copies(real_path: Path, history: tuple[Operation, ...]) -> Iterator[CopyFile]:
    """List the copies beside the store and those of the ledger, the newest first."""
    made_at = {one.path: one.made_at for one in copies_of(real_path, ())}
    for operation in history:
        if operation.backup_path is not None and Path(operation.backup_path).is_file():
            made_at.setdefault(Path(operation.backup_path), operation.started_at)
    for path in sorted(made_at, key=lambda one: (made_at[one], one), reverse=True):
        yield CopyFile(path=path, made_at=made_at[path], is_named=False)


def _deletions(history: tuple[Operation, ...]) -> dict[str, str]:
    """Say which operation deleted what; the last one of each record counts."""
    return {
        record_id: f"{one.operation} of {moment_text(one.started_at)}"
        for one in history
        if one.operation in DELETING and one.outcome in {"done", "unknown", "undelivered"}
        for record_id in one.record_ids
    }


def origin_text(origin: Origin, found: FoundStore) -> str:
    """Say where a record was found, for a table.

    Args:
        origin: Where.
        found: The store, beside which a copy needs no folder.

    Returns:
        It, escaped.
    """
    if origin.path is None:
        return origin.place.value
    path = origin.path
    name = path.name if path.parent == found.path.resolve().parent else str(path)
    return displayed(name)
