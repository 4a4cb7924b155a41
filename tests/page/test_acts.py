"""Each act on the page: what it leaves in the store is what the command line leaves there."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from shutil import copyfile

import pytest

import bolt_store
from recovery.metastore.store import MetaStore
from recovery.model.ids import Id
from recovery.model.password import password_matches
from recovery.secret import Secret
from tests.support.run_cli import Cli
from tests.support.served import Served, serving
from tests.support.stores import MadeStore, make_store
from tests.support.visitor import PageReply, Visitor

TIME = re.compile(rb"20\d\d-\d\d-\d\dT[0-9:.]+Z")


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


@pytest.fixture
def served(made: MadeStore) -> Iterator[Served]:
    with serving(made.path) as running:
        yield running


@pytest.fixture
def visitor(served: Served) -> Visitor:
    return Visitor(served)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home")


def content(path: Path) -> dict[tuple[bytes, bytes], bytes]:
    """Every key of a store, with times that do not matter."""
    with bolt_store.open(path, write=False) as db, db.view() as tx:
        return {
            (name, key): TIME.sub(b"TIME", value or b"")
            for name, bucket in tx.buckets()
            for key, value in bucket.items()
        }


def secret_of(reply: PageReply) -> str:
    found = re.search(r'id="secret" tabindex="0">([^<]+)<', reply.body)
    assert found, reply.text
    return unescape(found[1])


def stopped(visitor: Visitor, served: Served) -> None:
    """Stop on the page, and wait until the store is free."""
    reply = visitor.fill("/stop", "/stop")
    assert "The store is free" in reply.text
    served.process.wait(timeout=20)


def test_what_the_page_leaves_is_what_the_command_line_leaves(
    made: MadeStore, served: Served, visitor: Visitor, cli: Cli, tmp_path: Path
) -> None:
    other = tmp_path / "other.bolt"
    copyfile(made.path, other)
    reader, old, alice, bob = made.reader, made.old_operator, made.alice, made.bob
    org, bucket = f"/organizations/{made.org}", f"/buckets/{made.bucket}"
    steps: list[tuple[str, str, dict[str, str], list[object]]] = [
        (f"/tokens/{reader}", "/deactivate", {}, ["auth", "set-inactive", reader]),
        (
            f"/tokens/{reader}",
            "/description",
            {"description": "new"},
            ["auth", "update", reader, "--description", "new"],
        ),
        (f"/tokens/{old}/complete", "", {}, ["auth", "complete", old]),
        (f"/tokens/{old}/hash", "", {}, ["auth", "hash", old]),
        (f"/tokens/{reader}/delete", "", {}, ["auth", "delete", reader]),
        (
            f"/users/{bob}",
            "/name",
            {"name": "robert"},
            ["user", "rename", "--id", bob, "--new-name", "robert"],
        ),
        (f"/users/{bob}", "/deactivate", {}, ["user", "deactivate", "--id", bob]),
        (
            f"/users/{bob}",
            "/role",
            {"organization": made.org, "role": "owner"},
            ["org", "add-owner", "--username", "robert", "--org", "acme"],
        ),
        (f"/users/{alice}", "/instance", {}, ["instance", "add-owner", "--username", "alice"]),
        (
            org,
            "/edit",
            {"name": "acme2"},
            ["org", "rename", "--org", "acme", "--new-name", "acme2"],
        ),
        (
            org,
            "/edit",
            {"description": "d"},
            ["org", "update", "--org", "acme2", "--description", "d"],
        ),
        (
            bucket,
            "",
            {"name": "sensors2"},
            ["bucket", "rename", "--org", "acme2", "--name", "sensors", "--new-name", "sensors2"],
        ),
        (
            bucket,
            "",
            {"retention": "7d"},
            ["bucket", "update", "--org", "acme2", "--name", "sensors2", "--retention", "7d"],
        ),
        (
            f"/users/{bob}/delete",
            "",
            {"with_tokens": "1"},
            ["user", "delete", "--id", bob, "--with-tokens"],
        ),
    ]
    for page, rest, fields, words in steps:
        action = page + rest
        reply = visitor.fill(page, action, fields)
        if "sure" in {name for form in reply.forms for name in form.fields}:
            reply = visitor.send(reply, action)
        assert reply.status == 303, (action, reply.text)
        assert "Done." in visitor.get(reply.location).text
        ended = cli.run_here("--bolt-path", other, *words, "--yes")
        assert ended.code == 0, (words, ended.stderr)
    stopped(visitor, served)
    assert content(made.path) == content(other)
    assert cli.run_here("--bolt-path", made.path, "store", "check").code == 0


def test_an_operator_token_is_made_in_three_steps_and_shown_once(
    made: MadeStore, served: Served, visitor: Visitor, cli: Cli
) -> None:
    page = visitor.get("/tokens/new/operator")
    fields = {"act": "save", "understood": "1", "description": "recovery 4711"}
    reply = visitor.send(page, "/tokens/new/operator", fields)
    token = secret_of(reply)
    assert (reply.status, len(token)) == (200, 88)
    assert "the store keeps only its hash" in reply.text
    again = visitor.send(page, "/tokens/new/operator", fields)
    assert (again.status, token in again.body) == (422, False)
    assert "delete what it belongs to and make another" in again.text
    me = served.ask("GET", "/api/v2/me", token=token)
    assert (me.status, me.json["name"]) == (200, "alice")
    listed = visitor.get("/tokens?find=4711")
    assert "1 of 5 API tokens" in listed.text
    for path in ("/tokens", "/ledger", "/ledger.csv", "/backups", "/"):
        assert token not in visitor.get(path).body
    stopped(visitor, served)
    assert token.encode() not in Path(made.path.with_name("ledger.sqlite")).read_bytes()
    verified = cli.run_here("--bolt-path", made.path, "auth", "list")
    assert "recovery 4711" in verified.stdout
    assert cli.run_here("--bolt-path", made.path, "store", "check").code == 0


def permissions_of(served: Served, reply: PageReply) -> list[str]:
    found = re.search(r"<code>([0-9a-f]{16})</code>", reply.body)
    assert found
    record = served.ask("GET", f"/api/v2/authorizations/{found[1]}", token=served.key).json
    return sorted(
        f"{one['action']}:{one['resource']['type']}/{one['resource'].get('id', '*')}"
        for one in record["permissions"]
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"read": ["{bucket}"], "write": ["{bucket}"]},
            ["read:buckets/{bucket}", "write:buckets/{bucket}"],
        ),
        ({"read": ["{bucket}"], "every-write": "1"}, ["read:buckets/{bucket}", "write:buckets/*"]),
        ({"every-read": "1"}, ["read:buckets/*"]),
    ],
)
def test_a_read_write_token_permits_what_was_ticked(
    made: MadeStore,
    served: Served,
    visitor: Visitor,
    fields: dict[str, str | list[str]],
    expected: list[str],
) -> None:
    def filled(text: str) -> str:
        return text.format(bucket=made.bucket)

    sent = {
        name: [filled(one) for one in value] if isinstance(value, list) else value
        for name, value in fields.items()
    }
    path = "/tokens/new/read-write"
    reply = visitor.fill(path, path, {**sent, "organization": made.org, "act": "save"})
    assert permissions_of(served, reply) == [filled(one) for one in expected]


def test_without_scripts_a_search_keeps_the_ticks_and_says_what_it_will_be(
    made: MadeStore, visitor: Visitor
) -> None:
    path = "/tokens/new/read-write"
    reply = visitor.fill(
        path,
        path,
        {"read": [made.bucket], "search-write": "moni", "act": "find", "organization": made.org},
    )
    form = reply.form(path)
    assert form.fields["read"] == [made.bucket]
    assert "May read acme / sensors." in reply.text
    assert (reply.status, reply.body.count('name="write"')) == (200, 1)
    chosen = visitor.send(reply, path, {"act": "all-write"}).form(path)
    assert len(chosen.fields["write"]) == 1


def test_nothing_chosen_is_said_and_nothing_is_made(visitor: Visitor) -> None:
    for kind, message in (
        ("read-write", "Choose at least one bucket to read or write."),
        ("custom", "Choose at least one permission."),
        ("operator", "Tick that you understand"),
    ):
        path = f"/tokens/new/{kind}"
        reply = visitor.fill(path, path, {"act": "save", "description": "kept"})
        assert (reply.status, reply.form(path).fields["description"]) == (400, "kept")
        assert message in reply.text
        assert "Nothing was changed." in reply.text
    assert "0 changes in this session" in visitor.get("/").text


def test_all_access_and_custom_tokens_are_made(
    served: Served, visitor: Visitor, made: MadeStore
) -> None:
    path = "/tokens/new/all-access"
    reply = visitor.fill(path, path, {"organization": made.org, "act": "save"})
    assert len(permissions_of(served, reply)) == 43
    path = "/tokens/new/custom"
    sent = {
        "organization": made.org,
        "read": ["tasks"],
        "write": ["tasks", "labels"],
        "act": "save",
    }
    reply = visitor.fill(path, path, sent)
    expected = ["read:tasks/*", "write:labels/*", "write:tasks/*"]
    assert permissions_of(served, reply) == expected


def test_a_clone_has_the_rights_of_its_original(
    served: Served, visitor: Visitor, made: MadeStore
) -> None:
    for number in (1, 2):
        page = f"/tokens/{made.hashed}"
        reply = visitor.fill(page, f"{page}/clone")
        assert f"reads buckets (clone {number})" in reply.text
        assert permissions_of(served, reply) == ["read:buckets/*"]
        assert served.ask("GET", "/api/v2/buckets", token=secret_of(reply)).status == 200


def test_a_rotated_token_works_in_the_place_of_the_old_one(
    served: Served, visitor: Visitor, made: MadeStore
) -> None:
    page = f"/tokens/{made.hashed}/rotate"
    reply = visitor.fill(page, page)
    token = secret_of(reply)
    assert served.ask("GET", "/api/v2/buckets", token=token).status == 200
    assert visitor.get(f"/tokens/{made.hashed}").status == 404


def test_a_pasted_token_is_judged_and_forgotten(visitor: Visitor) -> None:
    path = "/tokens/verify"
    right = visitor.fill(path, path, {"secret": "canary-reader-token-0123456789"})
    assert "Yes: a server accepts it." in right.text
    assert "canary-reader" not in right.body
    wrong = visitor.fill(path, path, {"secret": "canary-nosuch-token-0123456789"})
    assert "No record has this token." in wrong.text


def test_the_last_way_in_is_taken_away_only_when_its_name_is_typed(
    visitor: Visitor, made: MadeStore
) -> None:
    path = f"/tokens/{made.operator}/delete"
    refused = visitor.fill(path, path, {"typed": "alice"})
    assert (refused.status, "is not its description" in refused.text) == (422, True)
    done = visitor.do(path, path, {"typed": "alice's Token"})
    assert "Done." in done.text
    assert "No token here is an operator token that works." in done.text


def test_a_password_is_reset_and_the_user_signs_in(
    made: MadeStore, served: Served, visitor: Visitor
) -> None:
    path = f"/users/{made.alice}/password"
    unlike = visitor.fill(
        path, path, {"password": "one-two-3", "again": "one-two-4", "how": "typed"}
    )
    assert (unlike.status, "not alike" in unlike.text) == (400, True)
    assert "one-two" not in unlike.body
    typed = {"password": "one-two-3", "again": "one-two-3", "how": "typed"}
    assert "Done." in visitor.do(path, path, typed).text
    made_for_her = visitor.fill(path, path, {"how": "made"})
    password = secret_of(made_for_her)
    assert password not in visitor.get("/").body
    other = Visitor(served, enter=False)
    assert other.sign_in("alice", "one-two-3").status == 403
    assert other.sign_in("alice", password).location == "/"
    assert "session of alice" in other.get("/").text


def test_a_user_is_made_with_a_role_and_a_password(
    made: MadeStore, served: Served, visitor: Visitor
) -> None:
    sent = {"name": "carol", "organization": made.org, "role": "member", "how": "made"}
    reply = visitor.fill("/users/new", "/users/new", sent)
    password = secret_of(reply)
    found = served.ask("GET", "/api/v2/users?name=carol", token=served.key).json["users"][0]
    page = visitor.get(f"/users/{found['id']}").text
    assert "Member of acme" in page
    assert "Can sign in with the right password." in page
    stopped(visitor, served)
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        stored = tx.passwords.get(Id(found["id"]))
    assert stored is not None
    assert password_matches(Secret(password), stored)


def test_an_organization_and_a_bucket_are_made_and_deleted(
    served: Served, visitor: Visitor
) -> None:
    reply = visitor.do("/organizations/new", "/organizations/new", {"name": "plant"})
    assert "plant" in reply.text
    path = next(form.action for form in reply.forms if form.action.endswith("/buckets"))
    page = path.removesuffix("/buckets")
    assert "machines" in visitor.do(page, path, {"name": "machines", "retention": "4w"}).text
    bad = visitor.fill(page, path, {"name": "more", "retention": "soon"})
    assert (bad.status, "0 for ever" in bad.text) == (400, True)
    listed = served.ask("GET", "/api/v2/buckets?org=plant", token=served.key).json["buckets"]
    seconds = {one["name"]: one["retentionRules"] for one in listed}["machines"][0]["everySeconds"]
    assert seconds == 28 * 86400
    assert "Done." in visitor.do(f"{page}/delete", f"{page}/delete").text
    assert visitor.get(page).status == 404


def test_one_change_and_all_changes_are_taken_back(
    made: MadeStore, served: Served, visitor: Visitor, tmp_path: Path
) -> None:
    copyfile(made.path, tmp_path / "before.bolt")
    token = f"/tokens/{made.reader}"
    visitor.do(token, f"{token}/deactivate")
    visitor.do(token, f"{token}/description", {"description": "other"})
    newest = visitor.do("/backups/undo/2", "/backups/undo/2")
    assert "taken back by 3" in newest.text
    wrong = visitor.fill("/backups/undo-all", "/backups/undo-all", {"typed": "yes"})
    assert wrong.status == 422
    reply = visitor.do("/backups/undo-all", "/backups/undo-all", {"typed": "influxd.bolt"})
    assert "taken back by 4" in reply.text
    stopped(visitor, served)
    assert content(made.path) == content(tmp_path / "before.bolt")


def test_the_ledger_says_who_did_what_and_a_spreadsheet_runs_nothing(
    visitor: Visitor, made: MadeStore
) -> None:
    page = f"/tokens/{made.reader}"
    visitor.do(page, f"{page}/deactivate")
    reply = visitor.get("/ledger?find=set-inactive")
    assert "serve auth set-inactive" in reply.text
    assert "console key" in reply.text
    table = visitor.get("/ledger.csv")
    assert (
        table.header("Content-Disposition") == 'attachment; filename="influx-recovery-ledger.csv"'
    )
    lines = table.body.splitlines()
    assert (lines[0].split(",")[0], len(lines)) == ("number", 3)
    assert not any(cell.startswith(("=", "+", "@")) for line in lines for cell in line.split(","))
