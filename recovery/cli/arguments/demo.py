"""What can be typed after `demo`.

Lives here: the words and help of the demonstration. Must not live here: what it does, which is in
`recovery.cli.commands.demo`.
"""

from recovery.cli.arguments.shared import add_command
from recovery.cli.words import Choices


def add_demo(nouns: Choices) -> None:
    """Add the command `demo`.

    Args:
        nouns: The nouns of the program.
    """
    add_command(
        nouns,
        "demo",
        run="demo:run_demo",
        summary="watch the whole job on a sample store",
        description="Make a small store of its own in a temporary folder and do the whole job on "
        "it: list who can get in, find that there is no operator token, make one. Shows each "
        "command as it would be typed and what it really prints, and removes the folder at the "
        "end. It touches no other store and needs no InfluxDB.",
    )
