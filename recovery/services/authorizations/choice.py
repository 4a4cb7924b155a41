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
from recovery.model.authorization import Authorization, OperatorClassifier
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.model.permission import OperatorLevel
from recovery.services.tenancy.choosing import NAMES_SHOWN_MAX, shown_name

ONLY_OPERATOR: Final = (
    "this is the only full operator token that a server would accept; afterwards only "
    "influx-recovery auth create-operator makes another"
)
LIST_HINT: Final = "type influx-recovery auth list to see the IDs"


def choose_authorization(tx: MetaTx, authorization_id: Id) -> Authorization:
    """Choose an authorization.

    Args:
        tx: The records.
        authorization_id: Its ID.

    Returns:
        The record.

    Raises:
        NotFoundError: There is none; the error lists the first of those that exist.
        RecordError: It cannot be decoded.
        StoreDamagedError: The file is damaged.
    """
    found = tx.authorizations.load(authorization_id)
    if found is None:
        raise absent(tx, authorization_id)
    return found


def absent(tx: MetaTx, authorization_id: Id) -> NotFoundError:
    """Return the error for an authorization that does not exist.

    Args:
        tx: The records.
        authorization_id: What was asked for.

    Returns:
        The error; it lists the first of those that exist.

    Raises:
        StoreDamagedError: The file is damaged.
    """
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
    """Name an authorization in a sentence.

    Args:
        tx: The records.
        authorization: The record.

    Returns:
        Such as "authorization 08371db24dcc8000 (alice's Token; user alice)"; not escaped.

    Raises:
        StoreDamagedError: The file is damaged.
    """
    user = tx.users.get(authorization.user_id) if authorization.user_id else None
    owner = f"user {user.name}" if user else "no such user"
    text = authorization.description or "no description"
    return f"authorization {authorization.id} ({text}; {owner})"


def is_usable_operator(
    tx: MetaTx, authorization: Authorization, classifier: OperatorClassifier
) -> bool:
    """Tell whether an authorization is a full operator that a server would accept.

    Args:
        tx: The records.
        authorization: The record.
        classifier: Reads its permissions.

    Returns:
        Whether it is, by section 8.4 of the spec.

    Raises:
        StoreDamagedError: The file is damaged.
    """
    if not authorization.is_active:
        return False
    try:
        if classifier.status(authorization).level is not OperatorLevel.FULL:
            return False
    except UndecodableError:
        return False
    user = tx.users.get(authorization.user_id) if authorization.user_id else None
    return user is not None and not user.is_inactive and leads_home(tx, authorization)


def leads_home(tx: MetaTx, authorization: Authorization) -> bool:
    """Tell whether the index entry that a server looks for leads to this record.

    Args:
        tx: The records.
        authorization: The record.

    Returns:
        Whether it does; False for a record without a token.

    Raises:
        StoreDamagedError: The file is damaged.
    """
    if authorization.token is not None:
        return tx.authorizations.raw_entry(authorization.token) == authorization.id
    if authorization.hashed_token is not None:
        return tx.authorizations.hashed_entry(authorization.hashed_token) == authorization.id
    return False


def last_operator_warning(tx: MetaTx, authorization: Authorization) -> tuple[str, ...]:
    """Warn in front of taking away the last way in.

    Args:
        tx: The records.
        authorization: The record that is about to lose its force.

    Returns:
        One warning when it is a usable full operator and there is no other; else none.

    Raises:
        StoreDamagedError: The file is damaged.
    """
    classifier = OperatorClassifier(level=tx.level)
    if not is_usable_operator(tx, authorization, classifier):
        return ()
    for other in tx.authorizations.walk([]):
        if other.id != authorization.id and is_usable_operator(tx, other, classifier):
            return ()
    return (ONLY_OPERATOR,)
