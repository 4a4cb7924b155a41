"""The commands that move authorizations between stores.

Lives here: `auth export` and `auth import`. Must not live here: the form of a line
(`recovery.services.authorizations.transfer`).
"""

import argparse
import sys
from pathlib import Path

from recovery.cli.changing import run_planner
from recovery.cli.commands.auth_creation import form_choice
from recovery.cli.context import Context
from recovery.cli.listing import plural, report_problems
from recovery.cli.secret_input import STDIN
from recovery.cli.store import find_store, show_header, store_document
from recovery.errors import ExitCode, RefusedError
from recovery.model.display import displayed
from recovery.services.authorizations.details import AuthorizationReader, open_reader
from recovery.services.authorizations.export import export_authorizations
from recovery.services.authorizations.intake import ImportAuthorizations
from recovery.services.authorizations.listing import AuthorizationFilter

FILE_SIZE_BYTES_MAX = 1 << 30
"""More than 250,000 operator tokens; a store by mistake is not read into memory."""


def run_export(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Write authorizations into a new file.

    Args:
        arguments: The options of `auth export`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: The store cannot be read, or the file not be made.
    """
    target = Path(arguments.file)
    wanted = AuthorizationFilter(
        operators_only=arguments.operators, user=arguments.user, organization=arguments.org
    )
    found = find_store(arguments, context)
    with open_reader(found.path) as reader:
        if arguments.with_tokens:
            _record(arguments, context, reader)
        exported = export_authorizations(
            reader.tx, target, wanted, with_tokens=arguments.with_tokens
        )
        if arguments.json:
            context.output.document(
                {
                    **store_document(found, reader.facts),
                    "path": str(target),
                    "has_tokens": arguments.with_tokens,
                    "record_ids": list(exported.record_ids),
                }
            )
        else:
            show_header(found, reader.facts, context.output)
            context.output.prose(
                f"{plural(exported.count, 'authorization')} in {displayed(str(target))}, "
                + (
                    "with tokens and hashes: keep it safe."
                    if arguments.with_tokens
                    else "without tokens: it cannot be imported."
                )
            )
    return report_problems(exported.problems, context)


def run_import(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Bring exported authorizations into a store.

    Args:
        arguments: The options of `auth import`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    content = _content(arguments.file)
    return run_planner(
        arguments,
        context,
        lambda found: ImportAuthorizations(
            content=content,
            is_matched_by_name=arguments.match_by_name,
            is_ensured=arguments.ensure,
            form=form_choice(arguments),
            server_hashes=found.files.use_hashed_tokens,
        ),
    )


def _content(place: str) -> bytes:
    """Read a file, or standard input."""
    try:
        if place == STDIN:
            content = sys.stdin.buffer.read(FILE_SIZE_BYTES_MAX + 1)
        else:
            with Path(place).open("rb") as file:
                content = file.read(FILE_SIZE_BYTES_MAX + 1)
    except OSError as error:
        name = "standard input" if place == STDIN else displayed(place)
        raise RefusedError(
            reason=f"{name} cannot be read ({error.strerror})",
            hint="name a file made by influx-recovery auth export, or - for standard input",
        ) from None
    if len(content) > FILE_SIZE_BYTES_MAX:
        raise RefusedError(
            reason=f"{displayed(place)} has more than {FILE_SIZE_BYTES_MAX >> 20} MiB",
            hint="split it by lines, and import the parts",
        )
    return content


def _record(arguments: argparse.Namespace, context: Context, reader: AuthorizationReader) -> None:
    """Write down that tokens are going to leave the store, before they do."""
    from recovery.cli.recording import open_ledger  # noqa: PLC0415 # only this needs the ledger
    from recovery.services.changes.sequence import Intent  # noqa: PLC0415 # as above

    open_ledger(arguments, context).note(
        Intent(
            operation="auth export --with-tokens",
            store_path=reader.facts.path,
            device=reader.facts.device,
            inode=reader.facts.inode,
            record_ids=(),
            backup_path=None,
            reason=arguments.reason,
        )
    )
