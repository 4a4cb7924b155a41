"""The command that lists authorizations.

Lives here: `auth list`. Must not live here: making one (`auth_creation`), and what an operator is.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from recovery.cli.context import Context
from recovery.cli.deliver import stored_text
from recovery.cli.disclosing import disclose
from recovery.cli.documents import ListDocument
from recovery.cli.listing import (
    created,
    report_problems,
    row_filter,
    say_more,
)
from recovery.cli.options import Command, Listing, add_filter, add_listing, add_status
from recovery.cli.store import find_store, read_session, show_aside, store_of
from recovery.cli.table import Column
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.model.display import displayed, plural
from recovery.model.permission import OperatorLevel, OperatorStatus, decode_permissions
from recovery.model.token import TokenForm
from recovery.remedy import Run
from recovery.services.authorizations.listing import (
    GROUPS_MAX,
    AuthorizationFilter,
    AuthorizationRow,
    OperatorState,
    list_authorizations,
)
from recovery.services.row_filter import FilteredRows
from recovery.services.session import View

if TYPE_CHECKING:
    from recovery.cli.words import Parser

COLUMNS = (  # together 80 columns at the least
    Column("ID"),
    Column("User", 6),
    Column("Org", 6),
    Column("Status", 8),
    Column("Operator", 13),
    Column("Token", 8),
    Column("Created", is_spare=True),
    Column("Description", 11),
)
DROP_IN_TITLES: Final = ("ID", "User Name", "User ID", "Description", "Token", "Permissions")
"""Source: influxdb v2.9.1 cmd/influxd/recovery/auth/auth.go PrintAuth."""
SORTS: Final = {
    "user": "user",
    "org": "organization",
    "created": "created_at",
    "description": "description",
}


class _List(Listing, frozen=True):
    operators: bool
    user: str | None
    org: str | None
    status: str | None
    show_tokens: bool


def _add_list(command: "Parser") -> None:
    add_filter(command)
    add_status(command)
    add_listing(command, what="the authorization", sorts=tuple(SORTS))
    command.add_argument(
        "--show-tokens",
        action="store_true",
        help="print the tokens and hashes as they are stored; this is recorded in the ledger "
        "(default: REDACTED)",
    )


class Item(msgspec.Struct, frozen=True, gc=False):
    """An authorization as --json shows it.

    Attributes:
        token: What is stored of the token if that was asked for, else how it is stored.
        operator: "full", "partial" or "no".
        lacks: What a partial operator lacks of a full one, as "read:remotes".
        permissions: The list as stored.
    """

    id: str
    description: str
    status: str
    user_id: str
    user: str | None
    organization_id: str
    organization: str | None
    token: str | None
    token_form: TokenForm
    operator: OperatorState
    lacks: tuple[str, ...]
    is_usable: bool
    because: tuple[str, ...]
    permission_count: int
    permissions: msgspec.Raw
    created_at: str
    updated_at: str


class AuthorizationList(ListDocument, frozen=True, kw_only=True):
    """What --json prints."""

    authorizations: tuple[Item, ...] = ()


def _list(options: _List, context: Context) -> ExitCode:
    chosen = row_filter(options, SORTS, status=options.status)
    found = find_store(options, context)
    wanted = AuthorizationFilter(
        operators_only=options.operators, user=options.user, organization=options.org
    )
    with read_session(found, options, context.output) as session, session.view() as view:
        disclosure = None
        if options.show_tokens:
            disclosure = disclose(view.facts, "auth list --show-tokens", options, context)
        listing = list_authorizations(view.tx, wanted, disclosure)
        rows = FilteredRows(
            listing.rows,
            chosen,
            kind="authorization",
            listing=Run("auth list", "to see what there is"),
        )
        if options.json:
            document = AuthorizationList(store=store_of(found, view.facts))
            context.output.stream(document, "authorizations", _items(rows), listing.problems)
        else:
            _show(found, view, rows, options, context)
    return report_problems(listing.problems, context)


LIST: Final = Command(
    description="List every authorization of the store and say of each whether it is an operator "
    "token, one that may do everything on this server. The file is opened for reading only and "
    "nothing is changed. Tokens are not shown unless asked for with --show-tokens, and a token "
    "that is stored as a hash cannot be shown by anything.",
    example="auth list --operators",
    options=_List,
    run=_list,
    add_options=_add_list,
    document=AuthorizationList,
)


def _items(rows: Iterable[AuthorizationRow]) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    for row in rows:
        yield encode(
            Item(  # by position: names would take seven times as long
                row.id,
                row.description,
                row.status,
                row.user_id,
                row.user,
                row.organization_id,
                row.organization,
                _token(row),
                row.token_form,
                row.operator,
                row.lacks,
                row.is_usable,
                row.because,
                row.permission_count,
                row.permissions,
                row.created_at,
                row.updated_at,
            )
        )


def _token(row: AuthorizationRow) -> str | None:
    if row.token_form is TokenForm.NONE:
        return None
    return stored_text(row.secret) if row.secret else f"REDACTED ({row.token_form.value})"


def _show(
    found: FoundStore,
    view: View,
    rows: FilteredRows[AuthorizationRow],
    options: _List,
    context: Context,
) -> None:
    """Print the table, and below it the answer to the question behind it: who can get in?"""
    output = context.output
    is_drop_in = output.is_drop_in
    held = list(rows) if is_drop_in else rows
    tally = _Tally(held)
    columns = [
        Column(column.title) if options.show_tokens and column.title == "Token" else column
        for column in COLUMNS
    ]
    show_aside(found, view.facts, output)
    has_headings = not options.hide_headers
    if is_drop_in:
        table = map(_drop_in_cells, held, tally.cells())
        output.drop_in(DROP_IN_TITLES, table, has_headings=has_headings)
    else:
        output.table(columns, tally.cells(), has_headings=has_headings, what="reading the records")
    output.aside()
    shown = plural(rows.count, "authorization")
    is_all = rows.is_all and options.user is None and options.org is None
    output.aside(f"{shown}; {_verdict(tally.full_count, rows.count)}")
    if rows.count:
        output.aside(_of_tokens(tally.raw_count, rows.count, shows_tokens=tally.shows_tokens))
    has_none = is_all and not tally.full_count
    is_hash_shown = tally.shows_tokens and tally.raw_count < rows.count
    # Where something is missing, the check that the warning names comes first.
    if (has_none or is_hash_shown) and not view.facts.missing_buckets:
        from recovery.cli.hints import command_line, named_with  # noqa: PLC0415 # seldom needed

        named = named_with(options.bolt_path, options.ledger)
        if rows.count or not view.tx.is_never_set_up:
            way = command_line("auth create-operator", named)
            output.aside(f"To make one that can be used: {way}")
        else:
            from recovery.cli.way_in import NEVER_SET_UP, first_steps  # noqa: PLC0415 # as above

            steps = first_steps(named, view.facts.path)
            output.aside(f"{NEVER_SET_UP}. Next: {'; '.join(steps)}")
    say_more(rows, options, output)


class _Tally:
    """Writes the rows of the table, and counts what is said below it.

    Attributes:
        full_count: Full operators among the rows so far that a server would accept.
        raw_count: Raw tokens among them.
        shows_tokens: Whether any of them shows what is stored of its token.
    """

    def __init__(self, rows: Iterable[AuthorizationRow]) -> None:
        self._rows = rows
        self.full_count = self.raw_count = 0
        self.shows_tokens = False

    def cells(self) -> Iterator[tuple[str, ...]]:
        """Write the rows; those of one group differ in few cells."""
        group = 0
        words: tuple[str, ...] = ()
        is_full = is_raw = False
        known: dict[int, tuple[bool, bool, tuple[str, ...]]] = {}
        for row in self._rows:
            if row.group != group:
                group = row.group
                found = known.get(group)
                if found is None:
                    if len(known) >= GROUPS_MAX:
                        known.clear()
                    found = known[group] = (
                        row.operator is OperatorState.FULL and row.is_usable,
                        row.token_form is TokenForm.RAW,
                        _words(row),
                    )
                is_full, is_raw, words = found
            self.full_count += is_full
            self.raw_count += is_raw
            own = created(row.created_at), displayed(row.description)
            if row.secret is None:
                yield (row.id, *words, *own)
            else:
                self.shows_tokens = True
                yield (row.id, *words[:-1], displayed(stored_text(row.secret)), *own)


def _drop_in_cells(row: AuthorizationRow, cells: tuple[str, ...]) -> tuple[str, ...]:
    """Arrange a row as `influxd recovery auth list` does."""
    record_id, user, *_, token, _, description = cells
    permissions = " ".join(map(str, decode_permissions(bytes(row.permissions))))
    return record_id, user, row.user_id, description, token, f"[{displayed(permissions)}]"


def _of_tokens(raw_count: int, count: int, *, shows_tokens: bool) -> str:
    """Say what can be shown of tokens, and that a hash is none."""
    hashed = (
        "What is stored as a hash begins with $influxdb2- and is no token: nothing gives the token "
        "back."
    )
    if shows_tokens:
        return hashed if raw_count < count else "These are the tokens themselves."
    if raw_count:
        return "Raw tokens can be shown: --show-tokens (recorded in the ledger)."
    return "All are stored as hashes, from which nothing gives the tokens back."


def _verdict(full_count: int, count: int) -> str:
    if full_count:
        return f"{plural(full_count, 'full operator token')} that a server would accept."
    which = "it is no" if count == 1 else "none of them is a"
    return f"{which} full operator token that a server would accept."


def _words(row: AuthorizationRow) -> tuple[str, ...]:
    """Write the cells that are the same in all rows of a group, from "User" to "Token"."""
    return (
        _name(row.user, row.user_id),
        _name(row.organization, row.organization_id),
        displayed(row.status) + (f", unusable: {row.because[0]}" if _is_odd(row) else ""),
        _operator(row),
        displayed(_token(row) or "none"),
    )


def _is_odd(row: AuthorizationRow) -> bool:
    """Say whether an active token is refused for a reason that the status does not show."""
    return row.status == "active" and not row.is_usable


def _name(name: str | None, record_id: str) -> str:
    if name is None:
        return f"missing {record_id}" if record_id else "none"
    return displayed(name)


def _operator(row: AuthorizationRow) -> str:
    match row.operator:
        case OperatorState.FULL:
            return "full"
        case OperatorState.PARTIAL:
            pairs = tuple(
                (action, kind) for action, _, kind in (p.partition(":") for p in row.lacks)
            )
            return str(OperatorStatus(level=OperatorLevel.PARTIAL, lacks=pairs))
        case OperatorState.NO:
            return "no"
