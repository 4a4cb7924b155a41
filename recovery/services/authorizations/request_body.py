"""The body of a request for a token, as clients send it to the server.

Lives here: `RequestBody`, from JSON. Must not live here: what the permissions in it mean
(`permission_request`), and files.

Invariants: nothing in it is overlooked: what is not understood is refused.

Source: InfluxDB v2.9.1 authorization/http_server.go (postAuthorizationRequest).
"""

from typing import Final, Self

import msgspec

from recovery.errors import RefusedError
from recovery.model.authorization import ACTIVE
from recovery.model.gojson import UndecodableError, decode_fields, fold, id_field, text_field
from recovery.model.ids import Id
from recovery.services.authorizations.permission_request import HOW_TO_WRITE

_FIELDS: Final = frozenset(map(fold, ("status", "orgID", "userID", "description", "permissions")))


class RequestBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says.

    Attributes:
        permissions: The JSON array of permissions, not looked into.
    """

    permissions: bytes
    description: str | None = None
    org_id: Id | None = None
    user_id: Id | None = None

    @classmethod
    def of(cls, document: bytes) -> Self:
        """Read the body of a request, or only its permissions; raise `RefusedError` for others."""
        if not document.lstrip().startswith(b"{"):
            return cls(permissions=document)
        try:
            return cls._of_object(document)
        except UndecodableError as error:
            raise RefusedError(
                reason=f"the request cannot be understood ({error.problem})", hint=HOW_TO_WRITE
            ) from None

    @classmethod
    def _of_object(cls, document: bytes) -> Self:
        fields = decode_fields(document)
        if not fields.keys() <= _FIELDS:
            raise UndecodableError(
                problem="it has a field besides status, description, orgID, userID and permissions"
            )
        if text_field(fields, "status") not in {"", ACTIVE}:
            raise RefusedError(
                reason="a new token is active, and the request has another status",
                hint="leave the status out, and set the token inactive afterwards",
            )
        return cls(
            permissions=bytes(fields.get("permissions", b"[]")),
            description=text_field(fields, "description") or None,
            org_id=id_field(fields, "orgID"),
            user_id=id_field(fields, "userID"),
        )
