"""The command that lists and removes the copies of a store.

Lives here: `store backups`. Must not live here: how copies are found and which can go
(`recovery.services.stores.backups`).
"""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from recovery.cli.audience import asked, require_a_way_to_confirm
from recovery.cli.commands.setup import retention_ns
from recovery.cli.context import Context
from recovery.cli.documents import StoreDocument
from recovery.cli.hints import command_line
from recovery.cli.options import Command, Reading, add_yes
from recovery.cli.output import Output
from recovery.cli.progress import Stage
from recovery.cli.recording import open_ledger
from recovery.cli.store import described, find_store, read_session, show_header, store_of
from recovery.cli.table import Column
from recovery.cli.usage import UsageError
from recovery.cli.words import Parser
from recovery.discovery.search import FoundStore
from recovery.errors import (
    ExitCode,
    FileError,
    RecoveryError,
    RefusedError,
    SchemaError,
    StoreBusyError,
)
from recovery.ledger import Ledger
from recovery.model.display import displayed, moment_text, plural, quoted
from recovery.ports import SystemClock
from recovery.remedy import Give, Input, Run, ways
from recovery.services.changes.ports import Intent
from recovery.services.ledger import operations_of, read_operations
from recovery.services.session import Session
from recovery.services.store_facts import StoreFacts
from recovery.services.stores.backups import Maker, Pruning, StoreCopy, copies_of, remove_copies
from recovery.services.stores.undo import standing_operations
from recovery.system_advice import SEE_COPIES, unused_name

COLUMNS: Final = (
    Column("Copy", 20),
    Column("Made", is_spare=True),
    Column("Age"),
    Column("Operation", is_spare=True),
    Column("Bytes"),
    Column("Mode"),
    Column("Undo"),
)
HOUR_S: Final = 3600


PRUNE: Final = "prune"


class _Backups(Reading, frozen=True):
    action: str
    keep: int | None
    older_than: str | None
    give_up_undo: bool
    also_influxd: bool
    dry_run: bool
    yes: bool


def _add_backups(command: Parser) -> None:
    command.add_argument(
        "action",
        nargs="?",
        choices=("list", PRUNE),
        default="list",
        metavar="list|prune",
        help="prune removes those that store undo does not need (default: list)",
    )
    command.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help="when pruning, keep the N newest (default: none but those that undo needs)",
    )
    command.add_argument(
        "--older-than",
        metavar="AGE",
        help="when pruning, keep those that are younger, as in 12h, 30d or 8w (default: any age)",
    )
    command.add_argument(
        "--give-up-undo",
        action="store_true",
        help="when pruning, remove those that store undo needs, too; what was done cannot be taken "
        "back then (default: they stay)",
    )
    command.add_argument(
        "--also-influxd",
        action="store_true",
        help="when pruning, remove those that influxd left at an upgrade, too (default: they stay)",
    )
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="stop after showing what would be removed (default: go on and ask)",
    )
    add_yes(command)


class BackupList(StoreDocument, frozen=True, kw_only=True):
    """What --json prints.

    Attributes:
        backups: The copies, as they were found.
        removed_paths: Those that were removed, or would have been.
        is_dry_run: Whether nothing was removed.
    """

    backups: tuple[StoreCopy, ...]
    removed_paths: tuple[Path, ...] = ()
    is_dry_run: bool = True


def _backups(options: _Backups, context: Context) -> ExitCode:
    pruning = _pruning(options)
    opened = _opened(options, context, is_listing=pruning is None)
    if opened is None:
        return ExitCode.DONE
    found, session = opened
    with session:
        facts = session.facts()
        ledger = open_ledger(options, context, facts.real_path, is_reading=pruning is None)
        history = operations_of(
            read_operations(ledger), facts.real_path, device=facts.device, inode=facts.inode
        )
        copies = copies_of(facts.real_path, standing_operations(history, txid=facts.txid))
        now = SystemClock().now()
        if pruning is None:
            document = BackupList(store=store_of(found, facts), backups=copies)
            _show(document, found, facts, options, context)
            return ExitCode.DONE
        chosen = pruning.choose(copies, now=now)
        nothing_to_ask = options.yes or options.dry_run or not chosen
        require_a_way_to_confirm(is_confirmed=nothing_to_ask)
        document = BackupList(
            store=store_of(found, facts),
            backups=copies,
            removed_paths=tuple(copy.path for copy in chosen),
            is_dry_run=options.dry_run,
        )
        _prune(document, chosen, ledger, found, facts, options, context)
    return ExitCode.DONE


def _opened(
    options: _Backups, context: Context, *, is_listing: bool
) -> tuple[FoundStore, Session] | None:
    """Open the store; where that fails, list what copies there are without it, and give None.

    Raises:
        RecoveryError: It cannot be opened. With --json the error has the copies.
    """
    try:
        found = find_store(options, context)
    except FileError as error:
        named = options.bolt_path or context.environ.get("INFLUXD_BOLT_PATH")
        if named and is_listing and _show_without(error, Path(named), options, context):
            return None
        raise
    try:
        return found, read_session(found, options, context.output)
    except (StoreBusyError, FileError) as error:
        if is_listing and _show_without(error, found.path, options, context):
            return None
        if not is_listing or not isinstance(error, SchemaError):
            raise
    return found, read_session(found, options, context.output, needs_schema=False)


def _show_without(error: RecoveryError, path: Path, options: _Backups, context: Context) -> bool:
    """List the copies of a store that cannot be opened; give False where there is none.

    What was cut off before it wrote counts as done here, so that undo may seem to need more.
    """
    is_in_use = isinstance(error, StoreBusyError)
    real_path = Path(os.path.realpath(path))  # which takes a link to itself, too
    try:
        status = real_path.stat()
        device, inode = status.st_dev, status.st_ino
    except OSError:
        device = inode = -1
    ledger = open_ledger(options, context, real_path, is_reading=True)
    history = operations_of(read_operations(ledger), real_path, device=device, inode=inode)
    try:
        copies = copies_of(real_path, standing_operations(history, txid=sys.maxsize))
    except RecoveryError:
        return False
    if not copies or options.json:
        error.copies = tuple(str(copy.path) for copy in copies)
        others = (
            way
            for way in ways(error.hint)
            if not (isinstance(way, Run) and way.operation == SEE_COPIES.operation)
        )
        further = (
            "restore one of the copies"
            if copies
            else "look where backups of this machine are kept, because no copy lies beside it"
        )
        error.hint = error.hint if copies and is_in_use else (*others, further)
        return False
    context.output.prose(f"{error}.")
    context.output.line()
    _show_copies(copies, context.output)
    if is_in_use:
        return True
    _show_way_back(copies[-1], real_path, context.output, is_there=device != -1)
    return True


def _show_way_back(copy: StoreCopy, store: Path, output: Output, *, is_there: bool) -> None:
    """Say how a copy is put in the place of a store."""
    line = command_line("store check", {Input.STORE: str(copy.path)})
    output.prose(f"Whether a copy is sound says: {line}")
    if is_there:
        output.prose("With influxd stopped, keep what is there:")
        output.line(f"cp -p {quoted(str(store))} {quoted(str(unused_name(store, '.damaged')))}")
    owner = (
        "keeps its owner and mode"
        if is_there
        else f"is then to be given to its user (chown USER {quoted(str(store))})"
    )
    output.prose(f"Then put the copy in its place, which {owner}:")
    output.line(f"cp {quoted(str(copy.path))} {quoted(str(store))}")


def _pruning(options: _Backups) -> Pruning | None:
    given = (
        options.keep is not None or options.older_than is not None or options.give_up_undo
        or options.also_influxd or options.dry_run or options.yes
    )  # fmt: skip
    if options.action != PRUNE:
        if given:
            raise UsageError(
                problem="an option that chooses what goes belongs to prune",
                hint="type influx-recovery store backups --help",
            )
        return None
    if options.keep is not None and options.keep < 0:
        raise UsageError(problem="--keep needs a number that is not negative", hint="use --keep 3")
    age = timedelta(0)
    if options.older_than is not None:
        age = timedelta(microseconds=retention_ns(options.older_than, "--older-than") / 1000)
    return Pruning(
        kept_count=options.keep or 0,
        age_min=age,
        gives_up_undo=options.give_up_undo,
        with_influxd=options.also_influxd,
    )


def _show(
    document: BackupList, found: FoundStore, facts: StoreFacts, options: _Backups, context: Context
) -> None:
    output = context.output
    if options.json:
        output.document(document)
        return
    show_header(found, facts, output)
    _show_copies(document.backups, output)
    if document.backups:
        output.line()
        output.prose(
            "store undo takes back what was done last. To go back to the newest copy by hand, "
            "which gives up all that was done after it:"
        )
        _show_way_back(document.backups[-1], facts.real_path, output, is_there=True)


def _show_copies(copies: tuple[StoreCopy, ...], output: Output) -> None:
    if copies:
        now = SystemClock().now()
        output.table(COLUMNS, [_cells(copy, now) for copy in copies])
        output.line()
    total = sum(copy.size_bytes for copy in copies)
    each = "It" if len(copies) == 1 else "Each"
    secrets = (
        f" {each} has all secrets of its time, also tokens that were deleted or rotated since."
    )
    output.prose(f"{_copies(len(copies))}, {total:,} bytes.{secrets if copies else ''}")
    for copy in copies:
        if copy.is_open:
            output.message(
                f"warning: others than its owner can use {displayed(str(copy.path))} (mode "
                f"{copy.mode}), with all tokens in it: type chmod 600 {quoted(str(copy.path))}"
            )


def _prune(  # what, and all that is told of it
    document: BackupList,
    chosen: tuple[StoreCopy, ...],
    ledger: Ledger,
    found: FoundStore,
    facts: StoreFacts,
    options: _Backups,
    context: Context,
) -> None:
    output = context.output
    say = output.message if options.json or not options.dry_run else output.prose
    say(described(found, facts))
    say("")
    kept = len(document.backups) - len(chosen)
    say(f"Plan of store backups prune: {_copies(kept)} {'stays' if kept == 1 else 'stay'}.")
    for copy in chosen:
        undo = "; store undo needs it" if copy.is_needed_by_undo else ""
        say(f"  - remove {displayed(str(copy.path))} ({copy.size_bytes:,} bytes{undo})")
    if chosen and not options.dry_run:
        if not options.yes and not asked(f"Type yes to remove {plural(len(chosen), 'file')}: "):
            raise RefusedError(
                reason="the plan was not confirmed",
                hint=("run it again and answer yes", Give(Input.CONFIRMATION, "say yes before")),
            )
        ledger.note(
            Intent(
                operation="store backups prune",
                store_path=facts.real_path,
                device=facts.device,
                inode=facts.inode,
                record_ids=(),
                backup_path=None,
                reason=options.reason,
            )
        )
        context.progress.stage = Stage.PRUNED
        remove_copies(chosen)
    if options.json:
        output.document(document)
    elif options.dry_run:
        output.prose("Dry run: nothing was removed. Leave out --dry-run to do it.")
    elif not chosen:
        output.prose(_why_none(document.backups, options))
    else:
        total = sum(copy.size_bytes for copy in chosen)
        output.prose(
            f"Done: {_copies(len(chosen))} removed, {total:,} bytes. The disk may "
            "keep their bytes until it needs the room."
        )


def _why_none(copies: tuple[StoreCopy, ...], options: _Backups) -> str:
    """Say why nothing was removed, and what would let it go."""
    if any(copy.is_needed_by_undo for copy in copies) and not options.give_up_undo:
        why = "store undo needs what is there; --give-up-undo lets it go"
    elif any(copy.made_by is Maker.INFLUXD for copy in copies) and not options.also_influxd:
        why = "influxd made what is there; --also-influxd lets it go"
    elif copies:
        why = "all of them are to be kept"
    else:
        why = "there is none"
    return f"Nothing was removed: {why}."


def _copies(count: int) -> str:
    return f"{count} copy" if count == 1 else f"{count} copies"


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
    "whether store undo needs them. Warns of those that others can read. With prune it removes "
    "copies, after showing which: never one that store undo needs, nor one of influxd, unless that "
    "is said. It does not look into the copies, and it does not touch the store. It cannot wipe: "
    "a disk may keep the bytes of a removed file for a while.",
    example="store backups prune --older-than 30d --dry-run",
    options=_Backups,
    run=_backups,
    add_options=_add_backups,
    document=BackupList,
)
