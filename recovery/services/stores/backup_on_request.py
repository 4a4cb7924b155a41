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
import errno
import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from recovery.errors import (
    RefusedError,
    SchemaError,
    StoreBusyError,
    WriteFailedError,
)
from recovery.log import get_logger
from recovery.metastore.failures import already_there
from recovery.metastore.live import snapshot_store
from recovery.metastore.store import MetaStore
from recovery.model.display import displayed
from recovery.services.changes.backup import (
    MODE,
    PARTIAL,
    RESERVED,
    PartialCopy,
    backup_path,
    make_backup,
)
from recovery.system_advice import advice_on

LOG: Final = get_logger(__name__)
OPERATION: Final = "store backup"
PLAIN: Final = ".plain"
"""Behind the name of a compressed copy while there is a plain one."""
CHUNK_BYTES: Final = 1 << 20
COMPRESSION_LEVEL: Final = 6
LOCK_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What was made.

    Attributes:
        path: The copy.
        store_path: The store, behind symbolic links.
        size_bytes: Size of the copy as it is on the disk.
        store_size_bytes: Size of the store that is in it.
        txid: Transaction id of the state that is in it.
        level: Schema level of the store; None when it is not known here.
        is_live: Whether it was made without the lock, while a server was holding it.
        is_compressed: Whether it is gzip-compressed.
    """

    path: Path
    store_path: Path
    size_bytes: int
    store_size_bytes: int
    txid: int
    level: int | None
    is_live: bool
    is_compressed: bool


def back_up(
    store_path: Path, destination: Path | None, *, is_compressed: bool, moment: datetime
) -> BackupReport:
    """Copy a store to a new file and prove that the copy is whole.

    Args:
        store_path: The store.
        destination: The new file, or a folder for it; None for a file beside the store.
        is_compressed: Whether to compress it.
        moment: The time, for the name.

    Returns:
        What was made.

    Raises:
        RecoveryError: It could not be made; the store is as it was and nothing new is left.
    """
    real_path = store_path.resolve()
    target = _target(real_path, destination, is_compressed=is_compressed, moment=moment)
    if target.name.endswith(RESERVED):
        raise RefusedError(
            reason=f"{displayed(str(target))} ends in {RESERVED}, and influxd deletes such files",
            hint="choose another name",
        )
    if os.path.lexists(target):
        raise already_there(target)
    plain = target.with_name(f"{target.name}{PLAIN}") if is_compressed else target
    is_live, level, txid = _copy(store_path, plain)
    try:
        store_size_bytes = plain.stat().st_size
        if is_compressed:
            _compress(plain, target)
    finally:
        if is_compressed:
            plain.unlink()
    LOG.info("store.backed_up", path=str(target), txid=txid, is_live=is_live)
    return BackupReport(
        path=target,
        store_path=real_path,
        size_bytes=target.stat().st_size,
        store_size_bytes=store_size_bytes,
        txid=txid,
        level=level,
        is_live=is_live,
        is_compressed=is_compressed,
    )


def _target(
    real_path: Path, destination: Path | None, *, is_compressed: bool, moment: datetime
) -> Path:
    """Choose the name of the copy."""
    if destination is not None and not destination.is_dir():
        return destination.absolute()
    folder = real_path.parent if destination is None else destination.absolute()
    if is_compressed:
        return folder / f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}.bolt.gz"
    return backup_path(folder / real_path.name, operation=OPERATION, moment=moment)


def _copy(store_path: Path, target: Path) -> tuple[bool, int | None, int]:
    """Copy under the lock, or without it where a server holds it.

    Returns:
        Whether it was made without the lock, the schema level, and the transaction id.
    """
    try:
        store = MetaStore.open(store_path, write=False, timeout_s=LOCK_TIMEOUT_S)
    except (StoreBusyError, SchemaError) as error:
        # A level that is not known here is no reason to have no backup of it.
        return _snapshot(store_path, target, is_live=isinstance(error, StoreBusyError))
    with store:
        store.require_sound()
        make_backup(store, target)
        return False, store.level, store.txid


def _snapshot(store_path: Path, target: Path, *, is_live: bool) -> tuple[bool, int | None, int]:
    facts = snapshot_store(store_path, target)
    try:
        target.chmod(MODE)
        with MetaStore.open(target, write=False) as copy:
            return is_live, copy.level, facts.txid
    except SchemaError:
        return is_live, None, facts.txid
    except BaseException:
        target.unlink()
        raise


def _compress(plain: Path, target: Path) -> None:
    """Compress a copy, unpack it again, and compare.

    Raises:
        WriteFailedError: It cannot be written, or what is read back is something else.
    """
    partial = target.with_name(f"{target.name}{PARTIAL}")
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    except FileExistsError as error:
        raise already_there(partial) from error
    except OSError as error:
        raise _failed(target, os.strerror(error.errno or 0), error.errno) from error
    with PartialCopy(partial, target) as copy:
        with open(descriptor, "wb") as packed:  # noqa: PTH123 # a descriptor, not a path
            _pack(plain, packed.fileno(), target)
        is_same = _unpacks_to(partial, plain)
        if not is_same:
            raise _failed(target, "what was written does not unpack to the store")
        copy.publish()


def _pack(plain: Path, descriptor: int, target: Path) -> None:
    try:
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
        os.fsync(descriptor)
    except OSError as error:
        raise _failed(target, os.strerror(error.errno or 0), error.errno) from error


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


def _failed(target: Path, problem: str, code: int | None = errno.ENOSPC) -> WriteFailedError:
    return WriteFailedError(
        path=displayed(str(target)),
        problem=problem,
        outcome="unchanged",
        hint=advice_on(code, otherwise="name a place on another disk"),
    )
