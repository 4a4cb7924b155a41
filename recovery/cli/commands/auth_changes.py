"""The commands that change authorizations.

Lives here: `auth set-active`, `set-inactive`, `update`, `delete` and `complete`. Must not live
here: what they write (`recovery.services.authorizations.changes`, and `several` beside it).
"""

from typing import TYPE_CHECKING, Final

from recovery.cli.changing import planned
from recovery.cli.choices import add_all_but, add_id, add_ids, authorization_id, selection
from recovery.cli.options import Change, Command, add_ensure
from recovery.cli.usage import REQUIRED, required
from recovery.cli.words import Parser
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


class _SetActive(Change, frozen=True):
    id: tuple[str, ...]


class _Several(Change, frozen=True):
    id: tuple[str, ...]
    all_but: tuple[str, ...]


def _add_active(command: Parser) -> None:
    add_ids(command, note=REQUIRED)


def _add_inactive(command: Parser) -> None:
    add_ids(command, note="(this or --all-but is required)")
    add_all_but(command)


def _set_active(options: _SetActive) -> "Planner":
    return _set_status(selection(options.id, (), "auth set-active"), is_active=True)


def _set_inactive(options: _Several) -> "Planner":
    chosen = selection(options.id, options.all_but, "auth set-inactive")
    return _set_status(chosen, is_active=False)


def _set_status(chosen: Selection, *, is_active: bool) -> "Planner":
    if chosen.ids is not None and len(chosen.ids) == 1:
        one = chosen.ids[0]
        return SetStatus(authorization_id=one, is_active=is_active, clock=SystemClock())
    return SetStatusOfSeveral(selection=chosen, is_active=is_active, clock=SystemClock())


SET_ACTIVE: Final = Command(
    description="Set the status of one authorization, or several, to active. Servers accept their "
    "tokens again. influxd must be stopped. Changes nothing when the status is so already.",
    example="auth set-active 08371deae98c8000",
    options=_SetActive,
    run=planned(_set_active),
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
    run=planned(_set_inactive),
    add_options=_add_inactive,
)


class _Update(Change, frozen=True):
    id: str
    description: str | None


def _add_update(command: Parser) -> None:
    add_id(command)
    command.add_argument("--description", metavar="TEXT", help="the new description (required)")


def _update(options: _Update) -> EditAuthorization:
    return EditAuthorization(
        authorization_id=authorization_id(options.id),
        description=required(options.description, "--description TEXT", "auth update"),
        clock=SystemClock(),
    )


UPDATE: Final = Command(
    description="Give one authorization another description. It cannot change its token or what it "
    "permits.",
    example="auth update 08371deae98c8000 --description dashboard",
    options=_Update,
    run=planned(_update),
    add_options=_add_update,
)


class _Delete(_Several, frozen=True):
    ensure: bool


def _add_delete(command: Parser) -> None:
    add_ids(command, note="(this or --all-but is required)")
    add_all_but(command)
    add_ensure(command, wanted="there is no such authorization")


def _delete(options: _Delete) -> "Planner":
    chosen = selection(options.id, options.all_but, "auth delete")
    if chosen.ids is not None and len(chosen.ids) == 1:
        return DeleteAuthorization(authorization_id=chosen.ids[0], is_ensured=options.ensure)
    return DeleteSeveral(selection=chosen, is_ensured=options.ensure)


DELETE: Final = Command(
    description="Delete one authorization, several, or all but some, with every index entry that "
    "leads to one of them; a single one also when its record cannot be decoded. influxd must be "
    "stopped. Several are one change with one backup. The plan warns when it is the only "
    "operator token that works. The bytes stay in freed pages of the file and in the backup: this "
    "does not wipe them.",
    example="auth delete 08371deae98c8000",
    options=_Delete,
    run=planned(_delete),
    add_options=_add_delete,
)


def _complete(options: _One) -> CompleteOperator:
    return CompleteOperator(authorization_id=authorization_id(options.id), clock=SystemClock())


COMPLETE: Final = Command(
    description="Add to an operator token of an older version the permissions on resource types "
    "that came later, without which backup, restore and the configuration are refused. The token "
    "itself stays, so clients go on working. influxd must be stopped. It does not make an operator "
    "of a token that never was one, and changes nothing when none is lacking.",
    example="auth complete 08371db24dcc8000",
    options=_One,
    run=planned(_complete),
    add_options=add_id,
)
