"""What can be typed.

Lives here: `build_parser`. Must not live here: what a command does; each names a function, which is
looked up when it is run.
"""

import argparse
from collections.abc import Sequence
from typing import Final, NoReturn, TypeAlias

from bolt_store.command.exit_code import CommandError, ExitCode

PROGRAM: Final = "python -m bolt_store"
LOCK_TIMEOUT_S: Final = 1.0

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 - it has no public name

_DESCRIPTION: Final = (
    "Look at, check, compact and salvage bolt (bbolt) files: those of etcd, Consul, containerd, "
    "InfluxDB 2 and others. No command changes FILE; what is made goes into a new file, TARGET. "
    "Keys and values are hidden unless they are asked for, because they may be secrets."
)
_LOCK_NOTE: Final = "It takes the shared lock, so no program may have FILE open for writing."
_TARGET_NOTE: Final = (
    "TARGET must not exist; it appears when it is complete and its check is clean, with the owner "
    "and mode of FILE."
)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises its complaints."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print, as `CommandError`."""
        raise CommandError(
            f"{message}; nothing was done",
            exit_code=ExitCode.USAGE,
            hint=f"type {self.prog} --help",
        )


def build_parser() -> Parser:
    """Describe the whole command line by a parser that has done nothing yet."""
    parser = Parser(prog=PROGRAM, description=_DESCRIPTION, allow_abbrev=False)
    commands: Commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True
    )
    _add_looking(commands)
    _add_copying(commands)
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Understand a command line.

    Args:
        argv: What was typed after the program's name.

    Returns:
        The values of all options.

    Raises:
        CommandError: It cannot be understood.
        SystemExit: Help was asked for and printed.
    """
    return build_parser().parse_args(argv)


def _add_looking(commands: Commands) -> None:
    check = _add(
        commands,
        "check",
        "looking:check",
        "find everything that is wrong with FILE",
        "Check FILE more strictly than bbolt does: metas, freelist, every tree and every element. "
        f"Findings are damage from WARNING on; then the exit code is 1. {_LOCK_NOTE}",
    )
    check.add_argument("--quiet", action="store_true", help="print the last line alone")
    info = _add(
        commands,
        "info",
        "looking:info",
        "show metas, sizes and sums of FILE",
        "Show what both metas say, how the pages are used, and sums over all buckets. "
        f"{_LOCK_NOTE}",
    )
    info.add_argument("--buckets", action="store_true", help="list every bucket, too")
    _add_show(info, "--show-keys", "print the names of buckets as they are")
    _add(
        commands,
        "pages",
        "looking:pages",
        "list the pages of FILE",
        "List every run of pages in use and every other page below the high water mark, with its "
        f"kind, number of elements, number of overflow pages and state. {_LOCK_NOTE}",
    )
    page = _add(
        commands,
        "page",
        "looking:page",
        "describe one page of FILE",
        f"Describe one page as it lies in FILE, damaged or not, element by element. {_LOCK_NOTE}",
    )
    page.add_argument("pgid", metavar="PGID", type=int, help="the page, counted from 0")
    _add_show_both(page)
    dump = _add(
        commands,
        "dump",
        "looking:dump",
        "walk all buckets, keys and values of FILE",
        "Walk everything in FILE, depth first in key order. A key or value is shown as its length "
        f"and a fingerprint that holds for this run only. {_LOCK_NOTE}",
    )
    _add_show_both(dump)


def _add_copying(commands: Commands) -> None:
    compact = _add(
        commands,
        "compact",
        "copying:compact_file",
        "copy FILE without its free pages",
        "Copy the content of FILE into a new, packed file. What was deleted from FILE is not in "
        f"it; it stays in FILE and on the disk. {_LOCK_NOTE} {_TARGET_NOTE}",
    )
    _add_target(compact)
    _add_salvage(commands)
    snapshot = _add(
        commands,
        "snapshot",
        "copying:take_snapshot",
        "copy FILE while another program is writing it",
        "Copy FILE without its lock. The copy is made again until no transaction came between and "
        f"its check is clean. For local file systems. {_TARGET_NOTE}",
        is_locked=False,
    )
    _add_target(snapshot)
    snapshot.add_argument(
        "--attempts",
        metavar="COUNT",
        type=_positive,
        default=100,
        help="how often to try (default: %(default)s)",
    )
    revert = _add(
        commands,
        "revert",
        "copying:revert_file",
        "copy FILE without its last transaction",
        "Copy FILE and make its older snapshot count, if that checks clean and is another one. "
        f"{_LOCK_NOTE} {_TARGET_NOTE}",
    )
    _add_target(revert)
    rebuild = _add(
        commands,
        "rebuild-freelist",
        "copying:rebuild_free_pages",
        "copy FILE with a new freelist",
        "Copy FILE with a freelist of all pages that its trees do not use. Pages that were neither "
        "used nor free become free, too; they may be what is left of a lost write, so run check or "
        f"salvage before. {_LOCK_NOTE} {_TARGET_NOTE}",
    )
    _add_target(rebuild)


def _add_salvage(commands: Commands) -> None:
    salvage = _add(
        commands,
        "salvage",
        "copying:salvage_file",
        "get out of a damaged FILE what can be got",
        "Write what can be read from a damaged FILE into a new file, and report what came from "
        "where, what is missing and what was left aside. No meta, tree or freelist of FILE is "
        "believed. The exit code is 1 when anything is missing or uncertain, 5 when nothing was "
        f"found and no file was made. {_LOCK_NOTE} {_TARGET_NOTE}",
    )
    _add_target(salvage)
    salvage.add_argument(
        "--root",
        metavar="PGID",
        type=int,
        help="take this page as the root of all (default: what the metas or a search say)",
    )
    salvage.add_argument(
        "--page-size",
        metavar="BYTES",
        type=_positive,
        help="page size of FILE (default: what a meta says, else what the pages say)",
    )
    salvage.add_argument(
        "--use-older",
        action="store_true",
        help="fill missing ranges from the other snapshot, which may be outdated there",
    )
    salvage.add_argument(
        "--no-lock",
        action="store_true",
        help="read FILE without its lock, for file systems that have none; nothing may write it",
    )


def _add(
    commands: Commands,
    name: str,
    run: str,
    summary: str,
    description: str,
    *,
    is_locked: bool = True,
) -> Parser:
    parser = commands.add_parser(name, help=summary, description=description, allow_abbrev=False)
    parser.set_defaults(run=run)
    parser.add_argument("file", metavar="FILE", help="the bolt file; it is only read")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    if is_locked:
        parser.add_argument(
            "--lock-timeout",
            metavar="SECONDS",
            type=_seconds,
            default=LOCK_TIMEOUT_S,
            help="how long to try for the lock (default: %(default)s)",
        )
    return parser


def _add_target(parser: Parser) -> None:
    parser.add_argument("target", metavar="TARGET", help="the file to make")


def _add_show_both(parser: Parser) -> None:
    _add_show(parser, "--show-keys", "print keys and the names of buckets as they are")
    _add_show(parser, "--show-values", "print values as they are")


def _add_show(parser: Parser, option: str, text: str) -> None:
    parser.add_argument(option, action="store_true", help=f"{text}; they may be secrets")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError
    return number
