"""Authorizations, as listed.

Lives here: `list_authorizations`, joined with what they refer to, and classified. Must not live
here: tables, JSON text, changes.

Invariants: records stream; no list of all authorizations is ever held. A record that cannot be
decoded becomes a `RecordProblem` and the rest is still listed. No row holds a token unless that
was asked for, and then as a `Secret`.

Source: spec influxdb-metadata sections 4.2 to 4.6, 5.4 and 8.4.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum, unique
from typing import Final, TypeAlias

import msgspec

from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization, OperatorClassifier, PermissionSummary
from recovery.model.gojson import UndecodableError
from recovery.model.permission import OperatorLevel
from recovery.model.standing import token_standing
from recovery.model.token import TokenForm
from recovery.secret import Secret
from recovery.services.disclosure import Disclosure
from recovery.services.listing import Listing
from recovery.services.tenancy.choosing import Whose

GROUPS_MAX: Final = 4096
"""Groups of like authorizations that are remembered, as many as the classifier has lists."""


@unique
class OperatorState(StrEnum):
    """What kind of operator token it is, by section 8.4."""

    FULL = "full"
    PARTIAL = "partial"
    NO = "no"


class AuthorizationRow(msgspec.Struct, frozen=True):
    """One authorization, with the names that its IDs stand for.

    Attributes:
        description: As stored, not escaped.
        created_at: RFC 3339 as stored; "" when absent.
        updated_at: RFC 3339 as stored; "" when absent.
        secret: The stored token or else hash; None unless asked for.
        group: A number that only rows have which differ in nothing but the fields above.
        status: "active" or "inactive", as stored.
        user_id: 16 hex digits, or "" when the record has none.
        user: Name of the user; None when there is no such user.
        organization: Name; None when there is no such organization.
        lacks: For a partial operator, the missing permissions as "read:remotes", in server order.
        is_usable: Whether a server would let a client in with it.
        because: Why not, as clauses, the one that counts first; empty when it is usable.
        permissions: The stored JSON array, for passing on as it is.
    """

    id: str
    description: str
    created_at: str
    updated_at: str
    secret: Secret | None
    group: int
    status: str
    user_id: str
    user: str | None
    organization_id: str
    organization: str | None
    token_form: TokenForm
    operator: OperatorState
    lacks: tuple[str, ...]
    is_usable: bool
    because: tuple[str, ...]
    permissions: msgspec.Raw
    permission_count: int


class AuthorizationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which authorizations are wanted.

    Attributes:
        operators_only: Only full and partial operators.
        user: Only those of the user with this name.
        organization: Only those of the organization with this name.
    """

    operators_only: bool = False
    user: str | None = None
    organization: str | None = None


EVERYTHING: Final = AuthorizationFilter()


def list_authorizations(
    tx: MetaTx,
    wanted: AuthorizationFilter = EVERYTHING,
    disclosure: Disclosure | None = None,
) -> Listing[AuthorizationRow]:
    """List authorizations; with a right, rows carry what is stored of the token.

    Raises:
        NotFoundError: No user or organization has the name asked for; the error lists those that
            exist. Raised here, before the first row.
    """
    has_right = disclosure is not None
    return Listing(
        lambda problems: _AuthorizationRows(tx, wanted, problems, show_tokens=has_right).walk()
    )


_Shared: TypeAlias = tuple[
    int,
    str,
    str,
    str | None,
    str,
    str | None,
    TokenForm,
    OperatorState,
    tuple[str, ...],
    bool,
    tuple[str, ...],
    msgspec.Raw,
    int,
]
"""The fields of a row from `group` on."""


class _AuthorizationRows:
    """Joins authorizations with what they refer to.

    A store may hold 100,000 of them, so whatever many of them share is worked out once.
    """

    def __init__(
        self,
        tx: MetaTx,
        wanted: AuthorizationFilter,
        problems: list[RecordProblem],
        *,
        show_tokens: bool,
    ) -> None:
        self._tx = tx
        self._whose = Whose.named(tx, user=wanted.user, organization=wanted.organization)
        self._operators_only = wanted.operators_only
        self._problems = problems
        self._show_tokens = show_tokens
        self._users = tx.users.by_key(problems)
        self._opaque_users = {one.id for one in problems} - self._users.keys()
        self._organizations: dict[str | None, str] = {
            one.id: one.name for one in tx.organizations.walk(problems)
        }
        self._classifier = OperatorClassifier(level=tx.level)
        self._has_entry: Callable[[Authorization], bool] = tx.authorizations.index_check()
        self._shared: dict[tuple[object, ...], _Shared] = {}
        self._group_count = 0

    def walk(self) -> Iterator[AuthorizationRow]:
        """Make the rows."""
        wants, is_all = self._whose.wants, self._whose == Whose(None, None)
        operators_only = self._operators_only
        for key, authorization in self._tx.authorizations.walk_keyed(self._problems):
            if not (is_all or wants(authorization)):
                continue
            try:
                summary = self._classifier.summary(authorization)
            except UndecodableError as error:
                self._problems.append(
                    RecordProblem(
                        bucket="authorizationsv1",
                        id=authorization.id,
                        problem=error.problem,
                    )
                )
                continue
            if operators_only and summary.operator.level not in _OPERATOR_STATES:
                continue
            is_found = key == authorization.id.encode() and self._has_entry(authorization)
            secret = None
            if self._show_tokens:
                secret = authorization.token or authorization.hashed_token
            yield AuthorizationRow(  # by position: names would take seven times as long
                authorization.id,
                authorization.description,
                authorization.created_at,
                authorization.updated_at,
                secret,
                *self._shared_by(authorization, summary, is_found=is_found),
            )

    def _shared_by(
        self, authorization: Authorization, summary: PermissionSummary, *, is_found: bool
    ) -> _Shared:
        """Word what an authorization has in common with others; the same comes again and again."""
        form = authorization.form
        key = (
            authorization.status,
            authorization.user_id,
            authorization.org_id,
            id(form),  # the hash of an enumerated value takes longer than all of this
            is_found,
            summary,
        )
        shared = self._shared.get(key)
        if shared is None:
            self._group_count += 1
            shared = self._words(authorization, summary, is_found=is_found)
            if len(self._shared) >= GROUPS_MAX:
                self._shared.clear()
            if summary.is_remembered:
                self._shared[key] = shared
        return shared

    def _words(
        self, authorization: Authorization, summary: PermissionSummary, *, is_found: bool
    ) -> _Shared:
        user = self._users.get(authorization.user_id or "")
        standing = token_standing(
            authorization,
            user,
            level=self._tx.level,
            has_entry=is_found,
            has_opaque_user=user is None and authorization.user_id in self._opaque_users,
        )
        operator = _OPERATOR_STATES.get(summary.operator.level, OperatorState.NO)
        lacks = summary.operator.lacks if operator is OperatorState.PARTIAL else ()
        return (
            self._group_count,
            authorization.status or "active",
            authorization.user_id or "",
            None if user is None else user.name,
            authorization.org_id or "",
            self._organizations.get(authorization.org_id),
            authorization.form,
            operator,
            tuple(f"{action}:{kind}" for action, kind in lacks),
            standing.is_usable,
            standing.because,
            msgspec.Raw(summary.permissions_json),
            summary.count,
        )


_OPERATOR_STATES: Final = {
    OperatorLevel.FULL: OperatorState.FULL,
    OperatorLevel.PARTIAL: OperatorState.PARTIAL,
}
