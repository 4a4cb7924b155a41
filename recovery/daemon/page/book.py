"""What was found out about the store, for as long as it holds.

Lives here: `Book`: the examination, the index of tokens, the map of pages, each of one state of the
store. Must not live here: how they are found out (`recovery.services`).

Invariants: an index of the state before is brought up to date where the journal says what changed;
an examination is of the state that it names. All of it holds names and IDs and no secret. What
takes long is found out beside the thread of the store, in a store of its own, and counts only if
nothing was changed meanwhile.
"""

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar, cast

from recovery.daemon.page.token_index import TokenIndex, WaysIn
from recovery.errors import RecoveryError
from recovery.services.access import Rights, rights, rights_by_tokens
from recovery.services.doctor.check import Examination, examine
from recovery.services.reach import Reach, reach_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from recovery.daemon.call import Desk
    from recovery.daemon.worker import Worker
    from recovery.metastore.transaction import MetaTx
    from recovery.services.session import Session
    from recovery.services.stores.page_map import PageMap

T = TypeVar("T")
EXAMINED_AT_ONCE_BYTES_MAX: Final = 64 << 20
"""Up to this size an examination takes less than a second, so nobody has to ask for it."""
TRIES_MAX: Final = 3
"""So often a change may come between; then all others have to wait."""
TASKS_MAX: Final = 8


class NotYetKnown(Exception):  # noqa: N818 # nothing is wrong
    """Something is being found out.

    Attributes:
        what: What is done, as a sentence without its end.
        seconds: For how long already.
    """

    def __init__(self, what: str, seconds: float, future: "Future[object]") -> None:
        self.what = what
        self.seconds = seconds
        self.future = future
        super().__init__(what)


class _Task(NamedTuple):
    """Something that is being found out, or has been."""

    txid: int
    tries: int
    began_s: float
    future: "Future[object]"


class _Known(Generic[T]):
    """One thing, of one state."""

    def __init__(self, txid: int, value: T) -> None:
        self.txid = txid
        self.value = value


class Book:
    """What was found out. All of it runs on the thread of the store, but for `beside`'s jobs.

    Attributes:
        is_patient: Whether who asks comes back for an answer. Who has sent a form gets it at once.
    """

    def __init__(self, desk: "Desk", worker: "Worker") -> None:
        self.is_patient = False
        self._desk = desk
        self._worker = worker
        self._tasks: dict[object, _Task] = {}
        self._read: Session | None = None
        self._examination: _Known[Examination] | None = None
        self._tokens: TokenIndex | None = None
        self._pages: _Known[PageMap] | None = None
        self._rights: _Known[Rights] | None = None
        self._reach: _Known[tuple[tuple[str | None, str | None], Reach]] | None = None

    def examination(self, *, is_asked_for: bool) -> Examination | None:
        """Examine the store.

        Args:
            is_asked_for: Whether somebody wants it now, however long it takes.

        Returns:
            The examination of this state; when nobody asked for it, one of an earlier state of a
            large store, or None when there was none.
        """
        session, known = self._desk.session, self._examination
        if known is not None and known.txid == session.store.txid:
            return known.value
        if not (self.is_examined or is_asked_for):
            return None if known is None else known.value
        desk = self._desk
        found = self.beside(
            "examination",
            "Looking at every page and record of the store",
            lambda one: examine(one, files=desk.files, clock=desk.clock, rng=desk.rng),
        )
        self._examination = _Known(session.store.txid, found)
        return found

    def beside(
        self,
        name: object,
        what: str,
        find_out: "Callable[[Session], T]",
        *,
        is_long: bool = False,
        is_for_once: bool = False,
    ) -> T:
        """Find something out without keeping others waiting, where that takes long.

        Args:
            name: Tells it from all else.
            what: What is done, as a sentence without its end.
            find_out: Only reads; runs on another thread, in a session of its own.
            is_long: Whether it takes long in a small store too.
            is_for_once: Whether it is forgotten when it has been given, as what may hold a secret.

        Returns:
            It, of the newest state.

        Raises:
            NotYetKnown: It is being found out; ask again.
        """
        session, found = self._desk.session, self._tasks.get(name)
        tries = 0
        if found is not None:
            if not found.future.done():
                raise NotYetKnown(what, time.monotonic() - found.began_s, found.future)
            is_newest = found.txid == session.store.txid
            if is_for_once or not is_newest:
                del self._tasks[name]
            if is_newest:
                return cast("T", found.future.result())
            tries = found.tries
        if not (self.is_patient and (self._is_large or is_long)) or tries >= TRIES_MAX:
            return find_out(session)
        while len(self._tasks) >= TASKS_MAX:
            del self._tasks[next(iter(self._tasks))]
        future = self._worker.beside(lambda: cast("object", self._found_out(find_out)))
        self._tasks[name] = _Task(session.store.txid, tries + 1, time.monotonic(), future)
        raise NotYetKnown(what, 0, future)

    def _found_out(self, find_out: "Callable[[Session], T]") -> T:
        with self._desk.session.beside() as self._read:
            return find_out(self._read)

    def forget(self) -> None:
        """Drop what nobody came back for."""
        self._tasks = {name: one for name, one in self._tasks.items() if not one.future.done()}

    def close(self) -> None:
        """Give up what is being found out: its file is closed under it."""
        if self._read is not None:
            self._read.close()

    @property
    def is_examined(self) -> bool:
        """Whether an examination of this state is there, or takes less than a second."""
        store, known = self._desk.session.store, self._examination
        is_known = known is not None and known.txid == store.txid
        return is_known or not self._is_large

    @property
    def _is_large(self) -> bool:
        return self._desk.session.store.size_bytes > EXAMINED_AT_ONCE_BYTES_MAX

    def tokens(self) -> TokenIndex:
        """List the tokens of this state."""
        entries = self._desk.changes.journal.entries
        if self._tokens is None or not self._tokens.follow(self._desk.session, entries):
            number = entries[-1].number if entries else 0
            self._tokens = self.beside(
                "tokens",
                "Reading all API tokens",
                lambda one: TokenIndex.of(one, change_number=number),
            )
        return self._tokens

    def ways_in(self) -> WaysIn:
        """Say which operators work, in this state, perhaps before all tokens are listed."""
        session, entries = self._desk.session, self._desk.changes.journal.entries
        is_listed = self._tokens is not None and self._tokens.follow(session, entries)
        if self.is_patient and self._is_large and not is_listed:
            found = self.beside("ways in", "Looking for operator tokens", WaysIn.look)
            if found is not None:
                return found
        return self.tokens().ways_in

    def prepare(self) -> None:
        """Begin to read the tokens, while somebody looks for the console key."""
        self.is_patient = True
        for find_out in (self.ways_in, self.tokens):
            with suppress(NotYetKnown, RecoveryError):  # then it is read, and told, when asked for
                find_out()

    def rights(self, tx: "MetaTx") -> Rights:
        """Work out what users of this state see, without reading its tokens once more."""
        txid = self._desk.session.store.txid
        if self._rights is None or self._rights.txid != txid:
            ways = self.ways_in()
            is_whole = not ways.unreadable_count
            found = rights_by_tokens(tx, ways.administrators) if is_whole else rights(tx)
            self._rights = _Known(txid, found)
        return self._rights.value

    def reach(self, tx: "MetaTx", *, user: str | None, bucket: str | None) -> Reach:
        """Find out who can reach what in this state, from the index of tokens."""
        tokens, known_rights = self.tokens().rows.values(), self.rights(tx)
        txid, wanted, known = self._desk.session.store.txid, (user, bucket), self._reach
        if known is None or known.txid != txid or known.value[0] != wanted:
            pairs = ((row, row.grants) for row in tokens)
            found = reach_by(tx, pairs, known_rights, user=user, bucket=bucket)
            known = self._reach = _Known(txid, (wanted, found))
        return known.value[1]

    def pages(self) -> "PageMap":
        """Look at every page of the file."""
        from recovery.services.stores.page_map import PageMap  # noqa: PLC0415 # seldom asked for

        txid = self._desk.session.store.txid
        if self._pages is None or self._pages.txid != txid:
            found = self.beside("pages", "Looking at every page of the file", PageMap.of)
            self._pages = _Known(txid, found)
        return self._pages.value
