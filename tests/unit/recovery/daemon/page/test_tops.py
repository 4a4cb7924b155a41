"""The paths of the page are known before it is loaded."""

import subprocess
import sys

from recovery.daemon.page.router import ROUTES
from recovery.daemon.page.tops import TOPS, is_of_page


def test_they_are_those_of_its_screens() -> None:
    of_screens = {route.path.split("/")[1] for route in ROUTES} - {""}
    assert of_screens | {"console", "leave", "static"} == TOPS
    assert is_of_page("/")
    assert not is_of_page("/api/v2/users")


def test_the_page_is_not_loaded_for_the_api() -> None:
    program = "import sys, recovery.daemon.start as _; print('jinja2' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
