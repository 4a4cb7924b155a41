"""Who asks: the console key, a token of the store, or somebody who signed in.

Lives here: `Caller`, `Access`. Must not live here: what a request needs (`recovery.daemon.rights`),
and sessions themselves (`recovery.daemon.sessions`).

Invariants: the order is that of the server: a token header first, and a bad one is not rescued by a
cookie; then the cookie; then whether the user is active. A token that is inactive gets in and can
do nothing. The console key is compared first, in constant time, by its hash.

Source: InfluxDB v2.9.1 http/authentication_middleware.go (ServeHTTP), http/tokens.go (GetToken),
session/service.go (getPermissionSet); spec admin-daemon 1.3 and 1.4.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

import msgspec

from recovery.daemon.answer import ApiError
from recovery.daemon.request import Request
from recovery.daemon.rights import Rights, permissions_of_role, permissions_of_self
from recovery.daemon.sessions import COOKIE, Sessions
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.model.mapping import INSTANCE_ID, ORGS, OWNER
from recovery.model.permission import INSTANCE as INSTANCE_TYPE
from recovery.model.permission import Permission, operator_permissions
from recovery.model.resource_types import ACTIONS
from recovery.model.user import User
from recovery.secret import Secret

UNAUTHORIZED: Final = ApiError("unauthorized", "unauthorized access")
USER_INACTIVE: Final = "User is inactive"
_SCHEMES: Final = ("token ", "bearer ")


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks.

    Attributes:
        user_id: For whom; None when for nobody.
        name: Who, for the ledger: "console key", "authorization ID of USER", "session of USER".
    """

    rights: Rights
    user_id: Id | None
    name: str


@dataclass(frozen=True, slots=True)
class ConsoleKey:
    """The key of this run.

    Attributes:
        digest: SHA-256 of it.
    """

    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, key: Secret) -> "ConsoleKey":
        """Forget a key, and keep what tells it."""
        return cls(hashlib.sha256(key.reveal().encode()).digest())

    def matches(self, token: Secret) -> bool:
        """Tell whether a token is the key, in constant time."""
        return hmac.compare_digest(self.digest, ConsoleKey.of(token).digest)


class Access:
    """Finds out who asks."""

    def __init__(
        self, sessions: Sessions, *, console_key: ConsoleKey | None, as_user: Id | None
    ) -> None:
        """Get ready.

        Args:
            console_key: The key of this run; None for none.
            as_user: The user that the key stands for; None for the most likely one.
        """
        self._sessions = sessions
        self._console_key = console_key
        self._as_user = as_user
        self._known: dict[Id, tuple[int, Rights]] = {}
        self._known_console: tuple[int, Caller] | None = None
        self._console_rights: Rights | None = None
        self._known_lists: dict[tuple[bytes, bool], Rights] = {}

    def caller_of(self, tx: MetaTx, request: Request) -> Caller:
        """Find out who asks; else `ApiError` 401 or 403."""
        token = token_of(request)
        if token is None:
            return self._of_session(tx, request)
        if self.is_console_key(token):
            return self.console_caller(tx)
        return self._of_token(tx, token)

    def is_console_key(self, token: Secret) -> bool:
        """Tell whether a text is the console key, in constant time; False when there is none."""
        return self._console_key is not None and self._console_key.matches(token)

    @property
    def has_console_key(self) -> bool:
        """Whether this run has a console key."""
        return self._console_key is not None

    def _of_token(self, tx: MetaTx, token: Secret) -> Caller:
        found = tx.authorizations.find(token)
        if found is None:
            raise UNAUTHORIZED
        rights = self._token_rights(found)
        name = f"authorization {found.id}"  # "token X" is a secret to the ledger
        if found.user_id is not None:
            name += f" of {_active(tx, found.user_id).name}"
        return Caller(rights=rights, user_id=found.user_id, name=name)

    def _token_rights(self, found: Authorization) -> Rights:
        """Sort the permissions of a token, once for each list of them."""
        key = (found.permissions_json, found.is_active)
        known = self._known_lists.get(key)
        if known is None:
            try:
                known = Rights(found.permissions(), is_active=found.is_active)
            except UndecodableError:
                raise UNAUTHORIZED from None
            if len(self._known_lists) >= _KNOWN_MAX:
                self._known_lists.clear()
            self._known_lists[key] = known
        return known

    def console_caller(self, tx: MetaTx) -> Caller:
        """Give whoever has the console key, with all rights, once for each state of the store."""
        if self._known_console is None or self._known_console[0] != tx.txid:
            self._known_console = (tx.txid, self._console(tx))
        return self._known_console[1]

    def _console(self, tx: MetaTx) -> Caller:
        if self._console_rights is None:
            permissions = operator_permissions(tx.level)
            permissions += [Permission(action=one, type=INSTANCE_TYPE) for one in ACTIONS]
            self._console_rights = Rights(permissions)
        user = self._console_user(tx)
        return Caller(
            rights=self._console_rights,
            user_id=None if user is None else user.id,
            name="console key",
        )

    def _console_user(self, tx: MetaTx) -> User | None:
        """Choose for whom the console key acts; walk all users only when no owner is found."""
        if self._as_user is not None:
            user = tx.users.get(self._as_user)
            return None if user is None or user.is_inactive else user
        for mapping in tx.mappings.of_resource(INSTANCE_ID):  # in the order of the users' IDs
            user = tx.users.get(mapping.user_id) if mapping.user_type == OWNER else None
            if user is not None and not user.is_inactive:
                return user
        users = [user for user in tx.users.walk([]) if not user.is_inactive]
        owners = {
            mapping.user_id
            for mapping in tx.mappings.walk([])
            if (mapping.user_type, mapping.resource_type) == (OWNER, ORGS)
        }
        return min(users, key=lambda user: (user.id not in owners, user.id), default=None)

    def _of_session(self, tx: MetaTx, request: Request) -> Caller:
        key = request.cookie(COOKIE)
        user_id = None if not key else self._sessions.user_of(secret_of(key))
        if user_id is None:
            raise UNAUTHORIZED
        return self.session_caller(tx, _active(tx, user_id))

    def session_caller(self, tx: MetaTx, user: User) -> Caller:
        """Give a user who has signed in, with the rights of a session; active or not."""
        return Caller(
            rights=self._session_rights(tx, user.id),
            user_id=user.id,
            name=f"session of {user.name}",
        )

    def _session_rights(self, tx: MetaTx, user_id: Id) -> Rights:
        """Collect what a user may do in a session, once for each state of the store."""
        known = self._known.get(user_id)
        if known is not None and known[0] == tx.txid:
            return known[1]
        permissions = user_permissions(tx, user_id)
        for one in tx.authorizations.walk([]):
            if one.user_id == user_id:
                try:
                    permissions += one.permissions()
                except UndecodableError:
                    continue
        rights = Rights(permissions)
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[user_id] = (tx.txid, rights)
        return rights


_KNOWN_MAX: Final = 100


def _active(tx: MetaTx, user_id: Id) -> User:
    """Find a user who asks; raise `ApiError` 403 for one who is gone or inactive."""
    user = tx.users.get(user_id)
    if user is None or user.is_inactive:
        raise ApiError("forbidden", USER_INACTIVE)
    return user


def user_permissions(tx: MetaTx, user_id: Id) -> list[Permission]:
    """Give what a user's roles and the user itself permit, without tokens, in server's order."""
    permissions: list[Permission] = []
    for mapping in tx.mappings.of_user(user_id):
        permissions += permissions_of_role(mapping, level=tx.level)
    return permissions + permissions_of_self(user_id)


def token_of(request: Request) -> Secret | None:
    """Give the token of the header; None when there is none, or another scheme.

    Args:
        request: The request. White space at the end of a header is gone already.

    Returns:
        Everything behind the scheme and one space.
    """
    header = request.headers.get("authorization", "")
    for scheme in _SCHEMES:
        if header[: len(scheme)].lower() == scheme and len(header) > len(scheme):
            return secret_of(header[len(scheme) :])
    return None


def secret_of(text: str) -> Secret:
    """Hide a text of a header, in which bytes that are no UTF-8 became something else."""
    return Secret(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
