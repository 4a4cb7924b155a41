"""Options that every command has, and the plumbing that the nouns share.

Lives here: the common options, and how a noun and its verbs are added. Must not live here: options
of one command.

Invariants: no common option has a default in argparse. Each is accepted before the noun, after it
and after the verb, and a default of the later place would overwrite a value given in an earlier
one. `COMMON_DEFAULTS` is filled in after parsing.
"""

import argparse
from typing import Final

from recovery.cli.words import COMMON_OPTIONS, Choices, Parser

LOG_FORMATS: Final = ("auto", "console", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

COMMON_DEFAULTS: Final[dict[str, object]] = {
    "bolt_path": None,
    "json": False,
    "ledger": None,
    "log_format": "auto",
    "log_level": "warning",
    "reason": None,
    "version": False,
    "run": None,
}

_BOLT_PATH_HELP: Final = (
    "the store, influxd.bolt; commands that only read also take a .bolt.gz file, or the folder of "
    "an influx backup (default: INFLUXD_BOLT_PATH, then the configuration file that "
    "INFLUXD_CONFIG_PATH names, then the places where packages and images put it)"
)
_LEDGER_HELP: Final = (
    "SQLite file that records what was done, never a secret (default: in the state folder of the "
    "user; see FILES in the manual)"
)


def common_options(*, is_shown: bool) -> Parser:
    """Make a parent parser that holds the common options.

    Args:
        is_shown: Whether help lists them. A noun such as `auth` accepts them without listing them,
            because its help is the list of its verbs.

    Returns:
        A parser for the argument `parents` of others.
    """
    parent = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parent.add_argument_group(COMMON_OPTIONS)

    def text(line: str) -> str:
        return line if is_shown else argparse.SUPPRESS

    group.add_argument("--bolt-path", metavar="FILE", help=text(_BOLT_PATH_HELP))
    group.add_argument(
        "--json", action="store_true", help=text("print one JSON document instead of text")
    )
    group.add_argument("--ledger", metavar="FILE", help=text(_LEDGER_HELP))
    group.add_argument(
        "--reason", metavar="TEXT", help=text("why this is done, for the ledger (default: none)")
    )
    group.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        metavar="LEVEL",
        help=text("log this and worse on stderr: debug, info, warning or error (default: warning)"),
    )
    group.add_argument(
        "--log-format",
        choices=LOG_FORMATS,
        metavar="FORMAT",
        help=text(
            "console, json, or auto, which is console on a terminal and json elsewhere "
            "(default: auto)"
        ),
    )
    group.add_argument("--version", action="store_true", help=text("print the version and stop"))
    return parent


def add_noun(nouns: Choices, name: str, *, summary: str, description: str) -> Choices:
    """Add a noun such as `auth`.

    Args:
        nouns: The nouns of the program.
        name: The noun.
        summary: Its line in the list of all commands.
        description: The first paragraph of its help.

    Returns:
        The place where its verbs are added.
    """
    noun = nouns.add_parser(
        name,
        help=summary,
        description=description,
        parents=[common_options(is_shown=False)],
    )
    noun.set_defaults(words=name)
    return noun.add_subparsers(title="commands", metavar="COMMAND", dest="verb")


def add_command(
    choices: Choices, words: str, *, run: str, summary: str, description: str
) -> Parser:
    """Add a command: the last word of a command line.

    Args:
        choices: Where that word is one of the choices.
        words: The whole command, such as "auth list".
        run: Its function, as "module:function" in `recovery.cli.commands`.
        summary: Its line in the list of commands.
        description: The first paragraph of its help: what it does and what it cannot do.

    Returns:
        Its parser, ready for the options that it alone has.
    """
    command = choices.add_parser(
        words.rpartition(" ")[2],
        help=summary,
        description=description,
        parents=[common_options(is_shown=True)],
    )
    command.set_defaults(run=run, words=words)
    return command


def add_manner(command: Parser) -> None:
    """Add the options that every change of a store has.

    Args:
        command: A command that is run by `recovery.cli.changing`.
    """
    command.set_defaults(token_stdout=False)  # who reports the end asks every change for it
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
    command.add_argument(
        "--yes",
        action="store_true",
        help="do not ask; for scripts (default: a person types yes at the terminal)",
    )
