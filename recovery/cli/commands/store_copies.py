"""The command that lists the copies of a store.

Lives here: `store backups`. Must not live here: how copies are found
(`recovery.services.stores.copies`).
"""

from datetime import datetime
from typing import Final

from recovery.cli.context import Context
from recovery.cli.documents import StoreDocument
from recovery.cli.listing import moment_text
from recovery.cli.options import Command, Reading
from recovery.cli.recording import open_ledger
from recovery.cli.store import find_store, read_session, show_header, store_of
from recovery.cli.table import Column
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.ports import SystemClock
from recovery.services.stores.copies import Maker, StoreCopy, copies_of
from recovery.services.stores.history import operations_of, read_operations
from recovery.services.stores.undo import standing_operations

COLUMNS: Final = (
    Column("Copy", 20),
    Column("Made"),
    Column("Age"),
    Column("Operation", 9),
    Column("Bytes"),
    Column("Mode"),
    Column("Undo"),
)
HOUR_S: Final = 3600


class BackupList(StoreDocument, frozen=True, kw_only=True):
    """What --json prints."""

    backups: tuple[StoreCopy, ...]


def _backups(options: Reading, context: Context) -> ExitCode:
    found = find_store(options, context)
    output = context.output
    with read_session(found, options, output) as session:
        facts = session.facts()
    history = operations_of(
        read_operations(open_ledger(options, context, facts.real_path, is_reading=True)),
        facts.real_path,
        device=facts.device,
        inode=facts.inode,
    )
    copies = copies_of(facts.real_path, standing_operations(history, txid=facts.txid))
    if options.json:
        output.document(BackupList(store=store_of(found, facts), backups=copies))
        return ExitCode.DONE
    show_header(found, facts, output)
    now = SystemClock().now()
    if copies:
        output.table(COLUMNS, [_cells(copy, now) for copy in copies])
        output.line()
    total = sum(copy.size_bytes for copy in copies)
    output.prose(
        f"{len(copies)} {'copy' if len(copies) == 1 else 'copies'}, "
        f"{total:,} bytes. Each has all secrets of its time, also tokens that were deleted or "
        "rotated since."
    )
    for copy in copies:
        if copy.is_open:
            output.message(
                f"warning: others than its owner can use {displayed(str(copy.path))} (mode "
                f"{copy.mode}), with all tokens in it: chmod 600"
            )
    return ExitCode.DONE


def _cells(copy: StoreCopy, now: datetime) -> tuple[str, ...]:
    hours = int((now - copy.made_at).total_seconds()) // HOUR_S
    return (
        displayed(copy.path.name),
        moment_text(copy.made_at),
        f"{hours // 24} d" if hours >= 24 else f"{hours} h",  # noqa: PLR2004 # of a day
        "upgrade" if copy.made_by is Maker.INFLUXD else copy.operation or "",
        f"{copy.size_bytes:,}",
        copy.mode,
        "needed" if copy.is_needed_by_undo else "-",
    )


BACKUPS: Final = Command(
    description="List the copies that lie beside the store: those that this tool made in front of "
    "changes, and those that influxd leaves at an upgrade, with time, operation, size, mode, and "
    "whether store undo needs them. Warns of those that others can read. Nothing is changed; it "
    "does not look into the copies, and does not delete any.",
    example="store backups",
    options=Reading,
    run=_backups,
    document=BackupList,
)
