"""Where the daemon listens.

Lives here: addresses of this machine, Unix sockets, sockets that systemd passes. Must not live
here: what is answered on them, and who (`recovery.daemon.protocol`).

Invariants: nothing but this machine can reach it. A Unix socket has mode 0600 from its first
moment, in a folder that only its owner may enter; a leftover is removed only when nobody answers on
it, and what is no socket never is.

Source: unix(7), umask(2); sd_listen_fds(3); spec admin-daemon 2.1.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from recovery.errors import RefusedError
from recovery.model.display import displayed
from recovery.remedy import Give, Input

FOLDER_NAME: Final = "influx-recovery"
FILE_NAME: Final = "http.sock"
BACKLOG: Final = 64
FIRST_PASSED: Final = 3
"""The number of the first descriptor that systemd passes."""
_FOLDER_MODE: Final = 0o700
_UMASK: Final = 0o177
_PATH_SIZE_BYTES_MAX: Final = 107
"""Of the address of a Unix socket, without the byte that ends it."""
_PORT_MAX: Final = 65535
_NO_IPV6: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def default_socket_path(environment: Mapping[str, str], *, is_root: bool) -> Path:
    """Say where the socket is when nobody names another place.

    Args:
        environment: XDG_RUNTIME_DIR is looked at unless for root.
        is_root: Whether the process runs as root.

    Returns:
        The path; nothing is made.
    """
    runtime = "/run" if is_root else environment.get("XDG_RUNTIME_DIR", "")
    if not runtime.startswith("/"):
        raise RefusedError(
            reason="there is no folder for the socket: XDG_RUNTIME_DIR is not set",
            hint=Give(Input.SOCKET, "name a socket"),
        )
    return Path(runtime) / FOLDER_NAME / FILE_NAME


@contextlib.contextmanager
def listening_on_path(path: Path) -> Iterator[socket.socket]:
    """Listen on a Unix socket in a block; make its folder, and let no thread run before."""
    path = path.absolute()
    if len(os.fsencode(path)) > _PATH_SIZE_BYTES_MAX:
        raise _unusable(path, f"has more than {_PATH_SIZE_BYTES_MAX} bytes")
    _require_private_folder(path.parent)
    _remove_leftover(path)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with opened:
        before = os.umask(_UMASK)
        try:
            opened.bind(os.fspath(path))
        except OSError as error:
            raise _unusable(path, f"cannot be made ({error.strerror})") from None
        finally:
            os.umask(before)
        made = path.lstat()
        try:
            if stat.S_IMODE(made.st_mode) & ~0o600:
                raise _unusable(path, "does not keep the mode 0600 on this file system")
            opened.listen(BACKLOG)
            yield opened
        finally:
            with contextlib.suppress(OSError):
                if os.path.samestat(made, path.lstat()):
                    path.unlink()


def listening_on_address(address: str) -> list[socket.socket]:
    """Listen on an address of this machine.

    Args:
        address: As "127.0.0.1:8086", "[::1]:8086", "localhost:0".

    Returns:
        One socket; for localhost one for each address of that name, because a client tries the
        other one first, and whoever listened there would get its token.

    Raises:
        RefusedError: It is no such address, or cannot be had.
    """
    host, port = _split(address)
    is_name = host.lower() == "localhost"
    if not is_name and not _is_loopback(host):
        raise RefusedError(
            reason=f"{displayed(address)} can be reached from elsewhere, and this is served on "
            "this machine only",
            hint=f"listen on 127.0.0.1:{port}, and come from another machine with: "
            f"ssh -L {port}:127.0.0.1:{port} HOST",
        )
    listening: list[socket.socket] = []
    with contextlib.ExitStack() as undo:
        try:
            listening.append(undo.enter_context(_bound("127.0.0.1" if is_name else host, port)))
            if is_name:
                port = listening[0].getsockname()[1]
                listening.append(undo.enter_context(_bound("::1", port)))
        except OSError as error:
            if not listening or error.errno not in _NO_IPV6:
                raise RefusedError(
                    reason=f"cannot listen on {displayed(address)} ({error.strerror})",
                    hint=("stop what listens there", Give(Input.ADDRESS, "name another port")),
                ) from None
        undo.pop_all()
    return listening


def _bound(name: str, port: int) -> socket.socket:
    """Listen on an IP address of this machine; raise `OSError` where that cannot be."""
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    # Named, because asyncio sends small pieces at once only on sockets that say that they are TCP;
    # otherwise each answer waits 40 ms for an acknowledgement.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((name, port))
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened


def passed_sockets(environment: Mapping[str, str]) -> list[socket.socket]:
    """Take the sockets that systemd passes to a service that it starts for a connection.

    Args:
        environment: LISTEN_PID and LISTEN_FDS are looked at.

    Returns:
        The sockets; none when nothing was passed to this process.

    Raises:
        RefusedError: One of them can be reached from elsewhere.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = environment.get("LISTEN_FDS", "")
    taken = [
        socket.socket(fileno=number)
        for number in range(FIRST_PASSED, FIRST_PASSED + (int(count) if count.isdecimal() else 0))
    ]
    for one in taken:
        one.set_inheritable(False)
        is_own = one.family == socket.AF_UNIX or _is_loopback(str(one.getsockname()[0]))
        if not is_own or one.type != socket.SOCK_STREAM:
            raise RefusedError(
                reason="systemd passes a socket that can be reached from elsewhere",
                hint="write ListenStream=/run/influx-recovery/http.sock in the socket unit",
            )
    return taken


def _split(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and int(port) <= _PORT_MAX
    is_bare_ipv6 = ":" in host and not host.startswith("[")
    if not colon or not host or not is_port or is_bare_ipv6:
        raise RefusedError(
            reason=f"{displayed(address)} is no address and port",
            hint=Give(Input.ADDRESS, "write it as 127.0.0.1:8086 or [::1]:8086"),
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _require_private_folder(folder: Path) -> None:
    """Make the folder of a socket, or see that nobody else can put something there."""
    with contextlib.suppress(FileExistsError):
        try:
            folder.mkdir(mode=_FOLDER_MODE)
        except OSError as error:
            if error.errno == errno.EEXIST:
                raise
            raise _unusable(folder, f"cannot be made ({error.strerror})") from None
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise _unusable(folder, "is no folder but a symbolic link or a file")
    if found.st_uid != os.geteuid():
        raise _unusable(folder, "belongs to another user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise _unusable(folder, "may be entered by others")
    for above in {*folder.parents, *Path(os.path.realpath(folder)).parents}:
        found = above.lstat()
        is_open = stat.S_ISDIR(found.st_mode) and found.st_mode & 0o1002 == stat.S_IWOTH
        if is_open or found.st_uid not in {
            0,
            os.geteuid(),
        }:  # who has it can exchange what is in it
            raise _unusable(folder, f"is in {displayed(str(above))}, which others may change")


def _remove_leftover(path: Path) -> None:
    """Remove the socket of an ended process; `RefusedError` for a live one, or another file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise _unusable(path, "is there already and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
        tried.settimeout(1)
        try:
            tried.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise _unusable(path, f"is there already ({error.strerror})") from None
    raise _unusable(path, "is in use: another process answers there")


def _unusable(path: Path, problem: str) -> RefusedError:
    return RefusedError(
        reason=f"{displayed(str(path))} {problem}",
        hint=Give(Input.SOCKET, "name one in a folder of your own with mode 0700"),
    )
