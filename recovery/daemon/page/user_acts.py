"""What is done with users.

Lives here: making, renaming, status, password, roles, deleting. Must not live here: any of these
changes themselves (`recovery.services.tenancy`).

Invariants: a password that was made here is shown once, in the answer to the form that made it. One
that was typed is never shown.

Source: spec admin-daemon 4.9.
"""

from collections.abc import Callable
from typing import Final

from recovery.daemon.answer import Answer
from recovery.daemon.page.form import FieldError
from recovery.daemon.page.shown_once import show_password
from recovery.daemon.page.users import user_of_path
from recovery.daemon.page.visit import Visit
from recovery.daemon.passwords import faults_of
from recovery.model.ids import Id
from recovery.model.mapping import MEMBER, OWNER
from recovery.model.user import User
from recovery.secret import Secret
from recovery.services.changes.plan import Planner
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.organization_changes import RemoveRole, SetInstanceOwner, SetRole
from recovery.services.tenancy.user_changes import (
    DeleteUser,
    RenameUser,
    SetPassword,
    SetUserStatus,
)
from recovery.services.tenancy.user_creation import CreateUser

NOT_ALIKE: Final = "the two passwords are not alike"
NO_ORGANIZATION: Final = "choose an organization"
LENGTH_RULE: Final = "8 to 72 bytes."
STRONG_RULE: Final = (
    "8 to 72 bytes, with three of these four in it: a capital letter, a small letter, a number, "
    "and one of !@#$%^&*()_+"
)
MADE_LENGTH: Final = 20
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_SIGNS: Final = "!@#$%^&*()_+"


def _writable(visit: Visit) -> User:
    """Give the user of the path, if it may be changed; raise `ApiError` otherwise."""
    found = user_of_path(visit)
    visit.rights.require("write user", one=found.id)
    return found


def _choice(found: User) -> UserChoice:
    return UserChoice(name=None, user_id=found.id)


def _path(found: User) -> str:
    return f"/users/{found.id}"


def new(visit: Visit) -> Answer:
    """Show the form for a new user."""
    visit.rights.require("create user")
    organizations = [(one.id, one.name) for one in visit.tx.organizations.walk([])]
    return visit.screen(
        "new_user.html", organizations=organizations, password_rule=_password_rule(visit)
    )


def make(visit: Visit) -> Answer:
    """Make a user, with a password and a role."""
    visit.rights.require("create user")
    org_id = visit.organization_of(visit.form, "organization")
    if org_id is None and visit.form.get("organization"):
        raise FieldError("organization", NO_ORGANIZATION)
    password, is_made = _password(visit, is_optional=True)
    planner = CreateUser(
        name=visit.form.line("name"),
        password=password,
        organization=org_id,
        has_role=org_id is not None,
        is_owner=visit.form.get("role") == OWNER,
        is_ensured=False,
        clock=visit.page.desk.clock,
        rng=visit.page.desk.rng,
    )
    return _done(visit, planner, password if is_made else None, lambda made: f"/users/{made}")


def ask_password(visit: Visit) -> Answer:
    """Show the form for a new password."""
    found = _writable(visit)
    return visit.screen(
        "password.html",
        user=found,
        is_inactive=found.is_inactive,
        password_rule=_password_rule(visit),
    )


def set_password(visit: Visit) -> Answer:
    """Set a password."""
    found = _writable(visit)
    password, is_made = _password(visit, is_optional=False)
    planner = SetPassword(
        user=_choice(found),
        password=password or Secret(""),
        is_activated=visit.form.has("activate"),
        is_ensured=False,
    )
    return _done(visit, planner, password if is_made else None, lambda _: _path(found))


def _password_rule(visit: Visit) -> str:
    return STRONG_RULE if visit.page.desk.settings.strong_passwords else LENGTH_RULE


def _password(visit: Visit, *, is_optional: bool) -> tuple[Secret | None, bool]:
    """Read the password that was typed twice, or make one.

    Returns:
        It, None when none is wanted; and whether it was made here.

    Raises:
        ApiError: They are not alike, or a server would not take it.
    """
    if visit.form.get("how") == "made":
        return _made_password(visit), True
    password, again = visit.form.secret("password"), visit.form.secret("again")
    if is_optional and visit.form.get("how") == "none":
        return None, False
    if not password.matches(again):
        raise FieldError("again", NOT_ALIKE)
    faults = faults_of(password, is_strong=visit.page.desk.settings.strong_passwords)
    if faults:
        raise FieldError("password", "; and ".join(faults))
    return password, False


def _made_password(visit: Visit) -> Secret:
    """Draw a password that every rule of the server takes: letters, a number and a sign."""
    drawn = visit.page.desk.rng.token_bytes(4 * MADE_LENGTH)
    numbers = [int.from_bytes(drawn[at : at + 4], "big") for at in range(0, len(drawn), 4)]
    letters = [_LETTERS[number % len(_LETTERS)] for number in numbers[:-1]]
    groups = ["".join(letters[at : at + 5]) for at in range(0, len(letters), 5)]
    return Secret("-".join(groups) + "2a" + _SIGNS[numbers[-1] % len(_SIGNS)])


def _done(
    visit: Visit, planner: Planner, made_password: Secret | None, path: Callable[[str], str]
) -> Answer:
    """Change the store; show the password that was made for it."""
    made = visit.change(planner)
    then = path(made.record_ids[0])
    if made_password is None:
        return visit.led(made, then)
    user = visit.tx.users.get(Id(made.record_ids[0]))
    name = "" if user is None else user.name
    return show_password(visit, made_password, name=name, then=then)


def rename(visit: Visit) -> Answer:
    """Give another name."""
    found = _writable(visit)
    planner = RenameUser(user=_choice(found), new_name=visit.form.line("name"))
    return visit.changed(planner, _path(found))


def activate(visit: Visit) -> Answer:
    """Let a user in again."""
    found = _writable(visit)
    return visit.changed(SetUserStatus(user=_choice(found), is_active=True), _path(found))


def deactivate(visit: Visit) -> Answer:
    """Refuse a user and all its tokens; ask first where that locks somebody out."""
    found = _writable(visit)
    return visit.changed_when_sure(
        SetUserStatus(user=_choice(found), is_active=False),
        _path(found),
        title="Deactivate this user?",
        button="Deactivate",
        back=_path(found),
        name=found.name,
    )


def set_role(visit: Visit) -> Answer:
    """Make a user owner or member of an organization, or neither."""
    found = user_of_path(visit)
    org_id = visit.organization_of(visit.form, "organization")
    return change_role(visit, found.id, org_id, visit.back_to(_path(found)))


def change_role(visit: Visit, user_id: Id, org_id: Id | None, then: str) -> Answer:
    """Give a role or take it, by the field `role`: "owner", "member" or "none"."""
    if org_id is None:
        raise FieldError("organization", NO_ORGANIZATION)
    visit.rights.require("change member", one=org_id, org=org_id)
    role = visit.form.get("role")
    if role in {OWNER, MEMBER}:
        return visit.changed(SetRole(username=user_id, organization=org_id, role=role), then)
    return visit.changed_when_sure(
        RemoveRole(username=user_id, organization=org_id),
        then,
        title="Take this role away?",
        button="Take it away",
        back=then,
    )


def own_instance(visit: Visit) -> Answer:
    """Make a user an owner of the instance."""
    visit.require_operator()
    found = _writable(visit)
    return visit.changed(SetInstanceOwner(username=found.id), _path(found))


def _deleting(visit: Visit, found: User) -> DeleteUser:
    return DeleteUser(user=_choice(found), with_tokens=visit.form.has("with_tokens"))


def ask_delete(visit: Visit) -> Answer:
    """Ask whether to delete a user, and say what stays behind."""
    found = _writable(visit)
    return visit.ask(
        _deleting(visit, found),
        title="Delete this user?",
        sentence="Its roles and its password go with it.",
        button="Delete",
        back=_path(found),
        name=found.name,
        is_danger=True,
        extra=("with_tokens", "Delete its tokens too"),
    )


def delete(visit: Visit) -> Answer:
    """Delete a user."""
    found = _writable(visit)
    return visit.changed(_deleting(visit, found), "/users")
