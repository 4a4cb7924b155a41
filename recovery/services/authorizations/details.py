"""Everything about one authorization, by point look-ups.

Lives here: `Details` and what makes them. Must not live here: listings (`inventory`), which read
whole buckets to be fast on many records.

Invariants: nothing here holds a token or a hash, unless it was asked for in words; then as
`Secret`.

Source: InfluxDB v2.9.1 http/authentication_middleware.go, authorization/storage_authorization.go;
spec influxdb-metadata sections 4.6, 5.4 and 8.4.
"""

import msgspec

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.model.organization import Organization
from recovery.model.permission import OperatorLevel, OperatorStatus, Permission, classify
from recovery.model.standing import Answer, works_on_1x
from recovery.model.token import TokenForm
from recovery.secret import Secret
from recovery.services.access import standing_of
from recovery.services.disclosure import Disclosure


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """One authorization with everything that decides what it is good for.

    Attributes:
        description: As stored, not escaped.
        status: "active" or "inactive", as stored; "active" for the empty text of old records.
        user_id: Its user; None when the record has none.
        user: The name; None when there is no such user.
        user_status: As stored; None when there is no such user.
        organization_id: Its organization; None when the record has none.
        organization: The name; None when there is no such organization.
        has_entry: Whether the index entry that a server looks for leads to this record.
        permissions: What it may do, in the stored order; None when that cannot be decoded.
        answer: What a server answers to its token.
        is_usable: Whether a server lets a client in with its token.
        because: Why not, as clauses, the one that counts first; empty when it is usable.
        works_on_1x: Whether the 1.x endpoints let the client in, too.
        created_at: RFC 3339 as stored; "" when absent.
        updated_at: RFC 3339 as stored; "" when absent.
        stored: What is stored of the token; None unless asked for.
    """

    id: Id
    description: str
    status: str
    user_id: Id | None
    user: str | None
    user_status: str | None
    organization_id: Id | None
    organization: str | None
    token_form: TokenForm
    has_entry: bool
    operator: OperatorStatus
    permissions: tuple[Permission, ...] | None
    answer: Answer
    is_usable: bool
    because: tuple[str, ...]
    works_on_1x: bool
    created_at: str
    updated_at: str
    stored: Secret | None = None


def details_of(
    tx: MetaTx, authorization: Authorization, disclosure: Disclosure | None = None
) -> Details:
    """Say everything about an authorization that has been read, and with a right what is stored."""
    user = tx.users.get(authorization.user_id) if authorization.user_id else None
    organization = _organization(tx, authorization)
    permissions = _permissions(authorization)
    standing = standing_of(tx, authorization)
    return Details(
        id=authorization.id,
        description=authorization.description,
        status=authorization.status or "active",
        user_id=authorization.user_id,
        user=None if user is None else user.name,
        user_status=None if user is None else user.status,
        organization_id=authorization.org_id,
        organization=None if organization is None else organization.name,
        token_form=authorization.form,
        has_entry=tx.authorizations.leads_home(authorization),
        operator=(
            OperatorStatus(level=OperatorLevel.NONE)
            if permissions is None
            else classify(permissions, level=tx.level)
        ),
        permissions=permissions,
        answer=standing.answer,
        is_usable=standing.is_usable,
        because=standing.because,
        works_on_1x=works_on_1x(standing, user),
        created_at=authorization.created_at,
        updated_at=authorization.updated_at,
        stored=(authorization.token or authorization.hashed_token)
        if disclosure is not None
        else None,
    )


def _organization(tx: MetaTx, authorization: Authorization) -> Organization | None:
    return tx.organizations.get(authorization.org_id) if authorization.org_id else None


def _permissions(authorization: Authorization) -> tuple[Permission, ...] | None:
    try:
        return tuple(authorization.permissions())
    except UndecodableError:
        return None
