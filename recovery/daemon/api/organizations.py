"""Organizations.

Lives here: /api/v2/orgs. Must not live here: their members (`recovery.daemon.api.members`).

Source: InfluxDB v2.9.1 tenant/http_server_org.go, tenant/middleware_org_auth.go,
tenant/service_org.go, tenant/storage_urm.go (ListURMs); spec admin-daemon 1.10.
"""

from typing import Final

from recovery.daemon.answer import Answer, ApiError, json_answer
from recovery.daemon.api.paging import Page
from recovery.daemon.api.records import organization_record
from recovery.daemon.call import Call
from recovery.model.ids import Id, parse_id
from recovery.model.mapping import ORGS
from recovery.model.organization import Organization

NOT_FOUND: Final = ApiError("not found", "organization not found")
LIST: Final = "/api/v2/orgs"


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
        return [present(call.tx.organizations.get(org_id))]
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
    """Find an organization by its name, as the server does: by the index.

    Raises:
        ApiError: 404.
    """
    org_id = call.tx.organizations.indexed_id(name)
    if org_id is None:
        raise ApiError("not found", f'organization name "{name}" not found')
    return present(call.tx.organizations.get(org_id))


def show(call: Call) -> Answer:
    """Show one organization."""
    org_id = call.id()
    call.rights.require("read organization", one=org_id)
    return json_answer(organization_record(present(call.tx.organizations.get(org_id))))


def present(organization: Organization | None) -> Organization:
    """Take what was found, or refuse.

    Raises:
        ApiError: 404.
    """
    if organization is None:
        raise NOT_FOUND
    return organization
