"""The folder that `influx backup` writes into.

Lives here: finding the newest backup in one. Must not live here: unpacking it.

Source: spec influxdb-metadata section 1.2: `<UTC time as YYYYMMDDThhmmssZ>.bolt[.gz]` beside
`.sqlite[.gz]`, `.manifest` and the shards. One folder may hold several backups.
"""

import re
from pathlib import Path
from typing import Final

import msgspec

from recovery.discovery.candidate import STORE_NAME

_NAME: Final = r"\d{8}T\d{6}Z\.bolt(?:\.gz)?"  # compiled where a folder was named


class FolderBackup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup of a store in a folder."""

    path: Path
    count: int


def is_backup_name(name: str) -> bool:
    """Tell whether `influx backup` gives the store in a folder such a name."""
    return re.fullmatch(_NAME, name) is not None


def newest_backup(folder: Path) -> FolderBackup | None:
    """Find the newest backup of a store in a folder that holds no store of its own."""
    try:
        if not folder.is_dir():
            return None
        names = sorted(path.name for path in folder.iterdir())
    except (OSError, ValueError):
        return None
    backups = [name for name in names if is_backup_name(name)]
    if not backups or STORE_NAME in names:
        return None
    return FolderBackup(path=folder / backups[-1], count=len(backups))
