"""Places known by custom."""

from recovery.discovery.places import Blind, Place, fixed_places, further_places, matching_places
from tests.support.fake_system import FakeSystem


def test_fixed_places_are_listed_whether_there_is_something_or_not(system: FakeSystem) -> None:
    paths = [place.path for place in fixed_places(system.host())]
    assert paths[:5] == [
        system.at("/root/.influxdbv2/influxd.bolt"),
        system.home / ".influxdbv2" / "influxd.bolt",
        system.at("/var/lib/influxdb/.influxdbv2/influxd.bolt"),
        system.at("/var/lib/influxdb/influxd.bolt"),
        system.at("/var/lib/influxdb2/influxd.bolt"),
    ]
    assert len(set(paths)) == len(paths)


def test_places_of_a_pattern_are_listed_only_if_there_is_something(system: FakeSystem) -> None:
    system.at("/var/lib/docker/volumes/empty/_data").mkdir(parents=True)
    system.write("/var/lib/docker/volumes/metadata.db", b"x")
    stores = [system.store(f"/var/lib/docker/volumes/{name}/_data/influxd.bolt") for name in "ab"]
    found = list(matching_places(system.host()))
    assert [place.path for place in found] == stores
    assert all(isinstance(place, Place) for place in found)


def test_a_link_to_nothing_is_something(system: FakeSystem) -> None:
    link = system.at("/home/bob/.influxdbv2/influxd.bolt")
    link.parent.mkdir(parents=True)
    link.symlink_to("/nowhere")
    assert [place.path for place in matching_places(system.host())] == [link]


def test_a_folder_named_like_a_pattern_is_a_folder(system: FakeSystem) -> None:
    store = system.store("/home/*/.influxdbv2/influxd.bolt")
    assert [place.path for place in matching_places(system.host())] == [store]


def test_file_systems_of_other_machines_are_named_and_not_looked_into(system: FakeSystem) -> None:
    """One whose server is gone would never answer."""
    system.store("/mnt/far away/var/lib/influxdb/influxd.bolt")
    near = system.store("/mnt/near/var/lib/influxdb/influxd.bolt")
    system.write(
        "/proc/self/mounts",
        "nas:/x /mnt/far\\040away nfs4 rw 0 0\n/dev/sdb1 /mnt/near ext4 rw 0 0\n\nodd\n",
    )
    found = list(further_places(system.host()))
    assert [place.path for place in found if isinstance(place, Place)] == [near]
    assert {(place.path, place.problem) for place in found if isinstance(place, Blind)} == {
        (system.at("/mnt/far away"), "is on another machine and was not looked into")
    }
