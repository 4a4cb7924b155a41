"""What all tests share: options, hypothesis profiles, the oracles and the real stores."""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

import bolt_store
from tests.support import bcrypt_memory
from tests.support.absent import IS_CI, absent
from tests.support.bolt_tool import BoltTool
from tests.support.go_build import PROJECT, OracleAbsentError, build_bolt_tool, build_peer
from tests.support.oracle import Oracle
from tests.support.sample import write_sample_stores
from tests.support.stores import MadeStore, make_store

# Deadlines are off: a busy machine is no failure of the code.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=5000, deadline=None, print_blob=True)
# `--hypothesis-profile` is read later than this and wins.
settings.load_profile("ci" if IS_CI else "dev")

# What one process of a run compiles serves the others, asserts written out included: without that
# each worker spends 12 s of its own. The commands under test keep theirs anyway.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# jsonschema takes it, where it is there, for formats that no test checks, and its grammars 1.1 s.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # how an import is refused

ORACLE_FIXTURES: Final = {"oracle", "bolt_tool"}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("influx-recovery")
    group.addoption("--slow", action="store_true", help="run the tests marked slow, too")
    group.addoption(
        "--update-golden",
        action="store_true",
        help="write tests/golden anew instead of comparing with it; refused in CI",
    )


def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores: many tests wait for a lock or a browser."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers of these fixtures, and refuse what CI must not do."""
    # A shell ignores the first two in what it starts with "&", nohup the third, and what is started
    # here would inherit that: the tests of them need them.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # none of ours, and default in a new process
    config.addinivalue_line(
        "markers", "damages: harms the store it was given, which is not checked afterwards"
    )
    if IS_CI and config.getoption("--update-golden"):
        raise pytest.UsageError("--update-golden is refused in CI: it would approve anything")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each worker begin elsewhere, so that it finds compiled what the others began with."""
    report = yield
    worker = getattr(collector.config, "workerinput", None)
    if worker and report.passed and isinstance(collector, pytest.Dir):
        number = int(worker["workerid"].removeprefix("gw"))
        start = len(report.result) * number // worker["workercount"]
        report.result[:] = [*report.result[start:], *report.result[:start]]
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Mark the tests that use an oracle, leave out long campaigns, and agree on an order."""
    items.sort(key=lambda item: item.path)  # before they are shuffled, the same in all workers
    for item in items:
        if isinstance(item, pytest.Function) and ORACLE_FIXTURES & set(item.fixturenames):
            item.add_marker("oracle")
    if not config.getoption("--slow"):
        # Deselected, not skipped: a skipped test says that something is missing here.
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
    return (yield)


def pytest_collection_finish() -> None:
    """Let no collection of garbage walk through ten thousand tests and all modules again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def remembered_hashes() -> Iterator[None]:
    """Let the same password and salt be hashed once a process."""
    with pytest.MonkeyPatch.context() as patch:
        bcrypt_memory.install(patch)
        yield


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """Build the peer: bbolt 1.3.6, from Debian's package."""
    try:
        return Oracle(build_peer())
    except OracleAbsentError as error:
        absent(str(error))


@pytest.fixture(scope="session")
def bolt_tool() -> BoltTool:
    """The command line tool of boltdb 1.3.1, built from Debian's package."""
    try:
        return BoltTool(build_bolt_tool())
    except OracleAbsentError as error:
        absent(str(error))


@pytest.fixture(scope="session")
def stores_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `level17.bolt` and `level21.bolt`. Copy before writing."""
    folder = tmp_path_factory.mktemp("stores")
    write_sample_stores(folder)
    return folder


@pytest.fixture(scope="session")
def published_stores_dir() -> Path:
    """The folder with the stores of that name that real servers wrote. Copy before writing."""
    folder = PROJECT.parent / "shared" / "stores"
    if not folder.is_dir():
        pytest.skip(f"no published stores at {folder}")
    return folder


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    """A store of level 21 with users, organizations and tokens of every kind."""
    return make_store(tmp_path / "influxd.bolt", level=21)


@pytest.fixture
def level17_bolt(
    stores_dir: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """A copy of a store with 17 migrations; checked when the test is over."""
    yield from _store(stores_dir / "level17.bolt", tmp_path, request)


@pytest.fixture
def level21_bolt(
    stores_dir: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """A copy of a store with 21 migrations; checked when the test is over."""
    yield from _store(stores_dir / "level21.bolt", tmp_path, request)


def _store(source: Path, folder: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Give a copy away, and afterwards make sure that it was not harmed."""
    copy = folder / source.name
    shutil.copyfile(source, copy)
    copy.chmod(0o600)
    yield copy
    if copy.exists() and request.node.get_closest_marker("damages") is None:
        with bolt_store.open(copy) as db:
            found = [str(f) for f in db.check() if f.severity >= bolt_store.Severity.WARNING]
        assert found == [], f"the test left {source.name} damaged"


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether to write tests/golden anew."""
    return bool(request.config.getoption("--update-golden"))
