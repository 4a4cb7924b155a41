"""What can be typed after `ledger`.

Lives here: the words, options and help of the commands on the ledger. Must not live here: what they
do, which is in `recovery.cli.commands.ledger`.
"""

from recovery.cli.arguments.shared import add_command, add_noun
from recovery.cli.words import Choices


def add_ledger(nouns: Choices) -> None:
    """Add the noun `ledger` and its commands.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "ledger",
        summary="see what was done to which store, when, by whom and why",
        description="The record of what this tool has done. Nothing is ever taken out of it, and "
        "no token is in it. Only changes made with this tool are known to it.",
    )
    add_command(
        verbs,
        "ledger list",
        run="ledger:run_list",
        summary="list what was done, the newest last",
        description="List what was done, the newest last: all of it, or with --bolt-path only what "
        "was done to that store. The ledger is opened for reading only; a ledger that does not "
        "exist is not made.",
    )
    show = add_command(
        verbs,
        "ledger show",
        run="ledger:run_show",
        summary="show one operation with all that is known of it",
        description="Show one operation: who did it with what, to which file, which records were "
        "concerned, where the backup is, and how it ended.",
    )
    show.add_argument(
        "number", metavar="NUMBER", nargs="?", help="its number in ledger list (required)"
    )
