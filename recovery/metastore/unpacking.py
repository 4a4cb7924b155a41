"""Unpacking a store into a file that is gone when it has been read.

Lives here: `unpacked`. Must not live here: when that is done (`recovery.metastore.packed`), so that
no other command imports what this needs.

Invariants: the file lies in a private folder, which goes at the end of the block. What does not
begin as a bolt file is not unpacked further, and nothing is unpacked beyond `UNPACKED_BYTES_MAX`.

Source: recovery.metastore.archive for what it can be packed in.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from recovery.errors import StoreDamagedError, WriteFailedError
from recovery.metastore.archive import CUT, NoStoreError, UnpackerMissingError, find_store
from recovery.metastore.failures import Failures, open_unnoticed
from recovery.model.display import displayed
from recovery.new_file import PrivateFolder, create
from recovery.remedy import Input, Remedy, Run
from recovery.system_advice import advice_on

UNPACKED_BYTES_MAX: Final = 1 << 34
"""16 GiB; the metadata of a server with 100,000 tokens is 1 GB at most."""
_HINT_CUT: Final = (
    "take another backup",
    Run("store salvage", "to get out what is in this one", {Input.TARGET: None}),
)
_HINT_LOST: Final = "take another backup; not a byte of a store can be unpacked from this one"
_HINT: Final = "take another backup, or unpack this one, with tar xf or gunzip, and name the store"
_HINT_ZSTD: Final = "unpack it with unzstd, or install backports.zstd beside this program"


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
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
        failures: Translates what cannot be read of it.
        needs_whole: Refuse what is cut short; otherwise unpack it as far as it goes.

    Raises:
        StoreDamagedError: What is packed is no bolt file, or cannot be unpacked whole.
        WriteFailedError: There is no room to unpack it.
        RecoveryError: The file cannot be read.
    """
    with private_folder() as folder:
        plain = folder.path / "unpacked.bolt"
        try:
            descriptor = create(plain)
        except OSError as error:
            raise _no_room(tempfile.gettempdir(), error) from error
        try:
            is_cut = _unpack(path, descriptor, failures, needs_whole=needs_whole)
        finally:
            os.close(descriptor)
        yield Unpacked(path=plain, is_cut=is_cut)


def private_folder() -> PrivateFolder:
    """Make a private folder where temporary files go, or raise `WriteFailedError`."""
    parent = tempfile.gettempdir()
    try:
        return PrivateFolder(Path(parent))
    except OSError as error:
        raise _no_room(parent, error) from error


def _unpack(path: Path, descriptor: int, failures: Failures, *, needs_whole: bool) -> bool:
    """Unpack; tell whether it ended early."""
    with failures.translated():
        source = open_unnoticed(path)
    size_bytes = 0
    with open(source, "rb") as raw:  # noqa: PTH123 # a descriptor, not a path
        try:
            for stream in find_store(raw):
                os.ftruncate(descriptor, 0)
                os.lseek(descriptor, 0, os.SEEK_SET)
                size_bytes = 0
                while chunk := stream.read1():
                    size_bytes += len(chunk)
                    if size_bytes > UNPACKED_BYTES_MAX:
                        problem = f"unpacks to more than {UNPACKED_BYTES_MAX:,} bytes"
                        raise _damaged(failures, problem)
                    try:
                        _write(descriptor, chunk)
                    except OSError as error:
                        raise _no_room(tempfile.gettempdir(), error) from error
        except CUT as error:
            if needs_whole or not size_bytes:
                problem = "cannot be unpacked: it is cut short or damaged"
                raise _damaged(
                    failures, problem, _HINT_CUT if size_bytes else _HINT_LOST
                ) from error
            return True
        except NoStoreError as error:
            problem = f"is packed, and {displayed(str(error))}"
            raise _damaged(failures, problem) from error
        except UnpackerMissingError as error:
            problem = "is packed with zstd, and the package backports.zstd is missing"
            raise _damaged(failures, problem, _HINT_ZSTD) from error
        except OSError as error:
            raise failures.translate(error) from error
    return False


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
