"""One browser for all tests of the page that a process runs; each test has profiles of its own.

Debian's Chromium, driven by Playwright. Absent, these tests are skipped with the reason. The one
without a window is taken first: a profile takes it a fifth of the processor's time of the other.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.served import Served
from tests.support.visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUMS: Final = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))


@pytest.fixture
def visitor(served: Served) -> Visitor:
    """Somebody in front of the page of the server of a module, without JavaScript."""
    return Visitor(served)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    program = next((one for one in CHROMIUMS if one.exists()), None)
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium-headless-shell")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 # a development dependency
    except ImportError:
        pytest.skip("no Playwright: pip install playwright")
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()
