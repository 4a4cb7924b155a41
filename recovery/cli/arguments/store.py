"""What can be typed after `store`.

Lives here: the noun, and the order of its commands. Must not live here: their options, which are in
the modules of `recovery.cli.arguments` that are named here.
"""

from recovery.cli.arguments.shared import add_noun
from recovery.cli.arguments.store_copies import add_store_copies
from recovery.cli.arguments.store_doctor import add_store_doctor
from recovery.cli.arguments.store_views import add_store_views
from recovery.cli.words import Choices


def add_store(nouns: Choices) -> None:
    """Add the noun `store` and its commands.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "store",
        summary="find, back up, compare and mend stores",
        description="The store itself, the file influxd.bolt, as a whole.",
    )
    add_store_doctor(verbs)
    add_store_copies(verbs)
    add_store_views(verbs)
