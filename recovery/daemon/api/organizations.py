"""Organizations.

Lives here: /api/v2/orgs. Must not live here: their members (`recovery.daemon.api.members`).

Source: InfluxDB v2.9.1 tenant/http_server_org.go, tenant/middleware_org_auth.go,
tenant/service_org.go, tenant/storage_urm.go (ListURMs); spec admin-daemon 1.10.
"""

from http import HTTPStatus
from typing import Final

from recovery.daemon.answer import NO_CONTENT, Answer, ApiError, json_answer
from recovery.daemon.api.paging import Page
from recovery.daemon.api.records import organization_record
from recovery.daemon.bodies import Body
from recovery.daemon.call import Call
from recovery.model.ids import Id, parse_id
from recovery.model.mapping import ORGS
from recovery.model.organization import Organization, index_name
from recovery.model.token import LEVEL_HASHED
from recovery.services.tenancy.organization_records import (
    AddOrganization,
    DeleteOrganization,
    EditOrganization,
    count_with_data,
)

NOT_FOUND: Final = ApiError("not found", "organization not found")
LIST: Final = "/api/v2/orgs"
UNREADABLE: Final = "failed to unmarshal json: "


def list_all(call: Call) -> Answer:
    """List organizations: one page, cut before it is looked at which may be read."""
    page = Page.of(call.request)
    found = _found(call, page)
    readable = [one for one in found if call.rights.may("read organization", one=one.id)]
    return json_answer(
        {"links": {"self": LIST}, "orgs": [organization_record(one) for one in readable]}
    )


def _found(call: Call, page: Page) -> list[Organization]:
    request = call.request
    name = request.asked("org")
    org_id = parse_id(request.asked("orgID") or "")
    user_id = parse_id(request.asked("userID") or "")
    if org_id is not None:
        return [NOT_FOUND.unless(call.tx.organizations.get(org_id))]
    if name is not None:
        return [organization_by_name(call, name)]
    if user_id is None and not call.rights.may("read organizations"):
        user_id = call.caller.user_id
        if user_id is None:
            return []
    if user_id is not None:
        return _of_user(call, user_id, page)
    return list(page.cut(call.tx.organizations.walk([])))


def _of_user(call: Call, user_id: Id, page: Page) -> list[Organization]:
    """List where a user has a role; the offset counts all its roles, the limit those here."""
    found = []
    count = 0
    for place, mapping in enumerate(call.tx.mappings.of_user(user_id)):
        if place < page.offset or mapping.resource_type != ORGS:
            continue
        count += 1
        organization = call.tx.organizations.get(mapping.resource_id)
        if organization is not None:
            found.append(organization)
        if count >= page.limit:
            break
    return found


def organization_by_name(call: Call, name: str) -> Organization:
    """Find an organization by its name, as the server does: by the index; else `ApiError` 404."""
    org_id = call.tx.organizations.indexed_id(name)
    if org_id is None:
        raise ApiError("not found", f'organization name "{name}" not found')
    return NOT_FOUND.unless(call.tx.organizations.get(org_id))


def show(call: Call) -> Answer:
    """Show one organization."""
    org_id = call.id()
    call.rights.require("read organization", one=org_id)
    return json_answer(organization_record(NOT_FOUND.unless(call.tx.organizations.get(org_id))))


def create(call: Call) -> Answer:
    """Make an organization with its system buckets; the caller's user owns it."""

    def read(body: Body) -> tuple[str, str]:
        body.id("id")
        body.moment("createdAt")
        body.moment("updatedAt")
        return body.text("name") or "", body.text("description") or ""

    name, description = call.body(read, "invalid", prefix=UNREADABLE)
    call.rights.require("create organization")
    _require_free(call, name)
    made = call.change(
        AddOrganization(
            name=name,
            description=description,
            owner_id=call.caller.user_id,
            clock=call.desk.clock,
            rng=call.desk.rng,
        )
    )
    organization = NOT_FOUND.unless(call.tx.organizations.get(Id(made.record_ids[0])))
    return json_answer(organization_record(organization), status=HTTPStatus.CREATED)


def update(call: Call) -> Answer:
    """Change name, description, or both."""
    org_id = call.id()
    name, description = call.body(
        lambda body: (
            body.text("name", is_pointer=True),
            body.text("description", is_pointer=True),
        ),
        "invalid",
        prefix=UNREADABLE,
    )
    call.rights.require("write organization", one=org_id)
    before = NOT_FOUND.unless(call.tx.organizations.get(org_id))
    if name is not None and name != before.name:
        _require_free(call, name)
    call.change(
        EditOrganization(
            org_id=org_id,
            name=name,
            description=description,
            is_touched=True,
            clock=call.desk.clock,
        )
    )
    return json_answer(organization_record(NOT_FOUND.unless(call.tx.organizations.get(org_id))))


def delete(call: Call) -> Answer:
    """Delete an organization that has no data, with its buckets and roles."""
    org_id = call.id()
    call.rights.require("write organization", one=org_id)
    if call.tx.organizations.get(org_id) is None:
        # Servers up to 2.7.12 said it without the first words.
        first = f"error deleting organization id: {org_id}: "
        is_new = call.desk.settings.level >= LEVEL_HASHED
        raise ApiError("not found", f"{first if is_new else ''}organization not found")
    buckets = {one.id for one in call.tx.buckets.walk([]) if one.org_id == org_id}
    full_count = count_with_data(call.tx, buckets)
    if full_count:
        raise ApiError(
            "conflict",
            f"organization {org_id} has data in {full_count} buckets: delete it when influxd runs",
        )
    call.change(DeleteOrganization(org_id=org_id))
    return NO_CONTENT


def require_org_name(name: str) -> None:
    """Refuse an empty name, by `ApiError` 400."""
    if not index_name(name):
        raise ApiError("invalid", "org name is empty")


def _require_free(call: Call, name: str) -> None:
    require_org_name(name)
    if call.tx.organizations.indexed_id(name) is not None:
        raise ApiError("conflict", f"organization with name {name} already exists")
