"""What can be typed after `user`.

Lives here: the words, options and help of the commands on users. Must not live here: what they do,
which is in `recovery.cli.commands.user`.
"""

from recovery.cli.arguments.shared import add_command, add_noun
from recovery.cli.words import Choices


def add_user(nouns: Choices) -> None:
    """Add the noun `user` and its commands.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "user",
        summary="list the users",
        description="Users of the store: the names and passwords that people sign in with.",
    )
    _add_list(verbs)


def _add_list(verbs: Choices) -> None:
    add_command(
        verbs,
        "user list",
        run="user:run_list",
        summary="list every user, with status and organizations",
        description="List every user of the store with its status and the organizations that it "
        "belongs to. The file is opened for reading only and nothing is changed. It cannot show a "
        "password: the store holds only hashes of them, and those are never printed.",
    )
