"""The machine that is searched."""

import os
import pwd
from pathlib import Path

import pytest

from recovery.discovery import Host

SECRET = "canary-influx-token"  # a canary


def test_only_variables_of_influxd_that_are_set_are_kept() -> None:
    environment = {"INFLUXD_BOLT_PATH": "/x", "INFLUXD_ENGINE_PATH": "", "INFLUX_TOKEN": SECRET}
    host = Host(environment=environment, working_folder=Path("/"), homes=())
    assert host.environment == {"INFLUXD_BOLT_PATH": "/x"}
    assert SECRET not in repr(host)
    assert "/x" not in repr(host)


def test_the_home_of_the_system_s_list_comes_before_the_variable() -> None:
    """The server looks there first; with sudo the two differ."""
    mine = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    assert Host.here({"HOME": "/elsewhere"}).homes == (mine, Path("/elsewhere"))
    assert Host.here({}).homes == (mine,)
    assert Host.here({"HOME": str(mine)}).homes == (mine,)


def test_the_home_of_who_used_sudo_is_looked_into() -> None:
    other = next(entry for entry in pwd.getpwall() if entry.pw_uid != os.geteuid())
    assert Path(other.pw_dir) in Host.here({"SUDO_USER": other.pw_name}).homes
    assert len(Host.here({"SUDO_USER": "no such user"}).homes) == 1


def test_the_working_folder_may_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert Host.here({}).working_folder == Path("/")


def test_paths_of_the_system_are_below_its_root(tmp_path: Path) -> None:
    host = Host(environment={}, working_folder=Path("/"), homes=(), root=tmp_path)
    assert host.inside("/etc/passwd") == tmp_path / "etc" / "passwd"
    assert host.seen_from_inside(tmp_path / "etc" / "passwd") == "/etc/passwd"
    assert host.seen_from_inside(Path("/elsewhere")) == "/elsewhere"


def test_the_usual_root_changes_no_path() -> None:
    host = Host(environment={}, working_folder=Path("/"), homes=())
    assert host.inside("/etc/passwd") == Path("/etc/passwd")
    assert host.seen_from_inside(Path("/etc/passwd")) == "/etc/passwd"
