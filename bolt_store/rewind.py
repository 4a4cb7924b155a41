"""Going back, byte for byte and in place: by one transaction, or by all of one session.

Lives here: `plan_rewind`, which proves that it can be done, and `apply_rewind`. Must not live here:
which transaction, and whether anybody wants that.

A commit leaves every page alone that the state before it uses, and writes its own meta over the
older one. So the state before a commit is still whole in the file, and the way back is the commit
in reverse:

1. the older meta goes back into its slot, and is synced: from here on the file is in the state
   before, whatever happens to the rest;
2. the pages that the commit wrote, none of which that state uses, get their former bytes;
3. the file gets its former length.

A power cut leaves the state after the commit or the state before it, and running it again ends what
was begun. Inode, owner, mode, access lists and links of the file stay, as it is never replaced.

What several transactions have written on is made whole first, by `bolt_store.bridge`.

Invariants: nothing is written before it is proven that every page which the backup uses is the same
in the file, its meta included, but over a bridge, which whoever asks for one answers for. That
proves the backup as well: it can be no other file's. It does not prove whose the commit is;
`Rewind.digest` does, which `Tx.stage` told before that commit.

Source: bbolt v1.3.6 db.go (meta, txid % 2) and tx.go (WriteTo: after a restore the meta that counts
may stand in the other slot); spec section 2.11 (commit order; pages are allocated only where free
under both metas).
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bolt_store.bridge import Bridge, apply_bridge, plan_bridge
from bolt_store.codec.layout import META_PAGE_COUNT
from bolt_store.db import DB
from bolt_store.errors import BoltError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.sparse import CHUNK_BYTES, stored_offsets
from bolt_store.stats import PageState, last_written_pages, page_infos
from bolt_store.tree.tx import state_digest

_IN_USE: Final = frozenset({PageState.USED, PageState.CONFLICT})


class NotRewindableError(BoltError):
    """The file is not what the backup became by one transaction.

    Attributes:
        problem: Why not, as a clause.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    """What has to be written to go back.

    Attributes:
        meta_pgid: The meta page to restore; None when it is as it was already.
        pgids: Other pages to restore, ascending.
        size_bytes: The former size of the file.
        digest: Tells the newest commit, the one that is taken back, from every other one; None
            when none is.
        bridge: What has to be written before all that; None when nothing has to.
    """

    page_size_bytes: int
    meta_pgid: int | None
    pgids: tuple[int, ...]
    size_bytes: int
    digest: str | None
    bridge: Bridge | None = None

    @property
    def page_count(self) -> int:
        """Number of pages to write."""
        own = len(self.pgids) + (self.meta_pgid is not None)
        return own + (self.bridge.page_count if self.bridge is not None else 0)


def plan_rewind(file: BlockFile, backup: BlockFile, *, is_over_many: bool = False) -> Rewind:
    """Prove that a file can go back to a backup, and say what has to be written.

    Args:
        file: As it is now.
        backup: The same file as it was before its last transaction.
        is_over_many: Or before several; that it is the same file is then known to the caller.

    Raises:
        NotRewindableError: It cannot be proven.
        BoltError: One of them is no sound bolt file.
    """
    before = DB(backup, write=False)
    bad = [str(finding) for finding in before.check() if finding.forbids_writing]
    if bad:
        raise NotRewindableError(f"the backup is damaged: {bad[0]}")
    if file.size_bytes() < backup.size_bytes():
        raise NotRewindableError("the file is shorter than its backup")
    page_size = before.meta.page_size_bytes
    different = list(_different_pages(file, backup, page_size))
    written_on = _used_pages(before).intersection(different)
    # Not `txid % 2`: a restored file has its newest meta in either slot.
    own_slot = before.pager.active.slot
    bridge = None
    if is_over_many and (written_on or own_slot in different):
        after = DB(file, write=False)
        if after.meta.page_size_bytes != page_size:
            raise NotRewindableError("the backup has pages of another size")
        bridge = plan_bridge(after, before, frozenset(written_on))
    elif own_slot in different:
        raise NotRewindableError("the meta of the backup is not in the file any more")
    elif written_on:
        raise NotRewindableError("pages that the backup uses are different in the file")
    metas = [pgid for pgid in different if pgid < META_PAGE_COUNT]
    return Rewind(
        page_size_bytes=page_size,
        meta_pgid=metas[0] if metas else None,
        pgids=tuple(pgid for pgid in different if pgid >= META_PAGE_COUNT),
        size_bytes=backup.size_bytes(),
        digest=newest_digest(file) if metas else None,
        bridge=bridge,
    )


def newest_digest(file: BlockFile) -> str | None:
    """Digest the newest commit of a file, as `Tx.stage` told it before: its meta and its pages.

    A commit never writes on a page that the state before uses, and all that it writes is in its own
    state; so it wrote the pages that are in one state and not in the other.

    Args:
        file: As it is now.

    Returns:
        The digest; None when nothing is known of the state before.

    Raises:
        BoltError: It is no sound bolt file.
    """
    after = DB(file, write=False)
    size, written = after.meta.page_size_bytes, last_written_pages(after)
    runs = [info for info in page_infos(after) if info.pgid in written]
    if not runs:
        return None
    return state_digest(
        file.read_at(after.pager.active.slot * size, size),
        (file.read_at(run.pgid * size, (1 + run.overflow) * size) for run in runs),
    )


def apply_rewind(rewind: Rewind, file: BlockFile, backup: BlockFile) -> None:
    """Write what was planned, in the order that makes it safe.

    Args:
        file: The file, locked exclusively.
        backup: What the plan was made with, unchanged since.

    Raises:
        OSError: It cannot be written. Running it again, with a new plan, ends what was begun.
    """
    if rewind.bridge is not None:
        apply_bridge(rewind.bridge, file, backup)
        rewind = plan_rewind(file, backup)
    if rewind.meta_pgid is not None:
        _restore(rewind.meta_pgid, rewind, file, backup)
        file.sync()
    for pgid in rewind.pgids:
        if pgid * rewind.page_size_bytes < rewind.size_bytes:
            _restore(pgid, rewind, file, backup)
    file.sync()
    if file.size_bytes() != rewind.size_bytes:
        file.resize(rewind.size_bytes)
        file.sync()


def is_same_content(one: BlockFile, other: BlockFile) -> bool:
    """Compare two files byte by byte, to the end of both."""
    return one.size_bytes() == other.size_bytes() and all(
        one.read_at(offset, CHUNK_BYTES) == other.read_at(offset, CHUNK_BYTES)
        for offset in _stored(one, other, CHUNK_BYTES)
    )


def _stored(one: BlockFile, other: BlockFile, step: int) -> Iterator[int]:
    """Give the multiples of `step` where something is stored in one of two files."""
    return stored_offsets(heapq.merge(one.data_ranges(), other.data_ranges()), step)


def _used_pages(db: DB) -> set[int]:
    """Return the pages that the newest state uses."""
    return {
        info.pgid + more
        for info in page_infos(db)
        if info.state in _IN_USE and info.pgid >= META_PAGE_COUNT
        for more in range(1 + info.overflow)
    }


def _different_pages(file: BlockFile, backup: BlockFile, page_size: int) -> Iterator[int]:
    """Find the pages that are not the same, those beyond the end of the backup included."""
    step = max(CHUNK_BYTES, page_size)
    for offset in _stored(file, backup, step):
        left, right = file.read_at(offset, step), backup.read_at(offset, step)
        if left == right:
            continue
        for start in range(0, len(left), page_size):
            if left[start : start + page_size] != right[start : start + page_size]:
                yield (offset + start) // page_size


def _restore(pgid: int, rewind: Rewind, file: BlockFile, backup: BlockFile) -> None:
    offset = pgid * rewind.page_size_bytes
    file.write_at(offset, backup.read_at(offset, rewind.page_size_bytes))
