"""What there is to know about one user: can this user get in, and with what.

Lives here: `describe_user`, `verify_password`. Must not live here: changes.

Source: InfluxDB v2.9.1 tenant/service_user.go (ComparePassword), http/session_handler.go; spec
influxdb-metadata sections 4.2, 4.5, 5.4, 5.5 and I6 to I9.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.mapping import INSTANCE, ORGS, OWNER
from recovery.model.password import PASSWORD_SIZE_BYTES_MAX, password_matches
from recovery.model.standing import Answer, Obstacle
from recovery.model.user import User
from recovery.secret import Secret
from recovery.services.access import Rights, rights
from recovery.services.tenancy.user_listing import Membership

ANOTHER: Final = "it is not the password of this user"


class OwnToken(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization of a user.

    Attributes:
        id: 16 hex digits.
        description: As stored, not escaped.
        status: As stored.
    """

    id: str
    description: str
    status: str


class UserDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One user with all that belongs to it.

    Attributes:
        id: 16 hex digits.
        name: As stored, not escaped.
        status: "active", "inactive", or "" as `influxd recovery user create` leaves it.
        answer: What a server answers to a sign-in with the right password.
        can_sign_in: Whether this user gets in with the right password and sees anything.
        because: Why not, as clauses; empty when it can.
    """

    id: str
    name: str
    status: str
    answer: Answer
    can_sign_in: bool
    because: tuple[Obstacle, ...]
    memberships: tuple[Membership, ...]
    is_instance_owner: bool
    tokens: tuple[OwnToken, ...]


def describe_user(tx: MetaTx, user: User) -> UserDetails:
    """Collect what there is to know about a user, in one walk over the authorizations."""
    tokens: list[OwnToken] = []

    def note(one: Authorization) -> None:
        if one.user_id == user.id:
            tokens.append(OwnToken(id=one.id, description=one.description, status=one.status))

    known = rights(tx, note=note)
    return describe_known(tx, user, known, tokens)


def describe_known(
    tx: MetaTx, user: User, known: Rights, tokens: Iterable[OwnToken]
) -> UserDetails:
    """As `describe_user`, where what users see and the tokens of this one are known."""
    standing = known.sign_in(tx, user)
    roles = [one for one in tx.mappings.walk([]) if one.user_id == user.id]
    memberships = []
    for role in roles:
        if role.resource_type == ORGS:
            organization = tx.organizations.get(role.resource_id)
            memberships.append(
                Membership(
                    organization_id=role.resource_id,
                    organization=organization.name if organization else None,
                    role=role.user_type,
                )
            )
    return UserDetails(
        id=user.id,
        name=user.name,
        status=user.status,
        answer=standing.answer,
        can_sign_in=standing.is_usable,
        because=standing.obstacles,
        memberships=tuple(memberships),
        is_instance_owner=any(
            role.resource_type == INSTANCE and role.user_type == OWNER for role in roles
        ),
        tokens=tuple(tokens),
    )


class PasswordReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a server would say to a password.

    Attributes:
        user_id: 16 hex digits.
        user: Name, not escaped.
        can_sign_in: Whether the user gets in with it and sees anything.
        because: Why not, as clauses; empty when it can.
    """

    user_id: str
    user: str
    matches: bool
    can_sign_in: bool
    because: tuple[str, ...]


def verify_password(tx: MetaTx, user: User, password: Secret) -> PasswordReport:
    """Try a password as a sign-in does, and say what a server would. Nothing is written."""
    details = describe_user(tx, user)
    stored = tx.passwords.get(user.id)
    matches = stored is not None and password_matches(password, stored)
    because: list[str] = list(details.because)
    if stored is not None and not matches:
        because.insert(0, ANOTHER)
    if matches and password.length_bytes > PASSWORD_SIZE_BYTES_MAX:
        because.append("servers from 2.7.6 on refuse a password of more than 72 bytes")
    return PasswordReport(
        user_id=user.id,
        user=user.name,
        matches=matches,
        can_sign_in=matches and not because,
        because=tuple(because),
    )
