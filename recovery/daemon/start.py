"""Everything that a run of the daemon needs, put together.

Lives here: `Options` and `run`. Must not live here: the command line, and where the key is shown.

Source: spec admin-daemon 1.1 (the version by level) and 2.7.
"""

import resource
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from recovery.daemon.access import Access, ConsoleKey
from recovery.daemon.app import Application
from recovery.daemon.call import Desk, Notes, Settings
from recovery.daemon.changes import Changes
from recovery.daemon.life import Child, Life, Limits
from recovery.daemon.page.sessions import ConsoleCode
from recovery.daemon.serving import serve
from recovery.daemon.sessions import Sessions
from recovery.daemon.worker import Worker
from recovery.discovery.candidate import Files
from recovery.errors import RecoveryError
from recovery.model.ids import Id
from recovery.model.token import LEVEL_HASHED
from recovery.ports import Clock, Rng
from recovery.secret import Secret
from recovery.services.ledger import Entries
from recovery.services.session import Session

if TYPE_CHECKING:
    from recovery.daemon.page.router import Page

_VERSIONS: Final = ((21, "v2.9.1"), (20, "v2.7.12"), (19, "v2.2.0"), (16, "v2.1.1"))
_OLDEST: Final = "v2.0.9"


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to serve.

    Attributes:
        as_user: For whom it acts; None for the most likely user.
        version: What to say instead of the version of the store; None for that.
        console_code: A short code that opens the page once; None for none.
    """

    limits: Limits
    child: Child | None
    reason: str | None
    console_key: Secret | None
    as_user: Id | None
    version: str | None
    tool_version: str
    server_hashes: bool | None
    strong_passwords: bool
    configuration: Mapping[str, str | int | bool]
    files: Files
    console_code: Secret | None = None


class Book(Notes, Entries, Protocol):
    """A ledger that is written and read."""

    def settle(self) -> None:
        """Put all rows where a copy of the file has them, unless more are coming."""
        ...


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended.

    Attributes:
        child_code: What its command ended with; None without one.
        backup_path: The store as it was before the first; None without changes.
        stopped_by: Why nothing was written any more; None when all was well to the end.
    """

    cause: str
    child_code: int | None
    change_count: int
    backup_path: Path | None
    stopped_by: RecoveryError | None


def run(
    session: Session,
    options: RunOptions,
    sockets: list[socket.socket],
    *,
    recorder: Book,
    clock: Clock,
    rng: Rng,
    when_ready: Callable[[], None] = lambda: None,
) -> Ending:
    """Serve a store until a signal comes, or one of the limits.

    Args:
        session: The store, locked.
        when_ready: Called when all is made, in front of the first request.

    Returns:
        How it ended; the file has been checked.

    Raises:
        OSError: The command cannot be started.
    """
    # What is in memory has every secret of the store, and a crash would write it to the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    sessions = Sessions(clock, rng)
    key = None if options.console_key is None else ConsoleKey.of(options.console_key)
    desk = Desk(
        session=session,
        changes=Changes(session, recorder, clock, reason=options.reason),
        access=Access(sessions, console_key=key, as_user=options.as_user),
        sessions=sessions,
        settings=_settings(session, options, clock),
        clock=clock,
        rng=rng,
        files=options.files,
        entries=recorder,
        recorder=recorder,
    )
    worker, life = Worker(), Life(options.limits, options.child)
    code = None if options.console_code is None else ConsoleCode(options.console_code, clock)

    def load_page() -> "Page":
        from recovery.daemon.page.router import Page  # noqa: PLC0415 # a quarter of the start

        return Page(desk, worker, life, code)

    application = Application(desk, worker, load_page)
    try:
        when_ready()
        serve(
            application,
            sockets,
            life,
            when_quiet=application.rest,
            each_second=recorder.settle,
        )
    finally:
        application.close()
        worker.close()
        desk.changes.end()
    return Ending(
        cause=life.ended_by or "it was told to",
        child_code=life.child_code,
        change_count=desk.changes.count,
        backup_path=desk.changes.backup_path,
        stopped_by=desk.changes.stopped_by,
    )


def _settings(session: Session, options: RunOptions, clock: Clock) -> Settings:
    level = session.store.level
    return Settings(
        version=options.version or version_of_level(level),
        tool_version=options.tool_version,
        level=level,
        server_hashes=_hashes(session, options.server_hashes),
        strong_passwords=options.strong_passwords,
        configuration=options.configuration,
        started=clock.now(),
    )


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
