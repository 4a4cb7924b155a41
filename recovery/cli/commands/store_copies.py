"""The commands that deal with whole copies of a store.

Lives here: `store backup`. Must not live here: how a copy is made (`recovery.services`).
"""

import argparse
from pathlib import Path

from recovery.cli.context import Context
from recovery.cli.store import find_store
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.ports import SystemClock
from recovery.services.stores.backup_on_request import BackupReport, back_up


def run_backup(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Copy the store.

    Args:
        arguments: The options of `store backup`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: The copy could not be made; nothing is left of it.
    """
    found = find_store(arguments, context)
    destination = None if arguments.destination is None else Path(arguments.destination)
    report = back_up(
        found.path, destination, is_compressed=arguments.gzip, moment=SystemClock().now()
    )
    output = context.output
    if arguments.json:
        store = {"path": str(found.named_path), "real_path": str(report.store_path)}
        output.document({"store": {**store, "reason": found.reason}, "backup": _document(report)})
        return ExitCode.DONE
    output.prose(f"Store: {displayed(str(found.named_path))} ({found.reason})")
    output.prose(f"Backup: {displayed(str(report.path))}")
    packed = f", {report.size_bytes:,} bytes compressed" if report.is_compressed else ""
    output.prose(f"Content: transaction {report.txid}, {report.store_size_bytes:,} bytes{packed}")
    output.prose(f"Made {_manner(report)}")
    output.prose("It has all secrets of the store: keep it as safe as the store itself.")
    return ExitCode.DONE


def _manner(report: BackupReport) -> str:
    if report.is_live:
        return "while another process held the lock; the copy was proven to be one whole state."
    return "under the lock; the copy was compared and checked."


def _document(report: BackupReport) -> dict[str, object]:
    return {
        "path": str(report.path),
        "size_bytes": report.size_bytes,
        "store_size_bytes": report.store_size_bytes,
        "txid": report.txid,
        "level": report.level,
        "is_live": report.is_live,
        "is_compressed": report.is_compressed,
    }
