"""Where stores are by custom.

Lives here: the table of known places, and walking them. Must not live here: configurations.

Invariants: nothing is created. A folder that may not be listed is reported.

Facts: influxdb v2.9.1 .circleci/package (units and scripts of deb and rpm); influxdata-docker
influxdb/2.x Dockerfile and entrypoint.sh; Homebrew formula influxdb; moby volume/local;
containers/storage; Kubernetes pkg/volume; rancher local-path-provisioner; LXC, LXD, Incus and
Proxmox storage; documentation of Home Assistant's supervisor, and what owners of such machines
write about Synology, QNAP, Unraid, TrueNAS, OpenMediaVault, CasaOS, Umbrel and IOTstack.
"""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from recovery.discovery.candidate import STORE_NAME
from recovery.discovery.host import Host

HOME_FOLDER: Final = ".influxdbv2"
HOMEBREW_PREFIXES: Final = ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place.

    Attributes:
        engine_path: The folder of the time series that goes with it by custom.
    """

    path: Path
    reason: str
    engine_path: Path | None = None


class Blind(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that may not be listed.

    Attributes:
        problem: That it may not be listed, and what the system said.
    """

    path: Path
    problem: str


_FIXED: Final = (
    # The order of the package's own upgrade script, then the rest.
    ("/root/.influxdbv2/influxd.bolt", "found in the home folder of root"),
    (
        "/var/lib/influxdb/.influxdbv2/influxd.bolt",
        "found in the home folder of the package's user",
    ),
    ("/var/lib/influxdb/influxd.bolt", "found at the package's place"),
    ("/var/lib/influxdb2/influxd.bolt", "found at the Docker image's place"),
    *(
        (f"{prefix}/var/lib/influxdb2/{name}", "found at the Homebrew service's place")
        for prefix in HOMEBREW_PREFIXES
        for name in ("influxdb.bolt", "influxd.bolt")
    ),
)
DOCKER_FOLDERS: Final = (
    "/var/lib/docker",
    "/var/snap/docker/common/var-lib-docker",
    "/home/*/.local/share/docker",
    "/volume*/@docker",  # Synology
    "/share/*_DATA/Container/container-station-data/lib/docker",  # QNAP
    "/mnt/.ix-apps/docker",  # TrueNAS
    "/mnt/data/docker",  # Home Assistant
)
"""Where a Docker keeps its containers and volumes."""
_VOLUME_FOLDERS: Final = {
    **{
        folder: f"a {'rootless ' if folder.startswith('/home') else ''}Docker volume"
        for folder in DOCKER_FOLDERS
    },
    "/var/lib/containers/storage": "a Podman volume",
    "/home/*/.local/share/containers/storage": "a rootless Podman volume",
}
_PATTERNS: Final = (
    ("/home/*/.influxdbv2/influxd.bolt", "found in a home folder"),
    ("/Users/*/.influxdbv2/influxd.bolt", "found in a home folder"),
    *(
        (f"{folder}/volumes/*/_data/influxd.bolt", f"found in {kind}")
        for folder, kind in _VOLUME_FOLDERS.items()
    ),
    ("/var/lib/kubelet/pods/*/volumes/*/*/influxd.bolt", "found in a Kubernetes volume"),
)
_APPLICATIONS: Final = {
    "/volume*/docker": "a container's folder of a NAS",  # Synology, Asustor, Ugreen
    "/share/Container": "a container's folder of a NAS",  # QNAP, as its users see it
    "/share/*_DATA/Container": "a container's folder of a NAS",  # QNAP, as it is
    "/mnt/user/appdata": "an application's folder of Unraid",
    "/mnt/.ix-apps/app_mounts": "an application's folder of TrueNAS",
    "/mnt/*/ix-applications/releases/*/volumes/ix_volumes": "an application's folder of TrueNAS",
    "/srv/*/appdata": "an application's folder of a NAS",  # OpenMediaVault
    "/srv/*/docker": "a container's folder of a NAS",
    "/DATA/AppData": "an application's folder of CasaOS",
    "/home/*/umbrel/app-data": "an application's folder of Umbrel",
    "/home/*/IOTstack/volumes": "a container's folder of IOTstack",
    "/home/*/docker": "a container's folder",
    "/mnt/data/supervisor/addons/data": "an add-on of Home Assistant",
    "/mnt/data/supervisor/addon_configs": "an add-on of Home Assistant",
    "/usr/share/hassio/addons/data": "an add-on of Home Assistant",
    "/usr/share/hassio/addon_configs": "an add-on of Home Assistant",
    "/addon_configs": "an add-on of Home Assistant",
    "/data": "the folder for data",
    "/bitnami": "the folder for data of the Bitnami image",
    "/var/lib/rancher/k3s/storage": "a Kubernetes volume",
    "/opt/local-path-provisioner": "a Kubernetes volume",
    "/var/snap/microk8s/common/default-storage": "a Kubernetes volume",
    "/var/snap": "the folder of a snap",
    "/opt": "a program's folder",
    "/srv": "a server's folder",
}
"""Folders with one folder for each application, in which, or one deeper, is its data."""
_SYSTEMS: Final = {
    "/mnt": "a mounted system",
    "/mnt/*": "a mounted system",  # with /mnt/sysroot and /mnt/sysimage of rescue systems
    "/media/*": "a mounted system",
    "/media/*/*": "a mounted system",
    "/run/media/*/*": "a mounted system",
    "/sysroot": "a mounted system",
    "/target": "a mounted system",
    "/var/lib/lxc/*/rootfs": "a system container",
    "/var/lib/machines/*": "a system container",
    "/*/data/subvol-*": "a system container",  # Proxmox on ZFS
    "/var/lib/lxd/storage-pools/*/containers/*/rootfs": "a system container",
    "/var/lib/incus/storage-pools/*/containers/*/rootfs": "a system container",
    "/var/snap/lxd/common/lxd/storage-pools/*/containers/*/rootfs": "a system container",
}
"""Root folders of other systems."""
_WITHIN_SYSTEM: Final = tuple(path for path, _ in _FIXED[:4])
_FURTHER: Final = (
    *(
        (f"{folder}/{depth}{STORE_NAME}", f"found in {kind}")
        for folder, kind in _APPLICATIONS.items()
        for depth in ("", "*/", "*/*/")
    ),
    *(
        (f"{root}{path}", f"found in {kind}")
        for root, kind in _SYSTEMS.items()
        for path in _WITHIN_SYSTEM
    ),
)
_NETWORK_TYPES: Final = ("nfs", "cifs", "smb", "ceph", "gluster", "fuse.sshfs", "9p", "afs")

LOOKED_AT: Final = (
    f"Looked at: {', '.join(path for path, _ in (*_FIXED, *_PATTERNS[:2], _PATTERNS[-1]))}.",
    f"Looked for volumes in: {', '.join(_VOLUME_FOLDERS)}.",
    f"Looked up to two folders deep in: {', '.join(_APPLICATIONS)}.",
    f"Looked for the first {len(_WITHIN_SYSTEM)} of these places in: {', '.join(_SYSTEMS)}.",
)
"""All places, as sentences."""


def fixed_places(host: Host) -> Iterator[Place]:
    """List the places with a fixed name, in the order in which they are looked at."""
    for path, reason in _FIXED[:1]:
        yield _place(host.inside(path), reason)
    for home in host.homes:
        yield _place(home / HOME_FOLDER / STORE_NAME, f"found in the home folder {home}")
    for path, reason in _FIXED[1:]:
        yield _place(host.inside(path), reason)


def matching_places(host: Host) -> Iterator[Place | Blind]:
    """Walk the places with names that differ from one system to the next, and what is hidden."""
    for pattern, reason in _PATTERNS:
        for found in matches(host.root, pattern):
            yield found if isinstance(found, Blind) else _place(found, reason)


def further_places(host: Host) -> Iterator[Place | Blind]:
    """Walk where people and other systems keep stores, and copies of them, too.

    Network file systems are left out: one whose server is gone stops whoever looks at it.

    Yields:
        As `matching_places`; network file systems among the folders.
    """
    far = _network_folders(host)
    for pattern, reason in _FURTHER:
        for found in matches(host.root, pattern, far):
            yield found if isinstance(found, Blind) else _place(found, reason)


def matches(root: Path, pattern: str, far: frozenset[str] = frozenset()) -> Iterator[Path | Blind]:
    """Walk a pattern; its depth is the limit.

    Args:
        pattern: An absolute path with asterisks, which stand for no slash.
        far: Folders that are not looked into.

    Yields:
        What is there, in order, and folders that may not be listed or are not looked into.
    """
    yield from _matches(str(root).rstrip("/"), pattern.strip("/").split("/"), far)


def _place(path: Path, reason: str) -> Place:
    return Place(path=path, reason=reason, engine_path=path.parent / "engine")


def _matches(folder: str, parts: list[str], far: frozenset[str]) -> Iterator[Path | Blind]:
    if folder in far:
        yield Blind(path=Path(folder), problem="is on another machine and was not looked into")
        return
    if not parts:
        try:
            os.lstat(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:  # looking at it as a candidate will tell
            pass
        yield Path(folder)
        return
    if "*" not in parts[0]:
        yield from _matches(f"{folder}/{parts[0]}", parts[1:], far)
        return
    try:
        with os.scandir(folder or "/") as entries:
            names = sorted(
                entry.name
                for entry in entries
                if fnmatchcase(entry.name, parts[0])
                and (entry.is_symlink() or entry.is_dir(follow_symlinks=False))
            )
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as exc:
        yield Blind(path=Path(folder), problem=f"may not be listed ({exc.strerror})")
        return
    for name in names:
        yield from _matches(f"{folder}/{name}", parts[1:], far)


def _network_folders(host: Host) -> frozenset[str]:
    """List where file systems of other machines are mounted, as far as the system says."""
    try:
        lines = host.inside("/proc/self/mounts").read_bytes().splitlines()
    except OSError:
        return frozenset()
    mounts = (os.fsdecode(line).split(" ") for line in lines)
    return frozenset(
        str(host.inside(mount[1].replace("\\040", " ")))
        for mount in mounts
        if len(mount) > 2 and mount[2].startswith(_NETWORK_TYPES)  # noqa: PLR2004 # device, folder, type
    )
