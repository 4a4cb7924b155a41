"""The commands on InfluxDB buckets.

Lives here: `bucket list`. Must not live here: what a bucket's record means.
"""

from typing import TYPE_CHECKING, Final

from recovery.cli.context import Context
from recovery.cli.documents import ListDocument
from recovery.cli.listing import Listed, created, run_listing
from recovery.cli.options import Command, Listing, add_listing
from recovery.cli.table import Column
from recovery.errors import ExitCode
from recovery.model.bucket import duration_text
from recovery.model.display import displayed
from recovery.remedy import Run
from recovery.services.tenancy.bucket_listing import BucketRow, list_buckets

if TYPE_CHECKING:
    from recovery.cli.words import Parser

COLUMNS = (
    Column("ID"),
    Column("Bucket", 8),
    Column("Organization", 12),
    Column("Type"),
    Column("Retention"),
    Column("Engine"),
    Column("Created", is_spare=True),
)
SORTS: Final = {
    "name": "name",
    "org": "organization",
    "created": "created_at",
    "retention": "retention_ns",
}


class BucketList(ListDocument, frozen=True, kw_only=True):
    """What --json prints."""

    buckets: tuple[BucketRow, ...] = ()


class _List(Listing, frozen=True):
    name: str | None
    org: str | None


def _add_list(command: "Parser") -> None:
    command.add_argument(
        "--org", metavar="NAME", help="only those of this organization (default: all)"
    )
    command.add_argument(
        "--name", metavar="NAME", help="only buckets with this name (default: all)"
    )
    add_listing(command, what="the bucket", sorts=tuple(SORTS))


def _list(options: _List, context: Context) -> ExitCode:
    listed = Listed(
        kind="bucket",
        listing=Run("bucket list", "to see what there is"),
        sorts=SORTS,
        columns=COLUMNS,
        cells=_cells,
        field="buckets",
        document=lambda store: BucketList(store=store),
        rows_of=lambda view: list_buckets(view.tx, options.org),
    )
    return run_listing(listed, options, context, name=options.name)


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
        created(row.created_at),
    )


def _retention(retention_ns: int) -> str:
    return duration_text(retention_ns) if retention_ns else "infinite"
