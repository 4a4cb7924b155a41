"""A copy of a store that somebody asked for.

Lives here: `back_up`, its choice of a method, and compression. Must not live here: the copy that
every change makes in front of itself (`recovery.services.changes.backup`), and the protocol for a
running server (`bolt_store.snapshot`).

Invariants: the store is only read. A copy gets its name when it is complete, on the disk and
verified: compared byte by byte and checked when the store could be locked, proven and checked when
a server holds the lock. Nothing is replaced, and on failure nothing is left.

Source: spec influxdb-metadata section 1.2 for the names that `influx backup` gives.
"""

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from recovery.errors import SchemaError, StoreBusyError
from recovery.log import get_logger
from recovery.metastore.live import snapshot_store
from recovery.metastore.recognition import require_schema
from recovery.metastore.sparse import data_ranges
from recovery.metastore.store import MetaStore
from recovery.new_file import StagedFile, create, failed
from recovery.services.changes.backup import backup_path, make_backup

LOG: Final = get_logger(__name__)
OPERATION: Final = "store backup"
ELSEWHERE: Final = "name a place on another disk"
PLAIN: Final = ".plain"
"""Behind the name of a compressed copy while there is a plain one."""
CHUNK_BYTES: Final = 1 << 16
COMPRESSION_LEVEL: Final = 6
LOCK_TIMEOUT_S: Final = 1.0


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was made.

    Attributes:
        store_path: The store, behind symbolic links.
        txid: Transaction id of the state that is in it.
        level: Schema level of the store; None when it is not known here.
        problem: Why it is not, as a clause whose subject is the store.
    """

    path: Path
    store_path: Path
    size_bytes: int
    store_size_bytes: int
    txid: int
    level: int | None
    problem: str
    is_live: bool
    is_compressed: bool


def back_up(
    store_path: Path,
    destination: Path | None,
    *,
    is_compressed: bool,
    moment: datetime,
    is_live: bool = False,
) -> BackupReport:
    """Copy a store to a new file and prove that the copy is whole.

    Args:
        destination: The new file, or a folder for it; None for a file beside the store.
        moment: The time, for the name.
        is_live: Whether to leave the lock alone also where it is free.

    Raises:
        RecoveryError: It could not be made; the store is as it was and nothing new is left.
    """
    real_path = store_path.resolve()
    target = _target(real_path, destination, is_compressed=is_compressed, moment=moment)
    with StagedFile(target, elsewhere=ELSEWHERE) as new:
        plain = new.path.with_name(f"{new.path.name}{PLAIN}") if is_compressed else new.path
        is_live, level, problem, txid = _copy(store_path, plain, target, is_live=is_live)
        if is_compressed:
            _cut_hole_behind(plain, target)
        store_size_bytes = plain.stat().st_size
        if is_compressed:
            _compress(plain, new.path, target)
        new.publish()
        new.keep()
    LOG.info("store.backed_up", path=str(target), txid=txid, is_live=is_live)
    return BackupReport(
        path=target,
        store_path=real_path,
        size_bytes=target.stat().st_size,
        store_size_bytes=store_size_bytes,
        txid=txid,
        level=level,
        problem=problem,
        is_live=is_live,
        is_compressed=is_compressed,
    )


def _target(
    real_path: Path, destination: Path | None, *, is_compressed: bool, moment: datetime
) -> Path:
    if destination is not None and not os.path.isdir(destination):  # noqa: PTH112 # never raises
        return destination.absolute()
    folder = real_path.parent if destination is None else destination.absolute()
    if is_compressed:
        return folder / f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}.bolt.gz"
    return backup_path(folder / real_path.name, operation=OPERATION, moment=moment)


def _copy(
    store_path: Path, target: Path, named: Path, *, is_live: bool
) -> tuple[bool, int | None, str, int]:
    """Copy, and tell whether without the lock, the level, why none, and the transaction id."""
    if is_live:
        facts = snapshot_store(store_path, target, named=named)
        return True, *_level_of(target), facts.txid
    try:
        store = MetaStore.open(store_path, write=False, timeout_s=LOCK_TIMEOUT_S)
    except (StoreBusyError, SchemaError) as error:
        # A level that is not known here is no reason to have no backup of it.
        facts = snapshot_store(store_path, target, named=named)
        is_live = isinstance(error, StoreBusyError)
        return is_live, *_level_of(target), facts.txid
    with store:
        store.require_sound()
        make_backup(store, target)
        return False, store.level, "", store.txid


def _level_of(path: Path) -> tuple[int | None, str]:
    try:
        with MetaStore.open_copy(path) as copy, copy.view() as tx:
            require_schema(tx, str(path))
            return copy.level, ""
    except SchemaError as error:
        return None, error.problem


def _cut_hole_behind(path: Path, target: Path) -> None:
    """Cut off the hole at the end of a copy, which would be packed byte by byte: up to 1 TB."""
    with MetaStore.open_copy(path) as copy:
        used_bytes = copy.used_bytes
    try:
        with path.open("r+b") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            end = max((end for _, end in data_ranges(file.fileno())), default=0)
            os.ftruncate(file.fileno(), min(max(end, used_bytes), size_bytes))
    except OSError as error:
        raise failed(target, error, ELSEWHERE) from error


def _compress(plain: Path, packed_path: Path, target: Path) -> None:
    """Compress a copy, unpack it again, and compare; raise `WriteFailedError` if that fails."""
    try:
        descriptor = create(packed_path)
        try:
            _pack(plain, descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise failed(target, error, ELSEWHERE) from error
    if not _unpacks_to(packed_path, plain):
        raise failed(target, "what was written does not unpack to the store", ELSEWHERE)


def _pack(plain: Path, descriptor: int) -> None:
    with (
        plain.open("rb") as source,
        open(descriptor, "wb", closefd=False) as raw,  # a descriptor, not a path
        gzip.GzipFile(
            filename="", mode="wb", compresslevel=COMPRESSION_LEVEL, fileobj=raw, mtime=0
        ) as packed,
    ):
        for chunk in _chunks(source.fileno()):
            packed.write(chunk)
    status = plain.stat()
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _unpacks_to(packed_path: Path, plain: Path) -> bool:
    try:
        with gzip.open(packed_path, "rb") as packed, plain.open("rb") as source:
            for chunk in _chunks(source.fileno()):
                if packed.read(len(chunk)) != chunk:
                    return False
            return not packed.read(1)
    except (OSError, EOFError, zlib.error):
        return False


def _chunks(descriptor: int) -> Iterator[bytes]:
    while chunk := os.read(descriptor, CHUNK_BYTES):
        yield chunk
