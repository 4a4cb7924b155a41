"""How often somebody may guess.

Lives here: `Throttle`. Must not live here: what a guess is (`recovery.daemon.app`).

Invariants: what is counted are failures, of all clients together: behind a loopback address all of
them look alike, and one counter for each name would let a list of names through. A failure slows
down or refuses the next tries; it locks nobody out for longer than a minute.

Source: spec admin-daemon 2.6.
"""

from collections import deque
from typing import Final

from recovery.daemon.answer import ApiError

WINDOW_S: Final = 60.0
SIGN_INS_MAX: Final = 10
TOKENS_MAX: Final = 20
DELAY_S: Final = 0.25
TOO_MANY: Final = "too many failed sign-ins: wait a minute"


class Throttle:
    """Counts failures of the last minute."""

    def __init__(self) -> None:
        self._sign_ins: deque[float] = deque(maxlen=SIGN_INS_MAX)
        self._tokens: deque[float] = deque(maxlen=TOKENS_MAX)

    def require_sign_in(self, now_s: float) -> None:
        """Refuse any password by `ApiError` 429 after too many wrong ones, on a steady clock."""
        if _is_full(self._sign_ins, now_s):
            raise ApiError("too many requests", TOO_MANY)

    def note_sign_in(self, now_s: float) -> None:
        """Count a wrong password."""
        self._sign_ins.append(now_s)

    def note_token(self, now_s: float) -> float:
        """Count a wrong token or session, and say how long to wait before that is said."""
        delay_s = DELAY_S if _is_full(self._tokens, now_s) else 0.0
        self._tokens.append(now_s)
        return delay_s


def _is_full(times: deque[float], now_s: float) -> bool:
    return len(times) == times.maxlen and now_s - times[0] < WINDOW_S
