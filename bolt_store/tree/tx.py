"""Transactions, and the order of a commit.

Lives here: `Tx`, its life cycle, and the commit order. Must not live here: locks and files
(`file`), and what is to be checked (`bolt_store.check`).

The order in which a commit touches the file is the whole of its safety:

1. merge and split the changed nodes, and give them pages that neither snapshot uses;
2. list what is free from now on, and give that list pages too;
3. grow the file, if its pages go beyond the end;
4. write the data pages, then sync;
5. read them back, and let the caller's check look at the result;
6. write the meta into the slot that does not count, then sync.

Before step 6 the file holds the state before, whatever fails. From step 6 on only reading the metas
again tells. Nothing written in steps 3 to 5 is part of any snapshot until then.

Source: bbolt v1.3.6 tx.go (Commit); spec sections 2.1, 2.5, 2.6 and 2.11.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, Self

from bolt_store.codec.bucket import BucketValue
from bolt_store.codec.freelist import encode_freelist
from bolt_store.codec.layout import run_length
from bolt_store.codec.meta import Meta, encode_meta
from bolt_store.errors import (
    BoltError,
    CommitError,
    LimitError,
    ReadOnlyError,
    TxClosedError,
    invariant,
)
from bolt_store.file.block_file import BlockFile
from bolt_store.limits import ENCODED_KEPT_BYTES_MAX, TXID_MAX
from bolt_store.tree.btree import Storage
from bolt_store.tree.bucket import Bucket
from bolt_store.tree.freelist import Freelist
from bolt_store.tree.node import Node, encode_node, node_size_bytes
from bolt_store.tree.pages import Pages

if TYPE_CHECKING:
    from bolt_store.tree.values import Values

GROWTH_PAGES_MIN: Final = 16
"""A file that must grow gets at least so many pages, so that not every commit has to grow it."""

GROWTH_BYTES_MAX: Final = 16 << 20
"""A file grows by a sixteenth of its size, and by no more than this beyond what is needed."""


class Host(Protocol):
    """The open database, as its write transaction needs it."""

    @property
    def file(self) -> BlockFile:
        """The file that is written."""
        ...

    @property
    def slot(self) -> int:
        """The slot that the next meta goes to: the one that does not count now."""
        ...

    def verify_new_tree(self, meta: Meta, written: "StagedPages") -> None:
        """Look at the tree of a meta that is not written yet; raise `BoltError` to stop it."""
        ...

    def require_current(self) -> None:
        """Refuse to write to a file that another program has written to; raise `BoltError`."""
        ...

    def require_writable_pages(self, pgid: int, page_count: int) -> None:
        """Refuse to write on a page that either snapshot uses."""
        ...

    def committed(
        self, meta: Meta, *, free: list[int], freed: set[int], written: "StagedPages"
    ) -> None:
        """Take over the state that is in force now."""
        ...

    def commit_failed(self, *, outcome: Literal["unchanged", "unknown"]) -> None:
        """Note that a commit failed."""
        ...

    def ended(self, tx: "Tx") -> None:
        """Forget a transaction that has ended."""
        ...


class StagedPages(Mapping[int, bytes]):
    """The runs that a commit is going to write, by their first page.

    A changed node becomes bytes when it is asked for, and in a large change each time, which is
    three times: a record that has a page of its own takes up to twice as much on it, and a change
    of all records of a large store would hold both.
    """

    def __init__(self, page_size_bytes: int) -> None:
        """Begin without a run."""
        self._page_size_bytes = page_size_bytes
        self._runs: dict[int, Node | bytes] = {}

    def add(self, pgid: int, run: Node | bytes) -> None:
        """Lay a run out: a node that nobody changes any more, or its bytes."""
        invariant(pgid not in self._runs, "no page is allocated twice")
        self._runs[pgid] = run

    def __getitem__(self, pgid: int) -> bytes:
        run = self._runs[pgid]
        if isinstance(run, bytes):
            return run
        encoded = encode_node(run, pgid=pgid, page_size_bytes=self._page_size_bytes)
        if len(encoded) * len(self._runs) <= ENCODED_KEPT_BYTES_MAX:
            self._runs[pgid] = encoded
        return encoded

    def __iter__(self) -> Iterator[int]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def page_counts(self) -> Iterator[tuple[int, int]]:
        """Walk the runs: first page, and number of pages."""
        for pgid, run in self._runs.items():
            size = len(run) if isinstance(run, bytes) else node_size_bytes(run)
            yield pgid, run_length(size, self._page_size_bytes)


class _Staged(NamedTuple):
    """A commit whose pages are laid out and not yet written."""

    meta: Meta
    meta_page: bytes
    pages: StagedPages
    free: list[int]


def state_digest(meta_page: bytes, runs: Iterable[bytes]) -> str:
    """Return what tells one commit from every other: a digest of all bytes that it writes.

    A txid does not: a file that was restored from its backup gets the same one a second time, and
    pages are allocated by the same rule, so that even the meta may be the same.

    Args:
        meta_page: The whole meta page.
        runs: The pages that the state has and the one before it has not, by ascending page ids.
    """
    from hashlib import sha256  # noqa: PLC0415 - only a commit needs it

    digest = sha256(meta_page)
    for run in runs:
        digest.update(run)
    return digest.hexdigest()


class Tx:
    """One transaction: a consistent view of the file, and for a writer the changes on top of it.

    As a context manager a writing transaction commits on a normal end and rolls back on an
    exception; a reading one just ends.
    """

    def __init__(self, host: Host, pages: Pages, freelist: Freelist | None) -> None:
        """Begin; `DB.view` and `DB.update` are the ways to get a transaction.

        Args:
            freelist: The free pages for a writing transaction, None for a reading one.
        """
        self._host = host
        self._freelist = freelist
        self._staged = StagedPages(pages.page_size_bytes)
        self._laid_out: _Staged | None = None
        self._is_open = True
        self._is_laid_out = False
        self._meta: Final = pages.snapshot.meta
        self.pages: Final = pages
        self._values: Values | None = None
        self.is_writable: Final = freelist is not None
        root = BucketValue(
            root_pgid=self._meta.root_pgid,
            sequence=self._meta.root_sequence,
            inline_page=None,
        )
        self._root: Final = Bucket(self, root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_open:
            return
        if self.is_writable and kind is None:
            self.commit()
        else:
            self.rollback()

    @property
    def storage(self) -> Storage:
        """Where buckets flush to: this transaction itself."""
        return self

    @property
    def meta(self) -> Meta:
        """The meta that this transaction started from."""
        return self._meta

    @property
    def txid(self) -> int:
        """Transaction id: of the state read, or of the commit; `LimitError` when none is left."""
        if not self.is_writable:
            return self._meta.txid
        return next_txid(self._meta.txid, self._host.slot)

    def require_open(self) -> None:
        """Raise when this transaction has ended, or only its commit is to come."""
        if not self._is_open or self._is_laid_out:
            raise TxClosedError

    # -- buckets at the top ------------------------------------------------------------------

    def bucket(self, name: bytes) -> Bucket:
        """Return a top-level bucket. Raises as `Bucket.bucket`."""
        return self._root.bucket(name)

    def has_bucket(self, name: bytes) -> bool:
        """Tell whether there is a top-level bucket of this name. Raises as `Bucket.get`."""
        return self._root.has_bucket(name)

    def buckets(self) -> Iterator[tuple[bytes, Bucket]]:
        """Walk the top-level buckets in the order of their names. Raises as `Bucket.items`."""
        return self._root.buckets()

    def bucket_names(self) -> Iterator[bytes]:
        """Walk the names of the top-level buckets, in their order. Raises as `Bucket.items`."""
        return (name for name, value in self._root.items() if value is None)

    def create_bucket(self, name: bytes) -> Bucket:
        """Make a top-level bucket. Raises as `Bucket.create_bucket`."""
        return self._root.create_bucket(name)

    def delete_bucket(self, name: bytes) -> None:
        """Remove a top-level bucket. Raises as `Bucket.delete_bucket`."""
        self._root.delete_bucket(name)

    # -- the storage that buckets flush to ---------------------------------------------------

    def free(self, run: tuple[int, int]) -> None:
        """Note that the pages of a run are not used any more."""
        self._free_pages().free(run)

    def is_freed(self, pgid: int) -> bool:
        """Tell whether a page was given back by this transaction."""
        return pgid in self._free_pages().freed

    def store(self, node: Node, page_count: int) -> int:
        """Allocate a run for a node, and keep it for the commit."""
        pgid = self._free_pages().allocate(page_count)
        self._staged.add(pgid, node)
        return pgid

    def _free_pages(self) -> Freelist:
        if self._freelist is None:
            raise ReadOnlyError
        return self._freelist

    def values(self) -> "Values":
        """Say where the values of changed nodes are kept."""
        if self._values is None:
            from bolt_store.tree.values import Values  # noqa: PLC0415 # readers need none of it

            self._values = Values(self.pages.snapshot.file)
        return self._values

    # -- the end of a transaction ------------------------------------------------------------

    def rollback(self) -> None:
        """Drop every change and end. Nothing was written, so nothing has to be undone."""
        if self._is_open:
            self._is_open = False
            # What is done behind a large commit would need its own memory besides.
            self._laid_out, self._staged = None, StagedPages(self.pages.page_size_bytes)
            if self._values is not None:
                self._values.close()
            self._host.ended(self)

    def stage(self) -> str | None:
        """Lay out all that a commit is going to write, in memory; only `commit` may follow.

        Returns:
            The digest by which this very commit can be told later (`state_digest`); None when
            there is nothing to write.

        Raises:
            LimitError: The file is at its last transaction id, or the values of one page do not
                fit into 4 GiB.
        """
        staged = self._lay_out()
        if staged is None:
            return None
        return state_digest(staged.meta_page, (staged.pages[pgid] for pgid in sorted(staged.pages)))

    def commit(self) -> None:
        """Make the changes durable, and end. A transaction without changes writes nothing.

        Raises:
            OverwrittenError: Another program has written to the file; nothing was written here.
            CommitError: Writing failed; its `outcome` tells what is known of the file.
            FormatError: A page needed for merging is damaged; nothing was written.
            LimitError: The file is at its last transaction id, or the values of one page do not
                fit into 4 GiB; nothing was written.
            OSError: A page needed for merging cannot be read; nothing was written.
        """
        if not self._is_open:
            raise TxClosedError
        staged = self._laid_out if self._is_laid_out else self._lay_out()
        try:
            if staged is not None:
                self._host.require_current()
                self._write_data(staged)
                self._write_meta(staged)
                self._host.committed(
                    staged.meta,
                    free=staged.free,
                    freed=self._free_pages().freed,
                    written=staged.pages,
                )
        finally:
            self.rollback()

    def _lay_out(self) -> _Staged | None:
        """Lay out all pages of the new state. Touches nothing but memory; ends where it fails."""
        self.require_open()
        self._free_pages()
        try:
            self._laid_out = self._stage()
        except BaseException:
            self.rollback()
            raise
        self._is_laid_out = True
        return self._laid_out

    def _stage(self) -> _Staged | None:
        self._flush_buckets()
        root = self._root.flush_root()
        if root is None:
            return None
        freelist = self._free_pages()
        old = self._meta.freelist_pgid
        if old is not None:
            freelist.free((old, self.pages.run_length(old)))
        size = self.pages.page_size_bytes
        pgid, page_count = freelist.allocate_own_run(size)
        free = freelist.ids()
        run = encode_freelist(free, pgid=pgid, page_count=page_count, page_size_bytes=size)
        self._staged.add(pgid, run)
        meta = self._meta._replace(
            root_pgid=root,
            freelist_pgid=pgid,
            high_water_mark=freelist.high_water_mark,
            txid=self.txid,
            is_signed=True,
        )
        page = encode_meta(meta, slot=self._host.slot)
        return _Staged(meta=meta, meta_page=page, pages=self._staged, free=free)

    def _flush_buckets(self) -> None:
        """Flush every opened bucket, the deepest first, and put its value into its parent."""
        order: list[tuple[Bucket, bytes, Bucket]] = []
        pending = [self._root]
        while pending:
            parent = pending.pop()
            for name, bucket in parent.opened.items():
                order.append((parent, name, bucket))
                pending.append(bucket)
        for parent, name, bucket in reversed(order):
            value = bucket.flush()
            if value is not None:
                parent.put_bucket_value(name, value)

    def _write_data(self, staged: _Staged) -> None:
        """Steps 3 to 5 of the commit order. A failure leaves the state before in force."""
        file = self._host.file
        size = self.pages.page_size_bytes
        try:
            self._grow(staged.meta.high_water_mark * size)
            for pgid in sorted(staged.pages):
                run = staged.pages[pgid]
                self._host.require_writable_pages(pgid, len(run) // size)
                file.write_at(pgid * size, run)
            file.sync()
            self._host.verify_new_tree(staged.meta, staged.pages)
        except BaseException as error:
            self._host.commit_failed(outcome="unchanged")
            if isinstance(error, OSError | BoltError):
                raise CommitError(
                    phase="data", outcome="unchanged", problem=_reason(error)
                ) from error
            raise

    def _write_meta(self, staged: _Staged) -> None:
        """Step 6 of the commit order. A failure leaves the outcome unknown."""
        offset = self._host.slot * self.pages.page_size_bytes
        try:
            self._host.file.write_at(offset, staged.meta_page)
            self._host.file.sync()
        except BaseException as error:
            self._host.commit_failed(outcome="unknown")
            if isinstance(error, OSError):
                raise CommitError(
                    phase="meta", outcome="unknown", problem=_reason(error)
                ) from error
            raise

    def _grow(self, needed_bytes: int) -> None:
        file = self._host.file
        if needed_bytes > file.size_bytes():
            spare = min(max(needed_bytes >> 4, 0), GROWTH_BYTES_MAX)
            unit = GROWTH_PAGES_MIN * self.pages.page_size_bytes
            file.resize(-(-(needed_bytes + spare) // unit) * unit)


def next_txid(txid: int, slot: int) -> int:
    """Return the smallest transaction id above `txid` that belongs into `slot`.

    After a restore from bbolt's backup, ids may stand in the wrong slots; bbolt would then
    overwrite the meta that counts. One id is left out instead.

    Raises:
        LimitError: There is none. No file gets so old, but a damaged one may say so.

    Source: bbolt v1.3.6 tx.go (WriteTo), db.go (meta); spec section 2.5.
    """
    following = txid + 1 if (txid + 1) % 2 == slot else txid + 2
    if following > TXID_MAX:
        raise LimitError("no transaction id is left")
    return following


def _reason(error: Exception) -> str:
    """Say what the system said, without its number."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
