"""What a test does when something that it needs is not installed."""

import os
from typing import Final, NoReturn

import pytest

IS_CI: Final = os.environ.get("CI") == "true"


def absent(reason: str) -> NoReturn:
    """Skip the test, or fail it where nothing may be missing.

    Args:
        reason: What is missing, and how to get it.

    Raises:
        Skipped: On somebody's own machine.
        Failed: In CI.
    """
    if IS_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
