"""What tests of several rooms need."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_system import FakeSystem


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users may look at, unlike the temporary folders of pytest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    """A host with nothing on it."""
    return FakeSystem(tmp_path)
