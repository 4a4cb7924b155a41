"""A way in for somebody who types the program's name and nothing else.

Lives here: five lines about what was found, a numbered choice of what people come for, and the
command that each stands for. Must not live here: anything that a command does: one is built, shown
and run as if it had been typed.

Invariants: only at a terminal, where a person answers. Nothing is opened for writing here. Each
command is printed before it runs, so that it can be typed the next time.
"""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from msgspec.structs import replace

from recovery.cli.confirm import ask, has_terminal
from recovery.cli.vocabulary import PROGRAM
from recovery.errors import (
    AmbiguousError,
    ExitCode,
    RecoveryError,
    SchemaError,
    StoreBusyError,
    StoreDamagedError,
    StoreNotFoundError,
    StoreNotLockableError,
)
from recovery.model.display import displayed, plural
from recovery.remedy import Input, Run, ways

if TYPE_CHECKING:
    from recovery.cli.context import Context
    from recovery.cli.options import Options
    from recovery.discovery.search import FoundStore
    from recovery.model.organization import Organization
    from recovery.model.user import User

TRIES: Final = 3
NAMES_SHOWN: Final = 20
_LEAVE: Final = "leave"
_LEAVING: Final = frozenset({_LEAVE, "q", "quit", "exit", "n", "no", "0"})
_QUOTES: Final = "\"'\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
_READABLE: Final = {
    "which tokens there are": "auth list --live",
    "who can sign in": "user list --live",
    "what is wrong": "store check --live",
}
"""What can be done with a store that a server has, or with a packed one, each with its command."""
_OF_DAMAGED: Final = {
    "what is wrong": "store check",
    "save what can be read into a new file": "store salvage",
    "undo the last change": "store undo",
    "see which copies of it are there, to restore one": "store backups",
}
"""What can be done with a damaged store, each with its command."""
_OF_UNREADABLE: Final = {
    name: words
    for name, words in _OF_DAMAGED.items()
    if words in {"store salvage", "store backups"}
}
"""The same of one that nothing else can open."""
_MADE_AGAIN: Final = {
    "make a new store that has all data of the engine's folder; a backup has more": "store rebuild"
}
_CHOICES: Final = {
    "a new operator token": "auth create-operator",
    "a new password": "user update",
    "what is wrong": "store check",
    "undo the last change": "store undo",
}
T = TypeVar("T")


class _LeftError(Exception):
    """Nothing is wanted."""


class _State(NamedTuple):
    """What a store has to offer.

    Attributes:
        choices: What can be done with it, each with its command.
        new_path: Where it is, if it has neither a user nor an organization.
        in_the_way: Why not more can be done, for who wants nothing of that.
    """

    lines: tuple[str, ...]
    users: "Sequence[User]" = ()
    organizations: "Sequence[Organization]" = ()
    choices: Mapping[str, str] = _CHOICES
    new_path: str | None = None
    in_the_way: StoreBusyError | None = None


def is_wanted(context: "Context") -> bool:
    """Say whether results go to a terminal and a person is there to answer."""
    return context.stdout.isatty() and has_terminal()


def run_guide(
    options: "Options", context: "Context", run: Callable[[Sequence[str]], ExitCode]
) -> ExitCode:
    """Say what was found, ask what is wanted, and do it.

    Args:
        run: Runs a command line of this program, and says how it ended.

    Returns:
        How the command ended; `DONE` when none was wanted.

    Raises:
        RecoveryError: There is no store, or the terminal has gone.
        KeyboardInterrupt: The answer was Ctrl-C.
    """
    try:
        return _guided(options, context, run)
    except _LeftError:
        context.output.line("Nothing was done.")
        return ExitCode.DONE
    except (StoreNotFoundError, StoreDamagedError, SchemaError) as error:
        way = _named_in(error, "store rebuild")
        if way is None:
            raise  # whose hint has the other ways
        context.output.prose(f"{error}.")
        _picked("Which? ", _MADE_AGAIN, context, otherwise=error)
    from recovery.cli.hints import command_line  # noqa: PLC0415 # few need it

    named = {} if options.ledger is None else {Input.LEDGER: options.ledger}
    line = command_line(way.operation, {**named, **way.values})
    return _run_shown(shlex.split(line)[1:], context, run)


def _named_in(error: RecoveryError, operation: str) -> Run | None:
    """Find a command among what would help."""
    named = (way for way in ways(error.hint) if isinstance(way, Run))
    return next((way for way in named if way.operation == operation), None)


def _guided(
    options: "Options", context: "Context", run: Callable[[Sequence[str]], ExitCode]
) -> ExitCode:
    """Do so with a store that is there; raise what is in the way."""
    from recovery.cli.store import find_store  # noqa: PLC0415 # this is also imported without need

    try:
        found = find_store(options, context)
    except AmbiguousError as error:
        options = replace(options, bolt_path=_one_of_several(context, error))
        found = find_store(options, context)
    state = _state(found, context)
    for line in state.lines:
        context.output.prose(line)
    operation = _picked("Which? ", state.choices, context, otherwise=state.in_the_way)
    argv = [*_words(operation, state, context), *_same_store(options)]
    return _run_shown(argv, context, run)


def _run_shown(
    argv: list[str], context: "Context", run: Callable[[Sequence[str]], ExitCode]
) -> ExitCode:
    """Say how a command is typed, and run it."""
    context.output.line(f"$ {PROGRAM} {shlex.join(argv)}")
    context.output.close()
    return run(argv)


def _picked(
    question: str,
    choices: Mapping[str, T],
    context: "Context",
    *,
    also: Mapping[str, T] | None = None,
    otherwise: RecoveryError | None = None,
) -> T:
    """Ask which of several is wanted, by its number or by what it is called.

    Args:
        also: What else may be typed, and what it means.
        otherwise: What is raised when none is wanted, in the place of `_LeftError`.
    """
    last = len(choices) + 1
    context.output.line()
    for number, text in enumerate(choices, 1):
        if number <= NAMES_SHOWN:
            context.output.prose(f"  {number}  {text}")
    if last > NAMES_SHOWN + 1:
        context.output.line(f"     and {last - 1 - NAMES_SHOWN} more, by name")
    context.output.line(f"  {last}  {_LEAVE}")
    context.output.line()
    numbered = {str(number): value for number, value in enumerate(choices.values(), 1)}
    meant = {**choices, **(also or {}), **numbered}
    asked_again = f"Type a number from 1 to {last}; {last} leaves: "
    try:
        return _asked(question, meant.get, asked_again, leaving=str(last))
    except _LeftError:
        raise otherwise or _LeftError from None


def _asked(
    question: str, understood: Callable[[str], T | None], again: str, *, leaving: str = _LEAVE
) -> T:
    """Ask until the answer is understood.

    Args:
        understood: Says what an answer means; None where it means nothing.
        leaving: An answer with which nothing is wanted, besides the usual ones.

    Raises:
        _LeftError: That was the answer, or the end of the input, or three were not understood.
    """
    for _ in range(TRIES):
        typed = ask(question, at_end=leaving).strip(_QUOTES)
        bare = typed.rstrip(".)")
        for answer in (typed, bare):
            if (meant := understood(answer)) is not None:
                return meant
        if bare == leaving or bare.casefold() in _LEAVING:
            break
        question = again
    raise _LeftError


def _text(question: str, *, is_new_file: bool = False) -> str:
    """Ask for a name that is to be given."""

    def understood(typed: str) -> str | None:
        is_taken = is_new_file and os.path.lexists(os.path.expanduser(typed))  # noqa: PTH111 # of a text
        return None if is_taken or typed in {"", _LEAVE} else typed

    what = "the path of a file that is not there yet" if is_new_file else "a name"
    return _asked(question, understood, f"Type {what}, or {_LEAVE}: ")


def _one_of_several(context: "Context", error: AmbiguousError) -> str:
    """Ask which store is meant, where there are several; raise the error when none is."""
    from recovery.discovery.host import Host  # noqa: PLC0415 # as above
    from recovery.discovery.survey import survey  # noqa: PLC0415

    stores = [one for one in survey(Host.here(context.environ)).candidates if one.has_data]
    context.output.line(f"There are {plural(len(stores), 'store')} here.")
    described = {one.description: str(one.path) for one in stores}
    paths = {path: path for path in described.values()}
    return _picked("Which store? ", described, context, also=paths, otherwise=error)


def _named(found: "FoundStore") -> str:
    return f"Store: {displayed(str(found.named_path))} ({found.reason})"


def _state(found: "FoundStore", context: "Context") -> _State:
    """Look at a store, or say why only some of it can be done."""
    from recovery.cli.changing import copying  # noqa: PLC0415 # as above
    from recovery.metastore.packed import is_packed  # noqa: PLC0415

    if found.is_backup or is_packed(found.path):
        packed = f"It is a copy that is only read; to change one, {copying(found.path)}"
        return _State((_named(found), packed), choices=_READABLE)
    try:
        return _look(found, context)
    except StoreNotLockableError:
        raise
    except StoreBusyError as busy:
        in_use = f"In use: {busy.holder}. It can be read now, and changed when it is free."
        return _State((_named(found), in_use), choices=_READABLE, in_the_way=busy)
    except StoreDamagedError as error:
        if _named_in(error, "store salvage") is None:
            raise
        return _State((_named(found), f"It {error.problem}."), choices=_OF_UNREADABLE)


def _look(found: "FoundStore", context: "Context") -> _State:
    """Look at a store, as `store info` and `store check` do."""
    from recovery.cli.way_in import DO_NOT_START  # noqa: PLC0415 # as above
    from recovery.discovery.host import Host  # noqa: PLC0415
    from recovery.discovery.search import with_files  # noqa: PLC0415
    from recovery.model.standing import Answer  # noqa: PLC0415
    from recovery.ports import SystemClock, SystemRng  # noqa: PLC0415
    from recovery.services.authorizations.listing import (  # noqa: PLC0415
        AuthorizationFilter,
        list_authorizations,
    )
    from recovery.services.doctor.check import examine  # noqa: PLC0415
    from recovery.services.doctor.surroundings import LEFTOVER  # noqa: PLC0415
    from recovery.services.session import Session  # noqa: PLC0415
    from recovery.services.stores.info import sign_ins  # noqa: PLC0415

    head = _named(found)
    if not found.is_backup:
        found = with_files(found, Host.here(context.environ))
    with Session.open(found.path, needs_schema=False) as session:
        seen = examine(
            session, files=found.files, clock=SystemClock(), rng=SystemRng(), progress=None
        )
        lines = [head, f"Server: {seen.verdict.sentence}"]
        lines += [
            f"Beside it, {displayed(one.bucket)} {one.problem}: {one.remedy}"
            for one in seen.findings
            if one.problem == LEFTOVER.problem
        ]
        try:
            with session.view() as view:
                signing = list(sign_ins(view.tx))
                operators = list_authorizations(
                    view.tx, AuthorizationFilter(operators_only=True)
                ).rows
                usable = sum(one.is_usable and one.operator == "full" for one in operators)
                users = list(view.tx.users.walk([]))
                organizations = list(view.tx.organizations.walk([]))
        except StoreDamagedError:
            return _State((*lines, f"{DO_NOT_START}."), choices=_OF_DAMAGED)
        except RecoveryError as error:
            return _State((*lines, f"Who can get in is not known: {error}"))
    can = [one.name for one in signing if not one.obstacles]
    refused = sum(one.answer is Answer.FORBIDDEN for one in signing)
    names = ", ".join(map(displayed, can[:5])) + (", ..." if len(can) > 5 else "")  # noqa: PLR2004
    lines += [
        f"Sign-in: {plural(len(can), 'user')} can, with a password"
        + (f": {names}" if can else "")
        + (f"; {plural(refused, 'inactive one')} would get nothing but 403" if refused else ""),
        f"Operator tokens: {plural(usable, 'full one')} that a server would accept",
        f"In it: {plural(len(users), 'user')} and {plural(len(organizations), 'organization')}.",
    ]
    if seen.is_damaged:  # in pages that say nothing of who can get in
        lines.append(f"{DO_NOT_START}.")
    choices = _OF_DAMAGED if seen.is_damaged else _CHOICES
    new_path = None if users or organizations else str(found.named_path)
    if new_path is not None:
        lines.append("Nobody has set it up: influxd would let whoever reaches it first do that.")
    return _State(tuple(lines), users, organizations, choices, new_path)


def _words(operation: str, state: _State, context: "Context") -> list[str]:
    """Ask for what a command has to be told."""
    words = operation.split()
    match operation:
        case "auth create-operator" | "user update" if state.new_path is not None:
            words = ["setup", "--bolt-path", state.new_path]
            for option, asking in (
                ("--username", "What is the first user called? "),
                ("--org", "And the organization? "),
                ("--bucket", "And the bucket, where data go? "),
            ):
                words += [option, _text(asking)]
        case "user update" if not state.users and not state.organizations:
            words = ["user", "list"]
        case "user update" if not state.users:
            name = _text("There is no user any more. What is the new one called? ")
            words = ["user", "create", "--username", name]
            asking = "Which organization will it own? "
            words += _named_one("--owner-of", asking, state.organizations, context)
        case "user update":
            words += _named_one("--username", "Whose password? ", state.users, context)
        case "auth create-operator":
            user = _named_one("--username", "Which user gets it? ", state.users, context)
            asking = "Which organization does it belong to? "
            words += [*_named_one("--org", asking, state.organizations, context), *user]
        case "store salvage":
            words.append(_text("Into which new file? ", is_new_file=True))
        case _:  # all is known
            pass
    return words


def _named_one(
    option: str, question: str, rows: "Sequence[User | Organization]", context: "Context"
) -> list[str]:
    """Ask which, where there are several; the command itself complains where there is none."""
    typed = {
        str(row.id): row.name if displayed(row.name) == row.name else str(row.id) for row in rows
    }
    called = {displayed(row.name): typed[row.id] for row in rows}
    if len(rows) > 1:
        return [option, _picked(question, called, context, also=typed)]
    return [word for name in called.values() for word in (option, name)]


def _same_store(options: "Options") -> list[str]:
    given = (("--bolt-path", options.bolt_path), ("--ledger", options.ledger))
    return [word for name, value in given if value is not None for word in (name, value)]
