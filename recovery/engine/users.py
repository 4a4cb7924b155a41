"""Which process works in a folder.

Lives here: `pid_within`, which looks at the open files of all processes. Must not live here:
locks of stores (`recovery.lock_holder`): an engine's folder has none.

Source: proc_pid_fd(5); InfluxDB v2.9.1 tsdb/engine/tsm1/file_store.go (`FileStore.Open` keeps every
TSM file open).
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def pid_within(folder: Path) -> int | None:
    """Find a process that this user may look at and that has a file within a folder open."""
    within = f"{folder.resolve()}/"
    for process in _listed(Path("/proc")):
        if process.name.isdigit():
            for descriptor in _listed(process / "fd"):
                with suppress(OSError):
                    if str(descriptor.readlink()).startswith(within):
                        return int(process.name)
    return None


def _listed(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from folder.iterdir()
