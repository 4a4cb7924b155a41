"""What all listings have in common.

Lives here: the words for records that cannot be listed. Must not live here: any one listing.
"""

from collections.abc import Sequence

from recovery.cli.context import Context
from recovery.errors import ExitCode
from recovery.services.authorizations.listing import Problem


def report_problems(problems: Sequence[Problem], context: Context) -> ExitCode:
    """Name the records that could not be listed.

    Args:
        problems: What the listing met; complete only after its last row.
        context: Where to say it.

    Returns:
        `FINDINGS` when there is one, so that a script can tell, else `DONE`.
    """
    for problem in problems:
        which = f"record {problem.id}" if problem.id else "a record"
        context.output.message(
            f"warning: {which} in {problem.bucket} cannot be understood ({problem.problem}) and is "
            "not listed; nothing was changed"
        )
    return ExitCode.FINDINGS if problems else ExitCode.DONE


def plural(count: int, noun: str) -> str:
    """Put a number before a noun.

    Args:
        count: The number.
        noun: The noun in the singular, with a regular plural.

    Returns:
        Both, as "1 user" or "2 users".
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
