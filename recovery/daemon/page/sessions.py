"""Who has opened the page, and what proves that a form is ours.

Lives here: `PageSessions`, `PageSession`, `ConsoleCode`. Must not live here: what somebody may do
(`recovery.daemon.access`).

Invariants: a session is in memory only, and its key is kept as a hash. It is no credential of the
API, and a session of the API is none here. The token of a form is derived from the session, the
path and a number that is drawn for each form; that number is good for one change.

Source: spec admin-daemon 2.2 and 2.3.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from recovery.daemon.page.form import Form
from recovery.model.ids import Id
from recovery.model.token import new_token
from recovery.ports import Clock, Rng
from recovery.secret import Secret

COOKIE: Final = "influx-recovery"
LENGTH: Final = timedelta(minutes=30)
SESSIONS_MAX: Final = 1000
SPENT_MAX: Final = 1000
CODE_LENGTH: Final = 8
CODE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I, O, 0 and 1, which look like others; 32 of them, so that 8 are 40 bits."""
CODE_TIME: Final = timedelta(minutes=10)
CODE_TRIES_MAX: Final = 5
_ONCE_SIZE_BYTES: Final = 12


@dataclass(slots=True, kw_only=True)
class PageSession:
    """Somebody who has opened the page.

    Attributes:
        user_id: The user who signed in; None for whoever has the console key.
        expires_at: When it ends, if nothing is asked for before.
        spent: Forms that were carried out, with the path that the answer led to; None for an
            answer that was shown once.
        kept: What was typed into a form when the session before this one ended, by the form's
            path; no secret.
    """

    user_id: Id | None
    expires_at: datetime
    secret: bytes = field(repr=False)
    spent: OrderedDict[str, str | None] = field(default_factory=OrderedDict)
    kept: dict[str, Form] = field(default_factory=dict, repr=False)

    def form_token(self, action: str, once: str) -> str:
        """Prove that a form is of this session, for one path and one number."""
        return _form_token(self.secret, action, once)

    def is_own(self, action: str, once: str, token: str) -> bool:
        """Tell whether a form is."""
        return is_same(self.form_token(action, once), token)

    def spend(self, once: str, led_to: str | None) -> None:
        """Note that a form was carried out."""
        self.spent[once] = led_to
        while len(self.spent) > SPENT_MAX:
            self.spent.popitem(last=False)


class PageSessions:
    """All who have opened the page."""

    def __init__(self, clock: Clock, rng: Rng) -> None:
        self._clock = clock
        self._rng = rng
        self._sessions: OrderedDict[bytes, PageSession] = OrderedDict()
        self._own_secret: Final = rng.token_bytes(32)

    def open(self, user_id: Id | None, kept: Mapping[str, Form] = MappingProxyType({})) -> Secret:
        """Begin a session of a user, None for the console key; `kept` as `PageSession.kept`."""
        now = self._clock.now()
        for digest in [key for key, one in self._sessions.items() if one.expires_at <= now]:
            del self._sessions[digest]
        while len(self._sessions) >= SESSIONS_MAX:
            self._sessions.popitem(last=False)
        key = new_token(self._rng)
        self._sessions[_digest(key)] = PageSession(
            user_id=user_id,
            expires_at=now + LENGTH,
            secret=self._rng.token_bytes(32),
            kept=dict(kept),
        )
        return key

    def find(self, key: Secret) -> PageSession | None:
        """Give the session of a key, and renew it; None when it has ended, or never was."""
        now = self._clock.now()
        session = self._sessions.get(_digest(key))
        if session is None or session.expires_at <= now:
            return None
        session.expires_at = now + LENGTH
        return session

    def close(self, key: Secret) -> None:
        """End a session, if there is one."""
        self._sessions.pop(_digest(key), None)

    def new_once(self) -> str:
        """Draw the number of a form."""
        return self._rng.token_bytes(_ONCE_SIZE_BYTES).hex()

    def entry_token(self, action: str, once: str) -> str:
        """As `PageSession.form_token`, for the forms in front of a session."""
        return _form_token(self._own_secret, action, once)


class ConsoleCode:
    """A short code for a phone: good once, for ten minutes, and for five tries.

    Attributes:
        was_used: Whether it has let somebody in.
    """

    def __init__(self, code: Secret, clock: Clock) -> None:
        """Keep a code as a hash."""
        self._digest: Final = _digest(code)
        self._clock = clock
        self._ends_at: Final = clock.now() + CODE_TIME
        self._tries_left = CODE_TRIES_MAX
        self.was_used = False

    @property
    def is_out(self) -> bool:
        """Whether too many wrong ones were typed, or it is too old."""
        return self._tries_left <= 0 or self._clock.now() >= self._ends_at

    def take(self, typed: Secret) -> bool:
        """Tell whether it was typed; it is spent then, and each wrong one is a try."""
        if self.was_used or self.is_out:
            return False
        is_right = hmac.compare_digest(self._digest, _digest(typed))
        self.was_used = is_right
        self._tries_left -= not is_right
        return is_right


def new_code(rng: Rng) -> Secret:
    """Draw a code."""
    drawn = rng.token_bytes(CODE_LENGTH)
    return _hyphenated("".join(CODE_LETTERS[byte & 31] for byte in drawn))


def read_code(typed: str) -> Secret | None:
    """Read what was typed as a code, in any case and with blanks or hyphens; None if it is none."""
    letters = "".join(one for one in typed.upper() if one not in " -\t")
    if len(letters) != CODE_LENGTH or not letters.isascii() or not letters.isalnum():
        return None
    return _hyphenated(letters)


def _hyphenated(letters: str) -> Secret:
    half = CODE_LENGTH // 2
    return Secret(f"{letters[:half]}-{letters[half:]}")


def is_same(expected: str, found: str) -> bool:
    """Compare the token of a form, in constant time; `found` is whatever was sent."""
    return hmac.compare_digest(expected.encode(), found.encode("utf-8", "surrogateescape"))


def _form_token(secret: bytes, action: str, once: str) -> str:
    text = f"{action}\n{once}".encode("utf-8", "surrogateescape")
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def _digest(key: Secret) -> bytes:
    return hashlib.sha256(key.reveal().encode()).digest()
