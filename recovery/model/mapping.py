"""User-resource mappings: who owns or belongs to what.

Lives here: the record, its key and the key of its index. Must not live here: what a mapping
permits.

Source: InfluxDB v2.9.1 user_resource_mapping.go, tenant/storage_urm.go.
"""

from typing import Final

import msgspec

from recovery.model.gojson import (
    Fields,
    UndecodableError,
    decode_fields,
    encode,
    fold,
    id_field,
    text_field,
)
from recovery.model.ids import Id
from recovery.model.record_fields import decode_record

OWNER: Final = "owner"
MEMBER: Final = "member"
ORGS: Final = "orgs"
INSTANCE: Final = "instance"
INSTANCE_ID: Final = Id("0000000000000001")

RESOURCE_TABLES: Final = {
    "authorizations": "authorizationsv1",
    "buckets": "bucketsv1",
    "checks": "checksv1",
    "dashboards": "dashboardsv2",
    "documents": "templates/documents/meta",
    "labels": "labelsv1",
    "notificationEndpoints": "notificationEndpointv1",
    "notificationRules": "notificationRulev1",
    ORGS: "organizationsv1",
    "scrapers": "scraperv2",
    "sources": "sourcesv1",
    "tasks": "tasksv1",
    "telegrafs": "telegrafv1",
    "users": "usersv1",
    "variables": "variablesv1",
}
"""Where the resources of a type are, for those that the bolt file has."""

_MAPPING_TYPES: Final = frozenset({"user", "org"})


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """Who has which role in what.

    Attributes:
        user_type: "owner" or "member".
        resource_type: "orgs", "buckets", "instance", …
    """

    user_id: Id
    user_type: str
    resource_type: str
    resource_id: Id


def organization_role(user_id: Id, org_id: Id, role: str) -> Mapping:
    """Make a role in an organization; it is `OWNER` or `MEMBER`."""
    return Mapping(user_id=user_id, user_type=role, resource_type=ORGS, resource_id=org_id)


def instance_owner(user_id: Id) -> Mapping:
    """Make the role that owns the whole server."""
    return Mapping(
        user_id=user_id, user_type=OWNER, resource_type=INSTANCE, resource_id=INSTANCE_ID
    )


def mapping_key(resource_id: Id, user_id: Id) -> bytes:
    """Build the key of a mapping in `userresourcemappingsv1`: a user has one in a resource."""
    return f"{resource_id}{user_id}".encode("ascii")


def by_user_key(resource_id: Id, user_id: Id) -> bytes:
    """Build the key of a mapping in `userresourcemappingsbyuserindexv1`."""
    return f"{user_id}/{resource_id}{user_id}".encode("ascii")


def decode_mapping(document: bytes) -> Mapping:
    """Decode a stored mapping.

    Args:
        document: A value in `userresourcemappingsv1`.

    Raises:
        UndecodableError: The server could not decode it, or it would break each session of the
            user: the server refuses an unknown role when it works out what a user may do.
    """
    fields = decode_record(document, "MAPPING")
    user_id, resource_id = id_field(fields, "userID"), _resource_id(fields)
    if user_id is None or resource_id is None:
        raise UndecodableError(problem="it lacks userID or resourceID")
    user_type = text_field(fields, "userType")
    if user_type not in {OWNER, MEMBER}:
        raise UndecodableError(problem="its userType is neither owner nor member")
    # Go reads the type of the mapping from text, null too; absent means the first, "user".
    is_typed = fold("mappingType") in fields
    if is_typed and text_field(fields, "mappingType") not in _MAPPING_TYPES:
        raise UndecodableError(problem="its mappingType is neither user nor org")
    return Mapping(
        user_id=user_id,
        user_type=user_type,
        resource_type=text_field(fields, "resourceType"),
        resource_id=resource_id,
    )


def _resource_id(fields: Fields) -> Id | None:
    """Read what a role is in; a server asks for no ID of the instance, of which there is one."""
    is_instance = text_field(fields, "resourceType") == INSTANCE
    return id_field(fields, "resourceID") or (INSTANCE_ID if is_instance else None)


def is_passed_over(document: bytes) -> bool:
    """Tell whether a server decodes a mapping and finds that it is nobody's, or in nothing."""
    try:
        fields = decode_fields(document)
        return id_field(fields, "userID") is None or _resource_id(fields) is None
    except UndecodableError:
        return False


def encode_mapping(mapping: Mapping) -> bytes:
    """Encode a mapping, byte for byte as the server would."""
    return encode(
        {
            "userID": mapping.user_id,
            "userType": mapping.user_type,
            "mappingType": "user",
            "resourceType": mapping.resource_type,
            "resourceID": mapping.resource_id,
        }
    )
