"""Stores of Docker containers, seen from the host.

Lives here: reading which container of an InfluxDB image has which folder of the host. Must not live
here: volumes of containers that are gone (`recovery.discovery.places`), Podman and containerd,
whose databases are not read; their volumes are found by place.

Invariants: of the settings of a container only its name, mounts and variables of influxd are kept;
its other variables hold the first password and token.

Facts: moby container/container.go and container/mounts (config.v2.json: Name, Config.Image,
Config.Env, MountPoints.*.Source, Destination, Name); influxdata-docker influxdb/2.x Dockerfile and
entrypoint.sh.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from recovery.discovery.host import Host, influxd_variables
from recovery.discovery.places import DOCKER_FOLDERS, Blind, matches

_SIZE_BYTES_MAX: Final = 8 << 20
_DATA_FOLDERS: Final = frozenset({"/var/lib/influxdb2", "/root/.influxdbv2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container that runs or may run InfluxDB 2.x.

    Attributes:
        name: Its name, without the slash that Docker keeps before it.
        environment: Variables of influxd that are set in it.
        mounts: Folders of the host by their place in the container.
    """

    name: str
    environment: dict[str, str] = field(repr=False)
    mounts: dict[str, Path]

    def outside(self, path: str) -> Path | None:
        """Find a file of the container on the host; None if it is in no mounted folder."""
        inner = PurePosixPath(path)
        for parent in (inner, *inner.parents):  # the longest mount counts
            source = self.mounts.get(str(parent))
            if source is not None:
                return source / inner.relative_to(parent)
        return None


def read_containers(host: Host) -> Iterator[Container | Blind]:
    """Read the containers of InfluxDB that Docker knows, running or not, or that it is hidden."""
    for pattern in DOCKER_FOLDERS:
        for found in matches(host.root, f"{pattern}/containers/*/config.v2.json"):
            if isinstance(found, Blind):
                yield found
                continue
            with contextlib.suppress(OSError, ValueError, RecursionError):  # being written, or gone
                with found.open("rb") as file:
                    document = json.loads(file.read(_SIZE_BYTES_MAX))
                container = _container(host, found.parents[2], document)
                if container is not None:
                    yield container


def _container(host: Host, docker: Path, document: object) -> Container | None:
    """Understand the settings of a container."""
    config = _part(document, "Config")
    image = str(_part(config, "Image") or "")
    mounts = _mounts(host, docker, _part(document, "MountPoints"))
    pairs = [str(item).partition("=") for item in _items(_part(config, "Env"))]
    environment = influxd_variables({name: value for name, sign, value in pairs if sign})
    if "influxdb" not in image and not environment and not _DATA_FOLDERS & mounts.keys():
        return None
    name = str(_part(document, "Name") or "").lstrip("/") or "without name"
    return Container(name=name, environment=environment, mounts=mounts)


def _mounts(host: Host, docker: Path, points: object) -> dict[str, Path]:
    """Read where the folders of a container are on the host."""
    mounts: dict[str, Path] = {}
    for target, point in points.items() if isinstance(points, dict) else ():
        source = _part(point, "Source")
        volume = _part(point, "Name")
        if isinstance(source, str) and source:
            mounts[str(target)] = host.inside(source)
        elif isinstance(volume, str) and volume and "/" not in volume:
            mounts[str(target)] = docker / "volumes" / volume / "_data"
    return mounts


def _part(document: object, name: str) -> object:
    return document.get(name) if isinstance(document, dict) else None


def _items(document: object) -> list[object]:
    return document if isinstance(document, list) else []
