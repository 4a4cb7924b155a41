"""The command on the server as a whole.

Lives here: `instance add-owner`. Must not live here: its decisions
(`recovery.services.tenancy.organization_changes`).
"""

from typing import Final

from recovery.cli.changing import planned
from recovery.cli.options import Change, Command
from recovery.cli.usage import required
from recovery.cli.words import Parser
from recovery.services.tenancy.organization_changes import SetInstanceOwner


class _AddOwner(Change, frozen=True):
    username: str | None


def _add_add_owner(command: Parser) -> None:
    command.add_argument("--username", metavar="NAME", help="the user, by name (required)")


def _add_owner(options: _AddOwner) -> SetInstanceOwner:
    return SetInstanceOwner(
        username=required(options.username, "--username NAME", "instance add-owner")
    )


ADD_OWNER: Final = Command(
    description="Make a user an owner of the instance, as set-up does since InfluxDB 2.4. It takes "
    "a store of level 20 or later.",
    example="instance add-owner --username admin",
    options=_AddOwner,
    run=planned(_add_owner),
    add_options=_add_add_owner,
)
