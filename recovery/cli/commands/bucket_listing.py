"""The commands on InfluxDB buckets.

Lives here: `bucket list`. Must not live here: what a bucket's record means.
"""

from typing import Final

import msgspec

from recovery.cli.context import Context
from recovery.cli.documents import ListDocument
from recovery.cli.listing import plural, report_problems
from recovery.cli.options import Command, Reading
from recovery.cli.store import find_store, read_session, show_aside, store_of
from recovery.cli.table import Column
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.bucket import DAY_NS, HOUR_NS
from recovery.model.display import displayed
from recovery.services.authorizations.listing import Inventory
from recovery.services.tenancy.bucket_listing import BucketRow

COLUMNS = (
    Column("ID"),
    Column("Bucket", 8),
    Column("Organization", 12),
    Column("Type"),
    Column("Retention"),
    Column("Engine"),
)


class _List(Reading, frozen=True):
    org: str | None


def _add_list(command: Parser) -> None:
    command.add_argument(
        "--org", metavar="NAME", help="only those of this organization (default: all)"
    )


class BucketList(ListDocument, frozen=True, kw_only=True):
    """What --json prints."""

    buckets: tuple[BucketRow, ...] = ()


def _list(options: _List, context: Context) -> ExitCode:
    found = find_store(options, context)
    output = context.output
    with read_session(found, options, context.output) as session, session.view() as view:
        inventory = Inventory(view)
        listing = inventory.buckets(options.org)
        if options.json:
            items = map(msgspec.json.encode, listing.rows)
            document = BucketList(store=store_of(found, inventory.facts))
            output.stream(document, "buckets", items, listing.problems)
        else:
            show_aside(found, inventory.facts, output)
            rows = [_cells(row) for row in listing.rows]
            output.table(COLUMNS, rows)
            output.aside()
            output.aside(f"{plural(len(rows), 'bucket')}.")
    return report_problems(listing.problems, context)


LIST: Final = Command(
    description="List every bucket with its organization and its retention, and say of each "
    "whether the storage engine knows it; influxd does not start when it does not know one. The "
    "file is opened for reading only and nothing is changed.",
    example="bucket list --org myorg",
    options=_List,
    run=_list,
    add_options=_add_list,
    document=BucketList,
)


def _cells(row: BucketRow) -> tuple[str, ...]:
    organization = row.organization
    return (
        row.id,
        displayed(row.name),
        f"missing {row.organization_id}" if organization is None else displayed(organization),
        "system" if row.is_system else "user",
        _retention(row.retention_ns),
        "known" if row.is_in_catalogue else "MISSING",
    )


def _retention(retention_ns: int) -> str:
    if not retention_ns:
        return "for ever"
    if retention_ns % DAY_NS == 0:
        return f"{retention_ns // DAY_NS} d"
    return f"{retention_ns / HOUR_NS:g} h"
