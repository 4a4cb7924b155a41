"""A daemon in a process of its own, and requests to it.

Lives here: `Served`. Must not live here: what is expected of an answer.
"""

import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.run_cli import PATIENCE_S, PROGRAM, PROJECT


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
    """

    port: int
    key: str
    process: subprocess.Popen[str]

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


@contextmanager
def serving(
    store: Path, *options: str, environ: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Serve a store until the end of the block.

    Args:
        store: The store; key file and ledger are beside it.
        options: Further options of `serve`.
        environ: Further variables.

    Yields:
        The daemon, answering.
    """
    port, key_file = free_port(), store.with_name("console.key")
    process = subprocess.Popen(
        [
            *PROGRAM, "serve", "--bolt-path", str(store), "--listen", f"127.0.0.1:{port}",
            "--key-file", str(key_file), "--ledger", str(store.with_name("ledger.sqlite")),
            *options,
        ],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(store.parent), **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        _await(port, process)
        yield Served(port=port, key=key_file.read_text().strip(), process=process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)


def _await(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _, stderr = process.communicate()
            raise AssertionError(f"serve ended with {process.returncode}: {stderr}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("serve does not answer")
