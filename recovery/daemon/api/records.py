"""Records of the store as the API shows them.

Lives here: one function or class a kind of record, with fields and links in the server's order.
Must not live here: which records are shown to whom.

Invariants: a name that can hold anything goes out as it is stored. The text of a token goes out
here and nowhere else.

Source: InfluxDB v2.9.1 tenant/http_server_user.go (newUserResponse), http_server_org.go
(newOrgResponse), http_server_bucket.go (NewBucketResponse), authorization/http_server.go
(newAuthResponse, newPermissionsResponse); spec admin-daemon 1.8 to 1.12.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from recovery.daemon.answer import ApiError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import ACTIVE, Authorization
from recovery.model.bucket import TYPE_SYSTEM, Bucket
from recovery.model.ids import Id
from recovery.model.organization import Organization
from recovery.model.permission import Permission
from recovery.model.user import User
from recovery.secret import Secret

NO_TIME: Final = "0001-01-01T00:00:00Z"
"""What the server shows of a record without a time."""
_SECOND_NS: Final = 1_000_000_000
_SECONDS_MAX: Final = (1 << 63) // _SECOND_NS
_TOKENS: Final = "/api/v2/authorizations"
_LISTS_KNOWN_MAX: Final = 4096


def user_record(user: User) -> dict[str, object]:
    """Show a user."""
    oauth = {"oauthID": user.oauth_id} if user.oauth_id else {}
    return {
        "links": {"self": f"/api/v2/users/{user.id}"},
        "id": user.id,
        "name": user.name,
        **oauth,
        "status": user.status,
    }


def organization_record(organization: Organization) -> dict[str, object]:
    """Show an organization; the names in its links are not escaped, as on the server."""
    own = f"/api/v2/orgs/{organization.id}"
    name = organization.name
    return {
        "links": {
            "buckets": f"/api/v2/buckets?org={name}",
            "dashboards": f"/api/v2/dashboards?org={name}",
            "labels": f"{own}/labels",
            "logs": f"{own}/logs",
            "members": f"{own}/members",
            "owners": f"{own}/owners",
            "secrets": f"{own}/secrets",
            "self": own,
            "tasks": f"/api/v2/tasks?org={name}",
        },
        "id": organization.id,
        "name": name,
        "description": organization.description,
        "createdAt": organization.created_at or NO_TIME,
        "updatedAt": organization.updated_at or NO_TIME,
    }


def bucket_record(bucket: Bucket) -> dict[str, object]:
    """Show a bucket, without its labels, as one that was just made or changed."""
    own = f"/api/v2/buckets/{bucket.id}"
    rules = []
    if bucket.retention_ns > 0 or bucket.shard_group_ns > 0:
        rules.append(
            {
                "type": "expire",
                "everySeconds": _seconds(bucket.retention_ns),
                "shardGroupDurationSeconds": _seconds(bucket.shard_group_ns),
            }
        )
    description = {"description": bucket.description} if bucket.description else {}
    policy = {"rp": bucket.policy_name} if bucket.policy_name else {}
    org_id = {} if bucket.org_id is None else {"orgID": bucket.org_id}
    return {
        "id": bucket.id,
        **org_id,
        "type": "system" if bucket.type == TYPE_SYSTEM else "user",
        **description,
        "name": bucket.name,
        **policy,
        "retentionRules": rules,
        "createdAt": bucket.created_at or NO_TIME,
        "updatedAt": bucket.updated_at or NO_TIME,
        "links": {
            "labels": f"{own}/labels",
            "members": f"{own}/members",
            "org": f"/api/v2/orgs/{bucket.org_id or ''}",
            "owners": f"{own}/owners",
            "self": own,
            "write": f"/api/v2/write?org={bucket.org_id or ''}&bucket={bucket.id}",
        },
        "labels": [],
    }


def _seconds(duration_ns: int) -> int:
    """Round to whole seconds, halves away from zero, as far as Go's Duration.Round goes."""
    seconds = min((abs(duration_ns) + _SECOND_NS // 2) // _SECOND_NS, _SECONDS_MAX)
    return seconds if duration_ns >= 0 else -seconds


class _Links(msgspec.Struct):
    """Where a token leads."""

    self: str
    user: str


class TokenRecord(msgspec.Struct):
    """An authorization, as the API shows it."""

    id: str
    token: str
    status: str
    description: str
    orgID: str  # noqa: N815 # names of the API, as below
    org: str
    userID: str  # noqa: N815
    user: str
    permissions: msgspec.Raw
    links: _Links
    createdAt: str  # noqa: N815
    updatedAt: str  # noqa: N815


class TokenViews:
    """Shows authorizations, and looks each name up once.

    For one state of the store.
    """

    def __init__(self, tx: MetaTx, *, prefix: str = _TOKENS) -> None:
        """Get ready; the links of the records begin with the prefix."""
        self._tx = tx
        self._prefix = prefix
        self._names: dict[tuple[str, Id], str | None] = {}
        self._lists: dict[bytes, msgspec.Raw] = {}

    def record(self, one: Authorization, *, token: str | None = None) -> TokenRecord:
        """Show an authorization.

        Args:
            token: The text of its token, when it was just made; by default what the record holds.

        Raises:
            ApiError: 404, when its organization or user does not exist.
            UndecodableError: Its permissions cannot be decoded.
        """
        org = None if one.org_id is None else self._name("orgs", one.org_id)
        user = None if one.user_id is None else self._name("users", one.user_id)
        if org is None:
            raise ApiError("not found", "organization not found")
        if user is None:
            raise ApiError("not found", "user not found")
        return TokenRecord(
            id=one.id,
            token=_text_of(one) if token is None else token,
            status=one.status or ACTIVE,
            description=one.description,
            orgID=one.org_id or "",
            org=org,
            userID=one.user_id or "",
            user=user,
            permissions=self._permissions(one),
            links=_Links(
                self=f"{self._prefix}/{one.id}", user=f"/api/v2/users/{one.user_id or ''}"
            ),
            createdAt=one.created_at or NO_TIME,
            updatedAt=one.updated_at or NO_TIME,
        )

    def _permissions(self, one: Authorization) -> msgspec.Raw:
        known = self._lists.get(one.permissions_json)
        if known is None:
            if len(self._lists) >= _LISTS_KNOWN_MAX:
                self._lists.clear()
            shown = [self._permission(permission) for permission in one.permissions()]
            known = msgspec.Raw(msgspec.json.encode(shown))
            self._lists[one.permissions_json] = known
        return known

    def _permission(self, permission: Permission) -> dict[str, object]:
        resource: dict[str, object] = {"type": permission.type}
        name = None
        if permission.id is not None:
            resource["id"] = permission.id
            name = self._name(permission.type, permission.id)
        if permission.org_id is not None:
            resource["orgID"] = permission.org_id
        if name:
            resource["name"] = name
        # The server stops looking for names at the first resource that it does not find.
        if (permission.org_id is not None and name is not None) or permission.id is None:
            org = None if permission.org_id is None else self._name("orgs", permission.org_id)
            if org:
                resource["org"] = org
        return {"action": permission.action, "resource": resource}

    def _name(self, kind: str, record_id: Id) -> str | None:
        """Give the name of a record; "" for a type without names, None when it is not there."""
        key = (kind, record_id)
        if key not in self._names:
            find = _FINDERS.get(kind)
            self._names[key] = "" if find is None else find(self._tx, record_id)
        return self._names[key]


def _user_name(tx: MetaTx, record_id: Id) -> str | None:
    found = tx.users.get(record_id)
    return None if found is None else found.name


def _organization_name(tx: MetaTx, record_id: Id) -> str | None:
    found = tx.organizations.get(record_id)
    return None if found is None else found.name


def _bucket_name(tx: MetaTx, record_id: Id) -> str | None:
    found = tx.buckets.get(record_id)
    return None if found is None else found.name


_FINDERS: Final[dict[str, Callable[[MetaTx, Id], str | None]]] = {
    "users": _user_name,
    "orgs": _organization_name,
    "buckets": _bucket_name,
}


def _text_of(one: Authorization) -> str:
    """Give the token of a record that holds it: whoever may read the record may read that."""
    return "" if one.token is None else one.token.reveal()


def setup_token_record(one: Authorization, token: Secret) -> dict[str, object]:
    """Show the token of a set-up, which has no names beside its IDs, and its hash if it has one."""
    hashed = {} if one.hashed_token is None else {"hashedToken": new_token_text(one.hashed_token)}
    return {
        "id": one.id,
        "token": new_token_text(token),
        **hashed,
        "status": one.status or ACTIVE,
        "description": one.description,
        "orgID": one.org_id,
        "userID": one.user_id,
        "permissions": permission_records(one.permissions()),
        "links": {"self": f"{_TOKENS}/{one.id}", "user": f"/api/v2/users/{one.user_id}"},
        "createdAt": one.created_at or NO_TIME,
        "updatedAt": one.updated_at or NO_TIME,
    }


def new_token_text(token: Secret) -> str:
    """Give the text of a token that was just made to whoever asked for it."""
    return token.reveal()


def permission_records(permissions: Sequence[Permission]) -> list[object]:
    """Show permissions without names."""
    return [permission.to_json() for permission in permissions]
