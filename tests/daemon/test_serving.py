"""The daemon as a process: what it answers before anything is asked of the store."""

import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.ports import SystemClock
from tests.support.real_stores import unpack_real_store
from tests.support.served import Served, serving

NOBODY = Actor.here({}, tool_version="0")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = unpack_real_store(
        "influxd-2.9.1-setup", tmp_path_factory.mktemp("serving") / "influxd.bolt"
    )
    with serving(store) as running:
        yield running


def test_health_says_pass_and_what_this_is(served: Served) -> None:
    reply = served.ask("GET", "/health")
    assert (reply.status, reply.json["status"], reply.json["version"]) == (200, "pass", "v2.9.1")
    assert "influxd is stopped" in reply.json["message"]
    assert reply.header("X-Influxdb-Build") == "OSS"
    assert reply.header("X-Influxdb-Version") == "v2.9.1"


def test_the_console_key_is_an_operator_token_and_nothing_else_is(served: Served) -> None:
    path = "/api/v2/authorizations"
    assert len(served.key) == 88
    listed = served.ask("GET", path, token=served.key)
    assert [one["description"] for one in listed.json["authorizations"]] == ["admin's Token"]
    refused = served.ask("GET", path, token=f"{served.key}x")
    assert (refused.status, refused.header("X-Platform-Error-Code")) == (401, "unauthorized")


def test_a_path_is_not_told_of_to_who_may_not_ask(served: Served) -> None:
    assert served.ask("GET", "/api/v2/nosuch").status == 401
    assert served.ask("GET", "/api/v2/nosuch", token=served.key).status == 404
    assert served.ask("POST", "/api/v2/write", token=served.key, body=b"m f=1").status == 503


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.test"}, {"Origin": "http://evil.test"}, {"X-Forwarded-Host": "evil.test"}],
)
def test_a_page_of_another_site_is_refused(served: Served, headers: dict[str, str]) -> None:
    reply = served.ask("GET", "/health", headers=headers)
    assert (reply.status, reply.header("X-Platform-Error-Code")) == (403, "forbidden")


def test_an_answer_is_sent_at_once(served: Served) -> None:
    """Head and body go out in two pieces, and the second must not wait for an acknowledgement."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        connection.request("GET", "/health")
        connection.getresponse().read()
        times.append(time.perf_counter() - begin)
    connection.close()
    assert min(times) < 0.03


def test_a_change_is_backed_up_once_and_written_down_each_time(tmp_path: Path) -> None:
    store = unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")
    before = store.read_bytes()
    with serving(store) as served:
        for name in ("ann", "ben"):
            made = served.ask("POST", "/api/v2/users", token=served.key, body={"name": name})
            assert made.status == 201
        listed = served.ask("GET", "/api/v2/users", token=served.key).json["users"]
    assert [one["name"] for one in listed] == ["admin", "ann", "ben"]
    backups = list(tmp_path.glob("*.backup"))
    assert [one.read_bytes() == before for one in backups] == [True]
    ledger = Ledger(path=tmp_path / "ledger.sqlite", actor=NOBODY, clock=SystemClock())
    rows = [(one.operation, one.outcome) for one in ledger.entries()]
    made_rows = [row for row in rows if row[0] != "serve"]
    assert made_rows == [("serve user create", "pending"), ("serve user create", "done")] * 2
    assert (rows[0], rows[-1]) == (("serve", "pending"), ("serve", "done"))


def test_the_ledger_names_who_made_a_change(tmp_path: Path) -> None:
    store = unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")
    with serving(store) as served:
        org = served.ask("GET", "/api/v2/orgs", token=served.key).json["orgs"][0]["id"]
        permission = {"action": "write", "resource": {"type": "users"}}
        wish = {"orgID": org, "permissions": [permission]}
        made = served.ask("POST", "/api/v2/authorizations", token=served.key, body=wish).json
        added = served.ask("POST", "/api/v2/users", token=made["token"], body={"name": "ann"})
        assert added.status == 201
    ledger = Ledger(path=tmp_path / "ledger.sqlite", actor=NOBODY, clock=SystemClock())
    reasons = [(one.operation, one.reason) for one in ledger.entries() if one.outcome == "done"]
    assert reasons == [
        ("serve auth create", "console key"),
        ("serve user create", f"authorization {made['id']} of admin"),
        ("serve", None),
    ]


def test_a_store_that_is_only_read_is_not_changed(tmp_path: Path) -> None:
    store = unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")
    before = store.read_bytes()
    with serving(store, "--read-only") as served:
        refused = served.ask("POST", "/api/v2/users", token=served.key, body={"name": "ann"})
        assert (refused.status, refused.json["code"]) == (503, "unavailable")
        assert served.ask("GET", "/api/v2/users", token=served.key).status == 200
    assert store.read_bytes() == before
    assert list(tmp_path.glob("*.backup")) == []


def test_the_key_file_is_private(served: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = next(Path(tmp_path_factory.getbasetemp()).glob("serving*/console.key"))
    assert found.stat().st_mode & 0o777 == 0o600
    assert found.read_text().strip() == served.key
