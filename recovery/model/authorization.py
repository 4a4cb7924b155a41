"""Authorizations: the records behind API tokens.

Lives here: the record, as read and as written. Must not live here: its indexes
(`recovery.metastore`), the meaning of a permission list (`recovery.model.permission`).

A store can hold 100,000 of these at 3.5 kB, nearly all of it a permission list that most of them
share. So a record is decoded in one step that leaves the list as bytes, checked for syntax only;
and `OperatorClassifier` looks at each different list once.

Source: InfluxDB v2.9.1 auth.go (type Authorization), authorization/storage_authorization.go.
"""

from typing import Final

import msgspec

from recovery.model.gojson import Json, decode, decode_record, encode, field, patched, text_field
from recovery.model.ids import Id, parse_id
from recovery.model.permission import OperatorStatus, Permission, classify, parse_permissions
from recovery.model.token import TokenForm, hash_token, token_form
from recovery.secret import Secret

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
FIELDS: Final = (
    "id", "token", "hashedToken", "status", "description", "orgID", "userID", "permissions",
    "createdAt", "updatedAt",
)  # fmt: skip
"""The fields in the order of the server's struct."""
CLASSIFIED_MAX: Final = 4096
"""Different permission lists remembered; a list has some kilobytes."""


class Authorization(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One authorization.

    Attributes:
        id: Its ID.
        token: The raw token; None when only a hash is stored, and in a dead record.
        hashed_token: The stored hash, or None.
        status: "active" or "inactive"; the empty text of old records counts as active.
        description: Whatever its maker wrote.
        org_id: The organization; None where the record has none that is an ID.
        user_id: The owner; None where the record has none.
        permissions_json: The permission list as stored: valid JSON, not looked at further.
        created_at: As stored, RFC 3339; empty in old records.
        updated_at: As stored, RFC 3339; empty in old records.
        document: The record as stored. Holds secrets: never shown.
    """

    id: Id
    token: Secret | None
    hashed_token: Secret | None
    status: str
    description: str
    org_id: Id | None
    user_id: Id | None
    permissions_json: bytes
    created_at: str
    updated_at: str
    document: bytes

    def __repr__(self) -> str:
        return f"Authorization(id={self.id!r})"

    @property
    def is_active(self) -> bool:
        """Whether the server accepts the token, as far as the record goes."""
        return self.status in {ACTIVE, ""}

    @property
    def form(self) -> TokenForm:
        """How the token is kept."""
        return token_form(self.token, self.hashed_token)

    def permissions(self) -> list[Permission]:
        """Decode the permission list.

        Raises:
            ValueError: It is no list of permissions.
        """
        return parse_permissions(decode(self.permissions_json))

    def rewritten(self, changes: dict[str, Json]) -> bytes:
        """Return the document with some fields changed and all others kept.

        Args:
            changes: New values by field name; None removes the field.
        """
        return patched(self.document, changes, order=FIELDS)


class _Stored(msgspec.Struct, gc=False):
    """The fields as they lie in the document."""

    id: str = ""
    token: str = ""
    hashedToken: str = ""  # noqa: N815 - the name in the document
    status: str = ""
    description: str = ""
    orgID: str = ""  # noqa: N815 - the name in the document
    userID: str = ""  # noqa: N815 - the name in the document
    permissions: msgspec.Raw = msgspec.Raw(b"null")
    createdAt: str = ""  # noqa: N815 - the name in the document
    updatedAt: str = ""  # noqa: N815 - the name in the document


_DECODER: Final = msgspec.json.Decoder(_Stored)


def decode_authorization(document: bytes) -> Authorization:
    """Decode a stored authorization.

    Args:
        document: The value in `authorizationsv1` or `legacy/authorizationsv1`.

    Returns:
        The record. Its permissions are known to be JSON and no more.

    Raises:
        ValueError: The server could not decode it. The text names no content.
    """
    try:
        stored = _DECODER.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        stored = _decode_leniently(document)
    identity = parse_id(stored.id) or (
        parse_id(_decode_leniently(document).id) if not stored.id else None
    )
    if identity is None:
        raise ValueError("its id is missing or no ID")
    return Authorization(
        id=identity,
        token=Secret(stored.token) if stored.token else None,
        hashed_token=Secret(stored.hashedToken) if stored.hashedToken else None,
        status=stored.status,
        description=stored.description,
        org_id=parse_id(stored.orgID),
        user_id=parse_id(stored.userID),
        permissions_json=bytes(stored.permissions),
        created_at=stored.createdAt,
        updated_at=stored.updatedAt,
        document=document,
    )


def _decode_leniently(document: bytes) -> _Stored:
    """Decode as Go does: names in any case, null for an absent field, broken UTF-8."""
    record = decode_record(document)
    texts = {name: text_field(record, name) for name in FIELDS if name != "permissions"}
    permissions = field(record, "permissions")
    if not isinstance(permissions, list | None):
        raise ValueError("its permissions are no list")
    return _Stored(permissions=msgspec.Raw(encode(permissions)), **texts)


def encode_authorization(
    *,
    authorization_id: Id,
    token: Secret,
    is_hashed: bool,
    description: str,
    org_id: Id,
    user_id: Id,
    permissions: list[Permission],
    now: str,
) -> bytes:
    """Encode a new authorization, byte for byte as the server would.

    Args:
        authorization_id: Its ID.
        token: The raw token.
        is_hashed: Whether to store its hash in its place.
        description: Free text.
        org_id: The organization.
        user_id: The owner.
        permissions: What it permits.
        now: The time, RFC 3339.
    """
    record: dict[str, Json] = {"id": authorization_id}
    if is_hashed:
        record["hashedToken"] = hash_token(token).reveal()
    else:
        record["token"] = token.reveal()
    record |= {
        "status": ACTIVE,
        "description": description,
        "orgID": org_id,
        "userID": user_id,
        "permissions": [permission.to_json() for permission in permissions],
        "createdAt": now,
        "updatedAt": now,
    }
    return encode(record)


class OperatorClassifier:
    """Classifies permission lists, each different one once."""

    def __init__(self, *, level: int) -> None:
        """Prepare for the authorizations of one store.

        Args:
            level: Its schema level.
        """
        self._level = level
        self._known: dict[bytes, OperatorStatus | None] = {}

    def status(self, authorization: Authorization) -> OperatorStatus | None:
        """Say how much of an operator an authorization is; None when its list is no such list."""
        document = authorization.permissions_json
        try:
            return self._known[document]
        except KeyError:
            status = self._classify(authorization)
        if len(self._known) >= CLASSIFIED_MAX:
            self._known.clear()
        self._known[document] = status
        return status

    def _classify(self, authorization: Authorization) -> OperatorStatus | None:
        try:
            return classify(authorization.permissions(), level=self._level)
        except ValueError:
            return None
