"""A remedy in the words of the command line.

Lives here: which options say what, and the sentence after "hint:". Must not live here: what would
help (`recovery.remedy`, written where the error is raised).

Invariants: a hint names only options that the command at hand has, and only commands that are
there. What is to be typed can be pasted: values are quoted for a shell, and a command that is to be
run instead is given the store and the ledger that this one was given.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from recovery.cli.parser import build_parser
from recovery.cli.vocabulary import PROGRAM
from recovery.cli.words import Parser, is_required
from recovery.model.display import quoted
from recovery.remedy import Give, Input, Omit, Remedy, Restore, Run, Together, Way, enumerated, ways

FIELDS: Final[dict[Input, tuple[str, ...]]] = {
    Input.STORE: ("before after", "bolt_path"),
    Input.OTHER_STORE: ("after",),
    Input.LEDGER: ("ledger",),
    Input.BACKUP: ("backup",),
    Input.OUTPUT: ("output",),
    Input.TARGET: ("target", "destination", "file", "output"),
    Input.USER: ("username", "user", "owner", "as_user"),
    Input.ORGANIZATION: ("org", "owner_of member_of"),
    Input.ID: ("id", "which"),
    Input.NUMBER: ("number",),
    Input.TOKEN_PLACE: ("token_file token_stdout",),
    Input.TOKEN_VALUE: ("token_value_file",),
    Input.TOKEN_FILE: ("token_file",),
    Input.SECRET_FILE: ("password_file", "token_file"),
    Input.HASHED: ("form",),
    Input.WITH_TOKENS: ("with_tokens",),
    Input.MATCH_BY_NAME: ("match_by_name",),
    Input.ENSURE: ("ensure",),
    Input.ACTIVATE: ("activate",),
    Input.ONLY: ("only",),
    Input.ACCEPT: ("accept",),
    Input.NAMES: ("names",),
    Input.NAME: ("name",),
    Input.SQLITE: ("sqlite_path",),
    Input.ENGINE: ("engine_path",),
    Input.LEAVE_OUT: ("leave_out",),
    Input.OVERLAPS: ("allow_overlaps",),
    Input.LIVE: ("live",),
    Input.READ_ONLY: ("read_only",),
    Input.DRY_RUN: ("dry_run",),
    Input.PRUNE: ("action",),
    Input.GIVE_UP_UNDO: ("give_up_undo",),
    Input.RESTORED: ("restored",),
    Input.PAGE_SIZE: ("page_size",),
    Input.ROOT_PAGE: ("root_page",),
    Input.CONFIRMATION: ("yes",),
    Input.SOCKET: ("socket",),
    Input.ADDRESS: ("listen",),
}
"""Fields of options that say something; the first that a command has is the one, or are the two,
for it."""

WITHOUT_STORE: Final = frozenset({"store find", "store rebuild"})
"""Commands for when the store that was named is of no use."""
Named: TypeAlias = Mapping[Input, str | None]
"""What to say with a command; None for what has to be said and is not known."""


class AtHand:
    """The command line that somebody typed, as far as hints depend on it."""

    def __init__(
        self, arguments: argparse.Namespace, parser: Parser, typed: Sequence[str] = ()
    ) -> None:
        """Look at a whole command that was typed, and at the parser that understood it."""
        self._parser = parser.command(arguments.words)
        self._named = named_with(arguments.bolt_path, arguments.ledger)
        self._typed = {word.partition("=")[0] for word in typed}

    def hint(self, remedy: Remedy) -> str:
        """Put a remedy into one imperative sentence, without a full stop."""
        worded = [text for way in ways(remedy) if (text := self._worded(way)) is not None]
        if not worded:  # this command can be told none of it, but what is meant still helps
            worded = [way.advice for way in ways(remedy) if isinstance(way, Give)]
        return ", or ".join(worded) or f"type {self._parser.prog} --help"

    def _first(self, remedy: Remedy) -> str | None:
        """Word the best alternative that this command can be told."""
        return next((text for way in ways(remedy) if (text := self._worded(way))), None)

    def _worded(self, way: Way) -> str | None:
        match way:
            case Give(what, advice, value):
                actions = actions_for(self._parser, what)
                # what was said already did not help
                is_said = any(
                    one.nargs == 0 and self._typed & {*one.option_strings} for one in actions
                )
                phrase = "" if is_said else _phrase(actions, value)
                return f"{advice} {phrase}".lstrip() if phrase else None
            case Omit(what, purpose):
                found = [action for one in what for action in actions_for(self._parser, one)[:1]]
                names = [
                    next((one for one in action.option_strings if one in self._typed), None)
                    or _name(action)
                    for action in found
                ]
                return f"leave {' and '.join(names)} out {purpose}".rstrip() if names else None
            case Run(operation, purpose, values):
                line = command_line(operation, {**self._named, **values})
                return f"type {line} {purpose}".rstrip()
            case Together(parts):
                return _together(text for part in parts if (text := self._first(part)))
            case Restore(backup, store):  # cp keeps owner and mode of a file that it overwrites
                return f"restore the backup: cp {quoted(backup)} {quoted(store)}"
            case _:
                return way


def _together(clauses: Iterable[str]) -> str:
    """Join clauses that all are to be done; for several names the verb is said but once."""
    joined: list[str] = []
    before = ""
    for clause in dict.fromkeys(clauses):
        advice, _, option = clause.partition(" with -")
        if before.startswith("name one") and clause.startswith("name one"):
            one = f"one with -{option}" if advice == before else clause.removeprefix("name ")
            joined[-1] += f" and {one}"
        else:
            joined.append(clause)
        before = advice
    return enumerated(joined)


def named_with(bolt_path: str | None, ledger: str | None) -> Named:
    """Say what another command is to be given as well, so that it is about the same store."""
    named = {Input.STORE: bolt_path, Input.LEDGER: ledger}
    return {what: value for what, value in named.items() if value is not None}


def command_line(operation: str, values: Named) -> str:
    """Write a command with these values as it can be typed; None is named as in the help."""
    parser = build_parser(only=operation).command(operation)
    given = {
        action.dest: value
        for what, value in values.items()
        if what is not Input.STORE or operation not in WITHOUT_STORE
        for action in actions_for(parser, what)[:1]
    }
    words: list[str] = [PROGRAM, operation]
    options: list[str] = []
    for action in parser.actions:
        if action.dest in given or is_required(action):
            typed = _typed(action, given.get(action.dest))
            (options if action.option_strings else words).append(typed)
    return " ".join([*words, *options])


def actions_for(parser: Parser, what: Input) -> list[argparse.Action]:
    """Find the option or word that says something in a command, the best or two alternatives."""
    known = {action.dest: action for action in reversed(parser.actions)}
    for fields in FIELDS[what]:
        if all(field in known for field in fields.split()):
            return [known[field] for field in fields.split()]
    return []


def _phrase(actions: list[argparse.Action], value: str | None) -> str:
    """Say how to give something: "with --token-file PATH or --token-stdout", or "as ID"."""
    if not actions:
        return ""
    manner = "with" if actions[0].option_strings else "as"
    if value is not None:
        return f"{manner} {_typed(actions[0], value)}"
    return f"{manner} {' or '.join(_typed(action, None) for action in actions)}"


def _typed(action: argparse.Action, value: str | None) -> str:
    text = str(action.metavar) if value is None else quoted(value)
    if not action.option_strings:
        return text
    return _name(action) if action.nargs == 0 else f"{_name(action)} {text}"


def _name(action: argparse.Action) -> str:
    return action.option_strings[0] if action.option_strings else str(action.metavar)
