"""Who can get into a store, and who no longer could after a change.

Lives here: what the judge of `recovery.model.standing` has to be told, read from a store, and the
warnings in front of taking away the last way in. Must not live here: the judgement itself.

Source: InfluxDB v2.9.1 session/service.go (getPermissionSet), tenant/http_server_org.go (which
organizations a session is shown); spec influxdb-metadata sections 5.4, 5.5, 8.4.
"""

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization, OperatorClassifier
from recovery.model.gojson import UndecodableError, patched
from recovery.model.goshape import AUTHORIZATION, USER, can_decode
from recovery.model.ids import Id
from recovery.model.mapping import INSTANCE, ORGS, OWNER, Mapping
from recovery.model.permission import OperatorLevel
from recovery.model.standing import (
    SignInStanding,
    Standing,
    legacy_standing,
    sign_in_standing,
    token_standing,
)
from recovery.model.user import FIELDS, User, decode_user

if TYPE_CHECKING:
    from recovery.metastore.table import RecordProblem

ONLY_OPERATOR: Final = (
    "afterwards no full operator token is left that a server would accept; only this tool makes "
    "another then"
)
NOBODY: Final = (
    "afterwards nobody can get in: no operator token is left that a server would accept, and no "
    "user who gets in with a password; only this tool lets somebody in again"
)


class TokenFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a store says of a token besides its record.

    Attributes:
        user: Its user; None when there is none, or no server can decode it.
        has_opaque_user: Whether its user has a record that cannot be decoded.
        has_opaque_permissions: Whether its permissions cannot be decoded.
        has_entry: Whether a look-up leads from the token to the record.
    """

    authorization: Authorization
    user: User | None
    has_opaque_user: bool
    has_opaque_permissions: bool
    has_entry: bool

    def standing(self, *, level: int, server_hashes: bool | None = None) -> Standing:
        """Judge the token, as `token_standing` does."""
        return token_standing(
            self.authorization,
            self.user,
            level=level,
            has_entry=self.has_entry,
            has_opaque_user=self.has_opaque_user,
            has_opaque_permissions=self.has_opaque_permissions,
            server_hashes=server_hashes,
        )


def token_facts(tx: MetaTx, authorization: Authorization) -> TokenFacts:
    """Collect what the judge has to be told of one record, by point look-ups."""
    user_id = authorization.user_id
    user = None if user_id is None else _found_user(tx, user_id)
    try:
        authorization.permissions()
        has_opaque_permissions = False
    except UndecodableError:
        has_opaque_permissions = True
    return TokenFacts(
        authorization=authorization,
        user=user,
        has_opaque_user=user is None and user_id is not None and tx.users.has_id(user_id),
        has_opaque_permissions=has_opaque_permissions,
        has_entry=tx.authorizations.leads_home(authorization),
    )


def _found_user(tx: MetaTx, user_id: Id) -> User | None:
    """Read a user as a server finds it by its ID, also one whose record lacks that."""
    user = tx.users.get(user_id)
    document = None if user is not None else tx.table("usersv1").get(user_id.encode())
    if document is None or not can_decode(document, USER):
        return user
    fields = b"{}" if document.strip() == b"null" else document
    return decode_user(patched(fields, {"id": user_id}, order=FIELDS))


def standing_of(tx: MetaTx, authorization: Authorization) -> Standing:
    """Judge the token of one record. Raises as `token_facts`."""
    return token_facts(tx, authorization).standing(level=tx.level)


def legacy_standing_of(tx: MetaTx, authorization: Authorization) -> Standing:
    """Judge a 1.x log-in of a record in `legacy/authorizationsv1`, by point look-ups."""
    legacy = tx.legacy_authorizations
    return legacy_standing(
        authorization,
        tx.users.get(authorization.user_id) if authorization.user_id else None,
        has_entry=legacy.leads_home(authorization),
        stored_password=legacy.passwords.get(authorization.id),
    )


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What a server reads of all users when one signs in and when a session asks for something.

    Attributes:
        found: Users to whom some name leads in the index, not always the name of their record.
        seeing: Users with a role, or with a token that shows organizations.
        kept: Those of them who still see something after a loss.
        failing: Users with a membership that cannot be understood: each of their requests fails.
        is_readable: Whether memberships and authorizations can be read; otherwise the requests of
            all sessions fail.
        bare: Organizations whose record a server takes for one without an ID.
        listing: Users who see organizations by their memberships in them only, and none of these
            is bare: only for them a server can list organizations while there are bare ones.
    """

    found: set[Id]
    seeing: set[Id]
    kept: set[Id]
    failing: set[Id]
    is_readable: bool
    bare: frozenset[Id]
    listing: set[Id]

    def sign_in(self, tx: MetaTx, user: User) -> SignInStanding:
        """Judge a sign-in of a user with the right password."""
        return sign_in_standing(
            user,
            has_entry=user.id in self.found,
            stored_password=tx.passwords.get(user.id),
            has_rights=user.id in self.seeing,
            has_session=self.is_readable and user.id not in self.failing,
            has_list=not self.bare or user.id in self.listing,
        )


def role_rights(tx: MetaTx) -> Rights:
    """Work out what users see by their roles alone.

    As a server does, by the index of memberships by user: a role that it does not lead to is none.
    """
    seeing, failing, impeded = set(), set(), set()
    bare = frozenset(tx.organizations.bare_ids())
    for user_id, mapping in tx.mappings.walk_by_user():
        if mapping is None:
            failing.add(user_id)
        elif mapping.user_id == user_id and is_role(tx, mapping):
            seeing.add(user_id)
            if mapping.resource_type != ORGS:
                impeded.add(user_id)
        elif mapping.resource_id in bare:
            impeded.add(user_id)
    return Rights(
        found=tx.users.found_ids(),
        seeing=seeing,
        kept=seeing,
        failing=failing,
        is_readable=tx.mappings.are_there,
        bare=bare,
        listing=seeing - impeded,
    )


def is_role(tx: MetaTx, mapping: Mapping) -> bool:
    """Tell whether a mapping lets its user see the instance, or an organization that exists."""
    if mapping.resource_type == ORGS:
        organization = tx.organizations.get(mapping.resource_id)
        return organization is not None and organization.id == mapping.resource_id
    return mapping.resource_type == INSTANCE and mapping.user_type == OWNER


def rights(
    tx: MetaTx,
    loss: "Loss | None" = None,
    *,
    note: Callable[[Authorization], object] = lambda _: None,
) -> Rights:
    """Work out who would see something after a sign-in, in one walk over the authorizations.

    Args:
        note: Called with each authorization, for who wants to know more of them.

    Returns:
        By roles, and by tokens of an administrator or operator: the permissions of all tokens of a
        user, inactive ones too, count in its sessions. Those of lesser tokens do as well, but show
        no organization, and without one the browser shows nothing.
    """
    by_role = role_rights(tx)
    level = operator_levels(tx)
    problems: list[RecordProblem] = []
    before, after = set[Id](), set[Id]()
    for one in tx.authorizations.walk(problems):
        note(one)
        if one.user_id is not None and level(one) is not OperatorLevel.NONE:
            before.add(one.user_id)
            if loss is None or not loss.concerns(one):
                after.add(one.user_id)
    known = _with_tokens(by_role, before, after)
    if loss is not None and loss.user_id is not None:
        known.kept.discard(loss.user_id)
    is_readable = by_role.is_readable and not (problems and _breaks_sessions(tx))
    return msgspec.structs.replace(known, is_readable=is_readable)


def rights_by_tokens(tx: MetaTx, administrators: Collection[str]) -> Rights:
    """As `rights`, where all authorizations have been read already.

    Whether one cannot be read, and breaks sessions with it, is the caller's to know.

    Args:
        administrators: Users with a token of an administrator or operator.
    """
    found = {Id(one) for one in administrators}
    return _with_tokens(role_rights(tx), found, found)


def _with_tokens(by_role: Rights, before: set[Id], after: set[Id]) -> Rights:
    """Add those who have a token of an administrator or operator, before and after a loss."""
    return msgspec.structs.replace(
        by_role,
        seeing=by_role.seeing | before,
        kept=by_role.seeing | after,
        listing=by_role.listing - before,
    )


def _breaks_sessions(tx: MetaTx) -> bool:
    """Tell whether a server cannot list the authorizations, from which it takes permissions."""
    documents = (document for _, document in tx.table("authorizationsv1").items())
    return not all(can_decode(document, AUTHORIZATION) for document in documents)


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What a change takes away.

    Attributes:
        authorization_ids: Authorizations that are deleted or lose their force.
        user_id: A user who is deleted or lose its force, with all its tokens.
    """

    authorization_ids: frozenset[Id] = frozenset()
    user_id: Id | None = None

    def concerns(self, authorization: Authorization) -> bool:
        """Tell whether a token is worth nothing afterwards."""
        return authorization.id in self.authorization_ids or (
            self.user_id is not None and authorization.user_id == self.user_id
        )


def loss_warnings(tx: MetaTx, loss: Loss) -> tuple[str, ...]:
    """Warn in front of taking away the last way in.

    Returns:
        A warning when the last usable full operator goes, one for each organization that loses its
        last owner, and one when nobody at all is left; not escaped.
    """
    is_last = is_left = False
    for one in _usable_operators(tx):
        is_left = not loss.concerns(one)
        is_last = not is_left
        if is_left:
            break
    warnings = [ONLY_OPERATOR] if is_last else []
    if loss.user_id is not None:
        warnings += sole_owner_warnings(tx, loss.user_id)
    if not is_left and _is_anybody_locked_out(tx, loss, is_operator=is_last):
        warnings.append(NOBODY)
    return tuple(warnings)


def _usable_operators(tx: MetaTx) -> Iterator[Authorization]:
    """Walk the full operators that a server would accept."""
    level = operator_levels(tx)
    for key, one in tx.authorizations.walk_keyed([]):
        if key != one.id.encode() or level(one) is not OperatorLevel.FULL:
            continue
        if standing_of(tx, one).is_usable:
            yield one


def operator_levels(tx: MetaTx) -> Callable[[Authorization], OperatorLevel]:
    """Return a function for many records: how much of an operator is it?"""
    classifier = OperatorClassifier(level=tx.level)

    def level(authorization: Authorization) -> OperatorLevel:
        try:
            return classifier.status(authorization).level
        except UndecodableError:
            return OperatorLevel.NONE

    return level


def sole_owner_warnings(
    tx: MetaTx, user_id: Id, *, organization_id: Id | None = None
) -> Iterator[str]:
    """Warn, in sentences, of what a user alone owns: in one organization, or everywhere."""
    owners: dict[tuple[str, Id], set[Id]] = {}
    for mapping in tx.mappings.walk([]):
        if mapping.user_type != OWNER or not is_role(tx, mapping):
            continue
        owner = tx.users.get(mapping.user_id)
        if owner is not None and not owner.is_inactive:
            key = (mapping.resource_type, mapping.resource_id)
            owners.setdefault(key, set()).add(mapping.user_id)
    for (resource_type, resource_id), found in owners.items():
        if found != {user_id} or organization_id not in {None, resource_id}:
            continue
        if resource_type == INSTANCE:
            yield (
                "this is the only owner of the instance: afterwards nobody can administer all "
                "organizations in the browser"
            )
            continue
        organization = tx.organizations.get(resource_id)
        name = resource_id if organization is None else organization.name
        yield (
            f"this is the only owner of organization {name}: afterwards nobody can administer it "
            "in the browser"
        )


def _is_anybody_locked_out(tx: MetaTx, loss: Loss, *, is_operator: bool) -> bool:
    """Tell whether somebody could get in, by an operator token or a sign-in, and nobody then."""
    known = rights(tx, loss)
    usable = {user.id for user in tx.users.walk([]) if known.sign_in(tx, user).is_usable}
    return (is_operator or bool(usable)) and not usable & known.kept
