"""What a command is, and the options that commands share.

Lives here: `Command`, the fields that every command and every change has, and the options of more
than one command. Must not live here: options of one command, which stand beside what it does.

Invariants: what a command is given is one frozen value, whose fields are the options with their
types. It is filled from what argparse found by one function, which refuses a value of another type,
so that neither mypy nor a reader is told something else than what happens.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from recovery.cli.context import Context
from recovery.cli.documents import Document
from recovery.errors import ExitCode

if TYPE_CHECKING:
    from recovery.cli.words import Parser


class Options(msgspec.Struct, frozen=True):
    """The options that every command has, as `recovery.cli.parser` describes them."""

    bolt_path: str | None
    json: bool
    ledger: str | None
    log_format: str
    log_level: str
    reason: str | None


class Reading(Options, frozen=True):
    """The options of every command that only reads a store; `recovery.cli.parser` adds them."""

    live: bool


class Listing(Reading, frozen=True):
    """The options of every listing of records."""

    hide_headers: bool
    id: str | None
    limit: int
    match: str | None
    offset: int
    reverse: bool
    sort: str | None


class Change(Options, frozen=True):
    """The options of every change of a store, run by `recovery.cli.changing`; added the same."""

    output: str | None
    dry_run: bool
    yes: bool


class NewPassword(Change, frozen=True, kw_only=True):
    """The options of a change with a new password, by `recovery.cli.secret_input`."""

    password: str | None
    password_file: str | None


class OptionalPassword(NewPassword, frozen=True, kw_only=True):
    """As `NewPassword`, for what can be made without a password."""

    no_password: bool


OptionsT = TypeVar("OptionsT", bound=Options)


class Command(msgspec.Struct, Generic[OptionsT], frozen=True):
    """A command: what it takes, and what it does.

    Attributes:
        description: The first paragraph of its help: what it does and what it cannot do.
        example: What can be typed behind the name of the program, as it stands.
        run: Calls one service and shows the result. Returns how it ended; raises `UsageError` for
            options that clash, and any other `RecoveryError`, which says whether anything was
            changed.
        add_options: Describes the options that it has besides the common ones.
        document: What it prints with --json; None where that is a `ChangeDocument`, or nothing.
        needs_path: Whether `--bolt-path` has to be given, because nothing is looked for. No default
            of argparse: it may stand before the command.
    """

    description: str
    example: str
    options: type[OptionsT]
    run: Callable[[OptionsT, Context], ExitCode]
    add_options: "Callable[[Parser], None]" = lambda _: None
    document: type[Document] | None = None
    needs_path: bool = False

    def describe(self, parser: "Parser") -> None:
        """Describe the options that it has besides those of every command."""
        if self.needs_path:
            from argparse import SUPPRESS  # noqa: PLC0415 # what is plain does without

            parser.add_argument(
                "--bolt-path",
                default=SUPPRESS,
                metavar="FILE",
                help="the new file, or a store that nobody has set up yet (required)",
            )
        self.add_options(parser)
        if issubclass(self.options, Reading):
            _add_reading(parser)
        if issubclass(self.options, Change):
            _add_change(parser)

    def run_with(self, found: Mapping[str, object], context: Context) -> ExitCode:
        """Run it with what was typed."""
        return self.run(msgspec.convert(found, self.options), context)


def _add_change(command: "Parser") -> None:
    command.add_argument(
        "--output",
        metavar="FILE",
        help="leave the store as it is and make the change in this new copy of it (default: change "
        "the store itself)",
    )
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="stop after showing the plan; nothing is written (default: go on and ask)",
    )
    add_yes(command)


def _add_reading(command: "Parser") -> None:
    command.add_argument(
        "--live",
        action="store_true",
        help="read a private, proven snapshot of the store without its lock, while influxd is "
        "running; needs room for a copy in TMPDIR (default: lock the store, which influxd must "
        "not hold)",
    )


def add_listing(command: "Parser", *, what: str, sorts: tuple[str, ...]) -> None:
    """Add the options of `Listing`, of a record with its article, sorted by these besides IDs."""
    command.add_argument("--id", metavar="ID", help=f"only {what} with this ID (default: all)")
    command.add_argument(
        "--match",
        metavar="TEXT",
        help="only those with this in a name or in the description, in letters of either case "
        "(default: all)",
    )
    command.add_argument(
        "--sort",
        choices=sorts,
        metavar="COLUMN",
        help=f"sort by {', '.join(sorts[:-1])} or {sorts[-1]} (default: by ID)",
    )
    command.add_argument("--reverse", action="store_true", help="in reverse order (default: not)")
    command.add_argument(
        "--limit",
        type=int,
        default=0,
        metavar="N",
        help="show so many at the most; 0 for all (default: 0)",
    )
    command.add_argument(
        "--offset", type=int, default=0, metavar="N", help="leave out so many first (default: 0)"
    )
    add_hide_headers(command)


def add_hide_headers(command: "Parser") -> None:
    """Add `--hide-headers`, for a result that is a table."""
    command.add_argument(
        "--hide-headers",
        action="store_true",
        help="print the rows without the line above them (default: with it)",
    )


def add_status(command: "Parser") -> None:
    """Add `--status` to a listing."""
    command.add_argument(
        "--status",
        choices=("active", "inactive"),
        metavar="STATUS",
        help="only those that are active, or inactive (default: all)",
    )


def add_only(command: "Parser", *names: str, what: str, only: str = "the only one") -> None:
    """Add whom or what a command is about where there are several; the last name is the field."""
    command.add_argument(
        *names,
        dest=names[-1][2:],
        metavar="NAME",
        help=f"{what} (default: {only}; with several, name one)",
    )


def add_yes(command: "Parser") -> None:
    """Add `--yes`, for a command that asks before it changes anything."""
    command.add_argument(
        "--yes",
        action="store_true",
        help="do not ask; for scripts (default: a person types yes at the terminal)",
    )


def add_ensure(command: "Parser", *, wanted: str, otherwise: str = "refuse") -> None:
    """Add `--ensure`: a clause says what may be so, and another what is done without it."""
    command.add_argument(
        "--ensure",
        action="store_true",
        help=f"succeed and change nothing when {wanted} (default: {otherwise})",
    )


def add_filter(command: "Parser") -> None:
    """Add which authorizations are wanted, of many."""
    command.add_argument(
        "--operators",
        action="store_true",
        help="only operator tokens, full and partial (default: all authorizations)",
    )
    command.add_argument("--user", metavar="NAME", help="only those of this user (default: all)")
    command.add_argument(
        "--org", metavar="NAME", help="only those of this organization (default: all)"
    )


def add_form(command: "Parser") -> None:
    """Add in which form a new token is stored, as the field `form`, a `FormChoice`."""
    form = command.add_mutually_exclusive_group()
    form.add_argument(
        "--hashed",
        "--store-token-hashes",
        dest="form",
        action="store_const",
        const="hashed",
        default="by store",
        help="store only a SHA-256 hash of the token, as InfluxDB 2.9 does; needs a store of "
        "InfluxDB 2.8 or later (default: as suits the store)",
    )
    form.add_argument(
        "--raw",
        dest="form",
        action="store_const",
        const="raw",
        help="store the token itself, which survives a downgrade to InfluxDB 2.7 (default: as "
        "suits the store)",
    )
