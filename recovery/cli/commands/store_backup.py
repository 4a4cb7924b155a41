"""The command that copies a store.

Lives here: `store backup`. Must not live here: how a copy is made
(`recovery.services.stores.backup`).
"""

from pathlib import Path
from typing import Final

from recovery.cli.context import Context
from recovery.cli.documents import StorePathDocument, shaped
from recovery.cli.options import Command, Options
from recovery.cli.store import find_store, store_path_of
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.ports import SystemClock
from recovery.services.stores.backup import BackupReport, back_up


class _Backup(Options, frozen=True):
    destination: str | None
    gzip: bool
    live: bool


def _add_backup(command: Parser) -> None:
    command.add_argument(
        "destination",
        metavar="DEST",
        nargs="?",
        help="new file, or a folder for it (default: a file beside the store, named with the time)",
    )
    command.add_argument(
        "--gzip",
        action="store_true",
        help="compress it, as influx backup does, and by default name it as that does: "
        "YYYYMMDDThhmmssZ.bolt.gz (default: where DEST ends in .gz, else a plain copy)",
    )
    command.add_argument(
        "--live",
        action="store_true",
        help="copy it without its lock, as is done anyway while influxd is running (default: under "
        "the lock where that is free)",
    )


class BackupDocument(StorePathDocument, frozen=True, kw_only=True):
    """What --json prints; `BackupReport` says what the fields are."""

    target_path: Path
    size_bytes: int
    store_size_bytes: int
    txid: int
    level: int | None
    is_live: bool
    is_compressed: bool


def _backup(options: _Backup, context: Context) -> ExitCode:
    found = find_store(options, context)
    destination = None if options.destination is None else Path(options.destination)
    output = context.output
    with output.waiting("copying the store and proving the copy"):
        report = back_up(
            found.path,
            destination,
            is_compressed=options.gzip or (options.destination or "").endswith(".gz"),
            is_live=options.live,
            moment=SystemClock().now(),
        )
    if options.json:
        output.document(
            shaped(
                report,
                BackupDocument,
                store=store_path_of(found),
                target_path=report.path.absolute(),
            )
        )
        return ExitCode.DONE
    output.prose(f"Store: {displayed(str(found.named_path))} ({found.reason})")
    if report.problem:
        output.prose(f"Take care: it {report.problem}.")
    output.prose(f"Backup: {displayed(str(report.path))}")
    packed = f", {report.size_bytes:,} bytes compressed" if report.is_compressed else ""
    output.prose(f"Content: transaction {report.txid}, {report.store_size_bytes:,} bytes{packed}")
    output.prose(f"Made {_manner(report)}")
    output.prose("It has all secrets of the store: keep it as safe as the store itself.")
    return ExitCode.DONE


BACKUP: Final = Command(
    description="Copy the store to a new file and prove that the copy is whole. While influxd is "
    "running, the pages of one transaction are copied and checked, which works on a local disk. "
    "The copy has all secrets of the store and gets mode 0600. It is the metadata alone: time "
    "series, and the notebooks and annotations in influxd.sqlite, are not in it.",
    example="store backup /root/influxd.bolt.backup",
    options=_Backup,
    run=_backup,
    add_options=_add_backup,
    document=BackupDocument,
)


def _manner(report: BackupReport) -> str:
    if report.is_live:
        return "without the lock; the copy was proven to be one whole state."
    return "under the lock; the copy was compared and checked."
