"""What could have been meant by a path at which there is no store.

Lives here: looking for stores in a folder and under names like the one that was typed. Must not
live here: which store a command uses: what is found here is only ever proposed.

Invariants: only files that look like a store of InfluxDB are proposed, never one that is empty, of
another program, or something else with the right name; one that a server could open comes before
one that is damaged. Nothing is opened but regular files, for
reading; a folder with many of them is not read through.

Source: bbolt 1.3.6 db.go, meta (magic 0xED0CDAED behind the header of 16 bytes of the first two
pages, the FNV-1a sum of its first 56 bytes behind them), page.go; InfluxDB v2.9.1 names of bolt
buckets, as in `recovery.model.schema`.
"""

import difflib
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

from recovery.discovery.backup_folder import newest_backup
from recovery.discovery.candidate import STORE_NAME
from recovery.model.schema import LEVEL_MAX, buckets_of_level

PROPOSED_MAX: Final = 3
_MAGIC: Final = b"\xed\xda\x0c\xed"
_META_OFFSETS: Final = (16, 4096 + 16, 16384 + 16, 65536 + 16)
_BUCKETS: Final = (b"organizationsv1", b"usersv1", b"bucketsv1", b"authorizationsv1", b"migrations")
_META: Final = Struct("<IIIIQQQQQQ")
"""Magic, version, page size, flags, root, its sequence, freelist, high water mark, txid, sum."""
_READ_BYTES: Final = 1 << 20
_FILES_MAX: Final = 500
_ALIKE: Final = 0.6
_USUAL_FOLDERS: Final = (".influxdbv2", "influxdb2", "influxdb", "data", "_data")


def stores_near(path: Path, *, is_folder: bool) -> tuple[Path, ...]:
    """Find stores that could have been meant.

    Args:
        path: What was named.
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
            root = _root(file, start, status.st_size)
    except OSError:
        return False
    if root is not None:
        return _is_of_influxdb(root)
    return len(start) == _READ_BYTES or any(name in start for name in _BUCKETS)


def opens(path: Path) -> bool:
    """Tell whether a server could open a store; what is wrong further inside is not looked for."""
    try:
        with path.open("rb") as file:
            start = file.read(_META_OFFSETS[-1] + _META.size)
            root = _root(file, start, path.stat().st_size)
    except OSError:
        return False
    return root is not None and _is_of_influxdb(root)


def _root(file: BinaryIO, start: bytes, size_bytes: int) -> bytes | None:
    """Read the root page by the newest meta that is sound; None without one in its place."""
    found = []
    for offset in _META_OFFSETS:
        stored = start[offset : offset + _META.size]
        if len(stored) < _META.size or not stored.startswith(_MAGIC):
            continue
        _, _, page_size, _, root, _, _, pages, txid, checksum = _META.unpack(stored)
        is_whole = pages * page_size <= size_bytes and root < pages
        if is_whole and checksum == _fnv(stored[:-8]):
            found.append((txid, root * page_size, page_size))
    if not found:
        return None
    _, place, page_size = max(found)
    file.seek(place)
    page = file.read(min(page_size, _READ_BYTES))
    return page if int.from_bytes(page[:8], "little") * page_size == place else None


def _is_of_influxdb(root: bytes) -> bool:
    return any(name.encode() in root for name in buckets_of_level(LEVEL_MAX))


def _fnv(content: bytes) -> int:
    total = 0xCBF29CE484222325
    for byte in content:
        total = (total ^ byte) * 0x100000001B3 % (1 << 64)
    return total


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
