"""The command that serves the API of a stopped server.

Lives here: `serve`: its options, the key, and what is said at the start and at the end. Must not
live here: the API itself, its sockets and its life (`recovery.daemon`), which is imported only when
it is about to be served.

Invariants: the key goes to the terminal or to its file, or into the environment of the one command
that is run. The store is locked before anything is made, and every refusal comes before the first
request.
"""

import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from recovery import __version__
from recovery.cli.context import Context
from recovery.cli.deliver import (
    ConsoleCodeDestination,
    ConsoleKeyDestination,
    FileDestination,
    environment_of_child,
)
from recovery.cli.options import Command, Options
from recovery.cli.recording import open_ledger
from recovery.cli.store import find_store
from recovery.cli.usage import UsageError
from recovery.cli.words import Parser
from recovery.discovery.host import Host
from recovery.discovery.search import FoundStore, with_files
from recovery.errors import ExitCode, RefusedError
from recovery.model.display import displayed, plural
from recovery.model.ids import Id
from recovery.model.token import LEVEL_HASHED
from recovery.ports import SystemClock, SystemRng
from recovery.remedy import Input, Run
from recovery.secret import Secret
from recovery.services.session import Session
from recovery.services.tenancy.choosing import choose_user, shown_name

if TYPE_CHECKING:
    from recovery.daemon.life import Child
    from recovery.daemon.start import Ending

LISTEN_EXAMPLE: Final = "localhost:8086"
PRIVATE: Final = "127.0.0.1:0"
NO_PAGE: Final = f"add --listen {LISTEN_EXAMPLE}, because browsers do not open a socket"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_0"
_KEY_LENGTH: Final = 88
_DURATION: Final = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>s|m|h)\Z")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_IN_KUBERNETES: Final = "KUBERNETES_SERVICE_HOST"


class _Serve(Options, frozen=True):
    socket: str | None
    listen: str | None
    key_file: str | None
    no_console_key: bool
    read_only: bool
    idle: str
    max: str
    wait: str
    as_user: str | None
    as_version: str | None
    probes_pass: bool
    child: list[str]


def _add_serve(command: Parser) -> None:
    command.add_argument(
        "child",
        metavar="COMMAND",
        nargs="*",
        help="after --: run this command with INFLUX_HOST and INFLUX_TOKEN set, and end with it",
    )
    command.add_argument(
        "--socket",
        metavar="PATH",
        help="serve on this Unix socket, which only root and you can use (default: "
        "/run/influx-recovery/http.sock for root, else in $XDG_RUNTIME_DIR)",
    )
    command.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help=f"serve on this address of this machine, as {LISTEN_EXAMPLE} for clients that are "
        "configured for the server (default: a Unix socket only)",
    )
    _add_key(command)
    command.add_argument(
        "--read-only",
        action="store_true",
        help="lock the store for reading and refuse changes (default: lock it for writing)",
    )
    for option, default, text in (
        ("--idle", "15m", "end after so long without a request, as 90s, 15m, 1h; 0s for never"),
        ("--max", "4h", "end after so long at the latest; 0s for never"),
        ("--wait", "1s", "wait so long for whoever holds the lock of the store"),
    ):
        command.add_argument(
            option, metavar="TIME", default=default, help=f"{text} (default: {default})"
        )


def _add_key(command: Parser) -> None:
    key = command.add_mutually_exclusive_group()
    key.add_argument(
        "--key-file",
        metavar="PATH",
        help="write the console key into this new file, with mode 0600, and remove it at the end "
        "(default: show it on the terminal)",
    )
    key.add_argument(
        "--no-console-key",
        action="store_true",
        help="make no console key: only tokens and passwords of the store work (default: make one)",
    )
    command.add_argument(
        "--as",
        dest="as_user",
        metavar="USER",
        help="let the console key act for this user (default: an active owner of the instance, "
        "else of an organization, else any active user)",
    )
    command.add_argument(
        "--as-version",
        metavar="VERSION",
        help="call the server this version, as v2.7.12 (default: the last that opened the store)",
    )
    command.add_argument(
        "--i-know-that-probes-will-pass",
        dest="probes_pass",
        action="store_true",
        help="with --listen in Kubernetes: /health says pass, so a readiness probe sends clients "
        "here (default: refuse --listen there)",
    )


def _serve(options: _Serve, context: Context) -> ExitCode:
    from recovery.daemon.life import Limits  # noqa: PLC0415 # only this serves
    from recovery.daemon.start import RunOptions, run  # noqa: PLC0415 # as above

    _require_possible(options, context)
    limits = Limits(
        idle_s=_seconds("--idle", options.idle) or None,
        max_s=_seconds("--max", options.max) or None,
    )
    wait_s = _seconds("--wait", options.wait)
    found = with_files(find_store(options, context), Host.here(context.environ))
    with ExitStack() as opened:
        session = opened.enter_context(
            Session.open(found.path, write=not options.read_only, timeout_s=wait_s)
        )
        session.store.require_sound()
        as_user = _acting(options, session)
        listening = opened.enter_context(_listening(options, context))
        key = None if options.no_console_key else _new_key()
        child = _child(options, context, key, listening, opened)
        where = ", ".join(_described(one) for one in listening)
        code = None
        if key is not None and child is None:
            code = _hand_over(key, options.key_file, opened)
        pages = [_described(one) for one in listening if one.family != socket.AF_UNIX]

        def say_where() -> None:
            if child is None:
                how = "for reading" if options.read_only else "alone"
                page = f"open {pages[0]} in a browser" if pages else NO_PAGE
                context.output.message(
                    f"serving {displayed(str(found.named_path))} on {where}; the store is locked "
                    f"{how}, influxd cannot start until this ends (Ctrl-C); for the page {page}"
                )

        ending = run(
            session,
            RunOptions(
                limits=limits,
                child=child,
                reason=options.reason,
                console_key=key,
                as_user=as_user,
                version=options.as_version,
                tool_version=__version__,
                server_hashes=found.files.use_hashed_tokens,
                strong_passwords=_is_true(context, "INFLUXD_STRONG_PASSWORDS"),
                files=found.files,
                console_code=code,
                configuration=_configuration(found, session.store.level, context, options),
            ),
            listening,
            recorder=opened.enter_context(
                open_ledger(options, context, found.path).open_throughout()
            ),
            clock=SystemClock(),
            rng=SystemRng(),
            when_ready=say_where,
        )
    return _said(ending, context)


def _require_possible(options: _Serve, context: Context) -> None:
    """Refuse what clashes, before anything is looked for.

    Raises:
        UsageError: Options clash.
        RefusedError: It would mislead others, or the command is not there.
    """
    if options.child and options.no_console_key:
        raise UsageError(
            problem="--no-console-key leaves the command without a token", hint="leave it out"
        )
    if options.child and options.key_file is not None:
        raise UsageError(
            problem="--key-file has no use when a command gets the key", hint="leave it out"
        )
    if options.child and (options.listen is not None or options.socket is not None):
        raise UsageError(
            problem="a command is served on a private port of its own",
            hint="leave --listen and --socket out, or leave the command out",
        )
    if options.child and shutil.which(options.child[0]) is None:
        raise RefusedError(
            reason=f"there is no program {displayed(options.child[0])}",
            hint="name a program behind --, or nothing, to serve until Ctrl-C",
        )
    if options.listen and _IN_KUBERNETES in context.environ and not options.probes_pass:
        raise RefusedError(
            reason="/health would say pass, and a readiness probe would send clients here",
            hint="serve on a socket, run one command with serve -- COMMAND, or add "
            "--i-know-that-probes-will-pass",
        )


def _acting(options: _Serve, session: Session) -> Id | None:
    """Choose for whom the console key acts; None for the most likely user.

    Raises:
        RecoveryError: There is no such user, or it may do nothing.
    """
    if options.as_user is None:
        return None
    with session.view() as view:
        user = choose_user(view.tx, options.as_user)
    if user.is_inactive:
        activate = Run("user activate", "to let it in again", {Input.USER: user.name})
        raise RefusedError(reason=f"user {shown_name(user.name)} is inactive", hint=activate)
    return user.id


def _seconds(option: str, text: str) -> float:
    """Read a time; raise `UsageError` for what is none."""
    found = _DURATION.match(text)
    if found is None:
        raise UsageError(
            problem=f"{option} wants a time", hint=f"write it as {option} 90s, 15m, 4h"
        )
    return float(found["number"]) * _UNITS[found["unit"]]


@contextmanager
def _listening(options: _Serve, context: Context) -> Iterator[list[socket.socket]]:
    """Listen where it was asked for, until the end of the block."""
    from recovery.daemon.sockets import (  # noqa: PLC0415 # only this serves
        default_socket_path,
        listening_on_address,
        listening_on_path,
        passed_sockets,
    )

    with ExitStack() as opened:
        passed = passed_sockets(context.environ)
        sockets = [opened.enter_context(one) for one in passed]
        address = PRIVATE if options.child else options.listen
        if address is not None:
            sockets += map(opened.enter_context, listening_on_address(address))
        names = {str(one.getsockname()) for one in passed}
        if options.socket is not None and options.socket not in names:
            sockets.append(opened.enter_context(listening_on_path(Path(options.socket))))
        elif not sockets:
            path = default_socket_path(context.environ, is_root=os.geteuid() == 0)
            sockets.append(opened.enter_context(listening_on_path(path)))
        yield sockets


def _described(one: socket.socket) -> str:
    """Say where a socket listens, as a client is told it."""
    name = one.getsockname()
    if one.family == socket.AF_UNIX:
        return displayed(str(name))
    host = f"[{name[0]}]" if one.family == socket.AF_INET6 else name[0]
    return f"http://{host}:{name[1]}"


def _child(
    options: _Serve,
    context: Context,
    key: Secret | None,
    listening: list[socket.socket],
    opened: ExitStack,
) -> "Child | None":
    """Make the command ready that this is served for; None without one."""
    if not options.child or key is None:
        return None
    from recovery.daemon.life import Child  # noqa: PLC0415 # only this serves
    from recovery.metastore.unpacking import private_folder  # noqa: PLC0415 # as above

    # The influx CLI may write the key there; the next private folder removes what a kill leaves.
    folder = opened.enter_context(private_folder())
    program = shutil.which(options.child[0]) or options.child[0]
    return Child(
        command=(program, *options.child[1:]),
        environment=environment_of_child(
            context.environ,
            host=_described(listening[0]),
            key=key,
            configs_path=folder.path / "configs",
        ),
    )


def _said(ending: "Ending", context: Context) -> ExitCode:
    """Say how it ended, in one line; raise why writing was stopped, with the way on."""
    counted = (
        plural(ending.change_count, "change") if ending.change_count else "nothing was changed"
    )
    backup = (
        ""
        if ending.backup_path is None
        else f"; the store as it was is in {displayed(str(ending.backup_path))}"
    )
    said = f"ended because {ending.cause}: {counted}{backup}"
    if ending.stopped_by is not None:
        context.output.message(said)
        raise ending.stopped_by
    context.output.message(
        f"{said}; the store is free, start InfluxDB when you are ready: systemctl start influxdb"
    )
    if ending.child_code is not None:
        raise SystemExit(ending.child_code)  # none of ours: any number that the command chose
    return ExitCode.DONE


def _new_key() -> Secret:
    """Draw the key of this run: 88 characters that no client takes for an option."""
    drawn = SystemRng().token_bytes(_KEY_LENGTH)
    return Secret("".join(_LETTERS[byte & 63] for byte in drawn))


def _hand_over(key: Secret, key_file: str | None, opened: ExitStack) -> Secret | None:
    """Give the key to its one place, before anything is served.

    Args:
        key_file: Where it goes; None for the terminal.
        opened: Removes the file at the end, when the key opens nothing any more.

    Returns:
        A code that opens the page once, shown beside the key on a terminal; None in a file.
    """
    destination = ConsoleKeyDestination() if key_file is None else FileDestination(Path(key_file))
    try:
        destination.open(key)
    except RefusedError as error:
        if key_file is None:
            raise
        reason = error.reason.replace("token file", "key file", 1)
        raise RefusedError(reason=reason, hint="name a new file with --key-file") from error
    destination.deliver(key, record_id="console key")
    if key_file is not None:
        opened.callback(_remove, Path(key_file), Path(key_file).lstat())
        return None
    from recovery.daemon.page.sessions import new_code  # noqa: PLC0415 # only this serves

    code, beside = new_code(SystemRng()), ConsoleCodeDestination()
    beside.open(code)
    beside.deliver(code, record_id="code of the page")
    return code


def _remove(path: Path, made: os.stat_result) -> None:
    """Remove a file, if it is still the one that was made here; inodes are used again."""
    with suppress(OSError):
        there = path.lstat()
        if os.path.samestat(made, there) and made.st_mtime_ns == there.st_mtime_ns:
            path.unlink()


def _is_true(context: Context, variable: str) -> bool:
    return context.environ.get(variable, "").lower() in {"1", "t", "true"}


def _configuration(
    found: FoundStore, level: int, context: Context, options: _Serve
) -> dict[str, str | int | bool]:
    """Say what is known of the server's configuration."""
    files = found.files
    hashes: dict[str, bool] = {}
    if level >= LEVEL_HASHED:
        hashes["use-hashed-tokens"] = files.use_hashed_tokens is not False
    return {
        "bolt-path": str(found.named_path),
        "engine-path": "" if files.engine_path is None else str(files.engine_path),
        "http-bind-address": options.listen or "",
        "sqlite-path": "" if files.sqlite_path is None else str(files.sqlite_path),
        "strong-passwords": _is_true(context, "INFLUXD_STRONG_PASSWORDS"),
        **hashes,
    }


SERVE: Final = Command(
    description="Serve the HTTP API of a stopped server on its store, until it is ended with "
    "Ctrl-C: tokens, users, organizations, roles and buckets, for the clients that people have. "
    "The store stays locked, so influxd cannot start meanwhile. A console key, shown once, is an "
    "operator token for this run. With -- COMMAND it is served to that command alone. It cannot "
    "serve data: writes and queries are answered with 503. The commands influx auth active and "
    "influx auth inactive ignore the environment: use auth set-active and auth set-inactive.",
    example="serve -- influx auth list",
    options=_Serve,
    run=_serve,
    add_options=_add_serve,
)
