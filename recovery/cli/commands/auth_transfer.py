"""The commands that move authorizations between stores.

Lives here: `auth export` and `auth import`. Must not live here: the form of a line
(`recovery.services.authorizations.transfer`).
"""

import io
import os
import sys
from pathlib import Path
from typing import BinaryIO, Final

from recovery.cli.changing import run_planner
from recovery.cli.context import Context
from recovery.cli.disclosing import disclose
from recovery.cli.documents import ListDocument, shaped
from recovery.cli.listing import report_problems
from recovery.cli.options import (
    Change,
    Command,
    Reading,
    add_ensure,
    add_filter,
    add_form,
)
from recovery.cli.secret_input import STDIN
from recovery.cli.store import absolute, find_store, read_session, show_header, store_of
from recovery.cli.words import Parser
from recovery.errors import ExitCode, RefusedError
from recovery.model.display import displayed, plural
from recovery.services.authorizations.export import export_authorizations
from recovery.services.authorizations.intake import ImportAuthorizations
from recovery.services.authorizations.listing import AuthorizationFilter
from recovery.services.authorizations.new_token import FormChoice

FILE_SIZE_BYTES_MAX = 1 << 30
"""More than 250,000 operator tokens; a store by mistake is not read into memory."""


class _Export(Reading, frozen=True):
    file: str
    with_tokens: bool
    operators: bool
    user: str | None
    org: str | None


def _add_export(command: Parser) -> None:
    command.add_argument("file", metavar="FILE", help="the new file; none is overwritten")
    command.add_argument(
        "--with-tokens",
        action="store_true",
        help="put the tokens and hashes into the file, as they are stored; this is recorded in the "
        "ledger (default: leave them out)",
    )
    add_filter(command)


class ExportDocument(ListDocument, frozen=True, kw_only=True):
    """What --json prints after an export."""

    target_path: Path
    has_tokens: bool
    record_ids: tuple[str, ...]


def _export(options: _Export, context: Context) -> ExitCode:
    target = Path(options.file)
    wanted = AuthorizationFilter(
        operators_only=options.operators, user=options.user, organization=options.org
    )
    found = find_store(options, context)
    with read_session(found, options, context.output) as session, session.view() as view:
        disclosure = None
        if options.with_tokens:
            disclosure = disclose(view.facts, "auth export --with-tokens", options, context)
        with context.output.waiting("writing the authorizations"):
            exported = export_authorizations(view.tx, target, wanted, disclosure)
        if options.json:
            context.output.document(
                shaped(
                    exported,
                    ExportDocument,
                    store=store_of(found, view.facts),
                    target_path=absolute(target),
                    has_tokens=options.with_tokens,
                )
            )
        else:
            show_header(found, view.facts, context.output)
            context.output.prose(
                f"{plural(exported.count, 'authorization')} in {displayed(str(target))}, "
                + (
                    "with tokens and hashes: keep it safe."
                    if options.with_tokens
                    else "without tokens: it cannot be imported."
                )
            )
    return report_problems(exported.problems, context)


EXPORT: Final = Command(
    description="Write authorizations into a new file of mode 0600, a JSON object a line: the "
    "record as it is stored, and the names of its user, organization and buckets. The store is "
    "opened for reading only and nothing in it is changed. Without --with-tokens the file holds no "
    "secret, and cannot be imported. It cannot turn a hash back into a token.",
    example="auth export /root/tokens.jsonl --with-tokens",
    options=_Export,
    run=_export,
    add_options=_add_export,
    document=ExportDocument,
)


class _Import(Change, frozen=True):
    file: str
    match_by_name: bool
    ensure: bool
    form: FormChoice


def _add_import(command: Parser) -> None:
    command.add_argument("file", metavar="FILE", help="the file, or - for standard input")
    command.add_argument(
        "--match-by-name",
        action="store_true",
        help="take the users, organizations and buckets of the same names, as on a server that was "
        "set up anew (default: those with the same IDs)",
    )
    add_ensure(command, wanted="an authorization is there already with the same rights")
    add_form(command)


def _import(options: _Import, context: Context) -> ExitCode:
    with _opened(options.file) as file:
        size_bytes = file.seek(0, os.SEEK_END)
        return run_planner(
            options,
            context,
            lambda found: ImportAuthorizations(
                file=file,
                is_matched_by_name=options.match_by_name,
                is_ensured=options.ensure,
                form=options.form,
                server_hashes=found.files.use_hashed_tokens,
            ),
            added_bytes=size_bytes,
        )


IMPORT: Final = Command(
    description="Add the authorizations of a file made by auth export --with-tokens, all of them "
    "in one transaction or none, so that a restored or rebuilt server accepts the tokens that "
    "clients have. influxd must be stopped. Every conflict is listed before anything is written. "
    "It makes no users, organizations or buckets: those must be there, with the same IDs, or with "
    "the same names and --match-by-name.",
    example="auth import /root/tokens.jsonl --match-by-name --ensure",
    options=_Import,
    run=_import,
    add_options=_add_import,
)


def _opened(place: str) -> BinaryIO:
    """Open a file, or read what can be read only once: standard input, or a pipe."""
    try:
        if place == STDIN:
            file: BinaryIO = io.BytesIO(sys.stdin.buffer.read(FILE_SIZE_BYTES_MAX + 1))
        else:
            file = Path(place).open("rb")  # noqa: SIM115 # whoever asked closes it
            if not file.seekable():
                with file:
                    file = io.BytesIO(file.read(FILE_SIZE_BYTES_MAX + 1))
        size_bytes = file.seek(0, os.SEEK_END)
    except OSError as error:
        name = "standard input" if place == STDIN else displayed(place)
        raise RefusedError(
            reason=f"{name} cannot be read ({error.strerror})",
            hint="name a file made by influx-recovery auth export, or - for standard input",
        ) from None
    if size_bytes > FILE_SIZE_BYTES_MAX:
        file.close()
        raise RefusedError(
            reason=f"{displayed(place)} has more than {FILE_SIZE_BYTES_MAX >> 20} MiB",
            hint="split it by lines, and import the parts",
        )
    return file
