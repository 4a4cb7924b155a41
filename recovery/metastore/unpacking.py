"""Unpacking a store into a file that is gone when it has been read.

Lives here: `unpacked`. Must not live here: when that is done (`recovery.metastore.packed`), so that
no other command imports what this needs.

Invariants: the file lies in a private folder, which goes at the end of the block. What does not
begin as a bolt file is not unpacked further, and nothing is unpacked beyond `UNPACKED_BYTES_MAX`.

Source: RFC 1952; bolt_store.codec for the magic number.
"""

import gzip
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recovery.errors import StoreDamagedError, WriteFailedError
from recovery.metastore.failures import Failures, open_unnoticed
from recovery.model.display import displayed
from recovery.new_file import MODE, PrivateFolder
from recovery.remedy import Input, Remedy, Run
from recovery.system_advice import advice_on

UNPACKED_BYTES_MAX: Final = 1 << 34
"""16 GiB; the metadata of a server with 100,000 tokens is 1 GB at most."""
CHUNK_BYTES: Final = 1 << 20
_MAGIC: Final = bytes.fromhex("edda0ced")
_MAGIC_OFFSET: Final = 16
_HINT_CUT: Final = (
    "take another backup",
    Run("store salvage", "to get out what is in this one", {Input.TARGET: None}),
)
_HINT: Final = "take another backup, or look at this one with gunzip --test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A file that was unpacked.

    Attributes:
        path: The unpacked file. It may be opened and then removed early.
        is_cut: Whether the packed file ends early or is damaged, so that the end is missing.
    """

    path: Path
    is_cut: bool


@contextmanager
def unpacked(path: Path, failures: Failures, *, needs_whole: bool) -> Iterator[Unpacked]:
    """Unpack a file for as long as the block lasts.

    Args:
        path: The packed file.
        failures: Translates what cannot be read of it.
        needs_whole: Refuse what is cut short; otherwise unpack it as far as it goes.

    Yields:
        What was unpacked.

    Raises:
        StoreDamagedError: What is packed is no bolt file, or cannot be unpacked whole.
        WriteFailedError: There is no room to unpack it.
        RecoveryError: The file cannot be read.
    """
    with private_folder() as folder:
        plain = folder.path / "unpacked.bolt"
        try:
            descriptor = os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        except OSError as error:
            raise _no_room(tempfile.gettempdir(), error) from error
        try:
            is_cut = _unpack(path, descriptor, failures, needs_whole=needs_whole)
        finally:
            os.close(descriptor)
        yield Unpacked(path=plain, is_cut=is_cut)


def private_folder() -> PrivateFolder:
    """Make a private folder where temporary files go.

    Returns:
        The folder.

    Raises:
        WriteFailedError: It cannot be made.
    """
    parent = tempfile.gettempdir()
    try:
        return PrivateFolder(Path(parent))
    except OSError as error:
        raise _no_room(parent, error) from error


def _unpack(path: Path, descriptor: int, failures: Failures, *, needs_whole: bool) -> bool:
    """Unpack; tell whether it ended early."""
    is_cut = False
    with failures.translated():
        source = open_unnoticed(path)
    with open(source, "rb") as raw, gzip.GzipFile(fileobj=raw) as packed:  # noqa: PTH123 # a descriptor, not a path
        size_bytes = 0
        while True:
            try:
                chunk = packed.read1(CHUNK_BYTES)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                if needs_whole or not size_bytes:
                    raise _damaged(
                        failures, "cannot be unpacked: it is cut short or damaged", _HINT_CUT
                    ) from error
                is_cut = True
                break
            except OSError as error:
                raise failures.translate(error) from error
            if not chunk:
                break
            if not size_bytes and chunk[_MAGIC_OFFSET:][: len(_MAGIC)] != _MAGIC:
                raise _damaged(failures, "is gzip-compressed and holds something else than a store")
            size_bytes += len(chunk)
            if size_bytes > UNPACKED_BYTES_MAX:
                raise _damaged(failures, f"unpacks to more than {UNPACKED_BYTES_MAX:,} bytes")
            try:
                _write(descriptor, chunk)
            except OSError as error:
                raise _no_room(tempfile.gettempdir(), error) from error
    if not size_bytes:
        raise _damaged(failures, "is gzip-compressed and has nothing in it")
    return is_cut


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _damaged(failures: Failures, problem: str, hint: Remedy = _HINT) -> StoreDamagedError:
    return StoreDamagedError(path=failures.name, problem=problem, hint=hint)


def _no_room(folder: str, error: OSError) -> WriteFailedError:
    return WriteFailedError(
        path=displayed(folder),
        problem=os.strerror(error.errno or 0),
        outcome="unchanged",
        hint=advice_on(error.errno, otherwise="name another folder with TMPDIR"),
    )
