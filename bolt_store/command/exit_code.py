"""Exit codes, and the error that carries one.

Lives here: `ExitCode`, `CommandError`. Must not live here: which exception means what (`explain`).
"""

from enum import IntEnum, unique


@unique
class ExitCode(IntEnum):
    """What the process tells the script that called it; the numbers of `influx-recovery`."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    NOT_FOUND = 3
    BUSY = 4
    DAMAGED = 5
    REFUSED = 7
    WRITE_FAILED = 8
    INTERNAL = 70
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do its work.

    Attributes:
        exit_code: What the process ends with.
        hint: What to do next, one imperative sentence.
    """

    def __init__(self, sentence: str, *, exit_code: ExitCode, hint: str) -> None:
        self.exit_code = exit_code
        self.hint = hint
        super().__init__(sentence)
