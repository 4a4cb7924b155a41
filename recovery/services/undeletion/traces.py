"""What is left of users and tokens that were deleted.

Lives here: `gather`, which looks for them in the state before the newest one, on freed pages and in
copies. Must not live here: which copies there are, and putting anything back (`tokens`, `users`).

A record that is on a freed page says neither when it was deleted nor, where it is a user, which of
two passwords was the last one. So a copy, or the older state, of which all parts are of one moment,
counts before freed pages, and passwords that contradict each other count as none.

Invariants: only records of IDs that the store lacks are kept, and only those that a server could
decode. A record of a 1.x client is never taken for one of an API token: its user name, which is no
secret, would be a token.

Source: InfluxDB v2.9.1 authorization/storage_authorization.go and tenant/storage_user.go
(DeleteAuthorization, DeleteUser) remove keys, and bbolt keeps the bytes of freed pages.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum, unique
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from recovery.errors import NotFoundError, RecoveryError, RefusedError
from recovery.metastore.leftovers import leftover_records
from recovery.metastore.packed import open_readable
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import ACTIVE, INACTIVE, Authorization, decode_authorization
from recovery.model.display import moment_text
from recovery.model.gojson import UndecodableError
from recovery.model.ids import ID_LENGTH, Id, parse_id
from recovery.model.mapping import MEMBER, decode_mapping
from recovery.model.mapping import Mapping as Role
from recovery.model.recognition import RecordKind, is_api_authorization, recognize
from recovery.model.user import User, decode_user
from recovery.remedy import Input, Run
from recovery.secret import Secret
from recovery.services.ledger import Operation
from recovery.services.tenancy.choosing import shown_name

_AUTHORIZATIONS: Final = RecordKind.AUTHORIZATION.value
_USERS: Final = RecordKind.USER.value
_PASSWORDS: Final = "userspasswordv1"  # the name of a bolt bucket
_LOGINS: Final = "legacy/authorizationsv1"
_LOGIN_PASSWORDS: Final = "legacy/authorizationPasswordv1"  # the name of a bolt bucket
_ROLES: Final = "userresourcemappingsv1"
_BCRYPT_START: Final = b"$2"
NAMES_SHOWN_MAX: Final = 20
DELETING: Final = frozenset({"auth delete", "auth rotate", "user delete", "v1-auth delete"})
_Trace = TypeVar("_Trace", bound="TokenTrace")
_Found = TypeVar("_Found")


@unique
class Place(StrEnum):
    """Where in a file a record was found, the most trustworthy first."""

    OLDER = "older snapshot"
    COPY = "copy"
    FREED = "freed pages"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a record was found.

    Attributes:
        place: In which part of the file.
        path: The copy; None for the store itself.
        made_at: When the copy was made, as far as its name or file tells; None for the store.
    """

    place: Place
    path: Path | None = None
    made_at: datetime | None = None

    def __str__(self) -> str:
        if self.path is None:
            return f"the {self.place.value} of the store"
        if self.place is Place.COPY:
            return str(self.path)
        return f"the {self.place.value} of {self.path}"


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is not in the store any more. Holds no secret.

    Attributes:
        place: In which part of which file it was found.
        source_path: The copy; None for the store itself.
        source_made_at: When the copy was made; None for the store.
        version_count: How many different states of it were found; this is the newest.
        deleted_by: The operation of this tool that deleted it; None when that is not known.
        because: What is in the way of bringing it back; None when nothing is.
    """

    id: str
    place: Place
    source_path: Path | None
    source_made_at: datetime | None
    version_count: int
    deleted_by: str | None
    because: str | None


class TokenTrace(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization that is not in the store any more."""

    origin: Origin
    authorization: Authorization


class UserTrace(msgspec.Struct, frozen=True, kw_only=True):
    """A user that is not in the store any more.

    Attributes:
        password: The hash of its password; None when none was found, or more than one.
    """

    origin: Origin
    user: User
    password: Secret | None
    roles: tuple[Role, ...]


class LoginTrace(TokenTrace, frozen=True, kw_only=True):
    """A 1.x-compatible authorization that is not in the store any more.

    Attributes:
        username: Its 1.x user name, which is no secret.
        password: The hash of its password; None when none was found, or more than one.
    """

    username: str
    password: Secret | None


class Traces(msgspec.Struct, kw_only=True):
    """All that was found, by ID, the best of each first.

    Attributes:
        tokens: Authorizations; several of one ID differ.
        users: Users; several of one ID differ.
        logins: 1.x-compatible authorizations; several of one ID differ.
        problems: Which places could not be looked at, as clauses.
    """

    tokens: dict[Id, list[TokenTrace]] = msgspec.field(default_factory=dict)
    users: dict[Id, list[UserTrace]] = msgspec.field(default_factory=dict)
    logins: dict[Id, list[LoginTrace]] = msgspec.field(default_factory=dict)
    problems: list[str] = msgspec.field(default_factory=list)

    def user_name(self, user_id: Id | None) -> str | None:
        """Name a user that was found; None for one that was not."""
        found = self.users.get(user_id) if user_id is not None else None
        return found[0].user.name if found else None


class CopyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of the store, or of an earlier one.

    Attributes:
        made_at: When it was made; None when that is not known.
        is_named: Whether a person named it: then it has to be readable, and its freed pages are
            looked at, too.
    """

    path: Path
    made_at: datetime | None
    is_named: bool


def known_copies(
    beside: Mapping[Path, datetime], history: Iterable[Operation]
) -> Sequence[CopyFile]:
    """List the copies beside a store and those of the ledger, the newest first.

    Args:
        beside: When each copy beside it was made.
        history: What was done to the store.
    """
    made_at = dict(beside)
    for operation in history:
        if operation.backup_path is not None and Path(operation.backup_path).is_file():
            made_at.setdefault(Path(operation.backup_path), operation.started_at)
    return [
        CopyFile(path=path, made_at=made_at[path], is_named=False)
        for path in sorted(made_at, key=lambda one: (made_at[one], one), reverse=True)
    ]


def deletions_of(history: Iterable[Operation]) -> dict[str, str]:
    """Say which operation deleted what, by ID; the last one of each record counts."""
    return {
        record_id: f"{one.operation} of {moment_text(one.started_at)}"
        for one in history
        if one.operation.removeprefix("serve ") in DELETING
        and one.outcome in {"done", "unknown", "undelivered"}
        for record_id in one.record_ids
    }


def only_one(
    found: dict[Id, _Found], kind: str, wanted: str, names: dict[Id, str], listing: Run
) -> _Found:
    """Take what was found, if it is one.

    Args:
        kind: Of what, as "user".
        wanted: The name or ID that was asked for.
        names: Of all that can be brought back, by ID.

    Raises:
        RefusedError: Several had that name.
    """
    if not found:
        raise NotFoundError(
            kind=f"deleted {kind}",
            name=shown_name(wanted),
            existing=[
                f"{one} {shown_name(name)}".strip()
                for one, name in sorted(names.items())[-NAMES_SHOWN_MAX:]
            ],
            hint=listing,
        )
    if len(found) > 1:
        raise RefusedError(
            reason=f"several deleted {kind}s had the name {shown_name(wanted)}: {', '.join(found)}",
            hint=replace(listing, purpose="to bring one of these back", values={Input.ID: None}),
        )
    return next(iter(found.values()))


def gather(store: MetaStore, copies: Sequence[CopyFile], *, has_own: bool) -> Traces:
    """Look for deleted users and authorizations.

    Args:
        copies: Where else to look, the newest first.
        has_own: Whether to look on the pages of the store itself.

    Raises:
        RecoveryError: The store, or a copy that was named, cannot be read.
    """
    traces = Traces()
    with store.view() as tx:
        finder = _Finder(tx, traces)
        if has_own:
            finder.look_at_pages(store, None, None)
        for copy in copies:
            try:
                with open_readable(copy.path, needs_schema=False) as other:
                    finder.look_at_copy(other, copy)
            except RecoveryError as error:
                if copy.is_named:
                    raise
                traces.problems.append(str(error))
    finder.finish()
    return traces


class _Finder:
    """Keeps what the store lacks."""

    def __init__(self, present: MetaTx, traces: Traces) -> None:
        self._present = present
        self._traces = traces
        self._places: dict[Origin, int] = {}

    def look_at_copy(self, copy: MetaStore, file: CopyFile) -> None:
        origin = Origin(place=Place.COPY, path=file.path, made_at=file.made_at)
        with copy.view() as tx:
            self._take_state(tx, origin)
        if file.is_named:
            self.look_at_pages(copy, file.path, file.made_at)

    def look_at_pages(self, store: MetaStore, path: Path | None, made_at: datetime | None) -> None:
        """Look at the older state, which may be gone in part, and at freed pages."""
        with suppress(RecoveryError), store.view_older() as older:
            if older is not None:
                self._take_state(older, Origin(place=Place.OLDER, path=path, made_at=made_at))
        self._take_leftovers(store, Origin(place=Place.FREED, path=path, made_at=made_at))

    def finish(self) -> None:
        """Put the best of each ID first: the record that was changed last, then the best place."""
        rank = {origin: (_RANKS[origin.place], at) for origin, at in self._places.items()}
        found: Iterable[list[TokenTrace] | list[LoginTrace]] = (
            *self._traces.tokens.values(),
            *self._traces.logins.values(),
        )
        for states in found:
            states.sort(key=lambda one: rank[one.origin])
            states.sort(key=lambda one: one.authorization.updated_at.rstrip("Z"), reverse=True)
        for users in self._traces.users.values():
            users.sort(key=lambda one: (*rank[one.origin], not one.user.is_active))

    def _take_state(self, tx: MetaTx, origin: Origin) -> None:
        """Take what one state has, all of which is of one moment."""
        for key, value in tx.table(_AUTHORIZATIONS).items():
            self._take_token(origin, key, value)
        for key, value in tx.table(_USERS).items():
            user = _decoded_user(key, value)
            if user is not None and not self._present.users.has_id(user.id):
                stored = tx.passwords.get(user.id)
                self._add_user(
                    origin,
                    user,
                    [] if stored is None else [stored],
                    tx.mappings.of_user(user.id),
                )

        for key, value in tx.table(_LOGINS).items():
            password = tx.table(_LOGIN_PASSWORDS).get(key)
            self._take_login(origin, key, value, [] if password is None else [password])

    def _take_leftovers(self, store: MetaStore, origin: Origin) -> None:
        """Take what lies on freed pages; a page that does not tell its bucket is known by it."""
        left = _Leftovers()
        logins: list[tuple[bytes, bytes]] = []
        for leaf in leftover_records(store):
            bucket = None if leaf.bucket is None else leaf.bucket.decode(errors="replace")
            pairs = list(zip(leaf.keys, leaf.values, strict=True))
            if bucket == _AUTHORIZATIONS or (
                # All records of one page are of one bucket, so that one of them tells.
                bucket is None and any(_is_token_for_sure(*pair) for pair in pairs)
            ):
                for key, value in pairs:
                    self._take_token(origin, key, value)
            elif bucket == _LOGINS or (bucket is None and any(map(self._is_login, leaf.keys))):
                logins += pairs
            for key, value in pairs:
                left.take(bucket, key, value)
        for user in left.users:
            if not self._present.users.has_id(user.id):
                passwords = left.passwords.get(user.id.encode(), ())
                self._add_user(origin, user, passwords, left.roles_of(user.id))
        for key, value in logins:
            self._take_login(origin, key, value, left.passwords.get(key, ()))

    def _is_login(self, key: bytes) -> bool:
        """Tell whether a key is that of a 1.x authorization that is there, or was found."""
        found = parse_id(key)
        is_known = self._present.legacy_authorizations.has_id
        return found is not None and (found in self._traces.logins or is_known(found))

    def _take_token(self, origin: Origin, key: bytes, value: bytes) -> None:
        one = _decoded_authorization(key, value)
        if one is None or self._present.authorizations.has_id(one.id):
            return
        known = self._traces.tokens.setdefault(one.id, [])
        self._add(known, TokenTrace(origin=origin, authorization=one))

    def _take_login(
        self, origin: Origin, key: bytes, value: bytes, passwords: Iterable[bytes]
    ) -> None:
        one = _decoded_authorization(key, value)
        is_there = self._present.legacy_authorizations.has_id
        if one is None or one.token is None or is_there(one.id):
            return
        trace = LoginTrace(
            origin=origin,
            authorization=one,
            username=one.token.reveal(),
            password=_only(passwords),
        )
        self._add(self._traces.logins.setdefault(one.id, []), trace)

    def _add(self, known: list[_Trace], trace: _Trace) -> None:
        """Keep a state of an authorization, unless the same one was found before."""
        document = trace.authorization.document
        if all(other.authorization.document != document for other in known):
            self._place(trace.origin)
            known.append(trace)

    def _add_user(
        self, origin: Origin, user: User, passwords: Iterable[bytes], roles: Iterable[Role]
    ) -> None:
        known = self._traces.users.setdefault(user.id, [])
        if all(other.user.document != user.document for other in known):
            self._place(origin)
            known.append(
                UserTrace(
                    origin=origin,
                    user=user,
                    password=_only(passwords),
                    roles=tuple(roles),
                )
            )

    def _place(self, origin: Origin) -> None:
        self._places.setdefault(origin, len(self._places))


_RANKS: Final = {place: rank for rank, place in enumerate(Place)}


def _is_token_for_sure(key: bytes, value: bytes) -> bool:
    found = recognize(key, value)
    is_authorization = found is not None and found.kind is RecordKind.AUTHORIZATION
    return is_authorization and is_api_authorization(value)


class _Leftovers:
    """Parts of users, as freed pages have them."""

    def __init__(self) -> None:
        self.users: list[User] = []
        self.passwords: dict[bytes, set[bytes]] = {}
        self._roles: dict[Id, dict[Id, Role]] = {}

    def take(self, bucket: str | None, key: bytes, value: bytes) -> None:
        if bucket == _USERS or (bucket is None and _is_user(key, value)):
            user = _decoded_user(key, value)
            self.users += [] if user is None else [user]
        if bucket in {None, _PASSWORDS, _LOGIN_PASSWORDS} and value.startswith(_BCRYPT_START):
            self.passwords.setdefault(key, set()).add(value)
        if bucket in {None, _ROLES} and len(key) == 2 * ID_LENGTH:
            with suppress(UndecodableError):
                role = decode_mapping(value)
                own = self._roles.setdefault(role.user_id, {})
                # Of two roles in one resource, nothing tells the later one: the lesser is safe.
                if role.resource_id not in own or role.user_type == MEMBER:
                    own[role.resource_id] = role

    def roles_of(self, user_id: Id) -> Iterable[Role]:
        return self._roles.get(user_id, {}).values()


def _only(passwords: Iterable[bytes]) -> Secret | None:
    hashes = [one.decode() for one in passwords if one.isascii()]
    return Secret(hashes[0]) if len(hashes) == 1 else None


def _decoded_authorization(key: bytes, value: bytes) -> Authorization | None:
    """Decode an authorization under its key; None for one that no server would take."""
    try:
        one = decode_authorization(value)
        one.permissions()
    except UndecodableError:
        return None
    return one if one.id.encode() == key and one.status in {ACTIVE, INACTIVE, ""} else None


def _is_user(key: bytes, value: bytes) -> bool:
    found = recognize(key, value)
    return found is not None and found.kind is RecordKind.USER


def _decoded_user(key: bytes, value: bytes) -> User | None:
    try:
        user = decode_user(value)
    except UndecodableError:
        return None
    return user if user.id.encode() == key and user.name else None
