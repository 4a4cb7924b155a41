"""What is said where the Python is too old, or lacks a package: a sentence, not a traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from recovery.cli.main import OURS
from tests.support.source import PACKAGES, PROJECT

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
