"""The page in a real browser: jobs of a person, by mouse and keyboard, with scripts and without."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.served import Served, serving
from tests.support.stores import MadeStore, make_store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

WIDTHS: Final = (320, 800, 1920)
SCREENS: Final = (
    "/console", "/", "/tokens", "/tokens/{operator}", "/tokens/new/read-write",
    "/tokens/new/all-access",
    "/tokens/new/custom", "/tokens/new/operator", "/tokens/verify", "/tokens/{operator}/delete",
    "/users", "/users/new", "/users/{alice}", "/users/{alice}/password", "/organizations",
    "/organizations/new", "/organizations/{org}", "/buckets/{bucket}", "/map", "/map/file",
    "/doctor", "/backups", "/backups/deleted", "/ledger", "/keys", "/stop",
)  # fmt: skip
MAIN_SCREENS: Final = ("/", "/tokens", "/tokens/new/read-write", "/map")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    return make_store(tmp_path_factory.mktemp("browser") / "influxd.bolt", level=21)


@pytest.fixture(scope="module")
def served(made: MadeStore) -> Iterator[Served]:
    with serving(made.path) as running:
        yield running


class Watched:
    """A tab of which nothing goes unnoticed.

    Attributes:
        page: It.
        noise: What the console said, errors of scripts, and requests to another host.
        clicks: How often somebody clicked.
    """

    def __init__(self, context: "BrowserContext", served: Served) -> None:
        self.page: Final[Page] = context.new_page()
        self.noise: Final[list[str]] = []
        self.clicks = 0
        self._root = f"http://127.0.0.1:{served.port}"
        self.page.on("console", lambda message: self.noise.append(message.text))
        self.page.on("pageerror", lambda error: self.noise.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith(f"{self._root}/"):
            self.noise.append(f"asked for {url}")

    def go(self, path: str) -> None:
        self.page.goto(self._root + path)

    def click(self, selector: str) -> None:
        """Click, and count it."""
        self.clicks += 1
        self.page.click(selector)

    @property
    def path(self) -> str:
        """Where it is."""
        return self.page.url.removeprefix(self._root)

    @property
    def text(self) -> str:
        self.page.wait_for_load_state()  # a page that a click has led to may still be empty
        return self.page.inner_text("body")

    def enter(self, key: str) -> None:
        self.go("/console")
        self.page.fill("#key", key)
        with self.page.expect_navigation():
            self.click("button:has-text('Open')")


Tab = Callable[..., Watched]


@pytest.fixture
def tab(browser: "Browser", served: Served) -> Iterator[Tab]:
    """Open tabs, each in a browser profile of its own; at the end none of them has said a word."""
    opened: list[tuple[Any, Watched]] = []

    def open_one(*, width: int = 1280, **options: Any) -> Watched:  # noqa: ANN401 # Playwright's
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(10_000)
        watched = Watched(context, served)
        opened.append((context, watched))
        return watched

    yield open_one
    noise = [one for _, watched in opened for one in watched.noise]
    for context, _ in opened:
        context.close()
    assert noise == []


def test_somebody_without_a_token_has_one_within_six_clicks(tab: Tab, served: Served) -> None:
    here = tab(permissions=["clipboard-read", "clipboard-write"])
    here.enter(served.key)
    here.click("text=Generate an operator token")
    here.page.fill("#description", "recovery by mouse")
    here.click("input[name=understood]")
    here.click("button.main:has-text('Save')")
    token = here.page.inner_text("#secret")
    here.click("button:has-text('Copy')")
    here.page.wait_for_selector("text=Copied")
    assert here.page.evaluate("navigator.clipboard.readText()") == token
    assert here.clicks <= 6
    assert served.ask("GET", "/api/v2/me", token=token).status == 200
    for place in (here.path, here.page.title()):
        assert token not in place
    here.go("/tokens")
    assert token not in here.page.content()
    with pytest.raises(Exception, match="ERR_CACHE_MISS"):  # the answer to a form, and not kept
        here.page.go_back()


def test_somebody_who_forgot_a_password_is_in_within_five_clicks(
    tab: Tab, served: Served, made: MadeStore
) -> None:
    here = tab()
    here.enter(served.key)
    here.click("text=Reset a password")
    here.click(f"a[href='/users/{made.bob}/password']")
    here.page.fill("#password", "long enough 1")
    here.page.fill("#again", "long enough 1")
    here.click("button:has-text('Save')")
    assert "Done." in here.text
    assert here.clicks <= 5
    other = tab()
    other.go("/console")
    other.page.click("summary")
    other.page.fill("#username", "bob")
    other.page.fill("#password", "long enough 1")
    other.page.click("button:has-text('Sign in')")
    assert "session of bob" in other.text


def test_the_main_job_is_done_by_keyboard_alone(tab: Tab, served: Served) -> None:
    here = tab()
    here.go("/console")
    keyboard = here.page.keyboard
    here.page.wait_for_function("document.activeElement.tagName === 'INPUT'")  # by itself
    keyboard.type(served.key)
    keyboard.press("Enter")
    here.page.wait_for_selector("text=Who can get in")
    keyboard.press("g")
    keyboard.press("t")
    here.page.wait_for_selector("text=Values are never shown here")
    for _ in range(40):
        keyboard.press("Tab")
        if here.page.evaluate("document.activeElement.textContent.trim()") == "Generate API Token":
            break
    keyboard.press("Enter")
    for _ in range(4):
        keyboard.press("Tab")
    assert here.page.evaluate("document.activeElement.textContent") == "Operator Token"
    keyboard.press("Enter")
    here.page.wait_for_selector("input[name=understood]")
    for _ in range(40):
        keyboard.press("Tab")
        if here.page.evaluate("document.activeElement.name") == "understood":
            break
    keyboard.press("Space")
    keyboard.press("Enter")
    here.page.wait_for_selector("#secret")
    assert len(here.page.inner_text("#secret")) == 88


def test_without_scripts_a_read_write_token_is_searched_for_ticked_and_made(
    tab: Tab, served: Served, made: MadeStore
) -> None:
    here = tab(java_script_enabled=False)
    here.enter(served.key)
    here.go("/tokens/new/read-write")
    here.page.fill("#search-read", "sens")
    here.click("fieldset:has(#search-read) button:has-text('Find')")
    here.page.check(f"input[name=read][value='{made.bucket}']")
    here.page.check("input[name=every-write]")
    here.click("button.main:has-text('Save')")
    token = here.page.inner_text("#secret")
    assert served.ask("GET", f"/api/v2/buckets/{made.bucket}", token=token).status == 200


def test_with_scripts_the_panes_filter_count_and_choose(
    tab: Tab, served: Served, made: MadeStore
) -> None:
    here = tab()
    here.enter(served.key)
    here.go("/tokens/new/read-write")
    here.page.select_option("#organization", made.org)
    here.page.wait_for_selector(f"input[name=read][value='{made.bucket}']")
    pane = here.page.locator("fieldset[data-pane]").first
    pane.locator("[data-search]").fill("sens")
    assert pane.locator(".choices li:visible").count() == 1
    pane.locator("text=Select all shown").click()
    assert pane.locator("[data-chosen]").inner_text() == "1 of 3 chosen"
    here.page.check("input[name=every-write]")
    said = "May read sensors; write all buckets in acme, for user alice."
    assert here.page.inner_text("[data-words]") == said
    pane.locator("[data-search]").fill("")
    assert pane.locator("input[name=read]:checked").count() == 1
    pane.locator("text=Deselect all").click()
    assert pane.locator("[data-chosen]").inner_text() == "0 of 3 chosen"
    assert here.page.inner_text("[data-words]") == "May write all buckets in acme, for user alice."


@pytest.mark.parametrize("is_scripted", [True, False])
def test_after_a_change_the_row_and_the_way_back_are_in_sight(
    tab: Tab, served: Served, made: MadeStore, *, is_scripted: bool
) -> None:
    here = tab(width=390, java_script_enabled=is_scripted)
    here.page.set_viewport_size({"width": 390, "height": 620})
    here.enter(served.key)
    for was, now in (("deactivate", "activate"), ("activate", "deactivate")):
        here.go("/tokens?sort=created")
        here.click(f"button[name={was}][value='{made.reader}']")
        here.page.wait_for_url("**done=*")
        button = here.page.locator(f"button[name={now}][value='{made.reader}']")
        undo = here.page.locator("a.undo")
        assert button.evaluate("one => one.matches(':focus')")
        shapes = [one.bounding_box() for one in (button, undo)]
        assert all(one and 0 <= one["y"] <= 620 - one["height"] for one in shapes), shapes


def test_what_is_typed_stays_when_the_page_is_kept_open(
    tab: Tab, served: Served, made: MadeStore
) -> None:
    here = tab()
    here.enter(served.key)
    here.go(f"/tokens/{made.hashed}")
    here.page.fill("#description", "half of a sen")
    here.click("text=keep open")
    here.page.wait_for_selector("text=Kept open.")
    assert here.page.input_value("#description") == "half of a sen"
    here.page.context.clear_cookies()
    here.click("text=keep open")
    here.page.wait_for_selector("text=your session has ended: copy what you have typed")
    assert here.page.input_value("#description") == "half of a sen"


def test_with_forced_colours_one_place_alone_is_marked(tab: Tab, served: Served) -> None:
    here = tab(forced_colors="active")
    here.enter(served.key)
    here.go("/users")
    colour = "one => getComputedStyle(one).borderBottomColor"
    seen = [one.evaluate(colour) for one in here.page.query_selector_all("nav.places > a")]
    ground = here.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert [one != ground for one in seen] == [index == 1 for index in range(len(seen))]


@pytest.mark.parametrize("scripts", [True, False])
def test_what_was_typed_is_there_again_after_the_session_ended(
    tab: Tab, served: Served, made: MadeStore, *, scripts: bool
) -> None:
    here = tab(java_script_enabled=scripts)
    here.enter(served.key)
    here.go("/tokens/new/read-write")
    if here.page.locator("#organization").input_value() != made.org:
        here.page.select_option("#organization", made.org)
        if not scripts:
            here.page.click("text=Show")
    here.page.wait_for_selector(f"input[name=read][value='{made.bucket}']")
    here.page.fill("#description", "late & alone")
    here.page.check(f"input[name=read][value='{made.bucket}']")
    here.page.context.clear_cookies()
    here.page.click("button.main:has-text('Save')")
    assert "Your session has ended. Nothing was changed." in here.text
    here.page.fill("#key", served.key)
    here.page.click("button:has-text('Open')")
    assert here.path == "/tokens/new/read-write"
    assert here.page.input_value("#description") == "late & alone"
    assert here.page.is_checked(f"input[name=read][value='{made.bucket}']")
    here.page.click("button.main:has-text('Save')")
    assert "The token “late & alone” is made" in here.text
    here.noise[:] = [one for one in here.noise if "401 (Unauthorized)" not in one]


@pytest.mark.parametrize(
    "width", [WIDTHS[0], *(pytest.param(one, marks=pytest.mark.slow) for one in WIDTHS[1:])]
)
def test_no_screen_is_wider_than_the_window(
    tab: Tab, served: Served, made: MadeStore, width: int
) -> None:
    here = tab(width=width, color_scheme="dark" if width == 800 else "light")
    here.enter(served.key)
    for path in SCREENS:
        here.go(path.format_map(vars(made)))
        wide = here.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path


def test_the_top_line_leaves_the_window_to_the_page(tab: Tab, served: Served) -> None:
    here = tab()
    here.enter(served.key)
    for width, most in ((960, 115), (768, 115), (320, 240)):
        here.page.set_viewport_size({"width": width, "height": 900})
        top = here.page.evaluate("document.querySelector('main').getBoundingClientRect().top")
        assert top < most, width


def test_a_finger_hits_a_link_and_nothing_moves_for_whom_motion_harms(
    tab: Tab, served: Served, made: MadeStore
) -> None:
    here = tab(width=390, has_touch=True, is_mobile=True, reduced_motion="reduce")
    here.enter(served.key)
    here.go(f"/tokens/{made.operator}")
    small = here.page.evaluate(
        """() => [...document.querySelectorAll("main a, button, summary, nav a")].filter(one => {
            one.scrollIntoView({block: "center"});
            const now = one.getBoundingClientRect(), middle = now.top + now.height / 2;
            return [-20, 20].some(off => {
                const hit = document.elementFromPoint(now.left + now.width / 2, middle + off);
                return !hit?.closest("a, button, summary");
            });
        }).map(one => one.textContent)"""
    )
    assert small == []
    took = "[...document.all].map(one => getComputedStyle(one).transitionDuration)"
    assert set(here.page.evaluate(took)) == {"0s"}


def _axe() -> str:
    script = Path(__file__).parents[1] / "clients" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip("no axe-core: .ci/run clients brings it")
    return script.read_text()


@pytest.mark.parametrize(
    ("scheme", "paths"),
    [
        ("light", MAIN_SCREENS),
        ("dark, printed", ("/tokens/new/operator", "/tokens/{operator}/delete")),
        pytest.param("light", SCREENS, marks=pytest.mark.slow),
        pytest.param("dark", SCREENS, marks=pytest.mark.slow),
    ],
)
def test_no_screen_has_a_barrier_that_axe_knows(
    browser: "Browser", served: Served, made: MadeStore, scheme: str, paths: tuple[str, ...]
) -> None:
    script = _axe()
    # axe is put into the page from outside, which its policy forbids to everything in the page.
    context = browser.new_context(bypass_csp=True, color_scheme=scheme.partition(",")[0])  # type: ignore[arg-type] # one of both
    here = Watched(context, served)
    here.enter(served.key)
    found: dict[str, list[str]] = {}
    for path in paths:
        here.go(path.format_map(vars(made)))
        if scheme.endswith("printed"):
            here.page.emulate_media(media="print")
        here.page.evaluate(script)
        result = here.page.evaluate("axe.run()")
        bad = [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in result["violations"]]
        if bad:
            found[path] = bad
    context.close()
    assert found == {}


def test_what_is_typed_into_a_secret_field_is_nowhere_afterwards(
    tab: Tab, served: Served, made: MadeStore
) -> None:
    here = tab()
    here.enter(served.key)
    typed = {
        "/console": (("#key", served.key),),
        "/tokens/verify": (("#secret", "canary-reader-token-0123456789"),),
        f"/users/{made.bob}/password": (("#password", "canary-1234"), ("#again", "canary-1234")),
    }
    for path, fields in typed.items():
        here.go(path)
        for field, text in fields:
            here.page.fill(field, text)
        with here.page.expect_navigation():
            here.page.press(fields[-1][0], "Enter")
        places = """[location.href, document.title, document.referrer, document.cookie,
            JSON.stringify([history.state, {...localStorage}, {...sessionStorage}]),
            document.documentElement.outerHTML].join()"""
        seen = here.page.evaluate(places)
        if path != "/tokens/verify":  # there the answer to the form is the page
            here.page.go_back()
        else:
            here.go(path)
        seen += here.page.evaluate(places)
        for field, text in fields:
            assert text not in seen, path
            assert here.page.input_value(field) == "", path
