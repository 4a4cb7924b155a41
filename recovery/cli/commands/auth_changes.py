"""The commands that change one authorization.

Lives here: `auth set-active`, `set-inactive`, `update`, `delete` and `complete`. Must not live
here: what they write (`recovery.services.authorizations.changes`).
"""

from functools import partial
from typing import Final

from recovery.cli.changing import run_planner
from recovery.cli.choices import add_id, authorization_id
from recovery.cli.context import Context
from recovery.cli.options import Change, Command, add_change, add_ensure
from recovery.cli.usage import required
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.ports import SystemClock
from recovery.services.authorizations.changes import (
    CompleteOperator,
    DeleteAuthorization,
    SetStatus,
)
from recovery.services.authorizations.record_changes import EditAuthorization


class _One(Change, frozen=True):
    id: str


def _add_one(command: Parser) -> None:
    add_id(command)
    add_change(command)


def _set_status(options: _One, context: Context, *, is_active: bool) -> ExitCode:
    planner = SetStatus(
        authorization_id=authorization_id(options.id), is_active=is_active, clock=SystemClock()
    )
    return run_planner(options, context, lambda _: planner)


SET_ACTIVE: Final = Command(
    description="Set the status of one authorization to active. Servers accept its token again. "
    "influxd must be stopped. Changes nothing when the status is so already.",
    options=_One,
    run=partial(_set_status, is_active=True),
    add_options=_add_one,
)
SET_INACTIVE: Final = Command(
    description="Set the status of one authorization to inactive. Servers refuse its token with "
    "403 until it is set active. It does not take away what the token's user may do when signed in "
    "to the user interface: only auth delete does. influxd must be stopped. Changes nothing when "
    "the status is so already.",
    options=_One,
    run=partial(_set_status, is_active=False),
    add_options=_add_one,
)


class _Update(Change, frozen=True):
    id: str
    description: str | None


def _add_update(command: Parser) -> None:
    add_id(command)
    command.add_argument("--description", metavar="TEXT", help="the new description (required)")
    add_change(command)


def _update(options: _Update, context: Context) -> ExitCode:
    planner = EditAuthorization(
        authorization_id=authorization_id(options.id),
        description=required(options.description, "--description TEXT", "auth update"),
        clock=SystemClock(),
    )
    return run_planner(options, context, lambda _: planner)


UPDATE: Final = Command(
    description="Give one authorization another description. It cannot change its token or what it "
    "permits.",
    options=_Update,
    run=_update,
    add_options=_add_update,
)


class _Delete(Change, frozen=True):
    id: str
    ensure: bool


def _add_delete(command: Parser) -> None:
    add_id(command)
    add_ensure(command, wanted="there is no such authorization")
    add_change(command)


def _delete(options: _Delete, context: Context) -> ExitCode:
    planner = DeleteAuthorization(
        authorization_id=authorization_id(options.id), is_ensured=options.ensure
    )
    return run_planner(options, context, lambda _: planner)


DELETE: Final = Command(
    description="Delete one authorization and every index entry that leads to it, also when its "
    "record cannot be decoded. influxd must be stopped. The plan warns when it is the only "
    "operator token that works. The bytes stay in freed pages of the file and in the backup: this "
    "does not wipe them.",
    options=_Delete,
    run=_delete,
    add_options=_add_delete,
)


def _complete(options: _One, context: Context) -> ExitCode:
    planner = CompleteOperator(authorization_id=authorization_id(options.id), clock=SystemClock())
    return run_planner(options, context, lambda _: planner)


COMPLETE: Final = Command(
    description="Add to an operator token of an older version the permissions on resource types "
    "that came later, without which backup, restore and the configuration are refused. The token "
    "itself stays, so clients go on working. influxd must be stopped. It does not make an operator "
    "of a token that never was one, and changes nothing when none is lacking.",
    options=_One,
    run=_complete,
    add_options=_add_one,
)
