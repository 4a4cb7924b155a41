"""The kind of parser that this program uses, and the words for what is mistyped.

Lives here: `Parser`, how its help is written, `nearest_word`, `nearest_option`, `shown`. Must not
live here: any command or option.

Invariants: a mistake raises and never exits, so that errors are worded in one place. What a person
typed is escaped before it is repeated.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn, TypeAlias

from recovery.cli.usage import EITHER, REQUIRED, UsageError, missing

# What argparse says is put into other words in `Parser.error`, so it must stay in English; and a
# catalogue of translations would be looked for each time.
argparse._ = lambda text: text  # type: ignore[attr-defined] # None is asked for, too

Choices: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 # has no public name
"""The place of the next word of a command line, where its choices are added."""


REPEATED_MAX: Final = 40
"""Longest word repeated in a message; a token has 88 characters, its hash 62 or more."""


_PASSWORD_MIN: Final = 8


COMMON_OPTIONS: Final = "common options"
"""Title of the group of options that every command has."""
_HELP_COLUMN: Final = 28
_WIDTH: Final = 78
"""Of what argparse lays out while a command is described, to see that it can be. It would ask the
terminal, sixteen times in a listing."""
_COMMON_LINE: Final = (
    "common options: --bolt-path FILE, --json, --reason TEXT and more; see --help all"
)

_SHORT: Final = 5
"""Words up to this length are near when one letter is wrong, longer ones with two."""
_BEGUN_MIN: Final = 3
_WEIGHTY: Final = frozenset(
    {"activate", "active", "set-active", "enable", "delete", "remove", "create-operator"}
    | {"add-owner", "export"}
)
"""Words that permit, destroy or give away: `inactivate` and `undelete` are two letters away from
the opposite of what they say, and `expire` from `export`."""
GRANTING: Final = frozenset(
    {"--operator", "--all-access", "--yes", "--activate", "--show-tokens", "--with-tokens"}
    | {"--token-stdout", "--no-password", "--owner-of", "--owner", "--allow-overlaps", "--accept"}
    | {"--show-keys", "--force", "--all", "--raw"}
)
"""Options that are never proposed: they permit more, give away more, or ask no question."""


class HelpAskedError(Exception):
    """Help was asked for; what was typed beside that needs no look.

    Attributes:
        parser: Of the command, as far as it was typed.
        is_all: Whether the common options are wanted too.
    """

    def __init__(self, parser: "Parser", *, is_all: bool) -> None:
        self.parser = parser
        self.is_all = is_all
        super().__init__("help")


class _Help(argparse.Action):
    """Ask for help; argparse's own prints past `recovery.cli.output`, and exits."""

    def __call__(self, parser: argparse.ArgumentParser, *typed: object) -> NoReturn:
        """Stop parsing."""
        del typed
        if not isinstance(parser, Parser):
            raise TypeError(type(parser).__name__)
        raise HelpAskedError(parser, is_all=self.dest == "help_all")


class _Formatter(argparse.HelpFormatter):
    """Help whose usage is one line: what is required, and that there are options."""

    def __init__(self, prog: str, width: int = _WIDTH) -> None:
        super().__init__(prog, max_help_position=_HELP_COLUMN, width=width)

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        """Add the usage; the options that may be left out are listed right below it."""
        shown = [self._prog]
        either = [self._usage_of(action) for action in actions if EITHER in (action.help or "")]
        for action in actions:
            if EITHER in (action.help or ""):
                if either:
                    shown.append(" | ".join(either).join("()" if either[1:] else ("", "")))
                    either = []
            elif not action.option_strings or is_required(action):
                shown.append(self._usage_of(action))
        super().add_usage(usage or " ".join([*shown, "[options]"]), [], groups, prefix)

    def _split_lines(self, text: str, width: int) -> list[str]:
        """Break at blanks only: what is typed has hyphens in it."""
        import textwrap  # noqa: PLC0415 # only help needs it

        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _format_action(self, action: argparse.Action) -> str:
        """Describe an option or a word; of the next word of a command line, its choices only."""
        if action.nargs == argparse.PARSER:
            choices = action._get_subactions()  # type: ignore[attr-defined] # noqa: SLF001 # of argparse
            return "".join(map(super()._format_action, choices))
        return super()._format_action(action)

    def _usage_of(self, action: argparse.Action) -> str:
        name = "".join(f"{name} " for name in action.option_strings[:1])
        is_needed = REQUIRED in (action.help or "") or EITHER in (action.help or "")
        if is_needed and action.nargs == "?":
            return f"{name}{action.metavar}"
        if is_needed and action.nargs == "*":
            return f"{action.metavar} [{action.metavar} ...]"
        if action.nargs == argparse.PARSER:
            return f"{action.metavar} ..."
        return (name + self._format_args(action, str(action.metavar))).rstrip()


def _wrapped(line: str, width: int, *, indent: int = 0) -> str:
    """Break a line, but no option from its value."""
    import textwrap  # noqa: PLC0415 # only help needs it

    bonded = re.sub(r"(--[a-z-]+) (?=[A-Z])", r"\1\0", line)
    lines = textwrap.wrap(bonded, width, subsequent_indent=" " * indent, break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ")


def is_required(action: argparse.Action) -> bool:
    """Say whether a command cannot do without an option or a word, by its help.

    The command itself refuses, so that all that is missing is said at once.
    """
    return REQUIRED in (action.help or "") or not (
        action.option_strings or action.nargs in {"?", argparse.PARSER}
    )


def typed_as(action: argparse.Action) -> str:
    """Write an option or a word as the help does, such as "--org NAME", or "ID"."""
    return " ".join([*action.option_strings[:1], str(action.metavar)])


class Parser(argparse.ArgumentParser):
    """An argument parser that raises its complaints and knows its commands.

    Attributes:
        example: A command that its help shows; "" for none.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 # argparse's own signature
        has_help = settings.pop("add_help", True)
        super().__init__(**settings, add_help=False, allow_abbrev=False, formatter_class=_Formatter)
        self._positionals.title = "arguments"
        self.example = ""
        self._choices: Choices | None = None
        if has_help:
            for names in (["-h", "--help"], ["--help-all"]):
                self.add_argument(
                    *names, action=_Help, nargs=0, default=argparse.SUPPRESS, help=argparse.SUPPRESS
                )

    def add_subparsers(self, **settings: Any) -> Choices:  # type: ignore[override] # noqa: ANN401 # argparse's own
        """Add the next word, as argparse does, and remember its choices."""
        self._choices = super().add_subparsers(prog=self.prog, **settings)
        return self._choices

    def _add_action(self, action: Any) -> Any:  # noqa: ANN401 # argparse has its own types
        """Add it, and say in its help that it is required where that is so, a word too."""
        said = action.help or ""
        is_said = not said or said == argparse.SUPPRESS or REQUIRED in said or EITHER in said
        if is_required(action) and action.nargs != "*" and not is_said:
            action.help = f"{said} {REQUIRED}"
        return super()._add_action(action)

    @property
    def children(self) -> dict[str, "Parser"]:
        """The parsers of the next word; empty when the command is complete."""
        return {} if self._choices is None else dict(self._choices.choices)

    @property
    def options(self) -> dict[str, argparse.Action]:
        """The options accepted here, by each of their names."""
        return self._option_string_actions

    @property
    def actions(self) -> list[argparse.Action]:
        """The options and the words accepted here, in the order of the help."""
        return self._actions

    def command(self, words: str) -> "Parser":
        """Find the parser of a command, below this one.

        Args:
            words: The command; "" for this parser, and a parser of one command is its own.
        """
        parser = self
        for word in words.split() if self.children else ():
            parser = parser.children[word]
        return parser

    def format_help(self, *, is_all: bool = False) -> str:
        """Write the help: what this command alone has, an example, and the way to the rest.

        Args:
            is_all: Whether the options that every command has are explained too.
        """
        import shutil  # noqa: PLC0415 # only help needs it

        width = shutil.get_terminal_size().columns - 2
        formatter = _Formatter(self.prog, width)
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        common: list[argparse.Action] = []
        for group in self._action_groups:
            if group.title == COMMON_OPTIONS:
                common = group._group_actions  # noqa: SLF001 # argparse offers no other way
                continue
            formatter.start_section(group.title)
            formatter.add_text(group.description)
            formatter.add_arguments(group._group_actions)  # noqa: SLF001 # as above
            formatter.end_section()
        if is_all:
            formatter.start_section(COMMON_OPTIONS)
            formatter.add_arguments(common)
            formatter.end_section()
        usage, _, text = formatter.format_help().partition("\n")
        text = f"{_wrapped(usage, width, indent=7)}\n{text}"
        if self.example:
            text += f"\nexample:\n  {self.example}\n"
        return text if is_all else f"{text}\n{_wrapped(_COMMON_LINE, width + 2)}\n"

    def error(self, message: str) -> NoReturn:
        """Raise as `UsageError` what argparse would print."""
        lacking = message.removeprefix("the following arguments are required: ")
        if lacking != message:
            raise missing(lacking, self.prog.partition(" ")[2])
        clash = re.fullmatch(r"argument (\S+): not allowed with argument (\S+)", message)
        if clash:
            problem = f"{clash[1]} and {clash[2]} cannot be given together"
        elif choice := re.fullmatch(r"one of the arguments (.+) is required", message):
            problem = f"{self.prog.partition(' ')[2]} needs {choice[1].replace(' ', ' or ')}"
        else:
            problem = re.sub(
                "expected (one|at least one) argument",
                "a value is missing",
                message.removeprefix("argument "),
            )
        hint = f"leave {clash[1]} or {clash[2]} out" if clash else f"type {self.prog} --help"
        number = re.fullmatch(r"(\S+): invalid int value: '(.*)'", problem, re.DOTALL)
        switch = re.fullmatch(r"(\S+): ignored explicit argument .*", problem, re.DOTALL)
        if number:
            problem = f"{number[1]}: expected a whole number, found {_found(number[2])}"
        elif switch:
            problem, hint = (
                f"{switch[1]} takes no value",
                f"give {switch[1]} alone, or leave it out",
            )
        elif problem.endswith(": a value is missing"):
            name = problem.partition(": ")[0].partition("/")[0]
            hint = (
                "leave it out: the password is asked for, or comes with --password-file FILE"
                if name == "--password"
                else f"give one, as {name}=VALUE where it begins with a dash, or {hint}"
            )
        raise UsageError(problem=problem, hint=hint)

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 # argparse's own
        """Refuse a value that is not one of the choices, and name the nearest that is."""
        choices = None if action.choices is None else list(action.choices)
        if choices is None or value in choices:
            return
        if action is self._choices:
            raise UnknownWordError(self, str(value))
        name = "/".join(action.option_strings) or self.prog
        near = nearest_word(str(value), {choice: choice for choice in choices})
        found = shown(value, is_stray=True, is_near=near is not None)
        raise UsageError(
            problem=f"{name} {found}: expected one of {', '.join(choices)}",
            hint=f"type {name} {near}" if near else f"type {self.prog} --help",
        )


class UnknownWordError(Exception):
    """A word that is no command here; answered where the whole command line is known."""

    def __init__(self, parser: Parser, word: str) -> None:
        self.parser = parser
        self.word = word
        super().__init__("unknown word")


def nearest_word(typed: str, meanings: Mapping[str, str]) -> str | None:
    """Find which command was probably meant.

    Args:
        meanings: What could have been, each with the command that it means.

    Returns:
        The command of the nearest; None when none is near, or two are and mean different things:
        `set-nactive` is as near to one thing as to its opposite.
    """
    wanted = typed.lower().replace("_", "-")
    distances = {word: _distance(wanted, word) for word in meanings}
    near = {
        word: distance
        for word, distance in distances.items()
        if distance <= (1 if word in _WEIGHTY or len(word) <= _SHORT else 2)
    }
    best = [word for word in near if near[word] == min(near.values())]
    if not best and len(wanted) >= _BEGUN_MIN:
        best = [word for word in meanings if word.startswith(wanted)]
    meant = {meanings[word] for word in best}
    return meant.pop() if len(meant) == 1 else None


def nearest_option(typed: str, options: Iterable[str]) -> str | None:
    """Find the long option that was probably meant, never one that permits or gives away more."""
    wanted = typed.lower().replace("_", "-")
    if len(wanted) <= len("--x"):
        return None
    known = {option[2:]: option for option in options if option.startswith("--")}
    if len(wanted) <= len("--xx"):
        return known.get(wanted[2:])
    near = nearest_word(wanted[2:], known)  # without the dashes, which any two have in common
    if near is None or near in GRANTING:
        return None
    action = next((start for start in ("--read-", "--write-") if near.startswith(start)), "")
    begins = wanted.replace("-", "").startswith(action.replace("-", ""))
    if action and not (begins and wanted.endswith("s") == near.endswith("s")):
        return None  # another action, or all of a kind where one was named
    return near


def _distance(first: str, second: str) -> int:
    """Count the letters to insert, leave out, replace or swap between two words."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        further = [i]
        for j, other in enumerate(second, 1):
            least = min(row[j] + 1, further[j - 1] + 1, row[j - 1] + (letter != other))
            if i > 1 and j > 1 and (letter, first[i - 2]) == (second[j - 2], other):
                least = min(least, before[j - 2] + 1)
            further.append(least)
        before, row = row, further
    return row[-1]


def _found(escaped: str) -> str:
    text = shown(escaped, is_stray=True)
    return f"'{escaped}'" if text == repr(escaped) else text


def shown(text: object, *, is_stray: bool = False, is_near: bool = True) -> str:
    """Quote what a person typed, with what cannot be seen escaped.

    Only its length where it is so long that it may be a secret, pasted into the wrong place.

    Args:
        is_stray: Whether it stands where a word of ours or an option was expected: there it may be
            a password too, as everything is that has letters and digits and is no number in hex.
        is_near: Whether it is like a word that is known; a stray one that is not may be a password.
    """
    typed = str(text)
    is_mixed = re.search(r"\d", typed) and re.search(r"(?i)[g-z]", typed)
    is_likely = is_stray and (is_mixed or not is_near)
    is_secret = is_likely and len(typed) >= _PASSWORD_MIN and "/" not in typed
    if len(typed) > REPEATED_MAX or is_secret:
        return f"a word of {len(typed)} characters"
    return repr(typed)
