"""What is done with a token that is there.

Lives here: description, status, clone, completing, hashing, rotating, deleting, verifying. Must not
live here: any of these changes themselves (`recovery.services.authorizations`).

Source: spec admin-daemon 4.8.
"""

from typing import Final

import msgspec

from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.page.form import FieldError
from recovery.daemon.page.shown_once import show_secret
from recovery.daemon.page.tokens import NO_TOKEN, token_of_path
from recovery.daemon.page.visit import Visit
from recovery.daemon.request import to_id
from recovery.model.authorization import ACTIVE, INACTIVE, Authorization
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.services.access import NOBODY, ONLY_OPERATOR
from recovery.services.authorizations.changes import (
    CompleteOperator,
    DeleteAuthorization,
    SetStatus,
)
from recovery.services.authorizations.hashing import HashTokens
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.record_changes import EditAuthorization, IssueAuthorization
from recovery.services.authorizations.rotation import RotateTokens
from recovery.services.authorizations.selection import Selection
from recovery.services.authorizations.verification import TokenVerdict, verify_token
from recovery.services.changes.plan import Planner

TYPED_WRONG: Final = "what was typed is not its description"


def _writable(visit: Visit) -> Authorization:
    """Give the token of the path, if it may be changed; raise `ApiError` otherwise."""
    found = token_of_path(visit)
    visit.require("write authorization", one=found.id, org=found.org_id, user=found.user_id)
    return found


def _name(found: Authorization) -> str:
    return found.description or "(no description)"


def _path(found: Authorization) -> str:
    return f"/tokens/{found.id}"


def edit(visit: Visit) -> Answer:
    """Change the description, and whether it is active; ask first where that locks somebody out."""
    found = _writable(visit)
    visit.require_seen(found.updated_at)
    is_active = visit.form.has("active")
    status = ACTIVE if is_active else INACTIVE
    planner = EditAuthorization(
        authorization_id=found.id,
        description=visit.form.line("description"),
        status=None if status == (found.status or ACTIVE) else status,
        clock=visit.page.desk.clock,
    )
    return _changed(visit, planner, found, is_active=is_active, then=_path(found))


def set_status(visit: Visit) -> Answer:
    """Activate or deactivate one of the list, by the button that was pressed."""
    is_active = visit.form.has("activate")
    token_id = to_id(visit.form.get("activate" if is_active else "deactivate"))
    found = NO_TOKEN.unless(visit.tx.authorizations.get(token_id))
    for what in ("read authorization", "write authorization"):
        visit.require(what, one=found.id, org=found.org_id, user=found.user_id)
    planner = _status(visit, found.id, is_active=is_active)
    then = visit.back_to("/tokens")
    return _changed(visit, planner, found, is_active=is_active, then=then)


def _status(visit: Visit, token_id: Id, *, is_active: bool) -> SetStatus:
    return SetStatus(authorization_id=token_id, is_active=is_active, clock=visit.page.desk.clock)


def _changed(
    visit: Visit, planner: Planner, found: Authorization, *, is_active: bool, then: str
) -> Answer:
    return visit.changed_when_sure(
        planner,
        then,
        warned_by=_status(visit, found.id, is_active=is_active),
        name=_name(found),
        title="Deactivate this token?",
        button="Deactivate",
        back=then,
    )


def clone(visit: Visit) -> Answer:
    """Make another token with the same rights."""
    found = token_of_path(visit)
    if found.org_id is None or found.user_id is None:
        raise ApiError("unprocessable entity", "this token names no user or no organization")
    try:
        permissions = tuple(found.permissions())
    except UndecodableError as error:
        raise ApiError("unprocessable entity", "its permissions cannot be read") from error
    visit.rights.require("create authorization", org=found.org_id, user=found.user_id)
    visit.rights.require_held(permissions)
    taken = {row.description for row in visit.page.book.tokens().rows.values()}
    number = next(n for n in range(1, len(taken) + 2) if _clone_name(found, n) not in taken)
    made = visit.change(
        IssueAuthorization(
            org_id=found.org_id,
            user_id=found.user_id,
            description=_clone_name(found, number),
            permissions=permissions,
            server_hashes=visit.page.desk.settings.server_hashes,
            clock=visit.page.desk.clock,
            rng=visit.page.desk.rng,
        )
    )
    return show_secret(visit, made)


def _clone_name(found: Authorization, number: int) -> str:
    return f"{found.description} (clone {number})".lstrip()


def _completing(visit: Visit) -> Planner:
    visit.require_operator()
    return CompleteOperator(authorization_id=_writable(visit).id, clock=visit.page.desk.clock)


def ask_complete(visit: Visit) -> Answer:
    """Ask whether to give an older operator what newer servers ask for."""
    return visit.ask(
        _completing(visit),
        title="Complete this operator token?",
        button="Complete",
        back=f"/tokens/{visit.id()}",
        name=_name(_writable(visit)),
    )


def complete(visit: Visit) -> Answer:
    """Give it what is lacking."""
    return visit.changed(_completing(visit), f"/tokens/{visit.id()}")


def _hashing(visit: Visit) -> Planner:
    return HashTokens(authorization_id=_writable(visit).id)


def ask_hash(visit: Visit) -> Answer:
    """Ask whether to keep only the hash."""
    return visit.ask(
        _hashing(visit),
        title="Keep only the hash of this token?",
        sentence="Clients go on working. The text is gone for good, and InfluxDB 2.7 and older "
        "do not understand hashes.",
        button="Hash",
        back=f"/tokens/{visit.id()}",
        name=_name(_writable(visit)),
    )


def hash_it(visit: Visit) -> Answer:
    """Keep only the hash."""
    return visit.changed(_hashing(visit), f"/tokens/{visit.id()}")


def _rotating(visit: Visit) -> Planner:
    found = _writable(visit)
    if found.org_id is None or found.user_id is None:
        raise ApiError("unprocessable entity", "this token names no user or no organization")
    visit.rights.require("create authorization", org=found.org_id, user=found.user_id)
    return RotateTokens(
        selection=Selection(ids=(found.id,)),
        keeps_inactive=visit.form.has("keep"),
        form=FormChoice.BY_STORE,
        server_hashes=visit.page.desk.settings.server_hashes,
        clock=visit.page.desk.clock,
        rng=visit.page.desk.rng,
    )


def ask_rotate(visit: Visit) -> Answer:
    """Ask whether to put another value in its place, after a leak."""
    plan = visit.plan(_rotating(visit))
    return visit.ask_plan(
        msgspec.structs.replace(plan, steps=(*plan.steps[:-1], "show the new token, once")),
        title="Rotate this token?",
        sentence="A new token with the same rights takes its place. Clients that use the old one "
        "get 401 from now on, until they have the new one.",
        button="Rotate",
        back=f"/tokens/{visit.id()}",
        name=_name(_writable(visit)),
        extra=("keep", "Keep the old one, inactive"),
        is_danger=True,
    )


def rotate(visit: Visit) -> Answer:
    """Put another value in its place."""
    return show_secret(visit, visit.change(_rotating(visit)))


def _deleting(visit: Visit) -> Planner:
    return DeleteAuthorization(authorization_id=_writable(visit).id, is_ensured=False)


def ask_delete(visit: Visit) -> Answer:
    """Ask whether to delete it; its description has to be typed where nobody gets in then."""
    found = _writable(visit)
    plan = visit.plan(_deleting(visit))
    is_last = not {ONLY_OPERATOR, NOBODY}.isdisjoint(plan.warnings)
    return visit.ask_plan(
        plan,
        title="Delete this token?",
        sentence="Clients that use it get 401 from now on. Undo brings it back with the same "
        "value, until serve ends.",
        button="Delete",
        back=_path(found),
        name=_name(found),
        is_danger=True,
        typed=(found.description or found.id) if is_last else None,
    )


def delete(visit: Visit) -> Answer:
    """Delete it."""
    found = _writable(visit)
    planner = _deleting(visit)
    is_last = not {ONLY_OPERATOR, NOBODY}.isdisjoint(visit.plan(planner).warnings)
    if is_last and visit.form.line("typed") != (found.description or found.id):
        raise FieldError("typed", TYPED_WRONG)
    return visit.changed(planner, "/tokens")


def verify(visit: Visit) -> Answer:
    """Say whether a pasted token works, without keeping it."""
    if visit.form.has("secret"):
        typed = visit.form.get("secret").strip()
        report = verify_token(visit.tx, visit.form.secret("secret")) if typed else None
    else:
        report = None
    visible = report is not None and (
        report.details is None
        or visit.may(
            "read authorization",
            one=report.details.id,
            org=report.details.organization_id,
            user=report.details.user_id,
        )
    )
    return visit.screen(
        "verify.html",
        report=report,
        is_accepted=report is not None and report.answer is TokenVerdict.ACCEPTED,
        is_known=report is not None and report.answer is not TokenVerdict.UNKNOWN,
        is_visible=visible,
    )
