"""The command that writes an inventory as an SQLite file.

Lives here: `store export`. Must not live here: its tables (`recovery.export`).
"""

import argparse
from pathlib import Path

from recovery import __version__
from recovery.cli.context import Context
from recovery.cli.listing import report_problems
from recovery.cli.store import described, find_store, store_document
from recovery.cli.usage import required
from recovery.discovery.host import Host
from recovery.discovery.search import with_files
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.ports import SystemClock, SystemRng
from recovery.services.stores.export import export_store


def run_export(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Write the inventory of a store to an SQLite file.

    Args:
        arguments: The options of `store export`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: The new file is not named.
        RecoveryError: It could not be written; nothing is left of it.
    """
    target = Path(required(arguments.target, "FILE", "store export")).absolute()
    found = find_store(arguments, context)
    if not found.is_backup:
        found = with_files(found, Host.here(context.environ))
    report = export_store(
        found.path,
        target,
        files=found.files,
        tool_version=__version__,
        clock=SystemClock(),
        rng=SystemRng(),
    )
    output = context.output
    if arguments.json:
        document = store_document(found, report.facts)
        output.document(
            {**document, "target_path": str(target), "row_counts": dict(report.row_counts)}
        )
    else:
        output.prose(described(found, report.facts))
        counts = [f"{count:,} {table}" for table, count in report.row_counts.items()]
        output.prose(f"New file: {displayed(str(target))}, with {', '.join(counts[1:])}")
        output.prose(
            "No token, hash or password is in it; names are. Begin with its views, operator_tokens "
            "and who_can_get_in."
        )
    return report_problems(report.problems, context)
