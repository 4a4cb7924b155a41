"""The daemon from its first request to its last.

Lives here: `serve`, which runs an application on sockets. Must not live here: the command line,
which sockets those are, and what is done when it has ended.

Invariants: a signal ends it as everything else does: no new request, the one in hand is answered.

Source: uvicorn 0.54 server.py (capture_signals, on_tick, shutdown), config.py (http); spec
admin-daemon 2.5, 2.7 and 3.3.
"""

import asyncio
import contextlib
import functools
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

from uvicorn import Config, Server

from recovery.daemon.app import Application
from recovery.daemon.life import QUIET_BEFORE_CHECK_S, Life
from recovery.daemon.protocol import HEAD_SIZE_BYTES_MAX, Connection
from recovery.kept import SIGNALS

KEEP_ALIVE_S: Final = 30
GRACE_S: Final = 10
TICKS_A_SECOND: Final = 10


def serve(
    application: Application,
    sockets: list[socket.socket],
    life: Life,
    *,
    when_quiet: Callable[[], None],
    each_second: Callable[[], None],
) -> None:
    """Answer requests until it is time to end.

    Args:
        life: Decides when to end.
        when_quiet: Called on the store's thread when there was no request for five minutes.
        each_second: Called there in between.
    """
    config = Config(
        application,
        http=_protocol(),
        ws="none",
        lifespan="off",
        loop="asyncio",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        log_config=None,
        log_level=logging.CRITICAL,  # what clients do wrong is answered, and is no news
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=HEAD_SIZE_BYTES_MAX,
    )
    server = _Server(config, application, life, when_quiet, each_second)
    asyncio.run(server.serve(sockets=sockets))


def _protocol() -> Any:  # noqa: ANN401 # uvicorn calls it as it would a class
    return functools.partial(Connection)


class _Server(Server):
    """uvicorn's server, which ends by our rules."""

    def __init__(
        self,
        config: Config,
        application: Application,
        life: Life,
        when_quiet: Callable[[], None],
        each_second: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._application = application
        self._life = life
        self._when_quiet = when_quiet
        self._each_second = each_second
        self._checked_at_s: float | None = None
        self._settling: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let signals end it, and nothing else: the rest is done after the last answer."""
        former = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            for number, handler in former.items():
                if handler is not signal.SIG_IGN:
                    signal.signal(number, self._note_signal)
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note_signal(self, number: int, _: FrameType | None) -> None:
        self._life.note_signal(number)  # the next tick sees it

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer first, then start the command that asks."""
        await super().startup(sockets)
        await self._life.begin(asyncio.get_running_loop().time())

    async def on_tick(self, counter: int) -> bool:
        """Look ten times a second whether it is time to end, or to look at the file."""
        await super().on_tick(counter)
        now_s = asyncio.get_running_loop().time()
        asked_s = self._application.last_asked_s(now_s)
        is_quiet = asked_s is not None and now_s - asked_s >= QUIET_BEFORE_CHECK_S
        if is_quiet and asked_s != self._checked_at_s:
            self._checked_at_s = asked_s
            await self._application.on_store(self._when_quiet)
        if counter % TICKS_A_SECOND == 0 and (self._settling is None or self._settling.done()):
            if self._settling is not None:
                self._settling.result()
            # A signal is not to wait for it, nor for what the store is busy with before it.
            settling = self._application.on_store(self._each_second)
            self._settling = asyncio.create_task(settling)
        return self._life.is_over(now_s, asked_s)
