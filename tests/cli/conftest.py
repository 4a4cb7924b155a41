"""What the tests of the command line share."""

from pathlib import Path

import pytest

from tests.support.run_cli import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The program, cut off from the machine that runs the tests."""
    return Cli(tmp_path / "home")
