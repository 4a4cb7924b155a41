"""Who is at the other end of a Unix socket.

Lives here: `Peer`. Must not live here: who may ask (`recovery.daemon.protocol`).

Source: unix(7), SO_PEERCRED: the credentials of whoever called connect(2); proc(5), loginuid, which
stays when somebody becomes root.
"""

import contextlib
import pwd
import socket
import struct
from pathlib import Path
from typing import Final

import msgspec

_CREDENTIALS: Final = struct.Struct("3i")
_NOBODY: Final = 0xFFFFFFFF
"""What the kernel gives as login of a process that nobody's login began."""


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A process that has connected.

    Attributes:
        pid: Its number; it may be another process's by now.
        login: Who logged in to run it; empty when nobody is known to have.
    """

    uid: int
    pid: int
    login: str

    @property
    def words(self) -> str:
        """All of it, for the ledger."""
        login = f", login {self.login}" if self.login else ""
        return f"uid {self.uid}, pid {self.pid}{login}"


def peer_of(connected: socket.socket) -> Peer:
    """Ask the kernel who has connected."""
    raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return Peer(uid=uid, pid=pid, login=_login_of(pid))


def _login_of(pid: int) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError):
        number = int(Path(f"/proc/{pid}/loginuid").read_text(encoding="ascii"))
        if number != _NOBODY:
            return pwd.getpwuid(number).pw_name
    return ""
