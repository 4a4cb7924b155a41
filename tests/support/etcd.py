"""Debian's etcd, run on loopback: a program that nobody here wrote, and that keeps a bolt file.

It is started with its own data directory and ports, and is always ended again. Nothing touches a
service that the package may have set up.
"""

import base64
import http.client
import json
import shutil
import socket
import subprocess
import threading
import typing
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

READY = b"serving client traffic insecurely"
"""What etcd 3.4 logs once it answers."""

STARTS_MAX = 3
"""A free port may be taken by somebody else before etcd gets it."""


class EtcdError(Exception):
    """Etcd did not start, or refused."""


def find_etcd() -> str | None:
    """Return the program, or None when it is not installed."""
    return shutil.which("etcd")


class Etcd:
    """A running etcd with one member."""

    def __init__(self, port: int) -> None:
        """Talk to the etcd that listens on a port of 127.0.0.1."""
        self._port = port

    def put_all(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Put keys, up to 128 in one transaction, which is what etcd allows."""
        puts = [{"requestPut": {"key": _text(key), "value": _text(value)}} for key, value in items]
        for start in range(0, len(puts), 128):
            self._call("/v3/kv/txn", {"success": puts[start : start + 128]})

    def delete_range(self, start: bytes, end: bytes) -> None:
        """Delete the keys from `start` on and below `end`."""
        self._call("/v3/kv/deleterange", {"key": _text(start), "range_end": _text(end)})

    def compact(self) -> None:
        """Drop every old revision, and wait until their keys are gone from the file."""
        revision = self._call("/v3/kv/range", {"key": _text(b"-")})["header"]["revision"]
        self._call("/v3/kv/compaction", {"revision": revision, "physical": True})

    def get(self, key: bytes) -> bytes | None:
        found = self._call("/v3/kv/range", {"key": _text(key)}).get("kvs")
        return base64.b64decode(found[0].get("value", "")) if found else None

    # The answers are JSON of etcd's making; only the fields used above are looked at.
    def _call(self, path: str, body: Mapping[str, object]) -> dict[str, typing.Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("POST", path, json.dumps(body))
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise EtcdError(answer.decode(errors="replace"))
        decoded: dict[str, typing.Any] = json.loads(answer)
        return decoded


@contextmanager
def running_etcd(program: str, data_dir: Path) -> Iterator[Etcd]:
    """Start etcd, and end it with SIGTERM, which makes it close its file properly.

    Args:
        program: From `find_etcd`.
        data_dir: Made when it is absent; the bolt file is member/snap/db in it.

    Raises:
        EtcdError: It does not start; the message is its log.
    """
    port, process = _start(program, data_dir)
    assert process.stderr is not None
    # Unread, the log would fill its pipe and stop etcd.
    drain = threading.Thread(target=process.stderr.read)
    drain.start()
    try:
        yield Etcd(port)
    finally:
        process.terminate()
        drain.join()
        process.stderr.close()
        process.wait()


def _start(program: str, data_dir: Path) -> tuple[int, subprocess.Popen[bytes]]:
    log = b""
    for _ in range(STARTS_MAX):
        client, peer = _free_port(), _free_port()
        process = subprocess.Popen(
            [program, *_flags(data_dir, client, peer)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={},
        )
        log = _log_until_ready(process)
        if READY in log:
            return client, process
        process.communicate()
    raise EtcdError(log.decode(errors="replace")[-2000:])


def _flags(data_dir: Path, client: int, peer: int) -> Iterator[str]:
    client_url, peer_url = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    yield f"--data-dir={data_dir}"
    yield "--name=test"
    yield f"--listen-client-urls={client_url}"
    yield f"--advertise-client-urls={client_url}"
    yield f"--listen-peer-urls={peer_url}"
    yield f"--initial-advertise-peer-urls={peer_url}"
    yield f"--initial-cluster=test={peer_url}"
    yield "--logger=zap"
    yield "--log-outputs=stderr"


def _log_until_ready(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stderr is not None
    log = b""
    for line in process.stderr:
        log += line
        if READY in line:
            break
    return log


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
