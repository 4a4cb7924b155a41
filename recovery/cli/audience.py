"""The person, or the script, for whom a store is changed.

Lives here: showing the plan, asking for a yes, refusing to go on without one. Must not live here:
what the plan is (`recovery.services`), and the terminal itself (`recovery.cli.confirm`).

Invariants: nothing is changed without a yes: typed at the terminal after the plan was shown there,
or given as --yes. The plan goes to stderr, so that stdout can carry a token alone; only where it is
the result itself, in a dry run, it goes to stdout.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, unique

from recovery.cli.confirm import ask, has_terminal
from recovery.cli.output import Output
from recovery.cli.store import described
from recovery.discovery.search import FoundStore
from recovery.errors import RefusedError
from recovery.model.display import displayed
from recovery.services.changes.plan import Proposal

YES = "yes"
_NO = frozenset({"", "n", "no", "nein", "non", "q", "quit", "exit"})


@unique
class Lack(Enum):
    """What a command needs a terminal for: what for, and what would do instead."""

    TOKEN_PLACE = "show the token on", "--token-file PATH or --token-stdout"  # words
    PASSWORD = "type the password at", "--password-file FILE"  # words


def require_a_way_to_confirm(*, is_confirmed: bool, lacks: Iterable[Lack] = ()) -> None:
    """Refuse at once all that nobody is there for.

    Args:
        is_confirmed: Whether no question will be asked.
        lacks: What else a person would be needed for.
    """
    needed = [one.value for one in lacks]
    if not is_confirmed:
        needed.insert(0, ("ask for a yes on", "--yes"))
    if needed and not has_terminal():
        what, instead = zip(*needed, strict=True)
        raise RefusedError(
            reason=f"there is no terminal to {' and to '.join(what)}",
            hint=f"add {', and '.join(instead)}",
        )


def asked(question: str) -> bool:
    """Ask an escaped question at the terminal; raise `RefusedError` where that has gone.

    What is neither a yes nor a no, such as y, is asked about once more.
    """
    try:
        answer = ask(question).casefold()
        if answer not in {YES, *_NO}:
            answer = ask("Type the whole word yes, or no to leave all as it is: ").casefold()
    except OSError as error:
        raise RefusedError(
            reason=f"the terminal cannot be used for the question ({error.strerror})",
            hint="add --yes",
        ) from None
    return answer == YES


class PlanAudience:
    """Shows the plan and asks at the terminal."""

    def __init__(
        self,
        output: Output,
        *,
        found: FoundStore,
        is_confirmed: bool,
        is_result: bool,
        preface: tuple[str, ...] = (),
    ) -> None:
        """Get ready.

        Args:
            is_confirmed: Whether the yes was given on the command line.
            is_result: Whether the plan is all that is wanted, so that it belongs on stdout.
            preface: Lines in front of the plan, escaped.
        """
        self._say = output.prose if is_result else output.message
        self._found = found
        self._preface = preface
        self._is_confirmed = is_confirmed

    def show_plan(self, proposal: Proposal) -> None:
        """Show what will be written, and where."""
        for line in _plan_lines(proposal, self._found, self._preface):
            self._say(line)

    def confirm(self, proposal: Proposal) -> bool:
        """Ask for a yes, unless it was given on the command line; may raise `RefusedError`."""
        if self._is_confirmed:
            return True
        return asked(f"Type yes to change {displayed(str(proposal.target_path))}: ")


def _plan_lines(proposal: Proposal, found: FoundStore, preface: tuple[str, ...]) -> Iterator[str]:
    plan = proposal.plan
    yield described(found, proposal.store)
    yield ""
    yield from preface
    yield f"Plan of {plan.operation}:"
    yield from (f"  - {displayed(step)}" for step in plan.steps)
    if not plan.is_needed:
        yield from (f"  ! {displayed(warning)}" for warning in plan.warnings)
        yield ""
        return
    if proposal.backup_path is not None:
        yield f"  - before that, copy the store to {displayed(str(proposal.backup_path))}"
    else:
        yield f"  - in a new copy, {displayed(str(proposal.target_path))}; the store stays as it is"
    yield from (f"  ! {displayed(warning)}" for warning in plan.warnings)
    yield ""
