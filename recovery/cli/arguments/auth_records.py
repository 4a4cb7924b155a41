"""What can be typed to look at, check, change or delete one authorization.

Lives here: options of `auth verify`, `show`, `set-active`, `set-inactive`, `delete`, `complete` and
`hash`. Must not live here: what they do.
"""

from recovery.cli.arguments.shared import add_command, add_manner
from recovery.cli.arguments.tokens import add_ensure
from recovery.cli.words import Choices, Parser


def add_records(verbs: Choices) -> None:
    """Add the commands on single authorizations.

    Args:
        verbs: The commands of `auth`.
    """
    _add_verify(verbs)
    _add_show(verbs)
    _add_status(verbs)
    _add_delete(verbs)
    _add_complete(verbs)
    _add_hash(verbs)


def _add_verify(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "auth verify",
        run="auth_verification:run_verify",
        summary="say which record a token matches, and what it may do",
        description="Take a token and say which authorization it belongs to, in which form it is "
        "stored, whether a server would accept it and what it may do; or that nothing matches, and "
        "the nearest reason why. The exit code is 0 when a server would accept it and 7 when it "
        "would not. The file is opened for reading only, nothing is changed, and the token is "
        "never printed. It does not ask a running server and cannot see one.",
    )
    command.add_argument(
        "--token-file",
        metavar="FILE",
        help="the token is in this file, or on standard input for - (default: type it at the "
        "terminal, where it does not show)",
    )


def _add_show(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "auth show",
        run="auth_records:run_show",
        summary="show everything about one authorization",
        description="Show one authorization with its user, organization, permissions, and whether "
        "a server would accept its token. The file is opened for reading only and nothing is "
        "changed. The token is not shown unless asked for with --show-tokens.",
    )
    _add_id(command)
    command.add_argument(
        "--show-tokens",
        action="store_true",
        help="print the token or hash as it is stored; this is recorded in the ledger (default: "
        "REDACTED)",
    )


def _add_status(verbs: Choices) -> None:
    inactive = (
        "Servers refuse its token with 403 until it is set active. It does not take away what the "
        "token's user may do when signed in to the user interface: only auth delete does."
    )
    for word, effect in (("active", "Servers accept its token again."), ("inactive", inactive)):
        command = add_command(
            verbs,
            f"auth set-{word}",
            run=f"auth_records:run_set_{word}",
            summary=f"set one authorization {word}",
            description=f"Set the status of one authorization to {word}. {effect} influxd must be "
            "stopped. Changes nothing when the status is so already.",
        )
        _add_id(command)
        add_manner(command)


def _add_delete(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "auth delete",
        run="auth_records:run_delete",
        summary="delete one authorization, so that its token is worth nothing",
        description="Delete one authorization and every index entry that leads to it, also when "
        "its record cannot be decoded. influxd must be stopped. The plan warns when it is the only "
        "operator token that works. The bytes stay in freed pages of the file and in the backup: "
        "this does not wipe them.",
    )
    _add_id(command)
    add_ensure(command, wanted="there is no such authorization")
    add_manner(command)


def _add_complete(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "auth complete",
        run="auth_records:run_complete",
        summary="give an older operator token the permissions that it lacks",
        description="Add to an operator token of an older version the permissions on resource "
        "types that came later, without which backup, restore and the configuration are refused. "
        "The token itself stays, so clients go on working. influxd must be stopped. It does not "
        "make an operator of a token that never was one, and changes nothing when none is lacking.",
    )
    _add_id(command)
    add_manner(command)


def _add_hash(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "auth hash",
        run="auth_records:run_hash",
        summary="store raw tokens as hashes, as InfluxDB 2.9 does",
        description="Replace the raw token of one authorization, or of all, by its SHA-256 hash, "
        "exactly as a server with use-hashed-tokens does at its start. Clients go on working on "
        "InfluxDB 2.8 and later. This cannot be undone: nothing can show these tokens afterwards, "
        "and older servers cannot use them. The backup and freed pages of the file still hold the "
        "raw tokens. influxd must be stopped; the store must be of InfluxDB 2.8 or later.",
    )
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", metavar="ID", help="the authorization, 16 hex digits")
    which.add_argument("--all", action="store_true", help="every authorization with a raw token")
    add_manner(command)


def _add_id(command: Parser) -> None:
    command.add_argument("id", metavar="ID", help="the authorization, 16 hex digits")
