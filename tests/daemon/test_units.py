"""The systemd units that come with the program."""

import importlib.resources
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from recovery.cli.parser import understand

UNITS: Final = ("influx-recovery.service", "influx-recovery.socket")
EXPOSURE_MAX: Final = 2.0
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def text_of(unit: str) -> str:
    found = importlib.resources.files("recovery.daemon").joinpath("units", unit)
    return found.read_text(encoding="utf-8")


@pytest.fixture
def placed(tmp_path: Path) -> Path:
    """The units, with a program in the place of the one that is not installed here."""
    for unit in UNITS:
        text = text_of(unit).replace("=influx-recovery serve", f"={sys.executable} serve")
        tmp_path.joinpath(unit).write_text(text)
    return tmp_path


def test_the_service_starts_a_command_that_can_be_understood() -> None:
    line = re.search(r"^ExecStart=influx-recovery (.*)$", text_of(UNITS[0]), re.MULTILINE)
    assert line is not None
    arguments, _ = understand(line[1].split())
    assert arguments.words == "serve"
    assert arguments.listen is None


@pytest.mark.parametrize("unit", UNITS)
def test_no_unit_is_started_at_boot(unit: str) -> None:
    assert "[Install]" not in text_of(unit)


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(placed: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(placed / unit) for unit in UNITS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "influx-recovery" in line]
    assert (done.returncode, said) == (0, [])


@needs_systemd
def test_the_service_is_as_closed_as_it_can_be(placed: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", str(placed / UNITS[0])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    if found is None:
        pytest.skip("this systemd-analyze knows no --offline")
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout
