"""The copies of a store that lie beside it.

Lives here: `copies_of`, which of them can go (`Pruning`), and `remove_copies`. Must not live here:
making one (`recovery.services.changes.backup`).

Invariants: nothing is opened; a copy is known by its name, and what undo needs by the ledger. Where
the ledger knows nothing of the store, its copies are all that undo has, so that it needs them all.

Source: `backup_path` in `recovery.services.changes.backup` for our names; InfluxDB v2.9.1
cmd/influxd/launcher/launcher.go ("%s.pre-%s-upgrade.backup") for those of influxd.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

import msgspec

from recovery.errors import RefusedError
from recovery.metastore.failures import Failures
from recovery.model.display import displayed
from recovery.new_file import sync_folder
from recovery.services.ledger import Operation
from recovery.system_advice import advice_on

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
        made_at: When, by its name; else when it was written last.
        operation: The command in front of which it was made, as its name has it: "auth-delete";
            None for a copy of influxd, which makes one before an upgrade.
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
    """Read from the name of a copy of ours when it was made, and in front of which command.

    Its words have hyphens between; None when the name is not one of ours.
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
    """
    needed = {one.backup_path for one in operations} if operations else None
    return tuple(sorted(_copies(real_path, needed), key=lambda one: (one.made_at, one.path)))


def _copies(real_path: Path, needed: set[str | None] | None) -> Iterator[StoreCopy]:
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
                is_needed_by_undo=ours is not None if needed is None else str(path) in needed,
            )


class Pruning(msgspec.Struct, frozen=True, kw_only=True):
    """Which copies can go.

    Attributes:
        kept_count: So many of the newest stay.
        age_min: Younger ones stay.
        gives_up_undo: Whether those go, too, that store undo needs.
        with_influxd: Whether those go, too, that influxd left at an upgrade.
    """

    kept_count: int = 0
    age_min: timedelta = timedelta(0)
    gives_up_undo: bool = False
    with_influxd: bool = False

    def choose(self, copies: Iterable[StoreCopy], *, now: datetime) -> tuple[StoreCopy, ...]:
        """Choose what goes of the copies of a store; both are in order, the oldest first."""
        eligible = [one for one in copies if self.with_influxd or one.made_by is Maker.OURS]
        older = eligible[: len(eligible) - self.kept_count] if self.kept_count else eligible
        return tuple(
            one
            for one in older
            if now - one.made_at >= self.age_min
            and (self.gives_up_undo or not one.is_needed_by_undo)
        )


def remove_copies(copies: Iterable[StoreCopy]) -> None:
    """Remove copies, durably; a `RefusedError` says how many were."""
    folders = {}
    for count, copy in enumerate(copies):
        try:
            copy.path.unlink(missing_ok=True)
        except OSError as error:
            raise RefusedError(
                reason=f"{displayed(str(copy.path))} cannot be removed ({error.strerror}), {count} "
                "others were; the store is as it was",
                hint=advice_on(error.errno, otherwise="look at that folder, and try again"),
            ) from error
        folders[copy.path.parent] = copy.path
    for path in folders.values():
        sync_folder(path, lambda _: None)
