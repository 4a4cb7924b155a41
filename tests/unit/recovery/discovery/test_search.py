"""Which store, and why: all layouts of the packages, alone and together."""

import os
import re
from pathlib import Path

import pytest

from recovery.discovery import FoundStore, discover, with_files
from recovery.discovery.survey import survey
from recovery.errors import (
    AmbiguousError,
    ConfigurationError,
    ExitCode,
    StoreNotFoundError,
)
from tests.support.as_other_user import run_as_nobody
from tests.support.fake_system import STORE, FakeSystem
from tests.support.hints import hint_of

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    return FakeSystem(tmp_path / "root")


def snapshot(root: Path) -> list[tuple[str, int, int]]:
    """All files with size and time, to see that nothing was made or touched."""
    return sorted(
        (str(path), path.lstat().st_size, path.lstat().st_mtime_ns) for path in root.rglob("*")
    )


def test_the_command_line_wins_over_everything(system: FakeSystem) -> None:
    system.install_package()
    system.store("/var/lib/influxdb/influxd.bolt")
    named = system.store("/srv/copy.bolt")
    host = system.host(INFLUXD_BOLT_PATH="/nowhere", INFLUXD_CONFIG_PATH="/nowhere.toml")
    found = discover(host, bolt_path=str(named))
    assert (found.path, found.reason, found.notes) == (named, "as it was named", ())
    assert found.files.sqlite_path == system.at("/srv/influxd.sqlite")


def test_a_relative_path_starts_at_the_working_folder(system: FakeSystem) -> None:
    named = system.store("/somewhere/data/influxd.bolt")
    assert discover(system.host(), bolt_path="data/influxd.bolt").path == named


def test_the_environment_wins_over_its_configuration(system: FakeSystem) -> None:
    system.store("/srv/other.bolt")
    named = system.store("/srv/named.bolt")
    configuration = system.write(
        "/srv/config.toml",
        'bolt-path = "/srv/other.bolt"\nengine-path = "/srv/engine"\nuse-hashed-tokens = true\n',
    )
    found = discover(
        system.host(INFLUXD_BOLT_PATH=str(named), INFLUXD_CONFIG_PATH=str(configuration)),
        bolt_path=None,
    )
    assert (found.path, found.reason) == (named, "from INFLUXD_BOLT_PATH")
    assert found.files.engine_path == Path("/srv/engine")
    assert found.files.sqlite_path == system.at("/srv/influxd.sqlite")
    assert found.files.use_hashed_tokens is True


def test_an_empty_variable_counts_as_unset(system: FakeSystem) -> None:
    home_store = system.store("/home/alice/.influxdbv2/influxd.bolt")
    host = system.host(INFLUXD_BOLT_PATH="", INFLUXD_CONFIG_PATH="")
    assert discover(host, bolt_path=None).path == home_store


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.toml", 'BOLT-Path = "{store}"'),
        ("config.json", '{{"bolt-path": "{store}"}}'),
        ("config.yaml", "bolt-path: {store}"),
        ("config.yml", 'bolt-path: "{store}"'),
        ("other.TOML", 'bolt-path = "{store}"'),
    ],
)
def test_the_configuration_that_the_environment_names_decides(
    system: FakeSystem, name: str, content: str
) -> None:
    system.store("/home/alice/.influxdbv2/influxd.bolt")
    store = system.store("/data/influxd.bolt")
    configuration = system.write(f"/srv/{name}", content.format(store=store))
    found = discover(system.host(INFLUXD_CONFIG_PATH=str(configuration)), bolt_path=None)
    assert found.path == store
    assert found.reason == f"bolt-path in {configuration}, named by INFLUXD_CONFIG_PATH"


def test_the_environment_may_name_the_folder_of_a_configuration(system: FakeSystem) -> None:
    store = system.store("/data/influxd.bolt")
    configuration = system.write("/srv/conf/config.yaml", f"bolt-path: {store}")
    found = discover(system.host(INFLUXD_CONFIG_PATH=str(configuration.parent)), bolt_path=None)
    assert found.reason == f"bolt-path in {configuration}, named by INFLUXD_CONFIG_PATH"


def test_a_configuration_without_a_store_leaves_the_search_to_go_on(system: FakeSystem) -> None:
    store = system.store("/home/alice/.influxdbv2/influxd.bolt")
    configuration = system.write("/srv/config.toml", 'engine-path = "/srv/engine"')
    found = discover(system.host(INFLUXD_CONFIG_PATH=str(configuration)), bolt_path=None)
    assert (found.path, found.reason) == (store, f"found in the home folder {system.home}")
    assert found.files.engine_path == Path("/srv/engine")


def test_a_configuration_that_is_not_there_is_noted_and_the_search_goes_on(
    system: FakeSystem,
) -> None:
    """As influxd does; and the operator should know, since it may be a mistake."""
    store = system.store("/home/alice/.influxdbv2/influxd.bolt")
    found = discover(system.host(INFLUXD_CONFIG_PATH="/nowhere/config.toml"), bolt_path=None)
    assert found.path == store
    assert found.notes == (
        "INFLUXD_CONFIG_PATH names /nowhere/config.toml, where there is no configuration",
    )


def test_a_malformed_configuration_that_the_environment_names_stops_the_search(
    system: FakeSystem,
) -> None:
    system.store("/home/alice/.influxdbv2/influxd.bolt")
    configuration = system.write("/srv/config.toml", "bolt-path = \n")
    with pytest.raises(ConfigurationError, match=r"is malformed TOML at line 1") as caught:
        discover(system.host(INFLUXD_CONFIG_PATH=str(configuration)), bolt_path=None)
    assert caught.value.path == str(configuration)
    assert caught.value.exit_code is ExitCode.REFUSED


def test_a_malformed_configuration_does_not_matter_when_the_store_is_named(
    system: FakeSystem,
) -> None:
    store = system.store("/data/influxd.bolt")
    configuration = system.write("/srv/config.toml", "bolt-path = \n")
    host = system.host(INFLUXD_CONFIG_PATH=str(configuration), INFLUXD_BOLT_PATH=str(store))
    found = discover(host, bolt_path=None)
    assert found.path == store
    assert found.notes == (f"{configuration} is malformed TOML at line 1",)


def test_a_configuration_with_keys_of_1x_is_noted(system: FakeSystem) -> None:
    store = system.store("/data/influxd.bolt")
    configuration = system.write(
        "/srv/config.toml", f'bolt-path = "{store}"\nbind-address = ":8088"\n[http]\n[data]\n'
    )
    found = discover(system.host(INFLUXD_CONFIG_PATH=str(configuration)), bolt_path=None)
    assert found.notes == (
        f"influxd 2.x refuses to start on {configuration}: it has bind-address, data, http",
    )


FURTHER = {
    "/volume1/docker/influxdb2/influxd.bolt": "found in a container's folder of a NAS",
    "/volume2/docker/home/influxdb/influxd.bolt": "found in a container's folder of a NAS",
    "/share/Container/influxdb/influxd.bolt": "found in a container's folder of a NAS",
    "/share/CACHEDEV1_DATA/Container/influxdb/data/influxd.bolt": (
        "found in a container's folder of a NAS"
    ),
    "/mnt/user/appdata/influxdb/data/influxd.bolt": "found in an application's folder of Unraid",
    "/mnt/.ix-apps/app_mounts/influxdb/data/influxd.bolt": (
        "found in an application's folder of TrueNAS"
    ),
    "/mnt/tank/ix-applications/releases/influxdb/volumes/ix_volumes/data/influxd.bolt": (
        "found in an application's folder of TrueNAS"
    ),
    "/srv/dev-disk-by-uuid-1/appdata/influxdb/influxd.bolt": (
        "found in an application's folder of a NAS"
    ),
    "/DATA/AppData/influxdb2/influxd.bolt": "found in an application's folder of CasaOS",
    "/home/bob/IOTstack/volumes/influxdb2/data/influxd.bolt": (
        "found in a container's folder of IOTstack"
    ),
    "/mnt/data/supervisor/addons/data/a0d7b954_influxdbv2/influxdb/influxd.bolt": (
        "found in an add-on of Home Assistant"
    ),
    "/addon_configs/a0d7b954_influxdbv2/influxd.bolt": "found in an add-on of Home Assistant",
    "/data/influxdb2/influxd.bolt": "found in the folder for data",
    "/data/influxd.bolt": "found in the folder for data",
    "/bitnami/influxdb/influxd.bolt": "found in the folder for data of the Bitnami image",
    "/var/lib/rancher/k3s/storage/pvc-1_ns_data/influxd.bolt": "found in a Kubernetes volume",
    "/var/snap/influxdb/common/influxd.bolt": "found in the folder of a snap",
    "/opt/stack/influxdb/influxd.bolt": "found in a program's folder",
    "/mnt/sysroot/var/lib/influxdb/influxd.bolt": "found in a mounted system",
    "/mnt/root/.influxdbv2/influxd.bolt": "found in a mounted system",
    "/run/media/alice/disk/var/lib/influxdb2/influxd.bolt": "found in a mounted system",
    "/var/lib/lxc/101/rootfs/var/lib/influxdb/influxd.bolt": "found in a system container",
    "/rpool/data/subvol-101-disk-0/var/lib/influxdb/influxd.bolt": "found in a system container",
}
"""Where people and other systems keep a store, or a copy of one."""
PLACES = {
    "/root/.influxdbv2/influxd.bolt": "found in the home folder of root",
    "/var/lib/influxdb/.influxdbv2/influxd.bolt": "found in the home folder of the package's user",
    "/var/lib/influxdb/influxd.bolt": "found at the package's place",
    "/var/lib/influxdb2/influxd.bolt": "found at the Docker image's place",
    "/opt/homebrew/var/lib/influxdb2/influxdb.bolt": "found at the Homebrew service's place",
    "/usr/local/var/lib/influxdb2/influxdb.bolt": "found at the Homebrew service's place",
    "/home/linuxbrew/.linuxbrew/var/lib/influxdb2/influxdb.bolt": (
        "found at the Homebrew service's place"
    ),
    "/home/bob/.influxdbv2/influxd.bolt": "found in a home folder",
    "/Users/bob/.influxdbv2/influxd.bolt": "found in a home folder",
    "/var/lib/docker/volumes/influx/_data/influxd.bolt": "found in a Docker volume",
    "/home/bob/.local/share/docker/volumes/v/_data/influxd.bolt": (
        "found in a rootless Docker volume"
    ),
    "/var/lib/containers/storage/volumes/v/_data/influxd.bolt": "found in a Podman volume",
    "/home/bob/.local/share/containers/storage/volumes/v/_data/influxd.bolt": (
        "found in a rootless Podman volume"
    ),
    "/var/lib/kubelet/pods/p/volumes/kubernetes.io~csi/pvc/influxd.bolt": (
        "found in a Kubernetes volume"
    ),
    "/volume1/@docker/volumes/v/_data/influxd.bolt": "found in a Docker volume",
    "/var/snap/docker/common/var-lib-docker/volumes/v/_data/influxd.bolt": (
        "found in a Docker volume"
    ),
    **FURTHER,
}


@pytest.mark.parametrize(("path", "reason"), PLACES.items(), ids=PLACES)
def test_a_store_at_a_known_place_is_found_without_any_configuration(
    system: FakeSystem, path: str, reason: str
) -> None:
    store = system.store(path)
    before = snapshot(system.root)
    found = discover(system.host(), bolt_path=None)
    assert found == FoundStore(path=store, named_path=store, reason=reason, files=found.files)
    assert found.files.sqlite_path == store.parent / "influxd.sqlite"
    assert found.files.engine_path == store.parent / "engine"
    assert before == snapshot(system.root)


@pytest.mark.parametrize("path", FURTHER)
def test_a_copy_elsewhere_does_not_make_the_choice_of_a_server_s_store_ambiguous(
    system: FakeSystem, path: str
) -> None:
    store = system.store("/var/lib/influxdb/influxd.bolt")
    copy = system.store(path)
    assert discover(system.host(), bolt_path=None).path == store
    listed = survey(system.host(), is_everywhere=True).candidates
    assert [candidate.path for candidate in listed] == [store, copy]


def test_a_copy_is_not_taken_in_place_of_a_store_that_a_configuration_names(
    system: FakeSystem,
) -> None:
    system.install_package()
    system.store("/mnt/backup/var/lib/influxdb/influxd.bolt")
    with pytest.raises(StoreNotFoundError, match=r"does not exist \(bolt-path in /etc"):
        discover(system.host(), bolt_path=None)


def test_two_copies_elsewhere_are_not_chosen_from(system: FakeSystem) -> None:
    for name in ("a", "b"):
        system.store(f"/volume1/docker/{name}/influxd.bolt")
    with pytest.raises(AmbiguousError):
        discover(system.host(), bolt_path=None)


def test_the_store_of_the_person_is_found_in_the_home_folder(system: FakeSystem) -> None:
    store = system.store("/home/alice/.influxdbv2/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert (found.path, found.reason) == (store, f"found in the home folder {system.home}")
    assert found.files.engine_path == store.parent / "engine"


def test_the_package_s_store_is_found_through_unit_and_configuration(system: FakeSystem) -> None:
    system.install_package()
    store = system.store("/var/lib/influxdb/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert found.path == store
    assert found.reason == "bolt-path in /etc/influxdb/config.toml, read by influxdb.service"
    assert found.files.engine_path == system.at("/var/lib/influxdb/engine")
    assert found.files.sqlite_path == system.at("/var/lib/influxdb/influxd.sqlite")


def test_the_package_s_store_may_have_been_moved(system: FakeSystem) -> None:
    system.install_package('bolt-path = "/mnt/disk/influxd.bolt"\nsqlite-path = "/mnt/x.sqlite"\n')
    store = system.store("/mnt/disk/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert found.path == store
    assert found.files.sqlite_path == system.at("/mnt/x.sqlite")


def test_a_package_whose_configuration_is_not_there_uses_the_home_of_its_user(
    system: FakeSystem,
) -> None:
    system.install_package(None)
    store = system.store("/var/lib/influxdb/.influxdbv2/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert found.path == store
    assert found.reason == "found in the home folder of influxdb, user of influxdb.service"


def test_a_package_without_systemd_is_understood(system: FakeSystem) -> None:
    system.install_package()
    system.at("/usr/lib/systemd/system/influxdb.service").unlink()
    store = system.store("/var/lib/influxdb/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert found.path == store
    assert found.reason == "bolt-path in /etc/influxdb/config.toml, named by /etc/default/influxdb2"


def test_what_a_removed_package_left_is_a_hint(system: FakeSystem) -> None:
    system.write("/etc/influxdb/config.toml", 'bolt-path = "/mnt/disk/influxd.bolt"')
    store = system.store("/mnt/disk/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert found.path == store
    assert found.reason == "bolt-path in /etc/influxdb/config.toml, to which nothing refers"
    store.unlink()
    other = system.store("/home/alice/.influxdbv2/influxd.bolt")
    assert discover(system.host(), bolt_path=None).path == other


def test_inside_of_a_container_the_entry_point_s_configuration_counts(system: FakeSystem) -> None:
    system.install_image()
    store = system.store("/var/lib/influxdb2/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert found.path == store
    assert found.reason == (
        "bolt-path in /etc/defaults/influxdb2/config.yml, read by the Docker image's entry point"
    )
    system.write("/etc/influxdb2/config.json", '{"bolt-path": "/data/influxd.bolt"}')
    store.unlink()
    store = system.store("/data/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert found.path == store
    assert "/etc/influxdb2/config.json" in found.reason


def test_the_homebrew_service_has_another_file_name(system: FakeSystem) -> None:
    system.install_homebrew()
    store = system.store("/opt/homebrew/var/lib/influxdb2/influxdb.bolt")
    found = discover(system.host(), bolt_path=None)
    assert found.path == store
    assert found.reason == (
        "bolt-path in /opt/homebrew/etc/influxdb2/config.yml, read by the Homebrew service"
    )


def test_a_bind_mount_of_a_container_is_found_from_the_host(system: FakeSystem) -> None:
    system.run_container("tsdb", mounts={"/var/lib/influxdb2": {"Source": "/srv/influx"}})
    store = system.store("/srv/influx/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert (found.path, found.reason) == (store, "mounted in Docker container tsdb")


def test_a_configuration_in_the_working_folder_is_a_hint(system: FakeSystem) -> None:
    """Influxd reads it, too, if it is started there."""
    store = system.store("/data/influxd.bolt")
    file = system.write("/somewhere/config.yaml", f"bolt-path: {store}\n")
    found = discover(system.host(), bolt_path=None)
    assert (found.path, found.reason) == (store, f"bolt-path in {file}, in the working folder")


@pytest.mark.parametrize("content", ["{", "[1]", '{"http": 1}', '{"bolt-path": "/nowhere"}'])
def test_a_file_of_another_program_in_the_working_folder_disturbs_nothing(
    system: FakeSystem, content: str
) -> None:
    system.write("/somewhere/config.json", content)
    store = system.store("/home/alice/.influxdbv2/influxd.bolt")
    found = discover(system.host(), bolt_path=None)
    assert (found.path, found.notes) == (store, ())


def test_two_stores_with_data_are_listed_and_none_is_taken(system: FakeSystem) -> None:
    system.install_package()
    first = system.store("/root/.influxdbv2/influxd.bolt", b"y" * 100)
    second = system.store("/var/lib/influxdb/influxd.bolt")
    for path in (first, second):
        os.utime(path, (1_767_323_045, 1_767_323_045))
    with pytest.raises(AmbiguousError) as caught:
        discover(system.host(), bolt_path=None)
    error = caught.value
    assert error.kind == "store"
    of_root, of_package = sorted(error.candidates)
    assert of_root == (
        f"{first} (100 bytes, changed 2026-01-02T03:04:05Z, found in the home folder of root)"
    )
    assert of_package == (
        f"{second} (4096 bytes, changed 2026-01-02T03:04:05Z, "
        "bolt-path in /etc/influxdb/config.toml, read by influxdb.service, "
        "influxdb.service would open this one)"
    )
    assert hint_of(error) == (
        "name one of them with --bolt-path FILE, or type influx-recovery store find to see which "
        "one a server would open"
    )


def test_one_store_under_two_names_is_one_store(system: FakeSystem) -> None:
    store = system.store("/mnt/disk/influxd.bolt")
    link = system.at("/var/lib/influxdb/influxd.bolt")
    link.parent.mkdir(parents=True)
    link.symlink_to(store)
    other = system.at("/var/lib/influxdb2/influxd.bolt")
    other.parent.mkdir(parents=True)
    os.link(store, other)
    found = discover(system.host(), bolt_path=None)
    assert (found.path, found.named_path) == (store, link)
    assert found.files.sqlite_path == link.parent / "influxd.sqlite"


def test_an_empty_file_beside_a_full_one_is_passed_over(system: FakeSystem) -> None:
    system.store("/root/.influxdbv2/influxd.bolt", b"")
    store = system.store("/var/lib/influxdb/influxd.bolt")
    assert discover(system.host(), bolt_path=None).path == store


def test_a_configured_store_that_is_gone_is_not_replaced_by_another_one(
    system: FakeSystem,
) -> None:
    """The disk is not mounted, and an old store is still around: taking it would be wrong."""
    system.install_package('bolt-path = "/mnt/disk/influxd.bolt"')
    old = system.store("/root/.influxdbv2/influxd.bolt")
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=None)
    assert caught.value.path == str(system.at("/mnt/disk/influxd.bolt"))
    assert caught.value.problem.startswith(
        "does not exist (bolt-path in /etc/influxdb/config.toml, read by influxdb.service), "
        f"while there is data in {old} (4096 bytes, changed "
    )
    assert hint_of(caught.value) == (
        f"mount or restore it, or choose the other one with --bolt-path {old}"
    )


def test_a_malformed_configuration_of_a_service_stops_the_search(system: FakeSystem) -> None:
    system.install_package("bolt-path = [")
    system.store("/root/.influxdbv2/influxd.bolt")
    with pytest.raises(ConfigurationError, match="is malformed TOML") as caught:
        discover(system.host(), bolt_path=None)
    assert caught.value.path == str(system.at("/etc/influxdb/config.toml"))


def test_nothing_anywhere_is_said_in_one_sentence(system: FakeSystem) -> None:
    before = snapshot(system.root)
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=None)
    assert str(caught.value) == (
        "influxd.bolt is neither configured nor at any of the known places; "
        "nothing was changed, nothing was created"
    )
    assert hint_of(caught.value) == (
        "name the store with --bolt-path FILE, or type influx-recovery store find to see which "
        "places were looked at, or search for it: find / -path /proc -prune -o -name '*.bolt' "
        "-size +16k -print"
    )
    assert before == snapshot(system.root)


def test_a_lost_store_at_a_known_place_is_told_from_its_data(system: FakeSystem) -> None:
    engine = system.write("/var/lib/influxdb/engine/data/0123456789abcdef/x", b"").parents[2]
    before = snapshot(system.root)
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=None)
    lost = engine.parent / "influxd.bolt"
    assert str(caught.value).startswith(f"{lost} does not exist (")
    assert f"influx-recovery store rebuild {lost} --engine-path {engine}" in hint_of(caught.value)
    assert before == snapshot(system.root)
    other = system.store("/home/alice/.influxdbv2/influxd.bolt")
    assert discover(system.host(), bolt_path=None).path == other


@pytest.mark.parametrize("way", ["flag", "variable", "configuration", "service", "place"])
def test_an_empty_file_is_refused_in_its_own_words(system: FakeSystem, way: str) -> None:
    path = "/var/lib/influxdb/influxd.bolt"
    store = system.store(path, b"")
    if way == "service":
        system.install_package()
    environment = {
        "variable": {"INFLUXD_BOLT_PATH": str(store)},
        "configuration": {
            "INFLUXD_CONFIG_PATH": str(system.write("/srv/c.toml", f'bolt-path = "{store}"'))
        },
    }.get(way, {})
    with pytest.raises(StoreNotFoundError, match=r"is empty \(0 bytes\)") as caught:
        discover(system.host(**environment), bolt_path=str(store) if way == "flag" else None)
    assert caught.value.exit_code is ExitCode.NOT_FOUND
    assert "backup" in hint_of(caught.value)
    assert "rebuild" not in hint_of(caught.value)
    assert store.stat().st_size == 0


@pytest.mark.parametrize("content", [b"", None], ids=["empty", "gone"])
def test_a_lost_store_is_made_again_from_the_data_beside_it(
    system: FakeSystem, content: bytes | None
) -> None:
    system.write("/srv/engine/data/00000000000000aa/autogen/1/1.tsm", "x")
    store = system.at("/srv/influxd.bolt")
    if content is not None:
        store.write_bytes(content)
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=str(store))
    new = store if content is None else f"{store}.rebuilt"
    again = f"store rebuild {new} --engine-path {store.parent / 'engine'} to make"
    assert "type influx-recovery store backups to see which copies" in hint_of(caught.value)
    assert f"type influx-recovery {again}" in hint_of(caught.value)


def test_a_lost_store_with_copies_beside_it_leads_to_their_list(system: FakeSystem) -> None:
    system.store("/srv/influxd.bolt.20261130T192304Z.auth-delete.backup", STORE)
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=str(system.at("/srv/influxd.bolt")))
    assert "type influx-recovery store backups to see which copies" in hint_of(caught.value)


@pytest.mark.parametrize("way", ["flag", "variable", "configuration"])
def test_a_named_store_that_is_not_there_is_refused_and_not_made(
    system: FakeSystem, way: str
) -> None:
    system.store("/home/alice/.influxdbv2/influxd.bolt")
    path = system.at("/gone/influxd.bolt")
    file = system.write("/srv/c.toml", f'bolt-path = "{path}"')
    environment = {
        "variable": {"INFLUXD_BOLT_PATH": str(path)},
        "configuration": {"INFLUXD_CONFIG_PATH": str(file)},
    }.get(way, {})
    reason = {
        "flag": "as it was named",
        "variable": "from INFLUXD_BOLT_PATH",
        "configuration": f"bolt-path in {file}, named by INFLUXD_CONFIG_PATH",
    }[way]
    before = snapshot(system.root)
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(**environment), bolt_path=str(path) if way == "flag" else None)
    assert str(caught.value) == (
        f"{path} does not exist ({reason}); nothing was changed, nothing was created"
    )
    assert hint_of(caught.value) == (
        "check the path, and that the disk is mounted, or type influx-recovery store find to see "
        "which one a server would open"
    )
    assert before == snapshot(system.root)


def test_a_store_beside_the_named_one_is_suggested(system: FakeSystem) -> None:
    near = system.store("/srv/data/influxdb.bolt", STORE)
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=str(near.with_name("influxd.bolt")))
    assert hint_of(caught.value) == f"name the store that is there with --bolt-path {near}"


def test_the_copies_beside_a_store_are_not_suggested_in_its_place(system: FakeSystem) -> None:
    near = system.store("/srv/data/influxd.bolt", STORE)
    system.store("/srv/data/influxd.bolt.20260101T000000Z.auth-create.backup", STORE)
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=str(near.with_name("influxd.blot")))
    assert hint_of(caught.value) == f"name the store that is there with --bolt-path {near}"


def test_of_several_the_one_with_a_slip_in_its_name_is_suggested(system: FakeSystem) -> None:
    near = system.store("/srv/data/main.bolt", STORE)
    system.store("/srv/data/another.bolt", STORE)
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=str(near.with_name("main.blot")))
    assert hint_of(caught.value) == f"name the store that is there with --bolt-path {near}"


@pytest.mark.parametrize("names", [("a/influxd.bolt",), ("b/x.bolt", "b/y.bolt")])
def test_what_may_be_the_store_of_another_server_is_no_example(
    system: FakeSystem, names: tuple[str, ...]
) -> None:
    near = [system.store(f"/srv/instance-{name}", STORE) for name in names]
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=str(system.at("/srv/instance-b/influxd.bolt")))
    assert hint_of(caught.value) == (
        "check the path, and that the disk is mounted, or if it is the one that you mean, name "
        f"{' or '.join(map(str, near))} with --bolt-path FILE, or type influx-recovery store find "
        "to see which one a server would open"
    )


def test_a_folder_is_refused_and_the_store_in_it_is_suggested(system: FakeSystem) -> None:
    near = system.store("/srv/my data/influxd.bolt", STORE)
    with pytest.raises(StoreNotFoundError, match=r"is a folder \(as it was named\)") as caught:
        discover(system.host(), bolt_path=str(near.parent))
    assert hint_of(caught.value) == f"name the store that is there with --bolt-path '{near}'"


def test_a_link_is_followed_and_both_names_are_known(system: FakeSystem) -> None:
    store = system.store("/mnt/disk/influxd.bolt")
    link = system.at("/srv/influxd.bolt")
    link.parent.mkdir(parents=True)
    link.symlink_to(store)
    found = discover(system.host(), bolt_path=str(link))
    assert (found.path, found.named_path) == (store, link)


def test_a_link_to_nothing_is_refused_with_its_target(system: FakeSystem) -> None:
    link = system.at("/srv/influxd.bolt")
    link.parent.mkdir(parents=True)
    link.symlink_to("/mnt/unplugged/influxd.bolt")
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path=str(link))
    assert caught.value.problem == (
        "is a link to /mnt/unplugged/influxd.bolt, which is not there (as it was named)"
    )


def test_a_pipe_is_refused_without_waiting_for_it(system: FakeSystem) -> None:
    pipe = system.at("/srv/pipe")
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    with pytest.raises(StoreNotFoundError, match="is a named pipe"):
        discover(system.host(), bolt_path=str(pipe))


def test_a_path_cannot_play_tricks_on_the_terminal(system: FakeSystem) -> None:
    with pytest.raises(StoreNotFoundError) as caught:
        discover(system.host(), bolt_path="/gone/\x1b[2J.bolt")
    assert "\x1b" not in str(caught.value) + hint_of(caught.value)
    assert "\\x1b[2J" in str(caught.value)


def test_the_other_files_of_a_named_store_come_from_its_own_server_only(
    system: FakeSystem,
) -> None:
    system.install_package()
    store = system.store("/var/lib/influxdb/influxd.bolt")
    copy = system.store("/srv/copy.bolt")
    host = system.host()
    engine = with_files(discover(host, bolt_path=str(store)), host).files.engine_path
    assert engine == system.at("/var/lib/influxdb/engine")
    beside_copy = with_files(discover(host, bolt_path=str(copy)), host).files
    assert beside_copy.engine_path == system.at("/srv/engine")
    told = system.host(INFLUXD_ENGINE_PATH="/elsewhere", INFLUXD_USE_HASHED_TOKENS="false")
    files = with_files(discover(told, bolt_path=str(copy)), told).files
    assert files.engine_path == Path("/elsewhere")
    assert files.use_hashed_tokens is False


NOBODY = """
from recovery.discovery import Host, discover
from recovery.errors import RecoveryError
root = Path(sys.argv[1])
host = Host(environment={}, working_folder=root, homes=(root / "home" / "alice",), root=root)
try:
    found = discover(host, bolt_path=sys.argv[2] if sys.argv[2:] else None)
    print(found.path, *found.notes, sep="|")
except RecoveryError as error:
    print(type(error).__name__, error, error.hint, sep="|")
"""


def attempt(system: FakeSystem, *bolt_path: Path) -> str:
    """Search as an ordinary user."""
    imports = "shlex, tomllib, recovery.discovery.survey"
    return run_as_nobody(NOBODY, system.root, *bolt_path, imports=imports)


@pytest.fixture
def open_system(public_folder: Path) -> FakeSystem:
    return FakeSystem(public_folder / "root")


@needs_root
def test_a_store_that_may_not_be_read_is_refused_with_the_reason(open_system: FakeSystem) -> None:
    store = open_system.store("/srv/influxd.bolt")
    store.chmod(0o600)
    answer = attempt(open_system, store)
    assert answer == (
        f"StoreAccessError|{store} may not be read (Permission denied) (as it was named); "
        "nothing was changed|run it as root or as the user of influxd"
    )


@needs_root
def test_a_store_that_may_not_be_read_still_counts_as_one(open_system: FakeSystem) -> None:
    open_system.store("/var/lib/influxdb/influxd.bolt").chmod(0o600)
    open_system.store("/home/alice/.influxdbv2/influxd.bolt")
    answer = attempt(open_system)
    assert answer.startswith("AmbiguousError|there are 2 stores")
    assert "may not be read (Permission denied)" in answer


@needs_root
def test_a_configured_store_that_may_not_be_looked_at_is_not_replaced(
    open_system: FakeSystem,
) -> None:
    open_system.install_package()
    open_system.store("/home/alice/.influxdbv2/influxd.bolt")
    store = open_system.store("/var/lib/influxdb/influxd.bolt")
    store.parent.chmod(0o700)
    answer = attempt(open_system)
    assert answer.startswith(
        f"StoreAccessError|{store} may not be looked at (Permission denied) "
        "(bolt-path in /etc/influxdb/config.toml, read by influxdb.service), while there is data in"
    )


@needs_root
def test_places_that_may_not_be_looked_at_are_noted(open_system: FakeSystem) -> None:
    store = open_system.store("/home/alice/.influxdbv2/influxd.bolt")
    for path in ("/root/.influxdbv2", "/var/lib/influxdb", "/var/lib/docker/volumes"):
        open_system.at(path).mkdir(parents=True)
    for path in ("/root", "/var/lib/influxdb", "/var/lib/docker"):
        open_system.at(path).chmod(0o700)
    found, *notes = attempt(open_system).split("|")
    assert found == str(store)
    unseen, unlisted = sorted(notes, key=lambda note: "listed" in note)
    assert unseen == (
        f"{open_system.at('/root/.influxdbv2/influxd.bolt')}, "
        f"{open_system.at('/var/lib/influxdb/.influxdbv2/influxd.bolt')}, "
        f"{open_system.at('/var/lib/influxdb/influxd.bolt')} "
        "may not be looked at (Permission denied)"
    )
    assert unlisted == (
        f"{open_system.at('/var/lib/docker/containers')}, "
        f"{open_system.at('/var/lib/docker/volumes')} may not be listed (Permission denied)"
    )


@needs_root
def test_nothing_found_says_what_could_not_be_looked_at(open_system: FakeSystem) -> None:
    hidden = open_system.store("/var/lib/influxdb/influxd.bolt")
    hidden.parent.chmod(0o700)
    answer = attempt(open_system)
    assert re.match(
        r"StoreNotFoundError\|influxd.bolt is neither configured nor at any of the known places; "
        rf".*{hidden} may not be looked at \(Permission denied\)",
        answer,
    )
    assert "as root" in answer


@needs_root
def test_a_configuration_that_may_not_be_read_stops_the_search(open_system: FakeSystem) -> None:
    open_system.install_package()
    open_system.store("/home/alice/.influxdbv2/influxd.bolt")
    open_system.at("/etc/influxdb").chmod(0o700)
    answer = attempt(open_system)
    file = open_system.at("/etc/influxdb/config.toml")
    assert answer.startswith(f"ConfigurationError|{file} cannot be read (Permission denied)")
