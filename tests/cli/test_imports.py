"""A quick start: what a command does not need is not imported."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.run_cli import Cli
from tests.support.stores import make_store

REPORT = (
    "import sys, os, io; from recovery.cli.main import main\n"
    "ports = {'environ': os.environ, 'stdout': sys.stdout, 'stderr': sys.stderr}\n"
    "code = main(sys.argv[1:], **ports)\n"
    "print(*sys.modules, sep='\\n', file=sys.stderr); sys.exit(code)"
)
HEAVY = {"sqlite_utils", "sqlite3", "structlog", "pandas", "numpy", "yaml", "asyncio", "bcrypt"}


def modules(cli: Cli, *words: object) -> set[str]:
    """Run a command and return the modules that it imported."""
    done = cli.run(*words, program=(sys.executable, "-c", REPORT))
    assert done.code == 0, done.stderr
    return set(done.stderr.split())


def test_version_imports_neither_the_engine_nor_anything_heavy(cli: Cli) -> None:
    found = modules(cli, "--version")
    assert "recovery.cli.main" in found
    assert not found & (HEAVY | {"bolt_store", "msgspec", "dataclasses", "importlib.metadata"})


@pytest.mark.parametrize("words", [["auth", "list"], ["auth", "list", "--json"], ["user", "list"]])
def test_a_listing_imports_neither_ledger_nor_log_library(
    cli: Cli, level21_bolt: Path, words: Sequence[str]
) -> None:
    found = modules(cli, *words, "--bolt-path", level21_bolt)
    assert "bolt_store" in found
    assert not found & (
        HEAVY | {"recovery.ledger", "recovery.daemon", "recovery.services.changes.sequence"}
    )


@pytest.mark.parametrize(
    "words",
    [
        ["user", "list"],
        ["auth", "set-inactive", "{reader}", "--yes"],
        ["store", "check"],
        ["serve", "--help"],
    ],
)
def test_only_serve_itself_imports_what_serves(
    cli: Cli, tmp_path: Path, words: Sequence[str]
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    where = [] if "--help" in words else ["--bolt-path", made.path]
    found = modules(cli, *(word.format(reader=made.reader) for word in words), *where)
    assert not found & {"starlette", "uvicorn", "h11", "jinja2", "anyio", "asyncio"}
