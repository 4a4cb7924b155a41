"""The command line: what can be typed, and what is said when it is mistyped.

Lives here: `build_parser`, which the man page is made from too, and `parse_arguments`. Must not
live here: anything heavy, anything done at import, the environment, the words
(`recovery.cli.vocabulary`), the options that every command has (`recovery.cli.plain`), and those of
one command, which stand beside what it does in `recovery.cli.commands`.

Invariants: only the command that was typed is imported, unless it was mistyped. A mistake raises
`UsageError` and never exits, so that errors are worded in one place. What a person typed is escaped
before it is repeated. No common option has a default in argparse: each is accepted before the noun,
after it and after the verb, and a default of the later place would overwrite a value given in an
earlier one. `COMMON_DEFAULTS` is filled in after parsing.
"""

import argparse
import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from recovery.cli.habits import (
    ASKING,
    BARE,
    OTHER_TOOLS,
    SHORT,
    advice_for,
    bare_places,
    in_our_words,
    takes,
    with_our_options,
)
from recovery.cli.plain import COMMON_DEFAULTS, FLAGS, NAMES, PATHS, VALUED, add_common
from recovery.cli.usage import UsageError, missing
from recovery.cli.vocabulary import COMMANDS, NOUNS, PROGRAM, VERBS, load
from recovery.cli.words import (
    COMMON_OPTIONS,
    GRANTING,
    Choices,
    HelpAskedError,
    Parser,
    UnknownWordError,
    is_required,
    nearest_option,
    shown,
    typed_as,
)
from recovery.model.display import quoted
from recovery.model.ids import parse_id

if TYPE_CHECKING:
    from recovery.cli.options import Command

_OWNERS_MAX: Final = 2
"""With more, the commands that have an option say nothing about what was meant."""
_PLACES: Final = frozenset({"--bolt-path", "--ledger"})
"""Options with which a command that is proposed has to be about the same store."""
_SAYING_YES: Final = frozenset({"--yes", "-y", "--force", "-f"})
_NO_FILES: Final = VERBS | {
    *("prune", "all", "now", "it", "to", "file", "json", "yaml", "csv", "html", "sqlite", "text")
}
"""What is not taken for the name of a new file."""
_PACKED: Final = (".tar.gz", ".tgz", ".gz", ".xz", ".zst", ".zip", ".bz2", ".tar", ".7z")
_TAKING_AWAY: Final = frozenset({"delete", "set-inactive", "deactivate", "rotate", "undo"})
"""Verbs that nobody is led to by an option."""
_DESCRIPTION: Final = (
    "Get back into a stopped InfluxDB OSS 2.x server from its metadata file, influxd.bolt, alone: "
    "list who can get in, and make a new operator token. It needs no token, no password and no "
    "network, and it works on the file, so influxd has to be stopped first. It cannot reveal a "
    "token that is stored as a hash, and it does not read or change time series."
)
TYPOGRAPHIC_DASHES: Final = (
    "\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{HYPHEN}\N{HORIZONTAL BAR}"
    "\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}"
)


def understand(argv: Sequence[str]) -> tuple[argparse.Namespace, Parser]:
    """Understand a command line in as little time as it takes.

    Importing and describing all commands costs more than starting Python, so only the one that is
    typed is described at first. Whatever that does not understand is given to the whole parser,
    which knows all that could have been meant.

    Raises:
        UsageError: It cannot be understood; the hint names what was probably meant.
    """
    ours = in_our_words(argv, VALUED)
    words = _words_of(ours)
    if words in COMMANDS:
        parser = command_parser(words)
        ours = with_our_options(ours, words, parser)
        options = _without_words(ours, words)
        if options is not None:
            with contextlib.suppress(UsageError):
                return parse_arguments(options, parser), parser
    else:
        parser = build_parser(only=words)
        with contextlib.suppress(UsageError):
            return parse_arguments(ours, parser), parser
    parser = build_parser()
    return parse_arguments(ours, parser), parser


def typed_words(argv: Sequence[str]) -> str:
    """Find a command or a noun, as far as it was typed before help was asked for, or ""."""
    return _words_of(in_our_words(argv, VALUED))


def _words_of(argv: Sequence[str]) -> str:
    words = ""
    is_value = False
    for typed in argv:
        longer = f"{words} {typed}".lstrip()
        if typed in ASKING or words in COMMANDS:
            break
        if is_value:
            is_value = False
        elif typed.startswith("-"):
            is_value = typed in VALUED
        elif longer in NOUNS or longer in COMMANDS:
            words = longer
        else:
            break
    return words


def _without_words(argv: Sequence[str], words: str) -> list[str] | None:
    """Take the words of a command away.

    Returns:
        What was typed beside them; None where something else than a common option stands between
        them, which only the whole parser judges rightly.
    """
    rest = words.split()
    options: list[str] = []
    is_value = False
    for place, typed in enumerate(argv):
        if is_value:
            is_value = False
        elif typed == rest[0]:
            del rest[0]
            if not rest:
                return [*options, *argv[place + 1 :]]
            continue
        elif typed in VALUED:
            is_value = True
        elif typed not in FLAGS and typed.partition("=")[0] not in VALUED:
            break
        options.append(typed)
    return None


def command_parser(words: str) -> Parser:
    """Describe one command alone, as somebody sees it who has typed its words."""
    command = load(words)
    parser = Parser(
        prog=f"{PROGRAM} {words}",
        description=command.description,
        parents=[common_options(command)],
    )
    _add_options(parser, words, command)
    return parser


def build_parser(*, only: str | None = None) -> Parser:
    """Describe the command line.

    Args:
        only: The words of the one command to describe with its options; or those of a noun, whose
            commands are only listed; or "", to list the nouns. All is described by default.
    """
    parser = Parser(prog=PROGRAM, description=_DESCRIPTION, parents=[common_options()])
    parser.example = f"{PROGRAM} auth list"
    parser.set_defaults(words="", command=None)
    places = {"": parser.add_subparsers(title="commands", metavar="COMMAND")}
    for words in COMMANDS:
        noun = words.rpartition(" ")[0]
        if noun not in places and (not only or only.partition(" ")[0] == noun):
            places[noun] = _add_noun(places[""], noun)
        if only is None or only == words:
            _add_command(places[noun], words)
        elif only == noun:
            places[noun].add_parser(words.rpartition(" ")[2], help=COMMANDS[words].summary)
    return parser


def help_text(asked: HelpAskedError) -> str:
    """Write the help of a command or noun; for the program's name with `all`, of every command."""
    text = asked.parser.format_help(is_all=asked.is_all)
    if not asked.is_all or asked.parser.prog != PROGRAM:
        return text
    import shutil  # noqa: PLC0415 # only help needs them
    import textwrap  # noqa: PLC0415

    width = max(map(len, COMMANDS))
    lines = [text, "every command:"]
    for words, entry in COMMANDS.items():
        lines += textwrap.wrap(
            f"{words:{width}}  {entry.summary}",
            shutil.get_terminal_size().columns - 2,
            initial_indent="  ",
            subsequent_indent=" " * (width + 4),
            break_on_hyphens=False,
        )
    return "\n".join([*lines, ""])


def _add_noun(nouns: Choices, name: str) -> Choices:
    """Add a noun such as `auth`; it accepts the common options, but its help lists the verbs."""
    summary, description = NOUNS[name]
    noun = nouns.add_parser(name, help=summary, description=description, parents=[common_options()])
    noun.set_defaults(words=name)
    return noun.add_subparsers(title="commands", metavar="COMMAND")


def _add_command(place: Choices, words: str) -> None:
    """Add the last word of a command line, with the options of the command."""
    command = load(words)
    parser = place.add_parser(
        words.rpartition(" ")[2],
        help=COMMANDS[words].summary,
        description=command.description,
        parents=[common_options(command)],
    )
    _add_options(parser, words, command)


def _add_options(parser: Parser, words: str, command: "Command[Any]") -> None:
    """Add what a command takes besides the common options."""
    parser.example = f"{PROGRAM} {command.example}"
    parser.set_defaults(command=command, words=words)
    command.describe(parser)


def common_options(command: "Command[Any] | None" = None) -> Parser:
    """Describe the options that every command has, as a parser to be a parent of others.

    Args:
        command: The one that they are for; None for a noun, or the program itself.
    """
    parent = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    own = ("--bolt-path",) if command is not None and command.needs_path else ()
    add_common(parent.add_argument_group(COMMON_OPTIONS), without=own)
    return parent


def parse_arguments(argv: Sequence[str], parser: Parser) -> argparse.Namespace:
    """Understand a command line.

    Returns:
        The values of all options. `command` is None when no command was named.

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
        raise _misplaced(extra[0], command, parser, line=argv)
    for name, value in COMMON_DEFAULTS.items():
        if not hasattr(arguments, name):
            setattr(arguments, name, value)
    if arguments.command is not None:
        command = parser.command(arguments.words)
        _refuse_all_as_id(arguments, argv, command)
        _require_all(arguments, command)
        _expand_paths(arguments, command)
    return arguments


def _refuse_all_as_id(arguments: argparse.Namespace, argv: Sequence[str], command: Parser) -> None:
    """Lead from `all` in the place of an ID to --all, where a command has that.

    Raises:
        UsageError: It stands there; the hint is the same line without --yes.
    """
    found = getattr(arguments, "id", None)
    word = found[0] if isinstance(found, list) and len(found) == 1 else found
    is_narrower = any(getattr(arguments, one, None) is not None for one in ("user", "org"))
    if "--all" not in command.options or word not in ("all", "*") or is_narrower:
        return
    words = command.prog.partition(" ")[2]
    rest = [typed for typed in argv if typed not in {"--yes", "--all"}]
    for typed in {*words.split(), word}.intersection(rest):
        rest.remove(typed)  # the first; the words are not in what is behind them
    if any("/" not in typed and shown(typed) != repr(typed) for typed in rest):
        rest = []
    if "--token-file" in command.options and not (arguments.token_file or arguments.dry_run):
        rest += ["--token-file", "PATH"]
    line = " ".join(map(quoted, [PROGRAM, *words.split(), "--all", *rest]))
    raise UsageError(problem=f"{shown(word)} is no ID", hint=f"did you mean {line}?")


def _require_all(arguments: argparse.Namespace, command: Parser) -> None:
    """Say at once, by `UsageError`, all that is missing."""
    lacking = [
        typed_as(action)
        for action in command.actions
        if is_required(action) and getattr(arguments, action.dest, None) is None
    ]
    if lacking:
        raise missing(_enumerated(lacking), command.prog.partition(" ")[2])


def _enumerated(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _expand_paths(arguments: argparse.Namespace, command: Parser) -> None:
    """Put the home folder for a tilde where no shell does, as in --bolt-path=~/influxd.bolt.

    Raises:
        UsageError: A path or a name is empty, as that of an unset variable of a script is.
    """
    for action in command.actions:
        typed = getattr(arguments, action.dest, None)
        is_path = action.metavar in PATHS
        if typed == "" and (is_path or action.metavar in NAMES):
            name = typed_as(action).partition(" ")[0]
            what = "path" if is_path else "name or an ID"
            raise UsageError(problem=f"{name} is empty", hint=f"give a {what}, or leave it out")
        if not is_path or not isinstance(typed, str):
            continue
        if typed == "-" and "standard input" not in (action.help or ""):
            raise UsageError(
                problem=f"{typed_as(action)} cannot be -, because it is a file that has a name",
                hint="name a file; ./- is one that is called so",
            )
        if typed in _NO_FILES and not action.option_strings and not os.path.lexists(typed):
            words = command.prog.partition(" ")[2]
            many = f"{PROGRAM} {words}s {typed}"
            raise UsageError(
                problem=f"{shown(typed)} would be the name of a file here",
                hint=f"did you mean {many}?"
                if f"{words}s" in COMMANDS and typed in {"list", "prune"}
                else f"name another file, or type ./{typed} for one that is called so",
            )
        packing = next((end for end in _PACKED if typed.endswith(end)), None)
        is_new = "new " in (action.help or "") and not os.path.lexists(typed)
        if packing and is_new and (packing != ".gz" or "--gzip" not in command.options):
            raise UsageError(
                problem=f"{shown(typed)} has the name of a packed file, which is not made here",
                hint=f"leave {packing} out, and pack the file when it is there",
            )
        if typed.endswith("/") and not os.path.isdir(os.path.expanduser(typed)):  # noqa: PTH111, PTH112 # of a text
            is_file = os.path.lexists(os.path.expanduser(typed.rstrip("/")))  # noqa: PTH111 # as above
            raise UsageError(
                problem=f"{shown(typed)} is named as a folder, and there is none",
                hint="leave out the / at its end, because a file has that name"
                if is_file
                else "make it first (mkdir -p), or name a file",
            )
        if typed.startswith("~"):
            setattr(arguments, action.dest, os.path.expanduser(typed))  # noqa: PTH111 # of a text


def commands(parser: Parser) -> Iterator[Parser]:
    """Find all complete commands, which have no further word, in the order of the help."""
    if not parser.children:
        yield parser
    for child in parser.children.values():
        yield from commands(child)


def _refuse_unknown_options(argv: Sequence[str], parser: Parser) -> None:
    """Look for options that no command has, before argparse takes their values for commands."""
    known = dict(parser.options)
    for command in commands(parser):
        known.update(command.options)
    named = _named_command(argv, parser)
    said: dict[str, str] = {}
    is_value = False
    for typed, following in zip_longest(argv, argv[1:], fillvalue=""):
        name, equals, value = typed.partition("=")
        if is_value:
            is_value = False
        elif typed == "--":
            return
        elif name in known:
            action = named.options.get(name, known[name])
            is_value = action.nargs != 0 and not equals
            if action.nargs != 0 and action.default != []:  # which is that of several values
                _refuse_another(name, value if equals else following, action.dest, said)
        elif typed[:1] in {*TYPOGRAPHIC_DASHES} or (typed[:1] == "-" and typed != "-"):
            if named.children and (word := _first_unknown(argv, named)):
                raise _unknown_word(UnknownWordError(named, word), argv)
            raise _unknown_option(name, named)


def _refuse_another(name: str, value: str, field: str, said: dict[str, str]) -> None:
    """Refuse a second value of what has one; neither is repeated: it may be a secret."""
    if said.setdefault(field, value) != value:
        raise UsageError(
            problem=f"{name} is given twice, with different values", hint=f"leave one {name} out"
        )


def _first_unknown(argv: Sequence[str], here: Parser) -> str | None:
    """Find the word that stands where a command was expected, before any option of a command."""
    taken = here.prog.split()[1:]
    is_value = False
    for typed in argv:
        if is_value or typed in VALUED:
            is_value = not is_value
        elif typed in FLAGS or typed.partition("=")[0] in VALUED:
            continue
        elif taken and typed == taken[0]:
            del taken[0]
        else:
            return None if taken or typed.startswith("-") else typed
    return None


def _unknown_option(name: str, command: Parser) -> UsageError:
    plain = "--" + re.split("[:\"']", name)[0].lstrip("-" + TYPOGRAPHIC_DASHES)
    hint = _other_option(name, command)
    if hint is None and (near := nearest_option(plain, command.options)):
        hint = f"did you mean {near}?"
    elif hint is None and (known := takes(plain.lower(), command)):
        hint = f"did you mean {known}?"
    elif hint is None and name[:2] in SHORT and name[2:] and plain not in command.options:
        hint = f"put a blank behind {name[:2]}"
    # what is glued to a short option may be the password that belongs to it
    named = repr(f"{name[:2]}...") if re.match("-[pt].", name) else shown(name, is_stray=True)
    comma = "" if named.startswith(("'", '"')) else ","
    return UsageError(
        problem=f"unknown option{comma} {named}", hint=hint or f"type {command.prog} --help"
    )


def _other_option(name: str, command: Parser) -> str | None:
    """Say what there is for an option that somebody knows from elsewhere."""
    from recovery.cli.guesses import advice_on_option  # noqa: PLC0415 # as below

    return advice_on_option(name, command.prog.partition(" ")[2], command.options)


def _misplaced(word: str, command: Parser, parser: Parser, *, line: Sequence[str]) -> UsageError:
    """Word the complaint about something known that has no place in this command.

    Args:
        line: All that was typed.
    """
    name = word.partition("=")[0]
    if name in {"-", "--"}:
        return UsageError(
            problem=f"{name} stands alone, and {command.prog} takes none",
            hint="leave it out, or write what follows without a blank between",
        )
    if name.startswith("-"):
        return UsageError(
            problem=f"{command.prog} has no option {name}",
            hint=_other_option(name, command)
            or _owners(name, command, parser)
            or f"type {command.prog} --help",
        )
    from recovery.cli.guesses import hint_on_word, source_of_secret  # noqa: PLC0415 # as below

    if (hint := hint_on_word(word, command, line)) is None:
        source = source_of_secret(command)
        return UsageError(
            problem=f"{command.prog} takes no further word",
            hint=f"leave it out; what is secret is asked for, or comes with {source}",
        )
    return UsageError(problem=f"{command.prog} takes no {shown(word, is_stray=True)}", hint=hint)


def _owners(name: str, command: Parser, parser: Parser) -> str | None:
    """Say which commands have an option, where they are few and none of them takes away."""
    noun = command.prog.split()[1:2]
    having = [other for other in commands(parser) if name in other.options]
    owners = [other.prog for other in having if other.prog.split()[1:2] == noun] or [
        other.prog for other in having if "--yes" not in other.options
    ]
    is_harmless = name not in GRANTING and not any(
        prog.count(" ") == 1 or prog.split()[-1] in _TAKING_AWAY for prog in owners
    )
    if is_harmless and 0 < len(owners) <= _OWNERS_MAX:
        return f"it belongs to {', or '.join(owners)}"
    return None


def _unknown_word(mistake: UnknownWordError, argv: Sequence[str]) -> UsageError:
    """Word the complaint about an unknown command, with the whole command that was meant."""
    here = mistake.parser
    noun = here.prog.partition(" ")[2]
    bare = [argv[place] for place in bare_places(argv, VALUED)]
    advised = advice_for(bare)
    if advised is not None:
        verbs = (one for one in bare if one not in {*OTHER_TOOLS, *NOUNS})
        word = next(verbs, mistake.word)
        return UsageError(problem=f"there is no command {shown(word)} here", hint=advised)
    from recovery.cli.guesses import (  # noqa: PLC0415 # only for a mistake
        advice_on_word,
        is_like_path,
        proposed,
    )

    elsewhere = advice_on_word(mistake.word, noun, bare)
    if elsewhere is not None:
        return UsageError(problem=elsewhere[0], hint=elsewhere[1])
    if not noun and is_like_path(mistake.word):
        return UsageError(
            problem=f"{shown(mistake.word)} is no command",
            hint="name the store with --bolt-path FILE behind a command, as in influx-recovery "
            "auth list --bolt-path FILE",
        )
    meant = proposed(mistake.word, noun, bare)
    named = " or ".join(f"{PROGRAM} {words}" for words in meant)
    if len(meant) == 1 and meant[0] in COMMANDS:
        named += _rest_of(argv, mistake.word, meant[0])
    before = argv[argv.index(mistake.word) - 1] if mistake.word in argv[1:] else ""
    word = shown(mistake.word, is_stray=True, is_near=bool(meant))
    return UsageError(
        problem="unknown command, which may be the value of an option"
        if before.startswith("-") and before not in FLAGS
        else f"unknown command{'' if word == repr(mistake.word) else ','} {word}",
        hint=f"did you mean {named}?" if meant else f"type {here.prog} --help",
    )


def _rest_of(argv: Sequence[str], word: str, words: str) -> str:
    """Write what was typed behind a mistyped command, where the one that is meant takes it.

    Nothing that may be a secret, and nothing that permits or gives away more.

    Args:
        word: The first that is not known.
    """
    from recovery.cli.guesses import RECIPES, thing_names  # noqa: PLC0415 # only for a mistake

    parser = command_parser(words)
    places = list(bare_places(argv, VALUED))
    taken = next((nth for nth, place in enumerate(places, 1) if argv[place] == word), len(places))
    is_recipe = words == "recipe show" and word in RECIPES
    for end in (taken - 1,) if is_recipe else (taken, taken + 1):
        rest = [typed for place, typed in enumerate(argv) if place not in places[:end]]
        if words not in BARE:  # where a name is repeated as it was typed
            with contextlib.suppress(UsageError):
                rest = with_our_options(rest, words, parser)
        rest = [typed for typed in rest if typed not in _SAYING_YES]
        is_name = not {*map(str.lower, rest)} & {*thing_names(), *VERBS}
        pairs = zip(["", *rest], rest, strict=False)
        is_known = (
            (is_recipe and typed == word) or _is_repeated(before, typed, words, parser)
            for before, typed in pairs
        )
        if rest and is_name and all(is_known):
            with contextlib.suppress(UsageError):
                understand([*words.split(), *rest])
                return " " + " ".join(map(quoted, rest))
    return ""


def _is_repeated(before: str, typed: str, words: str, command: Parser) -> bool:
    from recovery.cli.guesses import NAMING, source_of_secret  # noqa: PLC0415 # as above

    option = command.options.get(typed)
    if before in _PLACES or typed in _PLACES:
        return True
    if option is not None:
        return typed in NAMING or (option.nargs == 0 and typed not in GRANTING)
    own = (one for one in command.actions if not one.option_strings)
    takes_word = words in BARE or any(own)
    is_name = (takes_word and source_of_secret(command) is None) or before in NAMING
    return parse_id(typed) is not None or (is_name and shown(typed, is_stray=True) == repr(typed))


def _named_command(argv: Sequence[str], parser: Parser) -> Parser:
    """Follow the words of a command line as far as they are understood."""
    here = parser
    for typed in argv:
        here = here.children.get(typed, here)
    return here
