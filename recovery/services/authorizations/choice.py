"""Which authorization a command means, and what goes with it.

Lives here: the choice by ID, the names that belong to a record. Must not live here: what is done
with it.

Invariants: an error lists at most the first of those that exist, by ID and description, never by
token.
"""

from itertools import islice
from typing import Final

from recovery.errors import NotFoundError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.ids import Id
from recovery.remedy import Run
from recovery.services.tenancy.choosing import NAMES_SHOWN_MAX, shown_name

LIST_HINT: Final = Run("auth list", "to see the IDs")


def choose_authorization(tx: MetaTx, authorization_id: Id) -> Authorization:
    """Choose one, or raise `NotFoundError`, which lists the first of those that there are."""
    found = tx.authorizations.load(authorization_id)
    if found is None:
        raise absent(tx, authorization_id)
    return found


def absent(tx: MetaTx, authorization_id: Id) -> NotFoundError:
    """Return the error for an authorization that is not there; it lists the first that are."""
    first = [
        f"{one.id} {shown_name(one.description)}".strip()
        for one in islice(tx.authorizations.walk([]), NAMES_SHOWN_MAX + 1)
    ]
    if len(first) > NAMES_SHOWN_MAX:
        first[NAMES_SHOWN_MAX:] = ["and more"]
    return NotFoundError(
        kind="authorization", name=authorization_id, existing=first, hint=LIST_HINT
    )


def described(tx: MetaTx, authorization: Authorization) -> str:
    """Name it in a sentence: "API token 08371db24dcc8000 (alice's Token; user alice)"."""
    user = tx.users.get(authorization.user_id) if authorization.user_id else None
    owner = f"user {user.name}" if user else "no such user"
    text = authorization.description or "no description"
    return f"API token {authorization.id} ({text}; {owner})"
