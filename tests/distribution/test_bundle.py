"""The one file, on a machine without Python, network, temporary folder or right to write."""

import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from recovery.cli.vocabulary import COMMANDS
from tests.support.as_other_user import NOBODY_UID
from tests.support.bundled import EmptyMachine, require_bundle
from tests.support.every_command import command_lines
from tests.support.run_cli import PATIENCE_S, PROJECT
from tests.support.stores import make_store

SIZE_MAX_BYTES: Final = 40_000_000
GLIBC: Final = (2, 17)


@pytest.fixture(scope="module")
def bundle() -> Path:
    """The one file of these sources."""
    return require_bundle()


@pytest.fixture
def machine(bundle: Path, tmp_path: Path) -> EmptyMachine:
    """A machine with nothing but it, and a store in /data."""
    made = EmptyMachine(tmp_path, bundle)
    store = make_store(made.data / "influxd.bolt", level=21)
    os.chown(store.path, NOBODY_UID, NOBODY_UID)
    return made


def test_it_is_small_enough_to_be_carried(bundle: Path) -> None:
    assert bundle.stat().st_size <= SIZE_MAX_BYTES


def test_it_tells_nothing_of_the_folder_that_it_was_made_in(bundle: Path) -> None:
    """Else two clones would not give the same bytes."""
    folder = str(PROJECT).encode()
    with zipfile.ZipFile(bundle) as archive:
        assert [name for name in archive.namelist() if folder in archive.read(name)] == []
        assert [name for name in archive.namelist() if name.endswith("/RECORD")] == []


def test_it_asks_for_a_glibc_of_2012(bundle: Path) -> None:
    if shutil.which("objdump") is None:
        pytest.skip("objdump is not installed")
    symbols = subprocess.run(
        ["objdump", "-T", bundle], capture_output=True, text=True, check=True
    ).stdout
    wanted = {tuple(map(int, found)) for found in re.findall(r"GLIBC_(\d+)\.(\d+)", symbols)}
    assert max(wanted) == GLIBC


def test_the_demo_runs_there_and_leaves_nothing(machine: EmptyMachine) -> None:
    before = sorted(machine.data.iterdir())
    done = machine.run("demo")
    assert (done.returncode, sorted(machine.data.iterdir())) == (0, before), done.stderr
    assert "nothing else was touched" in done.stdout + done.stderr


def test_a_token_is_made_and_verified_there(machine: EmptyMachine) -> None:
    store = ("--bolt-path", "/data/influxd.bolt")
    made = machine.run(
        *("auth", "create-operator", "--org", "acme", "--username", "alice", *store),
        *("--yes", "--token-file", "/data/token", "--ledger", "/data/ledger"),
    )
    assert made.returncode == 0, made.stderr
    verified = machine.run("auth", "verify", "--token-file", "/data/token", *store)
    assert verified.returncode == 0, verified.stderr
    checked = machine.run("store", "check", *store)
    assert checked.returncode == 0, checked.stderr


def test_it_says_what_went_wrong_in_a_sentence_there(machine: EmptyMachine) -> None:
    done = machine.run("auth", "list", "--bolt-path", "/data/none.bolt")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")


@pytest.fixture
def served(machine: EmptyMachine) -> Iterator[EmptyMachine]:
    """The machine, while the daemon runs in it on /data/socket."""
    arguments = (
        *("serve", "--bolt-path", "/data/influxd.bolt", "--socket", "/data/socket"),
        *("--key-file", "/data/key", "--ledger", "/data/ledger"),
    )
    with subprocess.Popen(
        machine.command(arguments),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            until = time.monotonic() + PATIENCE_S
            key = machine.data / "key"
            # Room is made in the file of the key, with line ends, before the key is in it.
            while not ((machine.data / "socket").exists() and key.exists()
                       and key.read_text().strip()):  # fmt: skip
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < until
                time.sleep(0.02)
            yield machine
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def ask(machine: EmptyMachine, path: str) -> bytes:
    """Ask as the user of the daemon does; nobody else may."""
    key = (machine.data / "key").read_text().strip()
    return subprocess.run(
        ["curl", "-s", "--unix-socket", str(machine.data / "socket"), "-H",
         f"Authorization: Token {key}", f"http://localhost{path}"],
        capture_output=True, check=True, user=NOBODY_UID, timeout=PATIENCE_S,
    ).stdout  # fmt: skip


def test_serve_answers_there(served: EmptyMachine) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    for folder in served.data.parents:
        if folder.name.startswith(("pytest-", "popen-", "test_")):  # made for root alone
            folder.chmod(folder.stat().st_mode | 0o011)
    assert b'"alice"' in ask(served, "/api/v2/users")


@pytest.mark.slow
@pytest.mark.timeout(600)  # some eighty starts of the one file
def test_every_command_is_in_it(bundle: Path, tmp_path: Path) -> None:
    for words in COMMANDS:
        done = subprocess.run(
            [bundle, *words.split(), "--help"],
            capture_output=True, text=True, check=False, env={},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), words
    made = make_store(tmp_path / "influxd.bolt", level=21)
    for words in ("store info", "user list", "bucket list", "store export", "schema", "demo"):
        # A demonstration makes a store and a ledger of its own.
        ledger = () if words == "demo" else ("--ledger", tmp_path / "ledger")
        for arguments in command_lines(made, tmp_path)[words]:
            done = subprocess.run(
                [bundle, *arguments, *ledger],
                capture_output=True, text=True, check=False, env={},
            )  # fmt: skip
            assert done.returncode == 0, (arguments, done.stderr)
    shown = subprocess.run([bundle, "recipe", "show", "ansible"], capture_output=True, check=True)
    assert b"AnsibleModule(" in shown.stdout
