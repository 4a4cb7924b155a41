"""The error for a command line that cannot be understood.

Lives here: `UsageError`, and what is required. Must not live here: refusals that depend on the
store; those are in `recovery.errors`.
"""

from typing import Final

from recovery.errors import ExitCode, RecoveryError

_WHICH: Final = {
    **dict.fromkeys(("ID", "ID|NAME"), "the IDs"),
    "NUMBER": "the numbers",
    **dict.fromkeys(("NAME", "--username NAME", "--org NAME", "--name NAME"), "the names"),
}
"""What says which of several is meant, and what a list shows of it."""
REQUIRED: Final = "(required)"
"""In the help of an option or a word that a command cannot do without."""
EITHER: Final = "is required)"
"""The same of an option in whose place another one may be."""


class UsageError(RecoveryError):
    """The command line cannot be understood, or its options clash.

    Attributes:
        problem: What is wrong with it, without a full stop.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, *, problem: str, hint: str) -> None:
        self.problem = problem
        super().__init__(f"{problem}; nothing was done", hint=hint)


def required(value: str | None, option: str, command: str) -> str:
    """Return the value of an option that a command cannot do without, or raise `UsageError`."""
    if value is None:
        raise missing(option, command)
    return value


def missing(what: str, command: str) -> UsageError:
    """Return the error for what a command cannot do without: the list of it helps, or the help."""
    noun, _, verb = command.partition(" ")
    which, others = what.partition(" or ")[0], {"create", "list", "add-owner", "add-member"}
    is_which = which in _WHICH and verb not in others
    more = f"type influx-recovery {noun} list to see {_WHICH[which]}, or " if is_which else ""
    return UsageError(
        problem=f"{command} needs {what}", hint=f"{more}type influx-recovery {command} --help"
    )
