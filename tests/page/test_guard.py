"""Who is let in at the page, and what makes a form one of ours."""

import asyncio
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from recovery.daemon.page.router import Page
from recovery.daemon.request import Request
from recovery.daemon.throttle import Throttle
from recovery.secret import Secret
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import SetPassword
from tests.support.run_cli import Cli
from tests.support.served import Served, free_port, serving
from tests.support.stores import MadeStore, SeededRng, change, make_store
from tests.support.visitor import Visitor


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    made = make_store(tmp_path_factory.mktemp("page-guard") / "influxd.bolt", level=21)
    for user_id in (made.alice, made.bob):
        change(
            made.path,
            SetPassword(
                user=UserChoice(name=None, user_id=user_id),
                password=Secret("canary-password"),
                is_activated=False,
                is_ensured=False,
            ),
        )
    return made


@pytest.fixture(scope="module")
def served(made: MadeStore) -> Iterator[Served]:
    with serving(made.path) as running:
        yield running


def change_count(visitor: Visitor) -> str:
    found = re.search(r"(\d+) changes? in this session", visitor.get("/keys").text)
    assert found
    return found[1]


@pytest.mark.parametrize(
    "path", ["/tokens", "/users/x", "/map", "/nosuch/of/all", "/tokens/new/operator"]
)
def test_nobody_sees_anything_without_a_session(served: Served, path: str) -> None:
    stranger = Visitor(served, enter=False)
    reply = stranger.get(path)
    if path.startswith("/nosuch"):
        assert reply.status == 404
    else:
        assert (reply.status, reply.location) == (303, f"/console?next={path}")
    assert reply.body == "" or "canary" not in reply.body


@pytest.mark.parametrize("key", ["", "short-key", "A" * 88, "canary-operator-token-0123456789"])
def test_a_wrong_key_opens_nothing(served: Served, key: str) -> None:
    stranger = Visitor(served, enter=False)
    reply = stranger.enter(key)
    assert (reply.status, stranger.cookie) == (403, "")
    assert "That is not the key of this run." in reply.text
    assert not key or key not in reply.body


def test_the_key_leads_where_somebody_wanted_to_go_and_only_here(served: Served) -> None:
    stranger = Visitor(served, enter=False)
    page = stranger.get("/console?next=/users")
    assert stranger.send(page, "/console", {"key": served.key}).location == "/users"
    for elsewhere in ("//evil.test", "https://evil.test/", "/\\evil.test", "/%0d%0aX:y"):
        page = stranger.get(f"/console?next={elsewhere}")
        assert stranger.send(page, "/console", {"key": served.key}).location == "/"


def test_keeping_open_leads_back_and_nowhere_else(visitor: Visitor, served: Served) -> None:
    assert visitor.get("/keep-open?next=/users").location == "/users"
    assert visitor.get("/keep-open?next=https://evil.test/").location == "/"
    stranger = Visitor(served, enter=False)
    assert stranger.get("/keep-open?next=/users").location.startswith("/console")


def test_the_cookie_is_for_this_page_alone(served: Served) -> None:
    stranger = Visitor(served, enter=False)
    cookie = stranger.enter(served.key).header("Set-Cookie") or ""
    name, _, attributes = cookie.partition("; ")
    assert (name.split("=")[0], attributes) == (
        "influx-recovery",
        "Path=/; HttpOnly; SameSite=Strict",
    )
    key = name.split("=", 1)[1]
    assert (
        served.ask("GET", "/api/v2/me", headers={"Cookie": f"influxdb-oss-session={key}"}).status
        == 401
    )
    assert served.ask("GET", "/api/v2/me", token=key).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.test"},
        {"Host": "127.0.0.1:1"},
        {"X-Forwarded-Host": "evil.test"},
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "Token x"},
    ],
)
def test_a_form_from_elsewhere_is_refused_with_everything_else_right(
    visitor: Visitor, made: MadeStore, headers: dict[str, str]
) -> None:
    page = f"/tokens/{made.reader}"
    form = visitor.get(page).form(f"{page}/description")
    fields = {**form.fields, "description": "stolen"}
    reply = visitor.ask("POST", form.action, fields, headers)
    assert (reply.status, "127.0.0.1" in reply.text) == (403, True)
    assert "stolen" not in visitor.get(page).body


@pytest.mark.parametrize("field", ["once", "token"])
@pytest.mark.parametrize("value", [None, "", "0" * 64, "ÿ"])
def test_a_form_without_its_own_token_is_refused(
    visitor: Visitor, made: MadeStore, field: str, value: str | None
) -> None:
    page = f"/tokens/{made.reader}"
    form = visitor.get(page).form(f"{page}/description")
    fields = {**form.fields, "description": "stolen", field: value or ""}
    if value is None:
        del fields[field]
    reply = visitor.ask("POST", form.action, fields)
    assert (reply.status, "not of this session" in reply.text) == (422, True)
    assert "stolen" not in visitor.get(page).body


def test_a_form_of_another_path_or_another_session_is_refused(
    served: Served, visitor: Visitor, made: MadeStore
) -> None:
    page = f"/tokens/{made.reader}"
    form = visitor.get(page).form(f"{page}/description")
    fields = {**form.fields, "description": "stolen"}
    assert visitor.ask("POST", f"/tokens/{made.hashed}/description", fields).status == 422
    assert Visitor(served).ask("POST", form.action, fields).status == 422
    assert visitor.ask("POST", form.action, {}, {"Content-Type": "text/plain"}).status == 400


def test_a_form_sent_twice_is_carried_out_once(visitor: Visitor, made: MadeStore) -> None:
    page = f"/tokens/{made.hashed}"
    form = visitor.get(page)
    fields = {"description": f"twice {os.getpid()}"}
    before = int(change_count(visitor))
    first = visitor.send(form, f"{page}/description", fields)
    second = visitor.send(form, f"{page}/description", fields)
    assert (first.status, first.location) == (303, second.location)
    assert int(change_count(visitor)) == before + 1
    visitor.get(first.location)
    visitor.get(first.location)
    assert int(change_count(visitor)) == before + 1


def test_a_session_that_ended_changes_nothing(served: Served, made: MadeStore) -> None:
    visitor = Visitor(served)
    page = f"/tokens/{made.reader}"
    form = visitor.get(page).form(f"{page}/description")
    assert visitor.fill("/keys", "/leave").location == "/console"
    reply = visitor.ask("POST", form.action, {**form.fields, "description": "late"})
    assert (reply.status, "Your session has ended. Nothing was changed." in reply.text) == (
        401,
        True,
    )
    assert "late" not in Visitor(served).get(page).body
    token = "Zm9vYmFy" * 11
    pasted = visitor.ask("POST", form.action, {**form.fields, "description": token})
    assert (pasted.status, token in pasted.body) == (401, False)
    wrong = visitor.send(reply, "/console", {"key": "not it"})
    entered = visitor.send(wrong, "/console", {"key": served.key})
    assert entered.location == form.action
    again = visitor.get(entered.location)
    assert again.form(form.action).fields["description"] == "late"
    assert "What you typed before your session ended is here again" in again.text
    assert "late" not in visitor.get(entered.location).body  # once is enough
    done = visitor.send(again, form.action)
    assert "late" in visitor.get(done.location).body


@pytest.mark.parametrize(
    ("path", "typed", "secret"),
    [
        ("/tokens/verify", {"secret": "canary-typed-1"}, "canary-typed-1"),
        (
            "/users/new",
            {"name": "carol", "password": "canary-typed-2", "again": "canary-typed-2"},
            "canary-typed-2",
        ),
        ("/tokens/new/operator", {"description": "ours", "nosuch": "canary-typed-3"}, "canary"),
    ],
)
def test_no_secret_is_kept_from_a_session_that_ended(
    served: Served, path: str, typed: dict[str, str], secret: str
) -> None:
    visitor = Visitor(served)
    form = visitor.get(path).form(path)
    visitor.fill("/keys", "/leave")
    ended = visitor.ask("POST", path, {**form.fields, **typed})
    assert str(form.fields["token"]) not in ended.body
    assert secret not in ended.body
    smuggled = {"key": served.key, "kept": f"secret={secret}&password={secret}&name=carol"}
    entered = visitor.send(ended, "/console", smuggled)
    assert (entered.status, entered.location) == (303, path)
    again = visitor.get(path)
    assert secret not in again.body
    assert ('value="carol"' in again.body) == (path == "/users/new")


@pytest.mark.parametrize(
    ("page", "action", "field"),
    [
        ("/tokens/{hashed}", "/tokens/{hashed}/description", "description"),
        ("/organizations/{other_org}", "/organizations/{other_org}/edit", "name"),
        ("/buckets/{bucket}", "/buckets/{bucket}", "name"),
    ],
)
def test_what_was_changed_in_another_tab_is_not_written_over(
    visitor: Visitor, made: MadeStore, page: str, action: str, field: str
) -> None:
    page, action = page.format_map(vars(made)), action.format_map(vars(made))
    first, second = (visitor.get(page) for _ in range(2))
    assert visitor.send(first, action, {field: "of the first"}).status == 303
    refused = visitor.send(second, action, {field: "of the second"})
    assert (refused.status, "changed elsewhere" in refused.text) == (422, True)
    assert "Nothing was changed." in refused.text
    assert refused.form(action).fields[field] == "of the second"
    assert visitor.get(page).form(action).fields[field] == "of the first"
    assert visitor.send(refused, action).status == 303  # whoever has looked may


def test_all_is_taken_back_only_as_it_was_shown(visitor: Visitor, made: MadeStore) -> None:
    path = "/backups/undo-all"
    page = f"/tokens/{made.hashed}"
    visitor.do(page, f"{page}/description", {"description": "one"})
    asked = visitor.get(path)
    visitor.do(page, f"{page}/description", {"description": "two"})
    refused = visitor.send(asked, path, {"typed": made.path.name})
    assert (refused.status, "changed elsewhere" in refused.text) == (422, True)
    assert "two" in visitor.get(page).text


def test_a_user_sees_and_does_what_a_session_of_influxdb_may(
    served: Served, made: MadeStore
) -> None:
    bob = Visitor(served, enter=False)
    assert bob.sign_in("bob", "canary-password").location == "/"
    assert "session of bob" in bob.get("/").text
    listed = bob.get("/tokens").text + bob.get("/").text
    assert "alice's Token" not in listed
    links = [link for link in bob.get("/").links if not link.startswith("#")]
    assert {link: bob.get(link).status for link in links} == dict.fromkeys(links, 200)
    for path in (
        "/doctor",
        "/ledger",
        "/backups",
        "/backups/deleted",
        f"/backups/deleted/users/{made.bob}",
        f"/backups/deleted/tokens/{made.hashed}",
        "/map",
        "/map/file",
        "/stop",
        "/tokens/new/operator",
    ):
        assert bob.get(path).status == 403, path
    for path in (f"/tokens/{made.operator}", f"/users/{made.alice}", "/users/new"):
        assert bob.get(path).status == 401, path
    own = f"/users/{made.bob}"
    assert "Done." in bob.do(own, f"{own}/name", {"name": "bobby"}).text
    path = "/tokens/new/read-write"
    refused = bob.fill(path, path, {"every-write": "1", "organization": made.org, "act": "save"})
    assert (refused.status, "may not do this" in refused.text) == (401, True)
    bob.do(own, f"{own}/name", {"name": "bob"})


def test_wrong_passwords_are_counted_and_say_nothing(tmp_path: Path) -> None:
    """In a daemon of its own, because nobody can sign in for a minute afterwards."""
    store, strong = make_store(tmp_path / "influxd.bolt", level=21).path, "INFLUXD_STRONG_PASSWORDS"
    with serving(store, environ={strong: "true"}) as running:
        stranger = Visitor(running, enter=False)
        names = ("alice", "nobody", "", "bob")
        sentences = {stranger.sign_in(name, "wrong password").text for name in names}
        assert len(sentences) == 1
        again = stranger.sign_in("alice", "wrong password").body
        assert "open>\n<summary>" in again  # the fields are there for the next try
        codes = [stranger.sign_in("alice", "wrong password").status for _ in range(7)]
        assert codes[-1] == 429
        rule = "8 to 72 bytes, with three of these four in it"
        assert rule in Visitor(running).get("/users/new").text


def test_the_code_on_the_terminal_opens_the_page_once(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    port, cli = free_port(), Cli(tmp_path / "home")
    words = ("serve", "--bolt-path", made.path, "--listen", f"127.0.0.1:{port}")
    with cli.at_terminal(*words) as terminal:
        terminal.wait_for("in a browser")
        found = re.search(r"\n([A-Z2-9]{4}-[A-Z2-9]{4})\r?\n", terminal.text)
        assert found, terminal.text
        served = Served(port=port, key="", process=None)  # type: ignore[arg-type] # of the terminal
        phone = Visitor(served, enter=False)
        assert phone.enter("WRNG-CQDE").status == 403
        assert phone.enter(found[1].lower().replace("-", " ")).location == "/"
        assert phone.get("/tokens").status == 200
        again = Visitor(served, enter=False).enter(found[1])
        assert "The code has been used. Take the key from the terminal." in again.text
        phone.fill("/stop", "/stop")
        deadline = time.monotonic() + 20
        assert terminal.end().code == 0
        assert time.monotonic() < deadline


def test_what_crashes_is_said_on_a_page_and_leads_back() -> None:
    nothing = SimpleNamespace(clock=None, rng=SeededRng())
    page = Page(nothing, None, None, None)  # type: ignore[arg-type] # so that all of it fails
    request = Request(method="GET", path="/console", query={}, headers={"host": "localhost"})
    with ThreadPoolExecutor(1) as aside:  # a browser test may run a loop of its own in this one
        coroutine = page.answer(request, port=None, throttle=Throttle())
        answer = aside.submit(asyncio.run, coroutine).result()
    assert answer.status == 500
    assert b"Something went wrong in influx-recovery itself" in answer.body
    assert b'href="/"' in answer.body


def test_reading_only_says_so_and_offers_no_change(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    with serving(made.path, "--read-only") as running:
        visitor = Visitor(running)
        page = visitor.get(f"/tokens/{made.reader}")
        assert "reading only" in page.text
        assert [form.action for form in page.forms] == ["/leave"]
        for path in ("/", "/tokens", f"/users/{made.bob}", "/tokens/new/read-write"):
            page = visitor.get(path)
            offered = [one for one in page.links if one.endswith("/password")]
            offered += [one for one in page.links if "/new" in one and one != path]
            assert (offered, '"save"' in page.body) == ([], False), path
        path = "/tokens/new/operator"
        reply = visitor.fill(path, path, {"act": "save", "understood": "1"})
        assert (reply.status, "open for reading only" in reply.text) == (503, True)
