"""Authorizations: the records behind API tokens.

Lives here: the record, as read and as written; legacy (1.x-compatible) ones have the same form,
with a user name in the place of the token. Must not live here: the indexes (`recovery.metastore`),
the meaning of a permission list (`recovery.model.permission`).

A store can hold 100,000 of these at 3.5 kB, nearly all of it a permission list that most of them
share. So a record is decoded in one step that leaves the list as bytes, checked for syntax only,
and `OperatorClassifier` looks at each different list once. `AuthorizationDecoder` goes further for
who reads many: it knows a list again, and takes the rest by its place.

Invariants: neither `repr` nor an encoder gives a token or its hash away, because both are `Secret`.

Source: InfluxDB v2.9.1 auth.go (type Authorization), authorization/storage_authorization.go,
v1/authorization/storage.go.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.model.gojson import (
    MOST_TIMES,
    Fields,
    Json,
    UndecodableError,
    encode,
    encode_text,
    fold,
    id_field,
    is_time,
    patched,
    repeats,
    required_id_field,
    text_field,
    time_field,
)
from recovery.model.ids import Id, parse_id
from recovery.model.permission import OperatorStatus, Permission, classify, decode_permissions
from recovery.model.record_fields import decode_record
from recovery.model.token import TokenForm, hash_token, token_form
from recovery.secret import Secret

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
FIELDS: Final = (
    "id", "token", "hashedToken", "status", "description", "orgID", "userID", "permissions",
    "createdAt", "updatedAt",
)  # fmt: skip
"""The fields in the order of the server's struct."""

_KNOWN_LISTS_MAX: Final = 4096
"""Different permission lists remembered."""

_KNOWN_LIST_SIZE_BYTES_MAX: Final = 8192
"""Longer lists are read anew each time: servers make none above 3.5 kB for their standard sets, and
what is remembered stays below 32 MiB whatever is in the store."""

_NO_LIST: Final = msgspec.Raw(b"null")

_PLAIN: Final = r'[^"\\\x00-\x1f]*'
_ID: Final = "(?!0{16})[0-9a-f]{16}"
_HEAD: Final = re.compile(
    rf'{{"id":"({_ID})",(?:"token":"({_PLAIN})",)?(?:"hashedToken":"({_PLAIN})",)?'
    rf'"status":"({_PLAIN})","description":"({_PLAIN})","orgID":"({_ID})","userID":"({_ID})",'
    rf'"permissions":'
)
"""What is in front of the permissions, with texts that have no escapes."""
_TAIL_BEGIN: Final = ',"createdAt":"'
_TAIL: Final = re.compile(rf',"createdAt":"({MOST_TIMES})","updatedAt":"(\1|{MOST_TIMES})"}}\Z')
"""What is behind them; most are as they were made, with the same time twice."""


class Authorization(msgspec.Struct, frozen=True, eq=False):
    """One authorization. A decoder makes it by position: names would take five times as long.

    Attributes:
        token: The raw token; None when only a hash is stored, and in a dead record. Of a legacy
            authorization: the 1.x user name, which is no secret.
        hashed_token: The stored hash, or None.
        status: "active" or "inactive"; the empty text of old records counts as active.
        description: Whatever its maker wrote.
        org_id: The organization; None where the record has none.
        user_id: The owner; None where the record has none.
        permissions_json: The permission list as stored: valid JSON, not looked at further.
        created_at: As stored, RFC 3339; empty when absent.
        updated_at: As stored, RFC 3339; empty when absent.
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
        """Decode the permissions, in their order; raise `UndecodableError` if no server could."""
        return decode_permissions(self.permissions_json)

    def rewritten(self, changes: Mapping[str, Json]) -> bytes:
        """Encode the authorization with fields changed, None removes one, and all others kept."""
        return patched(self.document, changes, order=FIELDS)

    def with_status(self, status: str, *, now: str) -> "Authorization":
        """Give it another status, "active" or "inactive"; `now` is by `format_time`."""
        around = self._around_list()
        if around is None:
            return decode_authorization(self.rewritten({"status": status, "updatedAt": now}))
        head, tail = around
        text = head.string
        document = f'{text[: head.start(4)]}{status}{text[head.end(4) : tail.start(2)]}{now}"}}'
        return replace(self, status=status, updated_at=now, document=document.encode())

    def _around_list(self) -> tuple[re.Match[str], re.Match[str]] | None:
        """Match what is around the permissions as servers write it; None where it lies otherwise.

        In such a record a field is changed at its place. To take it apart takes ten times as long.
        """
        try:
            text, permissions = self.document.decode(), self.permissions_json.decode()
        except UnicodeDecodeError:
            return None
        head = _HEAD.match(text)
        if head is None or not text.startswith(permissions, head.end()):
            return None
        tail = _TAIL.match(text, head.end() + len(permissions))
        return None if tail is None else (head, tail)

    def with_token(
        self,
        token: Secret | None,
        hashed: Secret | None,
        *,
        new_id: Id | None = None,
        now: str | None = None,
    ) -> "Authorization":
        """Give it another token or hash; keep all else.

        Args:
            new_id: The ID that it gets; None to keep it.
            now: When it is made anew, by `format_time`; None to keep its times.
        """
        new_id = new_id or self.id
        around = self._around_list()
        if around is None:
            changes: dict[str, Json] = {
                "id": new_id,
                "token": None if token is None else token.reveal(),
                "hashedToken": None if hashed is None else hashed.reveal(),
            }
            if now is not None:
                changes |= {"createdAt": now, "updatedAt": now}
            return decode_authorization(self.rewritten(changes))
        head, tail = around
        created_at, updated_at = (now, now) if now else (self.created_at, self.updated_at)
        parts = [f'{{"id":"{new_id}",'.encode()]
        for name, secret in ((b"token", token), (b"hashedToken", hashed)):
            if secret is not None:
                parts.append(b'"%b":%b,' % (name, encode_text(secret.reveal())))
        parts.append(head.string[head.start(4) - len('"status":"') : tail.start()].encode())
        parts.append(f',"createdAt":"{created_at}","updatedAt":"{updated_at}"}}'.encode())
        return replace(
            self,
            id=new_id,
            token=token,
            hashed_token=hashed,
            created_at=created_at,
            updated_at=updated_at,
            document=b"".join(parts),
        )

    def with_permissions_added(self, added: Sequence[Permission], *, now: str) -> "Authorization":
        """Put permissions behind the stored bytes; `UndecodableError` when those are no list."""
        permissions: list[Json] = [*_raw_list(self.permissions_json)]
        permissions += [permission.to_json() for permission in added]
        changes: dict[str, Json] = {"permissions": permissions, "updatedAt": now}
        return decode_authorization(self.rewritten(changes))


def decode_authorization(document: bytes) -> Authorization:
    """Decode a stored authorization.

    Args:
        document: A value in `authorizationsv1` or `legacy/authorizationsv1`.

    Returns:
        The record. Its permissions are known to be JSON and no more; `OperatorClassifier` or
        `Authorization.permissions` find out the rest.

    Raises:
        UndecodableError: The server could not decode it, or it has no ID.
    """
    try:
        stored = _STORED.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        stored = None
    if stored is None or not stored.is_plain() or repeats(document):
        return _decode_slowly(document)
    return Authorization(
        id=Id(stored.id),
        token=Secret(stored.token) if stored.token else None,
        hashed_token=Secret(stored.hashedToken) if stored.hashedToken else None,
        status=stored.status,
        description=stored.description,
        org_id=Id(stored.orgID),
        user_id=Id(stored.userID),
        permissions_json=bytes(stored.permissions),
        created_at=stored.createdAt,
        updated_at=stored.updatedAt,
        document=document,
    )


class AuthorizationDecoder:
    """Decodes many authorizations, each as `decode_authorization` does.

    Nearly all of a record is a permission list that was met before. Where one follows the fields in
    front of it, as they lie in what a server has written, it is compared and not read again.

    Attributes:
        was_known: Whether the last record was read so: each field is in it once, and all of it is
            text in UTF-8.
    """

    def __init__(self) -> None:
        """Know no list yet."""
        self.was_known = False
        self._lists: dict[int, tuple[str, bytes]] = {}

    def decode(self, document: bytes) -> Authorization:
        """Decode one. Takes, returns and raises as `decode_authorization`."""
        self.was_known = False
        try:
            text = document.decode()
        except UnicodeDecodeError:
            text = ""
        head = _HEAD.match(text)
        # A list is a value of its own wherever it stands, so what follows it is outside of it.
        tail = None if head is None else _TAIL.match(text, text.rfind(_TAIL_BEGIN))
        if head is None or tail is None:
            return decode_authorization(document)
        begin = head.end()
        known, permissions = self._lists.get(tail.start() - begin, ("", b""))
        if not known or not text.startswith(known, begin):
            return self._learned(document)
        self.was_known = True
        found_id, token, hashed, status, description, org_id, user_id = head.groups()
        created_at, updated_at = tail.groups()
        return Authorization(
            Id(found_id),
            Secret(token) if token else None,
            Secret(hashed) if hashed else None,
            status,
            description,
            Id(org_id),
            Id(user_id),
            permissions,
            created_at,
            updated_at,
            document,
        )

    def _learned(self, document: bytes) -> Authorization:
        """Decode a record with another list than the last one of that length, and remember it."""
        authorization = decode_authorization(document)
        found = authorization.permissions_json
        if len(found) <= _KNOWN_LIST_SIZE_BYTES_MAX:
            if len(self._lists) >= _KNOWN_LISTS_MAX:
                self._lists.clear()
            text = found.decode()
            self._lists[len(text)] = text, found
        return authorization


def _is_utf8(document: bytes) -> bool:
    try:
        document.decode()
    except UnicodeDecodeError:
        return False
    return True


def new_authorization(  # noqa: PLR0913 # one argument a field of the record
    *,
    authorization_id: Id,
    token: Secret,
    form: TokenForm,
    description: str,
    org_id: Id,
    user_id: Id,
    permissions: Sequence[Permission],
    now: str,
    status: str = ACTIVE,
) -> Authorization:
    """Make a new authorization, byte for byte as the server would write it.

    Args:
        form: `TokenForm.RAW`; otherwise the token is stored as its SHA-256 hash.
        now: The time, as `format_time` writes it.
        status: "active" or "inactive".
    """
    is_raw = form is TokenForm.RAW
    record: dict[str, Json] = {
        "id": authorization_id,
        "token" if is_raw else "hashedToken": (token if is_raw else hash_token(token)).reveal(),
        "status": status,
        "description": description,
        "orgID": org_id,
        "userID": user_id,
        "permissions": [permission.to_json() for permission in permissions],
        "createdAt": now,
        "updatedAt": now,
    }
    return decode_authorization(encode(record))


class PermissionSummary(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is said of a permission list in a listing.

    Attributes:
        operator: How much of an operator it makes.
        permissions_json: The list as valid JSON in valid UTF-8, to be passed on as it is.
        is_remembered: Whether the next one with this list most likely gets this very summary.
    """

    operator: OperatorStatus
    count: int
    permissions_json: bytes
    is_remembered: bool


class OperatorClassifier:
    """Reads and classifies permission lists, each different one once.

    The list met last is remembered for each length, because comparing two lists of 3 kB takes a
    tenth of the time of hashing one; only what differs from that is looked up by its hash.
    """

    def __init__(self, *, level: int) -> None:
        """Prepare for the authorizations of one store."""
        self._level = level
        self._last: dict[int, tuple[bytes, PermissionSummary]] = {}
        self._known: dict[bytes, PermissionSummary] = {}

    def summary(self, authorization: Authorization) -> PermissionSummary:
        """Sum up the permission list; raise `UndecodableError` where no server could decode it."""
        document = authorization.permissions_json
        if len(document) > _KNOWN_LIST_SIZE_BYTES_MAX:
            return self._read(document)
        last = self._last.get(len(document))
        if last is not None and last[0] == document:
            return last[1]
        summary = self._known.get(document)
        if summary is None:
            summary = self._read(document)
            if len(self._known) >= _KNOWN_LISTS_MAX:
                self._known.clear()
                self._last.clear()
            self._known[document] = summary
        self._last[len(document)] = (document, summary)
        return summary

    def status(self, authorization: Authorization) -> OperatorStatus:
        """Say how much of an operator it is; raise `UndecodableError` where no server could."""
        return self.summary(authorization).operator

    def _read(self, document: bytes) -> PermissionSummary:
        permissions = decode_permissions(document)
        if not _is_utf8(document):
            document = encode([permission.to_json() for permission in permissions])
        return PermissionSummary(
            operator=classify(permissions, level=self._level),
            count=len(permissions),
            permissions_json=b"[]" if document == b"null" else document,
            is_remembered=len(document) <= _KNOWN_LIST_SIZE_BYTES_MAX,
        )


class _Stored(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The fields as they lie in a document that a server has written."""

    id: str = ""
    token: str = ""
    hashedToken: str = ""  # noqa: N815 # the name in the document
    status: str = ""
    description: str = ""
    orgID: str = ""  # noqa: N815 # the name in the document
    userID: str = ""  # noqa: N815 # the name in the document
    permissions: msgspec.Raw = _NO_LIST
    createdAt: str = ""  # noqa: N815 # the name in the document
    updatedAt: str = ""  # noqa: N815 # the name in the document

    def is_plain(self) -> bool:
        """Tell whether IDs and times need no second look."""
        return (
            parse_id(self.id) == self.id
            and parse_id(self.orgID) == self.orgID
            and parse_id(self.userID) == self.userID
            and is_time(self.createdAt)
            and is_time(self.updatedAt)
        )


_STORED: Final = msgspec.json.Decoder(_Stored)
_RAW_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)


def _decode_slowly(document: bytes) -> Authorization:
    """Decode what no server has written, or a server that is newer than this program."""
    fields = decode_record(document, "AUTHORIZATION")
    return Authorization(
        id=required_id_field(fields, "id"),
        token=_secret_field(fields, "token"),
        hashed_token=_secret_field(fields, "hashedToken"),
        status=text_field(fields, "status"),
        description=text_field(fields, "description"),
        org_id=id_field(fields, "orgID"),
        user_id=id_field(fields, "userID"),
        permissions_json=bytes(fields.get(fold("permissions"), _NO_LIST)),
        created_at=time_field(fields, "createdAt"),
        updated_at=time_field(fields, "updatedAt"),
        document=document,
    )


def _secret_field(fields: Fields, name: str) -> Secret | None:
    text = text_field(fields, name)
    return Secret(text) if text else None


def _raw_list(document: bytes) -> list[msgspec.Raw]:
    try:
        return _RAW_LIST.decode(document) or []
    except msgspec.MsgspecError:
        pass
    raise UndecodableError(problem="permissions are no list")
