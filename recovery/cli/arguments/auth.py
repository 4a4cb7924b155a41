"""What can be typed after `auth`.

Lives here: the words, options and help of the commands on authorizations. Must not live here: what
they do, which is in `recovery.cli.commands`.
"""

from recovery.cli.arguments.auth_creation import add_create
from recovery.cli.arguments.auth_records import add_records
from recovery.cli.arguments.auth_transfer import add_transfer
from recovery.cli.arguments.shared import add_command, add_manner, add_noun
from recovery.cli.arguments.tokens import add_destination, add_form
from recovery.cli.words import Choices


def add_auth(nouns: Choices) -> None:
    """Add the noun `auth` and its commands.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "auth",
        summary="list, make, check, change and delete authorizations",
        description="Authorizations of the store: the records behind API tokens, each with the "
        "user and organization that it belongs to and what it permits.",
    )
    _add_list(verbs)
    _add_create_operator(verbs)
    add_create(verbs)
    add_records(verbs)
    add_transfer(verbs)


def _add_list(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "auth list",
        run="auth:run_list",
        summary="list every authorization, and say which are operators",
        description="List every authorization of the store and say of each whether it is an "
        "operator token, one that may do everything on this server. The file is opened for "
        "reading only and nothing is changed. Tokens are not shown unless asked for with "
        "--show-tokens, and a token that is stored as a hash cannot be shown by anything.",
    )
    command.add_argument(
        "--operators",
        action="store_true",
        help="only operator tokens, full and partial (default: all authorizations)",
    )
    command.add_argument("--user", metavar="NAME", help="only those of this user (default: all)")
    command.add_argument(
        "--org", metavar="NAME", help="only those of this organization (default: all)"
    )
    command.add_argument(
        "--show-tokens",
        action="store_true",
        help="print the tokens and hashes as they are stored; this is recorded in the ledger "
        "(default: REDACTED)",
    )


def _add_create_operator(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "auth create-operator",
        run="auth_minting:run_create_operator",
        summary="make a new operator token",
        description="Make a new operator token, one that may do everything on this server, without "
        "having any token. influxd must be stopped: the store is locked from the first read "
        "until the result has been verified. Shows the plan, asks, copies the store to a backup "
        "beside it, commits in one transaction, reads the new token back by the server's own "
        "rule, and hands it over exactly once. It cannot show that token again, cannot reveal an "
        "existing token that is hashed, and does not change any other record.",
    )
    command.add_argument(
        "--username",
        metavar="NAME",
        help="user who gets the token (default: the only user; with several, name one)",
    )
    command.add_argument(
        "--org",
        metavar="NAME",
        help="organization that the token belongs to (default: the only one; with several, name "
        "one)",
    )
    command.add_argument(
        "--description",
        metavar="TEXT",
        help="text that the server shows for the token (default: NAME's Recovery Token)",
    )
    add_form(command)
    add_destination(command)
    add_manner(command)
