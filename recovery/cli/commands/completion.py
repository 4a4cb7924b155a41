"""The command that completes command lines: for shells, and for their scripts.

Lives here: `completion`. Must not live here: the scripts, which are made by man/generate.py and are
data of the package, and what a shell does with them.

Invariants: with the name of a shell it prints a file and opens no store. With a kind of record it
is asked between two keys of somebody's typing, so it reads only, never waits for a lock, ends after
a second whatever happens, and says nothing of what went wrong: a name that is not proposed can
still be typed. A name that could not be typed back is left out.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.resources import files
from itertools import islice
from types import FrameType
from typing import Final

from recovery.cli.context import Context
from recovery.cli.options import Command, Options
from recovery.cli.usage import UsageError
from recovery.cli.words import Parser, nearest_word, shown
from recovery.discovery.host import Host
from recovery.discovery.search import discover
from recovery.errors import ExitCode, RecoveryError
from recovery.metastore.transaction import MetaTx
from recovery.services.authorizations.listing import list_authorizations
from recovery.services.authorizations.v1_auth import legacy_rows
from recovery.services.session import Session
from recovery.services.tenancy.bucket_listing import list_buckets
from recovery.services.tenancy.organization_listing import list_organizations
from recovery.services.tenancy.user_listing import list_users

SCRIPTS: Final = {
    "bash": "bash/influx-recovery",
    "zsh": "zsh/_influx-recovery",
    "fish": "fish/influx-recovery.fish",
}
"""Below the folder of this package, named as each shell looks for them."""
KINDS: Final[dict[str, Callable[[MetaTx], Iterator[str]]]] = {
    "auth": lambda tx: (row.id for row in list_authorizations(tx).rows),
    "bucket": lambda tx: (row.name for row in list_buckets(tx).rows if not row.is_system),
    "bucket-id": lambda tx: (row.id for row in list_buckets(tx).rows),
    "org": lambda tx: (row.name for row in list_organizations(tx).rows),
    "org-id": lambda tx: (row.id for row in list_organizations(tx).rows),
    "user": lambda tx: (row.name for row in list_users(tx).rows),
    "user-id": lambda tx: (row.id for row in list_users(tx).rows),
    "v1-auth": lambda tx: (row.username for row in legacy_rows(tx, [])),
    "v1-auth-id": lambda tx: (row.id for row in legacy_rows(tx, [])),
}
NAMES_MAX: Final = 1000
SIZE_BYTES_MAX: Final = 64 << 20
PATIENCE_S: Final = 1.0


class _Completion(Options, frozen=True):
    what: str


def _add_completion(command: Parser) -> None:
    command.add_argument(
        "what",
        metavar="SHELL",
        help="bash, zsh or fish",
    )


def _completion(options: _Completion, context: Context) -> ExitCode:
    script = SCRIPTS.get(options.what)
    if script is not None:
        text = files("recovery").joinpath("completions", script).read_text(encoding="utf-8")
        context.output.line(text.rstrip())
        return ExitCode.DONE
    if options.what not in KINDS:
        near = nearest_word(options.what, {shell: shell for shell in SCRIPTS})
        found = shown(options.what, is_stray=True)
        raise UsageError(
            problem=f"there is nothing for {found}, only for bash, zsh and fish",
            hint=f"type influx-recovery completion {near or 'bash'}",
        )
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    with suppress(RecoveryError, OSError):
        for name in _names(options, context):
            context.output.line(name)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return ExitCode.DONE


def _names(options: _Completion, context: Context) -> list[str]:
    found = discover(Host.here(context.environ), bolt_path=options.bolt_path)
    if found.path.stat().st_size > SIZE_BYTES_MAX:
        return []
    with Session.open(found.path, timeout_s=0) as session, session.view() as view:
        names = KINDS[options.what](view.tx)
        return list(islice((name for name in names if name.isprintable()), NAMES_MAX))


def _give_up(_number: int, _frame: FrameType | None) -> None:
    """End at once: nothing has been opened for writing."""
    os._exit(ExitCode.DONE)


COMPLETION: Final = Command(
    description="Print what lets a shell complete the words and options of this program, and the "
    "names in the store that it would find. An installation puts it where shells look; else try "
    "source <(influx-recovery completion bash). For the names it reads the store only when "
    "nobody has locked it.",
    example="completion bash",
    options=_Completion,
    run=_completion,
    add_options=_add_completion,
)
