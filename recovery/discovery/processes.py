"""Servers that are running on this machine.

Lives here: finding every process of influxd, with what it was started with and the store that it
holds. Must not live here: what follows from its settings (`recovery.discovery.servers`).

Invariants: nothing is opened but files of the process table. Of an environment only variables of
influxd are kept, and of a command line nothing is ever shown. A process that may not be looked into
is left out: another user's server is a matter for root.

Facts: proc(5), "/proc/pid/exe", "/proc/pid/fd", "/proc/pid/fdinfo" and "/proc/pid/root"; bbolt
1.3.6 bolt_unix.go, flock: the store is the one file of influxd with a lock of flock, as SQLite
takes those of fcntl.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from recovery.discovery.host import Host, influxd_variables
from recovery.lock_holder import describe_process

PROC_FOLDER: Final = "/proc"

_PROGRAM: Final = re.compile(r"influxd[-_.0-9a-z]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process of influxd.

    Attributes:
        name: How to call it: "process 812 (influxd, unit influx2.service)".
        working_folder: Where it runs, as it calls that itself.
        home: Its home folder; None when that is not known.
        root: Where its root folder is: another one in a container.
        held_path: The file whose lock it holds, as it calls that itself; None when there is none.
    """

    name: str
    arguments: tuple[str, ...] = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    working_folder: Path
    home: str | None
    root: Path
    held_path: str | None

    def outside(self, path: str) -> Path:
        """Find a path of the process on this machine.

        Args:
            path: As the process would write it; a relative one begins in its working folder.

        Returns:
            The path: that of the process where both see the same file, else one below its root
            folder, which is there as long as the process is.
        """
        seen = self.working_folder / path
        inner = self.root / str(seen).lstrip("/")
        with contextlib.suppress(OSError):
            if seen.samefile(inner):
                return seen
        return inner if inner.exists() else seen


def read_running(host: Host) -> Iterator[Running]:
    """Look for processes of influxd that this user may look into, by number."""
    table = host.inside(PROC_FOLDER)
    try:
        numbers = sorted(int(entry.name) for entry in table.iterdir() if entry.name.isdecimal())
    except OSError:
        return
    for pid in numbers:
        with contextlib.suppress(OSError):  # it has ended, or belongs to somebody else
            folder = table / str(pid)
            program = (folder / "exe").readlink().name.removesuffix(" (deleted)")
            if _PROGRAM.match(program):
                yield _read(table, pid)


def _read(table: Path, pid: int) -> Running:
    """Read what one process was started with; raise `OSError` if it may not be looked into."""
    folder = table / str(pid)
    pairs = (item.partition("=") for item in _strings(folder / "environ"))
    environment = {name: value for name, sign, value in pairs if sign}
    return Running(
        name=describe_process(pid, proc_root=table).name,
        arguments=tuple(_strings(folder / "cmdline")),
        environment=influxd_variables(environment),
        working_folder=(folder / "cwd").readlink(),
        home=environment.get("HOME"),
        root=folder / "root",
        held_path=next(_held(folder), None),
    )


def _strings(path: Path) -> list[str]:
    return [os.fsdecode(item) for item in path.read_bytes().split(b"\0") if item]


def _held(folder: Path) -> Iterator[str]:
    """Find the files with a lock that a process has open."""
    for link in sorted((folder / "fd").iterdir()):
        with contextlib.suppress(OSError):
            information = (folder / "fdinfo" / link.name).read_text("ascii", "replace")
            if "FLOCK" in information:
                yield str(link.readlink()).removesuffix(" (deleted)")
