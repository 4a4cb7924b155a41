"""What can be typed after `store` to look at stores.

Lives here: the words, options and help of `store diff`. Must not live here: what they do, which is
in `recovery.cli.commands`.
"""

from recovery.cli.arguments.shared import add_command
from recovery.cli.words import Choices


def add_store_views(verbs: Choices) -> None:
    """Add the commands that only look.

    Args:
        verbs: The commands of the noun `store`.
    """
    diff = add_command(
        verbs,
        "store diff",
        run="store_diff:run_diff",
        summary="say what is different between two stores, by name and without secrets",
        description="Compare two stores, such as a backup and the store itself: records that were "
        "added, removed or changed, by name. Of tokens and passwords it only says that they "
        "differ, and of indexes it only counts. Neither is changed. Exit code 0 when both have "
        "the same content, 1 when they differ.",
    )
    diff.add_argument("before", metavar="A", nargs="?", help="the first store (required)")
    diff.add_argument("after", metavar="B", nargs="?", help="the second store (required)")
