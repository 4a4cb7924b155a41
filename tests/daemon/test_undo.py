"""One change taken back while the daemon runs, by whoever may do everything."""

import shutil
from pathlib import Path
from typing import Final

from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import Cli
from tests.support.served import Reply, Served, serving

AUTHS: Final = "/api/v2/authorizations"
CHANGES: Final = "/private/recovery/changes"


def undo(served: Served, number: object, token: str | None = None) -> Reply:
    return served.ask("POST", f"{CHANGES}/{number}/undo", token=token or served.key)


def test_a_deleted_token_works_again_and_a_minted_one_does_not(tmp_path: Path) -> None:
    store = unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")
    before = shutil.copyfile(store, tmp_path / "before")
    with serving(store) as served:
        org = served.ask("GET", "/api/v2/orgs", token=served.key).json["orgs"][0]["id"]
        permission = {"action": "read", "resource": {"type": "orgs", "id": org}}
        body = {"orgID": org, "description": "a <b>", "permissions": [permission]}
        made = served.ask("POST", AUTHS, token=served.key, body=body).json
        assert undo(served, 1, made["token"]).status == 401
        assert served.ask("GET", CHANGES, token=made["token"]).status == 401
        assert served.ask("GET", CHANGES).status == 401
        served.ask("DELETE", f"{AUTHS}/{made['id']}", token=served.key)
        assert served.ask("GET", "/api/v2/orgs", token=made["token"]).status == 401
        refused = undo(served, 1)
        assert (refused.status, "take change 2 back first" in refused.json["message"]) == (
            422,
            True,
        )
        taken = undo(served, 2)
        assert (taken.status, taken.json["undoes"], taken.json["number"]) == (200, 2, 3)
        assert served.ask("GET", "/api/v2/orgs", token=made["token"]).status == 200
        listed = served.ask("GET", CHANGES, token=served.key)
        assert made["token"].encode() not in listed.body
        changes = [(one["operation"], one["undoneBy"]) for one in listed.json["changes"]]
        assert changes == [
            ("serve auth create", None), ("serve auth delete", 3), ("serve undo", None),
        ]  # fmt: skip
        assert undo(served, 1).status == 200
        assert served.ask("GET", "/api/v2/orgs", token=made["token"]).status == 401
        numbers = [undo(served, number).status for number in ("0", "9", "1", "one", "9" * 5000)]
        assert numbers == [404, 404, 422, 400, 400]
    compared = Cli(tmp_path / "home").run_here("store", "diff", before, store)
    assert (compared.code, compared.stderr) == (0, ""), compared.stdout
