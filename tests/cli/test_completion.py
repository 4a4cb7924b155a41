"""What completes command lines, in the shells themselves."""

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery.cli.commands.completion import SCRIPTS
from tests.support.locks import locked
from tests.support.run_cli import PATIENCE_S, PROJECT, Cli
from tests.support.stores import make_store

COMPLETIONS = PROJECT / "recovery" / "completions"
HOSTILE = "$(touch owned) a b"
QUERIES = {
    "user show --username ": ["alice", "bob", r"\$\(touch\ owned\)\ a\ b"],
    "user show --username al": ["alice"],
    "user show al": ["alice"],
    "user undelete ": [],
    "v1-auth list --username ": [],
    "org add-owner --org a": ["acme"],
    "org add-owner --org = a": ["acme"],
    "org add-owner --org =": ["other", "acme"],
    "auth list --status = a": ["active"],
    "auth create -o a": ["acme"],
    "auth create --read-b": ["--read-bucket", "--read-buckets"],
    "completion ": [*SCRIPTS],
    "user create --username ": [],
    "user create --id ": [],
    "user rename --id 0cff2e2708da0002": ["0cff2e2708da0002"],
    "org list --id 375b": ["375b8fa296750048"],
    "org list --id = 375b": ["375b8fa296750048"],
    "v1-auth delete ": ["grafana"],
    "v1-auth undelete ": [],
    "help au": ["auth"],
    "help auth create-": ["create-operator"],
    "help reci": ["recipe"],
}


@pytest.fixture
def environ(cli: Cli, tmp_path: Path) -> Mapping[str, str]:
    """A store with a name that a shell would obey, and the program where shells find it."""
    made = make_store(tmp_path / "influxd.bolt", level=21)
    add = ("user", "create", "--username", HOSTILE, "--no-password", "--no-org", "--yes")
    assert cli.run_here(*add, "--bolt-path", made.path).code == 0
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "influx-recovery"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m recovery "$@"\n')
    program.chmod(0o700)
    path = f"{folder}:{os.environ['PATH']}"
    return cli.environ(INFLUXD_BOLT_PATH=str(made.path), PATH=path)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_of_a_shell_is_printed_as_it_is_installed(cli: Cli, shell: str) -> None:
    done = cli.run_here("completion", shell)
    assert done.stdout == (COMPLETIONS / SCRIPTS[shell]).read_text()


def test_bash_completes_words_options_and_names_and_quotes_what_it_would_obey(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    script = f"source {COMPLETIONS / SCRIPTS['bash']}\n"
    for line in QUERIES:
        words = ["influx-recovery", *line.split(" ")]
        script += f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}\n"
        script += "_influx_recovery 2>&1; (IFS=$'\\t'; echo \"${COMPREPLY[*]}\")\n"
    done = subprocess.run(
        ["bash", "--norc"], input=script, env=environ, cwd=tmp_path,
        capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    answers = [line.split("\t") if line else [] for line in done.stdout.splitlines()]
    assert dict(zip(QUERIES, answers, strict=True)) == QUERIES
    assert done.stderr == ""
    assert not (tmp_path / "owned").exists()


def test_fish_completes_names(environ: Mapping[str, str], tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("no fish: apt-get install fish")
    script = f"source {COMPLETIONS / SCRIPTS['fish']}\n"
    script += "complete -C 'influx-recovery user show --username '"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], env=environ, cwd=tmp_path,
        capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    names = {line.split("\t")[0] for line in done.stdout.splitlines()}
    assert names == {"alice", "bob", HOSTILE}


@pytest.mark.pty
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_tabulator_completes_a_name_at_a_prompt(
    environ: Mapping[str, str], tmp_path: Path, shell: str
) -> None:
    start = {
        "bash": (["bash", "--norc", "-i"], f"source {COMPLETIONS / SCRIPTS['bash']}"),
        "zsh": (
            ["zsh", "-f", "-i"],
            (
                f"fpath=({(COMPLETIONS / SCRIPTS['zsh']).parent} $fpath); autoload -U compinit; "
                "compinit -u -D"
            ),
        ),
    }
    argv, load = start[shell]
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}: apt-get install {shell}")
    with typing(argv, {**environ, "PS1": "$ "}, tmp_path) as terminal:
        terminal.type(f"{load}; echo rea''dy\n", wait_for="ready")
        for typed, completed in (
            ("user show --username al", "--username alice"),
            ("auth create -o ac", "-o acme"),
            ("user list --bolt-path=infl", "uxd.bolt"),
            ("org list --id 375b", "8fa296750048"),
            ("org list --id=37", "5b8fa296750048"),
            ("help schem", "help schema"),
            ("help store salv", "help store salvage"),
            ("--bolt-path infl", "uxd.bolt"),
        ):
            terminal.type(f"\x15influx-recovery {typed}\t", wait_for=completed)
    assert not (tmp_path / "owned").exists()


class Typing:
    """A shell at a terminal."""

    def __init__(self, master: int) -> None:
        self._master = master

    def type(self, keys: str, *, wait_for: str) -> None:
        """Type, and read until these words are there."""
        os.write(self._master, keys.encode())
        text, ends_at = "", time.monotonic() + PATIENCE_S
        while wait_for not in text:
            ready, _, _ = select.select([self._master], [], [], ends_at - time.monotonic())
            assert ready, text
            text += os.read(self._master, 65536).decode(errors="replace")


@contextmanager
def typing(argv: Sequence[str], environ: Mapping[str, str], folder: Path) -> Iterator[Typing]:
    """Start a shell at a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        argv, env=environ, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Typing(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_names_are_silent_where_there_is_no_store_or_somebody_has_locked_it(
    cli: Cli, tmp_path: Path
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    (tmp_path / "junk.bolt").write_bytes(b"junk" * 100)
    before = sorted(tmp_path.rglob("*"))
    with locked(made.path, exclusive=True):
        for path in (tmp_path / "nowhere.bolt", tmp_path / "junk.bolt", made.path):
            done = cli.run_here("completion", "user", "--bolt-path", path)
            assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("shell", "near"), [("zhs", "zsh"), ("pwsh", "bash")])
def test_another_shell_is_told_which_there_are(cli: Cli, shell: str, near: str) -> None:
    done = cli.run("completion", shell)
    assert (done.code, done.hint) == (2, f"type influx-recovery completion {near}")
    assert done.error.startswith(f"there is nothing for '{shell}', only for bash, zsh and fish")
