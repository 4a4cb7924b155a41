"""1.x-compatible authorizations.

Lives here: /private/legacy/authorizations. Must not live here: API tokens
(`recovery.daemon.api.authorizations`).

Source: InfluxDB v2.9.1 v1/authorization/http_server.go, v1/authorization/service.go; spec
admin-daemon 1.12.
"""

from typing import Final

from recovery.daemon.answer import Answer, ApiError, json_answer
from recovery.daemon.api.organizations import organization_by_name
from recovery.daemon.api.records import TokenViews
from recovery.daemon.api.users import user_by_name
from recovery.daemon.call import Call
from recovery.model.authorization import Authorization
from recovery.model.gojson import UndecodableError

LIST: Final = "/private/legacy/authorizations"
NOT_FOUND: Final = ApiError("not found", "authorization not found")


def list_all(call: Call) -> Answer:
    """List them; names of users and organizations are only looked up, and filter nothing."""
    request = call.request
    user_id, org_id = request.asked_id("userID"), request.asked_id("orgID")
    authorization_id, name = request.asked_id("id"), request.asked("token")
    legacy = call.tx.legacy_authorizations
    if authorization_id is not None:
        found = [present(legacy.get(authorization_id))]
    elif name is not None:
        indexed = legacy.indexed_id(name)
        found = [present(None if indexed is None else legacy.get(indexed))]
    else:
        found = [
            one
            for one in legacy.walk([])
            if user_id in {None, one.user_id} and org_id in {None, one.org_id}
        ]
    readable_ones = [
        one
        for one in found
        if call.rights.may("read authorization", one=one.id, org=one.org_id, user=one.user_id)
    ]
    user, org = request.asked("user"), request.asked("org")
    if user is not None:
        user_by_name(call, user)
    if org is not None:
        organization_by_name(call, org)
    views = TokenViews(call.tx, prefix=LIST)
    records = []
    for one in readable_ones:
        try:
            records.append(views.record(one))
        except (ApiError, UndecodableError):
            continue
    return json_answer({"links": {"self": LIST}, "authorizations": records})


def show(call: Call) -> Answer:
    """Show one."""
    return json_answer(TokenViews(call.tx, prefix=LIST).record(readable(call)))


def readable(call: Call) -> Authorization:
    """Give the one of the path, if it exists and may be read.

    Raises:
        ApiError: 404 or 401.
    """
    found = present(call.tx.legacy_authorizations.get(call.id()))
    call.rights.require("read authorization", one=found.id, org=found.org_id, user=found.user_id)
    return found


def present(authorization: Authorization | None) -> Authorization:
    """Take what was found, or refuse.

    Raises:
        ApiError: 404.
    """
    if authorization is None:
        raise NOT_FOUND
    return authorization
