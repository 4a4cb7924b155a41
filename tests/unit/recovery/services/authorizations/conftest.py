"""What the tests of authorizations share."""

from pathlib import Path

import pytest

from tests.support.stores import LEVELS, MadeStore, make_store


@pytest.fixture(params=LEVELS, ids="level{}".format)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MadeStore:
    """A store of each level, with users, organizations and tokens of every kind."""
    return make_store(tmp_path / "influxd.bolt", level=request.param)
