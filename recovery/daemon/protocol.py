"""One connection, stricter than the server loop makes it.

Lives here: `Connection`: who is at the other end, how long a request may take, what HTTP allows and
is not taken here. Must not live here: what a request asks for (`recovery.daemon.app`).

Invariants: nobody but root and the user of this process is answered on a Unix socket, whatever mode
it has. A request that two programs could cut in two ways is refused. No client holds a connection
by being slow. A client that has closed its sending half is still answered.

Source: uvicorn 0.54 protocols/http/h11_impl.py; h11 0.16 _connection.py (error_status_hint);
unix(7), SO_PEERCRED; tcp(7); spec admin-daemon 2.1 and 2.5.
"""

import asyncio
import os
import re
import socket
from typing import Any, Final, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from recovery.daemon.answer import JSON_TYPE, Headers, to_json
from recovery.daemon.peer import Peer, peer_of
from recovery.log import get_logger

LOG: Final = get_logger(__name__)
CONNECTIONS_MAX: Final = 64
HEAD_SIZE_BYTES_MAX: Final = 32 << 10
PIECES_MAX: Final = 10_000
"""So many chunks a body may have; a million of one byte would keep everybody waiting."""
REQUEST_TIMEOUT_S: Final = 20.0
ANSWER_TIMEOUT_S: Final = 60.0
_SETTLING_S: Final = 0.02
"""How long the other end of a loopback connection takes at most to say that it has gone."""
_NO_ASCII: Final = re.compile(rb"[\x80-\xff]")
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://(?P<host>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_PATH: Final = re.compile(rb"\*\Z|/(?:[^%?]|%[0-9A-Fa-f]{2})*(?:\?|\Z)")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ONCE: Final = (b"origin", b"sec-fetch-site", b"x-forwarded-host")
_PHRASES: Final = {
    400: ("invalid", "Bad Request", "the request is no HTTP/1.1 as it is taken here"),
    417: ("invalid", "Expectation Failed", "only 100-continue can be expected here"),
    431: ("invalid", "Request Header Fields Too Large", "the headers are larger than 32 KiB"),
    501: ("invalid", "Not Implemented", "this transfer encoding is not implemented"),
    505: ("invalid", "HTTP Version Not Supported", "only HTTP/1.1 and 1.0 are spoken here"),
    503: ("unavailable", "Service Unavailable", "too many connections: close one and try again"),
}


class _Strict(h11.Connection):
    """What h11 takes, without what can be understood in two ways.

    Attributes:
        status: The status for what was refused last.
    """

    status = 400
    _piece_count = 0

    def receive_data(self, data: bytes) -> None:
        """As h11's, with the bytes of a target escaped that are no ASCII.

        A shell sends a name with an umlaut as it is typed, and the server takes it.
        """
        if self.their_state is h11.IDLE and not self.trailing_data[0]:
            line, end, rest = data.partition(b"\n")
            if not line.isascii():
                data = _NO_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line) + end + rest
        super().receive_data(data)

    def next_event(self) -> Any:  # noqa: ANN401 # as h11 has it
        """As h11's, with further refusals, and every target a path."""
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                self._piece_count = 0
                _require_one_reading(event)
                event = _with_path(event)
            elif isinstance(event, h11.Data):
                self._count_piece()
        except h11.RemoteProtocolError as error:
            self.status = error.error_status_hint
            raise
        return event

    def _count_piece(self) -> None:
        self._piece_count += 1
        if self._piece_count > PIECES_MAX:
            raise h11.RemoteProtocolError("the body comes in too many pieces")


def _require_one_reading(event: h11.Request) -> None:
    size_bytes = len(event.target) + sum(len(name) + len(value) for name, value in event.headers)
    if size_bytes > HEAD_SIZE_BYTES_MAX:  # h11 looks only at what has not come whole
        raise h11.RemoteProtocolError("the head is too large", error_status_hint=431)
    names = [name for name, _ in event.headers]
    if b"content-length" in names and b"transfer-encoding" in names:
        raise h11.RemoteProtocolError("two ways to tell the length of the body")
    if event.http_version == b"1.0" and b"transfer-encoding" in names:
        raise h11.RemoteProtocolError("a body in chunks, which HTTP/1.0 has not")
    if any(_CONTROL.search(value) for _, value in event.headers):
        raise h11.RemoteProtocolError("a control character in a header")
    if any(names.count(name) > 1 for name in _ONCE):
        raise h11.RemoteProtocolError("a header that says where a request comes from is repeated")
    if not event.http_version.startswith(b"1."):
        raise h11.RemoteProtocolError("another version of HTTP", error_status_hint=505)
    expected = [value.lower() for name, value in event.headers if name == b"expect"]
    if expected not in ([], [b"100-continue"]):
        raise h11.RemoteProtocolError("something else is expected", error_status_hint=417)


def _with_path(event: h11.Request) -> h11.Request:
    """Turn a target with a host, as a proxy sends it, into the path and that host."""
    found = _ABSOLUTE.match(event.target)
    if found is None:
        if not _PATH.match(event.target):
            raise h11.RemoteProtocolError("neither a path nor a URL is asked for")
        return event
    others = [(name, value) for name, value in event.headers if name != b"host"]
    path = found["rest"] if found["rest"].startswith(b"/") else b"/" + found["rest"]
    return h11.Request(
        method=event.method,
        target=path,
        headers=[(b"Host", found["host"]), *others],
        http_version=event.http_version,
    )


class Connection(H11Protocol):
    """One connection.

    Attributes:
        peer: Who is at the other end; None where the system does not tell.
        port: The port that was connected to; None on a Unix socket.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Take what the server loop gives; the application finds this object in its state."""
        super().__init__(config, server_state, {**app_state, "connection": self}, _loop)
        self.conn = _Strict(h11.SERVER, config.h11_max_incomplete_event_size or 0)
        self.peer: Peer | None = None
        self.port: int | None = None
        self._has_ended = False
        self._request_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None

    @property
    def own_headers(self) -> Headers:
        """What every answer carries."""
        return cast("Headers", getattr(self.config.app, "own_headers", ()))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Look who it is, and begin to wait for a request."""
        opened: socket.socket = transport.get_extra_info("socket")
        others = cast("set[Connection]", self.connections)
        if opened.family == socket.AF_UNIX:  # who may use it is not kept out by who may not
            others = {one for one in others if one.port is None}
        is_full = len(others) >= CONNECTIONS_MAX
        super().connection_made(transport)
        if opened.family == socket.AF_UNIX:
            self.peer = peer_of(opened)
            if self.peer.uid not in {0, os.geteuid()}:
                LOG.warning("peer.refused", uid=self.peer.uid, pid=self.peer.pid)
                transport.abort()
                return
        else:
            self.port = opened.getsockname()[1]
        if is_full:
            self._refuse(503)
            return
        self._request_timer = self.loop.call_later(REQUEST_TIMEOUT_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        for timer in (self._request_timer, self._answer_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        if not self.transport.is_closing():
            super().data_received(data)
            self._watch_request()

    def _watch_request(self) -> None:
        """Watch the time of a request that has not come whole."""
        is_complete = self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}
        is_waiting = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        if is_complete or is_waiting:
            if self._request_timer is not None:
                self._request_timer.cancel()
                self._request_timer = None
        elif self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_TIMEOUT_S, self._give_up)

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio wants it
        """Keep the connection for the answer to a request that came whole."""
        self._has_ended = True
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_due = cycle is not None and not cycle.response_complete
        return is_due and self.conn.their_state is not h11.SEND_BODY

    def on_response_complete(self) -> None:
        """Go on with the next request, or end what the client has ended."""
        super().on_response_complete()
        self._watch_request()  # of the next one, which may have come in part
        if self.transport.get_write_buffer_size():
            self._watch_answer()
        if self._has_ended and self.cycle.response_complete:
            self.loop.call_later(2 * _SETTLING_S, self.transport.close)

    def pause_writing(self) -> None:
        """Watch how long the client does not read."""
        super().pause_writing()
        self._watch_answer()

    def resume_writing(self) -> None:
        """Stop watching: it has read."""
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    @property
    def is_lost(self) -> bool:
        """Whether the connection has gone, with its client, in the middle of an answer."""
        return bool(self.cycle.disconnected)

    async def has_lost_answer(self) -> bool:
        """Tell whether the client had gone when its answer was sent.

        A client that waits for its answer has sent nothing since. One that has closed the sending
        half may have closed all of it: then the answer is refused at once by the other end.
        """
        if self.is_lost:
            return True
        if not self._has_ended:
            return False
        await asyncio.sleep(_SETTLING_S)
        if self.transport.is_closing():  # refused, or closed because the client wanted it: unknown
            return True
        opened: socket.socket = self.transport.get_extra_info("socket")
        return opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 # of uvicorn
        """Refuse what cannot be understood, in the form of every other error."""
        self._refuse(cast("_Strict", self.conn).status)

    def _refuse(self, status: int) -> None:
        """Answer without the application, where no answer has begun, and close."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return
        status = status if status in _PHRASES else 400
        code, phrase, message = _PHRASES[status]
        body = to_json({"code": code, "message": message})
        headers = [
            (b"Content-Type", JSON_TYPE),
            (b"X-Platform-Error-Code", code.encode()),
            *self.own_headers,
            (b"Content-Length", str(len(body)).encode()),
            (b"Connection", b"close"),
        ]
        lines = [b"%s: %s\r\n" % header for header in headers]
        head = f"HTTP/1.1 {status} {phrase}\r\n".encode()
        self.transport.write(b"".join((head, *lines, b"\r\n", body)))
        self.transport.close()

    def _watch_answer(self) -> None:
        if self._answer_timer is None:
            self._answer_timer = self.loop.call_later(ANSWER_TIMEOUT_S, self._abandon)

    def _give_up(self) -> None:
        """End a connection whose request does not come."""
        self._request_timer = None
        self.transport.close()

    def _abandon(self) -> None:
        """End a connection whose answer is not read."""
        self._answer_timer = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()
