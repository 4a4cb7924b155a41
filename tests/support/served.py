"""A daemon in a process of its own, and requests to it.

Lives here: `Served`. Must not live here: what is expected of an answer.
"""

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import warm
from tests.support.run_cli import PATIENCE_S, PROJECT


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 # whatever was sent
        """The body, parsed."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The first header of exactly this name."""
        return next((value for found, value in self.headers if found == name), None)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A daemon that runs.

    Attributes:
        port: Where, on 127.0.0.1.
        key: Its console key.
        process: It.
        socket: A Unix socket to ask on, in the place of the port; None for the port.
    """

    port: int
    key: str
    process: warm.Piped
    socket: Path | None = None

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        if self.socket is not None:
            connection.sock = _connected(self.socket)
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Token {token}"
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, body=content, headers=sent)
            response = connection.getresponse()
            return Reply(
                status=response.status,
                headers=tuple(response.getheaders()),
                body=response.read(),
            )
        finally:
            connection.close()


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port


def talk(
    address: int | Path, *pieces: bytes, is_half_closed: bool = False, timeout_s: float = 3.0
) -> bytes:
    """Send bytes as they are, and take what comes until the other end closes or falls silent.

    Args:
        address: A port of this machine, or a Unix socket.
        pieces: What to send, one after the other.
        is_half_closed: Whether to say at once that no more will be sent.
        timeout_s: How long silence lasts.

    Returns:
        All that came; empty when the connection was closed without an answer.
    """
    with _connected(address) as opened:
        opened.settimeout(timeout_s)
        came = b""
        with suppress(ConnectionError, TimeoutError):
            for piece in pieces:
                opened.sendall(piece)
            if is_half_closed:
                opened.shutdown(socket.SHUT_WR)
        # An answer may have come although not all could be sent.
        with suppress(ConnectionError, TimeoutError):
            while received := opened.recv(65536):
                came += received
        return came


def _connected(address: int | Path) -> socket.socket:
    if isinstance(address, int):
        return socket.create_connection(("127.0.0.1", address), timeout=PATIENCE_S)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.connect(str(address))
    return opened


@contextmanager
def serving(
    store: Path,
    *options: str,
    environ: Mapping[str, str] | None = None,
    ledger: Path | None = None,
) -> Iterator[Served]:
    """Serve a store until the end of the block.

    Args:
        store: The store; key file and ledger are beside it.
        options: Further options of `serve`.
        environ: Further variables.
        ledger: Another ledger.

    Yields:
        The daemon, answering.
    """
    port, key_file = free_port(), store.with_name("console.key")
    process = warm.start_piped(
        [
            "serve", "--bolt-path", str(store), "--listen", f"127.0.0.1:{port}",
            "--key-file", str(key_file),
            "--ledger", str(ledger or store.with_name("ledger.sqlite")), *options,
        ],
        cwd=PROJECT,
        environ={"PATH": "/usr/bin:/bin", "HOME": str(store.parent), **(environ or {})},
    )  # fmt: skip
    try:
        _await(port, process)
        yield Served(port=port, key=key_file.read_text().strip(), process=process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(PATIENCE_S)


def _await(port: int, process: warm.Piped) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _, stderr = process.communicate(PATIENCE_S)
            raise AssertionError(f"serve ended with {process.returncode}: {stderr}")
        try:  # it listens before it answers
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as asked:
                asked.sendall(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if asked.recv(1):
                    return
        except OSError:
            time.sleep(0.02)
    raise AssertionError("serve does not answer")
