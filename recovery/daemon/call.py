"""One request while it is answered, on the thread of the store.

Lives here: `Call`, what it needs of the daemon, and `Slow` for answers that need a password hashed
in between. Must not live here: HTTP (`recovery.daemon.app`).

Invariants: what a call reads is the newest state: a change that it makes ends the view that it had.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeAlias, TypeVar

import msgspec

from recovery.daemon.access import Access, Caller
from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.bodies import Body, BodyError, read_body
from recovery.daemon.changes import Changes, Made
from recovery.daemon.journal import Author
from recovery.daemon.request import WRONG_DIGITS, WRONG_LENGTH, Request, to_id
from recovery.daemon.rights import Rights
from recovery.daemon.sessions import Sessions
from recovery.discovery.candidate import Files
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.ports import Clock, Rng
from recovery.services.changes.plan import Planner
from recovery.services.changes.ports import Intent, Recorder
from recovery.services.ledger import Entries
from recovery.services.session import Session

if TYPE_CHECKING:
    from recovery.secret import Secret

T = TypeVar("T")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon knows of the server that it stands for.

    Attributes:
        version: What it calls itself, such as "v2.9.1".
        server_hashes: `use-hashed-tokens`; None when unknown.
        strong_passwords: `strong-passwords`.
    """

    version: str
    tool_version: str
    level: int
    server_hashes: bool | None
    strong_passwords: bool
    configuration: Mapping[str, str | int | bool]
    started: datetime


class Notes(Recorder, Protocol):
    """A ledger, which is also told what changes no store."""

    def note(self, intent: Intent) -> int:
        """Record it; return the number of the row. Raises as `Recorder.intend`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that answers are made with.

    Attributes:
        session: The store. Only the thread of the store touches it.
        entries: The ledger, to be read.
        recorder: The ledger, to be written, for what changes another file than the store.
    """

    session: Session = field(repr=False)
    changes: Changes = field(repr=False)
    access: Access = field(repr=False)
    sessions: Sessions = field(repr=False)
    settings: Settings
    clock: Clock
    rng: Rng
    files: Files
    entries: Entries
    recorder: Notes


class Call:
    """One request. Use it as a context manager: its view of the store ends with it.

    Attributes:
        parts: What stands in the path in the places of names in braces.
    """

    def __init__(
        self,
        desk: Desk,
        request: Request,
        parts: Mapping[str, str],
        find_caller: Callable[[MetaTx], Caller] | None = None,
    ) -> None:
        """Get ready; nothing is read yet.

        Args:
            parts: What stands in the path in the places of names in braces.
            find_caller: Finds out who asks, where that is not what the API does.
        """
        self._find_caller = find_caller
        self.desk: Final = desk
        self.request: Final = request
        self.parts: Final = parts
        self._caller: Caller | None = None
        self._opened = ExitStack()
        self._tx: MetaTx | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_view()

    def _end_view(self) -> None:
        self._tx = None
        self._opened.close()

    @property
    def tx(self) -> MetaTx:
        """The records, as they are now."""
        if self._tx is None:
            self._tx = self._opened.enter_context(self.desk.session.store.view())
        return self._tx

    @property
    def caller(self) -> Caller:
        """Who asks; raise `ApiError` when nobody does who may."""
        if self._caller is None:
            self._caller = (
                self.desk.access.caller_of(self.tx, self.request)
                if self._find_caller is None
                else self._find_caller(self.tx)
            )
        return self._caller

    @property
    def rights(self) -> Rights:
        """What the caller may do."""
        return self.caller.rights

    def id(self, name: str = "id", *, prefix: str = "") -> Id:
        """Read an ID of the path; the prefix stands in front of the error."""
        return to_id(self.parts[name], prefix=prefix)

    def body(self, read: Callable[[Body], T], code: str, *, prefix: str = "") -> T:
        """Read the body.

        Args:
            read: Takes what it needs from the object.
            code: The error code of a body that cannot be read.
            prefix: Words in front of the error.
        """
        try:
            return read_body(self.request.body, read)
        except BodyError as error:
            # A bad ID is an error of its own on the server, whatever the route makes of others.
            is_id = str(error) in {WRONG_LENGTH, WRONG_DIGITS}
            raise ApiError("invalid" if is_id else code, prefix + str(error)) from None

    def change(self, planner: Planner, *, why: str = "") -> Made:
        """Change the store; `why` is what the ledger is told besides who asks."""
        self._end_view()
        return self.desk.changes.make(planner, self._author(why))

    def undo(self, number: int) -> Made:
        """Take a change of this run back. As `change`."""
        self._end_view()
        return self.desk.changes.undo(number, self._author())

    def _author(self, why: str = "") -> Author:
        return Author(
            why=why,
            name=self._caller.name if self._caller else "nobody",
            peer=self.request.peer,
            client=self.request.headers.get("user-agent", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Generic[T]):
    """An answer that needs something slow in between, which needs no store.

    Attributes:
        work: The slow part; runs on the thread of the passwords.
        then: Goes on with what it returned, in a new call of the same request.
        is_guess: Whether a password is tried, which may be refused as a wrong one.
    """

    work: Callable[[], T] = field(repr=False)
    then: Callable[[Call, T], Answer] = field(repr=False)
    is_guess: bool = False


Reply: TypeAlias = "Answer | Slow[bool] | Slow[Secret] | Slow[Secret | None]"
Handler: TypeAlias = Callable[[Call], Reply]
