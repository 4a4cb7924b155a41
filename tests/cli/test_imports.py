"""A quick start: what a command does not need is not imported."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from tests.support.run_cli import Cli
from tests.support.source import bare_python
from tests.support.stores import make_store

REPORT = (
    "import sys, os, io; from recovery.cli.main import main\n"
    "ports = {'environ': os.environ, 'stdout': sys.stdout, 'stderr': sys.stderr}\n"
    "code = main(sys.argv[1:], **ports)\n"
    "print(*sys.modules, sep='\\n', file=sys.stderr); sys.exit(code)"
)
COMMAND = Path(__file__).parents[2] / "recovery" / "cli" / "influx-recovery"
START = (
    f"import sys\ntry: exec(open({str(COMMAND)!r}).read())\n"
    "finally: print(*sys.modules, sep='\\n', file=sys.stderr)"
)
THIRD = {"structlog", "yaml", "sqlite_utils", "bcrypt", "cramjam", "jinja2", "starlette", "uvicorn"}
HEAVY = {"sqlite_utils", "sqlite3", "structlog", "pandas", "numpy", "yaml", "asyncio", "bcrypt"}

COSTLY = {
    "argparse",
    "ast",
    "asyncio",
    "dataclasses",
    "decimal",
    "gettext",
    "inspect",
    "ipaddress",
    "json",
    "locale",
    "logging",
    "numbers",
    "platform",
    "random",
    "shlex",
    "shutil",
    "string",
} | {"socket", "subprocess", "tempfile", "textwrap", "threading", "typing_extensions", "uuid"}
"""Of the standard library and near it: each takes as long as five modules of ours, or more."""
OF_HELP: set[str] = set()
if sys.version_info >= (3, 14):
    COSTLY.remove("ast")  # msgspec imports `annotationlib` there, which is made of it
    OF_HELP |= {"dataclasses", "inspect"}  # argparse imports them for its colours


def modules(cli: Cli, *words: object) -> set[str]:
    """Run a command and return the modules that it imported."""
    done = cli.run(*words, program=(sys.executable, "-c", REPORT))
    assert done.code == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("line", "ours_max", "costly", "others"),
    [
        ("--version", 4, set(), set()),
        ("--help", 25, {"argparse", "gettext", "shutil", "textwrap"} | OF_HELP, set()),
        ("user list", 90, set(), {"msgspec"}),
        ("auth list", 112, set(), {"msgspec"}),
    ],
)
def test_a_start_imports_no_more_than_it_did(
    cli: Cli,
    level21_bolt: Path,
    line: str,
    ours_max: int,
    costly: set[str],
    others: set[str],
) -> None:
    """The budget of a start, in modules: milliseconds depend on the machine.

    Each module is a fifth of a millisecond and more. Where this fails, import what was added at the
    place where it is used; where a listing needs it, raise the number.
    """
    where = [] if line.startswith("--") else ["--bolt-path", level21_bolt]
    program = bare_python(START)
    done = cli.run(*line.split(), *where, program=program, own_ledger=False)
    assert done.code == 0, done.stderr
    found = set(done.stderr.split())
    ours = {name for name in found if name.partition(".")[0] in {"recovery", "bolt_store"}}
    assert len(ours) <= ours_max
    assert found & COSTLY == costly
    assert found & {"msgspec", *THIRD} == others
    assert line != "--version" or not found & {"enum", "re"}  # each half as long as all of Python


def test_the_quick_answer_to_version_is_that_of_the_whole_program(cli: Cli) -> None:
    done = cli.run("--version", program=(sys.executable, "-c", START), own_ledger=False)
    assert done.stdout == cli.run("--version").stdout
    with Path("/dev/full").open("wb") as full:
        program = (sys.executable, "-m", "recovery")
        done = cli.run("--version", program=program, own_ledger=False, stdout=full)
    assert (done.code, done.stderr.splitlines()[0]) == (
        ExitCode.WRITE_FAILED,
        "error: standard output cannot be written (No space left on device); nothing was changed",
    )


def test_version_imports_neither_the_engine_nor_anything_heavy(cli: Cli) -> None:
    found = modules(cli, "--version")
    assert "recovery.cli.main" in found
    assert not found & (HEAVY | {"bolt_store", "msgspec", "importlib.metadata"})


@pytest.mark.parametrize("words", [["auth", "list"], ["auth", "list", "--json"], ["user", "list"]])
def test_a_listing_imports_neither_ledger_nor_log_library(
    cli: Cli, level21_bolt: Path, words: Sequence[str]
) -> None:
    found = modules(cli, *words, "--bolt-path", level21_bolt)
    assert "bolt_store" in found
    assert not found & (
        HEAVY | {"recovery.ledger", "recovery.daemon", "recovery.services.changes.sequence"}
    )


def test_a_mint_does_not_import_dataclasses(cli: Cli, tmp_path: Path) -> None:
    """They bring `inspect` along, and took an eighth of a mint in a small store."""
    made = make_store(tmp_path / "influxd.bolt", level=21)
    words = ["auth", "create-operator", "--org", "acme", "--username", "alice", "--yes"]
    found = modules(cli, *words, "--token-stdout", "--bolt-path", made.path)
    assert "recovery.services.changes.sequence" in found
    assert not found & ({"dataclasses", "inspect"} - OF_HELP)


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
