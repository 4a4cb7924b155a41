"""Members and owners of organizations and buckets.

Lives here: /api/v2/orgs/{id}/members and owners, and the same of buckets. Must not live here: what
a role permits (`recovery.daemon.rights`).

Source: InfluxDB v2.9.1 tenant/http_handler_urm.go, tenant/middleware_urm_auth.go,
kit/transport/http/middleware.go (ValidResource); spec admin-daemon 1.10.
"""

from collections.abc import Callable
from http import HTTPStatus

from recovery.daemon.answer import NO_CONTENT, Answer, ApiError, json_answer
from recovery.daemon.api.buckets import CORRUPT, NO_PAGE, bucket_with_parts
from recovery.daemon.api.records import user_record
from recovery.daemon.api.users import NOT_FOUND
from recovery.daemon.bodies import Body
from recovery.daemon.call import Call
from recovery.model.ids import Id
from recovery.model.mapping import ORGS
from recovery.services.tenancy.organization_records import AddRole, EndRole


def listing(kind: str, role: str) -> Callable[[Call], Answer]:
    """Make what lists the users with a role in an organization or a bucket."""
    find = organization_with_parts if kind == ORGS else _bucket
    return lambda call: _listed(call, kind, find(call), role)


def adding(role: str) -> Callable[[Call], Answer]:
    """Make what gives a user a role in an organization."""
    return lambda call: _added(call, role)


def _added(call: Call, role: str) -> Answer:
    org_id = organization_with_parts(call)

    def read(body: Body) -> Id | None:
        for name in ("name", "oauthID", "status"):
            body.text(name)
        return body.id("id")

    user_id = call.body(read, "internal error")
    if user_id is None:
        raise ApiError("invalid", "user id missing or invalid")
    user = NOT_FOUND.unless(call.tx.users.get(user_id))
    call.rights.require("change member", org=org_id, one=org_id)
    if call.tx.mappings.has(org_id, user_id):
        raise ApiError(
            "internal error",
            "Unexpected error when assigning user to a resource: mapping for user "
            f"{user_id} already exists",
        )
    call.change(AddRole(user_id=user_id, org_id=org_id, role=role))
    return json_answer({"role": role, **user_record(user)}, status=HTTPStatus.CREATED)


def remove(call: Call) -> Answer:
    """End the role of a user in an organization, whatever it is; none is well, too."""
    org_id = organization_with_parts(call)
    user_id = call.id("user")
    if call.tx.mappings.has(org_id, user_id):
        call.rights.require("change member", org=org_id, one=org_id)
        call.change(EndRole(user_id=user_id, org_id=org_id))
    return NO_CONTENT


def organization_with_parts(call: Call) -> Id:
    """Give the organization of a path that goes on behind it, if it may be read and exists.

    As `bucket_with_parts`.

    Raises:
        ApiError: 404 otherwise, without saying which.
    """
    org_id = call.id(prefix=CORRUPT)
    may_read = call.rights.may("read organization", one=org_id)
    if not may_read or call.tx.organizations.get(org_id) is None:
        raise NO_PAGE
    return org_id


def _bucket(call: Call) -> Id:
    """Give the bucket of the path, if it and its organization may be read; else `ApiError` 404."""
    bucket = bucket_with_parts(call)
    if not call.rights.may("read organization", one=bucket.org_id):
        raise ApiError("not found", "not found")
    return bucket.id


def _listed(call: Call, kind: str, resource_id: Id, role: str) -> Answer:
    """List the users with a role; roles of users that do not exist are left out."""
    users = []
    for mapping in call.tx.mappings.of_resource(resource_id):
        if (mapping.resource_type, mapping.user_type) != (kind, role):
            continue
        user = call.tx.users.get(mapping.user_id)
        if user is not None:
            users.append({"role": role, **user_record(user)})
    own = f"/api/v2/{kind}/{resource_id}/{role}s"
    return json_answer({"links": {"self": own}, "users": users})
