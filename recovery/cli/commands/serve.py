"""The command that serves the API of a stopped server.

Lives here: `serve`: its options, the socket, the key. Must not live here: the API itself
(`recovery.daemon`), which is imported only when it is about to be served.
"""

import socket
from pathlib import Path
from typing import Final

from recovery import __version__
from recovery.cli.context import Context
from recovery.cli.deliver import FileDestination, TerminalDestination
from recovery.cli.options import Command, Options
from recovery.cli.recording import open_ledger
from recovery.cli.store import find_store, open_session
from recovery.cli.usage import UsageError
from recovery.cli.words import Parser
from recovery.discovery.host import Host
from recovery.discovery.search import FoundStore, with_files
from recovery.errors import ExitCode, RefusedError
from recovery.model.token import LEVEL_HASHED
from recovery.ports import SystemClock, SystemRng
from recovery.secret import Secret

LISTEN_DEFAULT: Final = "127.0.0.1:8086"
_LOOPBACK: Final = ("127.", "[::1]", "localhost")
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_0"
_KEY_LENGTH: Final = 88
_PORT_MAX: Final = 65535


class _Serve(Options, frozen=True):
    listen: str
    key_file: str | None
    no_console_key: bool
    read_only: bool
    as_user: str | None
    as_version: str | None


def _add_serve(command: Parser) -> None:
    command.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default=LISTEN_DEFAULT,
        help="serve on this address of this machine, which has to be 127.0.0.1, [::1] or localhost "
        f"(default: {LISTEN_DEFAULT})",
    )
    key = command.add_mutually_exclusive_group()
    key.add_argument(
        "--key-file",
        metavar="PATH",
        help="write the console key into this new file, with mode 0600 (default: show it on the "
        "terminal)",
    )
    key.add_argument(
        "--no-console-key",
        action="store_true",
        help="make no console key: only tokens and passwords of the store work (default: make one)",
    )
    command.add_argument(
        "--read-only",
        action="store_true",
        help="lock the store for reading and refuse changes (default: lock it for writing)",
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


def _serve(options: _Serve, context: Context) -> ExitCode:
    listening = _listening(options.listen)
    found = with_files(find_store(options, context), Host.here(context.environ))
    with open_session(found, write=not options.read_only) as session, listening:
        from recovery.daemon.start import RunOptions, run  # noqa: PLC0415 # only this serves

        key = None if options.no_console_key else _new_key()
        if key is not None:
            _hand_over(key, options.key_file)
        run(
            session,
            RunOptions(
                console_key=key,
                as_user=options.as_user,
                version=options.as_version,
                tool_version=__version__,
                server_hashes=found.files.use_hashed_tokens,
                strong_passwords=_is_true(context, "INFLUXD_STRONG_PASSWORDS"),
                configuration=_configuration(found, session.store.level, context, options),
            ),
            [listening],
            recorder=open_ledger(options, context),
            clock=SystemClock(),
            rng=SystemRng(),
        )
    return ExitCode.DONE


def _listening(address: str) -> socket.socket:
    """Bind a socket to an address of this machine.

    Raises:
        UsageError: It is no such address.
        RefusedError: It cannot be had.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _PORT_MAX:
        raise UsageError(
            problem="--listen wants an address and a port", hint=f"as --listen {LISTEN_DEFAULT}"
        )
    if not host.lower().startswith(_LOOPBACK):
        raise RefusedError(
            reason="the API of a stopped server is served on this machine only",
            hint="listen on 127.0.0.1, and come from another machine with: "
            f"ssh -L {port}:127.0.0.1:{port} HOST",
        )
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(("127.0.0.1" if name.lower() == "localhost" else name, int(port)))
    except OSError as error:
        opened.close()
        raise RefusedError(
            reason=f"cannot listen on {address} ({error.strerror})",
            hint="stop what listens there, or name another port with --listen",
        ) from None
    return opened


def _new_key() -> Secret:
    """Draw the key of this run: 88 characters that no client takes for an option."""
    drawn = SystemRng().token_bytes(_KEY_LENGTH)
    return Secret("".join(_LETTERS[byte & 63] for byte in drawn))


def _hand_over(key: Secret, key_file: str | None) -> None:
    """Give the key to its one place, before anything is served.

    Raises:
        RecoveryError: It cannot be given.
    """
    destination = TerminalDestination() if key_file is None else FileDestination(Path(key_file))
    destination.open()
    destination.deliver(key, record_id="console key")


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
        "http-bind-address": options.listen,
        "sqlite-path": "" if files.sqlite_path is None else str(files.sqlite_path),
        "strong-passwords": _is_true(context, "INFLUXD_STRONG_PASSWORDS"),
        **hashes,
    }


SERVE: Final = Command(
    description="Serve the HTTP API of a stopped server on its store, until it is ended with "
    "Ctrl-C: tokens, users, organizations, roles and buckets, for the clients that people have. "
    "The store stays locked, so influxd cannot start meanwhile. A console key, shown once, is an "
    "operator token for this run. It cannot serve data: writes and queries are answered with 503.",
    options=_Serve,
    run=_serve,
    add_options=_add_serve,
)
