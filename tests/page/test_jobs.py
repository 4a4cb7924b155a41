"""Every job of the page, by keyboard alone and by mouse, in a real browser.

A job is what a person does one after the other: a name is a link, button or box that is chosen, a
pair is a field and what is typed into it; a star stands for the rest of a name. By keyboard a
control is reached with Tab and chosen with Enter, or Space for a box; each one that has the focus
is seen to have it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

import pytest

from tests.page.test_browser import Watched
from tests.support.served import Served, serving
from tests.support.stores import OPERATOR_TOKEN, edit, make_store
from tests.support.visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ElementHandle, Page

Step = str | tuple[str, str]
TABS_MAX: Final = 120
NAME_OF: Final = """one => (one.labels?.[0]?.innerText || one.getAttribute("aria-label")
    || one.innerText || "").trim()"""
IS_SEEN: Final = """() => {
    const one = document.activeElement, shape = one.getBoundingClientRect();
    const looks = getComputedStyle(one);
    return one === document.body
        || looks.outlineStyle !== "none" && parseFloat(looks.outlineWidth) >= 2
        && shape.width > 0 && shape.bottom > 0 && shape.top < innerHeight;
}"""
MADE: Final = "is made"
JOBS: Final[dict[str, tuple[str, tuple[Step, ...]]]] = {
    "read and write": (
        MADE,
        (
            "API Tokens", "Generate API Token", "Read/Write API Token", ("Description", "device"),
            ("Search buckets", "sens"), "sensors*", "Save",
        ),
    ),
    "custom": (
        MADE,
        ("API Tokens", "Generate API Token", "Custom API Token", "read buckets", "Save"),
    ),
    "operator": (MADE, ("Generate an operator token", "I understand", "Save")),
    "clone": (MADE, ("API Tokens", "reads buckets", "Clone")),
    "deactivate and activate": (
        "Done.",
        ("API Tokens", "reads buckets", "Active", "Save", "Active", "Save"),
    ),
    "describe": ("Done.", ("API Tokens", "reads <*", ("Description", "reads <it>"), "Save")),
    "verify": (
        "Yes: a server accepts it.",
        ("API Tokens", "Verify a token", ("Token", OPERATOR_TOKEN), "Verify"),
    ),
    "complete": ("Done.", ("API Tokens", "alice's old Token", "Complete…", "Complete")),
    "hash": ("Done.", ("API Tokens", "reads <*", "Hash…", "Hash")),
    "rotate": (MADE, ("API Tokens", "reads buckets", "Rotate…", "Rotate")),
    "make a user": (
        "The password of",
        ("Users", "Make a user", ("Name", "carl"), "Save with a password made for it"),
    ),
    "reset a password": (
        "Done.",
        (
            "Reset a password", "bob", "Reset password", ("New password", "long enough 1"),
            ("The same again", "long enough 1"), "Save",
        ),
    ),
    "give a role": ("Done.", ("Users", "bob", "Set role")),
    "make an organization": (
        "Done.",
        ("Organizations", "Make an organization", ("Name", "home"), "Save"),
    ),
    "make a bucket, and undo it": (
        "Done.",
        ("Organizations", "acme", ("New bucket", "attic"), "Make", "Undo", "Undo"),
    ),
    "look at the map": (
        "alice can reach everything",
        ("Map", ("User", "alice"), "Show", "The pages of the file", "Map"),
    ),
    "doctor, and repair": ("The store is repaired.", ("Doctor", "Repair…", "Repair")),
    "all access, delete it, and bring it back": (
        "The token is back",
        (
            "API Tokens", "Generate API Token", "All Access API Token", ("Description", "lost"),
            "Save", "The token", "Delete…", "Delete", "Deleted by mistake?", "Bring back…",
            "Bring it back",
        ),
    ),
}  # fmt: skip


class Keyboard:
    """Reaches everything with Tab."""

    def __init__(self, here: Watched) -> None:
        self._page: Final = here.page

    def choose(self, name: str) -> None:
        """Choose a link, a button or a box."""
        self._reach(name)
        kind = self._page.evaluate("document.activeElement.tagName")
        with _arriving(self._page, kind):
            self._page.keyboard.press("Space" if kind == "INPUT" else "Enter")

    def type(self, name: str, text: str) -> None:
        """Type into a field; what is there goes, because Tab selects it."""
        self._reach(name)
        self._page.keyboard.type(text)

    def _reach(self, name: str) -> None:
        asked = f"[({IS_SEEN})(), ({NAME_OF})(document.activeElement)]"
        for _ in range(TABS_MAX):  # perhaps it has the focus already
            is_seen, found = self._page.evaluate(asked)
            assert is_seen, f"the focus is not seen before {name}"
            if _is(name, found):
                return
            self._page.keyboard.press("Tab")
        pytest.fail(f"{name} is not reached with Tab on {self._page.url}")


class Mouse:
    """Clicks."""

    def __init__(self, here: Watched) -> None:
        self._page: Final = here.page

    def choose(self, name: str) -> None:
        """Choose a link, a button or a box."""
        found = self._find(name)
        with _arriving(self._page, found.evaluate("one => one.tagName")):
            found.click()

    def type(self, name: str, text: str) -> None:
        """Type into a field, over what is there."""
        self._find(name).fill(text)

    def _find(self, name: str) -> "ElementHandle":
        shown = "a, button, summary, select, input:not([type=hidden])"
        for one in self._page.query_selector_all(shown):
            is_reached = one.is_visible() and one.get_attribute("tabindex") != "-1"
            if is_reached and _is(name, one.evaluate(NAME_OF)):
                return one
        pytest.fail(f"{name} is not on {self._page.url}")


def _arriving(page: "Page", kind: str) -> AbstractContextManager[object]:
    """Wait for the next page, where something leads to one."""
    return page.expect_navigation() if kind in {"A", "BUTTON"} else nullcontext()


def _is(wanted: str, found: str) -> bool:
    return found.startswith(wanted[:-1]) if wanted.endswith("*") else found == wanted


@pytest.fixture(
    scope="module", params=[Keyboard, pytest.param(Mouse, marks=pytest.mark.slow)], name="hand"
)
def fixture_hand(request: pytest.FixtureRequest) -> type[Keyboard | Mouse]:
    found: type[Keyboard | Mouse] = request.param
    return found


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, hand: type[Keyboard | Mouse]
) -> Iterator[Served]:
    made = make_store(tmp_path_factory.mktemp(hand.__name__) / "influxd.bolt", level=21)
    edit(made.path, lambda tx: tx.table("userindexv1").delete(b"bob"))
    with serving(made.path) as running:
        yield running


@pytest.fixture(scope="module")
def here(browser: "Browser", served: Served) -> Iterator[Watched]:
    """The tab of somebody who does one job after the other."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    name, _, key = Visitor(served).cookie.partition("=")
    context.add_cookies([{"name": name, "value": key, "url": f"http://127.0.0.1:{served.port}"}])
    yield Watched(context, served)
    context.close()


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_done(here: Watched, hand: type[Keyboard | Mouse], job: str) -> None:
    expected, steps = JOBS[job]
    here.noise.clear()
    here.go("/")
    worked = hand(here)
    for step in steps:
        if isinstance(step, str):
            worked.choose(step)
        else:
            worked.type(*step)
    here.page.wait_for_selector(f"text={expected}")
    assert here.noise == []
