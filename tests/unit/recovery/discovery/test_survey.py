"""All stores of a machine, for `store find`."""

import os
from pathlib import Path

import pytest

from recovery.discovery import State
from recovery.discovery.candidate import Files
from recovery.discovery.servers import HAND_STARTED, Server
from recovery.discovery.survey import candidate_of, survey
from tests.support.fake_system import FakeSystem


def test_a_machine_without_influxdb_has_no_candidates(system: FakeSystem) -> None:
    found = survey(system.host())
    assert (found.candidates, found.notes, found.errors) == ((), (), ())


def test_everything_is_listed_at_once_with_where_it_comes_from(system: FakeSystem) -> None:
    system.install_package()
    system.install_homebrew()
    system.run_container("tsdb", mounts={"/var/lib/influxdb2": {"Source": "/srv/influx"}})
    stores = [
        system.store("/srv/named.bolt"),
        system.store("/home/alice/.influxdbv2/influxd.bolt"),
        system.store("/var/lib/influxdb/influxd.bolt"),
        system.store("/opt/homebrew/var/lib/influxdb2/influxdb.bolt"),
        system.store("/root/.influxdbv2/influxd.bolt", b""),
        system.store("/srv/influx/influxd.bolt"),
        system.store("/var/lib/docker/volumes/v/_data/influxd.bolt"),
    ]
    found = survey(system.host(), bolt_path=str(stores[0]))
    assert [candidate.path for candidate in found.candidates] == stores
    assert [candidate.reasons for candidate in found.candidates] == [
        ("as it was named",),
        (f"found in the home folder {system.home}", "found in a home folder"),
        (
            "bolt-path in /etc/influxdb/config.toml, read by influxdb.service",
            "found at the package's place",
        ),
        (
            "bolt-path in /opt/homebrew/etc/influxdb2/config.yml, read by the Homebrew service",
            "found at the Homebrew service's place",
        ),
        ("found in the home folder of root",),
        ("mounted in Docker container tsdb",),
        ("found in a Docker volume",),
    ]
    assert [candidate.opened_by for candidate in found.candidates] == [
        (),
        (HAND_STARTED,),
        ("influxdb.service",),
        ("the Homebrew service",),
        (),
        ("Docker container tsdb",),
        (),
    ]


def test_size_time_owner_and_place_on_the_disk_are_known(system: FakeSystem) -> None:
    store = system.store("/var/lib/influxdb/influxd.bolt", b"x" * 77)
    store.chmod(0o640)
    status = store.stat()
    (candidate,) = survey(system.host()).candidates
    assert (candidate.state, candidate.problem) == (State.HOLDS_DATA, "")
    assert (candidate.size_bytes, candidate.mode) == (77, 0o640)
    assert (candidate.uid, candidate.gid) == (status.st_uid, status.st_gid)
    assert (candidate.device, candidate.inode) == (status.st_dev, status.st_ino)
    assert candidate.modified_at is not None
    assert int(candidate.modified_at.timestamp()) == int(status.st_mtime)


def test_a_configured_store_is_listed_though_it_is_not_there(system: FakeSystem) -> None:
    system.install_package()
    (candidate,) = survey(system.host()).candidates
    assert (candidate.state, candidate.is_configured) == (State.MISSING, True)
    assert candidate.opened_by == ("influxdb.service",)
    assert candidate.size_bytes is None


def test_a_folder_in_the_place_of_a_store_is_listed(system: FakeSystem) -> None:
    system.at("/var/lib/influxdb/influxd.bolt").mkdir(parents=True)
    (candidate,) = survey(system.host()).candidates
    assert (candidate.state, candidate.problem) == (State.NOT_A_FILE, "is a folder")


def test_a_configured_reason_comes_before_a_customary_one(system: FakeSystem) -> None:
    """The home folder is looked at first, and the unit names the same file."""
    store = system.store("/home/alice/.influxdbv2/influxd.bolt")
    system.write(
        "/etc/systemd/system/influxdb.service",
        "[Service]\nExecStart=influxd --bolt-path /home/alice/.influxdbv2/influxd.bolt"
        " --engine-path /big/engine\n",
    )
    (candidate,) = survey(system.host()).candidates
    assert candidate.path == store
    assert candidate.reasons[0] == "--bolt-path of influxdb.service"
    assert candidate.opened_by == ("influxdb.service", HAND_STARTED)
    assert candidate.files.engine_path == system.at("/big/engine")


def test_malformed_configurations_are_collected_and_stop_nothing(system: FakeSystem) -> None:
    system.install_package("bolt-path = [")
    store = system.store("/root/.influxdbv2/influxd.bolt")
    found = survey(system.host())
    assert [candidate.path for candidate in found.candidates] == [store]
    assert [error.path for error in found.errors] == [str(system.at("/etc/influxdb/config.toml"))]


@pytest.mark.parametrize(
    ("union", "count"),
    [
        ("/mnt/user/appdata/influxdb/influxd.bolt", 1),
        ("/mnt/user0/appdata/influxdb/influxd.bolt", 1),
        ("/mnt/user/appdata/other/influxd.bolt", 2),
        ("/mnt/disk2/appdata/influxdb/influxd.bolt", 2),
    ],
)
def test_the_union_of_the_disks_of_unraid_shows_no_store_twice(
    system: FakeSystem, union: str, count: int
) -> None:
    shown = system.store(union)
    disk = system.store("/mnt/cache/appdata/influxdb/influxd.bolt")
    copy_times(shown, disk)
    for name, path in (("a", disk), ("b", shown)):
        source = "/" + str(path.parent.relative_to(system.at("/")))
        system.run_container(name, mounts={"/var/lib/influxdb2": {"Source": source}})
    found = survey(system.host())
    assert len(found.candidates) == count
    os.utime(disk, (1, 1))
    assert len(survey(system.host()).candidates) == 2


def copy_times(source: Path, target: Path) -> None:
    status = source.stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_loop_of_links_is_listed_as_no_file(system: FakeSystem) -> None:
    link = system.at("/var/lib/influxdb/influxd.bolt")
    link.parent.mkdir(parents=True)
    link.symlink_to(link)
    (candidate,) = survey(system.host()).candidates
    assert (candidate.state, candidate.problem) == (
        State.NOT_A_FILE,
        "is a link that leads to itself",
    )


def test_a_description_is_one_phrase_of_facts(system: FakeSystem) -> None:
    system.install_package()
    (candidate,) = survey(system.host()).candidates
    assert candidate.description == (
        f"{system.at('/var/lib/influxdb/influxd.bolt')} (does not exist, "
        "bolt-path in /etc/influxdb/config.toml, read by influxdb.service, "
        "influxdb.service would open this one)"
    )


def test_a_server_without_a_store_is_no_candidate() -> None:
    server = Server(name="x", store_path=None, reason="", is_configured=False, files=Files())
    with pytest.raises(ValueError, match="no candidate"):
        candidate_of(server)
