"""What can be typed after `org`.

Lives here: the words, options and help of the commands on organizations. Must not live here: what
they do, which is in `recovery.cli.commands.org`.
"""

from recovery.cli.arguments.shared import add_command, add_noun
from recovery.cli.words import Choices


def add_org(nouns: Choices) -> None:
    """Add the noun `org` and its commands.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "org",
        summary="list the organizations",
        description="Organizations of the store: each bucket and each token belongs to one.",
    )
    _add_list(verbs)


def _add_list(verbs: Choices) -> None:
    add_command(
        verbs,
        "org list",
        run="org:run_list",
        summary="list every organization",
        description="List every organization of the store. The file is opened for reading only and "
        "nothing is changed.",
    )
