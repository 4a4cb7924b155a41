"""The commands that change authorizations.

Lives here: `auth set-active`, `set-inactive`, `update`, `delete` and `complete`. Must not live
here: what they write (`recovery.services.authorizations.changes`, and `several` beside it).
"""

from typing import TYPE_CHECKING, Final

from recovery.cli.changing import run_planner
from recovery.cli.choices import add_all_but, add_id, add_ids, authorization_id, selection
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
from recovery.services.authorizations.selection import Selection
from recovery.services.authorizations.several import DeleteSeveral, SetStatusOfSeveral

if TYPE_CHECKING:
    from recovery.services.changes.plan import Planner


class _One(Change, frozen=True):
    id: str


def _add_one(command: Parser) -> None:
    add_id(command)
    add_change(command)


class _SetActive(Change, frozen=True):
    id: tuple[str, ...]


class _Several(Change, frozen=True):
    id: tuple[str, ...]
    all_but: tuple[str, ...]


def _add_active(command: Parser) -> None:
    add_ids(command)
    add_change(command)


def _add_inactive(command: Parser) -> None:
    add_ids(command)
    add_all_but(command)
    add_change(command)


def _set_active(options: _SetActive, context: Context) -> ExitCode:
    return _set_status(
        options, selection(options.id, (), "auth set-active"), context, is_active=True
    )


def _set_inactive(options: _Several, context: Context) -> ExitCode:
    chosen = selection(options.id, options.all_but, "auth set-inactive")
    return _set_status(options, chosen, context, is_active=False)


def _set_status(
    options: Change, chosen: Selection, context: Context, *, is_active: bool
) -> ExitCode:
    planner: Planner
    if chosen.ids is not None and len(chosen.ids) == 1:
        planner = SetStatus(
            authorization_id=chosen.ids[0], is_active=is_active, clock=SystemClock()
        )
    else:
        planner = SetStatusOfSeveral(selection=chosen, is_active=is_active, clock=SystemClock())
    return run_planner(options, context, lambda _: planner)


SET_ACTIVE: Final = Command(
    description="Set the status of one authorization, or several, to active. Servers accept their "
    "tokens again. influxd must be stopped. Changes nothing when the status is so already.",
    example="auth set-active 08371deae98c8000",
    options=_SetActive,
    run=_set_active,
    add_options=_add_active,
)
SET_INACTIVE: Final = Command(
    description="Set the status of one authorization, of several, or of all but some to inactive. "
    "Servers refuse their tokens with 403 until they are set active. It does not take away what a "
    "token's user may do when signed in to the user interface: only auth delete does. influxd must "
    "be stopped. Several are one change with one backup. Changes nothing when the status is so "
    "already.",
    example="auth set-inactive 08371deae98c8000",
    options=_Several,
    run=_set_inactive,
    add_options=_add_inactive,
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
    example="auth update 08371deae98c8000 --description dashboard",
    options=_Update,
    run=_update,
    add_options=_add_update,
)


class _Delete(_Several, frozen=True):
    ensure: bool


def _add_delete(command: Parser) -> None:
    add_ids(command)
    add_all_but(command)
    add_ensure(command, wanted="there is no such authorization")
    add_change(command)


def _delete(options: _Delete, context: Context) -> ExitCode:
    chosen = selection(options.id, options.all_but, "auth delete")
    planner: Planner
    if chosen.ids is not None and len(chosen.ids) == 1:
        planner = DeleteAuthorization(authorization_id=chosen.ids[0], is_ensured=options.ensure)
    else:
        planner = DeleteSeveral(selection=chosen, is_ensured=options.ensure)
    return run_planner(options, context, lambda _: planner)


DELETE: Final = Command(
    description="Delete one authorization, several, or all but some, with every index entry that "
    "leads to one of them; a single one also when its record cannot be decoded. influxd must be "
    "stopped. Several are one change with one backup. The plan warns when it is the only "
    "operator token that works. The bytes stay in freed pages of the file and in the backup: this "
    "does not wipe them.",
    example="auth delete 08371deae98c8000",
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
    example="auth complete 08371db24dcc8000",
    options=_One,
    run=_complete,
    add_options=_add_one,
)
