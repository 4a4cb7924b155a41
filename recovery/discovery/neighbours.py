"""What could have been meant by a path at which there is no store.

Lives here: looking for stores in a folder and under names like the one that was typed. Must not
live here: which store a command uses: what is found here is only ever proposed.

Invariants: only files that look like a store of InfluxDB are proposed, never one that is empty, of
another program, or something else with the right name; one that a server could open comes before
one that is damaged. Nothing is opened but regular files, for reading; a folder with many of them is
not read through.

Source: bbolt 1.3.6 db.go (the magic 0xED0CDAED behind the header of 16 bytes of the first two
pages); names of bolt buckets, as in `recovery.model.schema`.
"""

import difflib
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from recovery.discovery.backup_folder import newest_backup
from recovery.discovery.candidate import STORE_NAME
from recovery.metastore.recognition import names_in
from recovery.model.schema import LEVEL_MAX, buckets_of_level

PROPOSED_MAX: Final = 3
_MAGIC: Final = b"\xed\xda\x0c\xed"
_META_OFFSETS: Final = (16, 4096 + 16, 16384 + 16, 65536 + 16)
_BUCKETS: Final = (b"organizationsv1", b"usersv1", b"bucketsv1", b"authorizationsv1", b"migrations")
_READ_BYTES: Final = 1 << 20
_FILES_MAX: Final = 500
_ALIKE: Final = 0.6
_SLIPPED: Final = 0.8
_USUAL_FOLDERS: Final = (".influxdbv2", "influxdb2", "influxdb", "data", "_data")


def stores_near(path: Path, *, is_folder: bool) -> tuple[Path, ...]:
    """Find stores that could have been meant.

    Args:
        is_folder: Whether it is a folder, in which the store was meant to be.

    Returns:
        A few, the likeliest first: what is named alike, then what has the usual name.
    """
    folders = [path] if is_folder else _folders_like(path.parent)
    typed = STORE_NAME if is_folder else path.name
    found = [file for folder in folders for file in _stores_in(folder, typed)]
    found.sort(key=lambda file: not opens(file))
    if is_folder and not found:
        found = [file for name in _USUAL_FOLDERS for file in _stores_in(path / name, typed)]
    backups = [backup.path for folder in folders if (backup := newest_backup(folder)) is not None]
    return tuple(dict.fromkeys((*found, *backups)))[:PROPOSED_MAX]


def is_slip(name: str, typed: str) -> bool:
    """Tell whether a name is another one with a slip in it."""
    return difflib.SequenceMatcher(None, name.lower(), typed.lower()).ratio() >= _SLIPPED


def looks_like_a_store(path: Path) -> bool:
    """Tell whether a file is worth to be proposed.

    Returns:
        Whether it is a bolt file, and one of InfluxDB as far as that can be seen: by its root where
        that can be read, else by a name of a bolt bucket near its beginning; one that is too long
        for that counts.
    """
    try:
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) and status.st_size):  # /proc/kmsg never ends
            return False
        with path.open("rb") as file:
            start = file.read(_READ_BYTES)
            if not any(start[offset : offset + len(_MAGIC)] == _MAGIC for offset in _META_OFFSETS):
                return False
    except OSError:
        return False
    names = names_in(path)
    if names is not None:
        return _are_of_influxdb(names)
    return len(start) == _READ_BYTES or any(name in start for name in _BUCKETS)


def opens(path: Path) -> bool:
    """Tell whether a server could open a store; what is wrong further inside is not looked for."""
    names = names_in(path)
    return names is not None and _are_of_influxdb(names)


def _are_of_influxdb(names: frozenset[str]) -> bool:
    return not names.isdisjoint(buckets_of_level(LEVEL_MAX))


def _folders_like(folder: Path) -> list[Path]:
    """Find folders of that path, or of one that is written a little differently."""
    found = [Path(folder.anchor or ".")]
    for part in folder.parts[1:] if folder.anchor else folder.parts:
        found = [child for parent in found for child in _children_like(parent, part)][:PROPOSED_MAX]
    return found


def _children_like(parent: Path, name: str) -> Iterator[Path]:
    if (parent / name).is_dir():
        yield parent / name
        return
    folders = {entry.name for entry in _entries(parent) if _is_so(entry.is_dir)}
    for one in _alike(name, folders):
        yield parent / one


def _stores_in(folder: Path, typed: str) -> Iterator[Path]:
    """List the stores of a folder, that which is named most like what was typed first."""
    names = {entry.name for entry in _entries(folder) if _is_so(entry.is_file)}
    alike = _alike(typed, names)
    usual = [name for name in sorted(names) if name == STORE_NAME]
    rest = [name for name in sorted(names) if name.endswith((".bolt", ".backup", ".db"))]
    for name in dict.fromkeys((*alike, *usual, *rest, *sorted(names))):
        if looks_like_a_store(folder / name):
            yield folder / name


def _alike(name: str, others: set[str]) -> list[str]:
    by_lower = {other.lower(): other for other in sorted(others)}
    near = difflib.get_close_matches(name.lower(), by_lower, n=PROPOSED_MAX, cutoff=_ALIKE)
    return [by_lower[one] for one in near]


def _is_so(look: Callable[[], bool]) -> bool:
    try:
        return look()
    except OSError:  # such as a link that leads to itself
        return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(itertools.islice(entries, _FILES_MAX))
    except OSError:
        return []
