"""Unit files, as far as they say how influxd is started."""

import os
from pathlib import Path

import pytest

from recovery.discovery.systemd import Unit, read_environment_file, read_units
from tests.support.fake_system import FakeSystem

SECRET = "canary-admin-password"  # a canary


def only_unit(system: FakeSystem) -> Unit:
    (unit,) = read_units(system.host())
    return unit


def test_the_package_s_unit_is_understood(system: FakeSystem) -> None:
    system.install_package()
    assert only_unit(system) == Unit(
        name="influxdb.service",
        arguments=("/usr/lib/influxdb/scripts/influxd-systemd-start.sh",),
        environment={"INFLUXD_CONFIG_PATH": "/etc/influxdb/config.toml"},
        user="influxdb",
        working_folder="/",
    )


def test_a_system_without_unit_has_none(system: FakeSystem) -> None:
    assert list(read_units(system.host())) == []


def test_the_administrator_s_unit_hides_the_package_s(system: FakeSystem) -> None:
    system.install_package()
    system.write("/etc/systemd/system/influxdb.service", "[Service]\nUser=tsdb\n")
    assert only_unit(system).user == "tsdb"


def test_a_masked_unit_starts_nothing(system: FakeSystem) -> None:
    system.install_package()
    system.at("/etc/systemd/system").mkdir(parents=True)
    system.at("/etc/systemd/system/influxdb.service").symlink_to("/dev/null")
    assert list(read_units(system.host())) == []


def test_an_alias_is_not_a_second_unit(system: FakeSystem) -> None:
    system.install_package()
    system.at("/etc/systemd/system").mkdir(parents=True)
    system.at("/etc/systemd/system/influxd.service").symlink_to(
        "/usr/lib/systemd/system/influxdb.service"
    )
    assert only_unit(system).name == "influxdb.service"


def test_drop_ins_add_and_replace_in_the_order_of_their_names(system: FakeSystem) -> None:
    system.install_package()
    folder = "/etc/systemd/system/influxdb.service.d"
    system.write(f"{folder}/20-b.conf", "[Service]\nUser=late\nEnvironment=INFLUXD_BOLT_PATH=/b\n")
    system.write(f"{folder}/10-a.conf", "[Service]\nUser=early\nEnvironment=INFLUXD_BOLT_PATH=/a\n")
    system.write(f"{folder}/notes.txt", "[Service]\nUser=nobody\n")
    system.write("/usr/lib/systemd/system/influxdb.service.d/20-b.conf", "[Service]\nUser=hidden\n")
    unit = only_unit(system)
    assert (unit.user, unit.environment["INFLUXD_BOLT_PATH"]) == ("late", "/b")


def test_an_empty_value_takes_the_earlier_ones_back(system: FakeSystem) -> None:
    system.install_package()
    system.write(
        "/etc/systemd/system/influxdb.service.d/override.conf",
        "[Service]\nEnvironmentFile=\nExecStart=\nExecStart=/usr/bin/influxd --bolt-path /x\n",
    )
    unit = only_unit(system)
    assert unit.arguments == ("/usr/bin/influxd", "--bolt-path", "/x")
    assert unit.environment == {}


def test_quotes_continued_lines_comments_and_prefixes_are_understood(system: FakeSystem) -> None:
    system.write(
        "/etc/systemd/system/influxdb.service",
        "# comment\n"
        "[Service]\n"
        "; comment\n"
        "Environment='INFLUXD_BOLT_PATH=/my data/influxd.bolt' \"INFLUXD_X=1\" OTHER=2\n"
        "ExecStart=-+/usr/bin/influxd \\\n"
        "  --engine-path \\\n"
        "# between\n"
        "  '/my engine'\n"
        "WorkingDirectory=-/srv\n"
        "[Install]\n"
        "User=not-here\n",
    )
    unit = only_unit(system)
    assert unit.environment == {"INFLUXD_BOLT_PATH": "/my data/influxd.bolt", "INFLUXD_X": "1"}
    assert unit.arguments == ("/usr/bin/influxd", "--engine-path", "/my engine")
    assert (unit.user, unit.working_folder) == ("root", "/srv")


def test_variables_and_specifiers_are_replaced(system: FakeSystem) -> None:
    system.write("/etc/influx.env", "DATA=/data\nINFLUXD_X=y\n")
    system.write(
        "/etc/systemd/system/influxdb.service",
        "[Service]\nEnvironment=PLACE=%S/tsdb\n"
        "ExecStart=influxd --bolt-path ${PLACE}/influxd.bolt --engine-path $PLACE %% %n ${NO}x\n",
    )
    assert only_unit(system).arguments == (
        "influxd",
        "--bolt-path",
        "/var/lib/tsdb/influxd.bolt",
        "--engine-path",
        "/var/lib/tsdb",
        "%",
        "%n",
        "x",
    )


def test_an_environment_file_wins_over_the_unit_and_may_be_absent(system: FakeSystem) -> None:
    system.write("/etc/influx.env", "INFLUXD_BOLT_PATH=/from-file\n")
    system.write(
        "/etc/systemd/system/influxdb.service",
        "[Service]\nEnvironmentFile=-/etc/absent\nEnvironmentFile=/etc/influx.env\n"
        "Environment=INFLUXD_BOLT_PATH=/from-unit\n",
    )
    unit = only_unit(system)
    assert unit.environment == {"INFLUXD_BOLT_PATH": "/from-file"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("INFLUXD_BOLT_PATH=/x", "/x"),
        ('INFLUXD_BOLT_PATH="/my x"', "/my x"),
        ("INFLUXD_BOLT_PATH='/my x'", "/my x"),
        ("export INFLUXD_BOLT_PATH=/x", "/x"),
        ("  INFLUXD_BOLT_PATH=/x  ", "/x"),
        ("INFLUXD_BOLT_PATH='/x", "'/x"),
        ("INFLUXD_BOLT_PATH=", None),
        ("# INFLUXD_BOLT_PATH=/x", None),
        ("INFLUXD_BOLT_PATH", None),
    ],
)
def test_a_line_of_an_environment_file(tmp_path: Path, line: str, expected: str | None) -> None:
    path = tmp_path / "environment"
    path.write_text(f"OTHER=1\n{line}\n", encoding="utf-8")
    variables = read_environment_file(path)
    assert variables == ({} if expected is None else {"INFLUXD_BOLT_PATH": expected})


def test_only_variables_of_influxd_are_kept(system: FakeSystem) -> None:
    system.install_package()
    system.write("/etc/default/influxdb2", f"DOCKER_INFLUXDB_INIT_PASSWORD={SECRET}\n")
    system.write(
        "/etc/systemd/system/influxdb.service.d/a.conf",
        f"[Service]\nEnvironment=PASSWORD={SECRET}\nExecStart=influxd --vault-token {SECRET}\n",
    )
    unit = only_unit(system)
    assert unit.environment == {}
    assert SECRET not in repr(unit)


def test_bytes_that_are_no_text_and_pipes_do_no_harm(system: FakeSystem) -> None:
    system.write("/etc/systemd/system/influxdb.service", b"\xff[Service]\n[Service]\nUser=\xfe\n")
    os.mkfifo(system.at("/pipe"))
    system.write(
        "/etc/systemd/system/influxd.service", "[Service]\nEnvironmentFile=/pipe\nUser=x\n"
    )
    first, second = read_units(system.host())
    assert first.user == "\N{REPLACEMENT CHARACTER}"
    assert (second.user, second.environment) == ("x", {})


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/influxd",
        "/opt/influxdb2-2.7.12/usr/bin/influxd run",
        "/usr/bin/env LANG=C influxd",
        "/bin/sh -c 'exec /usr/bin/influxd --http-bind-address :9999'",
        "/usr/lib/influxdb/scripts/influxd-systemd-start.sh",
        "/usr/local/bin/influxd-2.9",
    ],
)
def test_a_unit_of_any_name_counts_that_starts_influxd(system: FakeSystem, command: str) -> None:
    system.write(
        "/etc/systemd/system/influx3.service",
        f"[Service]\nExecStart={command}\nEnvironment=INFLUXD_CONFIG_PATH=/etc/i3.toml\n",
    )
    system.write("/etc/systemd/system/telegraf.service", "[Service]\nExecStart=/bin/telegraf\n")
    unit = only_unit(system)
    assert unit.name == "influx3.service"
    assert unit.environment == {"INFLUXD_CONFIG_PATH": "/etc/i3.toml"}


@pytest.mark.parametrize(
    "command",
    ["/usr/bin/docker run --name influxd influxdb:2.7", "/usr/bin/influx ping", "", "/bin/true"],
)
def test_a_unit_that_starts_something_else_does_not_count(system: FakeSystem, command: str) -> None:
    system.write("/etc/systemd/system/tsdb.service", f"[Service]\nExecStart={command}\n")
    assert list(read_units(system.host())) == []


def test_the_enabled_instances_of_a_template_are_units(system: FakeSystem) -> None:
    system.write(
        "/etc/systemd/system/tsdb@.service",
        "[Service]\nExecStart=/usr/bin/influxd --bolt-path /srv/%i/influxd.bolt\n",
    )
    wants = system.at("/etc/systemd/system/multi-user.target.wants")
    wants.mkdir()
    for name in ("one", "two"):
        (wants / f"tsdb@{name}.service").symlink_to("/etc/systemd/system/tsdb@.service")
    assert [(unit.name, unit.arguments[-1]) for unit in read_units(system.host())] == [
        ("tsdb@one.service", "/srv/one/influxd.bolt"),
        ("tsdb@two.service", "/srv/two/influxd.bolt"),
    ]


def test_an_instance_with_a_file_of_its_own_hides_the_template(system: FakeSystem) -> None:
    system.write("/lib/systemd/system/tsdb@.service", "[Service]\nExecStart=/usr/bin/influxd\n")
    system.write("/etc/systemd/system/tsdb@x.service", "[Service]\nExecStart=/opt/influxd run\n")
    assert only_unit(system).arguments == ("/opt/influxd", "run")
