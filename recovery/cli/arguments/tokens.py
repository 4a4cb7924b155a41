"""Options that commands share which make a token.

Lives here: in which form it is stored, where it goes or comes from, `--ensure`. Must not live here:
options of one command.
"""

from recovery.cli.words import Parser


def add_ensure(command: Parser, *, wanted: str) -> None:
    """Add `--ensure`.

    Args:
        command: A command that can be repeated.
        wanted: What may be so already, as a clause.
    """
    command.add_argument(
        "--ensure",
        action="store_true",
        help=f"succeed and change nothing when {wanted} (default: refuse)",
    )


def add_form(command: Parser) -> None:
    """Add in which form a new token is stored.

    Args:
        command: A command that makes a token.
    """
    form = command.add_mutually_exclusive_group()
    form.add_argument(
        "--hashed",
        "--store-token-hashes",
        action="store_true",
        help="store only a SHA-256 hash of the token, as InfluxDB 2.9 does; needs a store of "
        "InfluxDB 2.8 or later (default: as suits the store)",
    )
    form.add_argument(
        "--raw",
        action="store_true",
        help="store the token itself, which survives a downgrade to InfluxDB 2.7 (default: as "
        "suits the store)",
    )


def add_destination(command: Parser) -> None:
    """Add where a new token goes, or where its value comes from.

    Args:
        command: A command that makes a token.
    """
    place = command.add_mutually_exclusive_group()
    place.add_argument(
        "--token-file",
        metavar="PATH",
        help="write the token to this new file, mode 0600, never overwriting one (default: show "
        "it on the terminal)",
    )
    place.add_argument(
        "--token-stdout",
        action="store_true",
        help="print the token, and nothing else, on standard output (default: show it on the "
        "terminal)",
    )
    place.add_argument(
        "--token-value-file",
        metavar="FILE",
        help="give the token the value in this file, or on standard input for -, so that clients "
        "that have it go on working; at least 16 characters, not present in the store (default: a "
        "new random token)",
    )
    add_ensure(command, wanted="the value given is a token with just these rights already")
