"""The commands on the ledger.

Lives here: `ledger list` and `ledger show`. Must not live here: what a row means
(`recovery.services.ledger`).

Invariants: nothing is made, also no ledger.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recovery.cli.context import Context
from recovery.cli.documents import Document, shaped
from recovery.cli.listing import require_not_negative
from recovery.cli.options import Command, Options, add_hide_headers
from recovery.cli.recording import open_ledger
from recovery.cli.store import absolute
from recovery.cli.table import Column
from recovery.cli.usage import UsageError, required
from recovery.cli.words import Parser, shown
from recovery.errors import ExitCode
from recovery.model.display import displayed, moment_text, plural
from recovery.services.ledger import (
    LedgerOperation,
    Operation,
    find_operation,
    operations_of,
    read_operations,
)

COLUMNS = (
    Column("No."),
    Column("Time"),
    Column("Operation", 12),
    Column("Outcome"),
    Column("By", 8),
    Column("Store", 12),
    Column("Reason", 12),
)


class LedgerDocument(Document, frozen=True, kw_only=True):
    """What --json prints of a list."""

    ledger_path: Path
    operations: tuple[LedgerOperation, ...]


class OperationDocument(Document, frozen=True, kw_only=True):
    """What --json prints of one operation."""

    operation: LedgerOperation


class _List(Options, frozen=True):
    hide_headers: bool
    limit: int


def _add_list(command: Parser) -> None:
    command.add_argument(
        "--limit",
        type=int,
        default=0,
        metavar="N",
        help="show so many at the most, the newest; 0 for all (default: 0)",
    )
    add_hide_headers(command)


def _list(options: _List, context: Context) -> ExitCode:
    require_not_negative("--limit", options.limit)
    output = context.output
    store_path = None if options.bolt_path is None else Path(options.bolt_path)
    ledger = open_ledger(options, context, store_path, is_reading=True)
    operations = read_operations(ledger)
    if options.bolt_path is not None:
        operations = _of_store(operations, Path(options.bolt_path))
    operations = operations[-options.limit :]
    path = ledger.path
    if options.json:
        document = LedgerDocument(
            ledger_path=absolute(path),
            operations=tuple(shaped(one, LedgerOperation) for one in operations),
        )
        output.document(document)
        return ExitCode.DONE
    output.aside(f"Ledger: {displayed(str(path))}")
    output.aside()
    output.table(COLUMNS, map(_cells, operations), has_headings=not options.hide_headers)
    output.aside()
    if operations or path.exists():
        output.aside(f"{plural(len(operations), 'operation')}.")
    else:
        output.aside("There is no ledger at that place yet. The first change to a store makes it.")
    return ExitCode.DONE


LIST: Final = Command(
    description="List what was done, the newest last: all of it, or with --bolt-path only what was "
    "done to that store. The ledger is opened for reading only; a ledger that does not exist is "
    "not made.",
    example="ledger list",
    options=_List,
    run=_list,
    add_options=_add_list,
    document=LedgerDocument,
)


class _Show(Options, frozen=True):
    number: str | None


def _add_show(command: Parser) -> None:
    command.add_argument(
        "number", metavar="NUMBER", nargs="?", help="its number in ledger list (required)"
    )


def _show(options: _Show, context: Context) -> ExitCode:
    typed = required(options.number, "NUMBER", "ledger show")
    store_path = None if options.bolt_path is None else Path(options.bolt_path)
    ledger = open_ledger(options, context, store_path, is_reading=True)
    if not (typed.isascii() and typed.isdigit() and len(typed) <= len(str(1 << 63))):
        raise UsageError(
            problem=f"{shown(typed, is_stray=True)} is no number of an operation",
            hint="type influx-recovery ledger list",
        )
    operation = find_operation(ledger, int(typed))
    if options.json:
        document = OperationDocument(operation=shaped(operation, LedgerOperation))
        context.output.document(document)
    else:
        for line in _lines(operation):
            context.output.line(line)
    return ExitCode.DONE


SHOW: Final = Command(
    description="Show one operation: who did it with what, to which file, which records were "
    "concerned, where the backup is, and how it ended.",
    example="ledger show 1",
    options=_Show,
    run=_show,
    add_options=_add_show,
    document=OperationDocument,
)


def _of_store(operations: tuple[Operation, ...], path: Path) -> tuple[Operation, ...]:
    """Pick those of one store, which need not exist any more."""
    try:
        status = path.stat()
        device, inode = status.st_dev, status.st_ino
    except (OSError, ValueError):
        device, inode = -1, -1
    return operations_of(operations, Path(os.path.realpath(path)), device=device, inode=inode)


def _by(operation: Operation) -> str:
    actor = operation.actor
    user = f"uid {actor.uid}" if actor.sudo_user is None else actor.sudo_user
    return displayed(f"{user} on {actor.host}")


def _cells(operation: Operation) -> tuple[str, ...]:
    return (
        str(operation.number),
        moment_text(operation.started_at),
        displayed(operation.operation),
        displayed(operation.outcome),
        _by(operation),
        displayed(operation.store_path),
        displayed(operation.reason or ""),
    )


def _lines(operation: Operation) -> Iterator[str]:
    actor = operation.actor
    ended = operation.ended_at
    yield f"Operation     {operation.number}: {displayed(operation.operation)}"
    yield f"Outcome       {displayed(operation.outcome)}"
    yield f"Started       {moment_text(operation.started_at)}"
    yield f"Ended         {'never recorded' if ended is None else moment_text(ended)}"
    yield f"By            {_by(operation)} (uid {actor.uid})"
    yield f"Tool          influx-recovery {displayed(actor.tool_version)}"
    yield f"Reason        {displayed(operation.reason or 'none given')}"
    yield f"Store         {displayed(operation.store_path)}"
    yield f"File          device {operation.device}, inode {operation.inode}"
    before, after = _number(operation.txid_before), _number(operation.txid_after)
    yield f"Transaction   {before} before, {after} after"
    yield f"Backup        {displayed(operation.backup_path or 'none')}"
    yield f"Records       {', '.join(map(displayed, operation.record_ids)) or 'none'}"


def _number(txid: int | None) -> str:
    return "unknown" if txid is None else str(txid)
