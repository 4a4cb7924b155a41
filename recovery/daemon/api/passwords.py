"""Passwords of users and of 1.x authorizations.

Lives here: the routes that end in /password. Must not live here: the rules
(`recovery.daemon.passwords`).

Source: InfluxDB v2.9.1 tenant/http_server_user.go, tenant/service_user.go (SetPassword,
CompareAndSetPassword), v1/authorization/http_server.go and service_password.go; spec admin-daemon
1.9 and 1.12.
"""

from collections.abc import Callable
from typing import Final

from recovery.daemon.answer import NO_CONTENT, Answer, ApiError
from recovery.daemon.api.minting import NOT_FOUND
from recovery.daemon.call import Call, Slow
from recovery.daemon.passwords import basic_of, require_good
from recovery.model.ids import Id, parse_id
from recovery.model.password import hash_password, password_matches
from recovery.secret import Secret
from recovery.services.authorizations.v1_auth_creation import StoreLegacyPassword
from recovery.services.changes.plan import Planner
from recovery.services.tenancy.user_records import StorePassword

NO_USER: Final = "your userID is incorrect"
WRONG_PASSWORD: Final = "your username or password is incorrect"  # noqa: S105 # a sentence
NO_BASIC: Final = "error decoding password reset request: invalid basic auth"


def set_of_user(call: Call) -> Slow[Secret]:
    """Set the password of a user."""
    password = _wanted(call, "invalid")
    user_id = _id(call, "user")
    call.rights.require("write user", one=user_id)
    _require_good(call, password)
    if call.tx.users.get(user_id) is None:
        raise ApiError("forbidden", NO_USER)
    return _hashing(password, lambda hashed: StorePassword(user_id=user_id, password_hash=hashed))


def change_own(call: Call) -> Slow[Secret | None]:
    """Change the password of who is signed in, with the old one."""
    return _change(call, lambda: call.caller.user_id)


def change_of_user(call: Call) -> Slow[Secret | None]:
    """Change the password of a user, with the old one."""
    return _change(call, lambda: _id(call, "user"))


def _id(call: Call, whose: str) -> Id:
    found = parse_id(call.parts.get("id", ""))
    if found is None:
        raise ApiError("internal error", f"invalid {whose} ID provided in route")
    return found


def _change(call: Call, whose: Callable[[], Id | None]) -> Slow[Secret | None]:
    basic = basic_of(call.request)
    if basic is None:
        raise ApiError("internal error", NO_BASIC)
    password = _wanted(call, "internal error", prefix="error decoding password reset request: ")
    user_id, old = whose(), basic[1]
    call.rights.require("write user", one=user_id)
    if user_id is None or call.tx.users.get(user_id) is None:
        raise ApiError("forbidden", NO_USER)
    stored = call.tx.passwords.get(user_id)

    def work() -> Secret | None:
        """Verify the old one, and hash the new one if that is right."""
        if stored is None or not password_matches(old, stored):
            return None
        _require_good(call, password)
        return hash_password(password)

    def then(later: Call, hashed: Secret | None) -> Answer:
        if hashed is None:
            raise ApiError("forbidden", WRONG_PASSWORD)
        if later.tx.passwords.get(user_id) != stored:
            raise ApiError("forbidden", WRONG_PASSWORD)
        later.change(StorePassword(user_id=user_id, password_hash=hashed))
        return NO_CONTENT

    return Slow(work=work, then=then, is_guess=True)


def set_of_legacy(call: Call) -> Slow[Secret]:
    """Set the password of a 1.x authorization."""
    password = _wanted(call, "invalid")
    authorization_id = _id(call, "authorization")
    found = NOT_FOUND.unless(call.tx.legacy_authorizations.get(authorization_id))
    call.rights.require("write user", one=found.user_id)
    _require_good(call, password)
    return _hashing(
        password,
        lambda hashed: StoreLegacyPassword(authorization_id=authorization_id, password_hash=hashed),
    )


def _wanted(call: Call, code: str, *, prefix: str = "") -> Secret:
    return Secret(call.body(lambda body: body.text("password"), code, prefix=prefix) or "")


def _require_good(call: Call, password: Secret) -> None:
    require_good(password, is_strong=call.desk.settings.strong_passwords)


def _hashing(password: Secret, planner: Callable[[Secret], Planner]) -> Slow[Secret]:
    def then(later: Call, hashed: Secret) -> Answer:
        later.change(planner(hashed))
        return NO_CONTENT

    return Slow(work=lambda: hash_password(password), then=then)
