"""Users.

Lives here: the record, as read and as written. Must not live here: passwords, and the name index.

Source: InfluxDB v2.9.1 user.go, status.go, tenant/storage_user.go.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from recovery.model.gojson import (
    Json,
    encode,
    patched,
    required_id_field,
    text_field,
)
from recovery.model.ids import Id
from recovery.model.record_fields import decode_record

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
FIELDS: Final = ("id", "name", "oauthID", "status")
"""The fields in the order of the server's struct."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One user.

    Attributes:
        name: The name, exactly as stored; it is the key of the name index.
        status: "active" or "inactive". Users made by `influxd recovery` have an empty one.
        oauth_id: A name elsewhere, which servers keep and do not use; empty when absent.
    """

    id: Id
    name: str
    status: str
    oauth_id: str
    document: bytes

    def __repr__(self) -> str:
        return f"User(id={self.id!r}, name={self.name!r})"

    @property
    def is_active(self) -> bool:
        """Whether every endpoint takes the user for active; the 1.x ones want the exact word."""
        return self.status == ACTIVE

    @property
    def is_inactive(self) -> bool:
        """Whether the server answers this user's tokens with 403; an empty status does not."""
        return self.status == INACTIVE

    def rewritten(self, changes: Mapping[str, Json]) -> bytes:
        """Encode the user with fields changed, None removes one, and all others kept."""
        return patched(self.document, changes, order=FIELDS)


def decode_user(document: bytes) -> User:
    """Decode a value of `usersv1`; raise `UndecodableError` where the server could not."""
    fields = decode_record(document, "USER")
    return User(
        id=required_id_field(fields, "id"),
        name=text_field(fields, "name"),
        status=text_field(fields, "status"),
        oauth_id=text_field(fields, "oauthID"),
        document=document,
    )


def encode_user(*, user_id: Id, name: str, status: str = ACTIVE, oauth_id: str = "") -> bytes:
    """Encode a new user, byte for byte as the server would; an empty `oauth_id` is left out."""
    oauth: dict[str, Json] = {"oauthID": oauth_id} if oauth_id else {}
    return encode({"id": user_id, "name": name, **oauth, "status": status})
