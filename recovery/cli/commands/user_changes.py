"""The commands that change users.

Lives here: `user update`, `rename`, `activate`, `deactivate`, `delete`. Must not live here: the
order of their steps (`recovery.services.changes.sequence`) and their decisions
(`recovery.services.tenancy.user_changes`).
"""

from functools import partial
from typing import Final

from msgspec.structs import replace

from recovery.cli.changing import planned, run_with_password
from recovery.cli.choices import add_user_choice, user_choice
from recovery.cli.context import Context
from recovery.cli.options import Change, Command, NewPassword, add_ensure
from recovery.cli.secret_input import add_new_password
from recovery.cli.usage import required
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.password import STAND_IN
from recovery.services.tenancy.user_changes import (
    DeleteUser,
    RenameUser,
    SetPassword,
    SetUserStatus,
)


class _Update(NewPassword, frozen=True, kw_only=True):
    username: str | None
    id: str | None
    activate: bool
    ensure: bool


def _add_update(command: Parser) -> None:
    add_user_choice(command)
    add_new_password(command)
    command.add_argument(
        "--activate",
        action="store_true",
        help="set the status of the user to active too (default: leave it)",
    )
    add_ensure(command, wanted="the user has this password", otherwise="set it again")


def _update(options: _Update, context: Context) -> ExitCode:
    bare = SetPassword(
        user=user_choice(options.username, options.id, "user update"),
        password=STAND_IN,
        is_activated=options.activate,
        is_ensured=options.ensure,
    )
    return run_with_password(
        options, context, lambda password: replace(bare, password=password), is_planned=True
    )


UPDATE: Final = Command(
    description="Set the password of a user. It is asked for twice, unless a file holds it. The "
    "user has to be named: none is ever guessed. It cannot recover the old password.",
    example="user update --username admin --activate",
    options=_Update,
    run=_update,
    add_options=_add_update,
)


class _Rename(Change, frozen=True):
    username: str | None
    id: str | None
    new_name: str | None


def _add_rename(command: Parser) -> None:
    add_user_choice(command)
    command.add_argument("--new-name", metavar="NAME", help="the new name (required)")


def _rename(options: _Rename) -> RenameUser:
    return RenameUser(
        user=user_choice(options.username, options.id, "user rename"),
        new_name=required(options.new_name, "--new-name NAME", "user rename"),
    )


RENAME: Final = Command(
    description="Give a user another name to sign in with. Password, roles and tokens stay.",
    example="user rename --username admin --new-name root",
    options=_Rename,
    run=planned(_rename),
    add_options=_add_rename,
)


class _SetStatus(Change, frozen=True):
    username: str | None
    id: str | None


def _set_status(options: _SetStatus, *, is_active: bool) -> SetUserStatus:
    words = "user activate" if is_active else "user deactivate"
    return SetUserStatus(user=user_choice(options.username, options.id, words), is_active=is_active)


_WHAT_STAYS: Final = "Its password, roles and tokens stay as they are."
ACTIVATE: Final = Command(
    description=f"Set a user active, to let it in again. {_WHAT_STAYS}",
    example="user activate --username admin",
    options=_SetStatus,
    run=planned(partial(_set_status, is_active=True)),
    add_options=add_user_choice,
)
DEACTIVATE: Final = Command(
    description=f"Set a user inactive, to keep it out, with all its tokens. {_WHAT_STAYS}",
    example="user deactivate --username grafana",
    options=_SetStatus,
    run=planned(partial(_set_status, is_active=False)),
    add_options=add_user_choice,
)


class _Delete(Change, frozen=True):
    username: str | None
    id: str | None
    with_tokens: bool


def _add_delete(command: Parser) -> None:
    add_user_choice(command)
    command.add_argument(
        "--with-tokens",
        action="store_true",
        help="delete the authorizations of the user too (default: they stay, and answer 403)",
    )


def _delete(options: _Delete) -> DeleteUser:
    return DeleteUser(
        user=user_choice(options.username, options.id, "user delete"),
        with_tokens=options.with_tokens,
    )


DELETE: Final = Command(
    description="Delete a user with its password and all its roles. Its tokens are listed and "
    "stay, as they would on a server, unless --with-tokens is given. It cannot delete what the "
    "user has made: dashboards, tasks and buckets stay.",
    example="user delete --username grafana --with-tokens",
    options=_Delete,
    run=planned(_delete),
    add_options=_add_delete,
)
