"""A way in for somebody who types the program's name and nothing else.

Lives here: five lines about what was found, a numbered choice of what people come for, and the
command that each stands for. Must not live here: anything that a command does: one is built, shown
and run as if it had been typed.

Invariants: only at a terminal, where a person answers. Nothing is opened for writing here. Each
command is printed before it runs, so that it can be typed the next time.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

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
_LEAVING: Final = frozenset({"", _LEAVE, "q", "quit", "exit", "n", "no", "0"})
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
_MADE_AGAIN: Final = "make a new store that has all data of the engine's folder; a backup has more"
_CHOICES: Final = (
    "a new operator token",
    "a new password",
    "what is wrong",
    "undo the last change",
)


class _State(NamedTuple):
    """What a store has to offer.

    Attributes:
        users: What each user is called here, and what to give for it: the name, or the ID where the
            name cannot be typed.
        saving: What can be done with it where nothing can be changed in it.
        new_path: Where it is, if it has neither a user nor an organization.
    """

    lines: tuple[str, ...]
    users: Mapping[str, str] = {}
    organizations: Mapping[str, str] = {}
    saving: Mapping[str, str] = {}
    new_path: str | None = None


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
    except (StoreNotFoundError, StoreDamagedError, SchemaError) as error:
        way = _named_in(error, "store rebuild")
        if way is None or not _is_made_again(error, context):
            raise  # whose hint has the other ways
    from recovery.cli.hints import command_line  # noqa: PLC0415 # few need it

    named = {} if options.ledger is None else {Input.LEDGER: options.ledger}
    line = command_line(way.operation, {**named, **way.values})
    return _run_shown(shlex.split(line)[1:], context, run)


def _named_in(error: RecoveryError, operation: str) -> Run | None:
    """Find a command among what would help."""
    named = (way for way in ways(error.hint) if isinstance(way, Run))
    return next((way for way in named if way.operation == operation), None)


def _is_made_again(error: RecoveryError, context: "Context") -> bool:
    """Ask whether a store of which nothing is left is to be made again."""
    context.output.prose(f"{error}.")
    return _chosen((_MADE_AGAIN,), context) == 1


def _guided(
    options: "Options", context: "Context", run: Callable[[Sequence[str]], ExitCode]
) -> ExitCode:
    """Do so with a store that is there; raise what is in the way."""
    from recovery.cli.changing import copying  # noqa: PLC0415 # this is also imported without need
    from recovery.cli.store import find_store  # noqa: PLC0415 # as above
    from recovery.metastore.packed import is_packed  # noqa: PLC0415 # as above

    try:
        found = find_store(options, context)
    except AmbiguousError:
        path = _one_of_several(context)
        if path is None:
            raise
        options = replace(options, bolt_path=path)
        found = find_store(options, context)
    if found.is_backup or is_packed(found.path):
        packed = f"It is a copy that is only read; to change one, {copying(found.path)}"
        code = _read_only(packed, found, options, context, run)
        return _left(context) if code is None else code
    try:
        state = _look(found, context)
    except StoreNotLockableError:
        raise
    except StoreBusyError as busy:
        in_use = f"In use: {busy.holder}. It can be read now, and changed when it is free."
        code = _read_only(in_use, found, options, context, run)
        if code is None:
            raise
        return code
    except StoreDamagedError as error:
        state = _unreadable(found, error)
    for line in state.lines:
        context.output.prose(line)
    words = (
        _saved(state.saving, context)
        if state.saving
        else _command(_chosen(_CHOICES, context), state)
    )
    if words is None:
        return _left(context)
    return _run_shown([*words, *_same_store(options)], context, run)


def _left(context: "Context") -> ExitCode:
    context.output.line("Nothing was done.")
    return ExitCode.DONE


def _run_shown(
    argv: list[str], context: "Context", run: Callable[[Sequence[str]], ExitCode]
) -> ExitCode:
    """Say how a command is typed, and run it."""
    context.output.line(f"$ {PROGRAM} {shlex.join(argv)}")
    context.output.close()
    return run(argv)


def _read_only(
    why: str,
    found: "FoundStore",
    options: "Options",
    context: "Context",
    run: Callable[[Sequence[str]], ExitCode],
) -> ExitCode | None:
    """Offer what can be done with a store that cannot be changed now; None where that is not it."""
    context.output.prose(_named(found))
    context.output.prose(why)
    words = _picked(_READABLE, context)
    if words is None:
        return None
    return _run_shown([*words, *_same_store(options)], context, run)


def _chosen(choices: Iterable[str], context: "Context") -> int:
    """Ask which of several is wanted, by its number; the last is to leave."""
    context.output.line()
    for number, text in enumerate((*choices, _LEAVE), 1):
        context.output.line(f"  {number}  {text}")
    context.output.line()
    return _number("Which? ", number)


def _picked(commands: Mapping[str, str], context: "Context") -> list[str] | None:
    """Ask for one of several commands, each by what it does; None to leave."""
    answer = _chosen(commands, context)
    return list(commands.values())[answer - 1].split() if answer <= len(commands) else None


def _saved(saving: Mapping[str, str], context: "Context") -> list[str] | None:
    """Ask what is to be done where the store is damaged; None to leave."""
    words = _picked(saving, context)
    if words is None or words[-1] != "salvage":
        return words
    target = ask("Into which new file? ")
    return [*words, target] if target else None


def _one_of_several(context: "Context") -> str | None:
    """Ask which store is meant, where there are several; None when none is."""
    from recovery.discovery.host import Host  # noqa: PLC0415 # as above
    from recovery.discovery.survey import survey  # noqa: PLC0415

    stores = [one for one in survey(Host.here(context.environ)).candidates if one.has_data]
    context.output.line(f"There are {plural(len(stores), 'store')} here.")
    for number, store in enumerate(stores, 1):
        context.output.prose(f"  {number}  {store.description}")
    none = len(stores) + 1
    context.output.line(f"  {none}  {_LEAVE}")
    context.output.line()
    answer = _number("Which store? ", none)
    return None if answer == none else str(stores[answer - 1].path)


def _named(found: "FoundStore") -> str:
    return f"Store: {displayed(str(found.named_path))} ({found.reason})"


def _unreadable(found: "FoundStore", error: StoreDamagedError) -> _State:
    """Say what can be done with a store that cannot be opened; raise the error for nothing."""
    if _named_in(error, "store salvage") is None:
        raise error
    return _State((_named(found), f"It {error.problem}."), saving=_OF_UNREADABLE)


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
                users = _called(view.tx.users.walk([]))
                organizations = _called(view.tx.organizations.walk([]))
        except StoreDamagedError:
            return _State((*lines, f"{DO_NOT_START}."), saving=_OF_DAMAGED)
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
    saving = _OF_DAMAGED if seen.is_damaged else {}
    new_path = None if users or organizations else str(found.named_path)
    if new_path is not None:
        lines.append("Nobody has set it up: influxd would let whoever reaches it first do that.")
    return _State(tuple(lines), users, organizations, saving, new_path)


def _command(answer: int, state: _State) -> list[str] | None:
    """Build the command that a choice stands for."""
    match answer:
        case 1 | 2 if state.new_path is not None:
            return _first(state.new_path)
        case 1:
            user = _name("Which user gets it? ", state.users)
            org = _name("Which organization does it belong to? ", state.organizations)
            named = [*(["--org", org] if org else []), *(["--username", user] if user else [])]
            return ["auth", "create-operator", *named]
        case 2:
            return _new_password(state)
        case 3:
            return ["store", "check"]
        case 4:
            return ["store", "undo"]
        case _:
            return None


def _first(path: str) -> list[str] | None:
    """Ask for what a store gets that nobody has set up."""
    words = ["setup", "--bolt-path", path]
    for option, question in (
        ("--username", "What is the first user called? "),
        ("--org", "And the organization? "),
        ("--bucket", "And the bucket, where data go? "),
    ):
        answer = ask(question)
        if not answer:
            return None
        words += [option, answer]
    return words


def _new_password(state: _State) -> list[str] | None:
    """Ask whose; where there is no user, for a new one."""
    if not state.users:
        return _new_user(state) if state.organizations else ["user", "list"]
    user = _name("Whose password? ", state.users)
    return ["user", "update", *(["--username", user] if user else [])]


def _new_user(state: _State) -> list[str] | None:
    """Ask for what makes a user, where there is none who could get a password."""
    name = ask("There is no user any more. What is the new one called? ")
    org = _name("Which organization will it own? ", state.organizations)
    named = ["--owner-of", org] if org else []
    return ["user", "create", "--username", name, *named] if name else None


def _called(rows: "Iterable[User | Organization]") -> dict[str, str]:
    """Say how each can be typed."""
    return {
        shown: row.name if shown == row.name else row.id
        for row in rows
        if (shown := displayed(row.name))
    }


def _name(question: str, names: Mapping[str, str]) -> str | None:
    """Ask which, where there are several; the command itself complains where there is none."""
    if len(names) <= 1:
        return next(iter(names.values()), None)
    more = ", ..." if len(names) > NAMES_SHOWN else ""
    answer = ""
    for _ in range(TRIES):
        answer = ask(f"{question}({', '.join(list(names)[:NAMES_SHOWN])}{more}) ")
        if not answer or answer in names or answer in names.values():
            break
    return names.get(answer, answer) or None


def _number(question: str, highest: int) -> int:
    """Ask for a number; three odd answers, or the end of the input, are the last choice."""
    for _ in range(TRIES):
        answer = ask(question).rstrip(".)")
        if answer.isdecimal() and 1 <= int(answer) <= highest:
            return int(answer)
        if answer.casefold() in _LEAVING:
            break
        question = f"Type a number from 1 to {highest}: "
    return highest


def _same_store(options: "Options") -> list[str]:
    given = (("--bolt-path", options.bolt_path), ("--ledger", options.ledger))
    return [word for name, value in given if value is not None for word in (name, value)]
