"""Sessions of the API: who signed in with a password.

Lives here: `Sessions`. Must not live here: passwords, and what a session may do
(`recovery.daemon.access`).

Invariants: a session is in memory only and ends with the process. Its key is kept as a hash.

Source: InfluxDB v2.9.1 session/service.go (CreateSession), session.go (RenewSessionTime, 5
minutes), session/http_server.go (encodeCookieSession); spec admin-daemon 1.7.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

import msgspec

from recovery.model.ids import Id
from recovery.model.token import new_token
from recovery.ports import Clock, Rng
from recovery.secret import Secret

COOKIE: Final = "influxdb-oss-session"
LENGTH: Final = timedelta(minutes=60)
RENEWAL: Final = timedelta(minutes=5)
SESSIONS_MAX: Final = 10_000


class _Session(msgspec.Struct, kw_only=True):
    user_id: Id
    expires_at: datetime


class Sessions:
    """All that are signed in."""

    def __init__(self, clock: Clock, rng: Rng) -> None:
        self._clock = clock
        self._rng = rng
        self._sessions: dict[bytes, _Session] = {}

    def open(self, user_id: Id) -> tuple[Secret, datetime]:
        """Begin a session; return its key, and when it ends."""
        now = self._clock.now()
        if len(self._sessions) >= SESSIONS_MAX:
            self._forget(now)
        key = new_token(self._rng)
        expires_at = now + LENGTH
        self._sessions[_digest(key)] = _Session(user_id=user_id, expires_at=expires_at)
        return key, expires_at

    def user_of(self, key: Secret) -> Id | None:
        """Say whose session a key is, and renew it; None when it is none, or has ended."""
        now = self._clock.now()
        session = self._sessions.get(_digest(key))
        if session is None or session.expires_at <= now:
            return None
        session.expires_at = max(session.expires_at, now + RENEWAL)
        return session.user_id

    def close(self, key: Secret) -> bool:
        """End a session; tell whether there was one."""
        session = self._sessions.pop(_digest(key), None)
        return session is not None and session.expires_at > self._clock.now()

    def _forget(self, now: datetime) -> None:
        """Drop those that have ended, and the oldest if that is not enough."""
        left = [item for item in self._sessions.items() if item[1].expires_at > now]
        self._sessions = dict(left[-(SESSIONS_MAX - 1) :])


def _digest(key: Secret) -> bytes:
    return hashlib.sha256(key.reveal().encode()).digest()
