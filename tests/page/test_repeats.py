"""Each form of the page, sent, sent again, gone back from and reloaded: carried out once.

The table has a job for every form; a route without one fails. Most are tried by requests, as a
browser sends them; some of them, and with --slow all, in a browser, by a double click.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from recovery.daemon.page.router import ROUTES
from tests.page.test_browser import Watched
from tests.support.served import Served, serving
from tests.support.stores import MadeStore, edit, make_store
from tests.support.visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

PASSWORD: Final = "long enough 1"
SHOWS_ONCE: Final = "Copy it now."
NUMBERS: Final = count(1)


class Job(NamedTuple):
    """A form that is filled and sent.

    Attributes:
        page: Where it stands; the names in braces are of `Spare`.
        fields: What is typed, chosen and ticked, and the button that has a name.
        makes: How many changes it makes.
    """

    page: str
    fields: Mapping[str, str] = {}
    makes: int = 1


JOBS: Final = {
    "/tokens/status": Job("/tokens?find={reader}", {"deactivate": "{reader}"}),
    "/tokens/verify": Job("/tokens/verify", {"secret": "nosuch"}, makes=0),
    "/tokens/new/read-write": Job("/tokens/new/read-write", {"every-read": "1", "act": "save"}),
    "/tokens/new/all-access": Job("/tokens/new/all-access", {"act": "save"}),
    "/tokens/new/custom": Job("/tokens/new/custom", {"read": "tasks", "act": "save"}),
    "/tokens/new/operator": Job("/tokens/new/operator", {"understood": "1", "act": "save"}),
    "/tokens/{token}/description": Job("/tokens/{token}", {"description": "new"}),
    "/tokens/{token}/clone": Job("/tokens/{token}"),
    "/tokens/{old_operator}/complete": Job("/tokens/{old_operator}/complete"),
    "/tokens/{operator}/hash": Job("/tokens/{operator}/hash"),
    "/tokens/{token}/rotate": Job("/tokens/{token}/rotate"),
    "/tokens/{token}/delete": Job("/tokens/{token}/delete"),
    "/users/new": Job(
        "/users/new", {"name": "made {n}", "password": PASSWORD, "again": PASSWORD, "how": "typed"}
    ),
    "/users/{user}/password": Job("/users/{user}/password", {"how": "made"}),
    "/users/{user}/name": Job("/users/{user}", {"name": "other {n}"}),
    "/users/{inactive}/activate": Job("/users/{inactive}"),
    "/users/{user}/deactivate": Job("/users/{user}"),
    "/users/{user}/role": Job("/users/{user}", {"role": "member"}),
    "/users/{user}/instance": Job("/users/{user}"),
    "/users/{user}/delete": Job("/users/{user}/delete"),
    "/organizations/new": Job("/organizations/new", {"name": "made {n}"}),
    "/organizations/{spare_org}/edit": Job("/organizations/{spare_org}", {"name": "other {n}"}),
    "/organizations/{spare_org}/members": Job("/organizations/{spare_org}", {"role": "member"}),
    "/organizations/{peopled}/remove": Job("/organizations/{peopled}?find={user}"),
    "/organizations/{spare_org}/delete": Job("/organizations/{spare_org}/delete"),
    "/organizations/{spare_org}/buckets": Job("/organizations/{spare_org}", {"name": "made {n}"}),
    "/buckets/{spare_bucket}": Job("/buckets/{spare_bucket}", {"retention": "7d"}),
    "/buckets/{spare_bucket}/delete": Job("/buckets/{spare_bucket}/delete"),
    "/doctor/repair": Job("/doctor/repair"),
    "/backups/undo/{number}": Job("/backups/undo/{number}"),
    "/backups/undo-all": Job("/backups/undo-all?behind={number}", {"typed": "{name}"}, makes=-1),
    "/backups/deleted/tokens/{deleted_token}": Job("/backups/deleted/tokens/{deleted_token}"),
    "/backups/deleted/users/{deleted_user}": Job("/backups/deleted/users/{deleted_user}"),
    "/backups/copy/delete": Job("/backups/copy/delete?name={copy}", {"typed": "{copy}"}, makes=0),
    "/backups/restore": Job("/backups/restore", {"folder": "/nosuch", "act": "look"}, makes=0),
}
SEEN_IN_A_BROWSER: Final = ("/tokens/{token}/description", "/tokens/{token}/rotate")
ENDS_ALL: Final = "/stop"
"""What is sent after that finds nobody."""


class Spare(dict[str, str]):
    """Records that a job may use up, made when one is named."""

    def __init__(self, served: Served, made: MadeStore) -> None:
        super().__init__({one: str(value) for one, value in vars(made).items()})
        self._served, self._made = served, made
        self["n"] = str(next(NUMBERS))
        self["name"] = made.path.name

    def _post(self, path: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401 # JSON
        reply = self._served.ask("POST", f"/api/v2/{path}", token=self._served.key, body=body)
        assert reply.status == 201, reply.body
        return reply.json["id"]

    def _delete(self, path: str) -> None:
        assert self._served.ask("DELETE", path, token=self._served.key).status == 204

    def __missing__(self, name: str) -> str:
        spare, org = f"spare {next(NUMBERS)}", self._made.org
        match name:
            case "token":
                permission = {"action": "read", "resource": {"type": "buckets", "orgID": org}}
                wish = {"orgID": org, "description": spare, "permissions": [permission]}
                found = self._post("authorizations", wish)
            case "user":
                found = self._post("users", {"name": spare})
            case "inactive":
                found = self._post("users", {"name": spare, "status": "inactive"})
            case "spare_org":
                found = self._post("orgs", {"name": spare})
            case "spare_bucket":
                found = self._post("buckets", {"name": spare, "orgID": org})
            case "peopled":
                found = self["spare_org"]
                self._post(f"orgs/{found}/members", {"id": self["user"]})
            case "deleted_token" | "deleted_user":
                found = self[name.removeprefix("deleted_")]
                kind = "users" if name.endswith("user") else "authorizations"
                self._delete(f"/api/v2/{kind}/{found}")
            case "number":
                self._post("users", {"name": spare})
                found = str(changes_of(Visitor(self._served)))
            case "copy":
                found = f"{self._made.path.name}.20260101T000000Z.user-delete.backup"
                shutil.copyfile(self._made.path, self._made.path.with_name(found))
            case _:
                raise KeyError(name)
        self[name] = found
        return str(found)


def changes_of(visitor: Visitor) -> int:
    found = re.search(r"(\d+) changes? in this session", visitor.get("/keys").text)
    assert found
    return int(found[1])


Place = tuple[MadeStore, Served]


@contextmanager
def _place(folder: Path) -> Iterator[Place]:
    """Serve a store in which everything can be done once."""
    made = make_store(folder / "influxd.bolt", level=21)
    edit(made.path, lambda tx: tx.table("userindexv1").delete(b"bob"))
    with serving(made.path) as running:
        yield made, running


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with _place(tmp_path_factory.mktemp("repeats")) as found:
        yield found


@pytest.fixture(scope="module")
def place_of_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with _place(tmp_path_factory.mktemp("repeats-seen")) as found:
        yield found


def test_each_form_has_a_job() -> None:
    posted = {re.sub(r"\{\w+\}", "{}", one.path) for one in ROUTES if one.post is not None}
    assert {re.sub(r"\{\w+\}", "{}", one) for one in JOBS} == posted - {ENDS_ALL}


def filled(job: Job, action: str, spare: Spare) -> tuple[str, str, dict[str, str]]:
    fields = {name: value.format_map(spare) for name, value in job.fields.items()}
    return job.page.format_map(spare), action.format_map(spare), fields


@pytest.mark.parametrize("action", JOBS)
def test_a_form_that_is_sent_twice_is_carried_out_once(place: Place, action: str) -> None:
    made, served = place
    job, visitor = JOBS[action], Visitor(served)
    path, action, fields = filled(job, action, Spare(served, made))
    page, before = visitor.get(path), changes_of(visitor)
    first = visitor.send(page, action, fields)
    after = changes_of(visitor)
    assert after - before == job.makes or (job.makes < 0 < after - before), first.text
    second = visitor.send(page, action, fields)  # a double click, or a reload of what came
    if SHOWS_ONCE in first.body:
        assert (first.status, second.status, first.secret in second.body) == (200, 422, False)
        assert "has been shown" in second.text
    elif job.makes or first.status == 303:
        assert (first.status, second.status) == (303, 303), first.text
        assert first.location == second.location
        assert visitor.get(first.location).status == 200
    again = [visitor.get(path), visitor.get(action)]  # back, and what a reload of it asks for
    assert {one.status for one in again} <= {200, 404, 422}  # a record may be gone
    assert all("secret" not in one.ids for one in again if path != "/tokens/verify")
    assert changes_of(visitor) == after


def _button(form: "Locator", fields: Mapping[str, str]) -> "Locator":
    """Find the button that sends a form, by its name where it has one."""
    named = [f"button[name='{one}'][value='{it}']:not(.unseen)" for one, it in fields.items()]
    found = [one for one in map(form.locator, named) if one.count()]
    return (found or [form.locator("button:not(.unseen)")])[0].last


@pytest.mark.parametrize(
    "action",
    [pytest.param(one, marks=[] if one in SEEN_IN_A_BROWSER else pytest.mark.slow) for one in JOBS],
)
def test_back_reload_and_a_double_click_repeat_nothing(
    browser: "Browser", place_of_browser: Place, action: str
) -> None:
    made, served = place_of_browser
    job, visitor = JOBS[action], Visitor(served)
    path, action, fields = filled(job, action, Spare(served, made))
    context = browser.new_context()
    context.set_default_timeout(10_000)
    here = Watched(context, served)
    here.enter(served.key)
    here.go(path)
    form = here.page.locator(f"form[action='{action}']").first
    for name, value in fields.items():
        for field in form.locator(f"input[name='{name}'], select[name='{name}']").all():
            if field.get_attribute("type") != "checkbox":
                field.select_option(value) if field.evaluate("it => it.options") else field.fill(
                    value
                )
            elif field.get_attribute("value") == value:
                field.check()
    before = changes_of(visitor)
    button = _button(form, fields)
    with here.page.expect_navigation():
        button.dblclick()
    here.page.wait_for_load_state()
    after = changes_of(visitor)
    assert after - before == job.makes or (job.makes < 0 < after - before), here.text
    shown = here.page.inner_text("#secret") if SHOWS_ONCE in here.text else ""
    here.page.reload()
    seen = [here.text]
    for step in (here.page.go_back, here.page.go_forward, here.page.go_back):
        try:
            step()
        except Exception:  # noqa: BLE001 # Playwright's: the answer to a form is not kept
            here.page.wait_for_timeout(300)  # until the browser says so
        seen.append(here.page.content())
    assert not shown or not any(shown in one for one in seen)
    assert changes_of(visitor) == after
    here.noise[:] = [one for one in here.noise if "status of 4" not in one]
    context.close()
    assert here.noise == []
