"""Users: the list, and one user.

Lives here: what these two screens show. Must not live here: what is done with a user (`user_acts`),
and whether one can sign in (`recovery.model.standing`).

Source: spec admin-daemon 4.9.
"""

from collections import Counter

from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.page.visit import Visit
from recovery.model.ids import Id
from recovery.model.user import User
from recovery.services.stores.info import sign_ins
from recovery.services.tenancy import user_listing
from recovery.services.tenancy.user_details import describe_known

ROLES_SHOWN = 30
NOT_FOUND = ApiError("not found", "there is no such user")


def list_users(visit: Visit) -> Answer:
    """Show the list."""
    wanted = visit.asked.line("find").strip()
    known = visit.page.book.rights(visit.tx)
    standings = {one.id: one for one in sign_ins(visit.tx, known)}
    tokens = Counter(row.user_id for row in visit.page.book.tokens().rows.values())
    rows = [
        (row, standings[row.id], tokens[row.id])
        for row in user_listing.list_users(visit.tx).rows
        if visit.may("read user", one=Id(row.id))
    ]
    total = len(rows)
    rows = [
        one for one in rows if wanted.casefold() in one[0].name.casefold() or wanted == one[0].id
    ]
    rows.sort(key=lambda one: (one[0].name.casefold(), one[0].id))
    return visit.screen(
        "users.html",
        cut=visit.cut(rows),
        total=total,
        find=wanted,
        may_make=visit.may("create user"),
    )


def user_of_path(visit: Visit) -> User:
    """Give the user of the path, if it may be read; raise `ApiError` otherwise."""
    user_id = visit.id()
    visit.rights.require("read user", one=user_id)
    return NOT_FOUND.unless(visit.tx.users.get(user_id))


def show_user(visit: Visit) -> Answer:
    """Show one user."""
    found = user_of_path(visit)
    book = visit.page.book
    tokens = [one for one in book.tokens().rows.values() if one.user_id == found.id]
    details = describe_known(visit.tx, found, book.rights(visit.tx), ())
    organizations = [
        (one.id, one.name)
        for one in visit.tx.organizations.walk([])
        if visit.may("change member", one=one.id, org=one.id)
    ]
    return visit.screen(
        "user.html",
        user=details,
        is_inactive=found.is_inactive,
        tokens=tokens,
        roles=visit.cut(details.memberships, ROLES_SHOWN, "roles"),
        organizations=organizations,
        may_write=visit.may("write user", one=Id(details.id)),
    )
