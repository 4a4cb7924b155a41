"""The commands on the ledger.

Lives here: `ledger list` and `ledger show`. Must not live here: what a row means
(`recovery.services.stores.history`).

Invariants: nothing is made, also no ledger.
"""

import argparse
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from recovery.cli.context import Context
from recovery.cli.listing import plural
from recovery.cli.recording import ledger_path, open_ledger
from recovery.cli.table import Column
from recovery.cli.usage import UsageError, required
from recovery.cli.words import shown
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.services.stores.history import (
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


def run_list(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """List what was done.

    Args:
        arguments: The options of `ledger list`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    output = context.output
    operations = read_operations(open_ledger(arguments, context))
    if arguments.bolt_path is not None:
        operations = _of_store(operations, Path(arguments.bolt_path))
    path = ledger_path(arguments, context)
    if arguments.json:
        documents = [operation_document(one) for one in operations]
        output.document({"ledger": str(path), "operations": documents})
        return ExitCode.DONE
    output.prose(f"Ledger: {displayed(str(path))}")
    output.line()
    output.table(COLUMNS, map(_cells, operations))
    output.line()
    output.prose(f"{plural(len(operations), 'operation')}.")
    return ExitCode.DONE


def run_show(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Show one operation.

    Args:
        arguments: The options of `ledger show`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: The number is none.
        RecoveryError: There is no such operation, or the ledger cannot be read.
    """
    typed = required(arguments.number, "NUMBER", "ledger show")
    if not (typed.isascii() and typed.isdigit() and len(typed) <= len(str(1 << 63))):
        raise UsageError(
            problem=f"{shown(typed)} is no number of an operation",
            hint="type influx-recovery ledger list",
        )
    operation = find_operation(open_ledger(arguments, context), int(typed))
    if arguments.json:
        context.output.document({"operation": operation_document(operation)})
    else:
        for line in _lines(operation):
            context.output.line(line)
    return ExitCode.DONE


def operation_document(operation: Operation) -> dict[str, object]:
    """Describe an operation for a program.

    Args:
        operation: The operation.

    Returns:
        An object of a JSON document.
    """
    return {
        "number": operation.number,
        "operation": operation.operation,
        "started_at": moment_text(operation.started_at),
        "ended_at": None if operation.ended_at is None else moment_text(operation.ended_at),
        "outcome": operation.outcome,
        "host": operation.actor.host,
        "uid": operation.actor.uid,
        "sudo_user": operation.actor.sudo_user,
        "tool_version": operation.actor.tool_version,
        "store_path": operation.store_path,
        "device": operation.device,
        "inode": operation.inode,
        "record_ids": list(operation.record_ids),
        "reason": operation.reason,
        "backup_path": operation.backup_path,
        "txid_before": operation.txid_before,
        "txid_after": operation.txid_after,
    }


def moment_text(moment: datetime) -> str:
    """Write a time as RFC 3339, to the second.

    Args:
        moment: The time, in UTC.

    Returns:
        It.
    """
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _of_store(operations: tuple[Operation, ...], path: Path) -> tuple[Operation, ...]:
    """Pick those of one store, which need not exist any more."""
    try:
        status = path.stat()
        device, inode = status.st_dev, status.st_ino
    except (OSError, ValueError):
        device, inode = -1, -1
    return operations_of(operations, path.resolve(), device=device, inode=inode)


def _by(operation: Operation) -> str:
    actor = operation.actor
    user = f"uid {actor.uid}" if actor.sudo_user is None else actor.sudo_user
    return displayed(f"{user} on {actor.host}")


def _cells(operation: Operation) -> tuple[str, ...]:
    return (
        str(operation.number),
        moment_text(operation.started_at),
        displayed(operation.operation),
        operation.outcome,
        _by(operation),
        displayed(operation.store_path),
        displayed(operation.reason or ""),
    )


def _lines(operation: Operation) -> Iterator[str]:
    actor = operation.actor
    ended = operation.ended_at
    yield f"Operation     {operation.number}: {displayed(operation.operation)}"
    yield f"Outcome       {operation.outcome}"
    yield f"Started       {moment_text(operation.started_at)}"
    yield f"Ended         {'never recorded' if ended is None else moment_text(ended)}"
    yield f"By            {_by(operation)} (uid {actor.uid})"
    yield f"Tool          influx-recovery {displayed(actor.tool_version)}"
    yield f"Reason        {displayed(operation.reason or 'none given')}"
    yield f"Store         {displayed(operation.store_path)}"
    yield f"File          device {operation.device}, inode {operation.inode}"
    yield f"Transaction   {_number(operation.txid_before)} before, {_after(operation)} after"
    yield f"Backup        {displayed(operation.backup_path or 'none')}"
    yield f"Records       {', '.join(map(displayed, operation.record_ids)) or 'none'}"


def _after(operation: Operation) -> str:
    return _number(operation.txid_after)


def _number(txid: int | None) -> str:
    return "unknown" if txid is None else str(txid)
