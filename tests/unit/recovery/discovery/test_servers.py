"""What the servers of a machine would open."""

import pytest

from recovery.discovery.candidate import Files
from recovery.discovery.containers import Container
from recovery.discovery.servers import (
    HAND_STARTED,
    Server,
    server_here,
    server_of_container,
    servers_of_system,
)
from tests.support.fake_system import FakeSystem


def only_server(system: FakeSystem) -> Server:
    (server,) = servers_of_system(system.host())
    return server


def custom_unit(system: FakeSystem, *lines: str) -> None:
    system.write("/etc/passwd", "bob:x:1000:1000::/srv/people/bob:/bin/bash\nodd\n")
    system.write("/etc/systemd/system/influxdb.service", "\n".join(["[Service]", *lines, ""]))


def test_without_anything_influxd_opens_the_default_of_the_first_home(system: FakeSystem) -> None:
    server = server_here(system.host())
    assert server == Server(
        name=HAND_STARTED,
        store_path=system.home / ".influxdbv2" / "influxd.bolt",
        reason=f"found in the home folder {system.home}",
        is_configured=False,
        files=Files(
            sqlite_path=system.home / ".influxdbv2" / "influxd.sqlite",
            engine_path=system.home / ".influxdbv2" / "engine",
        ),
    )


def test_a_system_without_influxdb_has_no_servers(system: FakeSystem) -> None:
    assert list(servers_of_system(system.host())) == []


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--bolt-path=/a/x.bolt", "/a/x.bolt"),
        ("--bolt-path /a/x.bolt", "/a/x.bolt"),
        ("--log-level debug --bolt-path /a/x.bolt --reporting-disabled", "/a/x.bolt"),
        ("--bolt-path x.bolt", "/srv/run/x.bolt"),
    ],
)
def test_the_flag_of_a_unit_wins(system: FakeSystem, argument: str, expected: str) -> None:
    custom_unit(
        system,
        "WorkingDirectory=/srv/run",
        "Environment=INFLUXD_BOLT_PATH=/b/x.bolt INFLUXD_ENGINE_PATH=/b/engine",
        f"ExecStart=/usr/bin/influxd {argument} --use-hashed-tokens",
    )
    server = only_server(system)
    assert server.store_path == system.at(expected)
    assert server.reason == "--bolt-path of influxdb.service"
    assert server.files.engine_path == system.at("/b/engine")
    assert server.files.use_hashed_tokens is True


@pytest.mark.parametrize("argument", ["--bolt-path", "--bolt-path --log-level", "--bolt-path="])
def test_a_flag_without_value_says_nothing(system: FakeSystem, argument: str) -> None:
    custom_unit(system, "User=bob", f"ExecStart=/usr/bin/influxd {argument}")
    server = only_server(system)
    assert (server.is_configured, server.store_path) == (
        False,
        system.at("/srv/people/bob/.influxdbv2/influxd.bolt"),
    )


def test_the_environment_of_a_unit_wins_over_its_configuration(system: FakeSystem) -> None:
    system.install_package()
    system.write(
        "/etc/systemd/system/influxdb.service.d/a.conf",
        "[Service]\nEnvironment=INFLUXD_BOLT_PATH=/b/x.bolt\n",
    )
    server = only_server(system)
    assert server.store_path == system.at("/b/x.bolt")
    assert server.reason == "INFLUXD_BOLT_PATH of influxdb.service"
    assert server.files == Files(
        sqlite_path=system.at("/b/influxd.sqlite"),
        engine_path=system.at("/var/lib/influxdb/engine"),
    )


def test_a_unit_without_configuration_path_reads_that_of_its_folder(system: FakeSystem) -> None:
    custom_unit(system, "User=bob", "WorkingDirectory=~", "ExecStart=influxd")
    system.write("/srv/people/bob/config.toml", 'bolt-path = "data/x.bolt"')
    server = only_server(system)
    assert server.store_path == system.at("/srv/people/bob/data/x.bolt")
    assert server.reason == "bolt-path in /srv/people/bob/config.toml, read by influxdb.service"


@pytest.mark.parametrize(
    ("user", "home"),
    [("bob", "/srv/people/bob"), ("root", "/root"), ("influxdb", "/var/lib/influxdb")],
)
def test_a_unit_without_any_setting_uses_the_home_of_its_user(
    system: FakeSystem, user: str, home: str
) -> None:
    custom_unit(system, f"User={user}", "ExecStart=influxd")
    assert only_server(system).store_path == system.at(f"{home}/.influxdbv2/influxd.bolt")


def test_a_malformed_configuration_is_reported_with_its_server(system: FakeSystem) -> None:
    system.install_package("bolt-path = [")
    server = only_server(system)
    assert server.error is not None
    assert server.error.path == str(system.at("/etc/influxdb/config.toml"))
    assert server.is_configured is False


def test_all_kinds_of_servers_are_listed(system: FakeSystem) -> None:
    system.install_package()
    system.install_image()
    system.install_homebrew()
    system.install_homebrew("/usr/local")
    assert [server.name for server in servers_of_system(system.host())] == [
        "influxdb.service",
        "the Docker image's entry point",
        "the Homebrew service",
        "the Homebrew service",
    ]


def container(system: FakeSystem, **environment: str) -> Container:
    return Container(
        name="tsdb",
        environment=environment,
        mounts={
            "/var/lib/influxdb2": system.at("/srv/data"),
            "/etc/influxdb2": system.at("/srv/conf"),
        },
    )


def test_a_container_opens_the_image_s_place(system: FakeSystem) -> None:
    server = server_of_container(system.host(), container(system))
    assert server.store_path == system.at("/srv/data/influxd.bolt")
    assert server.reason == "mounted in Docker container tsdb"


def test_a_container_s_variable_wins(system: FakeSystem) -> None:
    given = container(system, INFLUXD_BOLT_PATH="/var/lib/influxdb2/other.bolt")
    server = server_of_container(system.host(), given)
    assert server.store_path == system.at("/srv/data/other.bolt")
    assert server.reason == "INFLUXD_BOLT_PATH of Docker container tsdb"


def test_a_container_s_mounted_configuration_is_read(system: FakeSystem) -> None:
    system.write("/srv/conf/config.yml", "bolt-path: /var/lib/influxdb2/other.bolt\n")
    server = server_of_container(system.host(), container(system))
    assert server.store_path == system.at("/srv/data/other.bolt")
    assert server.reason == "bolt-path in /srv/conf/config.yml, read by Docker container tsdb"


def test_a_store_inside_of_a_container_only_cannot_be_told(system: FakeSystem) -> None:
    given = container(system, INFLUXD_BOLT_PATH="/elsewhere/influxd.bolt")
    assert server_of_container(system.host(), given).store_path is None


def test_a_container_can_only_hint(system: FakeSystem) -> None:
    system.write("/srv/conf/config.yml", "[")
    server = server_of_container(system.host(), container(system))
    assert (server.error, server.is_configured) == (None, False)
    assert server.notes == (f"{system.at('/srv/conf/config.yml')} is malformed YAML at line 1",)
