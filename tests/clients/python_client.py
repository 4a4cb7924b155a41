"""Everything that the Python client does with tokens, users and organizations, on one server.

Prints a line for each call: its name, and what came back as JSON. Reads CLIENT_HOST, CLIENT_TOKEN
and CLIENT_PASSWORD (of the user admin).
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib import import_module
from typing import Any, TypeAlias

library: Any = import_module("influxdb_client")  # its types say little
rest: Any = import_module("influxdb_client.rest")
Client: TypeAlias = Any

HOST, TOKEN = os.environ["CLIENT_HOST"], os.environ["CLIENT_TOKEN"]
PASSWORD = os.environ["CLIENT_PASSWORD"]


def plain(value: object) -> object:
    """Make a result of the client printable."""
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return plain(value.to_dict()) if hasattr(value, "to_dict") else value


def say(name: str, call: Callable[..., object], *arguments: object) -> Any:  # noqa: ANN401 # whatever the client gives
    """Do one thing, and print what came of it."""
    try:
        result = call(*arguments)
    except rest.ApiException as error:
        print(name, "failed", error.status, json.dumps(json.loads(error.body), sort_keys=True))
        return None
    print(name, json.dumps(plain(result), sort_keys=True, ensure_ascii=False))
    return result


def health(client: Client) -> list[object]:
    """Ask for what is the same on every server."""
    found = client.health()
    return [found.name, found.status, found.version]


def whole(client: Client) -> None:  # noqa: PLR0915 # one call after the other
    """Use every call of the API classes."""
    tokens, users = client.authorizations_api(), client.users_api()
    organizations, buckets = client.organizations_api(), client.buckets_api()
    roles = library.OrganizationsService(client.api_client)
    say("ping", client.ping)
    say("version", client.version)
    say("build", client.build)
    say("health", lambda: health(client))
    say("ready", lambda: client.ready().status)
    org = organizations.find_organizations(org="main")[0]
    say("find_organizations", lambda: [org])
    bucket = buckets.find_bucket_by_name("telemetry")
    say("find_bucket_by_name", lambda: bucket)
    say("find_buckets", lambda: [one.name for one in buckets.find_buckets(limit=2).buckets])
    resource = library.PermissionResource(org_id=org.id, type="buckets", id=bucket.id)
    permissions = [library.Permission(action="read", resource=resource)]
    made = say("create_authorization", lambda: tokens.create_authorization(org.id, permissions))
    me = say("me", users.me)
    wanted = library.Authorization(
        org_id=org.id, permissions=permissions, user_id=me.id, description="py", status="inactive"
    )
    other = say(
        "create_authorization-object", lambda: tokens.create_authorization(authorization=wanted)
    )
    say("find_authorization_by_id", lambda: tokens.find_authorization_by_id(made.id))
    say("find_authorizations", lambda: len(tokens.find_authorizations()))
    say("by_user", lambda: len(tokens.find_authorizations_by_user(me)))
    say("by_user_name", lambda: len(tokens.find_authorizations_by_user_name("admin")))
    say("by_org", lambda: len(tokens.find_authorizations_by_org(org)))
    say("by_org_name", lambda: len(tokens.find_authorizations_by_org_name("main")))
    made.description, made.status = "from python", "inactive"
    say("update_authorization", lambda: tokens.update_authorization(made))
    cloned = say("clone_authorization", lambda: tokens.clone_authorization(made.id))
    for one in (made, other, cloned):
        say("delete_authorization", tokens.delete_authorization, one)
    say("find-deleted", lambda: tokens.find_authorization_by_id(made.id))
    user = say("create_user", lambda: users.create_user("pyuser"))
    user.name = "pyuser2"
    say("update_user", lambda: users.update_user(user))
    say("update_password", lambda: users.update_password(user, "python-pass"))
    say("find_users", lambda: users.find_users(limit=5, name="pyuser2"))
    member = library.AddResourceMemberRequestBody(id=user.id)
    say("add_member", lambda: roles.post_orgs_id_members(org.id, member))
    say("add_member-again", lambda: roles.post_orgs_id_members(org.id, member))
    say("members", lambda: roles.get_orgs_id_members(org.id))
    say("owners", lambda: roles.get_orgs_id_owners(org.id))
    say("remove_member", lambda: roles.delete_orgs_id_members_id(user.id, org.id))
    organization = say("create_organization", lambda: organizations.create_organization("pyorg"))
    organization.description = "d"
    say("update_organization", lambda: organizations.update_organization(organization))
    say("delete_organization", lambda: organizations.delete_organization(organization.id))
    say("delete_user", lambda: users.delete_user(user))
    say("resources", lambda: library.ResourcesService(client.api_client).get_resources())
    setup = library.SetupService(client.api_client)
    say("setup", setup.get_setup)
    again = library.OnboardingRequest(username="a", password="dddddddd", org="b", bucket="c")
    say("setup-again", lambda: setup.post_setup(again))
    legacy = library.LegacyAuthorizationsService(client.api_client)
    say("legacy", legacy.get_legacy_authorizations)


def odd(client: Client) -> None:
    """Find everything by its name, and give each user a token that is called like it."""
    tokens, users = client.authorizations_api(), client.users_api()
    organizations = client.organizations_api()
    buckets = client.buckets_api()
    org = organizations.find_organizations(org="main")[0]
    for user in by_name(users.find_users(limit=100).users):
        say("user", lambda name: users.find_users(name=name).users[0].name, user.name)
        resource = library.PermissionResource(type="users", id=user.id)
        wanted = library.Authorization(
            org_id=org.id, user_id=user.id, description=user.name, status="active",
            permissions=[library.Permission("read", resource)],
        )  # fmt: skip
        say("token", tokens.create_authorization, None, None, wanted)
        say("by_user", tokens.find_authorizations_by_user_name, user.name)
    for one in by_name(organizations.find_organizations(limit=100)):
        say("org", lambda name: organizations.find_organizations(org=name), one.name)
        found = buckets.find_buckets(org=one.name, limit=100).buckets
        say("buckets", lambda found: [bucket.name for bucket in found], found)


def by_name(found: Iterable[Any]) -> list[Any]:
    return sorted(found, key=lambda one: str(one.name))


def main() -> None:
    with library.InfluxDBClient(HOST, token=TOKEN, org="main") as client:
        (odd if sys.argv[1:] == ["odd"] else whole)(client)
    with library.InfluxDBClient(HOST, username="admin", password=PASSWORD, org="main") as client:
        say("session-me", client.users_api().me)
        say("session-tokens", lambda: len(client.authorizations_api().find_authorizations()))
    with library.InfluxDBClient(HOST, token="wrong", org="main") as client:
        say("wrong-token", client.authorizations_api().find_authorizations)


main()
