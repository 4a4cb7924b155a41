"""Each screen, by a real daemon: that it is there, small, safe, and says what it should."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.canaries import leaks
from tests.support.served import Served, serving
from tests.support.stores import (
    HASHED_TOKEN,
    LEGACY_PASSWORD,
    OLD_OPERATOR_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    make_store,
)
from tests.support.visitor import PageReply, Visitor

PAGE_SIZE_BYTES_MAX: Final = 60_000
SCRIPT_SIZE_BYTES_MAX: Final = 8_000
SECRETS: Final = (
    OPERATOR_TOKEN,
    OLD_OPERATOR_TOKEN,
    READER_TOKEN,
    HASHED_TOKEN,
    LEGACY_PASSWORD,
)
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Type": "text/html; charset=utf-8",
}
SCREENS: Final = {
    "/": "Who can get in",
    "/tokens": "4 API tokens. Values are never shown here.",
    "/tokens?sort=owner&find=reads": "2 of 4 API tokens",
    "/tokens?find=status:inactive": "No API token matches “status:inactive”.",
    "/tokens/{operator}": "It can do everything in all organizations.",
    "/tokens/{old_operator}": "operator, older",
    "/tokens/{reader}": "Read acme / sensors",
    "/tokens/new/read-write": "All buckets, also future ones",
    "/tokens/new/all-access": "It can read, write and delete everything",
    "/tokens/new/custom": "notificationEndpoints",
    "/tokens/new/operator": "44 permissions",
    "/tokens/verify": "It is compared and forgotten",
    "/tokens/{operator}/delete": "Afterwards no full operator token is left",
    "/tokens/{reader}/rotate": "Rotate this token?",
    "/tokens/{reader}/hash": "Keep only the hash",
    "/tokens/{old_operator}/complete": "Complete this operator token?",
    "/users": "no, because it has no password",
    "/users?find=bob": "1 user",
    "/users/new": "Make a user",
    "/users/{bob}": "Member of acme",
    "/users/{bob}/password": "Reset the password of bob",
    "/users/{bob}/delete": "Delete its tokens too",
    "/organizations": "2 organizations",
    "/organizations/new": "Make an organization",
    "/organizations/{org}": "sensors",
    "/organizations/{other_org}/delete": "Delete this organization?",
    "/buckets/{bucket}": "30d",
    "/buckets/{bucket}/delete": "Delete this bucket?",
    "/map": "alice can reach everything",
    "/map?bucket=sensors": "read acme / sensors",
    "/map?user=nobody": "No way leads there.",
    "/map/file": "hold keys and values",
    "/doctor": "InfluxDB will start",
    "/doctor/repair": "There is nothing to do.",
    "/backups": "Nothing was changed yet.",
    "/backups/undo-all": "There is nothing to take back.",
    "/backups/deleted": "Nothing was found.",
    "/ledger": "The ledger is empty.",
    "/keys": "goes to the filter",
    "/stop": "Stop and release the store",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    return make_store(tmp_path_factory.mktemp("screens") / "influxd.bolt", level=21)


@pytest.fixture(scope="module")
def served(made: MadeStore) -> Iterator[Served]:
    with serving(made.path) as running:
        yield running


@pytest.fixture(scope="module")
def visitor(served: Served) -> Visitor:
    return Visitor(served)


def shown(visitor: Visitor, made: MadeStore, path: str) -> PageReply:
    return visitor.get(path.format_map(vars(made)))


@pytest.mark.parametrize("path", SCREENS)
def test_a_screen_is_there_small_and_safe(visitor: Visitor, made: MadeStore, path: str) -> None:
    reply = shown(visitor, made, path)
    assert (reply.status, reply.text.count(SCREENS[path]) > 0) == (200, True), reply.text
    assert len(reply.body.encode()) <= PAGE_SIZE_BYTES_MAX
    assert {name: reply.header(name) for name in HEADERS} == HEADERS
    assert not leaks(SECRETS, reply.body.encode())
    assert [one for one, count in Counter(reply.ids).items() if count > 1] == []
    for inline in ("<style", " style=", "javascript:", " onclick=", "data:"):
        assert inline not in reply.body
    assert reply.body.count("<script") == reply.body.count('<script src="/static/page-') == 1


def test_every_link_of_every_screen_leads_to_a_screen(visitor: Visitor, made: MadeStore) -> None:
    found = {link for path in SCREENS for link in shown(visitor, made, path).links}
    own = sorted(link for link in found if not link.startswith("#"))
    assert len(own) > 40
    assert {link for link in own if not link.startswith("/")} == set()
    assert {link: visitor.get(link).status for link in own} == dict.fromkeys(own, 200)


def test_every_form_goes_where_a_form_is_carried_out(visitor: Visitor, made: MadeStore) -> None:
    """An empty form is refused by a form's handler, which is not a page that is not there."""
    forms = {form.action: form for path in SCREENS for form in shown(visitor, made, path).forms}
    for action, form in forms.items():
        if form.method == "post":
            assert {"once", "token"} <= form.fields.keys(), action
            assert visitor.ask("POST", action, {}).status == 422, action


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tokens/00000000000000aa", 404),
        ("/tokens/zz", 404),
        ("/users/00000000000000aa", 404),
        ("/organizations/00000000000000aa", 404),
        ("/buckets/00000000000000aa", 404),
        ("/backups/undo/7", 404),
        ("/map/nothing", 404),
        ("/tokens/", 404),
    ],
)
def test_what_is_not_there_is_said_on_a_page(visitor: Visitor, path: str, status: int) -> None:
    reply = visitor.get(path)
    assert (reply.status, 'role="alert"' in reply.body) == (status, True)
    assert "Nothing was changed." in reply.text or status == 404


def test_what_is_no_path_of_the_page_is_left_to_the_api(visitor: Visitor) -> None:
    assert visitor.get("/nosuch").header("X-Platform-Error-Code") == "not found"
    assert visitor.get("/api/v2/me").status == 401


@pytest.mark.parametrize("path", ["/signin?returnTo=/orgs", "/orgs/0a/load-data/tokens", "/api"])
def test_a_browser_is_led_back_from_where_nothing_is(
    served: Served, visitor: Visitor, path: str
) -> None:
    accepted = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for one, way_back in ((visitor, "/tokens"), (Visitor(served, enter=False), "/")):
        reply = one.ask("GET", path, headers=accepted)
        assert (reply.status, "There is no such page." in reply.text) == (404, True)
        assert {name: reply.header(name) for name in HEADERS} == HEADERS
        assert way_back in reply.links
    assert (
        visitor.ask("GET", "/api/v2/me", headers=accepted).header("Content-Type")
        != (HEADERS["Content-Type"])
    )


def test_what_is_too_long_is_said_on_a_page(visitor: Visitor) -> None:
    visitor.get("/")
    reply = visitor.ask("POST", "/tokens/verify", {"secret": "x" * (1 << 20)})
    assert (reply.status, "Nothing was changed." in reply.text) == (413, True)
    assert reply.links == ["/"]


def test_static_files_are_named_by_their_content_and_may_be_kept(visitor: Visitor) -> None:
    body = visitor.get("/").body
    names = {part.partition('"')[0] for part in body.split('"/static/')[1:]}
    assert len(names) == 3
    for name in names:
        reply = visitor.get(f"/static/{name}")
        assert (reply.status, reply.header("Cache-Control")) == (
            200,
            "public, max-age=31536000, immutable",
        )
        if name.endswith(".js"):
            assert len(reply.body.encode()) <= SCRIPT_SIZE_BYTES_MAX
    assert visitor.get("/static/page.css").status == 404


def test_head_is_answered_as_get_is(visitor: Visitor) -> None:
    reply = visitor.ask("HEAD", "/tokens")
    assert (reply.status, reply.body) == (200, "")


def test_a_name_of_the_store_never_becomes_markup(visitor: Visitor, made: MadeStore) -> None:
    reply = shown(visitor, made, "/tokens")
    assert "reads &lt;sensors&gt; &amp; \\u2028" in reply.body
    assert "<sensors>" not in reply.body
