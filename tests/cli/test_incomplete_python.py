"""What is said where the Python is too old, or lacks a package: a sentence, not a traceback.

And which Python it is that the installed command runs in.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from recovery.cli.main import OURS
from tests.support.source import PACKAGES, PROJECT

COMMAND: Final = PROJECT / "recovery" / "cli" / "influx-recovery"

LACKING: Final = """
import sys
sys.modules[{module!r}] = None
sys.argv = ["influx-recovery", *{arguments!r}]
from recovery.__main__ import run
run()
"""


def run_lacking(module: str, *arguments: str) -> tuple[int, list[str]]:
    script = LACKING.format(module=module, arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=False, cwd=PROJECT,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize(
    ("module", "package", "words"),
    [
        ("msgspec", "msgspec", ["demo"]),
        ("sqlite_utils", "sqlite-utils", ["store", "export", "new.sqlite", "--bolt-path"]),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_brings_it(
    level21_bolt: Path, tmp_path: Path, module: str, package: str, words: list[str]
) -> None:
    words = [str(tmp_path / word) if word.endswith("sqlite") else word for word in words]
    if words[-1] == "--bolt-path":
        words.append(str(level21_bolt))
    code, said = run_lacking(module, *words)
    assert code == 7
    error, hint = (line for line in said if line.startswith(("error: ", "hint: ")))
    assert error.startswith(f"error: {package} is missing: ")
    assert error.endswith("; nothing was changed")
    assert hint == f"hint: {sys.executable} -m pip install {package}"


def test_a_python_that_does_not_know_where_it_is_has_a_name_all_the_same() -> None:
    script = LACKING.format(module="msgspec", arguments=["demo"])
    done = subprocess.run(
        [sys.executable, "-c", script.replace("import sys", "import sys; sys.executable = ''", 1)],
        capture_output=True, text=True, check=False, cwd=PROJECT,
    )  # fmt: skip
    assert "error: msgspec is missing: python3 does not have this package" in done.stderr
    assert "hint: python3 -m pip install msgspec\n" in done.stderr


def test_a_package_that_was_compiled_for_another_python_is_not_called_absent() -> None:
    code, said = run_lacking("msgspec._core", "demo")
    error, hint = (line for line in said if line.startswith(("error: ", "hint: ")))
    assert code == 7
    assert error.startswith("error: msgspec is missing: ")
    assert "no msgspec._core that this Python can load; nothing was changed" in error
    assert "pip install msgspec" not in hint


@pytest.mark.parametrize("module", ["fcntl", "sqlite3"])
def test_a_part_of_python_is_not_to_be_had_from_the_package_index(module: str) -> None:
    code, said = run_lacking(module, "demo")
    error, hint = (line for line in said if line.startswith(("error: ", "hint: ")))
    assert code == 7
    assert error.startswith(f"error: {module} is missing: ")
    assert hint == "hint: call another Python, or the one file; both on Linux"


def test_a_package_that_a_command_does_not_need_is_not_asked_for() -> None:
    assert run_lacking("starlette", "ledger", "list", "--ledger", "/nonexistent")[0] == 0


def test_a_missing_module_of_ours_is_our_mistake() -> None:
    assert set(OURS) == set(PACKAGES)
    code, said = run_lacking("recovery.cli.commands.ledger", "ledger", "list")
    assert code == 70
    assert said[0].startswith("error: internal error, ModuleNotFoundError at ")


def older_pythons() -> list[Path]:
    """Give the interpreters of this machine that the program is not for."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [*Path("/usr/bin").glob("python[23].?*"), *pyenv.glob("versions/*/bin/python[23].?*")]
    return [path for path in found if re.fullmatch(r"python(2\.7|3\.([4-9]|10))", path.name)]


def test_an_older_python_gets_a_sentence() -> None:
    older = older_pythons()
    if not older:
        pytest.skip("no older Python is installed")
    for python in older:
        done = subprocess.run(
            [python, "-B", "-m", "recovery", "auth", "list"],
            capture_output=True, text=True, check=False, cwd=PROJECT,
        )  # fmt: skip
        error, hint = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (1, "")
        assert error.startswith("error: influx-recovery needs Python 3.11 or later, and ")
        assert hint.startswith("hint: ")


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A folder with a blank and a quote in its name, into which the command is installed."""
    folder = tmp_path / f"Ann's tools {'x' * 200}"
    package = folder / "lib" / "python3.77" / "site-packages"
    package.joinpath("influx_recovery-1.0.dist-info").mkdir(parents=True)
    command = Path(shutil.copy(COMMAND, folder / "command"))
    command.chmod(0o755)
    folder.joinpath("bin").mkdir()
    return command.rename(folder / "bin" / "influx-recovery")


def run_installed(command: Path, **environ: str | Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [command, "a  b", "--version"],
        capture_output=True, text=True, check=False, cwd="/",
        env={"PATH": "/usr/bin:/bin", **environ},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_installed_command_runs_in_the_python_beside_it(
    installation: Path, tmp_path: Path
) -> None:
    python = installation.with_name("python3.77")
    python.write_text('#!/bin/sh\nprintf "%s|" "$0" "$@"')
    python.chmod(0o755)
    link = tmp_path / "link"
    link.symlink_to(installation)
    for command in (installation, link):
        code, stdout, _ = run_installed(command)
        called, *arguments = stdout.split("|")
        assert (code, Path(called).resolve()) == (0, python)
        assert arguments == [str(command), "a  b", "--version", ""]


def test_what_keeps_the_installed_command_from_starting_is_a_sentence(
    installation: Path, tmp_path: Path
) -> None:
    code, _, stderr = run_installed(installation)
    error, hint = stderr.splitlines()
    assert code == 1
    assert error.startswith("error: python3.77, with which influx-recovery was installed, is not ")
    assert hint.startswith("hint: put the folder that has python3.77 ")
    elsewhere = tmp_path / "bin"
    elsewhere.mkdir()
    python = elsewhere / "python3.77"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"')  # with no packages
    python.chmod(0o755)
    code, _, stderr = run_installed(installation, PATH=f"{elsewhere}:/usr/bin:/bin")
    error, hint = stderr.splitlines()
    assert code == 1
    assert "does not find the modules of influx-recovery; nothing was changed" in error
    assert hint.startswith("hint: call the Python that it was installed with, ")
