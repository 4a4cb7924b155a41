"""Reading a store that may be packed, as `influx backup` leaves it.

Lives here: `open_readable`, `plain_file`, and `rest_of_file` for salvage. Must not live here:
packing, and any way to write: a packed store is only read.

Invariants: what is unpacked has lost its name by the time that it is read, so that no crash later
on leaves secrets behind.

Source: spec influxdb-metadata section 1.2 (`influx backup`); recovery.metastore.archive for
what is in it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bolt_store
from recovery.metastore.failures import Failures, open_unnoticed
from recovery.metastore.packing import HEAD_BYTES, packing_of
from recovery.metastore.store import MetaStore, require_store_file


def open_readable(path: Path, *, timeout_s: float = 1.0, needs_schema: bool = True) -> MetaStore:
    """Open a store for reading, also one that is compressed or in a tar.

    Args:
        path: The store, or a packed copy of one.
        timeout_s: How long to try for the lock, in seconds.
        needs_schema: As in `MetaStore.open`.

    Returns:
        The open store, which cannot be written. Its facts are those of `path`; size, device and
        inode are those of the unpacked file.

    Raises:
        StoreDamagedError: What is packed is no bolt file, or cannot be unpacked whole.
        WriteFailedError: There is no room to unpack it.
        RecoveryError: As `MetaStore.open`.
    """
    if not is_packed(path):
        return MetaStore.open(path, write=False, timeout_s=timeout_s, needs_schema=needs_schema)
    from recovery.metastore.unpacking import unpacked  # noqa: PLC0415 # rare, and 10 ms

    failures = Failures(path)
    with unpacked(path, failures, needs_whole=True) as found:
        with failures.translated():
            db = bolt_store.open(found.path, timeout_s=timeout_s)
        return MetaStore.over(db, path, found.path, needs_schema=needs_schema)


@contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """Give a store as a plain file, for those who look at its pages.

    Args:
        path: The store, or a packed copy of one.

    Yields:
        The store itself, behind symbolic links, or what was unpacked, which is gone afterwards.

    Raises:
        StoreNotFoundError: It does not exist, or is empty.
        StoreDamagedError: What is packed is no bolt file, or cannot be unpacked whole.
        WriteFailedError: There is no room to unpack it.
    """
    with rest_of_file(path, needs_whole=True) as (plain, _):
        yield plain


@contextmanager
def rest_of_file(path: Path, *, needs_whole: bool = False) -> Iterator[tuple[Path, bool]]:
    """Give a store as a plain file, and of a packed one what can still be unpacked.

    Args:
        needs_whole: Whether what is cut short is refused.

    Yields:
        As `plain_file`, and whether the end of it is missing because the packed file is cut short.

    Raises:
        RecoveryError: As `plain_file`, but for what is cut short.
    """
    if not is_packed(path):
        yield require_store_file(path, Failures(path)), False
        return
    from recovery.metastore.unpacking import unpacked  # noqa: PLC0415 # rare, and 10 ms

    with unpacked(path, Failures(path), needs_whole=needs_whole) as found:
        yield found.path, found.is_cut


def is_packed(path: Path) -> bool:
    """Tell whether a store is packed, by its first bytes; not of what cannot be read."""
    try:
        if not path.is_file():
            return False
        descriptor = open_unnoticed(path)
    except (OSError, ValueError):
        return False
    try:
        head = os.read(descriptor, HEAD_BYTES)
        return packing_of(head) is not None
    except OSError:
        return False
    finally:
        os.close(descriptor)
