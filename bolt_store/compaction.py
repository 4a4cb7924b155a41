"""Writing a file anew, without what it has freed.

Lives here: `compact`, from an open file, and `rebuild`, from any sorted content. Must not live
here: how pages are laid out (`bolt_store.bulk`).

Always into a new file: the source is only read, and nothing that exists is replaced. The new file
appears under its name when it is complete and its check is clean. It holds no byte of a freed page,
so deleted values are gone from it; from the source, and from whatever disk it lies on, they are
not.

Source: bbolt v1.3.6 cmd/bbolt (compact); spec section 3.6.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from bolt_store.bulk import BulkWriter
from bolt_store.check import Check, Progress, Severity
from bolt_store.codec.meta import Meta, is_page_size
from bolt_store.db import DB
from bolt_store.errors import CommitError, DamagedError, LimitError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.new_file import NewFile
from bolt_store.file.pager import Pager
from bolt_store.limits import PAGE_SIZE_BYTES_MIN
from bolt_store.tree.bucket import Bucket
from bolt_store.tree.tx import Tx

PROGRESS_KEYS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketContent:
    """A bucket to be written.

    Attributes:
        items: What is in it, in the order of the keys. Read once, and only as far as needed.
    """

    items: "Content"
    sequence: int = 0


Content: TypeAlias = Iterable[tuple[bytes, bytes | BucketContent]]
"""Keys in ascending order, each with its value or with a bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReport:
    """What a new file was made of.

    Attributes:
        meta: Its newer meta.
        bucket_count: Buckets in it, nested ones included.
        key_count: Keys in it that have a plain value.
    """

    meta: Meta
    size_bytes: int
    bucket_count: int
    key_count: int


def compact(
    source: DB | Tx,
    target: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
) -> RebuildReport:
    """Copy the content of a file into a new, packed one.

    Page size, transaction id, sequences, owner and mode are kept. An open file is checked first;
    of a transaction only what is read is verified, and what it has changed is part of the copy.

    Args:
        source: An open file, or a transaction on one.
        target: Where nothing may be yet.
        progress: Called now and then with the pages done and the pages in all.

    Raises:
        DamagedError: The check of the source has found content that cannot be read or trusted.
    """
    if isinstance(source, DB):
        _require_readable(source)
        with source.view() as tx:
            return _compact_tx(tx, target, like=source.file, progress=progress)
    return _compact_tx(source, target, like=source.pages.snapshot.file, progress=progress)


def rebuild(
    items: Content,
    target: str | os.PathLike[str],
    *,
    page_size_bytes: int | None = None,
    txid: int = 1,
) -> RebuildReport:
    """Write sorted content into a new file, mode 0600.

    Args:
        items: The top-level buckets, each a `BucketContent`, in the order of their names.
        target: Where nothing may be yet.
        page_size_bytes: A power of two from 1024 to 16 MiB; the kernel's page size by default.
        txid: Transaction id of the new file, at least 1.

    Raises:
        KeyOrderError: The keys of a bucket do not ascend.
        IncompatibleValueError: A plain value stands beside the top-level buckets.
        LimitError: A key, a value, the page size or the txid is outside of what the format holds.
    """
    size = page_size_bytes or os.sysconf("SC_PAGESIZE")
    if not is_page_size(size) or size == PAGE_SIZE_BYTES_MIN:
        raise LimitError(f"{size} bytes is no page size that bbolt can open")
    if not 0 < txid < 1 << 64:
        raise LimitError("a transaction id of a new file lies between 1 and 2^64 - 1")
    with NewFile(target, like=None) as new:
        writer = BulkWriter(new.file, page_size_bytes=size)
        _write_content(items, writer, None, 0)
        return _publish(new, writer, writer.finish(txid=txid))


def _require_readable(source: DB) -> None:
    fatal = [finding for finding in source.check() if finding.severity >= Severity.FATAL]
    if fatal:
        raise DamagedError(finding_count=len(fatal), first=str(fatal[0]))


def _compact_tx(
    tx: Tx, target: str | os.PathLike[str], *, like: BlockFile, progress: Progress | None
) -> RebuildReport:
    tx.require_open()
    meta = tx.meta
    with NewFile(target, like=like) as new:
        writer = BulkWriter(new.file, page_size_bytes=meta.page_size_bytes)
        _write_content(_content(tx.buckets()), writer, progress, meta.high_water_mark)
        written = writer.finish(
            txid=max(tx.txid, 1), root_sequence=meta.root_sequence, meta_flags=meta.flags
        )
        if progress is not None:
            progress(meta.high_water_mark, meta.high_water_mark)
        return _publish(new, writer, written)


def _content(buckets: Iterable[tuple[bytes, Bucket]]) -> Content:
    """Read buckets as they are asked for."""
    for name, bucket in buckets:
        yield name, BucketContent(items=_items(bucket), sequence=bucket.sequence)


def _items(bucket: Bucket) -> Iterator[tuple[bytes, bytes | BucketContent]]:
    for key, value in bucket.items():
        if value is None:
            inner = bucket.bucket(key)
            yield key, BucketContent(items=_items(inner), sequence=inner.sequence)
        else:
            yield key, value


def _write_content(
    items: Content, writer: BulkWriter, progress: Progress | None, page_count: int
) -> None:
    """Feed content to a writer; buckets may nest by the thousand, so without recursion."""
    open_buckets = [iter(items)]
    count = 0
    while open_buckets:
        for key, value in open_buckets[-1]:
            if isinstance(value, BucketContent):
                _require_sequence(value.sequence)
                writer.open_bucket(key, sequence=value.sequence)
                open_buckets.append(iter(value.items))
                break
            writer.put(key, value)
            count += 1
            if progress is not None and not count % PROGRESS_KEYS:
                progress(min(writer.page_count, page_count), page_count)
        else:
            open_buckets.pop()
            if open_buckets:
                writer.close_bucket()


def _require_sequence(sequence: int) -> None:
    if not 0 <= sequence < 1 << 64:
        raise LimitError("a sequence lies between 0 and 2^64 - 1")


def _publish(new: NewFile, writer: BulkWriter, meta: Meta) -> RebuildReport:
    """Check what was written, and give it its name."""
    pager = Pager(new.file)
    for finding in Check(pager, pager.snapshot(pager.meta)).run():
        if finding.severity > Severity.INFO:
            problem = f"what was written does not read back: {finding}"
            raise CommitError(phase="data", outcome="unchanged", problem=problem)
    new.publish()
    return RebuildReport(
        meta=meta,
        size_bytes=writer.page_count * meta.page_size_bytes,
        bucket_count=writer.bucket_count,
        key_count=writer.key_count,
    )
