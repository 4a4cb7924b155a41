"""An end in the middle of changes: nothing that was answered is lost, nothing is half made."""

import contextlib
import http.client
import json
import signal
import threading
import time
from pathlib import Path
from typing import Final

import pytest

from tests.support import warm
from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import PATIENCE_S, PROJECT
from tests.support.served import Served, serving

AUTHS: Final = "/api/v2/authorizations"
CLIENTS: Final = 4


def minted(served: Served, body: dict[str, object], answered: list[str]) -> None:
    """Make tokens until the daemon is gone."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        while True:
            reply = served.ask("POST", AUTHS, token=served.key, body=body)
            if reply.status != 201:
                return
            answered.append(reply.json["id"])


def known(store: Path, *words: str) -> str:
    code, stdout, stderr = warm.run(
        [*words, "--json", "--bolt-path", str(store),
         "--ledger", str(store.with_name("ledger.sqlite"))],
        environ={"HOME": str(store.parent)}, cwd=PROJECT, timeout=PATIENCE_S,
    )  # fmt: skip
    assert code == 0, stderr
    return stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize(
    "after_s",
    [0.4, *(pytest.param(0.1 * step, marks=pytest.mark.slow) for step in range(1, 12))],
)
def test_every_answered_token_is_there_and_every_other_is_in_the_ledger(
    tmp_path: Path, number: signal.Signals, after_s: float
) -> None:
    store = unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")
    answered: list[str] = []
    with serving(store) as served:
        org = served.ask("GET", "/api/v2/orgs", token=served.key).json["orgs"][0]["id"]
        permission = {"action": "read", "resource": {"type": "buckets", "orgID": org}}
        body: dict[str, object] = {"orgID": org, "permissions": [permission]}
        clients = [
            threading.Thread(target=minted, args=(served, body, answered)) for _ in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        time.sleep(after_s)
        served.process.send_signal(number)
        served.process.wait(timeout=PATIENCE_S)
        for client in clients:
            client.join(timeout=PATIENCE_S)
    there = {one["id"] for one in json.loads(known(store, "auth", "list"))["authorizations"]}
    assert set(answered) <= there
    operations = json.loads(known(store, "ledger", "list"))["operations"] if answered else []
    recorded = {one for operation in operations for one in operation["record_ids"]}
    outcomes = {operation["outcome"] for operation in operations}
    assert outcomes <= {"done", "unfinished", "undelivered", "unchanged"}
    if answered:
        assert len(there - recorded) == 1  # the one that was there before
    if number is signal.SIGTERM and answered:
        assert served.process.returncode == 0
        assert "unfinished" not in outcomes


def test_a_change_is_done_in_the_ledger_before_it_is_answered(tmp_path: Path) -> None:
    store = unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")
    with serving(store) as served:
        reply = served.ask("POST", "/api/v2/users", token=served.key, body={"name": "ann"})
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(timeout=PATIENCE_S)
    operations = json.loads(known(store, "ledger", "list"))["operations"]
    assert [(one["outcome"], one["record_ids"]) for one in operations] == [
        ("unfinished", []), ("done", [reply.json["id"]]),
    ]  # fmt: skip
