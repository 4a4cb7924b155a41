"""Where stores are by custom.

Lives here: the table of known places, and walking them. Must not live here: configurations.

Invariants: nothing is created. A folder that may not be listed is reported.

Facts: influxdb v2.9.1 .circleci/package (units and scripts of deb and rpm); influxdata-docker
influxdb/2.x Dockerfile and entrypoint.sh; Homebrew formula influxdb; moby volume/local;
containers/storage; Kubernetes pkg/volume.
"""

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
        reason: How to call the place.
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
_PATTERNS: Final = (
    ("/home/*/.influxdbv2/influxd.bolt", "found in a home folder"),
    ("/Users/*/.influxdbv2/influxd.bolt", "found in a home folder"),
    ("/var/lib/docker/volumes/*/_data/influxd.bolt", "found in a Docker volume"),
    (
        "/home/*/.local/share/docker/volumes/*/_data/influxd.bolt",
        "found in a rootless Docker volume",
    ),
    ("/var/lib/containers/storage/volumes/*/_data/influxd.bolt", "found in a Podman volume"),
    (
        "/home/*/.local/share/containers/storage/volumes/*/_data/influxd.bolt",
        "found in a rootless Podman volume",
    ),
    ("/var/lib/kubelet/pods/*/volumes/*/*/influxd.bolt", "found in a Kubernetes volume"),
)


PLACES: Final = tuple(dict.fromkeys(path for path, _ in (*_FIXED, *_PATTERNS)))
"""All of them, as they can be shown."""


def fixed_places(host: Host) -> Iterator[Place]:
    """List the places with a fixed name, in the order in which they are looked at.

    Yields:
        Places, whether there is something or not.
    """
    for path, reason in _FIXED[:1]:
        yield _place(host.inside(path), reason)
    for home in host.homes:
        yield _place(home / HOME_FOLDER / STORE_NAME, f"found in the home folder {home}")
    for path, reason in _FIXED[1:]:
        yield _place(host.inside(path), reason)


def matching_places(host: Host) -> Iterator[Place | Blind]:
    """Walk the places with names that differ from one system to the next.

    Yields:
        Places where there is something, and folders that may not be listed.
    """
    for pattern, reason in _PATTERNS:
        for found in _matches(host.root, pattern.strip("/").split("/")):
            yield found if isinstance(found, Blind) else _place(found, reason)


def _place(path: Path, reason: str) -> Place:
    return Place(path=path, reason=reason, engine_path=path.parent / "engine")


def _matches(folder: Path, parts: list[str]) -> Iterator[Path | Blind]:
    """Walk a pattern; its depth is the limit."""
    fixed = next((index for index, part in enumerate(parts) if "*" in part), None)
    if fixed is None:
        path = folder.joinpath(*parts)
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:  # looking at it as a candidate will tell
            pass
        yield path
        return
    folder = folder.joinpath(*parts[:fixed])
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as exc:
        yield Blind(path=folder, problem=f"may not be listed ({exc.strerror})")
        return
    for name in names:
        if fnmatchcase(name, parts[fixed]):
            yield from _matches(folder / name, parts[fixed + 1 :])
