"""Everything that a run of the daemon needs, put together.

Lives here: `Options` and `run`. Must not live here: the command line, and where the key is shown.

Source: spec admin-daemon 1.1 (the version by level) and 2.7.
"""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from recovery.daemon.access import Access, ConsoleKey
from recovery.daemon.app import Application
from recovery.daemon.call import Desk, Settings
from recovery.daemon.changes import Changes
from recovery.daemon.serving import serve
from recovery.daemon.sessions import Sessions
from recovery.daemon.worker import Worker
from recovery.model.token import LEVEL_HASHED
from recovery.ports import Clock, Rng
from recovery.secret import Secret
from recovery.services.changes.ports import Recorder
from recovery.services.session import Session

_VERSIONS: Final = ((21, "v2.9.1"), (20, "v2.7.12"), (19, "v2.2.0"), (16, "v2.1.1"))
_OLDEST: Final = "v2.0.9"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to serve.

    Attributes:
        console_key: The key of this run; None for none.
        as_user: For whom it acts; None for the most likely user.
        version: What to say instead of the version of the store; None for that.
        tool_version: The version of this program.
        server_hashes: `use-hashed-tokens` of the server; None when unknown.
        strong_passwords: `strong-passwords` of the server.
        configuration: What `/api/v2/config` shows.
    """

    console_key: Secret | None = field(repr=False)
    as_user: str | None
    version: str | None
    tool_version: str
    server_hashes: bool | None
    strong_passwords: bool
    configuration: Mapping[str, str | int | bool]


def run(
    session: Session,
    options: RunOptions,
    sockets: list[socket.socket],
    *,
    recorder: Recorder,
    clock: Clock,
    rng: Rng,
    when_ready: Callable[[], None] = lambda: None,
) -> int:
    """Serve a store until a signal comes.

    Args:
        session: The store, locked.
        options: How.
        sockets: Where.
        recorder: The ledger.
        clock: The time.
        rng: Randomness.
        when_ready: Called when all is made, in front of the first request.

    Returns:
        The number of changes that were made.
    """
    sessions = Sessions(clock, rng)
    level = session.store.level
    settings = Settings(
        version=options.version or version_of_level(level),
        tool_version=options.tool_version,
        level=level,
        server_hashes=_hashes(session, options.server_hashes),
        strong_passwords=options.strong_passwords,
        configuration=options.configuration,
        started=clock.now(),
    )
    key = None if options.console_key is None else ConsoleKey.of(options.console_key)
    desk = Desk(
        session=session,
        changes=Changes(session, recorder, clock),
        access=Access(sessions, console_key=key, as_user=options.as_user),
        sessions=sessions,
        settings=settings,
        clock=clock,
        rng=rng,
    )
    worker = Worker()
    try:
        when_ready()
        serve(Application(desk, worker), sockets)
    finally:
        worker.close()
    return desk.changes.count


def _hashes(session: Session, configured: bool | None) -> bool | None:  # noqa: FBT001 # three values
    """Say whether the server of a store hashes tokens; None when that cannot be told.

    A server that does hashes each raw token at its start. So a store of a level that knows hashes,
    with raw tokens and not one hash, has been opened last by a server that does not.
    """
    if configured is not None or session.store.level < LEVEL_HASHED:
        return configured
    with session.view() as view:
        authorizations = view.tx.authorizations
        return False if authorizations.has_raw and not authorizations.has_hashed else None


def version_of_level(level: int) -> str:
    """Name the highest release that last opened a store of a level."""
    return next((version for lowest, version in _VERSIONS if level >= lowest), _OLDEST)
