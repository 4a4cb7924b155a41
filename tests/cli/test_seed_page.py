"""The examples of InfluxDB's page "Create a token", with another program's name before them.

Source: docs.influxdata.com/influxdb/v2/admin/tokens/create-token, its examples of `influx auth
create`, and the body of `POST /api/v2/authorizations`. The bucket IDs and names are put in.
"""

import json
import shlex
from pathlib import Path
from typing import Final

import pytest

from tests.support.run_cli import Cli
from tests.support.stores import MadeStore, make_store

EXAMPLES: Final = {
    "auth create --org {org} --all-access": 43,
    "auth create --org {org} --operator": 44,
    "auth create --org {org} --read-bucket {bucket} --read-bucket {bucket} --read-dashboards "
    "--read-tasks --read-telegrafs --read-user": 5,
    "auth create --org {org} --user {user} --read-authorizations --write-authorizations "
    "--read-buckets --write-buckets --read-dashboards --write-dashboards --read-tasks "
    "--write-tasks --read-telegrafs --write-telegrafs --read-users --write-users": 12,
    "auth create -o {org} -u {user} -d words --write-bucket sensors": 1,
    "auth create --org-id {org_id} --user {user} --write-bucket {bucket}": 1,
    "recovery auth create-operator --org {org} --username {user}": 44,
}


@pytest.fixture
def store(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


def filled(example: str, store: MadeStore) -> list[str]:
    """Put the names of a store into an example; the page itself names the user only once."""
    line = example.format(org="acme", org_id=store.org, user="alice", bucket=store.bucket)
    words = shlex.split(line)
    return words if "alice" in words else [*words, "--user", "alice"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_works_in_a_script(cli: Cli, store: MadeStore, example: str) -> None:
    token = cli.home / "token"
    done = cli.run_here(
        *filled(example, store),
        *("--bolt-path", store.path, "--yes", "--token-file", token, "--json"),
    )
    assert (done.code, done.stderr.count("error:")) == (0, 0)
    assert EXAMPLES[example] == json.loads(done.stdout)["plan"]["permission_count"]
    assert len(token.read_text()) == 89


@pytest.mark.pty
def test_the_syntax_line_of_the_page_works_at_a_terminal(cli: Cli, store: MadeStore) -> None:
    words = filled("auth create -o {org} --user {user} --read-bucket {bucket}", store)
    with cli.at_terminal(*words, "--bolt-path", store.path) as terminal:
        terminal.wait_for("Type yes")
        terminal.type("yes\n")
        ended = terminal.end()
    assert ended.code == 0
    assert "shown only this once" in ended.stdout


def test_the_body_of_the_request_makes_the_token_that_it_describes(
    cli: Cli, store: MadeStore
) -> None:
    resource = {"type": "buckets", "name": "sensors", "orgID": store.org}
    body = {
        "status": "active",
        "description": "iot-center-device",
        "orgID": store.org,
        "userID": store.alice,
        "permissions": [{"action": action, "resource": resource} for action in ("read", "write")],
    }
    place = cli.home / "body.json"
    place.write_text(json.dumps(body))
    words = ("auth", "create", "--permissions", place, "--dry-run", "--json")
    done = cli.run_here(*words, "--bolt-path", store.path)
    assert done.code == 0, done.stderr
    plan = json.loads(done.stdout)["plan"]
    assert (plan["description"], plan["user"]) == ("iot-center-device", "alice")
    assert plan["permissions"] == [
        f"{action}:orgs/{store.org}/buckets/{store.bucket}" for action in ("read", "write")
    ]
    twice = cli.run_here(*words, "--bolt-path", store.path, "--user", "bob")
    assert (twice.code, "twice" in twice.stderr) == (2, True)


def test_an_id_is_taken_where_a_name_is(cli: Cli, store: MadeStore) -> None:
    for words in (
        ("user", "show", store.alice),
        ("user", "show", "--id", "alice"),
        ("user", "show", "--user", "alice"),
        ("auth", "list", "--user-id", store.alice, "--org-id", store.org),
        ("bucket", "list", "-o", store.org),
        ("auth", "show", "--id", store.operator),
    ):
        done = cli.run_here(*words, "--bolt-path", store.path)
        assert done.code == 0, done.stderr
        assert "alice" in done.stdout or "acme" in done.stdout


def test_it_is_said_where_the_token_went(cli: Cli, store: MadeStore) -> None:
    words = ("auth", "create", "-u", "alice", "-o", "acme", "--all-access", "--yes")
    token = cli.home / "token"
    done = cli.run_here(*words, "--token-file", token, "--bolt-path", store.path)
    assert (done.code, f"Token: in {token}" in done.stdout) == (0, True)
    done = cli.run(*words, "--token-file", "-", "--bolt-path", store.path)
    assert (done.code, len(done.stdout)) == (0, 89)
    assert not (cli.home / "-").exists()


def test_a_plan_says_in_words_what_is_permitted(cli: Cli, store: MadeStore) -> None:
    done = cli.run_here(
        *("auth", "create", "--org", "acme", "--user", "alice", "--dry-run"),
        *("--read-notificationRules", "--read-orgs", "--read-dbrps", "--read-telegrafs"),
        *("--bolt-path", store.path),
    )
    plan = " ".join((done.stdout + done.stderr).split())
    assert "read all organizations of the server" in plan
    for words in ("Telegraf configurations", "notification rules", "mappings of 1.x databases"):
        assert f"read all {words} of organization acme" in plan


def test_a_new_user_is_made_a_member_or_an_owner(cli: Cli, store: MadeStore) -> None:
    words = ("user", "create", "--username", "carol", "--no-password", "--dry-run")
    for option, role in (("--member-of", "a member"), ("--owner-of", "an owner")):
        done = cli.run_here(*words, option, "acme", "--bolt-path", store.path)
        assert f"make it {role} of the organization acme" in done.stdout + done.stderr
