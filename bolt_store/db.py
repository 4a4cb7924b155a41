"""An open bolt file.

Lives here: `DB`, and the ways to open and to make one. Must not live here: the tree, the commit
order.

A file is opened for reading by many or for writing by one, by the same lock that bbolt takes. In
front of the first write the whole file is checked, and a file that is not safe to write is refused.
From then on the free pages, and those that only the older snapshot uses, are carried along in
memory.

A `DB` and its transactions belong to one thread.

Source: bbolt v1.3.6 db.go (Open, init, beginRWTx); spec sections 1.4, 2.9 and 2.11.
"""

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self

from bolt_store.codec.freelist import encode_freelist
from bolt_store.codec.layout import META_PAGE_COUNT
from bolt_store.codec.leaf import Leaf, encode_leaf
from bolt_store.codec.meta import Meta, encode_meta, is_page_size
from bolt_store.errors import (
    CommitError,
    DamagedError,
    DBClosedError,
    FormatError,
    LimitError,
    OverwrittenError,
    PageError,
    ReadOnlyError,
    StateError,
    invariant,
)
from bolt_store.file.block_file import BlockFile
from bolt_store.file.os_file import OsFile, sync_directory
from bolt_store.file.pager import Pager
from bolt_store.limits import PAGE_SIZE_BYTES_MIN
from bolt_store.tree.freelist import Freelist
from bolt_store.tree.pages import REACHABLE, Pages
from bolt_store.tree.tx import StagedPages, Tx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bolt_store.check import Finding, Progress

NEW_FREELIST_PGID: Final = 2
NEW_ROOT_PGID: Final = 3
NEW_PAGE_COUNT: Final = 4


class _WriterState(NamedTuple):
    """What a writer carries from one transaction to the next.

    Attributes:
        free: Ascending ids of the free pages.
        kept_back: Those of them that the older snapshot still uses.
        in_use: A byte for each page below the high water mark, bit 1 where the newest snapshot
            uses it.
        high_water_mark: Where new pages begin: behind those of both snapshots.
    """

    free: list[int]
    kept_back: frozenset[int]
    in_use: bytearray
    high_water_mark: int


class DB:
    """One open file. Close it, or use it as a context manager."""

    def __init__(self, file: BlockFile, *, write: bool) -> None:
        """Open a block file; `open` is the usual way.

        Args:
            file: Belongs to this object from now on.
            write: Whether `update` is allowed.

        Raises:
            FormatError: It is no bolt file, or none of its metas is usable.
        """
        self.file: Final = file
        self._pager: Final = Pager(file)
        self._is_writable: Final = write
        self._is_closed = False
        self._is_lost = False
        self._writer: Tx | None = None
        self._views: set[Tx] = set()
        self._state: _WriterState | None = None
        self._pages: Pages | None = None
        self._full_check = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all transactions, dropping what is not committed, and release file and lock."""
        if self._is_closed:
            return
        self._is_closed = True
        for tx in [*self._views, *([self._writer] if self._writer else [])]:
            tx.rollback()
        self.file.close()

    @property
    def pager(self) -> Pager:
        """The metas and pages of the file, for check and salvage."""
        self._require_usable()
        return self._pager

    @property
    def meta(self) -> Meta:
        """The meta that counts."""
        return self.pager.meta

    @property
    def slot(self) -> int:
        """The slot that the next meta goes to."""
        return self._pager.older.slot

    def beside(self) -> "DB":
        """Open the same file once more, for another thread that reads under this lock.

        What it reads is proven only if this one has committed nothing meanwhile.

        Returns:
            A database of its own, which sees the newest state of now; close it.

        Raises:
            StateError: It is no file of the operating system.
        """
        self._require_usable()
        if not isinstance(self.file, OsFile):
            raise StateError("only a file of the operating system can be read beside")
        file = self.file.beside()
        try:
            return DB(file, write=False)
        except BaseException:
            file.close()
            raise

    def reread(self) -> None:
        """Look at the file again, after a commit with an unknown outcome or a write from outside.

        All transactions end; the lock is kept.

        Raises:
            ChecksumError: No meta is usable any more.
        """
        if self._is_closed:
            raise DBClosedError
        for tx in [*self._views, *([self._writer] if self._writer else [])]:
            tx.rollback()
        self._state = self._pages = None
        self._is_lost = True
        self._pager.refresh()
        self._is_lost = False

    def check(self, progress: "Progress | None" = None) -> "Iterator[Finding]":
        """Check the whole file; damage is what it yields, never an exception.

        Args:
            progress: Called every thousand pages or so with the pages done and the pages in all.
        """
        from bolt_store.check import check  # noqa: PLC0415 - reading needs none

        return check(self.pager, progress)

    def view(self) -> Tx:
        """Begin a reading transaction. It stays valid until the next but one commit begins.

        Raises:
            OverwrittenError: Another program has written to the file.
            OverwrittenError: Another program has written to the file.
        """
        self._require_usable()
        self.require_current()
        tx = Tx(self, self._newest_pages(), None)
        self._views.add(tx)
        return tx

    def view_older(self) -> Tx | None:
        """Begin to read the state before the newest one, as far as its pages are still there.

        Returns:
            The transaction; None when the older meta cannot be used, so that there is no such
            state. A page that was used again since is met as damage.
        """
        self._require_usable()
        older = self._pager.older
        if older.meta is None or older.problem is not None:
            return None
        tx = Tx(self, Pages(self._pager.snapshot(older.meta)), None)
        self._views.add(tx)
        return tx

    def update(self, *, full_check: bool = False) -> Tx:
        """Begin a writing transaction.

        Args:
            full_check: Walk the whole new tree between writing its pages and writing the meta. By
                default the written pages are read back and compared.

        Raises:
            DamagedError: The check forbids writing; nothing was changed.
            OverwrittenError: Another program has written to the file.
            StateError: Another writing transaction is open, or the database is closed.
        """
        self._require_usable()
        if not self._is_writable:
            raise ReadOnlyError
        if self._writer is not None:
            raise StateError("a writing transaction is open already")
        self.require_current()
        if self._state is None:
            self._state = self._prepare()
        for tx in list(self._views):
            if tx.meta.txid != self._pager.meta.txid:
                tx.rollback()
        freelist = Freelist(
            free=self._state.free,
            kept_back=self._state.kept_back,
            high_water_mark=self._state.high_water_mark,
        )
        self._full_check = full_check
        self._writer = Tx(self, self._newest_pages(), freelist)
        return self._writer

    def _newest_pages(self) -> Pages:
        """Give the decoded pages of the newest state, which its transactions share."""
        if self._pages is None or self._pages.snapshot.meta != self._pager.meta:
            self._pages = Pages(self._pager.snapshot(self._pager.meta))
        return self._pages

    def _prepare(self) -> _WriterState:
        """Check the file, and find out which pages may be written on."""
        from bolt_store.check import Check, pages_of_older  # noqa: PLC0415

        check = Check(self._pager, self._pager.snapshot(self._pager.meta))
        bad_count = 0
        first = ""
        for finding in check.run():
            if finding.forbids_writing:
                bad_count += 1
                first = first or str(finding)
        if bad_count:
            raise DamagedError(finding_count=bad_count, first=first)
        in_use = check.pages
        free = check.free
        if free is None:
            free = [pgid for pgid, value in enumerate(in_use) if not value]
        kept_back = pages_of_older(self._pager, in_use)
        # After a revert the older snapshot may reach beyond the newest one's high water mark.
        mark = self._pager.meta.high_water_mark
        high = max(mark, max(kept_back, default=0) + 1)
        return _WriterState(
            free=[*free, *range(mark, high)],
            kept_back=kept_back,
            in_use=in_use,
            high_water_mark=high,
        )

    # -- for the transaction (see `bolt_store.tree.tx.Host`) -----------------------------------

    def verify_new_tree(self, meta: Meta, written: StagedPages) -> None:
        """Look at a new tree before its meta is written.

        Args:
            meta: Not written yet.
            written: The new runs by their first page.

        Raises:
            FormatError: What the file holds is not what was written, or is not sound.
        """
        snapshot = self._pager.snapshot(meta)
        for pgid, run in written.items():
            if snapshot.page(pgid) != run:
                problem = "does not hold what was just written to it"
                raise PageError(pgid=pgid, code="page.unwritten", problem=problem)
        if self._full_check:
            from bolt_store.check import Check  # noqa: PLC0415

            for finding in Check(self._pager, snapshot).run():
                if finding.forbids_writing:
                    raise DamagedError(finding_count=1, first=str(finding))

    def require_current(self) -> None:
        """Refuse a file that another program has written to, by `OverwrittenError`."""
        if not self._pager.is_current:
            raise OverwrittenError

    def require_writable_pages(self, pgid: int, page_count: int) -> None:
        """Refuse to write on a page that either snapshot uses: the last guard before the disk."""
        state = self._state
        invariant(state is not None, "a writer has a state")
        if state is not None:
            in_use = state.in_use[pgid : pgid + page_count]
            invariant(not any(value & REACHABLE for value in in_use), "the newest tree is kept")
            run = range(pgid, pgid + page_count)
            invariant(state.kept_back.isdisjoint(run), "the older tree is kept")

    def committed(
        self, meta: Meta, *, free: list[int], freed: set[int], written: StagedPages
    ) -> None:
        """Take over the state that is in force now; `CommitError` when the file shows another."""
        state = self._state
        problem = "the new meta is not the one that counts"
        try:
            self._pager.refresh()
        except (OSError, FormatError) as error:
            state, problem = None, str(error)
        if state is None or self._pager.meta != meta:
            self._is_lost = True
            raise CommitError(phase="meta", outcome="unknown", problem=problem)
        in_use = state.in_use
        in_use.extend(bytes(meta.high_water_mark - len(in_use)))
        for pgid in freed:
            in_use[pgid] = 0
        for pgid, count in written.page_counts():
            in_use[pgid : pgid + count] = bytes([REACHABLE]) * count
        self._state = _WriterState(
            free=free,
            kept_back=frozenset(freed),
            in_use=in_use,
            high_water_mark=meta.high_water_mark,
        )

    def commit_failed(self, *, outcome: Literal["unchanged", "unknown"]) -> None:
        """Note that a commit failed; what is known of the free pages is looked up again."""
        self._state = None
        self._is_lost = self._is_lost or outcome == "unknown"

    def ended(self, tx: Tx) -> None:
        """Forget a transaction that has ended."""
        self._views.discard(tx)
        if self._writer is tx:
            self._writer = None

    def _require_usable(self) -> None:
        if self._is_closed:
            raise DBClosedError
        if self._is_lost:
            raise StateError("a commit failed with an unknown outcome; open the file again")


def open(  # noqa: A001 - bolt_store.open reads like the open of other formats
    path: str | os.PathLike[str],
    *,
    write: bool = False,
    timeout_s: float = 1.0,
    needs_lock: bool = True,
) -> DB:
    """Open an existing bolt file. Never creates one, and never changes one by opening it.

    Args:
        write: Lock it exclusively and allow `update`; otherwise lock it shared.
        timeout_s: How long to try for the lock, in seconds.
        needs_lock: Whether to refuse it where the file system has no locks. Without, the caller
            knows that nobody else can have it open.

    Raises:
        LockError: Another process holds the lock, or it cannot be locked.
        FormatError: It is no bolt file, or none of its metas is usable.
    """
    file = OsFile.open_locked(path, write=write, timeout_s=timeout_s, needs_lock=needs_lock)
    return open_file(file, write=write)


def open_file(file: BlockFile, *, write: bool) -> DB:
    """Open a block file. It is closed again when that fails. Raises as `DB`."""
    try:
        return DB(file, write=write)
    except BaseException:
        file.close()
        raise


def create(
    path: str | os.PathLike[str], *, page_size_bytes: int | None = None, needs_lock: bool = True
) -> DB:
    """Make a new, empty bolt file, mode 0600, and open it for writing. Never replaces anything.

    Args:
        path: Where nothing may be yet.
        page_size_bytes: A power of two from 1024 to 16 MiB; the kernel's page size by default, as
            bbolt does.
        needs_lock: As for `open`.

    Raises:
        LimitError: The page size is impossible.
    """
    size = page_size_bytes or os.sysconf("SC_PAGESIZE")
    pages = new_pages(size)
    file = OsFile.create_new(path, needs_lock=needs_lock)
    try:
        file.write_at(0, pages)
        file.sync()
        sync_directory(path)
    except BaseException:
        file.close()
        with suppress(OSError):  # what went wrong first is what is said
            os.unlink(path)  # noqa: PTH108 - `path` may be any path-like
        raise
    return open_file(file, write=True)


def new_pages(page_size_bytes: int) -> bytes:
    """Return the four pages of an empty file: two metas, an empty freelist, an empty root.

    Raises:
        LimitError: The page size is impossible, or too small for bbolt to open the file again.

    Source: bbolt v1.3.6 db.go (init).
    """
    if not is_page_size(page_size_bytes) or page_size_bytes == PAGE_SIZE_BYTES_MIN:
        raise LimitError(f"{page_size_bytes} bytes is no page size that bbolt can open")
    metas = [
        Meta(
            page_size_bytes=page_size_bytes,
            flags=0,
            root_pgid=NEW_ROOT_PGID,
            root_sequence=0,
            freelist_pgid=NEW_FREELIST_PGID,
            high_water_mark=NEW_PAGE_COUNT,
            txid=slot,
        )
        for slot in range(META_PAGE_COUNT)
    ]
    freelist = encode_freelist(
        [], pgid=NEW_FREELIST_PGID, page_count=1, page_size_bytes=page_size_bytes
    )
    root = encode_leaf(Leaf([], [], []), pgid=NEW_ROOT_PGID, page_size_bytes=page_size_bytes)
    return b"".join([encode_meta(metas[0], slot=0), encode_meta(metas[1], slot=1), freelist, root])
