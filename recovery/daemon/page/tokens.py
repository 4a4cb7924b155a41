"""API Tokens: the list, and one token.

Lives here: what these two screens show. Must not live here: what is done with a token
(`token_acts`, `token_making`), and what one is worth (`recovery.services.authorizations`).

Invariants: no token's value is shown, also where the store holds it.

Source: spec admin-daemon 4.2 and 4.8.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import urlencode

from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.page.token_index import SORTS, TokenFilter, TokenRow
from recovery.daemon.page.visit import Visit
from recovery.model.authorization import Authorization
from recovery.model.ids import Id
from recovery.model.permission import OperatorLevel, Permission
from recovery.model.token import LEVEL_HASHED, TokenForm
from recovery.services.authorizations.details import details_of
from recovery.services.reach import Names, Reaching

_DEFAULT_SORT: Final = "-created"
NO_TOKEN: Final = ApiError("not found", "there is no such API token")


class Heading(NamedTuple):
    """The heading of a column that can be sorted.

    Attributes:
        href: Where a click on it leads.
        order: "ascending", "descending", or "none".
    """

    title: str
    href: str
    order: str


def list_tokens(visit: Visit) -> Answer:
    """Show the list."""
    index = visit.page.book.tokens()
    sort = visit.asked.get("sort", _DEFAULT_SORT)
    name = sort.removeprefix("-")
    if name not in SORTS:
        sort, name = _DEFAULT_SORT, _DEFAULT_SORT.removeprefix("-")
    wanted = TokenFilter(
        text=visit.asked.line("find").strip(),
        organization_id=visit.organization_of(visit.asked, "organization") or "",
    )
    rows = readable(visit, index.sorted_by(name, is_descending=sort.startswith("-")))
    total = len(rows)
    if wanted.text or wanted.organization_id:
        rows = wanted.chosen(rows)
    kept = {"find": wanted.text, "organization": wanted.organization_id}
    return visit.screen(
        "tokens.html",
        cut=visit.cut(rows),
        total=total,
        wanted=wanted,
        by_change=name == "changed",
        headings=[_heading(title, one, sort, kept) for title, one in _SORTED_COLUMNS],
        pages=_url({**kept, "sort": sort if sort != _DEFAULT_SORT else ""}),
        organizations=[(one.id, one.name) for one in visit.tx.organizations.walk([])],
        has_operator=any(row.is_operator for row in index.rows.values()),
        unreadable_count=index.unreadable_count,
    )


_SORTED_COLUMNS: Final = (
    ("Description", "description"),
    ("Owner", "owner"),
    ("Created", "created"),
    ("Last Modified", "changed"),
)


def readable(visit: Visit, rows: Iterable[TokenRow]) -> list[TokenRow]:
    """Give the tokens that may be read."""
    if visit.is_operator:
        return list(rows)
    return [
        row
        for row in rows
        if visit.may(
            "read authorization",
            one=Id(row.id),
            org=Id(row.organization_id) if row.organization_id else None,
            user=Id(row.user_id) if row.user_id else None,
        )
    ]


def _heading(title: str, name: str, sort: str, kept: dict[str, str]) -> Heading:
    orders = {name: "ascending", f"-{name}": "descending"}
    turned = f"-{name}" if sort == name else name
    return Heading(title, _url({**kept, "sort": turned}), orders.get(sort, "none"))


def _url(fields: dict[str, str]) -> str:
    """Write the fields that are not empty behind the path of the list."""
    query = urlencode({name: value for name, value in fields.items() if value})
    return f"/tokens?{query}" if query else "/tokens"


def token_of_path(visit: Visit) -> Authorization:
    """Give the token of the path, if it may be read; raise `ApiError` otherwise."""
    found = NO_TOKEN.unless(visit.tx.authorizations.get(visit.id()))
    visit.require("read authorization", one=found.id, org=found.org_id, user=found.user_id)
    return found


def may_write(visit: Visit, found: Authorization) -> bool:
    """Tell whether a token may be changed."""
    return visit.may("write authorization", one=found.id, org=found.org_id, user=found.user_id)


def show_token(visit: Visit) -> Answer:
    """Show one token."""
    found = token_of_path(visit)
    details = details_of(visit.tx, found)
    grants = tuple(Reaching(Names(visit.tx)).of(details.permissions or ()))
    level = details.operator.level
    status = "active" if details.status == "active" else "inactive"
    return visit.screen(
        "token.html",
        token=details,
        state=status if details.is_usable or status == "inactive" else "dead",
        grants=grants,
        cut=visit.cut(permission_rows(details.permissions or ()), name="permissions"),
        may_write=may_write(visit, found),
        is_full=level is OperatorLevel.FULL,
        is_older=level in {OperatorLevel.PARTIAL, OperatorLevel.ADMINISTRATOR},
        lacks=[f"{action} {kind}" for action, kind in details.operator.lacks],
        is_raw=details.token_form is TokenForm.RAW,
        can_hash=details.token_form is TokenForm.RAW and visit.tx.level >= LEVEL_HASHED,
    )


def permission_rows(permissions: tuple[Permission, ...]) -> list[tuple[str, str, str, str]]:
    """Arrange permissions as a table: type, actions, resource, organization."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for one in permissions:
        key = (one.type, one.id or "all", one.org_id or "all")
        rows.setdefault(key, []).append(one.action)
    return [
        (kind, " and ".join(dict.fromkeys(actions)), resource, org)
        for (kind, resource, org), actions in rows.items()
    ]
