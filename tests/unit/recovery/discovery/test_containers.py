"""Docker containers, seen from the host."""

import json

import pytest

from recovery.discovery.containers import Container, read_containers
from tests.support.fake_system import FakeSystem

SECRET = "canary-admin-token"  # a canary


def containers(system: FakeSystem) -> list[Container]:
    return [found for found in read_containers(system.host()) if isinstance(found, Container)]


def test_a_host_without_docker_has_no_containers(system: FakeSystem) -> None:
    assert list(read_containers(system.host())) == []


def test_name_variables_and_mounts_are_kept_and_nothing_else(system: FakeSystem) -> None:
    system.run_container(
        "tsdb",
        environment={
            "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN": SECRET,
            "INFLUXD_BOLT_PATH": "/data/influxd.bolt",
        },
        mounts={"/data": {"Source": "/srv/data"}},
    )
    (container,) = containers(system)
    assert container == Container(
        name="tsdb",
        environment={"INFLUXD_BOLT_PATH": "/data/influxd.bolt"},
        mounts={"/data": system.at("/srv/data")},
    )
    assert SECRET not in repr(container)


def test_a_named_volume_without_source_is_where_docker_keeps_it(system: FakeSystem) -> None:
    system.run_container("tsdb", mounts={"/var/lib/influxdb2": {"Source": "", "Name": "data"}})
    (container,) = containers(system)
    assert container.outside("/var/lib/influxdb2/influxd.bolt") == system.at(
        "/var/lib/docker/volumes/data/_data/influxd.bolt"
    )


@pytest.mark.parametrize(
    "docker",
    ["/volume1/@docker", "/share/CE_CACHEDEV1_DATA/Container/container-station-data/lib/docker"],
)
def test_a_docker_that_keeps_its_containers_elsewhere_is_read(
    system: FakeSystem, docker: str
) -> None:
    system.run_container(
        "tsdb", mounts={"/var/lib/influxdb2": {"Source": "", "Name": "data"}}, docker=docker
    )
    (container,) = containers(system)
    assert container.mounts == {"/var/lib/influxdb2": system.at(f"{docker}/volumes/data/_data")}


@pytest.mark.parametrize("volume", ["../../../etc", "/etc", "a/b"])
def test_a_volume_cannot_lead_out_of_the_folder_of_volumes(system: FakeSystem, volume: str) -> None:
    system.run_container("tsdb", mounts={"/data": {"Source": "", "Name": volume}})
    (container,) = containers(system)
    assert container.mounts == {}


def test_the_innermost_mount_counts(system: FakeSystem) -> None:
    system.run_container(
        "tsdb", mounts={"/": {"Source": "/a"}, "/data": {"Source": "/b"}, "/d": {"Source": "/c"}}
    )
    (container,) = containers(system)
    assert container.outside("/data/x/influxd.bolt") == system.at("/b/x/influxd.bolt")
    assert container.outside("/other/influxd.bolt") == system.at("/a/other/influxd.bolt")
    assert container.outside("/data") == system.at("/b")


def test_a_file_in_no_mount_is_not_on_the_host(system: FakeSystem) -> None:
    system.run_container("tsdb", mounts={"/data": {"Source": "/b"}})
    (container,) = containers(system)
    assert container.outside("/database/influxd.bolt") is None


def test_containers_of_other_programs_are_passed_over(system: FakeSystem) -> None:
    system.run_container("web", image="nginx:1", mounts={"/data": {"Source": "/b"}})
    assert containers(system) == []


@pytest.mark.parametrize("folder", ["/var/lib/influxdb2", "/root/.influxdbv2"])
def test_an_image_of_any_name_counts_by_its_data_folder(system: FakeSystem, folder: str) -> None:
    system.run_container("tsdb", image="registry/own:1", mounts={folder: {"Source": "/b"}})
    assert [container.name for container in containers(system)] == ["tsdb"]


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        json.dumps({"Config": [], "MountPoints": [], "Name": 7}).encode(),
        json.dumps({"Config": {"Image": "influxdb", "Env": {}}, "MountPoints": {"/x": 1}}).encode(),
    ],
)
def test_a_file_that_makes_no_sense_is_passed_over(system: FakeSystem, document: bytes) -> None:
    system.write("/var/lib/docker/containers/0-broken/config.v2.json", document)
    system.at("/var/lib/docker/containers/1-empty").mkdir()
    system.run_container("tsdb", mounts={"/data": {"Source": "/b"}})
    assert "tsdb" in [container.name for container in containers(system)]
