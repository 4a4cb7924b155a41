"""Where deleted records are looked for, and the list of them.

Lives here: the options and steps that the commands named undelete have in common. Must not
live here: the search itself (`recovery.services.undeletion.traces`).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from recovery.cli.changing import run_planner
from recovery.cli.context import Context
from recovery.cli.hints import command_line, named_with
from recovery.cli.options import Change, Options, add_ensure
from recovery.cli.outcome import ChangeDocument
from recovery.cli.recording import open_ledger
from recovery.cli.store import absolute, find_store, show_aside, store_of
from recovery.cli.table import Column
from recovery.cli.words import Parser
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.metastore.transaction import MetaTx
from recovery.model.display import displayed, plural
from recovery.remedy import Input
from recovery.services.changes.plan import Planner
from recovery.services.ledger import operations_of, read_operations
from recovery.services.session import Session
from recovery.services.stores.backups import copies_of
from recovery.services.undeletion.traces import (
    CopyFile,
    Deleted,
    Traces,
    deletions_of,
    gather,
    known_copies,
)

Row = TypeVar("Row", bound=Deleted)


class Undeletion(Change, frozen=True):
    """The options of a command that brings back what was deleted."""

    source: tuple[str, ...]
    live: bool
    ensure: bool


def add_undeletion(command: Parser, *, wanted: str) -> None:
    """Add the options of `Undeletion`; `wanted` is a clause: what may be there already."""
    command.add_argument(
        "--from",
        dest="source",
        action="append",
        default=[],
        metavar="FILE",
        help="look into this copy of the store alone, also a packed one, and at its freed pages; "
        "may be repeated (default: the older snapshot and the freed pages of the store, and all "
        "copies beside it or in the ledger)",
    )
    command.add_argument(
        "--live",
        action="store_true",
        help="list from a private, proven snapshot while influxd is running; needs room for a copy "
        "in TMPDIR (default: lock the store, which influxd must not hold)",
    )
    add_ensure(command, wanted=wanted)


def run_undeletion(
    listed: "Listed[Row]",
    options: Undeletion,
    context: Context,
    make_planner: Callable[[Traces, dict[str, str]], Planner] | None,
) -> ExitCode:
    """Look for what was deleted, and list it or bring some of it back.

    Args:
        make_planner: Makes the command, of what was found and which operation of the ledger deleted
            what, by ID; None to list.
    """
    found = find_store(options, context)
    with Session.open(found.path, is_live=options.live) as session:
        traces, deletions = find_traces(session, options, context, options.source)
        if make_planner is None:
            with session.view() as view:
                rows = tuple(listed.rows(view.tx, traces, deletions))
            _show_deleted(listed, rows, found, session, options, context)
            return ExitCode.DONE
    planner = make_planner(traces, deletions)
    return run_planner(options, context, lambda _: planner)


def find_traces(
    session: Session, options: Options, context: Context, named: Sequence[str] = ()
) -> tuple[Traces, dict[str, str]]:
    """Look for what was deleted, in these copies or all; name the places that cannot be seen."""
    facts = session.facts()
    history = operations_of(
        read_operations(open_ledger(options, context, facts.real_path, is_reading=True)),
        facts.real_path,
        device=facts.device,
        inode=facts.inode,
    )
    copies = [CopyFile(path=absolute(Path(one)), made_at=None, is_named=True) for one in named]
    beside = {one.path: one.made_at for one in copies_of(facts.real_path, ())}
    copies = copies or list(known_copies(beside, history))
    traces = gather(session.store, copies, has_own=not named)
    for problem in traces.problems:
        context.output.message(f"warning: a copy was not looked at: {problem}")
    return traces, deletions_of(history)


class Listed(NamedTuple, Generic[Row]):
    """What differs between the lists of the commands.

    Attributes:
        kind: What a row is, in the singular.
        name: What a person calls a row; not escaped.
        rows: Makes them of what was found and which operation of the ledger deleted what, by ID.
        cells: Makes a line of it, given where the row was found and whether it can return.
        more: What helps beside the command itself, of all rows; None where nothing does.
    """

    operation: str
    document: Callable[..., ChangeDocument]
    kind: str
    input: Input
    name: Callable[[Row], str]
    rows: Callable[[MetaTx, Traces, dict[str, str]], Iterable[Row]]
    columns: Sequence[Column]
    cells: Callable[[Row, str, str], tuple[str, ...]]
    needs_user: Callable[[Row], bool] = lambda _: False


def _show_deleted(
    listed: Listed[Row],
    rows: Sequence[Row],
    found: FoundStore,
    session: Session,
    options: Undeletion,
    context: Context,
) -> None:
    """List what was found: as JSON, or to a person with what is in the way of bringing it back."""
    facts, output = session.facts(), context.output
    if options.json:
        output.document(
            listed.document(
                store=store_of(found, facts),
                operation=listed.operation,
                is_dry_run=True,
                is_needed=False,
                target_path=absolute(found.named_path),
                backup_path=None,
                token_path=None,
                record_ids=(),
                plan={},
                warnings=(),
                deleted=tuple(rows),
            )
        )
        return
    show_aside(found, facts, output)
    if rows:
        output.table(
            listed.columns,
            [
                listed.cells(row, _origin(row, found), "yes" if row.because is None else "no")
                for row in rows
            ],
        )
        output.aside()
    output.aside(f"{plural(len(rows), listed.kind)} found.")
    for row in rows:
        name = displayed(listed.name(row))
        if row.because is not None:
            output.aside(f"{name} cannot return: {displayed(row.because)}.")
        if row.deleted_by is not None:
            output.aside(f"{name} went with {displayed(row.deleted_by)}.")
    named = named_with(options.bolt_path, options.ledger)
    if any(row.because is None for row in rows):
        line = command_line(listed.operation, {listed.input: None, **named})
        output.aside(f"To bring one back: {line}")
    elif any(map(listed.needs_user, rows)):
        line = command_line("user undelete", {Input.WITH_TOKENS: None, **named})
        output.aside(f"To bring a user back: {line}")
    elif not rows and not options.source:
        output.aside("Where an older copy of the store lies elsewhere, name it with --from FILE.")


def _origin(row: Deleted, found: FoundStore) -> str:
    """Say where a record was found; a copy beside the store needs no folder."""
    path = row.source_path
    if path is None:
        return row.place.value
    name = path.name if path.parent == found.path.resolve().parent else str(path)
    return displayed(name)
