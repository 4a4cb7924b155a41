"""The command that takes back what was done last.

Lives here: `store undo`, and in words what it takes back. Must not live here: what is taken
back and how (`recovery.services.stores.undo`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recovery.cli.audience import PlanAudience, require_a_way_to_confirm
from recovery.cli.commands.store_diff import change_lines
from recovery.cli.context import Context
from recovery.cli.documents import shaped
from recovery.cli.options import Command, Options, add_yes
from recovery.cli.outcome import ChangeDocument, not_yet, outcome_fields, start_line
from recovery.cli.output import Output
from recovery.cli.recording import open_ledger
from recovery.cli.store import find_store, store_of
from recovery.cli.words import Parser
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.model.display import displayed, moment_text
from recovery.ports import SystemClock, SystemRng
from recovery.services.changes.plan import Manner
from recovery.services.changes.ports import Ports
from recovery.services.doctor.forewarning import EXAMINED_BYTES_MAX, what_stops
from recovery.services.ledger import UNRECORDED, LedgerOperation, Operation
from recovery.services.session import Session
from recovery.services.stores.diff import BucketCount, Change
from recovery.services.stores.undo import UndoProposal, proposed_undo

CHANGES_SHOWN_MAX = 50
"""Lines of a plan; all of them are in --json and in store diff."""


class _Undo(Options, frozen=True):
    backup: str | None
    dry_run: bool
    yes: bool


def _add_undo(command: Parser) -> None:
    command.add_argument(
        "--backup",
        metavar="FILE",
        help="go back to this backup, where the ledger that tells of it is lost (default: to the "
        "backup of the last operation of the ledger)",
    )
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="stop after showing what would be taken back (default: go on and ask)",
    )
    add_yes(command)


class UndoDocument(ChangeDocument, frozen=True, kw_only=True):
    """What --json prints; `UndoProposal` says what the fields are."""

    is_resumed: bool
    undone: LedgerOperation
    source_path: Path
    page_count: int
    changes: tuple[Change, ...]
    counts: tuple[BucketCount, ...]


def _undo(options: _Undo, context: Context) -> ExitCode:
    found = find_store(options, context)
    output = context.output
    ledger = open_ledger(options, context, found.path)
    manner = Manner(is_dry_run=options.dry_run, reason=options.reason)
    with (
        Session.open(found.path, write=manner.is_in_place, reads_packed=False) as session,
        proposed_undo(
            session,
            ledger,
            manner,
            backup_path=None if options.backup is None else Path(options.backup),
        ) as proposal,
    ):
        require_a_way_to_confirm(is_confirmed=options.yes or options.dry_run)
        audience = PlanAudience(
            output,
            found=found,
            is_confirmed=options.yes,
            is_result=options.dry_run and not options.json,
            preface=tuple(_preface(proposal)),
        )
        outcome = session.carry_out(
            proposal,
            Ports(
                audience=audience,
                recorder=ledger,
                waiting=output.waiting,
                shield=context.progress.shield,
            ),
        )
    for warning in outcome.warnings:
        output.message(f"warning: {warning}")
    if options.json:
        output.document(
            shaped(
                proposal,
                UndoDocument,
                store=store_of(found, proposal.store),
                undone=shaped(proposal.operation, LedgerOperation),
                **outcome_fields(outcome, is_dry_run=options.dry_run, destination=None),
            )
        )
    elif options.dry_run:
        output.prose("Dry run: nothing was written. Leave out --dry-run to do it.")
    else:
        _show_end(proposal, found, options, output)
    return ExitCode.DONE


UNDO: Final = Command(
    description="Show what the last operation of the ledger changed in this store, and make the "
    "store again what it was before, byte for byte. The file keeps its inode, owner and mode, and "
    "a power cut leaves it as before or as after. Run again, it takes back the operation before "
    "that one. It refuses when anything else has written to the store since, such as influxd "
    "itself, and when the backup is gone. It needs the ledger that recorded the operation, "
    "or the backup itself, which carries a mark of its change, or of its session, where the file "
    "system has extended attributes.",
    example="store undo --dry-run",
    options=_Undo,
    run=_undo,
    add_options=_add_undo,
    document=UndoDocument,
)


def _preface(proposal: UndoProposal) -> Iterator[str]:
    """Say what is taken back."""
    operation = proposal.operation
    lines = list(change_lines(proposal.changes, proposal.counts))
    yield (
        f"{_called(operation).capitalize()} of {moment_text(operation.started_at)}, made these "
        "changes:"
    )
    yield from (f"  {line}" for line in lines[:CHANGES_SHOWN_MAX])
    if len(lines) > CHANGES_SHOWN_MAX:
        yield f"  and {len(lines) - CHANGES_SHOWN_MAX} more, which store diff shows"
    if not lines:
        yield "  none that can be seen any more"
    yield ""


def _called(operation: Operation) -> str:
    if operation.number == UNRECORDED:
        return displayed(operation.operation)
    return f"operation {operation.number}, {displayed(operation.operation)}"


def _show_end(proposal: UndoProposal, found: FoundStore, options: _Undo, output: Output) -> None:
    target = displayed(str(proposal.store.real_path))
    operation = proposal.operation
    output.prose(
        f"Done: {target} is what it was before {_called(operation)}, byte for byte; it was "
        "opened again and verified."
    )
    output.prose(f"Backup: {displayed(str(proposal.backup_path))}")
    stops = None
    if proposal.store.size_bytes <= EXAMINED_BYTES_MAX:
        with Session.open(found.path, needs_schema=False) as session, session.view() as view:
            stops = what_stops(view.tx, found.files, clock=SystemClock(), rng=SystemRng())
    if stops is None:
        output.prose(start_line(found))
    else:
        for line in not_yet(stops, options):
            output.prose(line)
    output.prose("The backups have all secrets of the store: delete them.")
