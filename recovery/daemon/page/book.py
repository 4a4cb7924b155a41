"""What was found out about the store, for as long as it holds.

Lives here: `Book`: the examination, the index of tokens, the map of pages, each of one state of the
store. Must not live here: how they are found out (`recovery.services`).

Invariants: an index of the state before is brought up to date where the journal says what changed;
an examination is of the state that it names. All of it holds names and IDs and no secret.
"""

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from recovery.daemon.page.token_index import TokenIndex
from recovery.services.doctor.check import Examination, examine
from recovery.services.reach import Reach, reach_of
from recovery.services.stores.info import SignIn, sign_ins

if TYPE_CHECKING:
    from recovery.daemon.call import Desk
    from recovery.services.stores.page_map import PageMap

T = TypeVar("T")
EXAMINED_AT_ONCE_BYTES_MAX: Final = 64 << 20
"""Up to this size an examination takes less than a second, so nobody has to ask for it."""


class _Known(Generic[T]):
    """One thing, of one state."""

    def __init__(self, txid: int, value: T) -> None:
        self.txid = txid
        self.value = value


class Book:
    """What was found out. All of it runs on the thread of the store.

    Attributes:
        entries: The ledger, to be read; None when there is none.
    """

    def __init__(self, desk: "Desk") -> None:
        """Begin without knowing anything."""
        self._desk = desk
        self._examination: _Known[Examination] | None = None
        self._tokens: TokenIndex | None = None
        self._pages: _Known[PageMap] | None = None
        self._sign_ins: _Known[dict[str, SignIn]] | None = None
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
        found = examine(session, files=self._desk.files, clock=self._desk.clock, rng=self._desk.rng)
        self._examination = _Known(session.store.txid, found)
        return found

    @property
    def is_examined(self) -> bool:
        """Whether an examination of this state is there, or takes less than a second."""
        store, known = self._desk.session.store, self._examination
        is_known = known is not None and known.txid == store.txid
        return is_known or store.size_bytes <= EXAMINED_AT_ONCE_BYTES_MAX

    def tokens(self) -> TokenIndex:
        """List the tokens of this state."""
        self._tokens = TokenIndex.of(
            self._desk.session, self._tokens, self._desk.changes.journal.entries
        )
        return self._tokens

    def sign_ins(self) -> dict[str, SignIn]:
        """Judge every user of this state, by ID."""
        session = self._desk.session
        if self._sign_ins is None or self._sign_ins.txid != session.store.txid:
            with session.view() as view:
                found = {one.id: one for one in sign_ins(view.tx)}
            self._sign_ins = _Known(session.store.txid, found)
        return self._sign_ins.value

    def reach(self, *, user: str | None, bucket: str | None) -> Reach:
        """Find out who can reach what in this state."""
        session, wanted, known = self._desk.session, (user, bucket), self._reach
        if known is None or known.txid != session.store.txid or known.value[0] != wanted:
            with session.view() as view:
                found = reach_of(view, user=user, bucket=bucket)
            known = self._reach = _Known(session.store.txid, (wanted, found))
        return known.value[1]

    def pages(self) -> "PageMap":
        """Look at every page of the file."""
        from recovery.services.stores.page_map import PageMap  # noqa: PLC0415 # seldom asked for

        txid = self._desk.session.store.txid
        if self._pages is None or self._pages.txid != txid:
            self._pages = _Known(txid, PageMap.of(self._desk.session))
        return self._pages.value
