"""All tokens of a store, to be filtered and sorted.

Lives here: `TokenRow`, `TokenIndex`, `TokenFilter`, and `WaysIn`, a first look at tokens. Must not
live here: what a token is worth (`recovery.services.authorizations`), and how a row looks.

Invariants: no row holds anything of a token's value. An index is made in one walk; after a change
only the tokens that it concerns are read again.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from recovery.model.authorization import Authorization, OperatorClassifier
from recovery.model.display import displayed
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id, parse_id
from recovery.model.permission import OperatorLevel, classify, decode_permissions
from recovery.services.authorizations.details import Details, details_of
from recovery.services.authorizations.listing import (
    GROUPS_MAX,
    AuthorizationRow,
    OperatorState,
    list_authorizations,
)
from recovery.services.reach import Grant, Names, Reaching, Target, may_do

if TYPE_CHECKING:
    from recovery.daemon.journal import JournalEntry
    from recovery.metastore.table import KeyChange, RecordProblem
    from recovery.metastore.transaction import MetaTx
    from recovery.services.session import Session

SORTS: Final = ("description", "owner", "created", "changed")
READ_AGAIN_MAX: Final = 2000
"""Reading so many tokens one by one takes a second; beyond that all are read in one walk."""
OPERATORS_MAX: Final = 1000
"""As many operators are looked at one by one; with more, all tokens are read first."""
_OPERATOR: Final = "operator"
_STATUS: Final = "status:"


class TokenRow(msgspec.Struct, frozen=True, gc=False):
    """One token in the list. Made by position where there are many: names take as long as the rest.

    Attributes:
        description: As stored, not escaped.
        created_at: RFC 3339 as stored; "" when absent.
        updated_at: RFC 3339 as stored; "" when absent.
        user_id: Its user; "" for none.
        user: The name; None when there is no such user.
        organization_id: Its organization; "" for none.
        organization: The name; None when there is no such organization.
        status: "active" or "inactive", as stored.
        is_usable: Whether a server lets a client in with it.
        because: Why not, as clauses.
        may_do: What it may do, in a few words; names in it are escaped.
        buckets: The names of buckets that it reaches, with line feeds between them.
        is_administrator: Whether its user sees organizations by it after a sign-in.
        grants: What it reaches; empty when that cannot be read.
    """

    id: str
    description: str
    created_at: str
    updated_at: str
    user_id: str
    user: str | None
    organization_id: str
    organization: str | None
    status: str
    is_usable: bool
    because: tuple[str, ...]
    operator: OperatorState
    may_do: str
    buckets: str
    is_administrator: bool
    grants: tuple[Grant, ...]

    @property
    def names(self) -> set[str | None]:
        """The IDs of all whose names are in it."""
        return {self.user_id, self.organization_id}.union(
            *((one.id, one.organization_id) for one in self.grants)
        )

    @property
    def state(self) -> str:
        """The word for what it is worth: "active", "inactive" or "dead"."""
        if self.status != "active":
            return "inactive"
        return "active" if self.is_usable else "dead"

    @property
    def is_operator(self) -> bool:
        """Whether it is a full operator that works."""
        return self.operator is OperatorState.FULL and self.is_usable


class TokenFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which tokens are wanted.

    Attributes:
        text: Words that must all occur, in any case: in the description, the owner, the
            organization, the ID, or a bucket's name. `status:inactive` and `operator` are words of
            their own.
        organization_id: Only tokens of this organization; "" for all.
    """

    text: str = ""
    organization_id: str = ""

    def chosen(self, rows: Iterable[TokenRow]) -> list[TokenRow]:
        """Choose rows, in their order."""
        words = self.text.casefold().split()
        return [
            row
            for row in rows
            if (not self.organization_id or row.organization_id == self.organization_id)
            and all(self._fits(row, word) for word in words)
        ]

    @staticmethod
    def _fits(row: TokenRow, word: str) -> bool:
        if word.startswith(_STATUS):
            return row.state == word.removeprefix(_STATUS)
        if word == _OPERATOR and row.operator is not OperatorState.NO:
            return True
        return (
            word in row.description.casefold()
            or word in row.id
            or word == row.user_id
            or word in (row.user or row.user_id).casefold()
            or word in (row.organization or row.organization_id).casefold()
            or word in row.buckets.casefold()
        )


class WaysIn(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know of the tokens before all are listed.

    Attributes:
        operators: Full operators that work.
        administrators: The users who see organizations by a token of theirs, by ID.
        token_count: Tokens that can be read.
        unreadable_count: Records that no server can decode.
    """

    operators: tuple[TokenRow, ...]
    administrators: frozenset[str]
    token_count: int
    unreadable_count: int

    @classmethod
    def look(cls, session: "Session") -> "WaysIn | None":
        """Look for operators, in less than half of an index's time; None when they are too many."""
        problems: list[RecordProblem] = []
        operators: list[Authorization] = []
        administrators = set[str]()
        count = undecodable_count = 0
        with session.view() as view:
            status_of = OperatorClassifier(level=view.tx.level).status
            for one in view.tx.authorizations.walk(problems):
                count += 1
                try:
                    level = status_of(one).level
                except UndecodableError:
                    undecodable_count += 1
                    continue
                if level is not OperatorLevel.NONE:
                    administrators.add(one.user_id or "")
                    operators += [one] * (level is OperatorLevel.FULL)
                    if len(operators) > OPERATORS_MAX:
                        return None
            words = _Words(Names(view.tx))
            rows = [words.of_details(details_of(view.tx, one)) for one in operators]
        return cls(
            operators=tuple(row for row in rows if row.is_operator),
            administrators=frozenset(administrators - {""}),
            token_count=count - undecodable_count,
            unreadable_count=len(problems) + undecodable_count,
        )

    @classmethod
    def of(cls, rows: Collection[TokenRow], *, unreadable_count: int = 0) -> "WaysIn":
        """Find it in a list of all."""
        return cls(
            operators=tuple(row for row in rows if row.is_operator),
            administrators=frozenset(
                row.user_id for row in rows if row.is_administrator and row.user_id
            ),
            token_count=len(rows),
            unreadable_count=unreadable_count,
        )


class TokenIndex:
    """All tokens of one state of a store.

    Attributes:
        rows: The tokens by ID, in the order of the IDs.
        unreadable_count: Records that no server can decode, and that are therefore not here.
    """

    def __init__(
        self,
        rows: dict[str, TokenRow],
        *,
        txid: int,
        change_number: int,
        unreadable_count: int,
    ) -> None:
        """Take over rows; `of` is the usual way."""
        self.rows = rows
        self.unreadable_count = unreadable_count
        self._txid = txid
        self._change_number = change_number
        self._sorted: dict[str, list[TokenRow]] = {}

    @classmethod
    def of(cls, session: "Session", *, change_number: int = 0) -> "TokenIndex":
        """List the tokens of the newest state, which the change of this number has made."""
        with session.view() as view:
            listing = list_authorizations(view.tx)
            words = _Words(Names(view.tx))
            rows = {row.id: words.of_row(row) for row in listing.rows}
            unreadable = sum(one.bucket == "authorizationsv1" for one in listing.problems)
        return cls(
            rows,
            txid=session.store.txid,
            change_number=change_number,
            unreadable_count=unreadable,
        )

    def sorted_by(self, name: str, *, is_descending: bool) -> list[TokenRow]:
        """Sort all rows by one of `SORTS`, and equal ones by ID."""
        if name not in self._sorted:
            self._sorted[name] = sorted(self.rows.values(), key=_KEYS[name])
        rows = self._sorted[name]
        return rows[::-1] if is_descending else rows

    @property
    def ways_in(self) -> WaysIn:
        """What a first look tells."""
        return WaysIn.of(self.rows.values(), unreadable_count=self.unreadable_count)

    def follow(self, session: "Session", entries: "Sequence[JournalEntry]") -> bool:
        """Bring it up to date; False when that takes more than reading some tokens again."""
        if self._txid == session.store.txid:
            return True
        new = [one for one in entries if one.number > self._change_number]
        if not new or new[0].number != self._change_number + 1:
            return False
        concerned = self._concerned(change for entry in new for change in entry.keys)
        if concerned is None or len(concerned) > READ_AGAIN_MAX:
            return False
        with session.view() as view:
            words = _Words(Names(view.tx))
            for record_id in concerned:
                self._read_again(view.tx, record_id, words)
        self._txid, self._change_number = session.store.txid, new[-1].number
        self._sorted.clear()
        return True

    def _concerned(self, changes: "Iterable[KeyChange]") -> set[Id] | None:
        """Tell which rows are others after changes of keys; None where all may be.

        What is in no bolt bucket that is named here is in no row.
        """
        found, named = set[bytes](), set[str]()
        for one in changes:
            match one.table:
                case "authorizationsv1":
                    found.add(one.key)
                case "authorizationindexv1" | "authorizationhashedindexv1":
                    found |= {one.before or b"", one.after or b""}
                case "usersv1" | "organizationsv1" | "bucketsv1":
                    named.add(one.key.decode("latin-1"))
                case "migrationsv1":
                    return None
                case _:
                    pass
        ids = {known for one in found if (known := parse_id(one)) is not None}
        if named:
            ids |= {Id(row.id) for row in self.rows.values() if not named.isdisjoint(row.names)}
        return ids

    def _read_again(self, tx: "MetaTx", record_id: Id, words: "_Words") -> None:
        try:
            found = tx.authorizations.get(record_id)
        except UndecodableError:
            found = None
        if found is None:
            self.rows.pop(record_id, None)
        else:
            self.rows[record_id] = words.of_details(details_of(tx, found))


class _Words:
    """Puts what a token may do into words, each different list once."""

    def __init__(self, names: Names) -> None:
        self._level = names.level
        self._reaching = Reaching(names)
        self._known: dict[bytes, tuple[str, str, bool, tuple[Grant, ...]]] = {}
        self._alike: dict[int, tuple[object, ...]] = {}

    def of_row(self, row: AuthorizationRow) -> TokenRow:
        """Make a row of one of a listing."""
        shared = self._alike.get(row.group)
        if shared is None:
            if len(self._alike) >= GROUPS_MAX:
                self._alike.clear()
            shared = self._alike[row.group] = self._shared(row)
        return TokenRow(row.id, row.description, row.created_at, row.updated_at, *shared)  # type: ignore[arg-type] # in the order of the fields

    def _shared(self, row: AuthorizationRow) -> tuple[object, ...]:
        """The fields of a row that those of a group have in common."""
        return (
            row.user_id,
            row.user,
            row.organization_id,
            row.organization,
            row.status,
            row.is_usable,
            row.because,
            row.operator,
            *self._words_of(row),
        )

    def _words_of(self, row: AuthorizationRow) -> tuple[str, str, bool, tuple[Grant, ...]]:
        permissions = bytes(row.permissions)
        if permissions not in self._known:
            held = decode_permissions(permissions)
            level = classify(held, level=self._level).level
            grants = self._reaching.of_list(permissions)
            self._known[permissions] = _worded(grants, row.permission_count, level)
        return self._known[permissions]

    def of_details(self, one: Details) -> TokenRow:
        """Make a row of a single token."""
        permissions = one.permissions or ()
        grants, level = tuple(self._reaching.of(permissions)), one.operator.level
        words, buckets, is_administrator, _ = _worded(grants, len(permissions), level)
        return TokenRow(
            id=one.id,
            description=one.description,
            created_at=one.created_at,
            updated_at=one.updated_at,
            user_id=one.user_id or "",
            user=one.user,
            organization_id=one.organization_id or "",
            organization=one.organization,
            status=one.status,
            is_usable=one.is_usable,
            because=one.because,
            operator=_STATES.get(level.value, OperatorState.NO),
            may_do=words,
            buckets=buckets,
            is_administrator=is_administrator,
            grants=grants,
        )


def _worded(
    grants: tuple[Grant, ...] | None, permission_count: int, level: OperatorLevel
) -> tuple[str, str, bool, tuple[Grant, ...]]:
    names = [one.name for one in grants or () if one.target is Target.BUCKET]
    words = may_do(grants, permission_count)
    return words, "\n".join(names), level is not OperatorLevel.NONE, grants or ()


_STATES: Final = {state.value: state for state in OperatorState}
_KEYS: Final = {
    "description": lambda row: (row.description.casefold(), row.id),
    "owner": lambda row: (displayed(row.user or row.user_id).casefold(), row.id),
    "created": lambda row: (row.created_at, row.id),
    "changed": lambda row: (row.updated_at, row.id),
}
