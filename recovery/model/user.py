"""Users.

Lives here: the record, as read and as written. Must not live here: passwords, and the name index.

Source: InfluxDB v2.9.1 user.go, tenant/storage_user.go.
"""

from dataclasses import dataclass
from typing import Final

from recovery.model.gojson import Json, decode_record, encode, patched, text_field
from recovery.model.ids import Id, parse_id

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
FIELDS: Final = ("id", "name", "oauthID", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user.

    Attributes:
        id: Its ID.
        name: The name, exactly as stored; it is the key of the name index.
        status: "active" or "inactive". Users made by `influxd recovery` have an empty one.
        document: The record as stored.
    """

    id: Id
    name: str
    status: str
    document: bytes

    @property
    def is_inactive(self) -> bool:
        """Whether the server answers this user's tokens with 403; an empty status does not."""
        return self.status == INACTIVE

    def rewritten(self, changes: dict[str, Json]) -> bytes:
        """Return the document with some fields changed and all others kept."""
        return patched(self.document, changes, order=FIELDS)


def decode_user(document: bytes) -> User:
    """Decode a stored user.

    Raises:
        ValueError: The server could not decode it. The text names no content.
    """
    record = decode_record(document)
    identity = parse_id(text_field(record, "id"))
    if identity is None:
        raise ValueError("its id is missing or no ID")
    return User(
        id=identity,
        name=text_field(record, "name"),
        status=text_field(record, "status"),
        document=document,
    )


def encode_user(*, user_id: Id, name: str, status: str = ACTIVE) -> bytes:
    """Encode a new user, byte for byte as the server would."""
    return encode({"id": user_id, "name": name, "status": status})
