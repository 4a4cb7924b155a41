"""The copies of a store that lie beside it.

Lives here: `copies_of`. Must not live here: making one (`recovery.services.changes.backup`).

Invariants: nothing is opened and nothing is changed; a copy is known by its name, and what undo
needs by the ledger.

Source: `backup_path` in `recovery.services.changes.backup` for our names; InfluxDB v2.9.1
cmd/influxd/launcher/launcher.go ("%s.pre-%s-upgrade.backup") for those of influxd.
"""

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

import msgspec

from recovery.metastore.failures import Failures
from recovery.services.stores.history import Operation

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OURS: Final = re.compile(r"\.(\d{8}T\d{6}Z)\.([a-z0-9-]+)(?:\.\d+)?\.backup\Z")
_TIME: Final = "%Y%m%dT%H%M%SZ"


@unique
class Maker(StrEnum):
    """Which program left a copy, by its name."""

    OURS = "influx-recovery"
    INFLUXD = "influxd"


class StoreCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A copy beside a store.

    Attributes:
        path: Where it is.
        made_by: Who left it.
        made_at: When, by its name; else when it was written last.
        operation: The command in front of which it was made, as its name has it: "auth-delete";
            None for a copy of influxd, which makes one before an upgrade.
        size_bytes: Its size.
        mode: Its permissions, in octal.
        is_open: Whether others than its owner can read or write it.
        is_needed_by_undo: Whether store undo needs it, for this operation or an earlier one.
    """

    path: Path
    made_by: Maker
    made_at: datetime
    operation: str | None
    size_bytes: int
    mode: str
    is_open: bool
    is_needed_by_undo: bool


def made_for(path: Path) -> tuple[datetime, str] | None:
    """Read from the name of a copy of ours when it was made, and in front of what.

    Args:
        path: The copy.

    Returns:
        The time, and the command with hyphens; None when the name is not one of ours.
    """
    ours = _OURS.search(path.name)
    if ours is None:
        return None
    try:
        return datetime.strptime(ours[1], _TIME).replace(tzinfo=UTC), ours[2]
    except ValueError:  # no such day
        return None


def copies_of(real_path: Path, operations: tuple[Operation, ...]) -> tuple[StoreCopy, ...]:
    """List the copies beside a store.

    Args:
        real_path: The store, behind symbolic links.
        operations: What was done to it and stands, as `standing_operations` gives it.

    Returns:
        The copies, the oldest first.

    Raises:
        RecoveryError: The folder cannot be read.
    """
    needed = {one.backup_path for one in operations}
    return tuple(sorted(_copies(real_path, needed), key=lambda one: (one.made_at, one.path)))


def _copies(real_path: Path, needed: set[str | None]) -> Iterator[StoreCopy]:
    with Failures(real_path.parent).translated(), os.scandir(real_path.parent) as entries:
        for entry in entries:
            rest = entry.name.removeprefix(real_path.name)
            if rest == entry.name or not rest.endswith(".backup"):
                continue
            if not entry.is_file(follow_symlinks=False):
                continue
            status = entry.stat(follow_symlinks=False)
            path = real_path.parent / entry.name
            ours = made_for(path)
            made_at = datetime.fromtimestamp(status.st_mtime, UTC) if ours is None else ours[0]
            yield StoreCopy(
                path=path,
                made_by=Maker.INFLUXD if ours is None else Maker.OURS,
                made_at=made_at,
                operation=None if ours is None else ours[1],
                size_bytes=status.st_size,
                mode=f"{stat.S_IMODE(status.st_mode):04o}",
                is_open=bool(status.st_mode & OTHERS),
                is_needed_by_undo=str(path) in needed,
            )
