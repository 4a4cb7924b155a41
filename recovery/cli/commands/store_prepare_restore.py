"""The command that makes a backup restorable in full.

Lives here: `store prepare-restore`. Must not live here: what is missing in such a backup and how it
is added (`recovery.services.stores.prepare_restore`).
"""

from pathlib import Path
from typing import Final

from recovery.cli.changing import run_planner
from recovery.cli.context import Context
from recovery.cli.documents import Store
from recovery.cli.hints import command_line
from recovery.cli.options import Change, Command
from recovery.cli.outcome import NewFileDocument
from recovery.cli.output import Output
from recovery.cli.recording import open_ledger
from recovery.cli.store import absolute
from recovery.cli.usage import UsageError, required
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed, quoted
from recovery.ports import SystemClock, SystemRng
from recovery.remedy import Input
from recovery.services.stores.prepare_restore import (
    OPERATION,
    EndRestore,
    PreparedRestore,
    prepare_restore,
)

SUFFIX: Final = ".prepared"


class _Prepare(Change, frozen=True):
    backup: str | None
    target: str | None
    restored: bool


def _add_prepare(command: Parser) -> None:
    command.add_argument(
        "backup",
        nargs="?",
        metavar="BACKUP_FOLDER",
        help="the folder that influx backup wrote; it is only read",
    )
    command.add_argument(
        "target",
        nargs="?",
        metavar="COPY",
        help=f"the prepared copy of it (default: BACKUP_FOLDER{SUFFIX})",
    )
    command.add_argument(
        "--after",
        dest="restored",
        action="store_true",
        help="when the restore is done and the server stopped: delete from the store what was "
        "added for it (default: prepare a backup)",
    )


class RestoreDocument(NewFileDocument, frozen=True, kw_only=True):
    """What --json prints; `PreparedRestore` says what the fields of a preparation are.

    Attributes:
        store: The store, after a restore; None for a preparation.
        restore_command: What to type next, with the address and the token of the new server.
        after_command: What to type when that is done and the server stopped.
    """

    store: Store | None = None
    source_path: Path | None = None
    is_needed: bool
    because: str | None = None
    left_out: tuple[str, ...] = ()
    restore_command: str | None = None
    after_command: str | None = None


def _prepare(options: _Prepare, context: Context) -> ExitCode:
    if options.restored:
        if options.backup is not None:
            raise UsageError(
                problem="--after works on the restored store, and takes no backup",
                hint=f"leave the folder out: influx-recovery {OPERATION} --after",
            )
        return run_planner(options, context, lambda _: EndRestore())
    if options.output is not None:
        raise UsageError(
            problem="--output belongs to --after", hint="name the copy behind the folder"
        )
    folder = Path(required(options.backup, "BACKUP_FOLDER or --after", OPERATION))
    target = Path(options.target or f"{str(folder).rstrip('/')}{SUFFIX}")
    report = prepare_restore(
        absolute(folder),
        absolute(target),
        recorder=open_ledger(options, context, None),
        reason=options.reason,
        clock=SystemClock(),
        rng=SystemRng(),
        is_dry_run=options.dry_run,
    )
    _show(report, options, context)
    return ExitCode.DONE


PREPARE_RESTORE: Final = Command(
    description="Make a backup of influx backup restorable in full. Where the server stores "
    "tokens as hashes, as InfluxDB 2.9 does, influx restore --full ends with 401 after the "
    "metadata: it goes on with the first operator token of the backup, and of that there "
    "is no more than the hash. This makes a copy of the folder in which one more operator "
    "token comes first, checks it, and prints the command that restores it. What the client "
    "would stop at is left out of the copy and named: manifests that it cannot read, files that "
    "are missing, and shards of buckets that the metadata do not have any more. The backup "
    "itself is never written; the large files of the copy are links to it where the disk "
    "is the same. With --after it deletes that token from the restored store. It cannot "
    "restore by itself. Whoever still has an operator token of the backup can do without "
    "it, with --operator-token of influx restore.",
    example="store prepare-restore /srv/backup",
    options=_Prepare,
    run=_prepare,
    add_options=_add_prepare,
    document=RestoreDocument,
)


def _show(report: PreparedRestore, options: _Prepare, context: Context) -> None:
    output = context.output
    is_made = report.is_needed and not options.dry_run
    folder = report.target_path if report.is_needed else report.source_path
    # The client takes options in front of the folder only.
    restore = f"influx restore --full --host URL --token TOKEN {quoted(str(folder))}"
    named = {} if options.ledger is None else {Input.LEDGER: options.ledger}
    after = command_line(OPERATION, {**named, Input.RESTORED: None})
    if options.json:
        output.document(
            RestoreDocument(
                operation=OPERATION,
                is_dry_run=options.dry_run,
                target_path=report.target_path,
                backup_path=None,
                token_path=None,
                record_ids=() if report.authorization_id is None else (report.authorization_id,),
                plan={},
                warnings=(),
                source_path=report.source_path,
                is_needed=report.is_needed,
                because=report.because,
                left_out=report.left_out,
                restore_command=restore,
                after_command=after if report.authorization_id is not None else None,
            )
        )
        return
    output.prose(f"Backup: {displayed(str(report.source_path))}")
    if not report.is_needed:
        output.prose(f"It can be restored as it is: {report.because}. Nothing was made.")
        output.prose("Restore, with the address of the new server and an operator token of it:")
        output.line(f"  {restore}")
        return
    _show_needed(report, output, is_made=is_made, restore=restore, after=after)


def _show_needed(
    report: PreparedRestore, output: Output, *, is_made: bool, restore: str, after: str
) -> None:
    target = displayed(str(report.target_path))
    operator = report.authorization_id
    output.prose(f"A full restore of it would fail: {displayed(report.because)}.")
    for sentence in report.left_out:
        output.prose(f"Left out: {sentence}.")
    if not is_made:
        added = "with one more operator token" if operator else "without what is left out"
        output.prose(
            f"Dry run: nothing was written. It would make {target} {added}. Leave out --dry-run "
            "to do it."
        )
        return
    added = f" with operator {operator} in front; it was checked" if operator else ""
    output.prose(f"Done: {target} is a copy of it{added}. The backup is as it was.")
    if operator:
        output.prose(
            "The copy holds the token of that operator: keep it as safe as the store, and remove "
            "it when the restore is done."
        )
    output.prose("Next, with the address of the new server and an operator token of it:")
    output.line(f"  {restore}")
    if operator:
        output.prose("Then stop that server, and delete the added operator from its store:")
        output.line(f"  {after}")
