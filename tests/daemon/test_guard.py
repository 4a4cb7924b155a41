"""Who is let in, from where, and what HTTP is taken: against a real process, on both sockets."""

import json
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.support.real_stores import unpack_real_store
from tests.support.served import Served, serving, talk
from tests.support.visitor import Visitor

ME: Final = "/api/v2/me"
ORGS: Final = "/api/v2/orgs"
CLOSE: Final = b"Connection: close\r\n"


@pytest.fixture(scope="module")
def on_socket() -> Iterator[Path]:
    """A place where other users can pass, as far as modes go."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:  # pytest's is closed
        Path(place).chmod(0o755)
        yield Path(place) / "run" / "http.sock"


@pytest.fixture(scope="module", autouse=True)
def served(tmp_path_factory: pytest.TempPathFactory, on_socket: Path) -> Iterator[Served]:
    store = unpack_real_store(
        "influxd-2.9.1-setup", tmp_path_factory.mktemp("guard") / "influxd.bolt"
    )
    with serving(store, "--socket", str(on_socket), "--read-only") as running:
        yield running
    assert not on_socket.exists()


def sent(method: str, path: str, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def message(answer: bytes) -> str:
    return str(json.loads(answer.split(b"\r\n\r\n", 1)[1])["message"])


OWN: Final = "Host: 127.0.0.1:{port}"
CREDENTIALS: Final = {
    "nothing": (),
    "token": ("Authorization: Token {key}",),
    "wrong token": ("Authorization: Token x{key}",),
    "cookie": ("Cookie: influxdb-oss-session=abc",),
}
FOREIGN: Final = {
    "name": ("Host: evil.test",),
    "name with our port": ("Host: evil.test:{port}",),
    "name that begins like ours": ("Host: 127.0.0.1.evil.test:{port}",),
    "another port": ("Host: 127.0.0.1:1",),
    "another address": ("Host: 127.0.0.2:{port}",),
    "user in the name": ("Host: 127.0.0.1@evil.test",),
    "empty": ("Host: ",),
    "forwarded": (OWN, "X-Forwarded-Host: evil.test"),
    "origin": (OWN, "Origin: http://evil.test"),
    "origin null": (OWN, "Origin: null"),
    "origin of another port": (OWN, "Origin: http://127.0.0.1:3000"),
    "origin of another scheme": (OWN, "Origin: https://127.0.0.1:{port}"),
    "origin of another name of ours": (OWN, "Origin: http://localhost:{port}"),
    "origin that begins like ours": (OWN, "Origin: http://127.0.0.1:{port}.evil.test"),
    "origin with a broken address": (OWN, "Origin: http://[::1"),
}
ROUTES: Final = (
    ("GET", ME), ("POST", "/api/v2/authorizations"), ("DELETE", f"{ORGS}/0000000000000001"),
    ("OPTIONS", ME), ("GET", "/health"), ("POST", "/api/v2/signin"), ("GET", "/nosuch"),
)  # fmt: skip


def filled(lines: tuple[str, ...], served: Served) -> tuple[str, ...]:
    return tuple(line.format(port=served.port, key=served.key) for line in lines)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_whatever_comes_from_elsewhere_is_refused_with_any_credential_on_any_route(
    served: Served, foreign: str
) -> None:
    for method, path in ROUTES:
        for credential in CREDENTIALS.values():
            lines = filled((*FOREIGN[foreign], *credential), served)
            answer = talk(served.port, sent(method, path, *lines))
            assert (status(answer), b"Access-Control" in answer) == (403, False), (method, path)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
@pytest.mark.parametrize("port", ["", ":{port}"])
def test_our_own_names_are_taken_with_our_port_or_none(
    served: Served, host: str, port: str
) -> None:
    lines = filled((f"Host: {host}{port}", *CREDENTIALS["token"]), served)
    assert status(talk(served.port, sent("GET", ME, *lines))) == 200


def test_our_own_origin_is_taken(served: Served) -> None:
    own = filled((OWN, "Origin: http://127.0.0.1:{port}", *CREDENTIALS["token"]), served)
    assert status(talk(served.port, sent("GET", ME, *own))) == 200


@pytest.mark.parametrize(
    ("site", "method", "has_token", "is_refused"),
    [
        ("cross-site", "POST", False, True),
        ("same-site", "POST", False, True),
        ("CROSS-SITE", "DELETE", False, True),
        ("", "PATCH", False, True),
        ("same-origin", "POST", False, False),
        ("none", "POST", False, False),
        ("cross-site", "GET", False, False),
        ("cross-site", "POST", True, False),
    ],
)
def test_a_change_without_a_token_must_come_from_our_own_page(
    served: Served, site: str, method: str, *, has_token: bool, is_refused: bool
) -> None:
    credential = CREDENTIALS["token" if has_token else "cookie"]
    lines = filled((OWN, f"Sec-Fetch-Site: {site}", *credential), served)
    answer = talk(served.port, sent(method, "/api/v2/authorizations", *lines))
    assert (status(answer) == 403) == is_refused


@pytest.mark.parametrize("host", ["a", "influx:1", "", "LocalHost:8086", "127.0.0.1:1", "[::1]:80"])
def test_what_nobody_can_make_lead_here_is_taken_on_the_socket(
    served: Served, on_socket: Path, host: str
) -> None:
    token = filled(CREDENTIALS["token"], served)
    assert status(talk(on_socket, sent("GET", ME, f"Host: {host}", *token))) == 200
    foreign = sent("GET", ME, f"Host: {host}", "Origin: http://evil.test", *token)
    assert status(talk(on_socket, foreign)) == 403
    assert status(talk(on_socket, sent("GET", ME, f"Host: {host}"))) == 401


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test:8086", "evil.", "a.localhost.test", "10.0.0.1", "[::2]", "a@b"]
)
def test_a_socket_behind_a_forwarded_port_is_not_reached_by_a_name_that_leads_there(
    served: Served, on_socket: Path, host: str
) -> None:
    for line in (f"Host: {host}", f"Host: localhost\r\nX-Forwarded-Host: {host}"):
        request = sent("GET", ME, line, *filled(CREDENTIALS["token"], served))
        assert status(talk(on_socket, request)) == 403


def test_the_socket_is_private_from_its_folder_on(on_socket: Path) -> None:
    assert stat.S_IMODE(on_socket.lstat().st_mode) == 0o600
    assert stat.S_IMODE(on_socket.parent.lstat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_not_answered_even_where_the_modes_let_him_in(
    served: Served, on_socket: Path
) -> None:
    code = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534);"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.settimeout(5); s.sendall(b'GET /health HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n');"
        "print(s.recv(100))"
    )
    python = [sys.executable, "-I", "-S", "-c", code, str(on_socket)]
    on_socket.parent.chmod(0o755)
    on_socket.chmod(0o666)
    try:
        assert status(talk(on_socket, sent("GET", "/health", "Host: a"))) == 200
        ran = subprocess.run(python, capture_output=True, text=True, check=False)
    finally:
        on_socket.chmod(0o600)
        on_socket.parent.chmod(0o700)
    assert served.process.poll() is None
    assert (
        ran.stdout == "b''\n" or "ConnectionResetError" in ran.stderr or "BrokenPipe" in ran.stderr
    )


HOST: Final = b"Host: localhost\r\n"
POST: Final = b"POST /health HTTP/1.1\r\n" + HOST + CLOSE
GET: Final = b"GET /health HTTP/1.1\r\n"
PROBES: Final = {
    "HTTP/1.0 without a host": (b"GET /health HTTP/1.0\r\n\r\n", 200),
    "no host": (GET + b"\r\n", 400),
    "two hosts": (GET + HOST + HOST + b"\r\n", 400),
    "two origins": (GET + HOST + b"Origin: http://localhost\r\nOrigin: http://x\r\n\r\n", 400),
    "both lengths": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    "both lengths the other way": (
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nhello", 400),
    "two equal lengths in one": (POST + b"Content-Length: 5, 5\r\n\r\nhello", 405),
    "signed length": (POST + b"Content-Length: +5\r\n\r\nhello", 400),
    "unknown encoding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 501),
    "space before the colon": (POST + b"Content-Length : 5\r\n\r\nhello", 400),
    "hexadecimal prefix": (POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n", 400),
    "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 405),
    "NUL in a header": (GET + HOST + b"X: a\x00b\r\n\r\n", 400),
    "headers of 200 kB": (GET + HOST + b"X: " + b"a" * 200_000 + b"\r\n\r\n", 431),
    "target of 100 kB": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 50 + b"\r\n\r\n", 400),
    "unknown method": (b"BREW /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 405),
    "HEAD": (b"HEAD /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 200),
    "broken escape": (b"GET /health?x=%zz HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 200),
    "escaped path": (b"GET /%68ealth HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 404),
    "double slash": (b"GET //health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 404),
    "absolute target": (
        b"GET http://localhost/health HTTP/1.1\r\nHost: evil.test\r\n" + CLOSE + b"\r\n", 200,
    ),
    "absolute target without a path": (
        b"GET http://localhost HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 303,
    ),
    "name as typed": (
        b"GET /health?org=S\xc3\xb6hne HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 200,
    ),
    "another version": (b"GET /health HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "expects something else": (POST + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}", 417),
    "upgrade": (GET + HOST + b"Connection: upgrade, close\r\nUpgrade: websocket\r\n\r\n", 200),
    "waits for 100 and is too large": (
        POST + b"Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n",
        413,
    ),
    "length of 100 digits": (POST + b"Content-Length: " + b"9" * 100 + b"\r\n\r\n", 400),
    # These and those above that are taken are answered by influxd 2.9.1 with the same status.
    "chunks in HTTP/1.0": (
        b"POST /health HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    "control character in a header": (GET + HOST + CLOSE + b"X: a\x01b\r\n\r\n", 400),
    "DEL in a header": (GET + HOST + CLOSE + b"X: a\x7fb\r\n\r\n", 400),
    "tab in a header": (GET + HOST + CLOSE + b"X:\ta\tb\r\n\r\n", 200),
    "Latin-1 in a header": (GET + HOST + CLOSE + b"X: \xfc\r\n\r\n", 200),
    "header without a colon": (GET + HOST + CLOSE + b"nonsense\r\n\r\n", 400),
    "header without a name": (GET + HOST + CLOSE + b": x\r\n\r\n", 400),
    "no slash": (b"GET health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "backslash": (b"GET \\health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "only a query": (b"GET ?x=1 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "broken escape in the path": (b"GET /health%zz HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "two spaces": (b"GET  /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "method with a bracket": (b"G(T /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "lines without CR": (b"GET /health HTTP/1.1\nHost: localhost\nConnection: close\n\n", 200),
    "100 headers": (
        GET + HOST + CLOSE + b"".join(b"X%d: a\r\n" % one for one in range(100)) + b"\r\n",
        200,
    ),
}  # fmt: skip


MORE_PROBES: Final = {
    "CL exp": (POST + b"Content-Length: 5e0\r\n\r\nhello", 400),
    "TE identity alone": (POST + b"Transfer-Encoding: identity\r\n\r\nhello", 501),
    "TE twice": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "TE identity": (POST + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", 501),
    "TE chunked, gzip": (
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        501,
    ),
    "TE tab": (POST + b"Transfer-Encoding:\tchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 405),
    "TE vtab": (POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 400),
    "TE quoted": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 501),
    "TE semicolon": (POST + b"Transfer-Encoding: chunked;x\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 501),
    "TE comma": (POST + b"Transfer-Encoding: chunked,\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 501),
    "TE underscore": (POST + b"Transfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 405),
    "CL zeros": (POST + b"Content-Length: 0005\r\n\r\nhello", 405),
    "CL space behind": (POST + b"Content-Length: 5 \r\n\r\nhello", 405),
    "CL empty": (POST + b"Content-Length: \r\n\r\n", 400),
    "CL minus": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "CL hex": (POST + b"Content-Length: 0x5\r\n\r\nhello", 400),
    "CL arabic": (POST + b"Content-Length: \xd9\xa5\r\n\r\nhello", 400),
    "chunk ext": (POST + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n", 405),
    "chunk space": (POST + b"Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", 405),
    "chunk space before": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    "chunk minus": (POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", 400),
    "chunk plus": (POST + b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", 400),
    "chunk empty size": (POST + b"Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", 400),
    "chunk wrong end": (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloxx0\r\n\r\n", 400),
    "chunk underscore": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n0_5\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    "trailer": (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n", 405),
    "trailer host": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nHost: evil.test\r\n\r\n",
        405,
    ),
    "trailer bad": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
        400,
    ),
    "fold first": (GET + b" X: a\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
    "bare CR": (GET + HOST + CLOSE + b"X: a\rb\r\n\r\n", 400),
    "LF LF": (b"\n\nGET /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "CRLF first": (b"\r\nGET /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "http lower": (b"GET /health http/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "1.1x": (b"GET /health HTTP/1.1x\r\n" + HOST + CLOSE + b"\r\n", 400),
    "1.2": (b"GET /health HTTP/1.2\r\n" + HOST + CLOSE + b"\r\n", 200),
    "no version space": (b"GET /health \r\n" + HOST + CLOSE + b"\r\n", 400),
    "host space": (GET + b"Host: localhost evil.test\r\nConnection: close\r\n\r\n", 403),
    "host port empty": (GET + b"Host: localhost:\r\nConnection: close\r\n\r\n", 403),
    "host dot": (GET + b"Host: localhost.\r\nConnection: close\r\n\r\n", 403),
    "host short": (GET + b"Host: 127.1\r\nConnection: close\r\n\r\n", 403),
    "host mapped": (GET + b"Host: [::ffff:127.0.0.1]\r\nConnection: close\r\n\r\n", 403),
    "host 8bit": (GET + b"Host: l\xc3\xb6calhost\r\nConnection: close\r\n\r\n", 403),
    "options star": (b"OPTIONS * HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 404),
    "get star": (b"GET * HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 404),
    "fragment": (b"GET /health#x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 404),
    "tab in target": (b"GET /hea\tlth HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "NUL in target": (b"GET /health\x00 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "DEL in target": (b"GET /health\x7f HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "8bit target": (b"GET /h\xe9alth HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 404),
    "ftp": (b"GET ftp://localhost/health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "absolute user": (
        b"GET http://u:p@localhost/health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
        403,
    ),
    "absolute no host header": (
        b"GET http://localhost/health HTTP/1.1\r\nConnection: close\r\n\r\n",
        400,
    ),
    "header name space": (GET + HOST + CLOSE + b"X Y: 1\r\n\r\n", 400),
    "header name colon": (GET + HOST + CLOSE + b":X: 1\r\n\r\n", 400),
    "method empty": (b" /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 400),
    "only CRLF": (b"\r\n\r\n", 400),
}
"""Odder ones: lengths, encodings, chunks, lines, versions, hosts, targets and names."""


@pytest.mark.parametrize("probe", [*PROBES, *MORE_PROBES])
def test_what_http_allows_in_two_ways_is_refused_and_the_rest_is_taken(
    served: Served, on_socket: Path, probe: str
) -> None:
    request, expected = (PROBES | MORE_PROBES)[probe]
    for address in (served.port, on_socket):
        answer = talk(address, request, timeout_s=10)
        assert status(answer) == expected, answer[:200]
        if expected not in {200, 303, 405}:
            assert b"X-Influxdb-Build: OSS" in answer
            assert b"X-Platform-Error-Code: " in answer


def test_a_body_cut_short_is_answered_with_nothing(served: Served) -> None:
    cut = POST + b"Content-Length: 100\r\n\r\nhello"
    assert talk(served.port, cut, is_half_closed=True) == b""


def test_a_client_that_has_closed_its_sending_half_is_answered(
    served: Served, on_socket: Path
) -> None:
    three = (GET + HOST + b"\r\n") * 3
    for address in (served.port, on_socket):
        answer = talk(address, three, is_half_closed=True)
        assert answer.count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize(("size_bytes", "expected"), [(1 << 20, 405), ((1 << 20) + 1, 413)])
def test_a_body_has_at_most_one_mebibyte_however_it_is_sent(
    served: Served, size_bytes: int, expected: int
) -> None:
    body = b"a" * size_bytes
    plain = POST + b"Content-Length: %d\r\n\r\n" % size_bytes + body
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size_bytes + body
    assert status(talk(served.port, plain)) == expected
    assert status(talk(served.port, chunked + b"\r\n0\r\n\r\n")) == expected


@pytest.mark.parametrize(("count", "expected"), [(10_000, 405), (10_001, 400)])
def test_a_body_has_at_most_ten_thousand_pieces(
    served: Served, on_socket: Path, count: int, expected: int
) -> None:
    cut = POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * count + b"0\r\n\r\n"
    for address in (served.port, on_socket):
        assert status(talk(address, cut, timeout_s=30)) == expected


def test_65_connections_are_one_too_many(served: Served, on_socket: Path) -> None:
    held = []
    try:
        for _ in range(64):
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.connect(str(on_socket))
            held.append(opened)
        answer = talk(served.port, GET + HOST + b"\r\n")
        assert (status(answer), b"too many connections" in answer) == (503, True)
    finally:
        for opened in held:
            opened.close()
    time.sleep(0.1)
    assert status(talk(served.port, GET + HOST + CLOSE + b"\r\n")) == 200


def test_who_fills_the_port_keeps_nobody_from_the_socket(served: Served, on_socket: Path) -> None:
    with ExitStack() as held:
        for _ in range(64):
            held.enter_context(socket.create_connection(("127.0.0.1", served.port)))
        assert status(talk(served.port, GET + HOST + b"\r\n")) == 503
        assert status(talk(on_socket, GET + HOST + CLOSE + b"\r\n")) == 200
    time.sleep(0.1)


@pytest.mark.parametrize("count", [60, pytest.param(40_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_random_bytes_get_an_error_or_nothing(served: Served, count: int) -> None:
    import random  # noqa: PLC0415 # seeded

    drawn = random.Random(13)
    whole = POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    for number in range(count):
        request = bytearray(whole if number % 2 else drawn.randbytes(drawn.randrange(1, 300)))
        for _ in range(drawn.randrange(4)):
            request[drawn.randrange(len(request))] = drawn.randrange(256)
        answer = talk(served.port, bytes(request), is_half_closed=True)
        assert not re.match(rb"HTTP/1.1 500", answer), bytes(request)
    assert status(talk(served.port, GET + HOST + CLOSE + b"\r\n")) == 200


@pytest.mark.slow
def test_who_sends_a_byte_a_second_is_left_after_20_seconds(served: Served) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", served.port)) as opened:
        with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012 # until it is refused
            for byte in GET + HOST * 3:
                opened.sendall(bytes([byte]))
                time.sleep(1)
        assert 15 < time.monotonic() - began < 30


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_wrong_keys_open_nothing_and_keep_nobody_out(served: Served) -> None:
    visitor = Visitor(served, enter=False)
    unknown = f"{ME.removesuffix('/me')}/users/{'0bad' * 4}"
    memory_kib = []
    for number in range(10_000):
        reply = visitor.enter(f"{number:08d}")
        assert (reply.status, reply.header("Set-Cookie")) == (403, None)
        assert served.ask("GET", unknown, token=served.key).status == 404
        if number in {1000, 9999}:
            lines = Path(f"/proc/{served.process.pid}/status").read_text().splitlines()
            memory_kib += [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
    assert visitor.enter(served.key).status == 303
    assert memory_kib[1] - memory_kib[0] < 8 << 10


def test_wrong_tokens_become_slow_and_a_right_one_does_not(served: Served) -> None:
    def asked(token: str) -> float:
        began = time.monotonic()
        served.ask("GET", ME, token=token)
        return time.monotonic() - began

    for number in range(20):
        asked(f"guess {number}")
    assert asked("another guess") >= 0.25
    assert asked(served.key) < 0.25
