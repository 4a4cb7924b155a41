"""1.x-compatible authorizations.

Lives here: /private/legacy/authorizations. Must not live here: API tokens
(`recovery.daemon.api.authorizations`).

Source: InfluxDB v2.9.1 v1/authorization/http_server.go, v1/authorization/service.go; spec
admin-daemon 1.12.
"""

from http import HTTPStatus
from typing import Final

from recovery.daemon.answer import NO_CONTENT, Answer, ApiError, json_answer
from recovery.daemon.api.minting import (
    NOT_FOUND,
    of_path,
    read_edit,
    read_wanted,
    require_may_mint,
    require_storable,
    shown,
)
from recovery.daemon.api.organizations import organization_by_name
from recovery.daemon.api.records import TokenViews
from recovery.daemon.api.users import user_by_name
from recovery.daemon.call import Call
from recovery.model.ids import Id
from recovery.services.authorizations.v1_auth import DeleteLegacy
from recovery.services.authorizations.v1_auth_creation import CreateLegacy, EditLegacy

LIST: Final = "/private/legacy/authorizations"


def list_all(call: Call) -> Answer:
    """List them; names of users and organizations are only looked up, and filter nothing."""
    request = call.request
    user_id, org_id = request.asked_id("userID"), request.asked_id("orgID")
    authorization_id, name = request.asked_id("id"), request.asked("token")
    legacy = call.tx.legacy_authorizations
    if authorization_id is not None:
        found = [NOT_FOUND.unless(legacy.get(authorization_id))]
    elif name is not None:
        indexed = legacy.indexed_id(name)
        found = [NOT_FOUND.unless(None if indexed is None else legacy.get(indexed))]
    else:
        found = [
            one
            for one in legacy.walk([])
            if user_id in {None, one.user_id} and org_id in {None, one.org_id}
        ]
    user, org = request.asked("user"), request.asked("org")
    if user is not None:
        user_by_name(call, user)
    if org is not None:
        organization_by_name(call, org)
    records = shown(found, call.rights, TokenViews(call.tx, prefix=LIST))
    return json_answer({"links": {"self": LIST}, "authorizations": records})


def show(call: Call) -> Answer:
    """Show one."""
    found = of_path(call, call.tx.legacy_authorizations, "read authorization")
    return json_answer(TokenViews(call.tx, prefix=LIST).record(found))


def create(call: Call) -> Answer:
    """Make one, without a password."""
    wanted = read_wanted(call, is_legacy=True)
    org_id, user_id = require_may_mint(call, wanted)
    if call.tx.legacy_authorizations.indexed_id(wanted.username) is not None:
        raise ApiError("conflict", "token already exists")
    for one in wanted.permissions:
        if one.type == "buckets" and one.id is not None and not call.tx.buckets.has_id(one.id):
            raise ApiError("not found", "bucket not found when creating auth")
    made = call.change(
        CreateLegacy(
            username=wanted.username,
            org_id=org_id,
            user_id=user_id,
            status=wanted.status,
            description=wanted.description,
            permissions=wanted.permissions,
            clock=call.desk.clock,
            rng=call.desk.rng,
        )
    )
    found = NOT_FOUND.unless(call.tx.legacy_authorizations.get(Id(made.record_ids[0])))
    record = TokenViews(call.tx, prefix=LIST).record(found)
    return json_answer(record, status=HTTPStatus.CREATED)


def update(call: Call) -> Answer:
    """Change status, description, or both."""
    call.id()
    description, status = read_edit(call)
    found = of_path(call, call.tx.legacy_authorizations, "read authorization")
    call.rights.require("write authorization", one=found.id, org=found.org_id, user=found.user_id)
    require_storable(status)
    TokenViews(call.tx, prefix=LIST).record(found)  # refuses what could not be shown
    call.change(
        EditLegacy(
            authorization_id=found.id,
            description=description,
            status=status,
            clock=call.desk.clock,
        )
    )
    after = NOT_FOUND.unless(call.tx.legacy_authorizations.get(found.id))
    return json_answer(TokenViews(call.tx, prefix=LIST).record(after))


def delete(call: Call) -> Answer:
    """Delete one with its password."""
    found = of_path(call, call.tx.legacy_authorizations, "write authorization")
    call.change(DeleteLegacy(which=found.id, is_ensured=False))
    return NO_CONTENT
