"""Each act on the page: what it leaves in the store is what the command line leaves there."""

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest

import bolt_store
from recovery.metastore.store import MetaStore
from recovery.model.ids import Id
from recovery.model.password import password_matches
from recovery.secret import Secret
from tests.support.canaries import leaks
from tests.support.run_cli import Cli
from tests.support.served import Served, serving
from tests.support.stores import HASHED_TOKEN, OPERATOR_TOKEN, READER_TOKEN, MadeStore
from tests.support.visitor import Visitor

TIME = re.compile(rb"20\d\d-\d\d-\d\dT[0-9:.]+Z")


@pytest.fixture
def served(made: MadeStore) -> Iterator[Served]:
    with serving(made.path) as running:
        yield running


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
        ("/tokens", "/status", {"deactivate": reader}, ["auth", "set-inactive", reader]),
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
            bucket,
            "",
            {"retention": "2h"},
            ["bucket", "update", "--org", "acme2", "--name", "sensors2", "--retention", "2h"],
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
    token = reply.secret
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


def test_a_rotated_token_works_in_the_place_of_the_old_one(
    served: Served, visitor: Visitor, made: MadeStore
) -> None:
    page = f"/tokens/{made.hashed}/rotate"
    reply = visitor.fill(page, page)
    token = reply.secret
    assert served.ask("GET", "/api/v2/buckets", token=token).status == 200
    assert visitor.get(f"/tokens/{made.hashed}").status == 404


def test_the_last_way_in_is_taken_away_only_when_its_name_is_typed(
    visitor: Visitor, made: MadeStore
) -> None:
    page = f"/tokens/{made.operator}"
    edited = visitor.get(page).form(f"{page}/description").fields
    off = {name: value for name, value in edited.items() if name != "active"}
    asked = visitor.ask("POST", f"{page}/description", {**off, "description": "off"})
    assert "Deactivate this token?" in asked.text
    assert "alice's Token" in visitor.get(page).text
    path = f"/tokens/{made.operator}/delete"
    refused = visitor.fill(path, path, {"typed": "alice"})
    assert (refused.status, "is not its description" in refused.text) == (400, True)
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
    password = made_for_her.secret
    assert password not in visitor.get("/").body
    other = Visitor(served, enter=False)
    assert other.sign_in("alice", "one-two-3").status == 403
    assert other.sign_in("alice", password).location == "/"
    assert "session of alice" in other.get("/").text


@pytest.mark.parametrize("how", ["password", "new"])
@pytest.mark.parametrize(
    ("password", "remark"),
    [
        ("one-two-3 ", "The password ends with a blank; that is taken as it is"),
        ("\N{NO-BREAK SPACE}one-two-3", "begins with U+00A0 (no-break space)"),
        ('"one-two-3"', "is in quotation marks"),
        ("one two 3", ""),
    ],
)
def test_an_odd_password_is_taken_as_it_is_and_remarked_on(
    made: MadeStore, served: Served, visitor: Visitor, how: str, password: str, remark: str
) -> None:
    path = f"/users/{made.alice}/password" if how == "password" else "/users/new"
    who = {} if how == "password" else {"name": "carol", "organization": made.org, "role": "owner"}
    typed = {**who, "password": password, "again": password, "how": "typed"}
    done = visitor.do(path, path, typed)
    assert "Done." in done.text
    assert remark in done.text
    assert ("taken as it is" in done.text) is bool(remark)
    assert "one-two" not in done.text
    other = Visitor(served, enter=False)
    assert other.sign_in("alice" if how == "password" else "carol", password).location == "/"


def test_the_api_takes_an_odd_password_as_it_is_without_a_word(
    made: MadeStore, served: Served
) -> None:
    path = f"/api/v2/users/{made.alice}/password"
    for password in (" one-two-3", "one-two-3\N{ZERO WIDTH SPACE}", '"one-two-3"'):
        answer = served.ask("POST", path, token=served.key, body={"password": password})
        assert (answer.status, answer.body) == (204, b"")
        assert Visitor(served, enter=False).sign_in("alice", password).location == "/"


def test_a_user_is_made_with_a_role_and_a_password(
    made: MadeStore, served: Served, visitor: Visitor
) -> None:
    sent = {"name": "carol", "organization": made.org, "role": "member", "how": "made"}
    reply = visitor.fill("/users/new", "/users/new", sent)
    password = reply.secret
    found = served.ask("GET", "/api/v2/users?name=carol", token=served.key).json["users"][0]
    page = visitor.get(f"/users/{found['id']}").text
    assert "Member of acme" in page
    assert "Can sign in with the right password." in page
    stopped(visitor, served)
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        stored = tx.passwords.get(Id(found["id"]))
    assert stored is not None
    assert password_matches(Secret(password), stored)


def test_one_change_and_all_changes_are_taken_back(
    made: MadeStore, served: Served, visitor: Visitor, tmp_path: Path
) -> None:
    copyfile(made.path, tmp_path / "before.bolt")
    token = f"/tokens/{made.reader}"
    visitor.do("/tokens", "/tokens/status", {"deactivate": made.reader})
    visitor.do(token, f"{token}/description", {"description": "other"})
    newest = visitor.do("/backups/undo/2", "/backups/undo/2")
    assert "taken back by 3" in newest.text
    wrong = visitor.fill("/backups/undo-all", "/backups/undo-all", {"typed": "yes"})
    assert wrong.status == 400
    reply = visitor.do("/backups/undo-all", "/backups/undo-all", {"typed": "influxd.bolt"})
    assert "taken back by 4" in reply.text
    stopped(visitor, served)
    assert content(made.path) == content(tmp_path / "before.bolt")


def test_what_was_deleted_before_comes_back_and_works(made: MadeStore, cli: Cli) -> None:
    for words in (("auth", "delete", made.hashed), ("user", "delete", "--id", made.bob)):
        ended = cli.run_here("--bolt-path", made.path, *words, "--yes")
        assert ended.code == 0, ended.stderr
    with serving(made.path) as served:
        visitor = Visitor(served)
        assert "/backups/deleted#tokens" in visitor.get("/tokens").links
        listed = visitor.get("/backups/deleted")
        assert "1 deleted user" in listed.text
        assert "not possible: its user bob" in listed.text
        assert not leaks((READER_TOKEN, HASHED_TOKEN, OPERATOR_TOKEN), listed.body.encode())
        user = f"/backups/deleted/users/{made.bob}"
        token = f"/backups/deleted/tokens/{made.hashed}"
        refused = visitor.get(token)
        assert (refused.status, "look at what was deleted" in refused.text) == (422, True)
        assert user in listed.links
        assert "The user is back." in visitor.do(user, user).text
        assert served.ask("GET", "/api/v2/buckets", token=HASHED_TOKEN).status == 401
        assert "The token is back" in visitor.do(token, token).text
        assert served.ask("GET", "/api/v2/buckets", token=HASHED_TOKEN).status == 200


def test_the_ledger_says_who_did_what_and_a_spreadsheet_runs_nothing(
    served: Served, visitor: Visitor, made: MadeStore
) -> None:
    visitor.do("/tokens", "/tokens/status", {"deactivate": made.reader})
    assert "serve running" in visitor.get("/ledger").text
    reply = visitor.get("/ledger?find=set-inactive")
    assert "serve auth set-inactive" in reply.text
    assert "console key" in reply.text
    body = {"status": "active"}
    path = f"/api/v2/authorizations/{made.reader}"
    assert served.ask("PATCH", path, token=OPERATOR_TOKEN, body=body).status == 200
    for path in ("/ledger", "/ledger.csv", "/backups", f"/ledger?find=token+{made.operator}"):
        assert f"API token {made.operator}" in visitor.get(path).text, path
    table = visitor.get("/ledger.csv")
    assert (
        table.header("Content-Disposition") == 'attachment; filename="influx-recovery-ledger.csv"'
    )
    lines = table.body.splitlines()
    assert (lines[0].split(",")[0], len(lines)) == ("number", 4)
    assert not any(cell.startswith(("=", "+", "@")) for line in lines for cell in line.split(","))
