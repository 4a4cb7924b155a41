"""Servers that are running, found in process tables made by hand."""

import os
from pathlib import Path

import pytest

from recovery.discovery.survey import survey
from tests.support.fake_system import FakeSystem

SECRET = "canary-admin-password"  # a canary


def start(
    system: FakeSystem,
    pid: int,
    *words: str,
    program: str = "influxd",
    environment: dict[str, str] | None = None,
    cgroup: str = "/",
    working_folder: str = "/",
    root: str = "/",
    holds: Path | None = None,
) -> None:
    folder = system.at(f"/proc/{pid}")
    (folder / "fd").mkdir(parents=True)
    (folder / "fdinfo").mkdir()
    (folder / "exe").symlink_to(f"/usr/bin/{program}")
    (folder / "root").symlink_to(system.at(root))
    (folder / "cwd").symlink_to(system.at(working_folder) if root == "/" else working_folder)
    (folder / "cgroup").write_text(f"0::{cgroup}\n")
    (folder / "cmdline").write_text("".join(f"{word}\0" for word in (program, *words)))
    pairs = (environment or {}).items()
    (folder / "environ").write_text("".join(f"{name}={value}\0" for name, value in pairs))
    (folder / "fd" / "0").symlink_to("/dev/null")
    (folder / "fdinfo" / "0").write_text("pos:\t0\n")
    if holds is not None:
        (folder / "fd" / "7").symlink_to(holds)
        (folder / "fdinfo" / "7").write_text(
            "pos:\t0\nlock:\t1: FLOCK  ADVISORY  WRITE 1 0:1:2 0 EOF\n"
        )


def found(system: FakeSystem) -> list[tuple[Path, tuple[str, ...], tuple[str, ...]]]:
    return [(one.path, one.reasons, one.opened_by) for one in survey(system.host()).candidates]


def test_the_store_that_a_server_holds_is_found_wherever_it_is(system: FakeSystem) -> None:
    store = system.store("/srv/odd/metadata.db")
    start(system, 812, holds=store, cgroup="/system.slice/influx3.service")
    name = "process 812 (influxd, unit influx3.service)"
    assert found(system) == [(store, (f"{name} has it open",), (name,))]
    (one,) = survey(system.host()).candidates
    assert one.description.count(name) == 1


def test_two_servers_of_two_units_are_two_stores(system: FakeSystem) -> None:
    for number in (1, 2):
        store = system.store(f"/srv/{number}/influxd.bolt")
        start(system, 800 + number, holds=store, cgroup=f"/system.slice/influx{number}.service")
    assert [path for path, _, _ in found(system)] == [
        system.at("/srv/1/influxd.bolt"),
        system.at("/srv/2/influxd.bolt"),
    ]


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (("--bolt-path", "{}"), {}),
        (("--bolt-path=data/influxd.bolt",), {}),
        ((), {"INFLUXD_BOLT_PATH": "{}"}),
        ((), {"INFLUXD_CONFIG_PATH": "{}.toml"}),
        ((), {"HOME": "{}.home"}),
    ],
)
def test_a_server_that_has_not_opened_its_store_yet_says_what_it_would_open(
    system: FakeSystem, words: tuple[str, ...], environment: dict[str, str]
) -> None:
    store = system.store("/srv/data/influxd.bolt")
    system.write("/srv/data/influxd.bolt.toml", f'bolt-path = "{store}"\n')
    home = system.at("/srv/data/influxd.bolt.home/.influxdbv2")
    home.mkdir(parents=True)
    os.link(store, home / "influxd.bolt")
    start(
        system,
        812,
        *(word.format(store) for word in words),
        environment={name: value.format(store) for name, value in environment.items()},
        working_folder="/srv",
    )
    ((path, _, opened_by),) = found(system)
    assert path.samefile(store)
    assert opened_by == ("process 812 (influxd)",)


def test_a_store_within_a_container_is_found_below_the_root_of_its_process(
    system: FakeSystem,
) -> None:
    inner = system.store("/layers/abc/var/lib/influxdb2/influxd.bolt")
    start(system, 812, holds=Path("/var/lib/influxdb2/influxd.bolt"), root="/layers/abc")
    ((path, _, _),) = found(system)
    assert path == inner


def test_no_password_of_a_server_gets_out(system: FakeSystem) -> None:
    store = system.store("/srv/influxd.bolt")
    start(
        system,
        812,
        "--vault-token",
        SECRET,
        environment={"DOCKER_INFLUXDB_INIT_PASSWORD": SECRET, "INFLUXD_VAULT_TOKEN": SECRET},
        holds=store,
    )
    assert SECRET not in repr(survey(system.host()))


def test_other_programs_and_ended_processes_are_passed_over(system: FakeSystem) -> None:
    store = system.store("/elsewhere/influxd.bolt")
    start(system, 812, program="flock", holds=store)
    start(system, 813, holds=store)
    for link in ("exe", "cwd"):
        system.at(f"/proc/813/{link}").unlink()
    assert found(system) == []
