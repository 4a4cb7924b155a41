"""The error for a command line that cannot be understood.

Lives here: `UsageError`, and what is required. Must not live here: refusals that depend on the
store; those are in `recovery.errors`.
"""

from typing import Final

from recovery.errors import ExitCode, RecoveryError

REQUIRED: Final = "(required)"
"""In the help of an option or a word that a command cannot do without."""


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
        raise UsageError(
            problem=f"{command} needs {option}", hint=f"type influx-recovery {command} --help"
        )
    return value
