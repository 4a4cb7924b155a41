"""A consistent copy of a file that another process is writing.

Lives here: `snapshot`. Must not live here: reading a file under its lock (`bolt_store.db`).

A running influxd holds the exclusive lock, so not even a shared one can be had. A consistent copy
can: while transaction N + 1 is written, no page of N is touched; they may be from N + 2 on. So the
metas are read, the pages are copied, and the metas are read again. If N is still the newest, the
copy holds all of N. Then the copy is checked, and only a sound one is kept. Otherwise everything
is done again, for a bounded number of times.

Invariants: the source is only read, with `pread`. Both metas of the copy name the tree that was
proven; the older snapshot of the source, whose pages may have been overwritten, is not part of it.
Good on local file systems, where a reader sees what a writer has written.

Source: spec section 2.10 and the measurements there; bbolt v1.3.6 tx.go (Commit, WriteTo).
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bolt_store.check import Check, Finding, Progress, Severity
from bolt_store.codec.layout import META_PAGE_COUNT
from bolt_store.codec.meta import Meta, encode_meta
from bolt_store.errors import SnapshotError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.new_file import (
    CHUNK_SIZE_BYTES,
    NewFile,
    chunks,
    extend,
    failing_as_commit,
    write,
)
from bolt_store.file.pager import Pager
from bolt_store.file.unlocked import open_unlocked

ATTEMPT_COUNT: Final = 100
UNREAD_SIZE_BYTES: Final = 1 << 26
"""Copied inside of the kernel at once."""
PAUSE_S: Final = 0.02
"""Between two tries: many times what a commit takes (spec section 5.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotReport:
    """What was copied.

    Attributes:
        meta: The newer meta of the copy, which is the newest one of the source at that time.
        attempt_count: Number of tries, the successful one included.
        findings: What the check of the copy found that does not keep it from being used.
    """

    meta: Meta
    size_bytes: int
    attempt_count: int
    findings: tuple[Finding, ...]


def snapshot(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    attempt_count: int = ATTEMPT_COUNT,
    pause_s: float = PAUSE_S,
    progress: Progress | None = None,
) -> SnapshotReport:
    """Copy a file while another process may be writing it, without its lock.

    Owner and mode are kept.

    Args:
        target: Where nothing may be yet.
        attempt_count: How often to try, at least once.
        pause_s: How long to wait between two tries, in seconds.
        progress: Called now and then with the pages done and the pages in all, for each try anew.

    Raises:
        SnapshotError: No try gave a copy that is proven whole; nothing is left of them.
        FormatError: The file is no bolt file, or none of its metas is usable.
    """
    source = open_unlocked(path)
    try:
        return snapshot_file(
            source, target, attempt_count=attempt_count, pause_s=pause_s, progress=progress
        )
    finally:
        source.close()


def snapshot_file(
    source: BlockFile,
    target: str | os.PathLike[str],
    *,
    attempt_count: int = ATTEMPT_COUNT,
    pause_s: float = PAUSE_S,
    progress: Progress | None = None,
) -> SnapshotReport:
    """Copy a block file that may change meanwhile. As `snapshot` in everything else."""
    with NewFile(target, like=source) as new:
        problem = "none was made"
        for attempt in range(1, attempt_count + 1):
            copied = _copy(source, new.file, progress)
            if isinstance(copied, Meta):
                findings = _check(new.file)
                unsafe = [finding for finding in findings if finding.forbids_writing]
                if not unsafe:
                    size = new.file.size_bytes()
                    new.publish()
                    return SnapshotReport(
                        meta=copied, size_bytes=size, attempt_count=attempt, findings=findings
                    )
                problem = f"the copy does not check clean: {unsafe[0]}"
            else:
                problem = copied
            if attempt < attempt_count:
                time.sleep(pause_s)
        raise SnapshotError(attempt_count=attempt_count, problem=problem)


def _copy(source: BlockFile, target: BlockFile, progress: Progress | None) -> Meta | str:
    """Copy all pages of the newest state; return its meta, or why the copy cannot be whole."""
    pager = Pager(source)
    meta, slot = pager.meta, pager.active.slot
    page_size = meta.page_size_bytes
    size = meta.high_water_mark * page_size
    with failing_as_commit():
        target.resize(0)
    done = 0
    for done in _copy_unread(source, target, size - CHUNK_SIZE_BYTES):
        if progress is not None:
            progress(done // page_size, meta.high_water_mark)
    last = (0, b"")
    for offset, data in chunks(source, size, done):
        # The last chunk is held back: it is read before the metas and written after them, which
        # for a file of usual size leaves no write between the two looks at the metas.
        if offset:
            write(target, *last)
        last = (offset, data)
        if progress is not None:
            progress((offset + len(data)) // page_size, meta.high_water_mark)
    pager.refresh()
    if pager.meta != meta or pager.active.slot != slot:
        return f"transaction {pager.meta.txid} was committed while {meta.txid} was copied"
    if source.size_bytes() < size:
        return f"the file ends at byte {source.size_bytes()}, its pages need {size} bytes"
    write(target, *last)
    extend(target, size)
    _write_metas(target, meta, slot)
    return meta


def _copy_unread(source: BlockFile, target: BlockFile, end: int) -> Iterator[int]:
    """Copy without reading, as far as that is possible; give each place up to which it is done."""
    for start, stop in source.data_ranges():
        done = start
        while done < min(stop, end):
            copied = target.copy_from(source, done, min(UNREAD_SIZE_BYTES, stop - done, end - done))
            if not copied:
                return
            done += copied
            yield done


def _write_metas(target: BlockFile, meta: Meta, slot: int) -> None:
    """Name the copied state in both metas, as bbolt's own backup does."""
    older = meta._replace(txid=max(meta.txid - 1, 0))
    for number, content in ((slot, meta), (META_PAGE_COUNT - 1 - slot, older)):
        write(target, number * meta.page_size_bytes, encode_meta(content, slot=number))


def _check(file: BlockFile) -> tuple[Finding, ...]:
    pager = Pager(file)
    found = Check(pager, pager.snapshot(pager.meta)).run()
    return tuple(finding for finding in found if finding.severity > Severity.INFO)
