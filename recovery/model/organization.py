"""Organizations.

Lives here: the record, as read and as written, and the key of its name. Must not live here: what
belongs to an organization.

Source: InfluxDB v2.9.1 organization.go, tenant/storage_org.go (organizationIndexKey); Go unicode
graphic.go (IsSpace).
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
    time_field,
)
from recovery.model.ids import Id
from recovery.model.record_fields import decode_record

FIELDS: Final = ("id", "name", "description", "createdAt", "updatedAt")
"""The fields in the order of the server's struct."""

_WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Go trims. Python's `strip` would take the separators 0x1c to 0x1f as well."""


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    """One organization.

    Attributes:
        name: The name as stored, which may have blanks around it.
        created_at: As stored, RFC 3339; empty when absent.
        updated_at: As stored, RFC 3339; empty when absent.
    """

    id: Id
    name: str
    description: str
    created_at: str
    updated_at: str
    document: bytes

    def __repr__(self) -> str:
        return f"Organization(id={self.id!r}, name={self.name!r})"

    def rewritten(self, changes: Mapping[str, Json]) -> bytes:
        """Encode the organization with fields changed, None removes one, and all others kept."""
        return patched(self.document, changes, order=FIELDS)


def index_name(name: str) -> str:
    """Trim a name of an organization as the index has it; case is kept."""
    return name.strip(_WHITE_SPACE)


def decode_organization(document: bytes) -> Organization:
    """Decode a value of `organizationsv1`; raise `UndecodableError` where the server could not."""
    fields = decode_record(document, "ORGANIZATION")
    return Organization(
        id=required_id_field(fields, "id"),
        name=text_field(fields, "name"),
        description=text_field(fields, "description"),
        created_at=time_field(fields, "createdAt"),
        updated_at=time_field(fields, "updatedAt"),
        document=document,
    )


def encode_organization(*, org_id: Id, name: str, description: str, now: str) -> bytes:
    """Encode a new organization, byte for byte as the server would; `now` is by `format_time`."""
    return encode(
        {"id": org_id, "name": name, "description": description, "createdAt": now, "updatedAt": now}
    )
