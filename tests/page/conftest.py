"""One browser for all tests of the page that a process runs; each test has profiles of its own.

Debian's Chromium, driven by Playwright. Absent, these tests are skipped with the reason; in CI they
must run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.served import Served
from tests.support.visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM: Final = "/usr/bin/chromium"


@pytest.fixture
def visitor(served: Served) -> Visitor:
    """Somebody in front of the page of the server of a module, without JavaScript."""
    return Visitor(served)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 # a development dependency
    except ImportError:
        pytest.skip("no Playwright: pip install playwright")
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()
