"""A root folder of a system that never ran, with the layouts that InfluxDB's packages make."""

import json
from pathlib import Path

from recovery.discovery import Host

UNIT = """\
[Unit]
Description=the time series database
[Service]
User=influxdb
Group=influxdb
EnvironmentFile=-/etc/default/influxdb2
ExecStart=/usr/lib/influxdb/scripts/influxd-systemd-start.sh
KillMode=control-group
[Install]
WantedBy=multi-user.target
Alias=influxd.service
"""
PACKAGE_CONFIGURATION = """\
bolt-path = "/var/lib/influxdb/influxd.bolt"
engine-path = "/var/lib/influxdb/engine"
"""
USERS = """\
root:x:0:0:root:/root:/bin/bash
influxdb:x:998:998::/var/lib/influxdb:/bin/false
bob:x:1000:1000::/srv/people/bob:/bin/bash
"""
DATA = b"x" * 4096
STORE = (bytes(16) + b"\xed\xda\x0c\xed").ljust(4096, b"\0") + b"organizationsv1".ljust(4096, b"\0")
"""What looks like a store, and is none."""


class FakeSystem:
    """A root folder, and a person in front of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home" / "alice"
        self.working_folder = root / "somewhere"
        for folder in (self.home, self.working_folder):
            folder.mkdir(parents=True)

    def host(self, **environment: str) -> Host:
        """Describe it to the search, with some environment."""
        return Host(
            environment=environment,
            working_folder=self.working_folder,
            homes=(self.home,),
            root=self.root,
        )

    def at(self, path: str) -> Path:
        """Find a path of the system in the real one."""
        return self.root / path.lstrip("/")

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.at(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def store(self, path: str, content: bytes = DATA) -> Path:
        """Make a file that may be a store."""
        return self.write(path, content)

    def install_package(self, configuration: str | None = PACKAGE_CONFIGURATION) -> None:
        """Install the deb or rpm package, but no data."""
        self.write("/etc/passwd", USERS)
        self.write("/usr/lib/systemd/system/influxdb.service", UNIT)
        self.write(
            "/etc/default/influxdb2",
            "# read by the unit\nINFLUXD_CONFIG_PATH=/etc/influxdb/config.toml\n",
        )
        if configuration is not None:
            self.write("/etc/influxdb/config.toml", configuration)

    def install_image(self) -> None:
        """Be the inside of a container of the Docker Hub image."""
        self.write(
            "/etc/defaults/influxdb2/config.yml",
            "bolt-path: /var/lib/influxdb2/influxd.bolt\nengine-path: /var/lib/influxdb2/engine\n",
        )

    def install_homebrew(self, prefix: str = "/opt/homebrew") -> None:
        """Install the Homebrew service, but no data."""
        folder = f"{prefix}/var/lib/influxdb2"
        self.write(
            f"{prefix}/etc/influxdb2/config.yml",
            f"bolt-path: {folder}/influxdb.bolt\nengine-path: {folder}/engine\n",
        )

    def run_container(
        self,
        name: str,
        *,
        image: str = "influxdb:2.7",
        environment: dict[str, str] | None = None,
        mounts: dict[str, dict[str, str]],
        docker: str = "/var/lib/docker",
    ) -> None:
        """Let Docker know of a container."""
        document = {
            "Name": f"/{name}",
            "Config": {
                "Image": image,
                "Env": [f"{key}={value}" for key, value in (environment or {}).items()],
            },
            "MountPoints": mounts,
        }
        self.write(f"{docker}/containers/{name}-id/config.v2.json", json.dumps(document))
