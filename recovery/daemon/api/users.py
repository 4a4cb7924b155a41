"""Users.

Lives here: /api/v2/users and /api/v2/me. Must not live here: passwords
(`recovery.daemon.api.passwords`).

Source: InfluxDB v2.9.1 tenant/http_server_user.go, tenant/middleware_user_auth.go,
tenant/storage_user.go; spec admin-daemon 1.9.
"""

from typing import Final

from recovery.daemon.access import user_permissions
from recovery.daemon.answer import Answer, ApiError, json_answer
from recovery.daemon.api.paging import Page
from recovery.daemon.api.records import permission_records, user_record
from recovery.daemon.call import Call
from recovery.model.user import User

NOT_FOUND: Final = ApiError("not found", "user not found")
LIST: Final = "/api/v2/users"


def list_all(call: Call) -> Answer:
    """List users: one page, cut before it is looked at who may be read."""
    page = Page.of(call.request)
    user_id, name = call.request.asked_id("id"), call.request.asked("name")
    tx = call.tx
    if user_id is not None:
        found = [_present(tx.users.get(user_id))]
    elif name is not None:
        found = [user_by_name(call, name)]
    else:
        keyed = list(tx.users.walk_keyed([]))
        found = list(page.cut(page.ordered(keyed)))
    readable = [one for one in found if call.rights.may("read user", one=one.id)]
    return json_answer({"links": {"self": LIST}, "users": [user_record(one) for one in readable]})


def user_by_name(call: Call, name: str) -> User:
    """Find a user by its name, as the server does: by the index.

    Raises:
        ApiError: 404.
    """
    user_id = call.tx.users.indexed_id(name)
    return _present(None if user_id is None else call.tx.users.get(user_id))


def show(call: Call) -> Answer:
    """Show one user."""
    user_id = call.id()
    call.rights.require("read user", one=user_id)
    return json_answer(user_record(_present(call.tx.users.get(user_id))))


def me(call: Call) -> Answer:
    """Show the user that asks."""
    user_id = call.caller.user_id
    call.rights.require("read user", one=user_id)
    if user_id is None:
        raise ApiError("unauthorized", "the console key acts for no user: the store has none")
    return json_answer(user_record(_present(call.tx.users.get(user_id))))


def permissions(call: Call) -> Answer:
    """List what a user may do by its roles; one who is not there has no permissions."""
    user_id = call.id()
    call.rights.require("read user", one=user_id)
    _present(call.tx.users.get(user_id))
    return json_answer(permission_records(user_permissions(call.tx, user_id)))


def _present(user: User | None) -> User:
    if user is None:
        raise NOT_FOUND
    return user
