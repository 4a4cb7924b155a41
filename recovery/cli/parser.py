"""The command line: what can be typed, and what is said when it is mistyped.

Lives here: `build_parser`, which the man page is made from too, and `parse_arguments`. Must not
live here: anything heavy, anything done at import, the environment, and the options of a noun,
which are in `recovery.cli.arguments`.

Invariants: `build_parser` is pure. A mistake raises `UsageError` and never exits, so that errors
are worded in one place. What a person typed is escaped before it is repeated.
"""

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from recovery.cli.arguments.auth import add_auth
from recovery.cli.arguments.bucket import add_bucket
from recovery.cli.arguments.demo import add_demo
from recovery.cli.arguments.ledger import add_ledger
from recovery.cli.arguments.org import add_instance, add_org
from recovery.cli.arguments.setup import add_setup
from recovery.cli.arguments.shared import COMMON_DEFAULTS, common_options
from recovery.cli.arguments.store import add_store
from recovery.cli.arguments.user import add_user
from recovery.cli.arguments.v1_auth import add_v1_auth
from recovery.cli.usage import UsageError
from recovery.cli.words import Choices, Parser, UnknownWordError, nearest, shown

PROGRAM: Final = "influx-recovery"

_DESCRIPTION: Final = (
    "Get back into a stopped InfluxDB OSS 2.x server from its metadata file, influxd.bolt, alone: "
    "list who can get in, and make a new operator token. It needs no token, no password and no "
    "network, and it works on the file, so influxd has to be stopped first. It cannot reveal a "
    "token that is stored as a hash, and it does not read or change time series."
)
_TYPOGRAPHIC_DASHES: Final = "\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{HYPHEN}\N{HORIZONTAL BAR}"


_NOUNS: Final[dict[str, Callable[[Choices], None]]] = {
    "auth": add_auth,
    "v1-auth": add_v1_auth,
    "user": add_user,
    "org": add_org,
    "bucket": add_bucket,
    "instance": add_instance,
    "setup": add_setup,
    "store": add_store,
    "ledger": add_ledger,
    "demo": add_demo,
}
"""The first words, in the order of the help, and what describes what may follow each of them."""


def understand(argv: Sequence[str]) -> tuple[argparse.Namespace, Parser]:
    """Understand a command line in as little time as it takes.

    Describing all commands costs as much as starting Python, so only the noun that is typed is
    described at first. Whatever that does not understand is given to the whole parser, which knows
    all that could have been meant.

    Args:
        argv: What was typed after the program's name.

    Returns:
        The values of all options, and the parser that found them.

    Raises:
        UsageError: It cannot be understood; the hint names what was probably meant.
    """
    if not {"-h", "--help"} & set(argv):
        noun = next((word for word in argv if word in _NOUNS), "")
        parser = build_parser(only=noun)
        with contextlib.suppress(UsageError):
            return parse_arguments(argv, parser), parser
    parser = build_parser()
    return parse_arguments(argv, parser), parser


def build_parser(*, only: str | None = None) -> Parser:
    """Describe the whole command line.

    Args:
        only: The one noun to describe, or "" for none.

    Returns:
        A parser that has done nothing yet.
    """
    parser = Parser(prog=PROGRAM, description=_DESCRIPTION, parents=[common_options(is_shown=True)])
    parser.set_defaults(words="")
    nouns = parser.add_subparsers(title="commands", metavar="COMMAND", dest="noun")
    for noun, add_noun in _NOUNS.items():
        if only is None or only == noun:
            add_noun(nouns)
    return parser


def parse_arguments(argv: Sequence[str], parser: Parser) -> argparse.Namespace:
    """Understand a command line.

    Args:
        argv: What was typed after the program's name.
        parser: What can be typed.

    Returns:
        The values of all options. `run` is None when no command was named.

    Raises:
        UsageError: It cannot be understood; the hint names what was probably meant.
    """
    _refuse_unknown_options(argv, parser)
    try:
        arguments, extra = parser.parse_known_args(argv)
    except UnknownWordError as mistake:
        raise _unknown_word(mistake, argv) from None
    if extra:
        command = _named_command(argv, parser)
        raise _misplaced(extra[0], command, parser)
    for name, value in COMMON_DEFAULTS.items():
        if not hasattr(arguments, name):
            setattr(arguments, name, value)
    return arguments


def commands(parser: Parser) -> Iterator[Parser]:
    """Find all complete commands.

    Args:
        parser: Where to begin.

    Yields:
        The parsers that have no further word, in the order of the help.
    """
    if not parser.children:
        yield parser
    for child in parser.children.values():
        yield from commands(child)


def _refuse_unknown_options(argv: Sequence[str], parser: Parser) -> None:
    """Look for options that no command has, before argparse takes their values for commands.

    Args:
        argv: What was typed.
        parser: What can be typed.

    Raises:
        UsageError: There is one.
    """
    known = dict(parser.options)
    for command in commands(parser):
        known.update(command.options)
    is_value = False
    for typed in argv:
        name, equals, _ = typed.partition("=")
        if is_value:
            is_value = False
        elif typed == "--":
            return
        elif name in known:
            is_value = known[name].nargs != 0 and not equals
        elif typed[:1] in {*_TYPOGRAPHIC_DASHES} or (typed[:1] == "-" and typed != "-"):
            raise _unknown_option(name, _named_command(argv, parser), known)


def _unknown_option(name: str, command: Parser, known: dict[str, argparse.Action]) -> UsageError:
    plain = "--" + name.lstrip("-" + _TYPOGRAPHIC_DASHES)
    near = nearest(plain, command.options) or nearest(plain, known)
    return UsageError(
        problem=f"unknown option {shown(name)}",
        hint=f"did you mean {near}?" if near else f"type {command.prog} --help",
    )


def _misplaced(word: str, command: Parser, parser: Parser) -> UsageError:
    """Word the complaint about something known that has no place in this command."""
    name = word.partition("=")[0]
    owners = [other.prog for other in commands(parser) if name in other.options]
    if owners:
        return UsageError(
            problem=f"{command.prog} has no option {name}", hint=f"it belongs to {owners[0]}"
        )
    return UsageError(
        problem=f"{command.prog} takes no {shown(word)}", hint=f"type {command.prog} --help"
    )


def _unknown_word(mistake: UnknownWordError, argv: Sequence[str]) -> UsageError:
    """Word the complaint about an unknown command, with the whole command that was meant."""
    here = mistake.parser
    near = nearest(mistake.word, here.children)
    if near is not None:
        rest = argv[list(argv).index(mistake.word) + 1 :]
        meant = [_named_command(rest, here.children[near], is_lenient=True).prog]
    else:
        verb = nearest(mistake.word, {command.prog.split()[-1] for command in commands(here)})
        meant = [command.prog for command in commands(here) if command.prog.split()[-1] == verb]
    return UsageError(
        problem=f"unknown command {shown(mistake.word)}",
        hint=f"did you mean {' or '.join(meant)}?" if meant else f"type {here.prog} --help",
    )


def _named_command(argv: Sequence[str], parser: Parser, *, is_lenient: bool = False) -> Parser:
    """Follow the words of a command line as far as they are understood."""
    here = parser
    for typed in argv:
        word = nearest(typed, here.children) if is_lenient else typed
        here = here.children.get(word or "", here)
    return here
