"""What can be typed after `v1-auth`.

Lives here: the commands on 1.x-compatible authorizations, as `influx v1 auth` has them. Must not
live here: what they do.
"""

from recovery.cli.arguments.shared import add_command, add_manner, add_noun
from recovery.cli.arguments.tokens import add_ensure
from recovery.cli.words import Choices, Parser


def add_v1_auth(nouns: Choices) -> None:
    """Add the noun `v1-auth` and its commands.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "v1-auth",
        summary="user names and passwords for clients of InfluxDB 1.x",
        description="1.x-compatible authorizations of the store: the user names and passwords that "
        "clients of InfluxDB 1.x send to /query and /write. They are apart from users and API "
        "tokens.",
    )
    _add_list(verbs)
    _add_set_password(verbs)
    _add_status(verbs)
    _add_delete(verbs)


def _add_list(verbs: Choices) -> None:
    add_command(
        verbs,
        "v1-auth list",
        run="v1_auth:run_list",
        summary="list every 1.x-compatible authorization",
        description="List every 1.x-compatible authorization with its user name, what it may do, "
        "and whether it has a password. The file is opened for reading only and nothing is "
        "changed. It cannot show a password: the store holds only hashes of them.",
    )


def _add_set_password(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "v1-auth set-password",
        run="v1_auth:run_set_password",
        summary="set the password of a 1.x user name",
        description="Set the password that clients of InfluxDB 1.x log in with, 8 to 72 bytes. "
        "influxd must be stopped. The password is typed twice and does not show, or comes from a "
        "file. It does not set the password of a user of InfluxDB 2: user update does.",
    )
    _add_which(command)
    command.add_argument(
        "--password-file",
        metavar="FILE",
        help="the new password is in this file, or on standard input for - (default: type it "
        "twice at the terminal)",
    )
    add_ensure(command, wanted="the password is this one already")
    add_manner(command)


def _add_status(verbs: Choices) -> None:
    for word, effect in (
        ("active", "Clients can log in with it again."),
        ("inactive", "Servers refuse its user name until it is set active."),
    ):
        command = add_command(
            verbs,
            f"v1-auth set-{word}",
            run=f"v1_auth:run_set_{word}",
            summary=f"set one 1.x-compatible authorization {word}",
            description=f"Set the status of one 1.x-compatible authorization to {word}. {effect} "
            "influxd must be stopped. It does not touch its password, and changes nothing when "
            "the status is so already.",
        )
        _add_which(command)
        add_manner(command)


def _add_delete(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "v1-auth delete",
        run="v1_auth:run_delete",
        summary="delete one 1.x-compatible authorization with its password",
        description="Delete one 1.x-compatible authorization, its password and the index entry of "
        "its user name. influxd must be stopped. It does not delete the user of InfluxDB 2 that it "
        "belongs to.",
    )
    _add_which(command)
    add_ensure(command, wanted="there is no such authorization")
    add_manner(command)


def _add_which(command: Parser) -> None:
    command.add_argument(
        "which", metavar="ID|NAME", help="the authorization, by its ID or its 1.x user name"
    )
