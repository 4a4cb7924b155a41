"""What can be typed after `auth create`.

Lives here: its options, above all one for each permission. Must not live here: what they mean
(`recovery.services.authorizations.permission_request`).

Source: `influx auth create` of influx-cli 2.7, and 2.1 for its older names.
"""

from typing import Final

from recovery.cli.arguments.shared import add_command, add_manner
from recovery.cli.arguments.tokens import add_destination, add_form
from recovery.cli.words import Choices, Parser
from recovery.model.resource_types import ACTIONS, ALL_TYPES, TYPES_2_1, TYPES_2_2

OTHER_NAMES: Final = {"users": "user", "dbrp": "dbrps"}
"""Singular and plural that `influx` had at another time."""


def add_create(verbs: Choices) -> None:
    """Add the command `auth create`.

    Args:
        verbs: The commands of `auth`.
    """
    command = add_command(
        verbs,
        "auth create",
        run="auth_creation:run_create",
        summary="make a token with just the rights that a client needs",
        description="Make a new authorization with the permissions named, as influx auth create "
        "does on a running server. influxd must be stopped. Shows the plan, asks, copies the store "
        "to a backup beside it, commits in one transaction, reads the new token back by the "
        "server's own rule, and hands it over exactly once. With --token-value-file the token gets "
        "a value that clients have already. It cannot give permissions on a single dashboard or "
        "task by name: use --permissions for those, with their IDs.",
    )
    command.add_argument(
        "--user",
        "--username",
        dest="username",
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
        default="",
        help="text that the server shows for the token (default: empty)",
    )
    _add_permissions(command)
    add_form(command)
    add_destination(command)
    add_manner(command)


def _add_permissions(command: Parser) -> None:
    group = command.add_argument_group("permissions")
    group.add_argument(
        "--operator", action="store_true", help="everything on this server; nothing besides"
    )
    group.add_argument(
        "--all-access",
        action="store_true",
        help="everything in the organization; nothing besides",
    )
    for action in ACTIONS:
        group.add_argument(
            f"--{action}-bucket",
            action="append",
            default=[],
            metavar="ID|NAME",
            help=f"{action} this bucket of the organization; may be repeated",
        )
    for kind in ALL_TYPES:
        for action in ACTIONS:
            names = [f"--{action}-{kind}"]
            if kind in OTHER_NAMES:
                names.append(f"--{action}-{OTHER_NAMES[kind]}")
            group.add_argument(
                *names,
                dest=f"{action}_types",
                action="append_const",
                const=kind,
                default=[],
                help=f"{action} all {kind}{_scope(kind)}{_since(kind)}",
            )
    group.add_argument(
        "--permissions",
        metavar="FILE",
        help="the permissions in this JSON file, an array as POST /api/v2/authorizations takes it, "
        "or on standard input for -; added to those named by options",
    )


def _scope(kind: str) -> str:
    return " of the server" if kind in {"orgs", "users"} else " of the organization"


def _since(kind: str) -> str:
    if kind in TYPES_2_1:
        return "; needs a store of InfluxDB 2.1 or later"
    return "; needs a store of InfluxDB 2.2 or later" if kind in TYPES_2_2 else ""
