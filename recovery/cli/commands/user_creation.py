"""The command that makes a user.

Lives here: `user create`. Must not live here: its decisions
(`recovery.services.tenancy.user_creation`).
"""

from typing import Final

from msgspec.structs import replace

from recovery.cli.changing import run_with_password
from recovery.cli.choices import new_id
from recovery.cli.context import Context
from recovery.cli.options import Command, OptionalPassword, add_ensure
from recovery.cli.secret_input import add_new_password
from recovery.cli.usage import required
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
from recovery.services.tenancy.user_creation import CreateUser


class _Create(OptionalPassword, frozen=True, kw_only=True):
    username: str | None
    id: str | None
    owner_of: str | None
    member_of: str | None
    no_org: bool
    ensure: bool


def _add_create(command: Parser) -> None:
    command.add_argument("--username", metavar="NAME", help="name of the new user (required)")
    command.add_argument(
        "--id",
        metavar="ID",
        help="give it this ID, 16 hex digits, as of a deleted user whose tokens are still "
        "there (default: a new one)",
    )
    add_new_password(command, or_none="make a user who cannot sign in, only own tokens")
    role = command.add_mutually_exclusive_group()
    role.add_argument(
        "--owner-of",
        metavar="ORG",
        help="make the user an owner of this organization (default: a member of the only one)",
    )
    role.add_argument(
        "--member-of",
        metavar="ORG",
        help="make the user a member of this organization (default: of the only one)",
    )
    role.add_argument(
        "--no-org",
        action="store_true",
        help="give the user no role; it will see nothing after signing in (default: a member of "
        "the only organization)",
    )
    add_ensure(command, wanted="the user is there, active, with this password and role")


def _create(options: _Create, context: Context) -> ExitCode:
    bare = CreateUser(
        name=required(options.username, "--username NAME", "user create"),
        password=None,
        organization=options.owner_of or options.member_of,
        has_role=not options.no_org,
        is_owner=options.owner_of is not None,
        is_ensured=options.ensure,
        user_id=new_id(options.id),
        clock=SystemClock(),
        rng=SystemRng(),
    )
    return run_with_password(
        options, context, lambda password: replace(bare, password=password), is_planned=True
    )


CREATE: Final = Command(
    description="Make an active user with a password and a role in an organization. The password "
    "is asked for twice, unless a file holds it. It cannot give the user a token; auth create does "
    "that.",
    example="user create --username carol --owner-of myorg",
    options=_Create,
    run=_create,
    add_options=_add_create,
)
