"""Organizations.

Lives here: the record, as read and as written, and the key of its name. Must not live here: what
belongs to an organization.

Source: InfluxDB v2.9.1 organization.go, tenant/storage_org.go (organizationIndexKey).
"""

from dataclasses import dataclass
from typing import Final

from recovery.model.gojson import Json, decode_record, encode, patched, text_field
from recovery.model.ids import Id, parse_id

FIELDS: Final = ("id", "name", "description", "createdAt", "updatedAt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """One organization.

    Attributes:
        id: Its ID.
        name: The name as stored, which may have blanks around it.
        description: Free text.
        created_at: As stored, RFC 3339.
        updated_at: As stored, RFC 3339.
        document: The record as stored.
    """

    id: Id
    name: str
    description: str
    created_at: str
    updated_at: str
    document: bytes

    def rewritten(self, changes: dict[str, Json]) -> bytes:
        """Return the document with some fields changed and all others kept."""
        return patched(self.document, changes, order=FIELDS)


def index_name(name: str) -> str:
    """Return the name as the index has it: without white space around it, case kept."""
    return name.strip()


def decode_organization(document: bytes) -> Organization:
    """Decode a stored organization.

    Raises:
        ValueError: The server could not decode it. The text names no content.
    """
    record = decode_record(document)
    identity = parse_id(text_field(record, "id"))
    if identity is None:
        raise ValueError("its id is missing or no ID")
    return Organization(
        id=identity,
        name=text_field(record, "name"),
        description=text_field(record, "description"),
        created_at=text_field(record, "createdAt"),
        updated_at=text_field(record, "updatedAt"),
        document=document,
    )


def encode_organization(*, org_id: Id, name: str, description: str, now: str) -> bytes:
    """Encode a new organization, byte for byte as the server would."""
    return encode(
        {"id": org_id, "name": name, "description": description, "createdAt": now, "updatedAt": now}
    )
