"""Clients from the registries, as people have them: what they print here and on a real server."""

from pathlib import Path

import pytest

from tests.support.clients import CLIENTS, KINDS, AbsentError, expected, made_store, played
from tests.support.oracle import Oracle
from tests.support.served import serving


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_prints_what_it_prints_on_the_server(
    tmp_path: Path, oracle: Oracle, client: str, kind: str
) -> None:
    try:
        CLIENTS[client]()
    except AbsentError as error:
        pytest.skip(str(error))
    store = made_store(kind, tmp_path / "influxd.bolt")
    with serving(store) as served:
        printed = played(client, kind, f"http://127.0.0.1:{served.port}")
    assert printed == expected()[f"{client} {kind}"]
    assert oracle.check(store) == []
