"""Signing in and out.

Lives here: /api/v2/signin and /api/v2/signout. Must not live here: sessions themselves
(`recovery.daemon.sessions`).

Invariants: a name that does not exist takes as long as a wrong password.

Source: InfluxDB v2.9.1 session/http_server.go, tenant/service_user.go (ComparePassword); spec
admin-daemon 1.7.
"""

from http import HTTPStatus
from typing import Final

from recovery.daemon.access import UNAUTHORIZED, secret_of
from recovery.daemon.answer import NO_CONTENT, Answer, ApiError
from recovery.daemon.call import Call, Slow
from recovery.daemon.passwords import basic_of, faults_of
from recovery.daemon.sessions import COOKIE
from recovery.model.password import password_matches
from recovery.secret import Secret

CHANGE_REQUIRED: Final = "password change required"
NOBODYS_HASH: Final = b"$2a$10$abcdefghijklmnopqrstuuvfQxG3Bp6SYQDKbSDHp3cAh1gOtzZNi"
"""Verified in the place of a password that does not exist."""


def sign_in(call: Call) -> Slow[bool]:
    """Verify a password, and begin a session."""
    basic = basic_of(call.request)
    if basic is None:
        raise UNAUTHORIZED
    name, password = basic
    user_id = call.tx.users.indexed_id(name)
    user = None if user_id is None else call.tx.users.get(user_id)
    stored = None if user is None else call.tx.passwords.get(user.id)

    def then(later: Call, is_right: bool) -> Answer:  # noqa: FBT001 # of Slow
        if not is_right or user is None or stored is None:
            raise UNAUTHORIZED
        faults = faults_of(password, is_strong=later.desk.settings.strong_passwords)
        if faults:
            raise ApiError("forbidden", "\n".join([CHANGE_REQUIRED, *faults]))
        key, expires_at = later.desk.sessions.open(user.id)
        expires = f"{expires_at:%a, %d %b %Y %H:%M:%S} GMT"
        return Answer(
            status=HTTPStatus.NO_CONTENT, headers=((b"Set-Cookie", _cookie(key, expires)),)
        )

    return Slow(
        work=lambda: password_matches(password, stored or NOBODYS_HASH), then=then, is_guess=True
    )


def sign_out(call: Call) -> Answer:
    """End a session; a token has none."""
    key = call.request.cookie(COOKIE)
    if not key or not call.desk.sessions.close(secret_of(key)):
        raise UNAUTHORIZED
    return NO_CONTENT


def _cookie(key: Secret, expires: str) -> bytes:
    """Write the one header that carries the key of a session."""
    text = f"{COOKIE}={key.reveal()}; Path=/api/; Expires={expires}; HttpOnly; SameSite=Strict"
    return text.encode("ascii")
