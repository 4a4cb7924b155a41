"""User-resource mappings: who owns or belongs to what.

Lives here: the record, its key and the key of its index. Must not live here: what a mapping
permits.

Source: InfluxDB v2.9.1 user_resource_mapping.go, tenant/storage_urm.go.
"""

from dataclasses import dataclass
from typing import Final

from recovery.model.gojson import decode_record, encode, text_field
from recovery.model.ids import Id, parse_id

OWNER: Final = "owner"
MEMBER: Final = "member"
ORGS: Final = "orgs"
INSTANCE: Final = "instance"
INSTANCE_ID: Final = Id("0000000000000001")


def mapping_key(resource_id: Id, user_id: Id) -> bytes:
    """Return the key of a mapping in `userresourcemappingsv1`."""
    return f"{resource_id}{user_id}".encode()


def by_user_key(resource_id: Id, user_id: Id) -> bytes:
    """Return the key of a mapping in `userresourcemappingsbyuserindexv1`."""
    return f"{user_id}/{resource_id}{user_id}".encode()


def encode_mapping(*, user_id: Id, user_type: str, resource_type: str, resource_id: Id) -> bytes:
    """Encode a mapping, byte for byte as the server would."""
    return encode(
        {
            "userID": user_id,
            "userType": user_type,
            "mappingType": "user",
            "resourceType": resource_type,
            "resourceID": resource_id,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Who has which role in what.

    Attributes:
        user_id: The user.
        user_type: "owner" or "member".
        resource_type: "orgs", "buckets", "instance", …
        resource_id: The resource.
    """

    user_id: Id
    user_type: str
    resource_type: str
    resource_id: Id


def decode_mapping(document: bytes) -> Mapping:
    """Decode a stored mapping.

    Raises:
        ValueError: The server could not decode it. The text names no content.
    """
    record = decode_record(document)
    user_id = parse_id(text_field(record, "userID"))
    resource_id = parse_id(text_field(record, "resourceID"))
    if user_id is None or resource_id is None:
        raise ValueError("its userID or resourceID is no ID")
    user_type = text_field(record, "userType")
    if user_type not in {OWNER, MEMBER}:
        raise ValueError("its userType is neither owner nor member")
    return Mapping(
        user_id=user_id,
        user_type=user_type,
        resource_type=text_field(record, "resourceType"),
        resource_id=resource_id,
    )
