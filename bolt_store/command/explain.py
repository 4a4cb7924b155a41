"""What an exception means for the person at the terminal.

Lives here: the table from exceptions to exit codes, sentences and hints. Must not live here: any
other knowledge about the commands.
"""

import argparse
import os

from bolt_store.command.exit_code import CommandError, ExitCode
from bolt_store.command.output import shown
from bolt_store.command.parser import PROGRAM
from bolt_store.errors import (
    BoltError,
    CommitError,
    DamagedError,
    FormatError,
    LimitError,
    LockError,
    LockTimeoutError,
    SnapshotError,
    SurgeryError,
    TruncatedError,
)

_UNCHANGED = "nothing was changed"


def explain(error: BoltError | OSError, arguments: argparse.Namespace) -> CommandError:
    """Translate an exception.

    Args:
        arguments: What was typed.

    Returns:
        What to say and to exit with.
    """
    if isinstance(error, OSError):
        return _explain_os(error, arguments)
    file = shown(arguments.file)
    if isinstance(error, CommitError):
        target = shown(arguments.target)
        return CommandError(
            f"{target} cannot be written: {error.problem}; {_UNCHANGED}",
            exit_code=ExitCode.WRITE_FAILED,
            hint=f"look at the folder of {target}, its space and its permissions",
        )
    salvage = f"{PROGRAM} salvage {file} TARGET"
    match error:
        case LockTimeoutError():
            code, hint = ExitCode.BUSY, f"type {PROGRAM} snapshot {file} COPY, and use the copy"
        case LockError():
            code, hint = ExitCode.BUSY, "copy the file to a local disk, and use the copy"
        case SnapshotError():
            code, hint = ExitCode.BUSY, f"stop what writes {file}, or try again with --attempts"
        case SurgeryError():
            code, hint = ExitCode.REFUSED, f"type {PROGRAM} check {file}, or {salvage}"
        case LimitError():
            code, hint = ExitCode.USAGE, f"type {PROGRAM} {arguments.command} --help"
        case TruncatedError() if arguments.command == "page":
            code, hint = ExitCode.NOT_FOUND, f"type {PROGRAM} pages {file}"
        case DamagedError() | FormatError() if not _size_of(arguments.file):
            code, hint = ExitCode.NOT_FOUND, "restore a backup: an empty file has lost everything"
        case _:
            code, hint = ExitCode.DAMAGED, f"type {salvage}"
    return CommandError(f"{file}: {error}; {_UNCHANGED}", exit_code=code, hint=hint)


def _explain_os(error: OSError, arguments: argparse.Namespace) -> CommandError:
    reason = error.strerror or str(error)
    file = shown(arguments.file)
    if isinstance(error, FileExistsError):
        return CommandError(
            f"{shown(getattr(arguments, 'target', error.filename))} exists; {_UNCHANGED}",
            exit_code=ExitCode.REFUSED,
            hint="name a target that does not exist yet",
        )
    if error.filename is not None:
        return CommandError(
            f"{file} cannot be opened: {reason}; {_UNCHANGED}",
            exit_code=ExitCode.NOT_FOUND,
            hint="name a bolt file that this user may read",
        )
    return CommandError(
        f"{file} cannot be read: {reason}; {_UNCHANGED}",
        exit_code=ExitCode.DAMAGED,
        hint="copy what the disk still gives, for example with ddrescue, and salvage the copy",
    )


def _size_of(path: str) -> int:
    """Return the size of a file; not 0 when it cannot be told."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - `path` is a string here
    except OSError:
        return -1
