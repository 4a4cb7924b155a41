"""What can be typed after `store` to see whether it is well, and to mend it.

Lives here: the words, options and help of `store check` and `store repair`. Must not live here:
what they do, which is in `recovery.cli.commands`.
"""

from recovery.cli.arguments.shared import add_command, add_manner
from recovery.cli.words import Choices


def add_store_doctor(verbs: Choices) -> None:
    """Add the commands.

    Args:
        verbs: The place of the word after `store`.
    """
    _add_check(verbs)
    _add_repair(verbs)


def _add_check(verbs: Choices) -> None:
    add_command(
        verbs,
        "store check",
        run="store_check:run_check",
        summary="say whether influxd will start on the store, and what is wrong with it",
        description="Check the bolt file, then every rule that the records of a store have to keep "
        "among each other, numbered I1 to I36, with the SQLite file and the engine's "
        "folder where they are there. Each finding says what influxd would do about it and what "
        "repair can do. Severities: F influxd does not start, H access or security is broken, M a "
        "feature is broken, L harmless debris. Ends with one verdict. The store is opened for "
        "reading only and nothing is written. It does not look into time series. Exit code 0 when "
        "nothing is wrong and somebody can get in, else 1.",
    )


def _add_repair(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "store repair",
        run="store_repair:run_repair",
        summary="mend what can be mended safely",
        description="Mend what store check found, as far as that is safe: missing bolt buckets, "
        "indexes, catalogue entries, system buckets, debris. All of it in one transaction, after "
        "the plan was shown, and checked again afterwards: nothing is wrong then that was right "
        "before. What is ambiguous is left and said: it never guesses, and it cannot bring back "
        "records that are gone, or mend a damaged bolt file.",
    )
    command.add_argument(
        "--only",
        metavar="NUMBERS",
        help="mend only these, such as I16,I25; what is mended on request only has to be named "
        "here (default: all that is safe)",
    )
    add_manner(command)
