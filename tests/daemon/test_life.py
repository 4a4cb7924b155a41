"""How a run of the daemon ends, and what it leaves: against real processes."""

import base64
import contextlib
import http.client
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Final

import pytest

from bolt_store.limits import LOCK_POLL_INTERVAL_S
from recovery.services.session import Session
from tests.support import warm
from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import PATIENCE_S, PROGRAM, PROJECT, Cli
from tests.support.served import Reply, Served, serving, talk

AUTHS: Final = "/api/v2/authorizations"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")


def ran(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = (*arguments[:1], "--bolt-path", str(store), *arguments[1:])
    if arguments[0] != "serve":
        words = (*arguments, "--bolt-path", str(store))
    place = store.parent / "ledger.sqlite"
    at = words.index("--bolt-path")
    return program(store, *words[:at], "--ledger", str(place), *words[at:])


def program(store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    code, stdout, stderr = warm.run(
        words,
        environ={"PATH": "/usr/bin:/bin", "HOME": str(store.parent)},
        cwd=PROJECT,
        timeout=PATIENCE_S,
    )
    return subprocess.CompletedProcess(words, code, stdout, stderr)


def body_of(served: Served, description: str) -> dict[str, object]:
    org = served.ask("GET", "/api/v2/orgs", token=served.key).json["orgs"][0]["id"]
    permission = {"action": "read", "resource": {"type": "buckets", "orgID": org}}
    return {"orgID": org, "description": description, "permissions": [permission]}


def mint(served: Served, description: str) -> str:
    made = served.ask("POST", AUTHS, token=served.key, body=body_of(served, description))
    assert made.status == 201, made.body
    return str(made.json["token"])


def ledger_of(store: Path) -> str:
    return ran(store, "ledger", "list", "--json").stdout


def test_a_session_has_one_backup_and_is_taken_back_as_one_operation(store: Path) -> None:
    before = store.read_bytes()
    with serving(store, "--reason", "locked out") as served:
        tokens = [mint(served, f"number {number}") for number in range(3)]
        secrets = [*tokens, served.key]
        process = Path(f"/proc/{served.process.pid}")
        seen = process.joinpath("cmdline").read_bytes() + process.joinpath("environ").read_bytes()
        served.process.send_signal(signal.SIGTERM)
        stdout, stderr = served.process.communicate(timeout=PATIENCE_S)
    assert served.process.returncode == 0
    assert "3 changes" in stderr
    assert "systemctl start influxdb" in stderr
    kept = store.with_name("ledger.sqlite").read_bytes()
    for secret in secrets:
        assert secret not in stdout + stderr
        assert secret.encode() not in seen + kept
    assert len(list(store.parent.glob("*.serve.*"))) == 1
    listed = ledger_of(store)
    assert listed.count('"operation": "serve auth') + listed.count('"operation":"serve auth') == 3
    assert "locked out" in listed
    undone = ran(store, "store", "undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert store.read_bytes() == before
    again = ran(store, "store", "undo", "--yes")
    assert again.returncode != 0


def test_a_session_that_was_killed_before_it_wrote_its_last_change_is_taken_back(
    store: Path,
) -> None:
    """The row of that change has no end, and names a token that is not there."""
    before = store.read_bytes()
    with serving(store) as served:
        for number in range(2):
            mint(served, f"number {number}")
        served.process.send_signal(signal.SIGKILL)
    with contextlib.closing(sqlite3.connect(store.with_name("ledger.sqlite"))) as ledger, ledger:
        columns = [row[1] for row in ledger.execute("PRAGMA table_info(entries)")][1:]
        changed = {"txid_before": "(SELECT max(txid_before) + 1 FROM entries)", "digest": "'none'"}
        changed["record_ids"] = """'["0bad0bad0bad0bad"]'"""
        values = ", ".join(changed.get(name, name) for name in columns)
        ledger.execute(
            f"INSERT INTO entries ({', '.join(columns)}) SELECT {values} FROM entries"  # noqa: S608
            " WHERE phase = 'intent' ORDER BY id DESC LIMIT 1"
        )
    assert "unfinished" in ran(store, "ledger", "list").stdout
    undone = ran(store, "store", "undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert store.read_bytes() == before


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_session_is_taken_back_that_made_what_is_gone_again(
    store: Path, end: signal.Signals
) -> None:
    before = store.read_bytes()
    with serving(store) as served:
        mint(served, "goes")
        mint(served, "stays")
        listed = served.ask("GET", AUTHS, token=served.key).json["authorizations"]
        made = {one["description"]: one["id"] for one in listed}
        assert served.ask("DELETE", f"{AUTHS}/{made['goes']}", token=served.key).status == 204
        served.process.send_signal(end)
        served.process.communicate(timeout=PATIENCE_S)
    undone = ran(store, "store", "undo", "--yes")
    assert (undone.returncode, "byte for byte" in undone.stdout) == (0, True)
    assert store.read_bytes() == before


def test_a_session_is_not_taken_back_when_something_else_has_written_the_same_transaction(
    store: Path,
) -> None:
    """Made of the same file with as many changes, it has the same txid."""
    other = Path(shutil.copyfile(store, store.with_name("other.bolt")))
    for path in (store, other):
        store.with_name("console.key").unlink(missing_ok=True)
        with serving(path, ledger=path.with_suffix(".sqlite")) as served:
            mint(served, "first")
            mint(served, "second")
    store.write_bytes(other.read_bytes())
    ledger = str(store.with_suffix(".sqlite"))
    undone = program(store, "store", "undo", "--yes", "--bolt-path", str(store), "--ledger", ledger)
    assert (undone.returncode, "its newest transaction is another one" in undone.stderr) == (
        7,
        True,
    )


def test_a_session_of_one_change_is_taken_back_byte_for_byte(store: Path) -> None:
    content = store.read_bytes()
    with serving(store) as served:
        mint(served, "alone")
    assert store.read_bytes() != content
    assert ran(store, "store", "undo", "--yes").returncode == 0
    assert store.read_bytes() == content


def test_a_token_that_nobody_waited_for_is_called_undelivered(store: Path) -> None:
    import json  # noqa: PLC0415 # for one body

    with serving(store) as served:
        body = json.dumps(body_of(served, "lost")).encode()
        head = (
            f"POST {AUTHS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {served.key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        with socket.create_connection(("127.0.0.1", served.port)) as gone:
            gone.sendall(head + body)
        time.sleep(0.5)
        mint(served, "kept")
    listed = ran(store, "ledger", "list").stdout
    assert listed.count("undelivered") == 1, listed


def test_a_killed_daemon_leaves_a_sound_store_and_a_ledger_that_says_so(store: Path) -> None:
    with serving(store) as served:
        token = mint(served, "before the end")
        served.process.kill()
        served.process.wait(timeout=PATIENCE_S)
    assert token
    assert "before the end" in ran(store, "auth", "list").stdout
    assert "unfinished" in ran(store, "ledger", "list").stdout
    undone = ran(store, "store", "undo", "--yes")
    assert undone.returncode == 0, undone.stderr


def test_without_a_ledger_nothing_is_changed_and_reading_goes_on(store: Path) -> None:
    content = store.read_bytes()
    store.with_name("ledger.sqlite").mkdir()
    with serving(store) as served:
        refused = served.ask("POST", AUTHS, token=served.key, body=body_of(served, "no"))
        assert (refused.status, "ledger" in refused.json["message"]) == (503, True)
        assert served.ask("GET", AUTHS, token=served.key).status == 200
    assert store.read_bytes() == content


def test_a_store_that_is_read_only_answers_changes_with_503(store: Path) -> None:
    with serving(store, "--read-only") as served:
        refused = served.ask("POST", AUTHS, token=served.key, body=body_of(served, "no"))
        assert (refused.status, refused.json["code"]) == (503, "unavailable")
        again = ran(store, "serve", "--read-only", "--", "true")
        assert again.returncode == 0, again.stderr
        busy = ran(store, "serve", "--", "true")
        assert (busy.returncode, "holds the lock" in busy.stderr) == (4, True)


def test_one_command_gets_a_key_and_decides_how_it_ends(store: Path) -> None:
    script = (
        'test -n "$INFLUX_TOKEN" && test ! -e "$INFLUX_CONFIGS_PATH" || exit 1;'
        'curl -sf -H "Authorization: Token $INFLUX_TOKEN" "$INFLUX_HOST/api/v2/me" || exit 2;'
        "exit 5"
    )
    done = ran(store, "serve", "--", "sh", "-c", script)
    assert (done.returncode, '"name":"admin"' in done.stdout) == (5, True)
    assert "nothing was changed" in done.stderr
    killed = ran(store, "serve", "--", "sh", "-c", "kill -9 $$")
    assert killed.returncode == 128 + signal.SIGKILL


def test_it_ends_by_itself_and_removes_its_socket_and_its_key_file(store: Path) -> None:
    key, opened = store.with_name("key"), store.parent / "run" / "http.sock"
    done = ran(store, "serve", "--idle", "1s", "--key-file", str(key), "--socket", str(opened))
    assert (done.returncode, "no request for 1 s" in done.stderr) == (0, True)
    assert stat.S_IMODE(opened.parent.stat().st_mode) == 0o700
    assert (opened.exists(), key.exists()) == (False, False)


def test_a_key_file_that_is_another_one_by_now_stays(store: Path) -> None:
    key = store.with_name("console.key")
    with serving(store):
        key.unlink()
        key.write_text("of somebody else")
    assert key.read_text() == "of somebody else"


def test_it_is_not_idle_while_a_request_is_answered(store: Path) -> None:
    ledger = store.with_name("ledger.sqlite")
    with serving(store, "--idle", "1s") as served:
        wish = {"name": "first"}
        assert served.ask("POST", "/api/v2/users", token=served.key, body=wish).status == 201
        with contextlib.closing(sqlite3.connect(ledger, isolation_level=None)) as holding:
            holding.execute("BEGIN EXCLUSIVE")
            wish = {"name": "second"}
            began = time.monotonic()
            assert served.ask("POST", "/api/v2/users", token=served.key, body=wish).status == 503
            assert time.monotonic() - began > 1.5  # so it would have ended
        assert served.ask("GET", "/api/v2/me", token=served.key).status == 200


def test_it_ends_at_the_latest_whatever_is_asked(store: Path) -> None:
    began = time.monotonic()
    with serving(store, "--max", "3s", "--idle", "0s") as served:
        mint(served, "the first and last")
        beside = [store.with_name("ledger.sqlite-wal").exists()]
        while served.process.poll() is None and time.monotonic() - began < PATIENCE_S:
            with contextlib.suppress(OSError, http.client.HTTPException):
                served.ask("GET", "/api/v2/me", token=served.key)
                beside.append(store.with_name("ledger.sqlite-wal").exists())
            time.sleep(0.05)
        assert time.monotonic() - began >= 3
        _, said = served.process.communicate(timeout=PATIENCE_S)
    assert (served.process.returncode, "it has run for 3 s" in said) == (0, True)
    assert (beside[0], beside[-1]) == (True, False)  # its ledger was whole before it ended


def test_it_waits_for_the_lock_as_long_as_it_was_told_to(store: Path) -> None:
    with Session.open(store, write=True):
        began = time.monotonic()
        # There is no place for the socket either, which is not why.
        nowhere = ("--socket", "/proc/none/s", "--no-console-key")
        refused = ran(store, "serve", "--wait", "2s", *nowhere)
        assert time.monotonic() - began >= 2 - LOCK_POLL_INTERVAL_S  # the last pause is not begun
    assert (refused.returncode, "holds the lock" in refused.stderr) == (4, True)
    held = Session.open(store, write=True)
    releasing = threading.Timer(1.0, held.close)
    releasing.start()
    done = ran(store, "serve", "--wait", "30s", "--", "true")
    releasing.join()
    assert done.returncode == 0, done.stderr


@pytest.mark.pty
def test_the_key_is_shown_once_on_the_terminal_and_nowhere_else(store: Path) -> None:
    cli = Cli(store.parent / "home")
    opened = store.parent / "run" / "http.sock"
    with cli.at_terminal("serve", "--bolt-path", store, "--socket", opened) as terminal:
        terminal.wait_for("influxd cannot start")
        keys = re.findall(r"[A-Za-z0-9_]{88}", terminal.text)
        assert len(keys) == 1
        lines = ("GET /api/v2/me HTTP/1.1", "Host: a", f"Authorization: Token {keys[0]}")
        head = "\r\n".join([*lines, "Connection: close", "", ""])
        assert talk(opened, head.encode()).startswith(b"HTTP/1.1 200")
        terminal.type("\x03")
        ended = terminal.end()
    assert (ended.code, ended.stdout.count(keys[0])) == (0, 1)


def test_too_many_wrong_passwords_are_answered_with_429_and_a_token_is_not(store: Path) -> None:
    def ask(served: Served, method: str, path: str, password: str) -> Reply:
        pair = base64.b64encode(f"admin:{password}".encode()).decode()
        return served.ask(method, path, headers={"Authorization": f"Basic {pair}"})

    def sign_in(served: Served, password: str) -> Reply:
        return ask(served, "POST", "/api/v2/signin", password)

    with serving(store, "--read-only") as served:
        for path in ("/api/v2/me", "/api/v2/orgs", "/api/v2/nosuch"):  # try no password
            assert {ask(served, "GET", path, "golden-pass-1").status for _ in range(4)} == {401}
        assert sign_in(served, "golden-pass-1").status == 204
        assert [sign_in(served, f"guess {n}").status for n in range(11)] == [401] * 10 + [429]
        refused = sign_in(served, "golden-pass-1")
        assert (refused.status, refused.json["code"]) == (429, "too many requests")
        assert "wait a minute" in refused.json["message"]
        assert ask(served, "GET", "/api/v2/me", "golden-pass-1").status == 401
        assert served.ask("GET", "/api/v2/me", token=served.key).status == 200


REFUSED: Final = (
    (("--listen", "127.0.0.1:0"), 7, "--key-file"),
    (("--idle", "soon"), 2, "--idle 90s"),
    (("--key-file", "/dev/null"), 7, "hint: name a new file with --key-file"),
    (("--no-console-key", "--", "true"), 2, "leave it out"),
    (("--", "no-such-program"), 7, "program"),
    (("--as", "nobody", "--", "true"), 3, "nobody"),
)


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_would_be_open_or_useless_is_refused_before_it_begins(
    store: Path, number: int
) -> None:
    options, code, said = REFUSED[number]
    done = program(store, "serve", "--bolt-path", str(store), *options)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_a_leftover_socket_is_replaced_and_anything_else_is_left(store: Path) -> None:
    opened = store.parent / "run" / "http.sock"
    opened.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(opened))
    with serving(store, "--socket", str(opened), "--read-only"):
        other = ran(store, "serve", "--read-only", "--no-console-key", "--socket", str(opened))
        assert (other.returncode, "another process answers" in other.stderr) == (7, True)
    opened.write_text("mine")
    mine = ran(store, "serve", "--no-console-key", "--socket", str(opened))
    assert (mine.returncode, opened.read_text()) == (7, "mine")
    opened.parent.chmod(0o755)
    wide = ran(store, "serve", "--no-console-key", "--socket", str(opened.with_name("b")))
    assert (wide.returncode, "may be entered by others" in wide.stderr) == (7, True)


def test_a_socket_that_is_passed_by_systemd_is_served(store: Path) -> None:
    place = store.with_name("passed.sock")
    with socket.socket(socket.AF_UNIX) as passed:
        passed.bind(str(place))
        passed.listen()
        number = passed.fileno()
        code = (
            "import os, resource, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = "
            "str(os.getpid()); os.environ['LISTEN_FDS'] = '1'; core = resource.RLIMIT_CORE; "
            "resource.setrlimit(core, resource.getrlimit(core)[1:] * 2); "
            "os.execvp(sys.argv[2], sys.argv[2:])"
        )
        process = subprocess.Popen(
            [PROGRAM[0], "-c", code, str(number), *PROGRAM, "serve", "--bolt-path", str(store),
             "--no-console-key", "--idle", "3s"],
            cwd=PROJECT, pass_fds=(number, 3) if number != 3 else (3,), stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]}, text=True,
        )  # fmt: skip
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(PATIENCE_S)
        asked.connect(str(place))
        asked.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert asked.recv(100).startswith(b"HTTP/1.1 200")
    # A core would have every secret of the store.
    assert resource.prlimit(process.pid, resource.RLIMIT_CORE)[0] == 0
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
