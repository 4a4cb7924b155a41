"""What can be typed after `setup`.

Lives here: the options and help of the command. Must not live here: what it does, which is in
`recovery.cli.commands.setup`.
"""

from recovery.cli.arguments.shared import add_command
from recovery.cli.words import Choices


def add_setup(nouns: Choices) -> None:
    """Add the command `setup`.

    Args:
        nouns: The nouns of the program.
    """
    command = add_command(
        nouns,
        "setup",
        run="setup:run_setup",
        summary="make a new store that influxd takes for set up",
        description="Make a new store for InfluxDB 2.8 or later with a user, an organization, a "
        "bucket and an operator token, before the first start of the server. Takes the file from "
        "--bolt-path, which must not exist yet; nothing is ever replaced. It cannot set up a "
        "store that is there.",
    )
    command.add_argument("--username", metavar="NAME", help="the first user (required)")
    command.add_argument("--org", metavar="NAME", help="the first organization (required)")
    command.add_argument("--bucket", metavar="NAME", help="the first bucket (required)")
    command.add_argument(
        "--retention",
        metavar="TIME",
        default="0",
        help="how long data stay in it, such as 72h, 30d or 8w; 0 is for ever (default: 0)",
    )
    source = command.add_mutually_exclusive_group()
    source.add_argument(
        "--password-file",
        metavar="FILE",
        help="read the password from this file, - for standard input (default: it is asked for "
        "twice at the terminal)",
    )
    source.add_argument(
        "--no-password",
        action="store_true",
        help="make a user who cannot sign in (default: the password is asked for)",
    )
    place = command.add_mutually_exclusive_group()
    place.add_argument(
        "--token-file",
        metavar="PATH",
        help="write the operator token to this new file, mode 0600 (default: show it on the "
        "terminal)",
    )
    place.add_argument(
        "--token-stdout",
        action="store_true",
        help="print the operator token, and nothing else, on standard output (default: show it "
        "on the terminal)",
    )
    place.add_argument(
        "--no-token",
        action="store_true",
        help="make no operator token (default: make one)",
    )
