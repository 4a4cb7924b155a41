"""User-resource mappings: who owns or belongs to what.

Lives here: the record, its key and the key of its index. Must not live here: what a mapping
permits.

Source: InfluxDB v2.9.1 user_resource_mapping.go, tenant/storage_urm.go.
"""

from typing import Final

from recovery.model.gojson import encode
from recovery.model.ids import Id

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
