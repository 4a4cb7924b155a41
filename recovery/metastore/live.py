"""A copy of a store that a server is writing.

Lives here: `snapshot_store`, which calls the engine's protocol and translates its failures, and
`open_live`, which reads such a copy. Must not live here: the protocol (`bolt_store.snapshot`), and
when it is used.
"""

from contextlib import suppress
from pathlib import Path

import msgspec

import bolt_store
from bolt_store.errors import BoltError, CommitError, SnapshotError
from recovery.errors import StoreBusyError
from recovery.metastore.failures import Failures
from recovery.metastore.store import MetaStore
from recovery.metastore.unpacking import private_folder
from recovery.model.display import displayed
from recovery.new_file import already_there


class SnapshotFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied.

    Attributes:
        txid: Transaction id of the state that was copied.
        attempt_count: Number of tries, the successful one included.
    """

    txid: int
    size_bytes: int
    attempt_count: int


def snapshot_store(path: Path, target: Path, *, named: Path | None = None) -> SnapshotFacts:
    """Copy a store without its lock, and prove that the copy is whole.

    Args:
        target: Where nothing may be yet.
        named: How the target is called in an error; by default by its path.

    Raises:
        StoreBusyError: It is written too often for a whole copy; nothing is left.
        StoreDamagedError: Nobody writes it, and no copy is whole.
    """
    try:
        report = bolt_store.snapshot(path, target)
    except FileExistsError as error:
        raise already_there(named or target) from error
    except SnapshotError as error:
        _require_sound_if_free(path)
        raise StoreBusyError(
            path=displayed(str(path)),
            holder=f"the server keeps writing, and {error}",
            hint="try again in a quieter moment, or stop what writes to it",
        ) from error
    except CommitError as error:
        raise Failures(named or target).translate(error) from error
    except (BoltError, OSError) as error:
        raise Failures(path).translate(error) from error
    return SnapshotFacts(
        txid=report.meta.txid, size_bytes=report.size_bytes, attempt_count=report.attempt_count
    )


def _require_sound_if_free(path: Path) -> None:
    """Raise `StoreDamagedError` for a store that nobody writes, where no copy of it is whole."""
    with (
        suppress(StoreBusyError),
        MetaStore.open(path, write=False, timeout_s=0, needs_schema=False) as store,
    ):
        store.require_sound()


def open_live(path: Path, *, needs_schema: bool = True) -> MetaStore:
    """Open a whole copy of a store that a server may hold.

    The copy is made in a private folder, mode 0700, and has lost its name by the time that it is
    read, so that no crash later on leaves secrets behind.

    Args:
        needs_schema: As in `MetaStore.open`.

    Returns:
        The copy, which cannot be written. Its path is that of the store.

    Raises:
        StoreBusyError: It is written too often for a whole copy.
        WriteFailedError: There is no room for the copy.
    """
    with private_folder() as folder:
        copy = folder.path / path.name
        snapshot_store(path, copy)
        with Failures(path).translated():
            db = bolt_store.open(copy)
    return MetaStore.over(db, path, path, needs_schema=needs_schema, is_live=True)
