"""The server's own API, as clients know it: every request of the scenario, in its order."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from recovery.daemon.api.setup import UNUSABLE
from recovery.daemon.routes import LIGHT, ROUTES, find_route
from tests.support.absent import absent
from tests.support.contract import Player, records_of, steps, steps_of
from tests.support.oracle import Oracle
from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import PROGRAM, PROJECT
from tests.support.served import Reply, serving
from tests.support.spoiling import spoilt
from tests.support.verdicts import break_store, refusals

SHARED: Final = PROJECT.parent / "shared" / "api"
_SERVE: Final = (
    f"{PROGRAM[0]} -m recovery serve --bolt-path {{bolt}} --key-file {{dir}}/key "
    "--ledger {dir}/ledger.sqlite "
)


def test_each_request_is_answered_as_the_server_answers_it(tmp_path: Path, oracle: Oracle) -> None:
    """Over TCP and over the socket in turns, and each answer once more with one thing spoilt."""
    store = unpack_real_store("influxd-2.9.1-fresh", tmp_path / "influxd.bolt")
    different: list[str] = []
    unnoticed: list[str] = []
    kinds: set[tuple[str, str, int]] = set()

    def spoil(step: dict[str, Any], reply: Reply) -> None:
        route = re.sub(r"\$\w+|[0-9a-f]{16}", "ID", step["path"].partition("?")[0])
        kind = (step["method"], route, reply.status)
        is_whole = step["level"].startswith("exact") and "headers" in step["expected"]
        if is_whole and kind not in kinds:
            kinds.add(kind)
            for what, other in spoilt(reply):
                if not player.judge(step, other):
                    unnoticed.append(f"{step['name']}: {what}")

    place = tmp_path / "run" / "http.sock"
    with serving(store, "--socket", str(place)) as served:
        player = Player(served)
        for number, step in enumerate(steps("full")):
            player.served = served if number % 2 else replace(served, socket=place)
            different += player.play(step, spoil)
    assert different == []
    assert unnoticed == []
    tried = {find_route(method, path.replace("ID", "0" * 16)).handler for method, path, _ in kinds}
    left_out = {path for _, path, handler in (*LIGHT, *ROUTES) if handler not in tried}
    assert left_out == {  # the time since the start, OPTIONS, and what no server has
        "/ready", "/ping", "/private/recovery/changes", "/private/recovery/changes/{number}/undo",
    }  # fmt: skip
    checked = subprocess.run(
        [*PROGRAM, "store", "check", "--json", "--bolt-path", store],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    # The last requests delete an organization whose token stays, as it does on a server.
    found = {(one["number"], one["bucket"]) for one in json.loads(checked.stdout)["findings"]}
    assert found == {("I24", "authorizationsv1")}
    assert oracle.check(store) == []
    require_records_of_server(store, "influxd-2.9.1-used", tmp_path)


AFTERWARDS: Final = {
    "raw-tokens": "influxd-2.9.1-raw-tokens-used",
    "2.7.12": "influxd-2.7.12-used",
}
"""What servers of these kinds left after the requests of `full`."""


def require_records_of_server(store: Path, name: str, folder: Path) -> None:
    """Compare record by record what was left with what the server left."""
    ours = records_of(store)
    servers = records_of(unpack_real_store(name, folder / "expected.bolt"))
    # The server keeps the password of a deleted 1.x user, and a status that it does not know.
    more = servers - ours
    assert sorted(table for table, *_ in more.elements()) == [
        "legacy/authorizationPasswordv1", "userindexv1", "usersv1",
    ]  # fmt: skip
    assert not ours - servers


def test_what_clients_may_ask_besides_is_answered_as_the_server_answers_it(
    tmp_path: Path, oracle: Oracle
) -> None:
    """Odd queries, bodies, slashes, schemes and rights: answers of a real 2.9.1, as above."""
    store = unpack_real_store("influxd-2.9.1-fresh", tmp_path / "influxd.bolt")
    with serving(store) as served:
        player = Player(served)
        different = [line for step in steps("further") for line in player.play(step)]
    assert different == []
    assert oracle.check(store) == []


@pytest.mark.parametrize("number", range(14))
def test_their_siblings_are_answered_as_the_server_answers_them(
    tmp_path: Path, oracle: Oracle, number: int
) -> None:
    """Rights, sessions, IDs of other kinds, lives of records, pages, fields, heads, methods, times.

    Three ask for parts of what is not there, send bodies with several faults, and put too many
    slashes, digits and odd bytes where there should be none; the last asks by every method, and for
    times that are longer than Go has room for. Each has a set-up of its own.
    """
    played = list(steps("siblings"))
    begins = [at for at, step in enumerate(played) if step["name"] == "set up"]
    begin, end = [*begins, len(played)][number : number + 2]
    store = unpack_real_store("influxd-2.9.1-fresh", tmp_path / "influxd.bolt")
    with serving(store) as served:
        player = Player(served)
        different = [line for step in played[begin:end] for line in player.play(step)]
    assert different == []
    assert oracle.check(store) == []


def test_a_bucket_is_shown_with_its_labels(tmp_path: Path) -> None:
    """With those that 2.9.1 shows of this store."""
    store = unpack_real_store("influxd-2.9.1-left-behind", tmp_path / "influxd.bolt")
    expected = [{"id": "11b6310b9d6f8000", "orgID": "c73b7acb17cc81ee", "name": "b"}]
    with serving(store, "--read-only") as served:

        def ask(path: str) -> Any:  # noqa: ANN401 # JSON
            return served.ask("GET", f"/api/v2/buckets{path}", token=served.key).json

        assert ask("/ad351728895d9083")["labels"] == expected
        assert [one["labels"] for one in ask("?org=main")["buckets"]] == [[], [], expected]
        assert ask("/ad351728895d9083/labels") == {
            "links": {"self": "/api/v2/labels"}, "labels": expected,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "path", "status", "found"),
    [
        ("labelsv1#0.orgID: gone", "/api/v2/buckets?name=sensors", 200, '"labels":[]'),
        ("bucketsv1#0.orgID: gone", "/api/v2/buckets", 200, '"buckets":[{"id":"21abaa00faf9a3d4"'),
        ("bucketsv1#0.orgID: gone", "/api/v2/buckets/0725d2517422ccb4", 400, "invalid org id for"),
        ("authorizationsv1#0.userID: gone", "/api/v2/me", 400, "acts for no user"),
        (
            "legacy/authorizationsv1: extra garbage",
            "/private/legacy/authorizations",
            200,
            "legacy2",
        ),
    ],
)
def test_what_no_server_can_show_is_left_out_and_the_rest_is_shown(
    tmp_path: Path, broken: str, path: str, status: int, found: str
) -> None:
    """2.9.1 shows no label without an organization, and refuses the other lists whole."""
    store = break_store(tmp_path, next(one for one in refusals() if one.name == broken))
    with serving(store, "--read-only") as served:
        reply = served.ask("GET", path, token="op-token-admin-0123456789")
        assert (reply.status, found in reply.body.decode()) == (status, True), reply.body


@pytest.mark.parametrize(
    ("wish", "status", "message"),
    [
        (
            {"retentionPeriodSeconds": 3599},
            500,
            "retention policy duration must be at least 1h0m0s",
        ),
        ({"retentionPeriodHrs": 72}, 500, "retention policy duration must be at least 1h0m0s"),
        ({"org": "  "}, 400, "org name is empty"),
        ({"password": "short"}, 400, "passwords must be between 8 and 72 characters long"),
        ({"token": "e30.e30.x"}, 400, UNUSABLE.message),  # the server takes it, and is no use then
    ],
)
def test_a_set_up_that_fails_says_why_and_leaves_the_store_open_for_another(
    tmp_path: Path, wish: dict[str, object], status: int, message: str
) -> None:
    store = unpack_real_store("influxd-2.9.1-fresh", tmp_path / "influxd.bolt")
    wanted = {"username": "a", "password": "a-password-1", "org": "o", "bucket": "b", **wish}
    with serving(store) as served:
        reply = served.ask("POST", "/api/v2/setup", body=wanted)
        assert (reply.status, reply.json["message"]) == (status, message)
        assert served.ask("GET", "/api/v2/setup").json == {"allowed": True}


@pytest.mark.parametrize(
    ("name", "store_name"),
    [
        ("roles", "2.9.1-setup"),
        ("many", "2.9.1-setup"),
        ("strong", "2.9.1-setup"),
        ("setup-min", "2.9.1-fresh"),
        ("raw-tokens", "2.9.1-raw-fresh"),
        ("2.7.12", "2.7.12-fresh"),
    ],
)
def test_other_servers_and_stores_are_stood_for_as_well(
    tmp_path: Path, name: str, store_name: str
) -> None:
    store = unpack_real_store(f"influxd-{store_name}", tmp_path / "influxd.bolt")
    environ = {
        "INFLUXD_STRONG_PASSWORDS": str(name == "strong").lower(),
        "INFLUXD_USE_HASHED_TOKENS": str(name != "raw-tokens").lower(),
    }
    with serving(store, environ=environ) as served:
        player = Player(served)
        different = [line for step in steps_of(name) for line in player.play(step)]
    assert different == []
    if name in AFTERWARDS:
        require_records_of_server(store, AFTERWARDS[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("door", ["--listen 127.0.0.1:{port}", "--socket {socket}"])
@pytest.mark.parametrize(
    ("golden", "arguments", "environ"),
    [
        ("2.9.1", ["--prepared", "2.9.1-setup"], {}),
        ("2.9.1", ["--bolt", "2.9.1-fresh.bolt"], {}),
        ("2.9.1-raw-tokens", ["--prepared", "2.9.1-raw-setup"], {}),
        ("2.9.1-roles", ["--variant", "roles", "--prepared", "2.9.1-setup"], {}),
        ("2.9.1-many", ["--variant", "many", "--prepared", "2.9.1-setup"], {}),
        (
            "2.9.1-strong",
            ["--variant", "strong", "--prepared", "2.9.1-setup"],
            {"INFLUXD_STRONG_PASSWORDS": "true"},
        ),
        ("2.9.1-setup-min", ["--variant", "setup-min", "--bolt", "2.9.1-fresh.bolt"], {}),
        ("2.7.12", ["--bolt", "2.7.12-fresh.bolt"], {}),
    ],
)
def test_the_whole_judge_finds_nothing_different(
    tmp_path: Path, golden: str, arguments: list[str], environ: dict[str, str], door: str
) -> None:
    archive = SHARED / "golden.tar.gz"
    if not archive.is_file():
        absent(f"no pairs of a real server: {archive}")
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path], check=True)
    folder = tmp_path / "golden"
    done = subprocess.run(
        [
            sys.executable, SHARED / "capture.py", "compare", "--golden", folder / golden,
            *(str(folder / "stores" / one) if one.startswith("2.") else one for one in arguments),
            "--cmd", _SERVE + door,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environ},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert ", 0 different, 0 skipped, 0 without" in done.stdout
