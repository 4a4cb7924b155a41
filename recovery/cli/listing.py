"""What all listings have in common.

Lives here: the run of a listing from its rows to its last line, what is wanted of it, and the words
for records that cannot be listed. Must not live here: any one listing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from recovery.cli.context import Context
from recovery.cli.documents import ListDocument, Store
from recovery.cli.options import Listing
from recovery.cli.output import ID_AND_NAME, Output
from recovery.cli.store import find_store, read_session, show_aside, store_of
from recovery.cli.table import Column
from recovery.cli.usage import UsageError
from recovery.errors import ExitCode
from recovery.metastore.table import RecordProblem
from recovery.model.display import plural
from recovery.remedy import Run
from recovery.services.listing import Listing as Rows
from recovery.services.row_filter import FilteredRows, RowFilter
from recovery.services.session import View

Row = TypeVar("Row")


class Listed(msgspec.Struct, Generic[Row], frozen=True):
    """A kind of record, as it is listed.

    Attributes:
        kind: One of them, in the singular.
        sorts: What they can be sorted by: the word for it, and the field of a row.
        field: Where a document has the rows.
        document: Makes a document without any.
    """

    kind: str
    listing: Run
    sorts: Mapping[str, str]
    columns: Sequence[Column]
    cells: Callable[[Row], tuple[str, ...]]
    field: str
    document: Callable[[Store], ListDocument]
    rows_of: Callable[[View], Rows[Row]]


def run_listing(
    listed: Listed[Row],
    options: Listing,
    context: Context,
    *,
    name: str | None = None,
    status: str | None = None,
) -> ExitCode:
    """List records.

    Args:
        options: Which of them, in which order, and how.
        name: Only those with this name; None for all.
        status: Only those with this status; None for all.

    Returns:
        `FINDINGS` when a record could not be listed, else `DONE`.
    """
    wanted = row_filter(options, listed.sorts, name=name, status=status)
    found = find_store(options, context)
    output = context.output
    with read_session(found, options, output) as session, session.view() as view:
        listing = listed.rows_of(view)
        rows = FilteredRows(listing.rows, wanted, kind=listed.kind, listing=listed.listing)
        if options.json:
            items = map(msgspec.json.encode, rows)
            document = listed.document(store_of(found, view.facts))
            output.stream(document, listed.field, items, listing.problems)
        else:
            show_aside(found, view.facts, output)
            if output.is_drop_in:
                output.drop_in(
                    ID_AND_NAME,
                    (listed.cells(row)[: len(ID_AND_NAME)] for row in rows),
                    has_headings=not options.hide_headers,
                )
            else:
                output.table(
                    listed.columns,
                    map(listed.cells, rows),
                    has_headings=not options.hide_headers,
                    what="reading the records",
                )
            output.aside()
            output.aside(f"{plural(rows.count, listed.kind)}.")
            say_more(rows, options, output)
    return report_problems(listing.problems, context)


def row_filter(
    options: Listing,
    sorts: Mapping[str, str],
    *,
    name: str | None = None,
    status: str | None = None,
) -> RowFilter:
    """Say what is wanted of a listing.

    Args:
        sorts: What its rows can be sorted by: the word for it, and the field.
        name: Only those with this name; None for all.
        status: Only those with this status; None for all.

    Raises:
        UsageError: A number is below 0.
    """
    require_not_negative("--limit", options.limit)
    require_not_negative("--offset", options.offset)
    return RowFilter(
        which=tuple(one for one in (options.id, name) if one is not None),
        status=status,
        match=options.match,
        sort=None if options.sort is None else sorts[options.sort],
        is_reversed=options.reverse,
        offset=options.offset,
        limit=options.limit,
    )


def require_not_negative(option: str, number: int) -> None:
    """Raise `UsageError` for a number of rows below 0."""
    if number < 0:
        raise UsageError(problem=f"{option} {number} is below 0", hint=f"leave {option} out")


def say_more(rows: FilteredRows[Row], options: Listing, output: Output) -> None:
    """Say that there are more rows, behind the end of those shown, than were wanted."""
    if rows.has_more:
        following = options.offset + options.limit
        output.aside(f"There are more: --offset {following} shows the next, --limit 0 all.")


def report_problems(problems: Sequence[RecordProblem], context: Context) -> ExitCode:
    """Name the records that could not be listed: `FINDINGS` for a script if any, else `DONE`."""
    for problem in problems:
        which = f"record {problem.id}" if problem.id else "a record"
        context.output.message(
            f"warning: {which} in {problem.bucket} cannot be understood ({problem.problem}) and is "
            "not listed; nothing was changed"
        )
    return ExitCode.FINDINGS if problems else ExitCode.DONE


def created(text: str) -> str:
    """Show the day of a time as stored, which is one; "" where the record does not say."""
    return text[: len("2020-01-31")]
