"""New files made of the content of a store: packed ones, and salvaged ones.

Lives here: `compact_store` and `salvage_store`, which call the engine and translate its failures.
Must not live here: how content is found and written (`bolt_store`), and what is said about it.

Invariants: the source is only read, under a shared lock. Nothing that exists is replaced, and on
failure nothing is left. No sentence of a report holds a key or a value.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bolt_store
from bolt_store.errors import BoltError, CommitError, DamagedError, LimitError
from recovery.errors import RefusedError, StoreDamagedError
from recovery.metastore.failures import Failures, already_there
from recovery.metastore.packed import plain_file


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactFacts:
    """What a packed file was made of.

    Attributes:
        source_size_bytes: Size of the store.
        size_bytes: Size of the new file.
        bucket_count: Bolt buckets in it.
        key_count: Keys in it.
    """

    source_size_bytes: int
    size_bytes: int
    bucket_count: int
    key_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvageFacts:
    """What was got out of a damaged file.

    Attributes:
        is_written: Whether there is a new file.
        is_complete: Whether nothing is known to be missing, doubtful or uncertain.
        method: Where the content comes from, in two words.
        bucket_count: Bolt buckets in the new file.
        key_count: Keys in it.
        stale_key_count: Those of them that come from the other snapshot and may be outdated.
        sentences: The whole report, without full stops.
    """

    is_written: bool
    is_complete: bool
    method: str
    bucket_count: int
    key_count: int
    stale_key_count: int
    sentences: tuple[str, ...]


def compact_store(path: Path, target: Path) -> CompactFacts:
    """Copy the content of a store into a new, packed file.

    Args:
        path: The store; may be packed by gzip.
        target: Where nothing may be yet.

    Returns:
        What was written.

    Raises:
        StoreDamagedError: The store has content that cannot be read or trusted.
        ConflictError: Something is at the target.
        WriteFailedError: It cannot be written.
        RecoveryError: The store cannot be read.
    """
    with _making(path, target) as plain, bolt_store.open(plain) as db:
        try:
            report = bolt_store.compact(db, target)
        except DamagedError as error:
            raise StoreDamagedError(
                path=Failures(path).name,
                problem=f"is damaged: {error.first}",
                hint="get out what can be read of it: influx-recovery store salvage TARGET",
            ) from error
        return CompactFacts(
            source_size_bytes=plain.stat().st_size,
            size_bytes=report.size_bytes,
            bucket_count=report.bucket_count,
            key_count=report.key_count,
        )


def salvage_store(
    path: Path,
    target: Path,
    *,
    page_size_bytes: int | None,
    root_pgid: int | None,
    use_older: bool,
) -> SalvageFacts:
    """Write what can be got out of a damaged store into a new file.

    Args:
        path: The store; may be packed by gzip.
        target: Where nothing may be yet.
        page_size_bytes: Its page size; None to find it out.
        root_pgid: Its root page; None to find it out.
        use_older: Whether to fill what is missing with what the older snapshot has.

    Returns:
        What was done.

    Raises:
        ConflictError: Something is at the target.
        WriteFailedError: It cannot be written.
        RecoveryError: The store cannot be read.
    """
    with _making(path, target) as plain:
        source = bolt_store.open_block_file(plain)
        try:
            report = bolt_store.salvage(
                source,
                target,
                page_size_bytes=page_size_bytes,
                root_pgid=root_pgid,
                use_older=use_older,
            )
        except LimitError as error:
            raise RefusedError(
                reason=f"it cannot be salvaged so ({error})",
                hint="leave out --page-size and --root-page",
            ) from error
        finally:
            source.close()
    return SalvageFacts(
        is_written=report.is_written,
        is_complete=report.is_complete,
        method=str(report.method),
        bucket_count=report.bucket_count,
        key_count=report.key_count,
        stale_key_count=report.stale_key_count,
        sentences=tuple(report.sentences()),
    )


@contextmanager
def _making(path: Path, target: Path) -> Iterator[Path]:
    """Give the file to read, and translate what goes wrong with it and with the new one."""
    failures = Failures(path)
    with plain_file(path) as plain:
        try:
            yield plain
        except FileExistsError as error:
            raise already_there(target) from error
        except CommitError as error:
            raise Failures(target).translate(error) from error
        except (BoltError, OSError) as error:
            raise failures.translate(error) from error
