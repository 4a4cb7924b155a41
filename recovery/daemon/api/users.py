"""Users.

Lives here: /api/v2/users and /api/v2/me. Must not live here: passwords
(`recovery.daemon.api.passwords`).

Source: InfluxDB v2.9.1 tenant/http_server_user.go, tenant/middleware_user_auth.go,
tenant/storage_user.go; spec admin-daemon 1.9.
"""

from http import HTTPStatus
from typing import Final

from recovery.daemon.access import user_permissions
from recovery.daemon.answer import NO_CONTENT, Answer, ApiError, json_answer
from recovery.daemon.api.paging import Page
from recovery.daemon.api.records import permission_records, user_record
from recovery.daemon.bodies import Body
from recovery.daemon.call import Call
from recovery.daemon.rights import NO_ID
from recovery.model.ids import Id
from recovery.model.user import ACTIVE, INACTIVE, User
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser
from recovery.services.tenancy.user_records import AddUser, EditUser

NOT_FOUND: Final = ApiError("not found", "user not found")
NO_KEY: Final = ApiError("empty value", "key required")
LIST: Final = "/api/v2/users"


def list_all(call: Call) -> Answer:
    """List users: one page, cut before it is looked at who may be read."""
    page = Page.of(call.request)
    user_id, name = call.request.asked_id("id"), call.request.asked("name")
    tx = call.tx
    if user_id is not None:
        found = [NOT_FOUND.unless(tx.users.get(user_id))]
    elif name is not None:
        found = [user_by_name(call, name)]
    else:
        keyed = list(tx.users.walk_keyed([]))
        found = list(page.cut(page.ordered(keyed)))
    readable = [one for one in found if call.rights.may("read user", one=one.id)]
    return json_answer({"links": {"self": LIST}, "users": [user_record(one) for one in readable]})


def user_by_name(call: Call, name: str) -> User:
    """Find a user by its name, as the server does: by the index; else `ApiError` 404."""
    user_id = call.tx.users.indexed_id(name)
    return NOT_FOUND.unless(None if user_id is None else call.tx.users.get(user_id))


def show(call: Call) -> Answer:
    """Show one user."""
    user_id = _id(call)
    call.rights.require("read user", one=user_id)
    return json_answer(user_record(NOT_FOUND.unless(call.tx.users.get(user_id))))


def _id(call: Call) -> Id:
    if not call.parts["id"]:
        raise ApiError("invalid", "url missing id")
    return call.id()


def me(call: Call) -> Answer:
    """Show the user that asks."""
    user_id = call.caller.user_id
    if user_id is None:
        reason = f"the {call.caller.name} acts for no user"
        raise ApiError(NO_ID.code, f"{NO_ID.message}: {reason}")
    call.rights.require("read user", one=user_id)
    return json_answer(user_record(NOT_FOUND.unless(call.tx.users.get(user_id))))


def create(call: Call) -> Answer:
    """Make a user, with the ID that is given, if any; a password that is sent is ignored."""

    def read(body: Body) -> tuple[str, Id | None, str, str]:
        texts = [body.text(name) or "" for name in ("name", "status", "oauthID")]
        return texts[0], body.id("id"), texts[1], texts[2]

    name, user_id, status, oauth_id = call.body(read, "internal error")
    call.rights.require("create user")
    _require_free(call, name)
    if user_id is not None and call.tx.users.has_id(user_id):
        raise ApiError("conflict", f"user with ID {user_id} already exists")
    if not name:
        raise NO_KEY
    require_known_status(status or ACTIVE)  # servers store any
    made = call.change(
        AddUser(
            name=name,
            user_id=user_id,
            status=status or ACTIVE,
            oauth_id=oauth_id,
            clock=call.desk.clock,
            rng=call.desk.rng,
        )
    )
    user = NOT_FOUND.unless(call.tx.users.get(Id(made.record_ids[0])))
    return json_answer(user_record(user), status=HTTPStatus.CREATED)


def update(call: Call) -> Answer:
    """Change name, status, or both."""
    user_id = _id(call)
    name, status = call.body(
        lambda body: (body.text("name", is_pointer=True), body.text("status", is_pointer=True)),
        "internal error",
    )
    if status is not None:
        require_known_status(status)
    call.rights.require("write user", one=user_id)
    user = NOT_FOUND.unless(call.tx.users.get(user_id))
    if name is not None and name != user.name:
        _require_free(call, name)
        if not name:
            raise NO_KEY
    call.change(EditUser(user_id=user_id, name=name, status=status))
    return json_answer(user_record(NOT_FOUND.unless(call.tx.users.get(user_id))))


def delete(call: Call) -> Answer:
    """Delete a user with its password and roles; its tokens stay."""
    user_id = _id(call)
    call.rights.require("write user", one=user_id)
    NOT_FOUND.unless(call.tx.users.get(user_id))
    choice = UserChoice(name=None, user_id=user_id)
    call.change(DeleteUser(user=choice, with_tokens=False, has_warnings=False))
    return NO_CONTENT


def require_known_status(status: str) -> None:
    """Refuse a status that servers do not know, by `ApiError` 400."""
    if status not in {ACTIVE, INACTIVE}:
        raise ApiError("invalid", "invalid status: must be active or inactive")


def _require_free(call: Call, name: str) -> None:
    if call.tx.users.indexed_id(name) is not None:
        raise ApiError("conflict", f"user with name {name} already exists")


def permissions(call: Call) -> Answer:
    """List what a user may do by its roles; one who is not there has no permissions."""
    user_id = _id(call)
    call.rights.require("read user", one=user_id)
    NOT_FOUND.unless(call.tx.users.get(user_id))
    return json_answer(permission_records(user_permissions(call.tx, user_id)))
