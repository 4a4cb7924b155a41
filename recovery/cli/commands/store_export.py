"""The command that writes an inventory as an SQLite file.

Lives here: `store export`. Must not live here: its tables (`recovery.export`).
"""

from pathlib import Path
from typing import Final

from recovery import __version__
from recovery.cli.context import Context
from recovery.cli.documents import ListDocument, shaped
from recovery.cli.listing import report_problems
from recovery.cli.options import Command, Reading
from recovery.cli.store import described, find_with_files, read_session, store_of
from recovery.cli.usage import required
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.ports import SystemClock, SystemRng
from recovery.services.stores.export import export_store


class _Export(Reading, frozen=True):
    target: str | None


def _add_export(command: Parser) -> None:
    command.add_argument("target", metavar="FILE", nargs="?", help="the new file (required)")


class InventoryDocument(ListDocument, frozen=True, kw_only=True):
    """What --json prints."""

    target_path: Path
    row_counts: dict[str, int]


def _export(options: _Export, context: Context) -> ExitCode:
    target = Path(required(options.target, "FILE", "store export")).absolute()
    found = find_with_files(options, context)
    output = context.output
    with (
        read_session(found, options, output) as session,
        output.waiting("writing the inventory"),
    ):
        report = export_store(
            session,
            target,
            files=found.files,
            tool_version=__version__,
            clock=SystemClock(),
            rng=SystemRng(),
        )
    if options.json:
        store = store_of(found, report.facts)
        output.document(shaped(report, InventoryDocument, store=store, target_path=target))
    else:
        output.prose(described(found, report.facts))
        counts = [_counted(count, table) for table, count in report.row_counts.items()]
        output.prose(f"New file: {displayed(str(target))}, with {', '.join(counts[1:])}")
        output.prose(
            "No token, hash or password is in it; names are. Begin with its views, operator_tokens "
            "and who_can_get_in."
        )
    return report_problems(report.problems, context)


def _counted(count: int, table: str) -> str:
    return f"{count:,} {table.removesuffix('s') if count == 1 else table}"


EXPORT: Final = Command(
    description="Write an inventory of the store to a new SQLite file, for sqlite3 or Datasette: "
    "organizations, users, memberships, buckets, authorizations, permissions and the findings of "
    "store check as tables with foreign keys, and the views operator_tokens and who_can_get_in. No "
    "token, hash or password is in it, so it cannot be made a store again. The store is opened for "
    "reading only.",
    example="store export /root/inventory.sqlite",
    options=_Export,
    run=_export,
    add_options=_add_export,
    document=InventoryDocument,
)
