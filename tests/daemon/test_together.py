"""Several clients at once: what each was answered is what is there, and a list is never torn."""

import json
import threading
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.support.large_store import make_large_store
from tests.support.oracle import Oracle
from tests.support.served import Served, serving

AUTHS: Final = "/api/v2/authorizations"
WRITERS: Final = 4
TOKENS: Final = 1500
"""Three slices of the list, and a change between any two of them."""


class Writer(threading.Thread):
    """Makes, changes and deletes tokens of its own, and remembers what should be there."""

    def __init__(self, served: Served, org: str, number: int, steps: int) -> None:
        super().__init__()
        self._served = served
        self._org = org
        self._random = Random(number)
        self._steps = steps
        self.model: dict[str, str] = {}
        self.refused: list[object] = []

    def run(self) -> None:
        for number in range(self._steps):
            self._step(f"{self.name} {number}")

    def _step(self, description: str) -> None:
        chosen = self._random.choice([None, *self.model])
        if chosen is None:
            permission = {"action": "read", "resource": {"type": "orgs", "id": self._org}}
            body = {"orgID": self._org, "description": description, "permissions": [permission]}
            made = self._ask("POST", AUTHS, 201, body)
            self.model[json.loads(made)["id"]] = description
        elif self._random.random() < 0.3:
            self._ask("DELETE", f"{AUTHS}/{chosen}", 204)
            del self.model[chosen]
        else:
            self._ask("PATCH", f"{AUTHS}/{chosen}", 200, {"description": description})
            self.model[chosen] = description

    def _ask(self, method: str, path: str, expected: int, body: object = None) -> bytes:
        reply = self._served.ask(method, path, token=self._served.key, body=body)
        if reply.status != expected:
            self.refused.append((method, path, reply.status, reply.body))
        return reply.body


@pytest.mark.timeout(300)
@pytest.mark.parametrize("steps", [15, pytest.param(150, marks=pytest.mark.slow)])
def test_lists_are_whole_while_others_write_and_what_was_answered_is_there(
    tmp_path: Path, oracle: Oracle, steps: int
) -> None:
    store = tmp_path / "influxd.bolt"
    org = str(make_large_store(store, count=TOKENS, permission_count=2).org)
    with serving(store) as served:

        def listed() -> dict[str, str]:
            found = served.ask("GET", AUTHS, token=served.key).json["authorizations"]
            ids = [one["id"] for one in found]
            assert ids == sorted(set(ids))  # none twice, in their order
            assert all(one["orgID"] and len(one["permissions"]) for one in found)
            return {one["id"]: one["description"] for one in found}

        nobodys = served.ask("GET", f"{AUTHS}?userID=0bad0bad0bad0bad", token=served.key)
        assert nobodys.json["authorizations"] == []
        throughout = listed()
        writers = [Writer(served, org, number, steps) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        lists = 0
        while any(writer.is_alive() for writer in writers):
            assert throughout.items() <= listed().items()
            lists += 1
        for writer in writers:
            writer.join()
        assert [writer.refused for writer in writers] == [[]] * WRITERS
        assert lists
        model = {key: text for writer in writers for key, text in writer.model.items()}
        assert listed() == throughout | model
    assert oracle.check(store) == []
