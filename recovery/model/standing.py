"""What a server would answer, and why: to a token, to a sign-in, to a 1.x log-in.

Lives here: the one judge of all three. Must not live here: reading what it judges by
(`recovery.services.access`), and the meaning of permissions (`permission`).

Invariants: whatever lists, shows, warns, verifies or examines asks here, so that two commands never
disagree on one record. A reason is a clause whose subject is the token or the user, and the first
one is what the server would stumble over first.

Source: InfluxDB v2.9.1 http/authentication_middleware.go (ServeHTTP, isUserActive),
authorization/storage_authorization.go (GetAuthorizationByToken, encodeAuthorization),
authorization/storage.go (MigrateTokens), auth.go (IsActive, PermissionSet), session/http_server.go
(handleSignin), session/service.go (getPermissionSet), tenant/service_user.go (ComparePassword),
v1/authorization/authorizer.go (Authorize, checkAuthError); spec admin-daemon 1.3.
"""

from enum import StrEnum, unique
from typing import Final

import msgspec

from recovery.model.authorization import ACTIVE, INACTIVE, Authorization
from recovery.model.password import is_password_hash
from recovery.model.token import LEVEL_HASHED, TokenForm
from recovery.model.user import User


@unique
class Answer(StrEnum):
    """What comes back when somebody knocks."""

    ACCEPTED = "accepted"
    """The client is in, to do what it is permitted."""
    POWERLESS = "powerless"
    """It is let in and can do nothing: lists are empty, all else is answered with 401."""
    UNAUTHORIZED = "unauthorized"
    """401."""
    FORBIDDEN = "forbidden"
    """403, User is inactive; a sign-in itself is answered with 204 before."""
    NO_START = "no start"
    """Nothing comes back: influxd does not start with this record."""


@unique
class Obstacle(StrEnum):
    """What keeps a user out who types the right password, as a clause about the user."""

    NO_NAME = "it has no name"
    NO_ENTRY = "the index of names does not lead to it"
    NO_PASSWORD = "it has no password"  # noqa: S105 # a sentence
    BAD_PASSWORD = "what is stored as its password is no bcrypt hash"  # noqa: S105 # a sentence
    SESSION_FAILS = (
        "a membership or a token cannot be understood by which its rights are worked out"
    )
    INACTIVE = "it is inactive"
    NO_ROLE = "it has no role in any organization, so it would see nothing"
    LIST_FAILS = (
        "an organization that it may see has lost its ID, so that listing the organizations ends "
        "with 400, and the browser shows nothing"
    )

    @property
    def told(self) -> str:
        """The same clause for a person, who may have seen that a sign-in seems to work."""
        return told(self)


def told(because: str) -> str:
    """Say a reason to a person, with how it looks where the clause hides it."""
    code = _SEEMS_TO_WORK.get(because)
    if code is None:
        return because
    return f"{because}, so a sign-in is answered with 204, and all that follows with {code}"


_SEEMS_TO_WORK: Final[dict[str, int]] = {Obstacle.SESSION_FAILS: 401, Obstacle.INACTIVE: 403}
"""What keeps a user out behind a sign-in that itself works, and with which answer."""


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a server would answer, and why.

    Attributes:
        because: Why it is not `ACCEPTED`, as clauses, the one that counts first; empty when it is.
    """

    answer: Answer
    because: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether the client gets in, whatever is unknown about the server."""
        return self.answer is Answer.ACCEPTED

    @property
    def reason(self) -> str | None:
        """The clause that counts; None when there is none."""
        return self.because[0] if self.because else None


class SignInStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What a server would answer to a sign-in with the right password, and why.

    Attributes:
        obstacles: All that stands in the way, the one that counts first.
    """

    answer: Answer
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether the user gets in and sees something."""
        return self.answer is Answer.ACCEPTED


ACCEPTED: Final = Standing(answer=Answer.ACCEPTED)


def _refused(answer: Answer, because: str) -> Standing:
    return Standing(answer=answer, because=(because,))


# Made once, because a listing gives them to 200,000 records.
_NO_TOKEN: Final = _refused(Answer.UNAUTHORIZED, "the record has no token")
_EARLY_HASH: Final = _refused(
    Answer.UNAUTHORIZED, "it is hashed, and servers of this level know no hashes"
)
_UNKNOWN_HASH: Final = _refused(Answer.UNAUTHORIZED, "its hash is of no known kind")
_NO_ENTRY: Final = _refused(Answer.UNAUTHORIZED, "the index has no entry for it")
_NO_ENTRY_YET: Final = _refused(
    Answer.UNAUTHORIZED,
    "the index has no entry for it; a server that hashes tokens makes one when it starts",
)
_OPAQUE_PERMISSIONS: Final = _refused(Answer.UNAUTHORIZED, "its permissions cannot be decoded")
_NO_USER: Final = _refused(Answer.FORBIDDEN, "its user does not exist")
_OPAQUE_USER: Final = _refused(Answer.FORBIDDEN, "its user cannot be decoded")
_INACTIVE_USER: Final = _refused(Answer.FORBIDDEN, "its user is inactive")
_INACTIVE: Final = _refused(Answer.POWERLESS, "it is inactive")
_ODD_STATUS: Final = _refused(
    Answer.POWERLESS, "its status is neither active nor inactive, which counts as inactive"
)
_STOPS_BY_STATUS: Final = _refused(
    Answer.NO_START,
    "its status is neither active nor inactive, and a server that hashes tokens does not start "
    "with that",
)
_STOPS_WITHOUT_ORG: Final = _refused(
    Answer.NO_START,
    "it has no organization, and a server that hashes tokens does not start with that",
)


def stops_hashing(authorization: Authorization, *, level: int) -> bool:
    """Tell whether a server that hashes tokens cannot start with a record.

    It hashes each raw token at each start, and cannot encode such a record again.

    Returns:
        Whether it is so: a raw token without a hash, and a status or an organization that cannot
        be encoded.
    """
    return (
        level >= LEVEL_HASHED
        and authorization.token is not None
        and authorization.hashed_token is None
        and (authorization.status not in {ACTIVE, INACTIVE, ""} or authorization.org_id is None)
    )


def token_standing(
    authorization: Authorization,
    user: User | None,
    *,
    level: int,
    has_entry: bool,
    has_opaque_user: bool = False,
    has_opaque_permissions: bool = False,
    server_hashes: bool | None = None,
) -> Standing:
    """Judge the token of a record.

    Args:
        has_entry: Whether the look-up of a server that finds the store as it is leads from the
            token to this record.
        has_opaque_user: Whether its user has a record that cannot be decoded.
        has_opaque_permissions: Whether its permissions cannot be decoded.
        server_hashes: `use-hashed-tokens` of the server; None when unknown. Then the answer is the
            worse of both, and the reason tells of the other.
    """
    if server_hashes is not False and stops_hashing(authorization, level=level):
        return _STOPS_WITHOUT_ORG if authorization.org_id is None else _STOPS_BY_STATUS
    form = authorization.form
    if form is not TokenForm.RAW:
        found = _found_hashed(form, level)
        if found is not None:
            return found
    if not has_entry:
        # Only raw tokens are hashed at the start, and get an entry in the other index by that.
        if form is not TokenForm.RAW or level < LEVEL_HASHED or server_hashes is False:
            return _NO_ENTRY
        if server_hashes is None:
            return _NO_ENTRY_YET
    if has_opaque_permissions:
        return _OPAQUE_PERMISSIONS
    return found_standing(authorization, user, has_opaque_user=has_opaque_user)


def _found_hashed(form: TokenForm, level: int) -> Standing | None:
    """Say what is wrong with a token that is not simply raw, as far as its form goes."""
    if form is TokenForm.NONE:
        return _NO_TOKEN
    if form is not TokenForm.BOTH and level < LEVEL_HASHED:
        return _EARLY_HASH
    return _UNKNOWN_HASH if form is TokenForm.UNKNOWN else None


def found_standing(
    authorization: Authorization, user: User | None, *, has_opaque_user: bool
) -> Standing:
    """Judge a record that a server's look-up has led to, whatever token led there.

    Args:
        has_opaque_user: Whether its user has a record that cannot be decoded.
    """
    # A record without any user ID is let in: the server asks for the user of valid IDs only.
    if authorization.user_id is not None:
        if user is None:
            return _OPAQUE_USER if has_opaque_user else _NO_USER
        if user.is_inactive:
            return _INACTIVE_USER
    if authorization.is_active:
        return ACCEPTED
    return _INACTIVE if authorization.status == INACTIVE else _ODD_STATUS


def works_on_1x(standing: Standing, user: User | None) -> bool:
    """Tell whether the 1.x endpoints take a token, whose user has to be "active" exactly."""
    return standing.is_usable and user is not None and user.is_active


def sign_in_standing(
    user: User,
    *,
    has_entry: bool,
    stored_password: bytes | None,
    has_rights: bool,
    has_session: bool = True,
    has_list: bool = True,
) -> SignInStanding:
    """Judge a sign-in with the right password.

    Args:
        has_entry: Whether the index of names leads to it, by whatever name: with that it signs in.
        has_session: Whether the server can work out its rights, which it does at each request.
        has_rights: Whether it has a role in an organization or in the instance, or a token that
            shows organizations, whose permissions count in a session as well.
        has_list: Whether the server can list the organizations that it may see.
    """
    obstacles = tuple(
        obstacle
        for obstacle, stands in (
            (Obstacle.NO_NAME, not user.name and not has_entry),
            (Obstacle.NO_ENTRY, bool(user.name) and not has_entry),
            (Obstacle.NO_PASSWORD, stored_password is None),
            (
                Obstacle.BAD_PASSWORD,
                stored_password is not None and not is_password_hash(stored_password),
            ),
            (Obstacle.SESSION_FAILS, not has_session),
            (Obstacle.INACTIVE, user.is_inactive),
            (Obstacle.NO_ROLE, has_session and not has_rights),
            (Obstacle.LIST_FAILS, has_session and has_rights and not has_list),
        )
        if stands
    )
    return SignInStanding(
        answer=_SIGN_INS.get(obstacles[0], Answer.UNAUTHORIZED) if obstacles else Answer.ACCEPTED,
        obstacles=obstacles,
    )


_SIGN_INS: Final = {
    Obstacle.SESSION_FAILS: Answer.POWERLESS,
    Obstacle.INACTIVE: Answer.FORBIDDEN,
    Obstacle.NO_ROLE: Answer.POWERLESS,
    Obstacle.LIST_FAILS: Answer.POWERLESS,
}
"""What the first obstacle comes to, other than 401."""


def legacy_standing(
    authorization: Authorization,
    user: User | None,
    *,
    has_entry: bool,
    stored_password: bytes | None,
) -> Standing:
    """Judge a 1.x log-in with the right password.

    Args:
        authorization: The record in `legacy/authorizationsv1`.
        user: Its user; None when there is none, or it cannot be decoded.
        has_entry: Whether the index of 1.x user names leads to it.

    Returns:
        The standing, accepted or unauthorized: whatever is wrong, a server says 401.
    """
    reasons = (
        (authorization.token is None, "it has no user name"),
        (authorization.token is not None and not has_entry, "the index has no entry for it"),
        (stored_password is None, "it has no password"),
        (
            stored_password is not None and not is_password_hash(stored_password),
            "what is stored as its password is no bcrypt hash",
        ),
        (not authorization.is_active, "it is inactive"),
        (user is None, "its user does not exist"),
        (user is not None and user.is_inactive, "its user is inactive"),
        (
            user is not None and not user.is_active and not user.is_inactive,
            "its user has no status, and the 1.x endpoints want an active one",
        ),
    )
    because = tuple(reason for holds, reason in reasons if holds)
    return Standing(answer=Answer.UNAUTHORIZED, because=because) if because else ACCEPTED
